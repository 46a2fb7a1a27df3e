"""What a drawing cannot say: a task, an argument and the line that made it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unsayable(Exception):
    """A value that has no words in a drawing; whoever asked knows where it stands."""

    what: str
    hint: str = ""


@dataclass(frozen=True)
class Place:
    """The author's line that made something."""

    file: str
    line: int
