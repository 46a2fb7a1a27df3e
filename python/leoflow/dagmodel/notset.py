"""The marker that tells "argument not given" from None."""

from __future__ import annotations

from typing import Any


class ArgNotSet:
    """Type of `NOTSET`; one instance exists."""

    def __repr__(self) -> str:
        return "NOTSET"

    def __bool__(self) -> bool:
        return False


NOTSET = ArgNotSet()


def is_arg_set(value: Any) -> bool:
    """True when a value was given, None included."""
    return value is not NOTSET
