"""Writes test/fixtures/xcom-reader/values.json: stored values, and how both decoders have to show them. Run by hand: python -m python.tests.make_xcom_vectors.

The shown values are written down here, not computed by a decoder. Pickles come from the real pickle module, serde's envelopes from Airflow 3.2.1 and 2.11.0.
A vector: name, column, data (base64, null for SQL NULL), layers, cut, want. Integers beyond 2^53-1 stand in `want` as {"$int": "digits"}.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from python.tests.xcom_vectors_of_pickles import pickle_vectors

TARGET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "fixtures", "xcom-reader", "values.json")
UTC_TUPLE = {"__classname__": "builtins.tuple", "__version__": 1, "__data__": ["UTC", "pendulum.tz.timezone.FixedTimezone", 1, True]}


def vector(name: str, stored: bytes | str | None, want: tuple[str, Any, list[str]], **more: Any) -> dict[str, Any]:
    """One vector; `more` is column, layers or cut where they are not bytes, auto and false."""
    encoding, value, notes = want
    data = stored.encode("utf-8", "surrogatepass") if isinstance(stored, str) else stored
    coded = None if data is None else base64.b64encode(data).decode("ascii")
    shown = {"encoding": encoding, "value": exact(value), "notes": notes}
    return {"name": name, "column": more.get("column", "bytes"), "data": coded, "layers": more.get("layers", "auto"), "cut": more.get("cut", False), "want": shown}


def exact(value: Any) -> Any:
    """Integers that a double cannot hold, as {"$int": "digits"}."""
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        return {"$int": str(value)}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return {key: exact(item) for key, item in value.items()} if isinstance(value, dict) else value


def json_vectors() -> list[dict[str, Any]]:
    """Values of binary columns that hold JSON."""
    return [
        vector("SQL NULL in a binary column", None, ("null", None, [])),
        vector("SQL NULL in a JSON column", None, ("null", None, []), column="json"),
        vector("SQL NULL that is marked as cut", None, ("null", None, []), cut=True),
        vector("JSON null", "null", ("json", None, [])),
        vector("true", "true", ("json", True, [])),
        vector("a number", "0.8125", ("json", 0.8125, [])),
        vector("a number with an exponent", "-1.5e-7", ("json", -1.5e-7, [])),
        vector("blanks around", " \n\t[1, 2]\r\n", ("json", [1, 2], [])),
        vector("an object", '{"auc": 0.91, "rows": 12, "tags": ["a", null, false], "empty": {}, "none": []}', ("json", {"auc": 0.91, "rows": 12, "tags": ["a", None, False], "empty": {}, "none": []}, [])),
        vector("text beyond ASCII", '{"größe": "naïve 日本 🎈", "escaped": "\\u00e9\\ud83c\\udf88"}', ("json", {"größe": "naïve 日本 🎈", "escaped": "é🎈"}, [])),
        vector("a surrogate without its pair", '"a\\ud800b"', ("json", "a\ud800b", [])),
        vector("a string stays a string in a binary column", '"2024-01-01"', ("json", "2024-01-01", [])),
        vector("JSON text in a string of a binary column stays a string", '"{\\"a\\": 1}"', ("json", '{"a": 1}', [])),
        vector("JSON text in a string of a binary column, two layers", '"{\\"a\\": 1}"', ("json", {"a": 1}, ["$: JSON inside a JSON string"]), layers=2),
        vector("a string that is no JSON, two layers", '"plain"', ("json", "plain", []), layers=2),
        vector("no layer of a binary column", '{"a": [1,  2]}', ("text", '{"a": [1,  2]}', []), layers=0),
        vector("one layer of a binary column", '"[1]"', ("json", "[1]", []), layers=1),
        vector("the last of equal names wins", '{"a": 1, "b": 2, "a": 3}', ("json", {"a": 3, "b": 2}, [])),
        vector("names that JavaScript's objects know", '{"__proto__": {"x": 1}, "constructor": 2, "toString": null}', ("json", {"__proto__": {"x": 1}, "constructor": 2, "toString": None}, [])),
        vector("the largest safe integer", "9007199254740991", ("json", 9007199254740991, [])),
        vector("an integer beyond it", '{"id": 9007199254740993, "n": [-9223372036854775809]}', ("json", {"id": 9007199254740993, "n": [-9223372036854775809]}, [])),
        vector("an integer of 60 digits", "1" + "0" * 58 + "7", ("json", 10**59 + 7, [])),
        vector("a whole number written as a float", "1e20", ("json", 1e20, [])),
        vector("NaN and the infinities", '{"x": NaN, "y": [Infinity, -Infinity]}', ("json", {"x": {"$float": "NaN"}, "y": [{"$float": "Infinity"}, {"$float": "-Infinity"}]}, ["$.x: NaN", "$.y[0]: Infinity", "$.y[1]: -Infinity"])),
        vector("NaN alone", "NaN", ("json", {"$float": "NaN"}, ["$: NaN"])),
        vector("a number beyond a double", "1e400", ("json", {"$float": "Infinity"}, ["$: Infinity"])),
        vector("the first twenty notes", json.dumps([float("nan")] * 25), ("json", [{"$float": "NaN"}] * 25, [f"$[{at}]: NaN" for at in range(20)])),
        vector("paths of unusual names", '{"a b": NaN, "": NaN, "a1_": NaN, "1a": NaN, "q\\"": NaN, "é": NaN, "\\n": NaN}', ("json", {name: {"$float": "NaN"} for name in ("a b", "", "a1_", "1a", 'q"', "é", "\n")}, ['$["a b"]: NaN', '$[""]: NaN', "$.a1_: NaN", '$["1a"]: NaN', '$["q\\""]: NaN', '$["é"]: NaN', '$["\\n"]: NaN'])),
        vector("400 levels", "[" * 400 + "]" * 400, ("json", json.loads("[" * 400 + "]" * 400), [])),
        vector("600 levels", "[" * 600 + "]" * 600, opaque("[" * 600 + "]" * 600, "$: nested deeper than 500")),
        vector("600 levels of objects", '{"a":' * 600 + "1" + "}" * 600, opaque('{"a":' * 600 + "1" + "}" * 600, "$: nested deeper than 500")),
        vector("5,000 levels", "[" * 5000 + "]" * 5000, opaque("[" * 5000 + "]" * 5000, "$: nested deeper than 500")),
    ]


def opaque(stored: bytes | str, note: str | None = None) -> tuple[str, Any, list[str]]:
    """What is shown of bytes that cannot be read."""
    data = stored.encode() if isinstance(stored, str) else stored
    return "opaque", {"$bytes": base64.b64encode(data).decode("ascii")}, [note or f"$: neither pickle nor JSON; begins {data[:16].hex()}"]


def damaged_vectors() -> list[dict[str, Any]]:
    """What is neither."""
    texts = {
        "JSON that ends early": '{"a": [1, 2', "plain text": "hello, world of text", "two values": "1 2", "a comment": "[1] // one", "a comma too many": "[1,]", "single quotes": "{'a': 1}", "a number with a leading zero": "01",
        "a number without digits after the dot": "1.", "a plus sign": "+1", "nan in small letters": "nan", "a line break in a string": '"a\nb"', "an unknown escape": '"\\x41"', "a name without quotes": "{a: 1}", "a byte order mark": "\ufeff1",
        "blanks only": "  ", "another kind of blank": "\u00a01", "repr of Python": "True", "digits of another script": "١",
    }
    return [
        *(vector(name, text, opaque(text)) for name, text in texts.items()),
        vector("bytes that are no UTF-8", b'"caf\xe9"', opaque(b'"caf\xe9"')),
        vector("binary", bytes(range(1, 40)), opaque(bytes(range(1, 40)))),
        vector("UTF-8 of a surrogate", b'"\xed\xa0\x80"', opaque(b'"\xed\xa0\x80"')),
        vector("no bytes at all", b"", ("opaque", {"$bytes": ""}, ["$: empty"])),
        vector("a value that was cut", '{"a": [1, 2', ("opaque", {"$bytes": base64.b64encode(b'{"a": [1, 2').decode()}, ["$: cut"]), cut=True),
        vector("a value that was cut and could be read", "12", ("opaque", {"$bytes": "MTI="}, ["$: cut"]), cut=True),
        vector("a JSON column that was cut", "[1, 2", ("opaque", {"$bytes": base64.b64encode(b"[1, 2").decode()}, ["$: cut"]), cut=True, column="json"),
        vector("a JSON column that holds none", "hello", opaque("hello"), column="json"),
        vector("a JSON column is never a pickle", "I1\n.", opaque("I1\n."), column="json"),
    ]


def column_vectors() -> list[dict[str, Any]]:
    """Values of JSON columns, and JSON inside JSON."""
    inside = "$: JSON inside a JSON string"

    def stored(name: str, text: str, want: tuple[str, Any, list[str]], layers: Any = "auto") -> dict[str, Any]:
        return vector(f"JSON column: {name}", text, want, column="json", layers=layers)

    def ambiguous(inner: str) -> list[str]:
        shown = inner if len(inner) <= 40 else inner[:40] + "…"
        return [f"$: ambiguous: the text {json.dumps(shown, ensure_ascii=False)} or the JSON value {shown}"]

    return [
        stored("an object", '{"a": 1}', ("json", {"a": 1}, [])),
        stored("a number", "12", ("json", 12, [])),
        stored("null", "null", ("json", None, [])),
        stored("a big integer", "[9007199254740993]", ("json", [9007199254740993], [])),
        stored("an object inside a string", json.dumps('{"a": [1, null]}'), ("json", {"a": [1, None]}, [inside])),
        stored("a list inside a string", json.dumps("[1, 2.5]"), ("json", [1, 2.5], [inside])),
        stored("an empty list inside a string", json.dumps(" [ ] "), ("json", [], [inside])),
        stored("NaN inside a string's object", json.dumps('{"x": NaN}'), ("json", {"x": {"$float": "NaN"}}, [inside, "$.x: NaN"])),
        stored("an envelope inside a string", json.dumps('{"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1]}'), ("json", [1], [inside, "$: tuple"])),
        stored("strings deeper inside are left alone", '{"a": "{\\"b\\": 1}"}', ("json", {"a": '{"b": 1}'}, [])),
        stored("three layers: two are read", json.dumps(json.dumps(json.dumps({"a": 1}))), ("text", json.dumps(json.dumps({"a": 1})), ambiguous(json.dumps(json.dumps({"a": 1}))))),
        stored("digits", '"123"', ("text", "123", ambiguous("123"))),
        stored("a float", '"1.50"', ("text", "1.50", ambiguous("1.50"))),
        stored("true", '"true"', ("text", "true", ambiguous("true"))),
        stored("null in a string", '"null"', ("text", "null", ambiguous("null"))),
        stored("NaN in a string", '"NaN"', ("text", "NaN", ambiguous("NaN"))),
        stored("a quoted string in a string", json.dumps('"abc"'), ("text", '"abc"', ambiguous('"abc"'))),
        stored("many digits", json.dumps("1234567890" * 5), ("text", "1234567890" * 5, ambiguous("1234567890" * 5))),
        stored("plain text", '"hello"', ("text", "hello", [])),
        stored("no text", '""', ("text", "", [])),
        stored("text that begins like JSON", '"{not json"', ("text", "{not json", [])),
        stored("no layer", '"{\\"a\\":  1}"', ("text", '"{\\"a\\":  1}"', []), 0),
        stored("no layer of an object", '{"a":  1}', ("text", '{"a":  1}', []), 0),
        vector("JSON column: no layer of what is no UTF-8", b'"\xff"', opaque(b'"\xff"'), column="json", layers=0),
        stored("one layer of a string", json.dumps('{"a": 1}'), ("text", '{"a": 1}', []), 1),
        stored("one layer of digits", '"123"', ("text", "123", []), 1),
        stored("one layer of an object", '{"a": {"__type": "set", "__var": [1]}}', ("json", {"a": [1]}, ["$.a: set"]), 1),
        stored("two layers of an object", json.dumps('{"a": 1}'), ("json", {"a": 1}, [inside]), 2),
        stored("two layers of digits", '"123"', ("json", 123, [inside]), 2),
        stored("two layers of a quoted string", json.dumps('"abc"'), ("json", "abc", [inside]), 2),
        stored("two layers of null", '"null"', ("json", None, [inside]), 2),
        stored("two layers of plain text", '"hello"', ("text", "hello", []), 2),
        stored("two layers where one is", "[1]", ("json", [1], []), 2),
        stored("600 levels inside a string", json.dumps("[" * 600 + "]" * 600), opaque(json.dumps("[" * 600 + "]" * 600), "$: nested deeper than 500")),
        stored("a URL of an object store", '"s3://bucket/xcom/d/r/t/5f.json.gz"', ("text", "s3://bucket/xcom/d/r/t/5f.json.gz", [])),
    ]


def envelope(name: str, data: Any, version: int = 1) -> dict[str, Any]:
    """A serde envelope."""
    return {"__classname__": name, "__version__": version, "__data__": data}


def zoned(seconds: float, zone: Any, name: str = "datetime.datetime") -> dict[str, Any]:
    """A datetime as serde version 2 writes it."""
    return envelope(name, {"timestamp": seconds, "tz": zone}, 2)


def envelope_vectors() -> list[dict[str, Any]]:
    """Serde's envelopes of Airflow 2.5 to 3.x, and the older `__type`, `__var`."""

    def shown(name: str, stored: Any, value: Any, *notes: str) -> dict[str, Any]:
        return vector(f"envelope: {name}", json.dumps(stored), ("json", value, list(notes)))

    def zone(*parts: Any) -> dict[str, Any]:
        return envelope("builtins.tuple", list(parts))

    frame = "pandas.core.frame.DataFrame"
    return [
        shown("tuple", envelope("builtins.tuple", [1, "a", envelope("builtins.tuple", [2])]), [1, "a", [2]], "$: tuple", "$[2]: tuple"),
        shown("set", {"a": envelope("builtins.set", [3])}, {"a": [3]}, "$.a: set"),
        shown("frozenset", envelope("builtins.frozenset", [4]), [4], "$: frozenset"),
        shown("datetime in UTC", zoned(1704067200.5, UTC_TUPLE), "2024-01-01T00:00:00.500000+00:00", "$: datetime (zone UTC)"),
        shown("datetime without a zone", zoned(1704110400.0, None), "2024-01-01T12:00:00+00:00", "$: datetime (no zone)"),
        shown("datetime in Paris", zoned(1719828000.0, zone("Europe/Paris", "zoneinfo.ZoneInfo", 1, True)), "2024-07-01T10:00:00+00:00", "$: datetime (zone Europe/Paris)"),
        shown("datetime with a zone that serde does not know", zoned(1719828000.0, zone("", "", 0, False)), "2024-07-01T10:00:00+00:00", "$: datetime (no zone)"),
        shown("datetime of version 1", envelope("datetime.datetime", {"timestamp": 0.0, "tz": "UTC"}, 1), "1970-01-01T00:00:00+00:00", "$: datetime (zone UTC)"),
        shown("datetime whose zone is a list", zoned(-1.0, ["UTC", "pendulum.tz.timezone.Timezone", 1, True]), "1969-12-31T23:59:59+00:00", "$: datetime (zone UTC)"),
        shown("pendulum's datetime", zoned(1704078245.123456, zone("Europe/Paris", "pendulum.tz.timezone.Timezone", 1, True), "pendulum.datetime.DateTime"), "2024-01-01T03:04:05.123456+00:00", "$: datetime (zone Europe/Paris)"),
        shown("pendulum's datetime with an offset", zoned(1704060000.0, zone(7200, "pendulum.tz.timezone.FixedTimezone", 1, True), "pendulum.datetime.DateTime"), "2023-12-31T22:00:00+00:00", "$: datetime (zone +02:00)"),
        shown("datetime beyond the calendar", zoned(1e18, None), {"$class": "datetime.datetime", "$version": 2, "data": {"timestamp": 1e18, "tz": None}}, "$: datetime.datetime"),
        shown("a datetime beyond year 9999", zoned(1e12, None), {"$class": "datetime.datetime", "$version": 2, "data": {"timestamp": 1e12, "tz": None}}, "$: datetime.datetime"),
        shown("a datetime before year 1", zoned(-1e11, None), {"$class": "datetime.datetime", "$version": 2, "data": {"timestamp": -1e11, "tz": None}}, "$: datetime.datetime"),
        shown("the last second of year 9999", zoned(253402300799.0, None), "9999-12-31T23:59:59+00:00", "$: datetime (no zone)"),
        shown("datetime that is none", envelope("datetime.datetime", "soon", 2), {"$class": "datetime.datetime", "$version": 2, "data": "soon"}, "$: datetime.datetime"),
        shown("date", envelope("datetime.date", "2024-02-29", 2), "2024-02-29", "$: date"),
        shown("pendulum's date", envelope("pendulum.date.Date", "2024-02-29", 2), "2024-02-29", "$: date"),
        shown("timedelta", envelope("datetime.timedelta", 3600.005, 2), 3600.005, "$: timedelta in seconds"),
        shown("Decimal", [envelope("decimal.Decimal", 12.5), envelope("decimal.Decimal", 12)], ["12.5", "12"], "$[0]: Decimal", "$[1]: Decimal"),
        shown("a big Decimal", envelope("decimal.Decimal", 10**30), "1" + "0" * 30, "$: Decimal"),
        shown("UUID", envelope("uuid.UUID", "00000000-0000-0000-0000-000000000005"), "00000000-0000-0000-0000-000000000005", "$: UUID"),
        shown("zones", [envelope("pendulum.tz.timezone.Timezone", "Europe/Paris"), envelope("pendulum.tz.timezone.FixedTimezone", 19800), envelope("pendulum.tz.timezone.FixedTimezone", -12600), envelope("zoneinfo.ZoneInfo", "UTC")], ["Europe/Paris", "+05:30", "-03:30", "UTC"], "$[0]: timezone", "$[1]: timezone", "$[2]: timezone", "$[3]: timezone"),
        shown("numpy's scalars", {"n": envelope("numpy.int64", 7), "x": envelope("numpy.float32", 0.25), "b": envelope("numpy.bool_", True)}, {"n": 7, "x": 0.25, "b": True}, "$.n: numpy.int64", "$.x: numpy.float32", "$.b: numpy.bool_"),
        vector("envelope: numpy's NaN", '{"__classname__": "numpy.float64", "__version__": 1, "__data__": NaN}', ("json", {"$float": "NaN"}, ["$: numpy.float64", "$: NaN"])),
        shown("numpy's array", envelope("numpy.ndarray", [[1, 2], [3, 4]]), {"$class": "numpy.ndarray", "$version": 1, "data": [[1, 2], [3, 4]]}, "$: numpy.ndarray"),
        shown("DataFrame", envelope(frame, "504152310a0b"), {"$class": frame, "$version": 1, "$bytes": 6}, "$: typed placeholder"),
        shown("DataFrame in base64", envelope("polars.dataframe.frame.DataFrame", "UEFSMQo="), {"$class": "polars.dataframe.frame.DataFrame", "$version": 1, "$bytes": 5}, "$: typed placeholder"),
        shown("Delta table", envelope("deltalake.table.DeltaTable", {"table_uri": "s3://t", "version": 3}), {"$class": "deltalake.table.DeltaTable", "$version": 1, "data": {"table_uri": "s3://t", "version": 3}}, "$: deltalake.table.DeltaTable"),
        shown("a class of a project", envelope("my.models.Point", {"x": 1, "y": envelope("datetime.date", "2024-01-01", 2)}, 0), {"$class": "my.models.Point", "$version": 0, "data": {"x": 1, "y": "2024-01-01"}}, "$: my.models.Point", "$.data.y: date"),
        shown("with an id", {**envelope("my.models.Point", None), "__id__": "abc"}, {"$class": "my.models.Point", "$version": 1, "data": None}, "$: my.models.Point"),
        shown("a tuple that is none", envelope("builtins.tuple", "ab"), {"$class": "builtins.tuple", "$version": 1, "data": "ab"}, "$: builtins.tuple"),
        shown("an object with more names is none", {**envelope("builtins.tuple", [1]), "more": 1}, {**envelope("builtins.tuple", [1]), "more": 1}),
        shown("a version that is no integer", envelope("builtins.tuple", [1], "1"), envelope("builtins.tuple", [1], "1")),  # type: ignore[arg-type]
        shown("without data", {"__classname__": "a.B", "__version__": 1}, {"__classname__": "a.B", "__version__": 1}),
        shown("deep", {"a": [{"b": envelope("builtins.tuple", [1, envelope("datetime.timedelta", 86400.0, 2)])}]}, {"a": [{"b": [1, 86400]}]}, "$.a[0].b: tuple", "$.a[0].b[1]: timedelta in seconds"),
        shown("old: dict", {"__type": "dict", "__var": {"a": {"__type": "tuple", "__var": [1, 2]}}}, {"a": [1, 2]}, "$.a: tuple"),
        shown("old: set", {"__type": "set", "__var": [1]}, [1], "$: set"),
        shown("old: datetime", {"__type": "datetime", "__var": 1704067200.25}, "2024-01-01T00:00:00.250000+00:00", "$: datetime (zone UTC)"),
        shown("old: datetime beyond year 9999", {"__type": "datetime", "__var": 1e12}, {"$class": "datetime", "data": 1e12}, "$: datetime"),
        shown("old: timedelta", {"__type": "timedelta", "__var": 90.5}, 90.5, "$: timedelta in seconds"),
        shown("old: others", {"__type": "relativedelta", "__var": {"days": 1}}, {"$class": "relativedelta", "data": {"days": 1}}, "$: relativedelta"),
        shown("old: more names are none", {"__type": "set", "__var": [1], "x": 1}, {"__type": "set", "__var": [1], "x": 1}),
        shown("classes with names that JavaScript's objects know", [envelope("constructor", [1]), envelope("__proto__", {"toString": 2}), {"__type": "toString", "__var": "x"}], [{"$class": "constructor", "$version": 1, "data": [1]}, {"$class": "__proto__", "$version": 1, "data": {"toString": 2}}, {"$class": "toString", "data": "x"}], "$[0]: constructor", "$[1]: __proto__", "$[2]: toString"),
        shown("names that JavaScript's objects know, beside one", {"__proto__": envelope("builtins.tuple", [1]), "constructor": {"toString": envelope("builtins.set", [2])}}, {"__proto__": [1], "constructor": {"toString": [2]}}, "$.__proto__: tuple", "$.constructor.toString: set"),
        shown("names of ours are data", {"$class": "a.B", "$bytes": "!"}, {"$class": "a.B", "$bytes": "!"}),
    ]


def make() -> list[dict[str, Any]]:
    """Every vector."""
    return [*json_vectors(), *damaged_vectors(), *column_vectors(), *envelope_vectors(), *(vector(name, data, want) for name, data, want in pickle_vectors())]


def render() -> str:
    """The text of the file: one vector a line."""
    return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in make()) + "\n]\n"


if __name__ == "__main__":
    with open(TARGET, "w", encoding="ascii") as file:
        file.write(render())
