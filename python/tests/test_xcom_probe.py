"""The XCom probe against SQLite databases of each schema generation: answers, frames, settings, hints, and what it never does."""

from __future__ import annotations

import ast
import base64
import bz2
import glob
import gzip
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from typing import Any

from python.tests.xcom_probe import PROBE, SCHEMAS, SENTINEL, Asked, ask, make_sqlite, read_probe, request

NEWEST = "running__2024-01-04"
SECOND = "scheduled__2024-01-02T00:00:00+00:00"


def interpreters() -> list[str]:
    """Pythons from 3.6 on that this machine has on its path and that start."""
    found = [sys.executable]
    for minor in range(6, 20):
        path = shutil.which(f"python3.{minor}")
        if path is not None and subprocess.run([path, "-c", "import sqlite3"], capture_output=True, timeout=20).returncode == 0:
            found.append(path)
    return found


def values(asked: Asked) -> dict[tuple[str, str, int, str], str | None]:
    """Rows by their place."""
    return {(row["run_id"], row["task_id"], row["map_index"], row["key"]): None if row["data"] is None else base64.b64decode(row["data"]).decode() for row in asked.reply["rows"]}


class ProbeTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)

    def database(self, schema: str) -> str:
        return make_sqlite(os.path.join(self.folder, f"airflow-{schema}.db"), schema)

    def sizes(self) -> dict[str, bytes]:
        kept = {}
        for path in sorted(glob.glob(os.path.join(self.folder, "*"))):
            with open(path, "rb") as file:
                kept[path] = hashlib.sha256(file.read()).digest()
        return kept


class AnswersTest(ProbeTest):
    def test_each_generation(self) -> None:
        for schema in SCHEMAS:
            with self.subTest(schema):
                url = self.database(schema)
                before = self.sizes()
                asked = ask(request(), url)
                self.assertEqual((asked.code, asked.stderr, asked.reply["kind"]), (0, "", "answer"), asked.reply)
                self.assertEqual((asked.reply["schema"], asked.reply["dialect"], asked.reply["connection_from"], asked.reply["truncated"], asked.reply["hints"]), (schema, "sqlite", "XCOM_TEST_CONNECTION", False, None))
                found = values(asked)
                self.assertEqual(found[(SECOND, "fit", -1, "return_value")], '{"auc": 0.91, "n": 9007199254740993}')
                self.assertEqual(found[(SECOND, "fit_all", -1, "return_value")], '"grüße 🎈"')
                self.assertIsNone(found[("manual__2024-01-03", "fit", -1, "return_value")])
                self.assertEqual(("scheduled__2024-01-01T00:00:00+00:00", "score", 1, "return_value") in found, schema in ("2.3", "3.0"))
                self.assertEqual([run["run_id"] for run in asked.reply["runs"]], [NEWEST, "manual__2024-01-03", SECOND, "scheduled__2024-01-01T00:00:00+00:00"], "runs without a row come as well, newest first")
                self.assertEqual({row["column"] for row in asked.reply["rows"]}, {"json" if schema == "3.0" else "bytes"})
                self.assertEqual(self.sizes(), before)

    def test_runs(self) -> None:
        for schema in SCHEMAS:
            asked = ask(request(question="runs", runs={"run_id": "%", "state": None, "limit": 2}), self.database(schema))
            first, second = asked.reply["runs"]
            self.assertEqual((asked.reply["rows"], asked.reply["truncated"], asked.reply["hints"]), ([], True, None))
            self.assertEqual({**first, "run_after": None}, {"run_id": NEWEST, "state": "running", "run_type": None if schema == "1.10" else "manual", "logical_date": "2024-01-04T00:00:00+00:00", "run_after": None, "start_date": "2024-01-04T01:00:00+00:00", "end_date": None})
            self.assertEqual((second["logical_date"], second["run_after"]), (None, "2024-01-03T00:00:00+00:00") if schema == "3.0" else ("2024-01-03T00:00:00+00:00", None))

    def test_what_matches(self) -> None:
        url = self.database("2.3")
        for changes, count in (
            ({"task_id": "fit"}, 3), ({"task_id": "fit%"}, 4), ({"task_id": "FIT"}, 0), ({"task_id": "f_t"}, 3), ({"task_id": "fit!_all"}, 1), ({"key": "%"}, 9), ({"map_index": [0, 0]}, 2), ({"map_index": [1, 9]}, 1), ({"map_index": [-1, -1]}, 4),
            ({"runs": {"run_id": "%", "state": "failed", "limit": 20}}, 1), ({"runs": {"run_id": "%", "state": "fail%", "limit": 20}}, 0), ({"runs": {"run_id": "%", "state": None, "limit": 1}}, 0), ({"runs": {"run_id": "scheduled!_!_%", "state": None, "limit": 1}}, 3),
            ({"dag_id": "other", "key": "100!%!_!!done"}, 1), ({"dag_id": "%"}, 0),
        ):
            with self.subTest(changes):
                self.assertEqual(len(ask(request(**changes), url).reply["rows"]), count)

    def test_limits(self) -> None:
        url = self.database("2.3")
        limited = ask(request(limit=2, key="%"), url).reply
        self.assertEqual((len(limited["rows"]), limited["truncated"]), (2, True))
        whole = ask(request(limit=9, key="%"), url).reply
        self.assertEqual((len(whole["rows"]), whole["truncated"]), (9, False))
        cut = ask(request(max_bytes=4, task_id="fit", runs={"run_id": SECOND.replace("_", "!_"), "state": None, "limit": 1}), url).reply["rows"][0]
        self.assertEqual((base64.b64decode(cut["data"]), cut["bytes"]), (b'{"au', 36))
        keys = ask(request(question="keys"), url).reply["rows"]
        self.assertEqual(({row["data"] for row in keys}, [row["bytes"] for row in keys]), ({None}, [None, 36, 14, 4, 12, 6, 3]))

    def test_a_giant_answer_is_cut(self) -> None:
        url = self.database("2.3")
        for budget, rows in ((1100, 1), (1, 1), (1300, 2), (100_000, 7)):
            source = read_probe().replace("BUDGET_BYTES = 16 * 1024 * 1024", f"BUDGET_BYTES = {budget}")
            self.assertTrue(f"BUDGET_BYTES = {budget}\n" in source)
            reply = ask(request(), url, source=source).reply
            self.assertEqual((len(reply["rows"]), reply["truncated"], reply["hints"]), (rows, rows < 7, None), budget)

    def test_a_frame_of_many_pieces(self) -> None:
        for pieces in (1, 700, 10_000_000):
            source = read_probe().replace("PIECE_BYTES = 64 * 1024", f"PIECE_BYTES = {pieces}")
            self.assertEqual(len(ask(request(), self.database("3.0"), source=source).reply["rows"]), 7)
            os.remove(os.path.join(self.folder, "airflow-3.0.db"))

    def test_statements_are_told_without_values(self) -> None:
        reply = ask(request(task_id="fit"), self.database("3.0")).reply
        self.assertEqual([text.split()[0] for text in reply["statements"]], ["PRAGMA", "PRAGMA", "SELECT", "SELECT"])
        self.assertNotIn("fit", "".join(reply["statements"]))

    def test_the_schema_is_told_by_its_columns(self) -> None:
        path = os.path.join(self.folder, "else.db")
        for script in ("CREATE TABLE orders (id INTEGER)", "CREATE TABLE xcom (a INTEGER); CREATE TABLE dag_run (b INTEGER)"):
            subprocess.run([sys.executable, "-c", "import sqlite3,sys;sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])", path, script], check=True)
            self.assertEqual(ask(request(), "sqlite:///" + path).reply["failure"], "schema_unknown")


class HintsTest(ProbeTest):
    def hints(self, schema: str, **changes: Any) -> Any:
        reply = ask(request(**changes), self.database(schema)).reply
        self.assertEqual(reply["rows"], [])
        os.remove(os.path.join(self.folder, f"airflow-{schema}.db"))
        return reply["hints"]

    def test_in_each_generation(self) -> None:
        for schema in SCHEMAS:
            with self.subTest(schema):
                unknown = self.hints(schema, dag_id="trainn")
                self.assertEqual((unknown["dag_known"], unknown["dags"][:2], unknown["recent_runs"]), (False, ["train", "trial"], []))
                self.assertEqual((self.hints(schema, dag_id="trial")["dag_known"], self.hints(schema, dag_id="trial")["dags"]), (True, []))
                no_run = self.hints(schema, runs={"run_id": "nothing", "state": None, "limit": 1})
                self.assertEqual((no_run["dag_known"], len(no_run["recent_runs"]), no_run["recent_runs"][0]["run_id"]), (True, 4, NEWEST))
                second = {"run_id": SECOND.replace("_", "!_"), "state": None, "limit": 1}
                no_key = self.hints(schema, runs=second, task_id="fit", key="metrics")
                self.assertEqual((no_key["keys"], no_key["instances"]), (["return_value"], [{"task_id": "fit", "map_index": -1, "state": "success"}]))
                no_task = self.hints(schema, runs=second, task_id="fitt")
                self.assertEqual((no_task["instances"], no_task["keys"], no_task["task_ids"]), ([], [], ["fit", "fit_all", "score"]))
                self.assertEqual(self.hints(schema, question="runs", dag_id="trainn")["dags"][0], "train")

    def test_map_index_and_archive(self) -> None:
        first = {"run_id": "scheduled!_!_2024-01-01%", "state": None, "limit": 1}
        self.assertEqual(self.hints("3.0", runs=first, task_id="score", map_index=[5, 9])["map_indexes"], [0, 1])
        third = {"run_id": "manual!_!_2024-01-03", "state": None, "limit": 1}
        self.assertEqual(self.hints("3.0", runs=third, key="pickled")["archived"], 1)
        self.assertEqual(self.hints("3.0", runs=third, key="other")["archived"], 0)

    def test_a_table_that_is_missing_ends_the_hints_only(self) -> None:
        url = self.database("3.0")
        subprocess.run([sys.executable, "-c", "import sqlite3,sys;sqlite3.connect(sys.argv[1]).executescript('DROP TABLE _xcom_archive; DROP TABLE task_instance')", url[len("sqlite:///"):]], check=True)
        asked = ask(request(task_id="fit", key="metrics"), url)
        self.assertEqual((asked.reply["kind"], asked.reply["hints"]["keys"]), ("answer", ["model", "return_value"]))


class FrameTest(ProbeTest):
    def test_only_the_right_acknowledgement_ends_with_0(self) -> None:
        url = self.database("3.0")
        self.assertEqual(ask(request(), url).code, 0)
        for wrong in (None, "ACK " + "0" * 64 + "\n", "OK\n", ""):
            self.assertEqual(ask(request(), url, acknowledge=wrong).code, 75, wrong)

    def test_nobody_who_acknowledges(self) -> None:
        source = read_probe().replace("ACKNOWLEDGE_SECONDS = 60", "ACKNOWLEDGE_SECONDS = 1").encode()
        env = {"PATH": os.environ["PATH"], "XCOM_TEST_CONNECTION": self.database("3.0")}
        from python.tests.xcom_probe import BOOT
        with subprocess.Popen([sys.executable, "-u", "-c", BOOT, str(len(source))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as child:
            assert child.stdin and child.stdout
            child.stdin.write(source + json.dumps(request()).encode() + b"\n")
            child.stdin.flush()
            self.assertTrue(child.stdout.readline().startswith(b"LEOFLOW-XCOM/1 "))
            self.assertEqual(child.wait(20), 75)

    def test_noise_of_imports_does_not_mix_in(self) -> None:
        noisy = "import os,sys;print('site hook');sys.stdout.flush();" + 'exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),"probe","exec"))'
        with open(os.path.join(self.folder, "psycopg2.py"), "w", encoding="utf-8") as file:
            file.write("import os\nprint('noise of an import', flush=True)\nos.write(1, b'more of it')\nclass Error(Exception): pass\nparamstyle = 'pyformat'\ndef connect(**more): raise Error('no')\n")
        asked = ask(request(), "postgresql://u:p@h/d", boot=noisy, env={"PYTHONPATH": self.folder})
        self.assertEqual((asked.stdout, asked.reply["failure"]), (b"site hook\n", "database_down"))
        self.assertIn("noise of an import", asked.stderr)

    def test_a_connection_that_hangs_ends_the_probe(self) -> None:
        with open(os.path.join(self.folder, "psycopg2.py"), "w", encoding="utf-8") as file:
            file.write("import time\nclass Error(Exception): pass\nparamstyle = 'pyformat'\ndef connect(**more): time.sleep(60)\n")
        source = read_probe().replace("COMMAND_SECONDS = 45", "COMMAND_SECONDS = 0")
        with self.assertRaisesRegex(AssertionError, "no frame"):
            ask(request(statement_timeout_ms=300), "postgresql://u:p@h/d", source=source, env={"PYTHONPATH": self.folder})

    def test_bad_requests(self) -> None:
        url = self.database("3.0")
        without = {key: value for key, value in request().items() if key != "task_id"}
        for bad in (request(protocol=2), request(sentinel="x"), request(question="write"), request(limit=0), request(limit="1"), request(limit=True), request(map_index=[1]), request(map_index=["a", 1]), request(dag_id=None), request(dag_id="a\0b"), request(url_variable="A-B"), without, {}, [], 3):
            asked = ask(bad, url)
            self.assertEqual((asked.reply["kind"], asked.reply["failure"]), ("failure", "bad_request"), bad)
            is_told = isinstance(bad, dict) and bad.get("sentinel") == SENTINEL
            self.assertEqual(asked.sentinel, SENTINEL if is_told else "0" * 32, "the reader hears the refusal under its own mark")
        self.assertEqual(ask(json.dumps(request(protocol=2), separators=(",", ":")).encode() + b"\n", url).sentinel, SENTINEL)
        for line in (b"no JSON\n", b"\n", b"\xff\n"):
            asked = ask(line, url)
            self.assertEqual((asked.reply["failure"], asked.sentinel), ("bad_request", "0" * 32))
        self.assertNotIn("rows", asked.reply)

    def test_old_interpreters(self) -> None:
        ast.parse(read_probe(), feature_version=(3, 6))
        for python in interpreters():
            with self.subTest(python):
                asked = ask(request(), make_sqlite(os.path.join(self.folder, f"{hash(python)}.db"), "3.0"), python=python)
                self.assertEqual((asked.code, asked.stderr, len(asked.reply["rows"])), (0, "", 7), asked.reply)


class ConnectionTest(ProbeTest):
    """Where Airflow's connection is found."""

    def found(self, files: dict[str, str], **env: str) -> tuple[str, str]:
        for name, text in files.items():
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, 0o755)
        asked = ask(request(url_variable=None), None, env={"HOME": self.folder, "PATH": os.path.join(self.folder, "bin") + ":" + os.environ["PATH"], **env})
        self.assertEqual(asked.stderr, "")
        return asked.reply.get("connection_from") or asked.reply["failure"], asked.reply.get("backend") or ""

    def test_order(self) -> None:
        good, bad = self.database("3.0"), "sqlite:////nowhere/else.db"
        database, core = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"
        cfg = {"cfg/airflow.cfg": f"[database]\nsql_alchemy_conn = {good}\n[core]\nsql_alchemy_conn = {bad}\nxcom_backend = my.Backend\n"}
        self.assertEqual(self.found({}, **{database: good, core: bad})[0], database)
        self.assertEqual(self.found({}, **{core: good})[0], core)
        self.assertEqual(self.found({}, **{database + "_CMD": f"printf '%s\\n' '{good}'", "AIRFLOW_CONFIG": "/nowhere"})[0], database + "_CMD")
        self.assertEqual(self.found(cfg, AIRFLOW_CONFIG=os.path.join(self.folder, "cfg", "airflow.cfg")), ("airflow.cfg", "my.Backend"))
        self.assertEqual(self.found(cfg, AIRFLOW_HOME=os.path.join(self.folder, "cfg"), **{core: bad}), ("database_down", ""), "the environment comes first")
        self.assertEqual(self.found({"airflow/airflow.cfg": f"[core]\nsql_alchemy_conn_cmd = echo {good}\n"})[0], "airflow.cfg")
        os.remove(os.path.join(self.folder, "airflow", "airflow.cfg"))
        self.assertEqual(self.found({})[0], "connection_missing")
        program = {"bin/airflow": f"#!/bin/sh\necho 'WARNING of something'\n[ \"$3\" = core ] && echo '{good}'\n"}
        self.assertEqual(self.found(program)[0], "airflow config get-value")
        self.assertEqual(self.found({}, **{database + "_SECRET": "name", "AIRFLOW__CORE__XCOM_BACKEND": "airflow.models.xcom.BaseXCom"}), ("airflow config get-value", ""))

    def test_values_are_expanded_and_made_synchronous(self) -> None:
        path = self.database("3.0")[len("sqlite:///"):]
        folder, name = os.path.split(path)
        self.assertEqual(self.found({}, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite+aiosqlite:///$DB_FOLDER/{name}", DB_FOLDER=folder)[0], "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
        os.rename(path, os.path.join(folder, "a%b.db"))
        self.assertEqual(self.found({"airflow/airflow.cfg": "[database]\nsql_alchemy_conn = sqlite:///$DB_FOLDER/a%%b.db\n"}, DB_FOLDER=folder)[0], "airflow.cfg")

    def test_the_variable_of_the_request_goes_before_all(self) -> None:
        url = self.database("3.0")
        self.assertEqual(ask(request(url_variable="MY_URL"), None, env={"MY_URL": url, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere"}).reply["connection_from"], "MY_URL")
        self.assertEqual(ask(request(url_variable="MY_URL"), None, env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url}).reply["failure"], "connection_missing")

    def test_failures_tell_no_secret(self) -> None:
        for url, failure in (
            ("sqlite:////nowhere/s3cret.db", "database_down"), ("oracle://annabel:s3cret@db.s3cret.example:1521/prod", "driver_missing"), ("no url s3cret", "driver_missing"), ("postgresql://annabel:s3cret@db:s3cret/prod", "connection_missing"),
            ("postgresql+nodriver://annabel:s3cret@db.s3cret.example/prod?a=s3cret&a=s3cret", "driver_missing"),
        ):
            asked = ask(request(), url)
            self.assertEqual((asked.reply["kind"], asked.reply["failure"]), ("failure", failure), url)
            for secret in ("s3cret", "annabel", "1521"):
                self.assertNotIn(secret, asked.told)

    def test_any_other_error_is_a_frame_without_its_text(self) -> None:
        with open(os.path.join(self.folder, "psycopg2.py"), "w", encoding="utf-8") as file:
            file.write("class Error(Exception): pass\nparamstyle = 'pyformat'\ndef connect(**more): raise RuntimeError('postgresql://annabel:s3cret@db')\n")
        asked = ask(request(), "postgresql://annabel:s3cret@db/x", env={"PYTHONPATH": self.folder})
        self.assertEqual(asked.reply["message"], "the probe ended early: RuntimeError")
        self.assertNotIn("s3cret", asked.told)

    def test_a_file_that_is_missing_is_not_made(self) -> None:
        path = os.path.join(self.folder, "none.db")
        self.assertEqual(ask(request(), "sqlite:///" + path).reply["failure"], "database_down")
        self.assertFalse(os.path.exists(path))


class ResolveTest(ProbeTest):
    """Values that XComObjectStorageBackend keeps in files."""

    def setUp(self) -> None:
        super().setUp()
        self.store = os.path.join(self.folder, "store")
        os.makedirs(os.path.join(self.store, "train"))
        self.url = self.database("3.0")

    def put(self, *urls: str) -> None:
        import sqlite3
        with sqlite3.connect(self.url[len("sqlite:///"):]) as connection:
            for at, url in enumerate(urls):
                connection.execute("INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp) VALUES (4, ?, -1, 'kept', 'train', ?, ?, '2024-01-04 01:00:00')", (f"t{at:02}", NEWEST, json.dumps(url if at % 2 else json.dumps(url))))
        connection.close()

    def resolved(self, base: str | None = None, **changes: Any) -> list[Any]:
        asked = ask(request(key="kept", resolve=True, **changes), self.url, env={"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": base or "file://" + self.store})
        self.assertEqual(asked.reply["kind"], "answer", asked.reply)
        return [row.get("resolved") for row in asked.reply["rows"]]

    def test_each_compression(self) -> None:
        text = b'{"auc": 0.9}'
        packed = {"a.json": text, "a.json.gz": gzip.compress(text), "a.json.bz2": bz2.compress(text), "a.json.xz": lzma.compress(text)}
        for name, data in packed.items():
            with open(os.path.join(self.store, "train", name), "wb") as file:
                file.write(data)
        self.put(*(f"file://{self.store}/train/{name}" for name in packed))
        for found in self.resolved():
            self.assertEqual((base64.b64decode(found["data"]), found["bytes"], found["problem"]), (text, len(text), None))
        self.assertEqual([(base64.b64decode(found["data"]), found["bytes"]) for found in self.resolved(max_bytes=200)][0], (text, len(text)))
        self.assertEqual(self.resolved("s3://bucket/x"), [None] * 4, "another store")

    def test_nothing_outside_the_path(self) -> None:
        with open(os.path.join(self.folder, "outside.json"), "w", encoding="utf-8") as file:
            file.write('"secret"')
        os.symlink(os.path.join(self.folder, "outside.json"), os.path.join(self.store, "link.json"))
        os.symlink(self.folder, os.path.join(self.store, "up"))
        os.mkfifo(os.path.join(self.store, "pipe"))
        bad = [f"file://{self.folder}/outside.json", f"file://{self.store}/../outside.json", f"file://{self.store}/train/../../outside.json", f"file://{self.store}/link.json", f"file://{self.store}/up/outside.json", f"file://{self.store}x/a", f"file://{self.store}//a", f"file://{self.store}/pipe", f"file://{self.store}/none.json", f"file://{self.store}"]
        self.put(*bad)
        found = self.resolved()
        self.assertEqual(len(found), len(bad))
        for url, one in zip(bad, found):
            self.assertIsNone(one["data"], url)
            self.assertRegex(one["problem"], "not below|cannot be read: (PermissionError|FileNotFoundError)")

    def test_long_values_are_cut(self) -> None:
        with open(os.path.join(self.store, "long.json"), "wb") as file:
            file.write(b"[" + b"1," * 10_000 + b"1]")
        self.put(f"file://{self.store}/long.json")
        self.assertEqual(self.resolved()[0]["problem"], None)
        self.assertEqual((len(base64.b64decode(self.resolved()[0]["data"])), self.resolved()[0]["bytes"]), (1000, None))


if __name__ == "__main__":
    unittest.main()
