"""Where variables and connections come from: the environment, then the server of a running task; at the top of a DAG file, what the compiler was given."""

from __future__ import annotations

import json
import os
from typing import Any

from leoflow.dagmodel import masking, stack
from leoflow.dagmodel.errors import UnsupportedFeature
from leoflow.dagmodel.notices import warn

PREFIXES = ("AIRFLOW", "LEOFLOW")
#: What is asked for at the top of a file and found nowhere, in order.
_needed: dict[tuple[str, str], None] = {}
#: What whoever imports the file was handed: `{"variables": {…}, "connections": {…}}`.
_handed: dict[str, dict[str, Any]] = {}
#: Whoever answers instead; None unless a task's process imports the file.
_asked: Any = None


def take_needed() -> list[dict[str, str]]:
    """What was asked for at the top of a file and not found since the last call."""
    taken = [{"kind": kind, "name": name} for kind, name in _needed]
    _needed.clear()
    return taken


def ask(api: Any) -> None:
    """A file that is imported in this process asks for its variables and connections there, as a running task does."""
    global _asked
    _asked = api


def hand_over(values: dict[str, dict[str, Any]] | None) -> None:
    """Variables and connections that a file may read while it is imported in this process."""
    _handed.clear()
    _handed.update(values or {})


def is_running() -> bool:
    """True in a running task."""
    return bool(stack.running_contexts)


def _api() -> Any:
    return stack.running_contexts[-1]["ti"].api


def _in_environment(kind: str, name: str) -> str | None:
    for prefix in PREFIXES:
        value = os.environ.get(f"{prefix}_{kind}_{name.upper()}")
        if value is not None:
            return value
    return None


def find_variable(key: str) -> str | None:
    """The text of a variable, None when there is none. Its secrets are masked from now on."""
    value = _in_environment("VAR", key)
    if value is None:
        value = _api().find_variable(key) if is_running() else _given("variable", key)
    if not is_running():
        _say_fixed("variable", key)
    if value is not None:
        masking.add_named(value, key, f"a secret of the variable {key!r}")
    return value


def find_connection(conn_id: str) -> Any:
    """A connection: its text (a URI or JSON) or its fields; None when there is none."""
    value = _in_environment("CONN", conn_id)
    if value is None:
        value = _api().find_connection(conn_id) if is_running() else _given("connection", conn_id)
    if not is_running():
        _say_fixed("connection", conn_id)
    return value


def change_variable(key: str, request: dict[str, Any]) -> None:
    """Set or delete a variable in the database of the server.

    Raises `UnsupportedFeature` outside of a running task.
    """
    if not is_running():
        raise UnsupportedFeature(f"changing the variable {key!r} while the DAG file is imported", "Do it in a task: the file is imported many times.")
    _api().change_variable(key, request)


def _given(kind: str, name: str) -> Any:
    """What the compiler was told; a JSON value of a variable as its text."""
    if _asked is not None:
        return _asked.find_variable(name) if kind == "variable" else _asked.find_connection(name)
    path = os.environ.get("LEOFLOW_PARSE_SECRETS_FILE")
    values: dict[str, Any] = _handed
    if path:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    value = (values.get(f"{kind}s") or {}).get(name)
    if value is None:
        _needed[(kind, name)] = None
        return None
    return json.dumps(value) if kind == "variable" and not isinstance(value, str) else value


def _say_fixed(kind: str, name: str) -> None:
    use = f"{{{{ var.value.{name} }}}}" if kind == "variable" else f"{{{{ conn.{name}.host }}}}"
    warn(f"the {kind} {name!r} is read while the file is imported: what was drawn with its value is fixed in this version", f"Read it in a task, or in a template: {use}.")
