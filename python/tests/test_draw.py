"""Drawings: the same DAG as a dag.py gives the same document, everything wrong is told at once and in its place, bodies run."""

from __future__ import annotations

import http.server
import json
import os
import re
import sys
import tempfile
import threading
import unittest
from types import SimpleNamespace
from typing import Any

from leoflow.convert.__main__ import convert_file
from leoflow.dagmodel import decorated
from leoflow.dagmodel.command_operator import CommandOperator
from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.http_task import HttpTask
from leoflow.draw.arguments import own_arguments
from leoflow.draw.command_words import split_command
from leoflow.draw.drawer import DAG_WORDS
from leoflow.draw.outline import BODIES
from leoflow.draw.signatures import render
from leoflow.draw.values import form_of
from leoflow.draw.words import duration, moment, zone
from leoflow.parse.parse_file import parse_drawings, parse_file
from leoflow.run.load import load_dag

DECORATED = (
    decorated._PythonDecoratedOperator, decorated._BranchPythonDecoratedOperator, decorated._ShortCircuitDecoratedOperator,
    decorated.DecoratedSensorOperator, decorated._BashDecoratedOperator,
)
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drawings")
SOURCE = os.path.join(HERE, "..", "..", "..", "src", "contract", "operators.ts")


def draw(tasks: dict[str, Any], **words: Any) -> dict[str, Any]:
    """The parser's document of one drawing."""
    return parse_drawings("pipe.yaml", HERE, [{"dag_id": "d", **words, "tasks": tasks}])


def tasks_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Tasks of the one DAG by id; fails on errors."""
    assert document["errors"] == [], document["errors"]
    return {task["task_id"]: task for task in document["dags"][0]["tasks"]}


def without_places(dag: dict[str, Any]) -> dict[str, Any]:
    """A document without what says where code lives, tasks by id."""
    kept = {key: value for key, value in dag.items() if key not in ("fileloc", "sources", "runtime")}
    tasks = {task["task_id"]: {key: value for key, value in task.items() if key != "body"} for task in dag["tasks"]}
    return {**kept, "tasks": tasks, "task_groups": sorted(dag["task_groups"], key=lambda group: group["group_id"])}


class SameDocumentTest(unittest.TestCase):
    """One emitter, whatever the language."""

    def test_a_drawing_and_a_dag_py_give_one_document(self) -> None:
        with open(os.path.join(HERE, "pipe.json"), encoding="utf-8") as file:
            drawn = parse_drawings("pipe.yaml", HERE, [json.load(file)])
        self.assertEqual(drawn["errors"], [])
        self.assertEqual([path["path"] for path in drawn["dags"][0]["sources"]], ["pipe.yaml", "steps.py"])
        (written,) = parse_file("pipe.py", HERE, "pipe")["dags"]
        self.maxDiff = None
        self.assertEqual(without_places(drawn["dags"][0]), without_places(written))

    def test_tasks_keep_the_order_of_the_document(self) -> None:
        tasks = tasks_of(draw({"last": {"python": "steps.py#double", "with": {"x": {"xcom": "first"}}}, "first": {"python": "steps.py#numbers"}}))
        self.assertEqual((list(tasks), tasks["last"]["depends_on"]), (["last", "first"], ["first"]))

    def test_a_node_task_and_a_python_task_differ_in_their_body_alone(self) -> None:
        for decorator in ("task", "branch", "short_circuit", "sensor"):
            words = {"decorator": decorator, "with": {"value": {"xcom": "a"}}}
            tasks = tasks_of(draw({"a": {"operator": "EmptyOperator"}, "p": {"python": "steps.py#choose", **words}, "n": {"node": "body.ts#choose", **words}}))
            self.assertEqual(tasks["n"].pop("body"), {"kind": "node", "module": "body.ts", "export": "choose"})
            tasks["p"].pop("body")
            self.assertEqual({**tasks["n"], "task_id": "p"}, tasks["p"])

    def test_the_runtime_is_node_when_node_runs_all_code(self) -> None:
        only_node = draw({"n": {"node": "body.ts#f"}, "e": {"operator": "EmptyOperator"}})
        self.assertEqual(only_node["dags"][0]["runtime"], "node")
        self.assertIn("body.ts", [source["path"] for source in only_node["dags"][0]["sources"]])
        self.assertEqual(draw({"n": {"node": "body.ts#f"}, "p": {"python": "steps.py#there"}})["dags"][0]["runtime"], "leoflow")

    def test_programs_and_requests_have_bodies_of_their_own(self) -> None:
        tasks = tasks_of(draw({
            "c": {"command": "tool --day '{{ ds }} x' {{ run_id }}", "env": {"A": "1"}},
            "h": {"http": {"method": "POST", "url": "http://x/", "body": {"got": {"xcom": "c"}}, "timeout": "5s"}},
        }))
        self.assertEqual(tasks["c"]["body"], {"kind": "command", "command": ["tool", "--day", "{{ ds }} x", "{{ run_id }}"], "env": {"A": "1"}})
        self.assertEqual((tasks["h"]["body"]["kind"], tasks["h"]["body"]["timeout_seconds"], tasks["h"]["depends_on"]), ("http", 5, ["c"]))

    def test_the_list_of_operators_is_up_to_date(self) -> None:
        with open(SOURCE, encoding="utf-8") as file:
            self.assertEqual(file.read(), render(), "run PYTHONPATH=python python3 -m leoflow.draw.signatures > src/contract/operators.ts")


class WordsOfTheSchemaTest(unittest.TestCase):
    """What the published schema allows, Python knows."""

    def test_every_word_of_a_task_and_of_a_dag(self) -> None:
        with open(os.path.join(os.path.dirname(SOURCE), "..", "..", "docs", "api", "dag-yaml-1.0.json"), encoding="utf-8") as file:
            schema = json.load(file)
        (forms,) = (value["anyOf"] for value in schema["properties"]["tasks"]["patternProperties"].values())
        by_body = {name: set(form["properties"]) for form in forms for name in BODIES if name in form["properties"]}
        self.assertEqual(set(by_body), set(BODIES))
        placed = {"after", "expand", "expand_rows", "setup", "teardown", "on_failure_fail_dagrun", "env", "display_name", "params"}
        taken = {argument for decorated in DECORATED for argument in own_arguments(decorated)}
        self.assertEqual(by_body["python"] - placed - taken - {"python", "decorator", "with"}, set())
        self.assertEqual(by_body["command"] - placed - set(own_arguments(CommandOperator)), set())
        request = next(form["properties"]["http"]["properties"] for form in forms if "http" in form["properties"])
        self.assertEqual(set(request) - set(own_arguments(HttpTask)), set())
        self.assertEqual(set(schema["properties"]) - set(DAG_WORDS) - {"dag_id", "tasks"}, set())


class FormsTest(unittest.TestCase):
    """Mappings that stand for something else: the table that the SDK and Node are held to as well."""

    def test_a_form_is_its_exact_keys(self) -> None:
        with open(os.path.join(HERE, "..", "..", "..", "test", "fixtures", "value-forms.json"), encoding="utf-8") as file:
            for case in json.load(file):
                self.assertEqual(form_of(case["value"]), case["form"], case)

    def test_a_fill_value_is_plain_data(self) -> None:
        def zipped(fill: Any) -> dict[str, Any]:
            return draw({"t": {"python": "steps.py#numbers"}, "u": {"python": "steps.py#double", "expand": {"x": {"zip": [{"xcom": "t"}], "fillvalue": fill}}}})

        self.assertEqual(zipped({"literal": {"xcom": "t"}})["errors"], [])
        self.assertIn("must be plain data", zipped([{"deep": {"xcom": "t"}}])["errors"][0]["message"])


class ProblemsTest(unittest.TestCase):
    """Everything wrong at once, each with the keys that lead to it."""

    def test_every_problem_with_its_place(self) -> None:
        document = draw({
            "a": {"python": "steps.py#numbrs", "retries": -1},
            "b": {"operator": "BashOprator", "after": ["nobody"]},
            "c": {"operator": "BashOperator", "bash_comand": "x"},
            "d": {"operator": "BashOperator"},
            "e": None,
            "f": {"operator": "EmptyOperator", "after": ["e", "a"]},
            "x": {"python": "steps.py#double", "with": {"x": {"xcom": "y"}}},
            "y": {"python": "steps.py#double", "with": {"x": {"xcom": "x"}}},
            "z": {"python": "nowhere.py#f"},
        }, start_date="soon", timezone="Europe/Berlim")
        self.assertEqual(document["dags"], [])
        found = {tuple(error["place"][1:]): error["message"] for error in document["errors"]}
        wanted = {
            ("timezone",): "no time zone 'Europe/Berlim'", ("start_date",): "no ISO date",
            ("tasks", "a", "python"): "did you mean numbers?", ("tasks", "a", "retries"): "negative",
            ("tasks", "b", "operator"): "did you mean BashOperator?", ("tasks", "b", "after", 0): "no task nobody",
            ("tasks", "c", "bash_comand"): "did you mean bash_command?", ("tasks", "d"): "bash_command",
            ("tasks", "y", "with", "x", "xcom"): "wait for each other", ("tasks", "z", "python"): "no file nowhere.py",
        }
        self.assertEqual(set(found), set(wanted))
        for place, text in wanted.items():
            self.assertIn(text, found[place])

    def test_a_cycle_is_told_at_one_of_its_tasks(self) -> None:
        (error,) = draw({"a": {"operator": "EmptyOperator", "after": ["b"]}, "b": {"operator": "EmptyOperator", "after": ["a"]}})["errors"]
        self.assertEqual((error["kind"], error["place"]), ("cycle", [0, "tasks", "a"]))

    def test_a_task_that_two_dags_draw_needs_the_name_of_one(self) -> None:
        (error,) = draw({"a": {"python": "steps.py#hidden"}})["errors"]
        self.assertIn("several DAGs", error["message"])
        self.assertIn("a", tasks_of(draw({"a": {"python": "steps.py#steps_two.hidden"}, "b": {"python": "steps.py#only"}})))

    def test_an_import_that_fails_is_told_once_at_its_own_line(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            for name, text in (("d.yaml", ""), ("bad.py", "x = 1\ny = (\n")):
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(text)
            document = parse_drawings("d.yaml", root, [{"dag_id": "d", "tasks": {"a": {"python": "bad.py#f"}, "b": {"python": "bad.py#g"}}}])
        (error,) = document["errors"]
        self.assertEqual((error["file"], error["line"], error["column"], error["kind"]), ("bad.py", 2, 5, "syntax_error"))


class WordsTest(unittest.TestCase):
    """Durations, dates, commands."""

    def test_durations_and_dates(self) -> None:
        self.assertEqual([duration(text).total_seconds() for text in ("1h30m", "250ms", "2d", 5)], [5400, 0.25, 172_800, 5])
        self.assertEqual(moment("2026-07-01", zone("Europe/Berlin")).isoformat(), "2026-07-01T00:00:00+02:00")
        self.assertEqual(moment("2026-07-01T00:00:00+05:00", zone("UTC")).isoformat(), "2026-07-01T00:00:00+05:00")
        for wrong in ("5 m", "m", "", "-1s", True):
            self.assertRaises(ValueError, duration, wrong)

    def test_templates_stay_whole_when_a_command_is_split(self) -> None:
        self.assertEqual(split_command("a {{ x | d('b c') }} 'd e'"), ["a", "{{ x | d('b c') }}", "d e"])
        self.assertRaises(ValueError, split_command, "a 'b")


class BodiesTest(unittest.TestCase):
    """Programs and requests."""

    def test_a_program_without_a_shell(self) -> None:
        context = {"ti": SimpleNamespace(environment=lambda: {"LEOFLOW_X": "1"})}
        code = "import os, sys; print('first'); print(sys.argv[1:], os.environ['A'], os.environ['LEOFLOW_X'])"
        self.assertEqual(CommandOperator(task_id="t", command=[sys.executable, "-c", code, "$HOME; x"], env={"A": "2"}).execute(context), "['$HOME; x'] 2 1")
        with self.assertRaisesRegex(AirflowException, "exit code 3"):
            CommandOperator(task_id="t", command=[sys.executable, "-c", "raise SystemExit(3)"]).execute(context)
        with self.assertRaisesRegex(AirflowException, "cannot start no-such-program"):
            CommandOperator(task_id="t", command=["no-such-program"]).execute(context)

    def test_a_request(self) -> None:
        with http.server.HTTPServer(("127.0.0.1", 0), _Answers) as server:
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            try:
                url = f"http://127.0.0.1:{server.server_port}"
                made = HttpTask(task_id="t", method="POST", url=f"{url}/echo", body={"a": 1}, headers={"X-Y": "z"}, timeout=5).execute({})
                self.assertEqual(made, {"method": "POST", "body": '{"a": 1}', "type": "application/json", "header": "z"})
                with self.assertRaisesRegex(AirflowException, "status 404: gone"):
                    HttpTask(task_id="t", url=f"{url}/gone", timeout=5).execute({})
                self.assertEqual(HttpTask(task_id="t", url=f"{url}/gone", timeout=5, success_status_codes=[404]).execute({}), "gone")
            finally:
                server.shutdown()

    def test_a_version_is_loaded_from_the_drawings_beside_its_file(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            drawn = {"schema_version": "1.0", "dags": [{"dag_id": "d", "tasks": {"a": {"python": "f.py#f", "with": {"x": 2}}}}]}
            for name, text in (("d.yaml", ""), ("f.py", "def f(x):\n    return x + 1\n"), ("d.yaml.json", json.dumps(drawn))):
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(text)
            task = load_dag(root, "d.yaml", "d").get_task("a")
        self.assertEqual(task.python_callable(**task.op_kwargs), 3)


class ConvertTest(unittest.TestCase):
    """What a DAG cannot say in YAML."""

    def test_each_unsayable_argument_with_its_line(self) -> None:
        text = (
            "from airflow.sdk import DAG, task\nfrom airflow.providers.standard.operators.bash import BashOperator\n"
            "with DAG('d', user_defined_macros={'a': 1}):\n"
            "    BashOperator(task_id='a', bash_command='x', on_failure_callback=lambda c: None)\n"
            "    BashOperator(task_id='b', bash_command='x', output_processor=lambda o: o)\n"
            "    task(lambda x: x, task_id='c')(x=object())\n"
        )
        with tempfile.TemporaryDirectory() as root:
            with open(os.path.join(root, "d.py"), "w", encoding="utf-8") as file:
                file.write(text)
            errors = convert_file("d.py", root, ("", None))["errors"]
        found = [(error["line"], re.sub(r"(: [^:]+): .*", r"\1", error["message"])) for error in errors]
        self.assertEqual(found, [(3, "DAG d: user_defined_macros"), (4, "task a: on_failure_callback"), (5, "task b: output_processor"), (6, "task c: x")])


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(200, json.dumps({"method": "POST", "body": body, "type": self.headers["Content-Type"], "header": self.headers["X-Y"]}), "application/json")

    def do_GET(self) -> None:
        self._answer(404, "gone", "text/plain")

    def _answer(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: Any) -> None:
        pass


if __name__ == "__main__":
    unittest.main()
