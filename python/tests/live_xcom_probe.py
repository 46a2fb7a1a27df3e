"""The XCom probe against a real PostgreSQL, whose URL is in XCOM_TEST_SERVER: run by test/conformance/xcom-probe.pg.test.ts with the Python of .venv-probe."""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
import unittest
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg2

from leoflow.xcom_reader import probe
from python.tests.xcom_probe import FIXTURES, SCHEMAS, Asked, ask, read_probe, request

SERVER = os.environ["XCOM_TEST_SERVER"]
SECOND = {"run_id": "scheduled!_!_2024-01-02%", "state": None, "limit": 1}
OPENING = '"postgresql": ("read only", "bounds")'


def url_of(database: str, **parts: str) -> str:
    """The server's URL with another database, user or password."""
    server = urlsplit(SERVER)
    user, password = parts.get("user", server.username or ""), parts.get("password", server.password or "")
    place = server.netloc.rsplit("@", 1)[-1]
    return f"postgresql://{user}:{quote(password, safe='')}@{place}/{database}" + (f"?{server.query}" if server.query else "")


def execute(url: str, sql: str) -> list[Any]:
    """Runs statements, each on its own."""
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


class LiveTest(unittest.TestCase):
    """A database of each generation; every test leaves all of them as they were."""

    urls: dict[str, str] = {}

    @classmethod
    def setUpClass(cls) -> None:
        for schema in SCHEMAS:
            name = f"xcom_probe_{os.getpid()}_{schema.replace('.', '_')}"
            if schema not in LiveTest.urls:
                execute(SERVER, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
                LiveTest.urls[schema] = url_of(name)
                with open(os.path.join(FIXTURES, f"schema-{schema}.sql"), encoding="utf-8") as file:
                    execute(LiveTest.urls[schema], file.read())

    def setUp(self) -> None:
        self.before = self.checksums()

    def tearDown(self) -> None:
        self.assertEqual(self.checksums(), self.before, "a table has changed")

    def checksums(self) -> dict[str, Any]:
        """Of every table: its rows as one hash, and how many were ever written."""
        found = {}
        for schema, url in self.urls.items():
            for (table,) in execute(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"):
                found[schema, table] = execute(url, f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
        return found


class GenerationsTest(LiveTest):
    def test_each(self) -> None:
        for schema, url in self.urls.items():
            with self.subTest(schema):
                asked = ask(request(), url)
                self.assertEqual((asked.code, asked.stderr, asked.reply.get("schema"), asked.reply.get("dialect")), (0, "", schema, "postgresql"), asked.reply)
                rows = {(row["run_id"][:21], row["task_id"], row["map_index"]): row for row in asked.reply["rows"]}
                stored = base64.b64decode(rows["scheduled__2024-01-02", "fit", -1]["data"])
                self.assertEqual(json.loads(stored), {"auc": 0.91, "n": 9007199254740993})
                self.assertEqual(base64.b64decode(rows["scheduled__2024-01-02", "fit_all", -1]["data"]).decode(), '"grüße 🎈"')
                self.assertEqual(rows["scheduled__2024-01-02", "fit_all", -1]["bytes"], 14)
                self.assertEqual(("manual__2024-01-03", rows["manual__2024-01-03", "fit", -1]["data"]), ("manual__2024-01-03", None))
                self.assertEqual([run["run_id"] for run in asked.reply["runs"]][:2], ["running__2024-01-04", "manual__2024-01-03"])
                self.assertEqual(asked.reply["runs"][0]["start_date"], "2024-01-04T01:00:00+00:00")
                self.assertEqual(asked.reply["statements"][0], "SET TRANSACTION READ ONLY")

    def test_hints_and_runs(self) -> None:
        for schema, url in self.urls.items():
            with self.subTest(schema):
                self.assertEqual(ask(request(dag_id="trainn"), url).reply["hints"]["dags"][0], "train")
                hints = ask(request(runs=SECOND, task_id="fit", key="metrics"), url).reply["hints"]
                self.assertEqual((hints["keys"], hints["instances"]), (["return_value"], [{"task_id": "fit", "map_index": -1, "state": "success"}]))
                self.assertEqual(len(ask(request(question="runs"), url).reply["runs"]), 4)

    def test_cut_in_bytes(self) -> None:
        for schema, url in self.urls.items():
            row = ask(request(runs=SECOND, task_id="fit!_all", max_bytes=4), url).reply["rows"][0]
            self.assertEqual((base64.b64decode(row["data"]), row["bytes"]), ('"grü'.encode()[:4], 14), schema)

    def test_a_giant_answer_streams(self) -> None:
        reply = ask(request(limit=1000, max_bytes=1_000_000), self.urls["3.0"]).reply
        self.assertEqual((reply["kind"], len(reply["rows"])), ("answer", 7), reply)

    def test_another_schema_of_the_database(self) -> None:
        url = self.urls["3.0"]
        execute(url, "CREATE SCHEMA \"odd \"\"name\"; ALTER TABLE xcom SET SCHEMA \"odd \"\"name\"; ALTER TABLE dag_run SET SCHEMA \"odd \"\"name\"")
        try:
            self.assertEqual(ask(request(), url).reply["failure"], "schema_unknown")
            self.assertEqual(len(ask(request(), url, env={"AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA": 'odd "name'}).reply["rows"]), 7)
        finally:
            execute(url, "ALTER TABLE \"odd \"\"name\".xcom SET SCHEMA public; ALTER TABLE \"odd \"\"name\".dag_run SET SCHEMA public; DROP SCHEMA \"odd \"\"name\"")

    def test_sqlalchemy_reads_what_is_unusual(self) -> None:
        url = self.urls["3.0"]
        server = urlsplit(url)
        host = server.query if "host=" in server.query else f"host={server.hostname}:{server.port}"
        twice = f"postgresql://{server.netloc.rsplit('@', 1)[0]}@{server.path}?{host}&{host}"
        self.assertEqual(len(ask(request(), twice).reply["rows"]), 7, twice)
        for scheme in ("postgresql+psycopg2", "postgres", "postgresql+asyncpg", "postgres+psycopg2"):
            self.assertEqual(len(ask(request(), url.replace("postgresql", scheme, 1)).reply["rows"]), 7, scheme)


class BigValuesTest(LiveTest):
    """Two hundred values of 128 kB in one run of the DAG `other`, which do not compress."""

    rows = 200

    def setUp(self) -> None:
        super().setUp()
        text = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 4000) i)"
        for schema, url in self.urls.items():
            json_column = schema == "3.0"
            value = f"to_jsonb(n || {text})" if json_column else f"convert_to('\"' || n || {text} || '\"', 'UTF8')"
            place = {"1.10": "execution_date", "2.0": "execution_date", "2.3": "dag_run_id, run_id, map_index", "3.0": "dag_run_id, run_id, map_index"}[schema]
            run = "execution_date" if place == "execution_date" else "id, run_id, -1"
            execute(url, f"INSERT INTO xcom (dag_id, task_id, key, value, timestamp, {place}) SELECT 'other', 'big' || n, 'big', {value}, now(), {run} FROM generate_series(1, {self.rows}) n, dag_run WHERE dag_id = 'other'; ANALYZE xcom, dag_run")

    def tearDown(self) -> None:
        for url in self.urls.values():
            execute(url, "DELETE FROM xcom WHERE key = 'big'")
        super().tearDown()

    def pages(self, schema: str, **changes: Any) -> int:
        """How many pages the SELECT of a question touches."""
        statement = probe.placed(probe.STATEMENTS["values " + schema + (" postgresql" if schema == "3.0" else "")], "pyformat")
        with psycopg2.connect(self.urls[schema]) as connection, connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement, probe.parameters_of(request(dag_id="other", key="big", **changes)))
            plan = cursor.fetchone()[0][0]["Plan"]
        connection.close()
        return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    def test_only_values_within_the_limit_are_read(self) -> None:
        """One value takes 17 pages, all of them 3,400."""
        for schema in SCHEMAS:
            with self.subTest(schema):
                self.assertLess(self.pages(schema, limit=2, max_bytes=1_000_000, runs={"run_id": "%", "state": None, "limit": 1}), 500)
                self.assertLess(self.pages(schema, limit=2, question="keys", runs={"run_id": "%", "state": None, "limit": 1}), 500)

    def test_keys_read_no_binary_value(self) -> None:
        for schema in ("1.10", "2.0", "2.3"):
            self.assertLess(self.pages(schema, limit=self.rows, question="keys"), 200)

    def test_memory(self) -> None:
        told = "    sys.stderr.write([line for line in open('/proc/self/status') if line.startswith('VmHWM')][0])\n    sys.stderr.flush()\n"
        source = read_probe().replace("    os._exit(0 if acknowledged", told + "    os._exit(0 if acknowledged")
        for schema, url in self.urls.items():
            asked = ask(request(dag_id="other", key="big", limit=self.rows, max_bytes=1024 * 1024), url, source=source)
            self.assertEqual((len(asked.reply["rows"]), asked.reply["truncated"]), (98, True), schema)
            self.assertLess(int(asked.stderr.split()[1]), 80 * 1024, "KiB of the pod's memory")


class ReadOnlyTest(LiveTest):
    """Each layer with the others taken away. The static guard, which would refuse these probes, has its own test."""

    def sabotaged(self, write: str, *more: tuple[str, str]) -> Asked:
        source = read_probe()
        for old, new in (('"columns": "SELECT x.*, NULL AS end_of_xcom, d.* FROM xcom x CROSS JOIN dag_run d WHERE 1 = 0"', f'"columns": {write!r}'), *more):
            self.assertIn(old, source)
            source = source.replace(old, new)
        return ask(request(), self.urls["3.0"], source=source)

    def test_the_database_refuses_writes(self) -> None:
        for write in ("UPDATE xcom SET value = NULL", "INSERT INTO dag (dag_id) VALUES ('new')", "DELETE FROM xcom", "CREATE TABLE new (a int)", "TRUNCATE xcom", "DROP TABLE dag", "SELECT * FROM xcom FOR UPDATE", "SELECT nextval('dag_run_id_seq')"):
            with self.subTest(write):
                reply = self.sabotaged(write).reply
                self.assertEqual((reply["kind"], reply["failure"], reply["sqlstate"]), ("failure", "write_refused", "25006"))

    def test_it_cannot_be_made_writable_again(self) -> None:
        for way in ("SET TRANSACTION READ WRITE", "SET LOCAL transaction_read_only = off"):
            reply = self.sabotaged("UPDATE xcom SET value = NULL", ('conversation.ask(name, opening_parameters(request, settings))', f'conversation.ask(name, opening_parameters(request, settings)); name == "bounds" and conversation.connection.cursor().execute({way!r})')).reply
            self.assertEqual(reply["failure"], "statement_failed" if reply["sqlstate"] == "25001" else "write_refused", reply)

    def test_without_the_read_only_transaction_the_rollback_undoes_it(self) -> None:
        reply = self.sabotaged("UPDATE xcom SET value = NULL RETURNING 1 AS end_of_xcom", (OPENING, '"postgresql": ("bounds",)')).reply
        self.assertEqual(reply["failure"], "schema_unknown", "the write was done, and undone")

    def test_a_commit_is_what_would_be_needed(self) -> None:
        """Shows that the test above can fail: the same probe with a commit does change the table."""
        execute(self.urls["3.0"], "CREATE TABLE sacrificed (a int)")
        try:
            self.sabotaged("INSERT INTO sacrificed VALUES (1) RETURNING 1 AS end_of_xcom", (OPENING, '"postgresql": ("bounds",)'), ("connection.rollback()", "connection.commit()"))
            self.assertEqual(execute(self.urls["3.0"], "SELECT count(*) FROM sacrificed"), [(1,)])
        finally:
            execute(self.urls["3.0"], "DROP TABLE sacrificed")

    def test_injections_through_each_field(self) -> None:
        """With the read-only transaction and without it: bound parameters alone have to hold."""
        with open(os.path.join(FIXTURES, "injections.json"), encoding="utf-8") as file:
            attempts = json.load(file)
        self.assertGreaterEqual(len(attempts), 20)
        open_probe = read_probe().replace(OPENING, '"postgresql": ("bounds",)')
        for at, attempt in enumerate(attempts):
            for field in ("dag_id", "task_id", "key", "run_id", "state"):
                runs = {"run_id": "%", "state": None, "limit": 20, **({field: attempt} if field in ("run_id", "state") else {})}
                changes = {"runs": runs, "key": "%", **({} if field in runs and field != "limit" else {field: attempt})}
                asked = ask(request(**changes), self.urls[SCHEMAS[at % 4]], source=open_probe if at % 2 else read_probe())
                with self.subTest(attempt=attempt, field=field):
                    self.assertEqual(asked.reply["kind"], "answer", asked.reply)
                    self.assertEqual(asked.reply["rows"], [])
                    self.assertNotIn("of another DAG", asked.told)
        self.assertFalse(os.path.exists("/tmp/leoflow-injected"))

    def test_injections_that_are_no_text_are_refused(self) -> None:
        for changes in ({"limit": "1; DROP TABLE xcom"}, {"max_bytes": "1) --"}, {"map_index": ["0 OR 1=1", 1]}, {"runs": {"run_id": "%", "state": None, "limit": "1 --"}}, {"statement_timeout_ms": "1; DROP TABLE xcom"}, {"url_variable": "A; rm"}):
            self.assertEqual(ask(request(**changes), self.urls["3.0"]).reply["failure"], "bad_request", changes)
        schema = ask(request(), self.urls["3.0"], env={"AIRFLOW__DATABASE__SQL_ALCHEMY_SCHEMA": "public', true); DROP TABLE xcom; --"}).reply
        self.assertEqual(schema["failure"], "schema_unknown")


class RightsAndFailuresTest(LiveTest):
    role = f"xcom_reader_{os.getpid()}"

    def setUp(self) -> None:
        super().setUp()
        execute(self.urls["3.0"], f"CREATE ROLE {self.role} LOGIN PASSWORD 's3cret/w@rd'; GRANT SELECT ON xcom, dag_run TO {self.role}")
        self.url = url_of(urlsplit(self.urls["3.0"]).path[1:], user=self.role, password="s3cret/w@rd")

    def tearDown(self) -> None:
        execute(self.urls["3.0"], f"DROP OWNED BY {self.role}; DROP ROLE {self.role}")
        super().tearDown()

    def test_a_role_that_only_reads(self) -> None:
        self.assertEqual(ask(request(question="examine"), self.url).reply["may_write"], [])
        execute(self.urls["3.0"], f"GRANT UPDATE ON dag_run TO {self.role}")
        examined = ask(request(question="examine"), self.url).reply
        self.assertEqual((examined["may_write"], examined["rows"], examined["runs"]), (["dag_run"], [], []))
        self.assertIn("xcom", ask(request(question="examine"), self.urls["3.0"]).reply["may_write"])

    def test_two_tables_are_enough(self) -> None:
        self.assertEqual(len(ask(request(), self.url).reply["rows"]), 7)
        hints = ask(request(runs=SECOND, task_id="fit", key="metrics"), self.url).reply["hints"]
        self.assertEqual((hints["keys"], hints["instances"]), (["return_value"], []), "what may not be read is left out")

    def test_a_right_that_is_missing(self) -> None:
        execute(self.urls["3.0"], f"REVOKE SELECT ON xcom FROM {self.role}")
        reply = ask(request(), self.url).reply
        self.assertEqual((reply["failure"], reply["sqlstate"]), ("statement_failed", "42501"))

    def test_failures_tell_no_secret(self) -> None:
        name = urlsplit(self.url).path[1:]
        server = {"host": "db.s3cret.invalid", "port": "15432"}
        urls = [
            url_of("s3cret_database", user=self.role, password="s3cret/w@rd"), url_of(name, user="s3cret_user", password="s3cret/w@rd"),
            f"postgresql://{self.role}:s3cret%2Fw%40rd@{server['host']}:{server['port']}/{name}", f"postgresql://{self.role}:s3cret%2Fw%40rd@127.0.0.1:1/{name}", f"postgresql://{self.role}:s3cret%2Fw%40rd@[::1]:1/{name}",
            f"postgresql://{self.role}:s3cret%2Fw%40rd@/{name}?host=/s3cret/socket", f"{self.url}{'&' if '?' in self.url else '?'}s3cret_option=s3cret", f"postgresql://{self.role}@127.0.0.1:1/{name}?sslmode=s3cret",
        ]
        for url in urls:
            asked = ask(request(), url)
            self.assertEqual(asked.reply.get("failure"), "database_down", asked.reply)
            for hidden in ("s3cret", self.role, name, "15432", "127.0.0.1", "::1"):
                self.assertNotIn(hidden, asked.told, url)
            self.assertGreater(len(asked.reply["message"]), 25)

    def test_a_lock_and_a_time_limit(self) -> None:
        holder = psycopg2.connect(self.urls["3.0"])
        try:
            holder.cursor().execute("LOCK TABLE xcom IN ACCESS EXCLUSIVE MODE")
            locked = ask(request(statement_timeout_ms=1000), self.urls["3.0"]).reply
            self.assertEqual((locked["failure"], locked["sqlstate"]), ("statement_failed", "55P03"))
        finally:
            holder.rollback()
            holder.close()
        slow = read_probe().replace('"columns": "SELECT x.*', '"columns": "SELECT pg_sleep(20), x.*').replace("WHERE 1 = 0\"", "LIMIT 1\"")
        late = ask(request(statement_timeout_ms=300), self.urls["3.0"], source=slow).reply
        self.assertEqual((late["failure"], late["sqlstate"]), ("statement_failed", "57014"))

    def test_a_connection_that_is_killed(self) -> None:
        slow = read_probe().replace('"columns": "SELECT x.*', '"columns": "SELECT pg_sleep(20), x.*').replace("WHERE 1 = 0\"", "LIMIT 1\"")
        found: list[Asked] = []
        thread = threading.Thread(target=lambda: found.append(ask(request(statement_timeout_ms=20_000), self.url, source=slow)))
        thread.start()
        killed = (execute(self.urls["3.0"], f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{self.role}' AND query LIKE '%pg_sleep%'") for _ in range(2000))
        self.assertTrue(any(killed))
        thread.join(30)
        self.assertEqual((found[0].code, found[0].reply["failure"]), (0, "statement_failed"))
        self.assertRegex(found[0].reply["message"], "terminating|closed")


def tearDownModule() -> None:
    for url in LiveTest.urls.values():
        execute(SERVER, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
