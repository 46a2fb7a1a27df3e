"""Variable, Connection and BaseHook as tasks and DAG files use them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from leoflow.dagmodel import masking, secrets
from leoflow.dagmodel.errors import (
    WAY_OUT,
    AirflowException,
    AirflowNotFoundException,
    AirflowRuntimeError,
    UnsupportedFeature,
)
from leoflow.dagmodel.notset import NOTSET, is_arg_set

_FIELDS = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port")
_MISSING = (
    "It is read while the file is imported. Set it on the server (leoflow {kind}s set {name}), give the compiler the environment variable "
    "AIRFLOW_{short}_{upper}, or read it in a task or a template."
)


def _hint(kind: str, name: str) -> str:
    if secrets.is_running():
        return ""
    return " " + _MISSING.format(kind=kind, name=name, short=kind[:4].upper() if kind == "connection" else "VAR", upper=name.upper())


class Variable:
    """A setting that DAGs share: text, or JSON text."""

    def __init__(self, key: str | None = None, value: Any = None, description: str | None = None) -> None:
        self.key, self.value, self.description = key, value, description

    @staticmethod
    def get(key: str, default: Any = NOTSET, deserialize_json: bool = False, *, default_var: Any = NOTSET, **_: Any) -> Any:
        """The value of a variable, or `default` (`default_var` in older files) when there is none.

        Raises `AirflowRuntimeError` when there is neither.
        """
        if not is_arg_set(default):
            default = default_var
        value = secrets.find_variable(key)
        if value is not None:
            return json.loads(value) if deserialize_json else value
        if is_arg_set(default):
            masking.add_named(default, key)
            return default
        message = f"Variable {key} not found{_hint('variable', key)}"
        raise AirflowRuntimeError("VARIABLE_NOT_FOUND", {"message": message})

    @staticmethod
    def set(key: str, value: Any, description: str | None = None, serialize_json: bool = False, **_: Any) -> None:
        """Write a variable into the database of the server."""
        text = json.dumps(value, indent=2) if serialize_json else value if isinstance(value, str) else str(value)
        masking.add_named(text, key)
        secrets.change_variable(key, {"op": "set", "value": text, "description": description})

    @staticmethod
    def delete(key: str, **_: Any) -> None:
        """Delete a variable of the database; none is fine."""
        secrets.change_variable(key, {"op": "delete"})

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """The value of a variable; when there is none, `default`, which it is set to."""
        found = cls.get(key, default=None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        if default is None:
            raise ValueError("Default Value must be set")
        cls.set(key, default, description=description, serialize_json=deserialize_json)
        return default

    def __repr__(self) -> str:
        return f"Variable(key={self.key!r})"


class Connection:
    """What is needed to reach another system."""

    EXTRA_KEY = "__extra__"

    def __init__(
        self, conn_id: str | None = None, conn_type: str | None = None, description: str | None = None, host: str | None = None,
        login: str | None = None, password: str | None = None, schema: str | None = None, port: int | None = None,
        extra: Any = None, uri: str | None = None, **_: Any,
    ) -> None:
        given = (conn_type, description, host, login, password, schema, port, extra)
        if uri is not None and any(value is not None for value in given):
            raise AirflowException(
                "You must create an object using the URI or individual values "
                "(conn_type, host, login, password, schema, port or extra). "
                "You can't mix these two ways to create this object."
            )
        self.conn_id, self.conn_type, self.description = conn_id, conn_type, description
        self.host, self.login, self.password, self.schema, self.port = host, login, password, schema, port
        self.extra = json.dumps(extra) if isinstance(extra, dict) else extra
        if uri is not None:
            self._read_uri(uri)
        _mask(self)

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """A connection by its id.

        Raises `AirflowNotFoundException` when there is none.
        """
        found = secrets.find_connection(conn_id)
        if found is None:
            raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined{_hint('connection', conn_id)}")
        if isinstance(found, dict):
            return cls.from_json(json.dumps(found), conn_id)
        text = found.strip()
        return cls.from_json(text, conn_id) if text.startswith("{") else cls.from_uri(text, conn_id)

    @classmethod
    def from_uri(cls, uri: str, conn_id: str) -> Connection:
        """A connection of a URI."""
        return cls(conn_id=conn_id, uri=uri)

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Connection:
        """A connection of a JSON object with its fields."""
        fields = json.loads(value)
        fields.pop("conn_id", None)
        extra, port, conn_type = fields.pop("extra", None), fields.pop("port", None), fields.pop("conn_type", None)
        if extra:
            fields["extra"] = extra if isinstance(extra, str) else json.dumps(extra)
        if port:
            try:
                fields["port"] = int(port)
            except ValueError:
                raise ValueError(f"Expected integer value for `port`, but got {port!r} instead.") from None
        if conn_type:
            fields["conn_type"] = _normal_type(conn_type)
        return cls(conn_id=conn_id, **fields)

    def _read_uri(self, uri: str) -> None:
        marks = uri.count("://")
        # The text of a URI holds the password: a message does not.
        refused = AirflowException(f"Invalid connection string of the connection {self.conn_id!r}.")
        if marks > 2:
            raise refused
        scheme = urlsplit(uri).scheme
        rest = uri.replace(f"{scheme}://", "" if marks == 2 else "//")
        if marks == 2 and any(mark in rest.split("://", 1)[0] for mark in "@:"):
            raise refused
        parts = urlsplit(rest)
        self.conn_type = _normal_type(scheme)
        host = _host_of(parts)
        self.host = f"{parts.scheme}://{host}" if host and marks == 2 and parts.scheme else host
        self.schema = unquote(parts.path[1:])
        self.login = unquote(parts.username) if parts.username else parts.username
        self.password = unquote(parts.password) if parts.password else parts.password
        try:
            self.port = parts.port
        except ValueError:
            raise AirflowException(f"The port of the connection {self.conn_id!r} is no number from 0 to 65535.") from None
        if parts.query:
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            self.extra = query[self.EXTRA_KEY] if self.EXTRA_KEY in query else json.dumps(query)

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` as a dict; an empty one when it is no JSON."""
        if not self.extra:
            return {}
        try:
            return json.loads(self.extra)
        except json.JSONDecodeError:
            import logging

            logging.getLogger(__name__).error("Failed to deserialize extra property `extra`, returning empty dictionary")
            return {}

    def get_extra_dejson(self) -> dict[str, Any]:
        """`extra_dejson`."""
        return self.extra_dejson

    def get_password(self) -> str | None:
        """The password."""
        return self.password

    def get_extra(self) -> str | None:
        """`extra` as its text."""
        return self.extra

    def get_uri(self) -> str:
        """The connection as Airflow writes it into a URI."""
        uri = f"{self.conn_type.lower().replace('_', '-')}://" if self.conn_type else "//"
        host = self.host
        if host and "://" in host:
            protocol, address = host.split("://", 1)
            if protocol != self.conn_type:
                host, uri = address, f"{uri}{protocol}://"
        user = "" if self.login is None else quote(self.login, safe="")
        if self.password is not None:
            user += ":" + quote(self.password, safe="")
        place = quote(host, safe="") if host else ""
        if self.port:
            place += f":{self.port}" if place or user else f"@:{self.port}"
        if self.schema:
            place += f"/{quote(self.schema, safe='')}"
        return f"{uri}{user and user + '@'}{place}{self._query()}"

    def _query(self) -> str:
        if not self.extra:
            return ""
        extra = self.extra_dejson
        try:
            query = urlencode(extra)
        except TypeError:
            query = ""
        if not query or extra != dict(parse_qsl(query, keep_blank_values=True)):
            query = urlencode({self.EXTRA_KEY: self.extra})
        return ("?" if self.schema else "/?") + query

    def to_dict(self, *, prune_empty: bool = False, validate: bool = True) -> dict[str, Any]:
        """The fields as a dict that JSON can hold."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        if prune_empty:
            fields = {name: value for name, value in fields.items() if value is not None}
        extra = self.extra_dejson
        if extra or not prune_empty:
            fields["extra"] = extra
        if validate:
            json.dumps(fields)
        return fields

    def as_json(self) -> str:
        """The fields without the id as JSON text."""
        fields = self.to_dict(prune_empty=True, validate=False)
        fields.pop("conn_id", None)
        return json.dumps(fields)

    def get_hook(self, *, hook_params: dict[str, Any] | None = None) -> Any:
        """The hook of this type of connection: there is one for http.

        Raises `UnsupportedFeature` for any other.
        """
        if self.conn_type != "http":
            raise UnsupportedFeature(f"the hook of a connection of type {self.conn_type!r}", WAY_OUT)
        from leoflow.dagmodel.http_hook import HttpHook

        return HttpHook(http_conn_id=self.conn_id or "", **(hook_params or {}))

    def __repr__(self) -> str:
        return f"Connection(conn_id={self.conn_id!r}, conn_type={self.conn_type!r})"

    def __str__(self) -> str:
        return self.conn_id or ""


def _mask(connection: Connection) -> None:
    if connection.password:
        masking.add(connection.password, f"the password of the connection {connection.conn_id!r}")
    if connection.extra:
        masking.add_named(connection.extra, what=f"a secret in the extra of the connection {connection.conn_id!r}")


def _normal_type(conn_type: str) -> str:
    return "postgres" if conn_type == "postgresql" else conn_type.replace("-", "_")


def _host_of(parts: Any) -> str:
    """The host. One whose decoded form is a path keeps its case: a socket's folder."""
    host = unquote(parts.hostname or "")
    return unquote(parts.netloc.rsplit("@", 1)[-1].split(":", 1)[0]) if "/" in host else host


class BaseHook:
    """Base of hooks that a DAG file defines."""

    def __init__(self, logger_name: str | None = None) -> None:
        self.logger_name = logger_name

    @property
    def log(self) -> Any:
        """The hook's logger."""
        import logging

        name = f"{type(self).__module__}.{type(self).__name__}"
        return logging.getLogger(getattr(self, "logger_name", None) or f"airflow.task.hooks.{name}")

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """A connection by id."""
        return Connection.get(conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """The hook of a connection."""
        return cls.get_connection(conn_id).get_hook(hook_params=hook_params)

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
