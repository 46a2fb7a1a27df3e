"""Log lines, XCom text, params, and the refusals of the shim."""

from __future__ import annotations

import enum
import json
import logging
import os
import sys
import tempfile
import unittest
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from leoflow.dagmodel.errors import ParamValidationError, UnsupportedImport, XComUnserializable
from leoflow.dagmodel.params import Param, ParamsDict
from leoflow.run import logs
from leoflow.run.values import decode, encode
from leoflow.shim.finder import install


class LogsTest(unittest.TestCase):
    """What a task prints and logs."""

    def setUp(self) -> None:
        self.file = tempfile.NamedTemporaryFile(delete=False)
        self.addCleanup(os.unlink, self.file.name)
        root = logging.getLogger()
        self.addCleanup(setattr, sys, "stdout", sys.stdout)
        self.addCleanup(setattr, sys, "stderr", sys.stderr)
        self.addCleanup(root.handlers.__setitem__, slice(None), root.handlers[:])
        self.addCleanup(root.setLevel, root.level)
        self.addCleanup(setattr, logs, "_fd", None)
        self.addCleanup(logging.captureWarnings, False)
        logs.install(os.open(self.file.name, os.O_WRONLY | os.O_APPEND))

    def lines(self) -> list[dict[str, Any]]:
        with open(self.file.name, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def test_print_becomes_one_line_each(self) -> None:
        print("one\ntwo")
        print("rest", end="")
        print("err", file=sys.stderr)
        logs.flush()
        self.assertEqual([(x["logger"], x["level"], x["event"]) for x in self.lines()], [
            ("task.stdout", "info", "one"), ("task.stdout", "info", "two"), ("task.stderr", "error", "err"), ("task.stdout", "info", "rest"),
        ])
        self.assertRegex(self.lines()[0]["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")

    def test_records_carry_their_place_and_exception(self) -> None:
        try:
            try:
                raise ValueError("inner")
            except ValueError as error:
                raise KeyError("outer") from error
        except KeyError:
            logging.getLogger("mine").exception("it %s", "broke")
        (line,) = self.lines()
        self.assertEqual((line["logger"], line["level"], line["event"], line["filename"]), ("mine", "error", "it broke", os.path.basename(__file__)))
        self.assertEqual([(d["exc_type"], d["is_cause"]) for d in line["error_detail"]], [("KeyError", False), ("ValueError", True)])
        self.assertEqual(line["error_detail"][0]["frames"][0]["name"], "test_records_carry_their_place_and_exception")

    def test_long_lines_are_cut_between_characters(self) -> None:
        print("é" * 100_000)
        with open(self.file.name, "rb") as file:
            data = file.read()
        self.assertLessEqual(len(data), logs.MAX_LINE_BYTES)
        self.assertIn("bytes dropped", self.lines()[0]["event"])

    def test_odd_text_is_still_a_line(self) -> None:
        print("\udcff \x00")
        logging.getLogger().info("%d", "no number")
        self.assertEqual(len(self.lines()), 2)


class Color(enum.Enum):
    """A value that is written as what it holds."""

    RED = "red"


class Spot(NamedTuple):
    """A tuple with names."""

    x: int


class ValuesTest(unittest.TestCase):
    """XComs as JSON text."""

    def test_plain_values_are_plain_json(self) -> None:
        for value in (None, True, 1, 1.5, "é", [1, {"a": [None]}], {}):
            self.assertEqual(json.loads(encode(value)), value)
            self.assertEqual(decode(encode(value)), value)
        self.assertEqual(encode(float("nan")), "NaN")

    def test_envelopes_round_trip(self) -> None:
        values = [
            (1, (2,)), {1, 2}, frozenset({3}), datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2026, 1, 1, 5),
            datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), date(2026, 1, 2), timedelta(seconds=1.5), Decimal("1.25"), UUID(int=5),
        ]
        self.assertEqual(decode(encode(values)), values)
        self.assertEqual(decode(encode({"deep": [{"t": (1,)}]})), {"deep": [{"t": (1,)}]})

    def test_what_changes_its_type(self) -> None:
        self.assertEqual(decode(encode(Color.RED)), "red")
        self.assertEqual(decode(encode(Spot(1))), (1,))
        self.assertEqual(decode(encode({1: 2})), {"1": 2})

    def test_refusals_name_the_place(self) -> None:
        with self.assertRaisesRegex(XComUnserializable, r"builtins\.bytes \(at \['a'\]\[1\]\)"):
            encode({"a": [1, b"x"]})
        endless: list[Any] = []
        endless.append(endless)
        with self.assertRaisesRegex(XComUnserializable, "nested deeper"):
            encode(endless)
        with self.assertRaisesRegex(TypeError, "does not import"):
            decode('{"__classname__":"nowhere.Thing","__version__":1,"__data__":{}}')


class ParamsTest(unittest.TestCase):
    """Params and their schemas."""

    def test_overrides_and_faults(self) -> None:
        params = ParamsDict({"n": Param(1, type="integer", minimum=1), "s": Param(type=["string", "null"], pattern="^a")})
        self.assertEqual(params.validate({"s": "ab", "more": 2}), {"n": 1, "s": "ab", "more": 2})
        self.assertEqual(params.validate({"s": None})["s"], None)
        for bad in ({"s": "b"}, {"n": 0, "s": "a"}, {"n": "x", "s": "a"}, {"n": True, "s": "a"}, {}):
            with self.assertRaises(ParamValidationError):
                params.validate(bad)

    def test_schema_keywords(self) -> None:
        for value, schema in (
            ([1, "a"], {"items": {"type": "integer"}}), ({}, {"required": ["a"]}), ({"a": 1}, {"properties": {"a": {"const": 2}}}),
            ("x", {"enum": ["y"]}), ("2026-13-01", {"format": "date"}), ([1, 1], {"uniqueItems": True}), (3, {"anyOf": [{"type": "string"}]}),
        ):
            with self.assertRaises(ParamValidationError):
                Param(value, **schema).resolve()


class ShimTest(unittest.TestCase):
    """The import names."""

    def test_every_name_of_the_table_is_there(self) -> None:
        import importlib

        from leoflow.shim.names import MODULES

        install()
        for module, names in MODULES.items():
            loaded = importlib.import_module(module)
            for name in names:
                self.assertIsNotNone(getattr(loaded, name), f"{module}.{name}")

    def test_refusal_says_where(self) -> None:
        install()
        with self.assertRaises(UnsupportedImport) as caught:
            from airflow.operators.python import ExternalPythonOperator  # noqa: F401
        self.assertEqual(caught.exception.file, __file__)
        self.assertEqual(caught.exception.import_name, "airflow.operators.python.ExternalPythonOperator")
        with self.assertRaises(ImportError):
            import airflow.providers.google  # noqa: F401


if __name__ == "__main__":
    unittest.main()
