"""Variables and connections of tasks and of DAG files, and that nobody hears of their secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

from leoflow.agent import node_child
from leoflow.dagmodel import masking
from leoflow.parse.parse_file import parse_file
from leoflow.run import logs
from leoflow.run.rendered import rendered_fields
from python.tests.memory_engine import DAGS, MemoryRun

PASSWORD = 'p/ss "w@rd\\é%'
SECRETS = (PASSWORD, "tok3n-of-the-api", "k3y-of-the-extra")
FIELDS = {
    "conn_id": "db", "conn_type": "postgres", "description": None, "host": "db.example", "login": "user", "password": PASSWORD, "schema": "main", "port": 5432,
    "extra": json.dumps({"sslmode": "require", "api_key": SECRETS[2]}),
}


ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class SharedRulesTest(unittest.TestCase):
    """The rules that hold for bodies in Node as well."""

    def setUp(self) -> None:
        masking.forget()
        self.addCleanup(masking.forget)
        with open(os.path.join(ROOT, "test", "fixtures", "masking.json"), encoding="utf-8") as file:
            self.tables = json.load(file)

    def test_the_list_of_sensitive_names_is_that_of_the_server(self) -> None:
        with open(os.path.join(ROOT, "src", "core", "sensitive.ts"), encoding="utf-8") as file:
            names = re.findall(r"'([a-z_]+)'", file.read().split("const SENSITIVE = [")[1].split("]")[0])
        self.assertEqual(sorted(names), sorted(masking.SENSITIVE))

    def test_texts(self) -> None:
        for case in self.tables["texts"]:
            masking.forget()
            for secret in case["secrets"]:
                masking.add(secret)
            self.assertEqual(masking.mask(case["text"]), case["masked"], case)
        for case in self.tables["named"]:
            masking.forget()
            masking.add_named(case["value"], case["name"])
            self.assertEqual(masking.mask(case["text"]), case["masked"], case)

    def test_arguments_as_people_are_shown_them(self) -> None:
        masking.add("my-hidden-value")
        for case in self.tables["shown"]:
            self.assertEqual(rendered_fields(SimpleNamespace(template_fields=("op_kwargs",), op_kwargs=case["value"])), {"op_kwargs": case["shown"]})


class NodeJobTest(unittest.TestCase):
    """What a child that becomes Node is handed."""

    def test_it_holds_nothing_that_only_the_import_of_the_dag_file_needs(self) -> None:
        home = {"id": "f", "address_file": "/home/run/agent.json", "import_secrets": {"variables": {"token": SECRETS[1]}}, "node": {"interpreter": "/bin/node", "runner": "run-task.ts", "modules": []}}
        with mock.patch("os.execve") as execve:
            node_child.exec_with_job(home, "/a.sock", {"execution_id": "x"})
        argv = execve.call_args.args[1]
        with open(int(argv[-1]), encoding="utf-8") as file:
            job = json.load(file)
        self.assertEqual((job["fork_server"]["id"], job["spec"]), ("f", {"execution_id": "x"}))
        self.assertNotIn(SECRETS[1], json.dumps(job))


class SecretsTest(unittest.TestCase):
    def setUp(self) -> None:
        masking.forget()
        self.addCleanup(masking.forget)
        self.run_ = MemoryRun("secretive.py", "secretive")
        self.run_.api.variables = {"plain": "a text", "settings": '{"size": 3}', "api_token": SECRETS[1]}
        self.run_.api.connections = {"db": FIELDS}

    def logged(self, task_id: str) -> str:
        """What a task writes into its log."""
        with tempfile.TemporaryFile() as file, mock.patch.object(logs, "_fd", file.fileno()), mock.patch("sys.stdout", logs._OUT), mock.patch("sys.stderr", logs._ERR), \
                mock.patch("logging.root.handlers", logs._HANDLERS):
            # Not by patching the attribute: loggers remember what was switched off.
            self.addCleanup(logging.root.setLevel, logging.root.level)
            logging.root.setLevel(logging.INFO)
            self.run_.run(task_id)
            logs.flush()
            file.seek(0)
            return file.read().decode()

    def test_a_task_reads_both(self) -> None:
        self.run_.run("read")
        value = self.run_.value("read")
        self.assertEqual(value["extra"], {"sslmode": "require", "api_key": SECRETS[2]})
        self.assertEqual((value["host"], value["port"], value["variable"], value["json"]), ("db.example", 5432, "a text", {"size": 3}))
        self.assertEqual((value["default"], value["default_var"], value["absent"]), (None, "d", "The conn_id `absent` isn't defined"))
        self.assertEqual(value["uri"], "postgres://user:p%2Fss%20%22w%40rd%5C%C3%A9%25@db.example:5432/main?sslmode=require&api_key=k3y-of-the-extra")

    def test_a_task_changes_variables(self) -> None:
        self.run_.run("change")
        self.assertEqual(self.run_.value("change"), [{"a": 1}, "gone"])

    def test_a_missing_variable_fails_with_airflow_s_words(self) -> None:
        error = self.run_.run("missing")["error"]
        self.assertEqual((error["type"], error["message"]), ("AirflowRuntimeError", "Variable none not found"))
        self.assertIn("VARIABLE_NOT_FOUND: {'message': 'Variable none not found'}", error["traceback"])

    def test_the_environment_comes_first(self) -> None:
        with mock.patch.dict(os.environ, {"AIRFLOW_VAR_PLAIN": "from outside", "AIRFLOW_CONN_DB": "my-type://u:p%40w@H/s?a=b"}):
            self.run_.run("read")
        value = self.run_.value("read")
        self.assertEqual((value["variable"], value["uri"], value["host"]), ("from outside", "my-type://u:p%40w@h/s?a=b", "h"))

    def test_templates(self) -> None:
        text = self.logged("templated")
        self.assertIn('"event":"db.example:5432 *** a text 3 d None"', text)
        fields = self.run_.reports[("templated", -1)]["rendered_fields"]
        self.assertEqual(fields["env"], {"PW": "***", "MY_TOKEN": "***"})
        self.assertTrue(fields["bash_command"].endswith(" ***"))

    def test_nothing_of_what_is_told_holds_a_secret(self) -> None:
        text = self.logged("tell")
        report = json.dumps(self.run_.reports[("tell", -1)])
        for secret in SECRETS:
            for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
                self.assertNotIn(form, text)
                self.assertNotIn(form, report)
        events = [json.loads(line)["event"] for line in text.splitlines()]
        self.assertEqual(events[:2], ["the password is ***", "*** and the token ***"])
        self.assertEqual(events[2].split()[0], "***")
        self.assertTrue(events[2].split()[1].endswith("***") or "***" in events[2].split()[1])
        self.assertIn("with ***", events)
        # Masked before it is cut: the end of the message would have kept half of it.
        message = self.run_.reports[("tell", -1)]["error"]["message"]
        self.assertTrue(message.endswith("x***"), message[-20:])

    def test_a_line_cut_in_the_middle_of_a_secret(self) -> None:
        masking.add(SECRETS[1])
        with tempfile.TemporaryFile() as file, mock.patch.object(logs, "_fd", file.fileno()):
            stream = logs.LineWriter("task.stdout", "info")
            stream.write("x" * (logs.MAX_LINE_BYTES - 5) + SECRETS[1][:10])
            stream.write(SECRETS[1][10:] + "y")
            stream.flush_rest()
            file.seek(0)
            text = "".join(json.loads(line)["event"] for line in file)
        self.assertNotIn(SECRETS[1][:8], text)
        self.assertTrue(text.endswith("x***y"), text[-40:])


class MaskingTest(unittest.TestCase):
    def setUp(self) -> None:
        masking.forget()
        self.addCleanup(masking.forget)

    def test_short_texts_and_common_words_stay(self) -> None:
        masking.add("abcd")
        masking.add("airflow")
        masking.add_named({"host": "localhost", "password": None, "port": 5432})
        self.assertEqual((masking.longest, masking.mask("abcd airflow localhost")), (0, "abcd airflow localhost"))

    def test_the_type_of_an_error_and_the_name_of_a_logger_may_hold_one(self) -> None:
        masking.add("planted-secret-77")
        error = type("planted-secret-77", (Exception,), {})("n")
        self.assertNotIn("planted-secret-77", json.dumps(logs.error_detail(error)))
        self.assertNotIn(b"planted-secret-77", logs.make_line("info", "planted-secret-77", "x"))

    def test_names_say_what_is_secret(self) -> None:
        masking.add_named('{"a": [{"client_secret": "nested-one"}], "TOKENS": ["in-a-list"], "b": "shown here"}')
        self.assertEqual(masking.mask("nested-one in-a-list shown here"), "*** *** shown here")

    def test_many_secrets_cost_nothing_before_a_word_is_said(self) -> None:
        with mock.patch.object(masking.re, "compile", wraps=masking.re.compile) as compiled:
            for number in range(200):
                masking.add(f"secret-number-{number}")
            self.assertEqual(compiled.call_count, 0)
            self.assertEqual(masking.mask("secret-number-0, secret-number-199"), "***, ***")
            self.assertEqual(masking.mask("secret-number-7"), "***")
            self.assertEqual(compiled.call_count, 1)

    def test_what_is_nested_without_an_end_is_hidden(self) -> None:
        for depth in (70, 500, 20_000):
            masking.forget()
            masking.add_named("[" * depth + '{"host": "deep-text-1"}' + "]" * depth)
            self.assertEqual(masking.mask("deep-text-1"), "***", depth)
        nested: object = "deep-text-2"
        for _ in range(20_000):
            nested = [nested]
        masking.forget()
        masking.add_named({"a": nested})
        masking.add_named({"password": [nested, "in-a-list"]})
        self.assertEqual(masking.mask("deep-text-2 in-a-list"), "*** ***")
        self.assertIn("***", str(masking.mask_all(nested)))

    def test_base64_at_every_offset(self) -> None:
        import base64

        masking.add("correct horse battery")
        for before in ("", "a", "ab", "abc"):
            text = base64.b64encode(f"{before}correct horse battery{before}!".encode()).decode()
            self.assertLess(len(masking.mask(text)), 20, text)

    def test_each_line_of_a_key(self) -> None:
        masking.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n")
        self.assertEqual(masking.mask("MIIEvQIBADANBg"), "***")


class TopOfAFileTest(unittest.TestCase):
    def setUp(self) -> None:
        masking.forget()
        self.addCleanup(masking.forget)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def parse(self, body: str, given: dict | None = None, **environment: str) -> dict:
        lines = ["from airflow.sdk import DAG, BaseHook, Variable", *body.splitlines(), "from airflow.providers.standard.operators.empty import EmptyOperator", "with DAG('d'):", "    EmptyOperator(task_id=str(x))"]
        with open(os.path.join(self.folder.name, "top.py"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        if given is not None:
            environment["LEOFLOW_PARSE_SECRETS_FILE"] = os.path.join(self.folder.name, "given.json")
            with open(environment["LEOFLOW_PARSE_SECRETS_FILE"], "w", encoding="utf-8") as file:
                json.dump(given, file)
        with mock.patch.dict(os.environ, environment):
            return parse_file("top.py", self.folder.name)

    def test_the_environment_answers_and_the_author_is_told(self) -> None:
        document = self.parse("x = Variable.get('size')", AIRFLOW_VAR_SIZE="seven")
        self.assertEqual(document["dags"][0]["tasks"][0]["task_id"], "seven")
        self.assertEqual(document["needed"], [])
        warning = document["warnings"][0]
        self.assertEqual((warning["file"], warning["line"]), ("top.py", 2))
        self.assertIn("fixed in this version", warning["message"])

    def test_what_is_missing_is_listed_with_and_without_a_default(self) -> None:
        document = self.parse("x = Variable.get('size', default='one')\ntry:\n    BaseHook.get_connection('db')\nexcept Exception as error:\n    pass")
        self.assertEqual(document["errors"], [])
        self.assertEqual(document["needed"], [{"kind": "variable", "name": "size"}, {"kind": "connection", "name": "db"}])
        document = self.parse("x = Variable.get('size')")
        self.assertIn("leoflow variables set size", document["errors"][0]["message"])
        self.assertIn("AIRFLOW_VAR_SIZE", document["errors"][0]["message"])
        self.assertEqual(document["errors"][0]["line"], 2)

    def test_what_the_compiler_was_given(self) -> None:
        given = {"variables": {"size": "two", "list": [1]}, "connections": {"db": "http://u:s3cret-one@h1", "other": {"conn_type": "http", "host": "h2"}}}
        body = "x = '_'.join([Variable.get('size'), str(Variable.get('list', deserialize_json=True)[0]), BaseHook.get_connection('db').host, BaseHook.get_connection('other').host])"
        document = self.parse(body, given)
        self.assertEqual(document["errors"], [])
        self.assertEqual(document["dags"][0]["tasks"][0]["task_id"], "two_1_h1_h2")

    def test_no_secret_in_the_document(self) -> None:
        document = self.parse("x = 'a'\nraise ValueError(BaseHook.get_connection('db').password)", {"connections": {"db": "http://u:s3cret-one@h1"}})
        self.assertNotIn("s3cret-one", json.dumps(document))
        self.assertIn("ValueError: ***", document["errors"][0]["message"])

    def test_facts_stay_whatever_the_secrets_are(self) -> None:
        given = {"connections": {"db": {"conn_type": "postgres", "host": "h", "password": "postgres", "extra": '{"token": "top.py"}'}}}
        document = self.parse("BaseHook.get_connection('db')\nx = 'load_postgres'", given)
        (dag,) = document["dags"]
        self.assertEqual((dag["tasks"][0]["task_id"], dag["fileloc"], dag["sources"][0]["path"]), ("load_postgres", "top.py", "top.py"))
        self.assertEqual([warning["message"] for warning in document["warnings"] if "stands in" in warning["message"]], [])
        self.assertEqual(document["warnings"][0]["file"], "top.py")

    def test_a_secret_in_the_document_is_told_with_its_path_and_left(self) -> None:
        body = "found = BaseHook.get_connection('db')\nimport airflow.sdk as sdk\nDAG = lambda name: sdk.DAG(name, description=f'by {found.password}.', params={'p': found.password, 'w': found.get_uri()}, doc_md='x' + found.password)\nx = 'a'"
        document = self.parse(body, {"connections": {"db": "http://u:s3cret%2Fone@h1"}})
        self.assertEqual(document["errors"], [])
        (dag,) = document["dags"]
        self.assertEqual((dag["description"], dag["params"]["p"]["default"]), ("by s3cret/one.", "s3cret/one"))
        told = [warning for warning in document["warnings"] if "stands in" in warning["message"]]
        paths = [warning["message"].split(" at ")[1].split(",")[0] for warning in told]
        self.assertEqual(paths, ["description", "params.p.default", "params.w.default"])
        self.assertTrue(told[0]["message"].startswith("the password of the connection 'db' stands in dag.json of the DAG 'd' at description"), told[0])
        self.assertIn("Read it in the task", told[0]["hint"])
        self.assertNotIn("s3cret", json.dumps(told))

    def test_a_word_that_is_a_password_stands_in_texts_by_chance(self) -> None:
        body = "found = BaseHook.get_connection('db')\nimport airflow.sdk as sdk\nDAG = lambda name: sdk.DAG(name, description='into postgres', params={'p': 'postgres', 'q': 'fast'})\nx = 'a'"
        document = self.parse(body, {"connections": {"db": {"conn_type": "x", "password": "postgres"}, }})
        told = [warning["message"] for warning in document["warnings"] if "stands in" in warning["message"]]
        self.assertEqual(len(told), 1, told)
        self.assertIn("at params.p.default", told[0])

    def test_nothing_is_changed_at_the_top_of_a_file(self) -> None:
        document = self.parse("Variable.set('a', 'b')\nx = 1")
        self.assertEqual(document["errors"][0]["kind"], "unsupported_feature")


if __name__ == "__main__":
    unittest.main()
