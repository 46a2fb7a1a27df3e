"""Variable, Connection and BaseHook: their names import, reading one says that it is not there yet."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from leoflow.dagmodel.errors import WAY_OUT, UnsupportedFeature
from leoflow.dagmodel.notset import NOTSET, is_arg_set


class Variable:
    """Airflow variables. Runtime leoflow reads none yet."""

    @staticmethod
    def get(key: str, default: Any = NOTSET, deserialize_json: bool = False, **kwargs: Any) -> Any:
        """The value of a variable.

        Raises `UnsupportedFeature`; `default` would hide that, and is not used.
        """
        raise UnsupportedFeature(f"Variable.get({key!r})", f"Pass the value as a param or an environment variable. {WAY_OUT}")

    @staticmethod
    def set(key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Raises `UnsupportedFeature`."""
        raise UnsupportedFeature(f"Variable.set({key!r})")

    @staticmethod
    def delete(key: str) -> None:
        """Raises `UnsupportedFeature`."""
        raise UnsupportedFeature(f"Variable.delete({key!r})")


class Connection:
    """The parts of a connection; `Connection.get` reads none yet."""

    def __init__(
        self, conn_id: str | None = None, conn_type: str | None = None, description: str | None = None, host: str | None = None,
        login: str | None = None, password: str | None = None, schema: str | None = None, port: int | None = None,
        extra: Any = None, uri: str | None = None,
    ) -> None:
        self.conn_id, self.conn_type, self.description = conn_id, conn_type, description
        self.host, self.login, self.password, self.schema, self.port = host, login, password, schema, port
        self.extra = json.dumps(extra) if isinstance(extra, dict) else extra
        if uri is not None:
            self._read_uri(uri)

    def _read_uri(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.conn_type, self.host, self.port = parts.scheme, parts.hostname, parts.port
        self.login = unquote(parts.username) if parts.username else None
        self.password = unquote(parts.password) if parts.password else None
        self.schema = parts.path.lstrip("/") or None
        if parts.query:
            self.extra = json.dumps(dict(parse_qsl(parts.query)))

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` as a dict."""
        return json.loads(self.extra) if self.extra else {}

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """Raises `UnsupportedFeature`."""
        raise UnsupportedFeature(f"Connection.get({conn_id!r})", f"Pass secrets as environment variables. {WAY_OUT}")

    def __repr__(self) -> str:
        return f"Connection(conn_id={self.conn_id!r}, conn_type={self.conn_type!r})"


class BaseHook:
    """Base of hooks that a DAG file defines."""

    def __init__(self, logger_name: str | None = None) -> None:
        self.logger_name = logger_name

    @property
    def log(self) -> Any:
        """The hook's logger."""
        import logging

        return logging.getLogger(self.logger_name or f"airflow.task.hooks.{type(self).__name__}")

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """A connection by id."""
        return Connection.get(conn_id)

    def get_conn(self) -> Any:
        """The client of the service; a subclass makes it."""
        raise NotImplementedError


class Configuration:
    """`conf`: answers the fallback, since there is no airflow.cfg."""

    def get(self, section: str, key: str, fallback: Any = NOTSET, **kwargs: Any) -> Any:
        """The fallback.

        Raises `UnsupportedFeature` without one.
        """
        if is_arg_set(fallback):
            return fallback
        raise UnsupportedFeature(f"reading airflow.cfg ([{section}] {key})", "Give a fallback, or use an environment variable.")

    getboolean = getint = getfloat = get


conf = Configuration()
