"""BaseNotifier: a callback that is an object with templates, for `on_failure_callback=` and the like."""

from __future__ import annotations

import logging
from typing import Any


class BaseNotifier:
    """Base of notifiers that a DAG file defines; a subclass overrides `notify(context)`."""

    template_fields: Any = ()
    template_ext: Any = ()

    def __init__(self, **kwargs: Any) -> None:
        self.log = logging.getLogger(f"airflow.task.notifiers.{type(self).__name__}")

    def notify(self, context: Any) -> None:
        """Tell somebody."""
        raise NotImplementedError

    def __call__(self, *args: Any) -> None:
        context = args[0]
        from leoflow.run.templates import render_fields

        render_fields(self, context, set())
        self.notify(context)
