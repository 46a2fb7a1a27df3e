"""The standalone XCom reader, joined into one file and run as a program, with a stand-in for kubectl that runs the probe here."""

from __future__ import annotations

import ast
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
from typing import Any

from python.tests.xcom_probe import make_sqlite, read_probe

POD = {"metadata": {"name": "airflow-scheduler-1", "namespace": "air", "creationTimestamp": "2024-01-01T00:00:00Z"}, "spec": {"containers": [{"name": "scheduler"}, {"name": "scheduler-log-groomer"}]}, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
SECOND = "scheduled__2024-01-02T00:00:00+00:00"
KUBECTL = """#!/bin/sh
echo "$@" >> "$STAGE/calls"
while [ "$1" != get ] && [ "$1" != exec ]; do shift; done
if [ "$1" = get ]; then
  [ -f "$STAGE/refuse" ] && { cat "$STAGE/refuse" >&2; exit 1; }
  exec cat "$STAGE/pods.json"
fi
[ -f "$STAGE/exec-fails" ] && { cat "$STAGE/exec-fails" >&2; rm "$STAGE/exec-fails"; exit 1; }
while [ "$1" != -- ]; do shift; done
shift 2
echo "noise of a site hook"
if [ -f "$STAGE/cut" ]; then
  mkfifo "$STAGE/pipe"
  exec 4<&0
  "$PYTHON" "$@" <&4 > "$STAGE/pipe" &
  head -c 400 "$STAGE/pipe"
  kill $!
  rm "$STAGE/pipe"
  exit 0
fi
exec "$PYTHON" "$@"
"""


def join_standalone() -> str:
    """The script as the command line gives it."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bin", "leoflow")
    return subprocess.run([program, "xcom", "probe", "--standalone"], capture_output=True, text=True, check=True, timeout=60, encoding="utf-8").stdout


class StandaloneTest(unittest.TestCase):
    script: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.script = join_standalone()

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.stage = os.path.realpath(folder.name)
        self.write("xcom-pull", self.script)
        self.write("kubectl", KUBECTL)
        os.chmod(os.path.join(self.stage, "kubectl"), 0o755)
        self.pods(POD)
        self.url = make_sqlite(os.path.join(self.stage, "airflow.db"), "3.0")

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.stage, name), "w", encoding="utf-8") as file:
            file.write(text)

    def pods(self, *pods: Any) -> None:
        self.write("pods.json", json.dumps({"kind": "List", "items": pods}))

    def run_it(self, *flags: str, python: str = sys.executable, url: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {"PATH": f"{self.stage}:{os.environ['PATH']}", "HOME": self.stage, "STAGE": self.stage, "PYTHON": sys.executable, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url or self.url, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run([python, os.path.join(self.stage, "xcom-pull"), *flags], env=env, capture_output=True, text=True, timeout=60, encoding="utf-8")

    def pull(self, *flags: str) -> Any:
        done = self.run_it("--dag-id", "train", "--json", *flags)
        self.assertEqual((done.returncode, done.stderr.replace("no XCom matched\n", "").split("  → ")[0]), (0, ""))
        return json.loads(done.stdout)

    def test_one_file_whole_and_readable(self) -> None:
        text = self.script
        tree = ast.parse(text, feature_version=(3, 8))
        names = [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        names += [target.id for node in tree.body for target in (node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []) if isinstance(target, ast.Name) and target.id != "PROBE"]
        self.assertEqual(sorted(names), sorted(set(names)), "two parts have a name in common")
        kept = [node.value.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROBE" and isinstance(node.value, ast.Constant)]
        self.assertEqual(kept, ["", read_probe()])
        self.assertNotIn("leoflow.", "".join(line for line in text.splitlines() if "import" in line))

    def test_json(self) -> None:
        found = self.pull("--run-id", SECOND)
        self.assertEqual({name: found[name] for name in ("source", "schema", "dag_id", "truncated", "hints")}, {"source": {"transport": "exec", "target": "air/airflow-scheduler-1 (scheduler)"}, "schema": "3.0", "dag_id": "train", "truncated": False, "hints": []})
        self.assertEqual(found["xcoms"][0], {"dag_id": "train", "run_id": SECOND, "task_id": "fit", "map_index": -1, "key": "return_value", "timestamp": "2024-01-02T01:00:00+00:00", "storage": "json", "encoding": "json", "raw": '{"auc": 0.91, "n": 9007199254740993}', "value": {"auc": 0.91, "n": 9007199254740993}, "decodeNotes": [], "bytes": 36, "cut": False})
        self.assertEqual([(xcom["task_id"], xcom["encoding"], xcom["value"]) for xcom in found["xcoms"][1:]], [("fit_all", "text", "grüße 🎈"), ("score", "json", None)])
        with open(os.path.join(self.stage, "calls"), encoding="utf-8") as file:
            calls = file.read().splitlines()
        self.assertEqual(calls[0], "get pods --selector component=scheduler --output json")
        self.assertTrue(calls[1].startswith("--namespace air exec --stdin airflow-scheduler-1 --container scheduler -- python3 -u -c "), calls[1])
        self.assertNotIn("train", "".join(calls), "the question is in no process list")

    def test_table(self) -> None:
        done = self.run_it("--dag-id", "train", "--run-id", SECOND)
        self.assertEqual(done.stdout, 'TASK      KEY           KIND  VALUE\nfit       return_value  json  {"auc":0.91,"n":9007199254740993}\nfit_all   return_value  text  "grüße 🎈"\nscore[0]  return_value  json  null\n')
        self.assertEqual(done.stderr, f"train · {SECOND} (success) · air/airflow-scheduler-1 (scheduler) · schema 3.0\n")
        runs = self.run_it("--dag-id", "train", "--list-runs", "--limit", "2")
        self.assertEqual([line.split()[:3] for line in runs.stdout.splitlines()], [["RUN", "STATE", "TYPE"], ["running__2024-01-04", "running", "manual"], ["manual__2024-01-03", "failed", "manual"]])

    def test_which_runs_tasks_and_indexes(self) -> None:
        self.assertEqual(self.pull("--run-id", "latest")["runs"][0]["run_id"], "running__2024-01-04")
        self.assertEqual(self.pull("--run-id", "latest:success")["runs"][0]["run_id"], SECOND)
        self.assertEqual(self.pull("--run-id", "scheduled__2024-01-02")["runs"][0]["run_id"], SECOND)
        self.assertEqual(len(self.pull("--run-id", "latest:success", "--task-id", "fit*")["xcoms"]), 2)
        self.assertEqual([xcom["map_index"] for xcom in self.pull("--run-id", "scheduled__2024-01-01", "--map-index", "0..9")["xcoms"]], [0, 1])
        self.assertEqual([xcom["key"] for xcom in self.pull("--run-id", "scheduled__2024-01-01", "--key", "*", "--task-id", "fit")["xcoms"]], ["model", "return_value"])
        several = self.run_it("--dag-id", "train", "--run-id", "scheduled__2024")
        self.assertEqual((several.returncode, several.stdout), (2, ""))
        self.assertIn("several runs begin with scheduled__2024: " + SECOND, several.stderr)

    def test_more_than_one_answer_holds(self) -> None:
        asked = ("--dag-id", "train", "--run-id", SECOND)
        self.assertIn("there are more: raise --limit\n", self.run_it(*asked, "--limit", "1").stderr)
        self.assertTrue("BUDGET_BYTES = 16 *" in self.script)
        self.write("xcom-pull", self.script.replace("BUDGET_BYTES = 16 * 1024 * 1024", "BUDGET_BYTES = 1"))
        done = self.run_it(*asked)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertIn("there are more than one answer holds (16 MB)", done.stderr)

    def test_nothing_from_elsewhere_moves_the_cursor(self) -> None:
        evil = "a\x1b[2J\x01\n\r\x7f\x9b\u2028\u202e\u2066b"
        shown = "a\\u001b[2J\\u0001\\u000a\\u000d\\u007f\\u009b\\u2028\\u202e\\u2066b"
        with sqlite3.connect(self.url[len("sqlite:///"):]) as connection:
            connection.execute("INSERT INTO dag_run (id, dag_id, run_id, state, run_type, run_after) VALUES (90, 'train', ?, ?, ?, '2025-01-01 00:00:00')", (evil, evil, evil))
            connection.execute("INSERT INTO dag (dag_id) VALUES (?)", (evil,))
            kept = {"k": evil, "c": {"__classname__": evil, "__version__": 1, "__data__": 1}}
            connection.execute("INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp) VALUES (90, ?, -1, ?, 'train', ?, ?, '2025-01-01 00:00:00')", (evil, evil, evil, json.dumps(kept)))
        connection.close()
        for flags, code, texts in (
            (("--dag-id", "train", "--run-id", "latest", "--key", "*"), 0, [f"train · {shown} ({shown})", shown + "  " + shown]),
            (("--dag-id", "train", "--list-runs"), 0, [shown + "  " + shown + "  " + shown]),
            (("--dag-id", evil, "--run-id", "latest"), 0, [f"DAG {shown} has no runs yet"]),
            (("--dag-id", "train", "--run-id", evil + "c"), 0, [f"has no run {shown}c; its last ones are {shown} ({shown})"]),
            (("--dag-id", "train", "--run-id", "latest", "--key", evil, "--task-id", "x"), 0, [f"run {shown} has no task x"]),
            (("--dag-id", "train", "--run-id", "latest", "--pod", evil), 3, [f"there is no pod {shown}"]),
        ):
            if "--pod" in flags:
                self.write("refuse", 'Error from server (NotFound): pods "x" not found')
            done = self.run_it(*flags)
            self.assertEqual(done.returncode, code, done.stderr)
            for text in texts:
                self.assertIn(text, done.stdout + done.stderr)
            self.assertNotRegex(done.stdout + done.stderr, "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
        os.remove(os.path.join(self.stage, "refuse"))
        self.assertEqual(self.pull("--run-id", "latest", "--key", "*")["xcoms"][0]["value"], {"k": evil, "c": {"$class": evil, "$version": 1, "data": 1}})

    def test_usage(self) -> None:
        for flags in ((), ("--dag-id", "train"), ("--dag-id", "train", "--run-id", "latest", "--map-index", "a"), ("--dag-id", "train", "--run-id", "latest", "--map-index", "5..2"), ("--dag-id", "t", "--run-id", "latest", "--limit", "0"), ("--dag-id", "t", "--run-id", "l", "--timeout", "0"), ("--what",)):
            self.assertEqual(self.run_it(*flags).returncode, 2, flags)

    def test_nothing_matched(self) -> None:
        for flags, hint in (
            (("--dag-id", "trainn", "--run-id", "latest"), "there is no DAG trainn; known are train, trial, other, unrelated_dag"),
            (("--dag-id", "train", "--run-id", "none"), "DAG train has no run none; its last ones are running__2024-01-04 (running)"),
            (("--dag-id", "train", "--run-id", SECOND, "--task-id", "fitt"), f"run {SECOND} has no task fitt; it has fit, fit_all, score"),
            (("--dag-id", "train", "--run-id", "scheduled__2024-01-01", "--task-id", "score", "--map-index", "7"), "key return_value has the map indexes 0 to 1"),
            (("--dag-id", "train", "--run-id", SECOND, "--task-id", "fit", "--key", "auc"), "key auc was not pushed (fit is success); pushed were return_value"),
            (("--dag-id", "train", "--run-id", "latest", "--task-id", "fit"), "nothing was pushed: fit is running"),
            (("--dag-id", "train", "--run-id", "manual__2024-01-03", "--key", "pickled"), "1 pickled values were moved to _xcom_archive"),
            (("--dag-id", "trial", "--list-runs"), "DAG trial has no runs yet"),
        ):
            with self.subTest(hint):
                done = self.run_it(*flags)
                self.assertEqual((done.returncode, done.stdout), (0, ""))
                self.assertIn("  → " + hint, done.stderr)
                self.assertEqual(self.run_it(*flags, "--fail-empty").returncode, 10)

    def test_failures(self) -> None:
        asked = ("--dag-id", "train", "--run-id", "latest")
        cases: list[tuple[dict[str, str], int, str]] = [
            ({"refuse": "Error from server (Forbidden): pods is forbidden"}, 3, "the cluster does not allow it"),
            ({"refuse": "Unable to connect to the server: dial tcp: i/o timeout"}, 3, "the Kubernetes API does not answer"),
            ({"refuse": "E1122 couldn't get current server API group list\nThe connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?"}, 3, "the Kubernetes API does not answer: The connection to the server 10.0.0.1:6443 was refused"),
            ({"pods.json": json.dumps({"items": []})}, 3, "no pod matches component=scheduler in this context's namespace"),
            ({"pods.json": json.dumps({"items": [{**POD, "status": {"phase": "Pending"}}]})}, 3, "airflow-scheduler-1 is Pending"),
            ({"pods.json": json.dumps({"items": [{**POD, "spec": {"containers": [{"name": "main"}]}}]})}, 3, "has no container scheduler (it has main)"),
            ({"pods.json": "<html>"}, 3, "gave no JSON"),
            ({"cut": ""}, 6, "was cut: "),
        ]
        for files, code, text in cases:
            with self.subTest(text):
                for name, content in files.items():
                    self.write(name, content)
                done = self.run_it(*asked)
                self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
                self.assertIn(text, done.stderr)
                self.pods(POD)
                for name in files.keys() - {"pods.json"}:
                    os.remove(os.path.join(self.stage, name))
        self.assertEqual(self.run_it(*asked, "--kubectl", "/nowhere/kubectl").returncode, 3)
        down = self.run_it(*asked, url="sqlite:////nowhere/s3cret.db")
        self.assertEqual((down.returncode, "s3cret" in down.stderr), (5, False))

    def test_what_the_pod_itself_says_is_neither_told_nor_believed(self) -> None:
        asked = ("--dag-id", "train", "--run-id", "latest")
        noise = "site hook: postgresql://airflow:PASSWORD@host/db: connection refused\n403 forbidden for PASSWORD\nunauthorized: PASSWORD\npod PASSWORD has been deleted, container not found\n"
        cases: list[tuple[str, int, str]] = [
            (noise, 4, "the probe failed in air/airflow-scheduler-1 (scheduler): exit 1"),
            (noise + "command terminated with exit code 1\n", 4, "the probe failed in"),
            (noise + "Unable to connect to the server: dial tcp: i/o timeout\n" + noise, 3, "the Kubernetes API does not answer, said kubectl or a program in air/airflow-scheduler-1 (scheduler)\n"),
            (noise + "Error from server (Forbidden): pods/exec is forbidden\n", 3, "the cluster does not allow it, said kubectl or a program in"),
            ("error: postgresql://airflow:PASSWORD@host/db: connection refused\nerror: PASSWORD\nError from server: PASSWORD\n", 3, "the Kubernetes API does not answer, said kubectl or a program in"),
        ]
        for words, code, text in cases:
            with self.subTest(text):
                self.write("exec-fails", words)
                done = self.run_it(*asked)
                self.assertEqual((done.returncode, done.stdout), (code, ""))
                self.assertIn(text, done.stderr)
                self.assertNotIn("PASSWORD", done.stderr)
                with open(os.path.join(self.stage, "calls"), encoding="utf-8") as file:
                    self.assertEqual(sum(" exec " in call for call in file), 1, "it is not tried again for what the pod said")
                os.remove(os.path.join(self.stage, "calls"))

    def test_a_pod_that_goes_away_is_replaced(self) -> None:
        newer = {**POD, "metadata": {**POD["metadata"], "name": "airflow-scheduler-2", "creationTimestamp": "2024-02-01T00:00:00Z"}}  # type: ignore[dict-item]
        self.pods(POD, newer)
        self.assertEqual(self.pull("--run-id", "latest")["source"]["target"], "air/airflow-scheduler-2 (scheduler)")
        self.write("exec-fails", 'Error from server (NotFound): pods "airflow-scheduler-2" not found')
        self.assertEqual(self.pull("--run-id", "latest")["source"]["target"], "air/airflow-scheduler-1 (scheduler)")

    def test_a_probe_that_stalls(self) -> None:
        self.write("kubectl", KUBECTL.replace('exec "$PYTHON" "$@"', 'sleep 50'))
        done = self.run_it("--dag-id", "train", "--run-id", "latest", "--timeout", "1")
        self.assertEqual(done.returncode, 4)
        self.assertIn("gave no answer within 1 s", done.stderr)

    def test_old_interpreters(self) -> None:
        for minor in range(8, 20):
            python = shutil.which(f"python3.{minor}")
            if python is not None and subprocess.run([python, "-c", ""], capture_output=True, timeout=20).returncode == 0:
                done = self.run_it("--dag-id", "train", "--run-id", SECOND, "--json", python=python)
                self.assertEqual((done.returncode, len(json.loads(done.stdout)["xcoms"])), (0, 3), done.stderr)


if __name__ == "__main__":
    unittest.main()
