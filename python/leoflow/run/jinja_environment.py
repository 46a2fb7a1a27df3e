"""Jinja2 environments as Airflow makes them. Importing this module imports Jinja2."""

from __future__ import annotations

from typing import Any

import jinja2
import jinja2.nativetypes
import jinja2.sandbox


def _formatted(pattern: str) -> Any:
    return lambda value: None if value is None else value.strftime(pattern)


def _iso(value: Any) -> str | None:
    return None if value is None else value.isoformat()


def _iso_nodash(value: Any) -> str | None:
    return None if value is None else value.isoformat().replace("-", "").replace(":", "")


FILTERS = {
    "ds": _formatted("%Y-%m-%d"),
    "ds_nodash": _formatted("%Y%m%d"),
    "ts": _iso,
    "ts_nodash": _formatted("%Y%m%dT%H%M%S"),
    "ts_nodash_with_tz": _iso_nodash,
}


class SandboxedEnvironment(jinja2.sandbox.SandboxedEnvironment):
    """Templates that give text; names with one underscore are allowed, as Airflow allows them."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Everything but the insides of Python objects."""
        return not jinja2.sandbox.is_internal_attribute(obj, attr)


class NativeEnvironment(jinja2.nativetypes.NativeEnvironment):
    """Templates that give Python values."""


def make_environment(dag: Any, folders: list[str], *, native: bool) -> jinja2.Environment:
    """The environment of one DAG, with its macros, filters and options."""
    options: dict[str, Any] = {
        "undefined": dag.template_undefined or jinja2.StrictUndefined,
        "extensions": ["jinja2.ext.do"],
        "cache_size": 0,
        "loader": jinja2.FileSystemLoader(folders),
        **(dag.jinja_environment_kwargs or {}),
    }
    environment = (NativeEnvironment if native else SandboxedEnvironment)(**options)
    environment.filters.update(FILTERS)
    environment.globals.update(dag.user_defined_macros or {})
    environment.filters.update(dag.user_defined_filters or {})
    return environment
