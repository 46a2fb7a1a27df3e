"""Classes of the standard library and of pendulum whose pickled form is shown as what it means: dates, numbers, collections. Nothing is looked up by name."""

from __future__ import annotations

import datetime
import uuid
from typing import Any, Callable, Dict, List, Optional, Tuple

from leoflow.xcom_reader.pickle_machine import MARK, ZONES, Call, Items, Name, Pairs

Known = Optional[Tuple[Any, str]]
Zone = Tuple[str, Optional[int]]
LAZY = "lazy object"
NAMED_ZONES = (*ZONES, "zoneinfo.ZoneInfo._unpickle", "pendulum.tz.timezone.Timezone._unpickle")


def find_known(node: Any) -> Known:
    """What a call stands for, and its note: plain data, bytes, Items or Pairs; any node of a lazy object. None for what is not known."""
    if not isinstance(node, Call) or not isinstance(node.callee, Name) or node.kwargs is not None:
        return None
    known = KNOWN.get(node.callee.name)
    try:
        return None if known is None else known(node)
    except (ValueError, OverflowError):
        return None


def offset_text(seconds: int) -> str:
    """`+05:30`; `UTC` for none."""
    if seconds == 0:
        return "UTC"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return "%s%02d:%02d" % ("-" if seconds < 0 else "+", hours, minutes) + (":%02d" % left if left else "")


def _plain_bytes(node: Any) -> Optional[bytes]:
    """Bytes as they are, or as protocols before 3 write them: by a call of _codecs.encode."""
    if isinstance(node, bytes):
        return node
    known = find_known(node)
    return known[0] if known is not None and isinstance(known[0], bytes) else None


def _are(args: List[Any], *kinds: type) -> bool:
    return len(args) == len(kinds) and all(type(arg) is kind for arg, kind in zip(args, kinds))


def _encoded(call: Call) -> Known:
    text, encoding = call.args if len(call.args) == 2 else (None, None)
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        return None
    return text.encode("latin-1"), ""


def _no_bytes(call: Call) -> Known:
    return (b"", "") if not call.args else None


def _bytearray(call: Call) -> Known:
    if len(call.args) == 2:
        return _encoded(call)
    data = _plain_bytes(call.args[0]) if call.args else b""
    return None if data is None else (bytes(data), "")


def _collection(kind: str) -> Callable[[Call], Known]:
    def known(call: Call) -> Known:
        if not call.args:
            return Items(kind, []), kind
        first = call.args[0]
        return (first, kind) if len(call.args) == 1 and isinstance(first, Items) else None
    return known


def _ordered(call: Call) -> Known:
    pairs = call.items if isinstance(call.items, Pairs) else Pairs([])
    if call.args:
        first = call.args[0]
        if not isinstance(first, Items) or not all(isinstance(pair, Items) and len(pair.items) == 2 for pair in first.items):
            return None
        pairs = Pairs([(pair.items[0], pair.items[1]) for pair in first.items] + pairs.pairs)
    return (pairs, "OrderedDict") if call.state is MARK else None


def _complex(call: Call) -> Known:
    if len(call.args) != 2 or not all(type(arg) in (int, float) for arg in call.args):
        return None
    return Pairs([("$complex", Items("list", call.args))]), "complex"


def _decimal(call: Call) -> Known:
    return (call.args[0], "Decimal") if _are(call.args, str) else None


def _uuid(call: Call) -> Known:
    state = dict((key, value) for key, value in call.state.pairs if isinstance(key, str)) if isinstance(call.state, Pairs) else {}
    return (str(uuid.UUID(int=state["int"])), "UUID") if type(state.get("int")) is int else None


def _seconds(call: Call) -> Known:
    total = _microseconds(call)
    if total is None:
        return None
    return (total // 10**6 if total % 10**6 == 0 else total / 10**6), "timedelta in seconds"


def _microseconds(call: Any) -> Optional[int]:
    if not isinstance(call, Call) or not _are(call.args, int, int, int) or abs(call.args[0]) > 10**9:
        return None
    days, seconds, rest = call.args
    return int((days * 86400 + seconds) * 10**6 + rest)


def _zone_of(node: Any) -> Optional[Zone]:
    """Name and, where it can be told without a table of zones, the offset in seconds."""
    if not isinstance(node, Call) or not isinstance(node.callee, Name) or not node.args:
        return None
    name, first = node.callee.name, node.args[0]
    if name in NAMED_ZONES and isinstance(first, str):
        return first, 0 if first == "UTC" else None
    if name == "pendulum.tz.timezone.FixedTimezone" and type(first) is int:
        return offset_text(first), first
    if name != "datetime.timezone":
        return None
    total = _microseconds(first) if isinstance(first, Call) and isinstance(first.callee, Name) and first.callee.name == "datetime.timedelta" else None
    if total is None or total % 10**6:
        return None
    given = node.args[1] if len(node.args) == 2 else None
    return given if isinstance(given, str) else offset_text(total // 10**6), total // 10**6


def _timezone(call: Call) -> Known:
    zone = _zone_of(call)
    return None if zone is None else (zone[0], "timezone")


def _moment(naive: datetime.datetime, zone: Any) -> Known:
    """In UTC where the offset is known, else the local time with its zone."""
    if zone is None:
        return naive.isoformat(), "datetime (no zone)"
    found = _zone_of(zone)
    if found is None:
        return None
    name, offset = found
    if offset is None:
        return "%s[%s]" % (naive.isoformat(), name), "datetime (zone %s)" % name
    return (naive - datetime.timedelta(seconds=offset)).isoformat() + "+00:00", "datetime (zone %s)" % name


def _datetime(call: Call) -> Known:
    data = _plain_bytes(call.args[0]) if len(call.args) in (1, 2) else None
    if data is None or len(data) != 10:
        return None
    fields = (data[0] * 256 + data[1], data[2] & 127, *data[3:7], int.from_bytes(data[7:], "big"))
    return _moment(datetime.datetime(*fields), call.args[1] if len(call.args) == 2 else None)


def _pendulum(call: Call) -> Known:
    fields = call.args[:7]
    if len(call.args) not in (8, 9) or not _are(fields, *[int] * 7):
        return None
    return _moment(datetime.datetime(*fields), call.args[7])


def _date(call: Call) -> Known:
    data = _plain_bytes(call.args[0]) if len(call.args) == 1 else None
    if data is None or len(data) != 4:
        return None
    return datetime.date(data[0] * 256 + data[1], data[2], data[3]).isoformat(), "date"


def _time(call: Call) -> Known:
    data = _plain_bytes(call.args[0]) if len(call.args) in (1, 2) else None
    if data is None or len(data) != 6:
        return None
    text = datetime.time(data[0] & 127, data[1], data[2], int.from_bytes(data[3:], "big")).isoformat()
    if len(call.args) == 1 or call.args[1] is None:
        return text, "time"
    zone = _zone_of(call.args[1])
    if zone is None:
        return None
    name, offset = zone
    return text + ("[%s]" % name if offset is None else "+00:00" if offset == 0 else offset_text(offset)), "time"


def _lazy(call: Call) -> Known:
    return (call.args[0], LAZY) if len(call.args) == 1 else None


KNOWN: Dict[str, Callable[[Call], Known]] = {
    "_codecs.encode": _encoded, "builtins.bytes": _no_bytes, "builtins.bytearray": _bytearray, "builtins.complex": _complex,
    "builtins.set": _collection("set"), "builtins.frozenset": _collection("frozenset"), "collections.OrderedDict": _ordered,
    "datetime.datetime": _datetime, "datetime.date": _date, "datetime.time": _time, "datetime.timedelta": _seconds, "datetime.timezone": _timezone,
    "pendulum.datetime.DateTime": _pendulum, "pendulum.date.Date": _date, "pendulum.duration.Duration": _seconds,
    "pendulum.tz.timezone.FixedTimezone": _timezone, **{name: _timezone for name in NAMED_ZONES},
    "decimal.Decimal": _decimal, "uuid.UUID": _uuid, **{"lazy_object_proxy.%s.identity" % name: _lazy for name in ("cext", "utils", "simple", "slots")},
}
