"""Shows a stored XCom value as JSON data without running anything of it: JSON in one or two layers, serde's envelopes, pickles. Python 3.8 or newer."""

from __future__ import annotations

import datetime
import json
import math
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from leoflow.xcom_reader.known_classes import offset_text
from leoflow.xcom_reader.pickle_machine import CannotShow, Unreadable, read_pickle
from leoflow.xcom_reader.show import Shower, show_bytes, show_float

Layers = Union[int, str]
TOO_DEEP = "nested deeper than 500"
INSIDE = "JSON inside a JSON string"
PLACEHOLDERS = ("pandas.", "polars.", "pyarrow.", "deltalake.", "pyiceberg.", "iceberg.")
EPOCH = datetime.datetime(1970, 1, 1)
ABSENT = object()


def decode(column: str, data: Optional[bytes], layers: Layers = "auto", cut: bool = False) -> Dict[str, Any]:
    """What a value shows as: {encoding, value, notes}. `column` is `json` or `bytes`; `layers` is 0, 1, 2 or `auto`; a cut value is not tried."""
    if data is None:
        return {"encoding": "null", "value": None, "notes": []}
    if cut:
        return _opaque(data, "cut")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 10_000))
    try:
        return _decode(column, data, layers)
    except CannotShow as problem:
        return _opaque(data, str(problem))
    finally:
        sys.setrecursionlimit(limit)


def _decode(column: str, data: bytes, layers: Layers) -> Dict[str, Any]:
    if column == "bytes" and data[:1] == b"\x80":
        return _pickle(data)
    try:
        text = data.decode("utf-8")
        value = text if column == "json" and layers == 0 else _parse(text)
    except ValueError:
        return _neither(column, data)
    if layers == 0:
        return {"encoding": "text", "value": text, "notes": []}
    return _json(column, value, layers)


def _neither(column: str, data: bytes) -> Dict[str, Any]:
    """Pickles of the protocols 0 and 1 begin with any opcode; nothing may follow them."""
    if column == "bytes" and data.endswith(b"."):
        try:
            if read_pickle(data)[1] == len(data):
                return _pickle(data)
        except Unreadable:
            pass
    return _opaque(data, "neither pickle nor JSON; begins " + data[:16].hex() if data else "empty")


def _pickle(data: bytes) -> Dict[str, Any]:
    root, end = read_pickle(data)
    shower = Shower()
    if end < len(data):
        shower.note(None, "%d bytes after the pickle" % (len(data) - end))
    return {"encoding": "pickle", "value": shower.show(root, None), "notes": shower.notes}


def _json(column: str, value: Any, layers: Layers) -> Dict[str, Any]:
    envelopes = _Envelopes()
    if not isinstance(value, str):
        return {"encoding": "json", "value": envelopes.show(value, None), "notes": envelopes.notes}
    inner = _inner(column, value, layers)
    plain = "text" if column == "json" else "json"
    if isinstance(inner, (dict, list)) or (inner is not ABSENT and layers == 2):
        envelopes.note(None, INSIDE)
        return {"encoding": "json", "value": envelopes.show(inner, None), "notes": envelopes.notes}
    if inner is not ABSENT:
        shown = value if len(value) <= 40 else value[:40] + "…"
        envelopes.note(None, "ambiguous: the text %s or the JSON value %s" % (json.dumps(shown, ensure_ascii=False), shown))
    return {"encoding": plain, "value": value, "notes": envelopes.notes}


def _inner(column: str, text: str, layers: Layers) -> Any:
    """What the string holds as JSON, or ABSENT. Airflow 3 writes JSON text inside JSON; 2.x writes JSON once."""
    if layers == 1 or (column == "bytes" and layers != 2):
        return ABSENT
    try:
        return _parse(text)
    except ValueError:
        return ABSENT


def _opaque(data: bytes, note: str) -> Dict[str, Any]:
    return {"encoding": "opaque", "value": show_bytes(data), "notes": ["$: " + note]}


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        raise CannotShow(TOO_DEEP) from None


def _integer(digits: str) -> int:
    if len(digits) > 4300:
        raise CannotShow("an integer of more than 4300 digits")
    return int(digits)


class _Envelopes(Shower):
    """Walks parsed JSON and unwraps what serde and its forerunner wrote."""

    def show(self, value: Any, path: Any, depth: int = 0) -> Any:
        """The value with its envelopes unwrapped, at any depth."""
        if isinstance(value, float):
            return self.float(value, path)
        if not isinstance(value, (list, dict)):
            return value
        if depth == 500:
            raise CannotShow(TOO_DEEP)
        if isinstance(value, list):
            return self.list(value, path, depth)
        if isinstance(value.get("__classname__"), str) and type(value.get("__version__")) is int and "__data__" in value and not set(value) - {"__classname__", "__version__", "__data__", "__id__"}:
            return self.unwrap(value["__classname__"], (value["__version__"], value["__data__"]), path, depth)
        if isinstance(value.get("__type"), str) and "__var" in value and len(value) == 2:
            return self.unwrap(value["__type"], (None, value["__var"]), path, depth)
        return self.dict(value, path, depth)

    def list(self, value: Any, path: Any, depth: int) -> List[Any]:
        shown = []
        for at, item in enumerate(value):
            shown.append(self.show(item, (path, at), depth + 1))
        return shown

    def dict(self, value: Any, path: Any, depth: int) -> Dict[str, Any]:
        shown = {}
        for name, item in value.items():
            shown[name] = self.show(item, (path, name), depth + 1)
        return shown

    def unwrap(self, name: str, content: Tuple[Optional[int], Any], path: Any, depth: int) -> Any:
        """What a class's data stands for; without knowledge of the class, its name and data."""
        version, data = content
        known = (OLD if version is None else NATIVE).get(name)
        found = None if known is None else known(data)
        if found is not None:
            shown, note = found
            self.note(path, note)
            return self.list(shown, path, depth) if isinstance(shown, list) else shown
        if version is None and name == "dict" and isinstance(data, dict):
            return self.dict(data, path, depth)
        if name.startswith("numpy.") and not isinstance(data, (list, dict)):
            self.note(path, name)
            return self.show(data, path, depth)
        described: Dict[str, Any] = {"$class": name} if version is None else {"$class": name, "$version": version}
        if name.startswith(PLACEHOLDERS) and isinstance(data, str):
            self.note(path, "typed placeholder")
            return {**described, "$bytes": _payload_bytes(data)}
        self.note(path, name)
        return {**described, "data": self.show(data, (path, "data"), depth + 1)}


def _payload_bytes(text: str) -> int:
    if len(text) % 2 == 0 and all(digit in "0123456789abcdefABCDEF" for digit in text):
        return len(text) // 2
    return len(text.rstrip("=")) * 3 // 4


Found = Optional[Tuple[Any, str]]


def _items(note: str) -> Callable[[Any], Found]:
    return lambda data: (data, note) if isinstance(data, list) else None


def _text(note: str) -> Callable[[Any], Found]:
    return lambda data: (data, note) if isinstance(data, str) else None


def _number(data: Any) -> bool:
    return isinstance(data, (int, float)) and not isinstance(data, bool) and math.isfinite(data)


def _serde_seconds(data: Any) -> Found:
    return (data, "timedelta in seconds") if _number(data) else None


def _epoch(seconds: Any, zone: str) -> Found:
    if not _number(seconds):
        return None
    try:
        moment = EPOCH + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return None
    return moment.isoformat() + "+00:00", "datetime (%s)" % zone


def _zone(data: Any) -> str:
    """A zone's name in any of serde's forms: its name, its offset, and a tuple of either with its class, in an envelope or not."""
    if isinstance(data, dict):
        data = data.get("__data__")
    name = data[0] if isinstance(data, list) and data else data
    return "zone " + str(_zone_name(name)) if isinstance(name, (str, int)) and name != "" else "no zone"


def _zone_name(name: Union[str, int]) -> str:
    return name if isinstance(name, str) else offset_text(name)


def _serde_datetime(data: Any) -> Found:
    return _epoch(data.get("timestamp"), _zone(data.get("tz"))) if isinstance(data, dict) else None


def _serde_timezone(data: Any) -> Found:
    return (_zone_name(data), "timezone") if isinstance(data, str) or type(data) is int else None


def _serde_decimal(data: Any) -> Found:
    if isinstance(data, float):
        return (show_float(data) or {}).get("$float") or float_text(data), "Decimal"
    return (str(data), "Decimal") if isinstance(data, (int, str)) and not isinstance(data, bool) else None


def float_text(number: float) -> str:
    """A float as JavaScript writes it, so that both decoders show the same digits."""
    text = repr(number)
    if number == int(number) and abs(number) < 1e21:
        return str(int(number))
    if "e" not in text:
        return text
    digits, exponent = text.split("e")
    if int(exponent) >= -6 and abs(number) < 1:
        whole = digits.replace("-", "").replace(".", "")
        return ("-" if number < 0 else "") + "0." + "0" * (-int(exponent) - 1) + whole
    return "%se%+d" % (digits, int(exponent))


NATIVE: Dict[str, Callable[[Any], Found]] = {
    "builtins.tuple": _items("tuple"), "builtins.set": _items("set"), "builtins.frozenset": _items("frozenset"),
    "datetime.datetime": _serde_datetime, "pendulum.datetime.DateTime": _serde_datetime, "datetime.date": _text("date"), "pendulum.date.Date": _text("date"), "datetime.timedelta": _serde_seconds,
    "decimal.Decimal": _serde_decimal, "uuid.UUID": _text("UUID"),
    "pendulum.tz.timezone.Timezone": _serde_timezone, "pendulum.tz.timezone.FixedTimezone": _serde_timezone, "zoneinfo.ZoneInfo": _serde_timezone,
}
OLD: Dict[str, Callable[[Any], Found]] = {"tuple": _items("tuple"), "set": _items("set"), "datetime": lambda data: _epoch(data, "zone UTC"), "timedelta": _serde_seconds}
