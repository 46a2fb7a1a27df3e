"""`var` and `conn` of a task's context: names become values when they are used."""

from __future__ import annotations

from typing import Any

from leoflow.dagmodel.notset import NOTSET


class ConnectionAccessor:
    """`conn`: `conn.my_id`, `conn.get("my_id", default)`."""

    def __getattr__(self, conn_id: str) -> Any:
        if conn_id.startswith("__"):
            raise AttributeError(conn_id)
        from leoflow.dagmodel.connections import Connection

        return Connection.get(conn_id)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """A connection, or the default when there is none."""
        from leoflow.dagmodel.connections import AirflowNotFoundException, Connection

        try:
            return Connection.get(conn_id)
        except AirflowNotFoundException:
            return default_conn

    def __repr__(self) -> str:
        return "<ConnectionAccessor (dynamic access)>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConnectionAccessor)

    def __hash__(self) -> int:
        return hash(type(self).__name__)


class VariableAccessor:
    """`var.value` and `var.json`: `var.value.my_key`, `var.value.get("my_key", default)`."""

    def __init__(self, *, deserialize_json: bool) -> None:
        self._deserialize_json = deserialize_json

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        from leoflow.dagmodel.connections import Variable

        return Variable.get(key, deserialize_json=self._deserialize_json)

    def get(self, key: str, default: Any = NOTSET) -> Any:
        """A variable, or the default when there is none."""
        from leoflow.dagmodel.connections import AirflowRuntimeError, Variable

        try:
            return Variable.get(key, deserialize_json=self._deserialize_json)
        except AirflowRuntimeError:
            return default

    def __repr__(self) -> str:
        return "<VariableAccessor (dynamic access)>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VariableAccessor)

    def __hash__(self) -> int:
        return hash(type(self).__name__)


def make_var() -> dict[str, VariableAccessor]:
    """`var`."""
    return {"json": VariableAccessor(deserialize_json=True), "value": VariableAccessor(deserialize_json=False)}
