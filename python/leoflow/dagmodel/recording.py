"""What constructors of tasks were given, and where: kept only while somebody wants to say a DAG in other words."""

from __future__ import annotations

from typing import Any, NamedTuple

from leoflow.dagmodel.notices import author_location


class Call(NamedTuple):
    """The arguments that the author gave, and the line."""

    arguments: dict[str, Any]
    file: str
    line: int


enabled = False
_calls: dict[int, Call] = {}


def enable() -> None:
    """Keep what is given from now on, until the process ends."""
    global enabled
    enabled = True


def note(task: Any, arguments: dict[str, Any]) -> None:
    """Keep one call."""
    file, line = author_location()
    _calls[id(task)] = Call(dict(arguments), file, line)


def call_of(task: Any) -> Call:
    """What made a task of a DAG that is still there."""
    return _calls.get(id(task), Call({}, "<unknown>", 0))
