"""Warnings that the parser shows a DAG author, and the place in the author's file they are about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@dataclass(frozen=True)
class Notice:
    """One warning: where, what, and what to do about it."""

    file: str
    line: int
    message: str
    hint: str = ""
    # Keys down to the entry of a drawing, where no line of the author's code says it.
    place: tuple[Any, ...] | None = None


_notices: list[Notice] = []
_place: tuple[Any, ...] | None = None


@contextmanager
def drawing_at(place: tuple[Any, ...]) -> Iterator[None]:
    """Warnings inside are about this entry of a drawing."""
    global _place
    outer, _place = _place, place
    try:
        yield
    finally:
        _place = outer


def author_location() -> tuple[str, int]:
    """File and line of the innermost frame that is neither ours nor the import machinery's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        ours = frame.f_globals.get("__name__", "").partition(".")[0] == "leoflow"
        if not (ours or name.startswith((PACKAGE_ROOT, "<frozen", "<string")) or "importlib" in name):
            return name, frame.f_lineno
        frame = frame.f_back
    return "<unknown>", 0


def warn(message: str, hint: str = "") -> None:
    """Record a warning about the author's line that is being executed."""
    file, line = author_location()
    record(Notice(file, line, message, hint, _place if line == 0 else None))


def record(notice: Notice) -> None:
    """Record a warning about any place."""
    _notices.append(notice)


def take_notices() -> list[Notice]:
    """All warnings since the last call, without repeats, in order."""
    taken = list(dict.fromkeys(_notices))
    _notices.clear()
    return taken
