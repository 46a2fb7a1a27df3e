"""Types that DAG files name in annotations or derive from, without asking them for anything."""

from __future__ import annotations

import logging
from typing import Any


class LoggingMixin:
    """Gives a class `self.log`."""

    @property
    def log(self) -> logging.Logger:
        """The class's logger."""
        return logging.getLogger(f"{type(self).__module__}.{type(self).__name__}")


class BaseOperatorLink:
    """Base of links beside a task in the UI."""

    name: str = ""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The link's address."""
        return ""


class TaskInstance:
    """Type of `ti`, for annotations."""


class RuntimeTaskInstance(TaskInstance):
    """Type of `ti` in a running task, for annotations."""


class DagRun:
    """Type of `dag_run`, for annotations."""
