"""Calls a task's callbacks; what they raise is logged and changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("task")


def call_back(callbacks: Iterable[Any], context: Any) -> list[Exception]:
    """Call each with the context; the answer is what they raised."""
    raised: list[Exception] = []
    for callback in callbacks:
        try:
            callback(context)
        except Exception as error:
            name = getattr(callback, "__qualname__", type(callback).__name__)
            log.error("Error when executing callback %s", name, exc_info=error)
            raised.append(error)
    return raised
