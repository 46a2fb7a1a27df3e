"""Pickled values for the vectors of the XCom decoders, by the real pickle module and by hand, each with how it has to be shown."""

from __future__ import annotations

import base64
import collections
import datetime
import decimal
import pickle
import uuid
import zoneinfo
from typing import Any

import pendulum

Shown = tuple[str, Any, list[str]]
Vector = tuple[str, bytes, Shown]
PROTOCOLS = range(6)
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
NOT_LOADED = "(not loaded)"


class Point:
    """A class of a project."""

    def __init__(self, x: int) -> None:
        self.x = x


class Pair(collections.UserList):  # type: ignore[type-arg]
    """A class with arguments of its own."""

    def __reduce__(self) -> Any:
        return Pair, (1, [2])


class Bag(dict):  # type: ignore[type-arg]
    """A dict of another class."""


class Row(list):  # type: ignore[type-arg]
    """A list of another class."""


class Keyword:
    """A class that is made by keyword."""

    def __new__(cls, *, size: int) -> Keyword:
        return super().__new__(cls)

    def __getnewargs_ex__(self) -> Any:
        return (), {"size": 3}


def _bytes(data: bytes) -> dict[str, str]:
    return {"$bytes": base64.b64encode(data).decode("ascii")}


def _by_protocol(name: str, value: Any, shown: Any, *notes: str) -> list[Vector]:
    return [(f"pickle {protocol}: {name}", pickle.dumps(value, protocol), ("pickle", shown, list(notes))) for protocol in PROTOCOLS]


def _plain() -> list[Vector]:
    nested: Any = {"a": [1, (2, {"b": {3}}), None], "c": {"d": [datetime.date(2024, 1, 1)]}}
    many = {"list": list(range(1100)), "dict": {f"k{at}": at for at in range(1100)}}
    return [
        *_by_protocol("scalars", [None, True, False, 0, -1, 255, 65536, -2147483649, 0.5, -1e300, "", "é 🎈\n"], [None, True, False, 0, -1, 255, 65536, -2147483649, 0.5, -1e300, "", "é 🎈\n"]),
        *_by_protocol("big integers", [2**53 - 1, 2**53 + 1, -(2**63), 2**2048], [2**53 - 1, 2**53 + 1, -(2**63), 2**2048]),
        *_by_protocol("floats without JSON", {"x": [float("nan"), float("inf"), float("-inf")]}, {"x": [{"$float": "NaN"}, {"$float": "Infinity"}, {"$float": "-Infinity"}]}, "$.x[0]: NaN", "$.x[1]: Infinity", "$.x[2]: -Infinity"),
        *_by_protocol("bytes", [b"", b"\x00\xff", bytearray(b"ab"), bytearray()], [_bytes(b""), _bytes(b"\x00\xff"), _bytes(b"ab"), _bytes(b"")], "$[0]: bytes", "$[1]: bytes", "$[2]: bytes", "$[3]: bytes"),
        *_by_protocol("collections", [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), {5}, frozenset([6]), set(), {}], [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [5], [6], [], {}], *(f"$[{at}]: tuple" for at in range(5)), "$[5]: set", "$[6]: frozenset", "$[7]: set"),
        *_by_protocol("mixed nesting", nested, {"a": [1, [2, {"b": [3]}], None], "c": {"d": ["2024-01-01"]}}, "$.a[1]: tuple", "$.a[1][1].b: set", "$.c.d[0]: date"),
        *_by_protocol("other keys", {1: "a", (2, 3): {"x": None}}, {"$dict": [[1, "a"], [[2, 3], {"x": None}]]}, "$: dict with keys that are not strings", '$["$dict"][1][0]: tuple'),
        *_by_protocol("complex", complex(1.5, -2), {"$complex": [1.5, -2]}, "$: complex"),
        *_by_protocol("OrderedDict", collections.OrderedDict([("b", 1), ("a", (2,))]), {"b": 1, "a": [2]}, "$: OrderedDict", "$.a: tuple"),
        *[(f"pickle {at}: many items", pickle.dumps(many, at), ("pickle", many, [])) for at in (1, 5)],
        *_by_protocol("names that JavaScript's objects know", {"__proto__": {"x": 1}, "constructor": (2,), "toString": None}, {"__proto__": {"x": 1}, "constructor": [2], "toString": None}, "$.constructor: tuple"),
        ("pickle 4: a surrogate without its pair", pickle.dumps("a\ud800", 4), ("pickle", "a\ud800", [])),
    ]


def _times() -> list[Vector]:
    day = (2024, 7, 1)
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    values: list[tuple[str, Any, Any, str]] = [
        ("datetime", datetime.datetime(*day, 12), "2024-07-01T12:00:00", "$: datetime (no zone)"),
        ("datetime in UTC", datetime.datetime(*day, 12, 1, 2, 3, tzinfo=datetime.timezone.utc), "2024-07-01T12:01:02.000003+00:00", "$: datetime (zone UTC)"),
        ("datetime in the east", datetime.datetime(*day, 2, tzinfo=EAST), "2024-06-30T20:30:00+00:00", "$: datetime (zone +05:30)"),
        ("datetime in Paris", datetime.datetime(*day, 12, tzinfo=paris), "2024-07-01T12:00:00[Europe/Paris]", "$: datetime (zone Europe/Paris)"),
        ("datetime in zoneinfo's UTC", datetime.datetime(*day, 12, tzinfo=zoneinfo.ZoneInfo("UTC")), "2024-07-01T12:00:00+00:00", "$: datetime (zone UTC)"),
        ("pendulum's datetime", pendulum.datetime(*day, 12), "2024-07-01T12:00:00+00:00", "$: datetime (zone UTC)"),
        ("pendulum's datetime in Paris", pendulum.datetime(*day, 12, 0, 0, 5, tz="Europe/Paris"), "2024-07-01T12:00:00.000005[Europe/Paris]", "$: datetime (zone Europe/Paris)"),
        ("pendulum's datetime with an offset", pendulum.datetime(*day, tz=pendulum.FixedTimezone(-7200)), "2024-07-01T02:00:00+00:00", "$: datetime (zone -02:00)"),
        ("date", datetime.date(*day), "2024-07-01", "$: date"),
        ("pendulum's date", pendulum.date(*day), "2024-07-01", "$: date"),
        ("time", datetime.time(1, 2, 3, 4), "01:02:03.000004", "$: time"),
        ("time with an offset", datetime.time(1, 2, tzinfo=EAST), "01:02:00+05:30", "$: time"),
        ("timedelta", datetime.timedelta(days=-1, seconds=5, microseconds=250000), -86394.75, "$: timedelta in seconds"),
        ("pendulum's duration", pendulum.duration(hours=3), 10800, "$: timedelta in seconds"),
        ("timezone", EAST, "+05:30", "$: timezone"),
        ("zone", paris, "Europe/Paris", "$: timezone"),
        ("Decimal", decimal.Decimal("12.50"), "12.50", "$: Decimal"),
        ("UUID", uuid.UUID(int=2**127 + 5), "80000000-0000-0000-0000-000000000005", "$: UUID"),
    ]
    return [vector for name, value, shown, note in values for vector in _by_protocol(name, value, shown, note)]


def _objects() -> list[Vector]:
    name = f"{Point.__module__}.Point"
    here = Point.__module__
    return [
        *_by_protocol("an object", [Point(1)], [{"$class": name, "args": [], "state": {"x": 1}}], f"$[0]: {name} {NOT_LOADED}"),
        *_by_protocol("an object made of arguments", Pair(), {"$class": f"{here}.Pair", "args": [1, [2]]}, f"$: {here}.Pair {NOT_LOADED}"),
        *_by_protocol("a class", {"of": Point}, {"of": {"$class": name}}, f"$.of: {name} {NOT_LOADED}"),
        *[(f"pickle {at}: a dict of another class", pickle.dumps(Bag(a=1), at), ("pickle", {"$class": f"{here}.Bag", "args": [], "items": {"a": 1}}, [f"$: {here}.Bag {NOT_LOADED}"])) for at in PROTOCOLS[2:]],
        *[(f"pickle {at}: a list of another class", pickle.dumps(Row([1]), at), ("pickle", {"$class": f"{here}.Row", "args": [], "items": [1]}, [f"$: {here}.Row {NOT_LOADED}"])) for at in PROTOCOLS[2:]],
        ("pickle 4: an object made by keyword", pickle.dumps(Keyword(size=3), 4), ("pickle", {"$class": f"{here}.Keyword", "args": [], "kwargs": {"size": 3}}, [f"$: {here}.Keyword {NOT_LOADED}"])),
        ("pickle 2: defaultdict", pickle.dumps(collections.defaultdict(list, a=[1]), 2), ("pickle", {"$class": "collections.defaultdict", "args": [{"$class": "builtins.list"}], "items": {"a": [1]}}, [f"$: collections.defaultdict {NOT_LOADED}", f"$.args[0]: builtins.list {NOT_LOADED}"])),
    ]


def _shared() -> list[Vector]:
    shared = [1]
    ring: list[Any] = [0]
    ring.append({"back": ring})
    knot: dict[str, Any] = {}
    knot["a b"] = (knot,)
    selfish = Point(1)
    selfish.me = selfish  # type: ignore[attr-defined]
    bomb: list[Any] = []
    for _ in range(60):
        bomb = [bomb, bomb]
    name = f"{Point.__module__}.Point"
    bombed, deeply = pickle.dumps(bomb, 4), b"\x80\x04" + b"]" * 600 + b"a" * 599 + b"."
    return [
        *_by_protocol("a list that is shared", [shared, shared, {"x": shared}], [[1], [1], {"x": [1]}]),
        *_by_protocol("a list in itself", ring, [0, {"back": {"$cycle": "$"}}]),
        *_by_protocol("a dict in itself", [knot], [{"a b": [{"$cycle": "$[0]"}]}], '$[0]["a b"]: tuple'),
        *_by_protocol("an object in itself", {"o": selfish}, {"o": {"$class": name, "args": [], "state": {"x": 1, "me": {"$cycle": "$.o"}}}}, f"$.o: {name} {NOT_LOADED}"),
        ("pickle 4: a memo bomb", bombed, ("opaque", _bytes(bombed), ["$: larger than 64 MB when written out"])),
        ("pickle 4: 600 levels", deeply, ("opaque", _bytes(deeply), ["$: nested deeper than 500"])),
    ]


def _by_hand() -> list[Vector]:
    """Pickles that a program would not write, some of them in bad faith: they are only shown."""
    system = {"$class": "posix.system", "args": ["touch /tmp/pwned"]}
    call, persistent = f"$: pickle.call {NOT_LOADED}", f"$: pickle.persistent_id {NOT_LOADED}"
    shown: list[tuple[str, bytes, Any, list[str]]] = [
        ("os.system, protocol 0", b"cposix\nsystem\n(S'touch /tmp/pwned'\ntR.", system, [f"$: posix.system {NOT_LOADED}"]),
        ("os.system, protocol 4", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x10touch /tmp/pwned\x85R.", system, [f"$: posix.system {NOT_LOADED}"]),
        ("os.system by INST", b"(S'touch /tmp/pwned'\niposix\nsystem\n.", system, [f"$: posix.system {NOT_LOADED}"]),
        ("os.system by OBJ", b"\x80\x02(cposix\nsystem\nX\x10\x00\x00\x00touch /tmp/pwnedo.", system, [f"$: posix.system {NOT_LOADED}"]),
        ("os.system by NEWOBJ", b"\x80\x02cposix\nsystem\nX\x10\x00\x00\x00touch /tmp/pwned\x85\x81.", system, [f"$: posix.system {NOT_LOADED}"]),
        ("eval in a list", b"\x80\x02](c__builtin__\neval\nX\x03\x00\x00\x001+1\x85RK\x01e.", [{"$class": "builtins.eval", "args": ["1+1"]}, 1], [f"$[0]: builtins.eval {NOT_LOADED}"]),
        ("a lazy object", b"\x80\x02clazy_object_proxy.utils\nidentity\n](K\x01K\x02e\x85R.", [1, 2], ["$: lazy object"]),
        *((f"a lazy object of {kind}", b"\x80\x02clazy_object_proxy.utils\nidentity\n" + pickle.dumps(value, 4)[:-1] + b"\x85R.", shown, ["$: lazy object", note]) for kind, value, shown, note in (
            ("a tuple", (1, 2), [1, 2], "$: tuple"), ("a date", datetime.date(2024, 1, 2), "2024-01-02", "$: date"), ("bytes", b"\xff", _bytes(b"\xff"), "$: bytes"), ("a set", {5}, [5], "$: set"), ("an object", Point(1), {"$class": f"{Point.__module__}.Point", "args": [], "state": {"x": 1}}, f"$: {Point.__module__}.Point {NOT_LOADED}"))),
        ("a chain of calls", b"\x80\x02c__builtin__\ngetattr\ncos\n_Environ\nX\x03\x00\x00\x00get\x86RX\x04\x00\x00\x00HOME\x85R.", {"$class": "pickle.call", "args": [{"$class": "builtins.getattr", "args": [{"$class": "os._Environ"}, "get"]}, "HOME"]}, [call, f"$.args[0]: builtins.getattr {NOT_LOADED}", f"$.args[0].args[0]: os._Environ {NOT_LOADED}"]),
        ("a state by BUILD", b"\x80\x02cmy.mod\nThing\n)\x81}X\x01\x00\x00\x00ac__builtin__\neval\nsb.", {"$class": "my.mod.Thing", "args": [], "state": {"a": {"$class": "builtins.eval"}}}, [f"$: my.mod.Thing {NOT_LOADED}", f"$.state.a: builtins.eval {NOT_LOADED}"]),
        ("a dotted name by STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x0csystem.x.y.z\x93.", {"$class": "os.system.x.y.z"}, [f"$: os.system.x.y.z {NOT_LOADED}"]),
        ("an extension code", b"\x80\x02\x82\x07.", {"$class": "pickle.extension", "args": [7]}, [f"$: pickle.extension {NOT_LOADED}"]),
        ("an extension code of four bytes that is called", b"\x80\x02\x84\x01\x00\x01\x00K\x01\x85R.", {"$class": "pickle.call", "args": [{"$class": "pickle.extension", "args": [65537]}, 1]}, [call, f"$.args[0]: pickle.extension {NOT_LOADED}"]),
        ("a persistent id of text", b"Pdb:1\n.", {"$class": "pickle.persistent_id", "args": ["db:1"]}, [persistent]),
        ("a persistent id of bytes", b"\x80\x02K\x05Q.", {"$class": "pickle.persistent_id", "args": [5]}, [persistent]),
        ("a buffer kept elsewhere", b"\x80\x05\x97\x98.", {"$class": "pickle.buffer", "args": []}, [f"$: pickle.buffer {NOT_LOADED}"]),
        ("a datetime of nonsense", b"\x80\x04\x8c\x08datetime\x8c\x08datetime\x93C\x0a\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x85R.", {"$class": "datetime.datetime", "args": [_bytes(b"\0\0" + b"\xff" * 8)]}, [f"$: datetime.datetime {NOT_LOADED}", "$.args[0]: bytes"]),
        ("a Decimal of a list", b"\x80\x02cdecimal\nDecimal\n]\x85R.", {"$class": "decimal.Decimal", "args": [[]]}, [f"$: decimal.Decimal {NOT_LOADED}"]),
        ("strings of Python 2", b"\x80\x02]q\x00(U\x03abcU\x02\xc3\xa9U\x01\xffe.", ["abc", "é", _bytes(b"\xff")], ["$[2]: bytes"]),
        ("an integer in text, protocol 0", b"L12345678901234567890L\n.", 12345678901234567890, []),
        ("a float in text, protocol 0", b"F1.5\n.", 1.5, []),
        ("DUP and POP", b"\x80\x02](K\x01K\x022K\x030e.", [1, 2, 2], []),
        ("a frame whose length is wrong", b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00K\x05.", 5, []),
        ("bytes after the end", b"\x80\x02K\x05.rest", 5, ["$: 4 bytes after the pickle"]),
    ]
    return [(f"pickle: {name}", data, ("pickle", value, notes)) for name, data, value, notes in shown]


def _damaged() -> list[Vector]:
    whole = pickle.dumps({"a": [1, "two", 3.0], "b": (4, b"five")}, 4)
    broken: list[tuple[str, bytes, int]] = [
        *((f"the first {end} bytes of {len(whole)}", whole[:end], at) for end, at in ((1, 0), (2, 2), (5, 2), (11, 11), (14, 14), (16, 14), (17, 17), (30, 29), (len(whole) - 1, len(whole) - 1))),
        ("protocol 9", b"\x80\x09K\x01.", 0),
        ("an unknown opcode", b"\x80\x02K\x01\xff.", 4),
        ("a stack with nothing on it", b"\x80\x02.", 2),
        ("a tuple of nothing", b"\x80\x02\x85.", 2),
        ("a mark that is missing", b"\x80\x02K\x01e.", 4),
        ("a memo that is missing", b"\x80\x02h\x05.", 2),
        ("an append to a number", b"\x80\x02K\x01K\x02a.", 6),
        ("an item of a list by name", b"\x80\x02]K\x01K\x02s.", 7),
        ("an odd number of items", b"\x80\x02}(K\x01u.", 6),
        ("a string longer than the value", b"\x80\x04\x8c\x20abc.", 2),
        ("eight bytes of length", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fab.", 2),
        ("a name that is a number", b"\x80\x04K\x01K\x02\x93.", 6),
        ("arguments that are no tuple", b"\x80\x02cos\nsystem\nK\x01R.", 15),
        ("a state of a list", b"\x80\x02]}b.", 4),
        ("text that is no UTF-8", b"\x80\x04\x8c\x02\xff\xfe.", 2),
        ("more on the stack than the value", b"\x80\x02K\x01K\x02.", 6),
        ("a mark at the end", b"\x80\x02(.", 3),
        ("zeroes", b"\x80" + bytes(20), 2),
    ]
    zero = base64.b64encode(b"I1\nI2").decode("ascii")
    return [
        *((f"damaged pickle: {name}", data, ("opaque", _bytes(data), [f"$: damaged pickle at byte {at}"])) for name, data, at in broken),
        ("pickle of protocol 0: a float in text that is none", b"Fconstructor\n.", ("opaque", _bytes(b"Fconstructor\n."), ["$: neither pickle nor JSON; begins 46636f6e7374727563746f720a2e"])),
        ("damaged pickle: a float in text that is none", b"\x80\x02Fconstructor\n.", ("opaque", _bytes(b"\x80\x02Fconstructor\n."), ["$: damaged pickle at byte 2"])),
        ("damaged pickle of protocol 0", b"I1\nI2", ("opaque", {"$bytes": zero}, ["$: neither pickle nor JSON; begins 49310a4932"])),
        ("pickle of protocol 0 with another one after it", b"N.N.", ("opaque", _bytes(b"N.N."), ["$: neither pickle nor JSON; begins 4e2e4e2e"])),
        ("pickle of protocol 0 with bytes after it", b"I1\n.x", ("opaque", _bytes(b"I1\n.x"), ["$: neither pickle nor JSON; begins 49310a2e78"])),
    ]


def pickle_vectors() -> list[Vector]:
    """Name, stored bytes, and how they have to be shown."""
    return [*_plain(), *_times(), *_objects(), *_shared(), *_by_hand(), *_damaged()]
