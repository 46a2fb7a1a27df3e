"""Info lines of our own operators, written without logging's machinery when nobody but the task's log would see them."""

from __future__ import annotations

import logging
import sys
from typing import Any


def info(logger: logging.Logger, message: str, *args: Any) -> None:
    """`logger.info(message, *args)`. Making and handing on a record costs a forked child some 50 page faults."""
    handlers = logging.root.handlers
    write = getattr(handlers[0], "write_info", None) if len(handlers) == 1 else None
    if write is None or not _is_plain(logger, handlers[0]):
        logger.info(message, *args, stacklevel=2)
        return
    try:
        text = message % args
    except Exception:
        logger.info(message, *args, stacklevel=2)
        return
    caller = sys._getframe(1)
    write(logger.name, text, caller.f_code.co_filename.rpartition("/")[2], caller.f_lineno)


def _is_plain(logger: logging.Logger, handler: logging.Handler) -> bool:
    """True when nothing was set up that would change or drop an info record of the logger, or also take it."""
    if handler.filters or handler.level > logging.INFO or logging.root.manager.disable >= logging.INFO:
        return False
    if type(logger) is not logging.Logger or logging.getLogRecordFactory() is not logging.LogRecord:
        return False
    while logger.parent is not None:
        if logger.handlers or logger.filters or logger.level > logging.INFO or logger.disabled or not logger.propagate:
            return False
        logger = logger.parent
    return not logger.filters and logger.level <= logging.INFO
