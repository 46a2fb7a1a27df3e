"""Exceptions for people: where in the author's own files one came from, and what a DAG file raised that does not import."""

from __future__ import annotations

import ast
import os
import traceback
from collections.abc import Iterable, Sequence

from leoflow.dagmodel import masking
from leoflow.dagmodel.notices import PACKAGE_ROOT
from leoflow.parse.sources import is_local

_MAX_CHAIN = 20
#: Functions that say what it was about when the text of an exception does not.
_ABOUT = {
    "_push_xcom_if_needed": "while its result was stored as an XCom", "render_templates": "while its templates were rendered", "render_fields": "while its templates were rendered",
}


def place_of(frames: Sequence[tuple[str, int]], folders: Iterable[str]) -> str | None:
    """`daily.py:12`: the innermost frame below one of the folders; None when there is none.

    frames: file and line, the outermost first
    """
    for folder in folders:
        root = os.path.realpath(folder)
        for file, line in reversed(frames):
            if is_local(file, root):
                return f"{os.path.relpath(os.path.realpath(file), root)}:{line}"
    return None


def in_words(kind: str, message: str, functions: Iterable[str]) -> str:
    """The text of an exception as its task's author would be told it.

    kind: the name of its class
    functions: those of whoever runs tasks that were running
    """
    if kind == "AirflowRuntimeError":
        message = _said_by_server(message)
    about = next((_ABOUT[name] for name in functions if name in _ABOUT), None)
    return message if about is None else f"{message.rstrip('.')}, {about}"


def _said_by_server(message: str) -> str:
    """Out of `CODE: {dict}`."""
    try:
        given = ast.literal_eval(message.partition(": ")[2])
    except (ValueError, SyntaxError):
        return message
    said = None
    while isinstance(given, dict):
        said = given.get("message", said)
        given = given.get("detail")
    if isinstance(given, str):
        said = given
    return message if said is None else str(said)


def chain_of(error: BaseException) -> list[BaseException]:
    """An exception, and what it came from."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and len(chain) < _MAX_CHAIN:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return chain


def functions_of(error: BaseException) -> list[str]:
    """Names of ours that were running when it was raised, the outermost first."""
    codes = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [code.co_name for code in codes if code.co_filename.startswith(PACKAGE_ROOT)]


def place_of_error(error: BaseException, folders: Sequence[str]) -> str | None:
    """The same of an exception: its own frames first, then those of what it came from."""
    for current in chain_of(error):
        frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(current.__traceback__)]
        if isinstance(current, SyntaxError) and current.filename:
            frames.append((current.filename, current.lineno or 0))
        place = place_of(frames, folders)
        if place is not None:
            return place
    return None


def import_error(error: BaseException, folders: Sequence[str]) -> dict[str, str]:
    """What a DAG file raised while it was imported, as a ReportedError.

    folders: where the author's own files are
    """
    told = getattr(error, "told", None)
    if told is not None:
        return told
    place = place_of_error(error, folders)
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    told = {"type": type(error).__name__, "message": masking.mask(str(error))[:4_000], "traceback": masking.mask(text)[-16_000:]}
    return told if place is None else {**told, "place": place}
