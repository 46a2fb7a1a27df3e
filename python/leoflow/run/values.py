"""XCom values as JSON text and back, with Airflow's envelopes for what JSON has no words for."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import re
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from leoflow.dagmodel.errors import XComUnserializable
from leoflow.dagmodel.xcom_arg import LazySequence
from leoflow.run.json_text import make_encoder

CLASS, VERSION, DATA = "__classname__", "__version__", "__data__"
MAX_DEPTH = 64
_encode_text, _encode_ascii = make_encoder(ascii_only=False), make_encoder(ascii_only=True)
_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN = (str, int, float, bool, type(None))
_FIXED_ZONE, _NAMED_ZONE = "pendulum.tz.timezone.FixedTimezone", "pendulum.tz.timezone.Timezone"


def encode(value: Any) -> str:
    """The JSON text of a value.

    Raises `XComUnserializable` naming the type, and where in the value it is.
    """
    packed = value if type(value) in _PLAIN else _pack(value, "", 0)
    text = _encode_text(packed)
    if not text.isascii() and _SURROGATE.search(text):
        # Half a character has no UTF-8 form; its escape has.
        return _encode_ascii(packed)
    return text


def decode(text: str) -> Any:
    """The value of a JSON text."""
    value = json.loads(text)
    return unpack(value) if f'"{CLASS}"' in text else value


def qualified(kind: type) -> str:
    """Module and name of a class, as envelopes carry it."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _envelope(name: str, version: int, data: Any) -> dict[str, Any]:
    return {CLASS: name, VERSION: version, DATA: data}


def _pack(value: Any, where: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise XComUnserializable(f"the value is nested deeper than {MAX_DEPTH} levels{where and f' (at {where})'}")
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, (list, LazySequence)):
        return _pack_list(value, where, depth)
    if isinstance(value, dict):
        return _pack_dict(value, where, depth)
    if isinstance(value, (tuple, set, frozenset)):
        return _pack_collection(value, where, depth)
    if isinstance(value, enum.Enum):
        return _pack(value.value, where, depth + 1)
    special = _special(value, kind)
    if special is not None:
        return special
    if isinstance(value, (str, int, float)):
        return value
    return _pack_object(value, kind, where, depth)


def _pack_list(value: Any, where: str, depth: int) -> list[Any]:
    packed: list[Any] = []
    for i, item in enumerate(value):
        packed.append(item if depth < MAX_DEPTH and type(item) in _PLAIN else _pack(item, f"{where}[{i}]", depth + 1))
    return packed


def _pack_dict(value: dict[Any, Any], where: str, depth: int) -> dict[str, Any]:
    if CLASS in value:
        raise XComUnserializable(f"the key {CLASS!r} is reserved and found in a dict{where and f' (at {where})'}")
    return {str(key): _pack(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}


def _pack_collection(value: Any, where: str, depth: int) -> dict[str, Any]:
    name = "tuple" if isinstance(value, tuple) else "frozenset" if isinstance(value, frozenset) else "set"
    return _envelope(f"builtins.{name}", 1, [_pack(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)])


def _special(value: Any, kind: type) -> dict[str, Any] | None:
    """The envelope of a date, a duration, a Decimal, a UUID, a time zone or a numpy scalar; None for other values."""
    name = qualified(kind)
    if isinstance(value, dt.datetime):
        zone = None if value.tzinfo is None else _envelope("builtins.tuple", 1, _zone(value.tzinfo, value))
        known = "pendulum.datetime.DateTime" if name == "pendulum.datetime.DateTime" else "datetime.datetime"
        return _envelope(known, 2, {"timestamp": value.timestamp(), "tz": zone})
    if isinstance(value, dt.date):
        return _envelope("pendulum.date.Date" if name == "pendulum.date.Date" else "datetime.date", 2, value.isoformat())
    if isinstance(value, dt.timedelta):
        return _envelope("datetime.timedelta", 2, value.total_seconds())
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return _envelope("decimal.Decimal", 1, int(value) if isinstance(exponent, int) and exponent >= 0 else float(value))
    if isinstance(value, uuid.UUID):
        return _envelope("uuid.UUID", 1, str(value))
    if kind.__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return _envelope(name, 1, value.item())
    return None


def _zone(zone: dt.tzinfo, moment: dt.datetime) -> list[Any]:
    for attribute in ("key", "name", "zone"):
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and not name.startswith(("+", "-")):
            return [name, qualified(type(zone)) if attribute == "key" else _NAMED_ZONE, 1, True]
    offset = int((zone.utcoffset(moment) or dt.timedelta()).total_seconds())
    return [offset or "UTC", _FIXED_ZONE, 1, True]


def _pack_object(value: Any, kind: type, where: str, depth: int) -> dict[str, Any]:
    name, version = qualified(kind), getattr(kind, "__version__", 1)
    if hasattr(value, "serialize") and not isinstance(value, type):
        return _envelope(name, version, _pack(value.serialize(), where, depth + 1))
    if dataclasses.is_dataclass(kind):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _envelope(name, version, _pack(fields, where, depth + 1))
    if hasattr(kind, "__attrs_attrs__"):
        fields = {field.name.lstrip("_"): getattr(value, field.name) for field in kind.__attrs_attrs__ if field.init}
        return _envelope(name, version, _pack(fields, where, depth + 1))
    raise XComUnserializable(f"cannot serialize object of type {name}{where and f' (at {where})'}")


def unpack(value: Any) -> Any:
    """A decoded JSON value with every envelope in it opened.

    Raises `TypeError` for an envelope that nothing here can open.
    """
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if CLASS not in value or VERSION not in value:
        return {key: unpack(item) for key, item in value.items()}
    name, data = value[CLASS], unpack(value.get(DATA))
    opener = _OPENERS.get(name)
    if opener is not None:
        return opener(data)
    return _open_object(name, data, value[VERSION])


def _open_datetime(data: dict[str, Any]) -> dt.datetime:
    return dt.datetime.fromtimestamp(float(data["timestamp"]), tz=_open_zone(data["tz"]) if data["tz"] else None)


def _open_pendulum(data: dict[str, Any]) -> Any:
    import pendulum

    zone = pendulum.timezone(data["tz"][0]) if data["tz"] else None
    return pendulum.DateTime.fromtimestamp(float(data["timestamp"]), tz=zone)


def _open_pendulum_date(data: str) -> Any:
    import pendulum

    return pendulum.Date.fromisoformat(data)


def _open_zone(data: Any) -> dt.tzinfo:
    name = data[0]
    if name == "UTC":
        return dt.timezone.utc
    if isinstance(name, (int, float)):
        return dt.timezone(dt.timedelta(seconds=name))
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


_OPENERS: dict[str, Callable[[Any], Any]] = {
    "builtins.tuple": tuple,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "datetime.datetime": _open_datetime,
    "datetime.date": dt.date.fromisoformat,
    "datetime.timedelta": lambda data: dt.timedelta(seconds=float(data)),
    "decimal.Decimal": lambda data: Decimal(str(data)),
    "pendulum.datetime.DateTime": _open_pendulum,
    "pendulum.date.Date": _open_pendulum_date,
    "uuid.UUID": uuid.UUID,
}


def _open_object(name: str, data: Any, version: int) -> Any:
    """An object of a class that this process has loaded already; a value never makes it import a module."""
    module_name, _, class_name = name.rpartition(".")
    if module_name == "numpy":
        import numpy

        return getattr(numpy, class_name)(data)
    module = sys.modules.get(module_name)
    kind = getattr(module, class_name, None) if module is not None else None
    if isinstance(kind, type):
        if hasattr(kind, "deserialize"):
            return kind.deserialize(data, version)
        if isinstance(data, dict) and (dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__")):
            return kind(**data)
    raise TypeError(
        f"the XCom holds an object of class {name}, which the DAG file of this task does not import; "
        "import it there, or return plain values"
    )
