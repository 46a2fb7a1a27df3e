"""The parser: dag.json documents, errors with file and line, sources, repeatability, a clean stdout."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import unittest
from typing import Any

from leoflow.parse.parse_file import parse_file
from tests.memory_engine import DAGS


def parse(file: str) -> dict[str, Any]:
    """The parser's document of a fixture."""
    return parse_file(file, DAGS)


def tasks_of(document: dict[str, Any], dag_id: str) -> dict[str, dict[str, Any]]:
    """Tasks of one DAG by id."""
    (dag,) = [dag for dag in document["dags"] if dag["dag_id"] == dag_id]
    return {task["task_id"]: task for task in dag["tasks"]}


class DocumentTest(unittest.TestCase):
    """What a good file becomes."""

    def test_dag_fields(self) -> None:
        (dag,) = parse("taskflow.py")["dags"]
        self.assertEqual({k: dag[k] for k in ("dag_id", "doc_md", "tags", "fileloc", "runtime", "start_date", "timetable", "default_args", "params")}, {
            "dag_id": "taskflow", "doc_md": "Adds numbers.", "tags": ["a", "b"], "fileloc": "taskflow.py", "runtime": "leoflow",
            "start_date": "2026-01-01T00:00:00+00:00", "timetable": {"kind": "cron", "expressions": ["0 0 * * *"], "timezone": "UTC"},
            "default_args": {"retries": 2, "greeting": "hi"}, "params": {"n": {"default": 3}},
        })
        for absent in ("catchup", "max_active_runs", "timezone", "task_groups", "edge_labels", "callbacks"):
            self.assertNotIn(absent, dag)

    def test_tasks_and_their_edges(self) -> None:
        tasks = tasks_of(parse("taskflow.py"), "taskflow")
        self.assertEqual(list(tasks)[:4], ["number", "number__1", "named", "pair"])
        self.assertEqual(tasks["add"]["depends_on"], ["number", "pair"])
        self.assertEqual(tasks["add"]["inputs"], [{"task_id": "number", "key": "return_value"}, {"task_id": "pair", "key": "right"}])
        self.assertEqual(tasks["named"]["pool"], "p")
        self.assertEqual((tasks["number"]["retries"], "retries" in tasks["many"]), (2, False))
        self.assertTrue(tasks["pair"]["multiple_outputs"] and tasks["many"]["multiple_outputs"])
        self.assertEqual(tasks["number"]["doc_md"], "Answers a number.")
        self.assertEqual((tasks["shell"]["operator"], tasks["shell"]["operator_name"]), ("_BashDecoratedOperator", "@task.bash"))
        self.assertEqual(tasks["number"]["body"], {"kind": "python", "file": "taskflow.py", "class": "_PythonDecoratedOperator"})

    def test_expansions(self) -> None:
        document = parse("mapping.py")
        tasks = tasks_of(document, "mapping")
        numbers = {"kind": "xcom", "task_id": "numbers", "key": "return_value"}
        self.assertEqual(tasks["times"]["expand"], {
            "kind": "product", "arguments": {"x": numbers, "y": {"kind": "literal", "length": 2, "values": [10, 100]}},
        })
        self.assertEqual(list(tasks["times"]["expand"]["arguments"]), ["x", "y"])
        self.assertEqual(tasks["from_rows"]["expand"], {"kind": "rows", "rows": {"kind": "xcom", "task_id": "rows", "key": "return_value"}})
        zipped = tasks["zipped"]["expand"]["arguments"]["pair"]
        self.assertEqual((zipped["kind"], zipped["longest"], len(zipped["of"])), ("zip", True, 2))
        self.assertEqual(tasks["concat"]["expand"]["arguments"]["pair"], {"kind": "map", "of": {"kind": "concat", "of": [numbers, numbers]}})
        (group,) = document["dags"][0]["task_groups"]
        self.assertEqual(group, {"group_id": "section", "expand": {"kind": "product", "arguments": {"v": numbers}}})
        self.assertEqual(tasks["section.up"]["depends_on"], ["numbers"])
        self.assertEqual(tasks["gather"]["depends_on"], ["section.down"])

    def test_branches_groups_and_labels(self) -> None:
        document = parse("branching.py")
        tasks = tasks_of(document, "branching")
        self.assertEqual(tasks["group.a"]["depends_on"], ["choose"])
        self.assertEqual(tasks["join"]["depends_on"], ["group.b", "left"])
        self.assertEqual(tasks["group.a"]["body"], {"kind": "empty"})
        self.assertEqual((tasks["group.b"]["body"]["kind"], tasks["group.b"]["callbacks"]), ("python", ["success"]))
        self.assertTrue(tasks["choose"]["can_skip_downstream"] and tasks["mine"]["can_skip_downstream"])
        self.assertEqual((tasks["stop"].get("ignore_downstream_trigger_rules"), tasks["soft"].get("ignore_downstream_trigger_rules")), (True, None))
        self.assertEqual(document["dags"][0]["edge_labels"], [{"from": "left", "to": "join", "label": "then"}])
        self.assertEqual(tasks["tail"]["depends_on"], ["e0", "e1", "e2", "left", "old_branch"])

    def test_sensors_and_defaults(self) -> None:
        tasks = tasks_of(parse("sensing.py"), "sensing")
        self.assertEqual(tasks["waiting"]["sensor"], {"mode": "reschedule", "poke_interval_seconds": 30, "timeout_seconds": 600})
        self.assertEqual(tasks["late_soft"]["sensor"]["soft_fail"], True)
        self.assertEqual((tasks["greeter"]["owner"], tasks["greeter"]["template_fields"]), ("me", ["name"]))
        self.assertEqual(tasks["slow"]["execution_timeout_seconds"], 0.05)

    def test_setups_and_teardowns(self) -> None:
        tasks = tasks_of(parse("setups.py"), "setups")
        edges = {task_id: task["depends_on"] for task_id, task in tasks.items()}
        self.assertEqual(edges, {
            "s1": [], "t1": ["s1", "w2"], "w1": ["s1"], "w2": ["w1"], "s2": [], "w3": ["s2"], "t2": ["s2", "w3"],
            "s3": [], "t3": ["s3", "w4"], "w4": ["s3"],
        })
        self.assertTrue(all(tasks[t]["is_setup"] for t in ("s1", "s2", "s3")))
        self.assertEqual({tasks[t]["trigger_rule"] for t in ("t1", "t2", "t3")}, {"all_done_setup_success"})
        self.assertTrue(tasks["t1"]["on_failure_fail_dagrun"])

    def test_schedules(self) -> None:
        document = parse("schedules.py")
        self.assertEqual(document["errors"], [])
        kinds = {dag["dag_id"].removeprefix("schedule_"): dag["timetable"] for dag in document["dags"]}
        self.assertEqual({name: table["kind"] for name, table in kinds.items()}, {
            "none": "none", "once": "once", "preset": "cron", "cron": "cron", "delta": "delta", "cron_trigger": "cron", "multiple": "cron",
            "delta_trigger": "delta", "cron_interval": "cron_interval", "delta_interval": "delta_interval", "events": "events",
            "assets": "assets", "expression": "assets", "asset_or_time": "asset_or_time", "continuous": "continuous",
        })
        self.assertEqual(kinds["cron_trigger"], {
            "kind": "cron", "expressions": ["0 1 * * 3"], "timezone": "Europe/Zurich", "interval_seconds": 3600, "run_immediately": True,
        })
        self.assertEqual(kinds["cron"]["timezone"], "Europe/Berlin")
        self.assertEqual(kinds["events"]["dates"], ["2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"])
        self.assertEqual(kinds["expression"]["condition"]["__type"], "asset_all")
        self.assertEqual(kinds["assets"]["condition"]["objects"][1]["uri"], "s3://b/two")

    def test_sources(self) -> None:
        document = parse("uses_local.py")
        paths = [source["path"] for source in document["dags"][0]["sources"]]
        self.assertEqual(paths, ["uses_local.py", "localmod/__init__.py", "localmod/operators.py"])
        with open(os.path.join(DAGS, "uses_local.py"), "rb") as file:
            self.assertEqual(document["dags"][0]["sources"][0]["sha256"], hashlib.sha256(file.read()).hexdigest())
        self.assertIn("hello.sh", [source["path"] for source in parse("sensing.py")["dags"][0]["sources"]])


class FaultTest(unittest.TestCase):
    """What is wrong with a file, and where."""

    def faults(self, name: str) -> list[tuple[str, int, str]]:
        return [(fault["kind"], fault["line"], fault["file"]) for fault in parse(f"broken/{name}.py")["errors"]]

    def test_place_and_kind(self) -> None:
        expected = {
            "syntax": ("syntax_error", 3), "raises": ("import_error", 7), "unsupported_name": ("unsupported_import", 3),
            "unsupported_module": ("unsupported_import", 4), "missing": ("missing_module", 3), "duplicate_task": ("duplicate_task_id", 8),
            "unknown_argument": ("import_error", 7), "virtualenv": ("unsupported_feature", 7),
        }
        for name, (kind, line) in expected.items():
            with self.subTest(name):
                self.assertEqual(self.faults(name), [(kind, line, f"broken/{name}.py")])

    def test_refusal_names_the_way_out(self) -> None:
        (fault,) = parse("broken/unsupported_name.py")["errors"]
        self.assertIn("PythonVirtualenvOperator", fault["message"])
        self.assertIn("`runtime: airflow` in leoflow.yaml", fault["hint"])

    def test_one_bad_dag_leaves_the_others(self) -> None:
        document = parse("broken/wrong_dags.py")
        self.assertEqual([dag["dag_id"] for dag in document["dags"]], ["twice"])
        self.assertEqual([fault["kind"] for fault in document["errors"]], ["cycle", "duplicate_dag_id"])
        self.assertIn("a → b → c → a", document["errors"][0]["message"])

    def test_a_wanted_dag_that_is_not_there(self) -> None:
        document = parse_file("taskflow.py", DAGS, "other")
        self.assertEqual((document["dags"], document["errors"][0]["kind"]), ([], "no_dag"))


class ProgramTest(unittest.TestCase):
    """`python -m leoflow.parse`."""

    def run_program(self, file: str, **env: str) -> subprocess.CompletedProcess[str]:
        home = os.path.dirname(os.path.dirname(DAGS))
        command = [sys.executable, "-m", "leoflow.parse", file, "--root", DAGS]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": home, **env}, check=False)

    def test_prints_of_the_file_stay_out_of_the_document(self) -> None:
        done = self.run_program("broken/raises.py")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(json.loads(done.stdout)["errors"][0]["kind"], "import_error")
        self.assertIn("on stdout", done.stderr)

    def test_same_document_for_any_hash_seed_and_clock(self) -> None:
        for file in ("branching.py", "setups.py", "mapping.py"):
            one = self.run_program(file, PYTHONHASHSEED="1")
            other = self.run_program(file, PYTHONHASHSEED="2", LEOFLOW_PARSE_CLOCK_SHIFT_SECONDS="90000")
            self.assertEqual(one.stdout, other.stdout)


if __name__ == "__main__":
    unittest.main()
