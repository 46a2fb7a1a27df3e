"""What is wrong with a drawing, and where in it: a path of keys that the front end turns into file, line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

Path = tuple[Any, ...]


class DrawingError(Exception):
    """One thing that is wrong at a path of a drawing.

    cause: what somebody else's code raised, whose own place may say more
    """

    def __init__(
        self, path: Path, message: str, hint: str = "", kind: str = "bad_drawing", cause: BaseException | None = None,
    ) -> None:
        super().__init__(message)
        self.path, self.message, self.hint, self.kind, self.cause = path, message, hint, kind, cause


class Broken(Exception):
    """Something that a drawing names was already refused; saying it twice helps nobody."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """` (did you mean x?)`, or nothing when no name is near."""
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
