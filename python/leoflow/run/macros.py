"""`macros`: the functions and modules that Airflow offers to templates."""

from __future__ import annotations

import json  # noqa: F401
import time  # noqa: F401
from datetime import datetime, timedelta  # noqa: F401
from typing import Any


def ds_add(ds: str, days: int) -> str:
    """A YYYY-MM-DD date some days later, or earlier when `days` is negative."""
    return (datetime.strptime(str(ds), "%Y-%m-%d") + timedelta(days=days)).strftime("%Y-%m-%d")


def ds_format(ds: str, input_format: str, output_format: str) -> str:
    """A date's text from one format into another."""
    return datetime.strptime(str(ds), input_format).strftime(output_format)


def datetime_diff_for_humans(dt: Any, since: Any = None) -> str:
    """How long ago, in words."""
    import pendulum

    return pendulum.instance(dt).diff_for_humans(since)


def __getattr__(name: str) -> Any:
    # Not imported with every task: `random` is seeded anew after each fork.
    if name == "random":
        from random import random

        return random
    # The others are modules that a template may ask for and tasks seldom do.
    if name in ("dateutil", "uuid", "yaml"):
        import importlib

        return importlib.import_module(name)
    raise AttributeError(f"macros has no {name!r}")
