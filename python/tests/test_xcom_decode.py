"""The decoder of stored XCom values: the vectors that the TypeScript decoder reads as well, and what is too large for a file."""

from __future__ import annotations

import base64
import json
import os
import pickle
import time
import unittest
from typing import Any

from leoflow.xcom_reader.decode import decode
from python.tests import make_xcom_vectors


def _plain(value: Any) -> Any:
    """The other way round of make_xcom_vectors.exact."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return int(value["$int"]) if list(value) == ["$int"] else {key: _plain(item) for key, item in value.items()}
    return value


class Touch:
    """Pickles to a call of a program."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


class DecodeTest(unittest.TestCase):
    def test_vectors(self) -> None:
        with open(make_xcom_vectors.TARGET, encoding="ascii") as file:
            vectors = json.load(file)
        self.assertGreater(len(vectors), 300)
        self.assertEqual(len(vectors), len({vector["name"] for vector in vectors}))
        for vector in vectors:
            data = None if vector["data"] is None else base64.b64decode(vector["data"])
            with self.subTest(vector["name"]):
                want = {**vector["want"], "value": _plain(vector["want"]["value"])}
                got = decode(vector["column"], data, vector["layers"], vector["cut"])
                self.assertEqual(got, want)

    def test_the_file_of_vectors_is_what_the_script_makes(self) -> None:
        with open(make_xcom_vectors.TARGET, encoding="ascii") as file:
            kept = json.load(file)
        made = json.loads(make_xcom_vectors.render())
        self.assertEqual([(vector["name"], vector["want"]) for vector in kept], [(vector["name"], vector["want"]) for vector in made], "run python -m python.tests.make_xcom_vectors")

    def test_five_megabytes(self) -> None:
        rows = [{"id": at, "text": "x" * 40, "score": at / 7} for at in range(60_000)]
        stored = json.dumps(rows).encode()
        self.assertGreater(len(stored), 5_000_000)
        self.assertEqual(decode("bytes", stored), {"encoding": "json", "value": rows, "notes": []})
        text = "y" * 5_000_000
        self.assertEqual(decode("bytes", pickle.dumps([text, text])), {"encoding": "pickle", "value": [text, text], "notes": []})

    def test_a_million_opcodes_and_no_more(self) -> None:
        few, many = (b"\x80\x02](" + b"K\x01" * count + b"e." for count in (999_900, 1_000_000))
        self.assertEqual(decode("bytes", few)["encoding"], "pickle")
        self.assertEqual(decode("bytes", many)["notes"], ["$: more than 1000000 opcodes"])

    def test_a_bomb_costs_little(self) -> None:
        bomb: Any = ["x" * 1000]
        for _ in range(40):
            bomb = [bomb, bomb]
        started = time.process_time()
        self.assertEqual(decode("bytes", pickle.dumps(bomb))["notes"], ["$: larger than 64 MB when written out"])
        self.assertLess(time.process_time() - started, 20)

    def test_nothing_is_run(self) -> None:
        path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f"leoflow-pickle-{os.getpid()}")
        for protocol in range(6):
            stored = pickle.dumps(Touch(path), protocol)
            self.assertEqual(decode("bytes", stored)["value"], {"$class": "posix.system", "args": [f"touch {path}"]})
        self.assertFalse(os.path.exists(path))

    def test_any_cut_of_any_pickle_is_told_and_nothing_is_raised(self) -> None:
        whole = pickle.dumps({"a": [1, "two", 3.0, {4}], "b": (5, b"six")}, 4)
        for end in range(1, len(whole)):
            self.assertEqual(decode("bytes", whole[:end])["encoding"], "opaque", end)
        for at in range(len(whole)):
            for byte in (0, 0x28, 0x52, 0x62, 0x93, 0xFF):
                self.assertIn(decode("bytes", whole[:at] + bytes([byte]) + whole[at + 1:])["encoding"], ("pickle", "opaque", "json"))

    def test_integers_with_too_many_digits(self) -> None:
        for stored in (b"1" * 5000, pickle.dumps(10**5000)):
            self.assertEqual(decode("bytes", stored)["notes"], ["$: an integer of more than 4300 digits"])
        self.assertEqual(decode("bytes", b"1" * 4300)["encoding"], "json")


if __name__ == "__main__":
    unittest.main()
