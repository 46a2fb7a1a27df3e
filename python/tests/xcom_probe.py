"""Runs the XCom probe as a reader does, in a process of its own, for tests; and SQLite databases of each schema generation."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
PROBE = os.path.join(ROOT, "python", "leoflow", "xcom_reader", "probe.py")
FIXTURES = os.path.join(ROOT, "test", "fixtures", "xcom-reader")
SCHEMAS = ("1.10", "2.0", "2.3", "3.0")
BOOT = 'import sys;exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),"probe","exec"))'
SENTINEL = "0123456789abcdef" * 2


@dataclass
class Asked:
    """What came of a question: the reply, what stood around the frame, and how the probe ended."""

    reply: dict[str, Any]
    code: int
    stdout: bytes
    stderr: str
    sentinel: str

    @property
    def told(self) -> str:
        """Everything that left the probe."""
        return json.dumps(self.reply) + self.stdout.decode("utf-8", "replace") + self.stderr


def read_probe() -> str:
    """The probe's text."""
    with open(PROBE, encoding="utf-8") as file:
        return file.read()


def request(**changes: Any) -> dict[str, Any]:
    """A question for every return value of the DAG `train`."""
    asked = {"protocol": 1, "sentinel": SENTINEL, "question": "values", "dag_id": "train", "runs": {"run_id": "%", "state": None, "limit": 20}, "task_id": "%", "key": "return!_value",
             "map_index": None, "limit": 20, "max_bytes": 1000, "resolve": False, "statement_timeout_ms": 5000, "url_variable": "XCOM_TEST_CONNECTION"}
    return {**asked, **changes}


def ask(question: Any, url: str | None = None, **how: Any) -> Asked:
    """Sends program and question, acknowledges the frame. `how`: source, python, env, acknowledge (text or None for end of input), boot."""
    source = how.get("source", read_probe()).encode()
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", **({} if url is None else {"XCOM_TEST_CONNECTION": url}), **how.get("env", {})}
    line = question if isinstance(question, bytes) else json.dumps(question).encode() + b"\n"
    command = [how.get("python", sys.executable), "-u", "-c", how.get("boot", BOOT), str(len(source))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as child:
        assert child.stdin and child.stdout and child.stderr
        child.stdin.write(source + line)
        child.stdin.flush()
        noise = b""
        while True:
            header = child.stdout.readline()
            if header == b"" or header.startswith(b"LEOFLOW-XCOM/1 "):
                break
            noise += header
        if header == b"":
            raise AssertionError(f"no frame; standard error: {child.stderr.read().decode()}")
        _, sentinel, size, digest = header.decode().split()
        payload = child.stdout.read(int(size))
        assert hashlib.sha256(payload).hexdigest() == digest and payload.isascii()
        assert sentinel in (SENTINEL, "0" * 32)
        acknowledge = how.get("acknowledge", f"ACK {digest}\n")
        child.stdin.write(b"" if acknowledge is None else acknowledge.encode())
        child.stdin.close()
        rest = child.stdout.read()
        assert rest == b"\n", rest
        return Asked(json.loads(payload), child.wait(60), noise, child.stderr.read().decode(), sentinel)


def schema_of_sqlite(schema: str) -> str:
    """The fixture of a generation in SQLite's words; moments as Airflow stores them there, without a zone."""
    with open(os.path.join(FIXTURES, f"schema-{schema}.sql"), encoding="utf-8") as file:
        text = file.read()
    for ours, theirs in (("BYTEA", "BLOB"), ("JSONB", "JSON"), ("SERIAL PRIMARY", "INTEGER PRIMARY"), ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"), (".000000+00:00'", ".000000'")):
        text = text.replace(ours, theirs)
    return re.sub(r"'\\x([0-9a-f]*)'", r"X'\1'", text)


def make_sqlite(path: str, schema: str) -> str:
    """A database of a generation. @returns its URL"""
    with sqlite3.connect(path) as connection:
        connection.executescript(schema_of_sqlite(schema))
    connection.close()
    return "sqlite:///" + path
