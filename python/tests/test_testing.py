"""`leoflow.testing`: DAG files loaded and their tasks run in the process of a test."""

import os
import tempfile
import unittest
from unittest import mock

from leoflow.testing import DagNotSound, load_dag

DAGS = '''
import logging
from airflow.sdk import BaseHook, DAG, Param, Variable, task
from airflow.exceptions import AirflowSkipException
from airflow.providers.standard.operators.bash import BashOperator

with DAG("tested", schedule=None, params={"n": Param(3, type="integer")}) as dag:
    @task
    def numbers(params=None):
        print("printed", params["n"])
        logging.getLogger("mine").info("logged")
        return list(range(params["n"]))

    @task
    def double(n):
        return n * 2

    @task
    def total(values, ti=None):
        ti.xcom_push("count", len(values))
        return sum(values)

    @task
    def secrets():
        connection = BaseHook.get_connection("db")
        return [Variable.get("greeting"), connection.host, connection.port]

    @task
    def fails(ti=None):
        raise ValueError(f"on purpose, try {ti.try_number}")

    @task
    def skips():
        raise AirflowSkipException("not today")

    @task.branch
    def pick():
        return "fails"

    total(double.expand(n=numbers())) >> BashOperator(task_id="say", bash_command="echo {{ ds }} {{ ti.xcom_pull(task_ids='total') }}") >> [secrets(), skips()]
    pick() >> fails()
'''


class Testing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.dag = load_dag(cls.write("tested.py", DAGS))

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def test_the_graph(self):
        self.assertEqual(self.dag.task_ids, ["numbers", "double", "total", "say", "secrets", "skips", "pick", "fails"])
        self.assertEqual(self.dag.downstream_of("say"), {"secrets", "skips"})
        self.assertEqual(self.dag.dag.task_dict["double"].is_mapped, True)

    def test_a_task_with_params_and_what_it_says(self):
        result = self.dag.run_task("numbers", params={"n": 2})
        self.assertEqual((result.outcome, result.value, result.error), ("success", [0, 1], None))
        self.assertIn("printed 2\n", result.log)
        self.assertIn("logged\n", result.log)
        self.assertEqual(self.dag.run_task("numbers").value, [0, 1, 2])

    def test_xcoms_of_others_are_given_and_own_ones_come_back(self):
        self.assertEqual(self.dag.run_task("double", xcoms={"numbers": [4, 5]}, map_index=1).value, 10)
        result = self.dag.run_task("total", xcoms={"double": [1, 2, 3]})
        self.assertEqual((result.value, result.xcoms), (6, {"count": 3, "return_value": 6}))

    def test_templates_are_rendered(self):
        result = self.dag.run_task("say", xcoms={"total": 7}, logical_date="2026-01-31")
        self.assertEqual(result.value, "2026-01-31 7")
        self.assertEqual(result.rendered_fields["bash_command"], "echo 2026-01-31 7")

    def test_variables_and_connections(self):
        for connection in ("postgres://u:p@h.example:5432/x", {"conn_type": "postgres", "host": "h.example", "port": 5432}):
            result = self.dag.run_task("secrets", variables={"greeting": "hi"}, connections={"db": connection})
            self.assertEqual(result.value, ["hi", "h.example", 5432], result.error)
        self.assertIn("greeting", self.dag.run_task("secrets", connections={"db": "x://h"}).error)
        self.assertIn("`db` isn't defined", self.dag.run_task("secrets").error)

    def test_a_failure_a_skip_and_a_branch(self):
        failed = self.dag.run_task("fails", try_number=2)
        self.assertEqual((failed.outcome, failed.error, failed.value), ("failed", "ValueError: on purpose, try 2", None))
        self.assertIn("tested.py", str(failed.traceback))
        self.assertEqual(self.dag.run_task("skips").outcome, "skipped")
        self.assertIsNotNone(self.dag.run_task("pick").skips)

    def test_what_a_test_patched_counts(self):
        with mock.patch("leoflow.dagmodel.connections.Variable.get", return_value="patched"):
            self.assertEqual(self.dag.run_task("secrets", connections={"db": "x://h"}).value[0], "patched")

    def test_an_unknown_task_is_named_with_those_there_are(self):
        with self.assertRaisesRegex(KeyError, "no task 'nobody'; it has .*numbers"):
            self.dag.run_task("nobody")

    def test_files_that_hold_none_several_or_an_unsound_one(self):
        two = self.write("two.py", "from airflow.sdk import DAG\na, b = DAG('a'), DAG('b')\n")
        self.assertEqual(load_dag(two, "b").dag.dag_id, "b")
        for file, dag_id, said in (
            (two, None, r"\['a', 'b'\]; say which with dag_id="), (two, "c", r"\['a', 'b'\], not 'c'"), (self.write("none.py", "x = 1\n"), None, "holds no DAG"),
            (self.write("cycle.py", "from airflow.sdk import DAG, task\nwith DAG('c'):\n    @task\n    def f(): pass\n    a = f()\n    b = f()\n    a >> b >> a\n"), None, "cycle"),
        ):
            with self.assertRaisesRegex(DagNotSound, said):
                load_dag(file, dag_id)
        with self.assertRaisesRegex(ValueError, "its own"):
            load_dag(self.write("raises.py", "raise ValueError('its own')\n"))

    def test_a_whole_run_needs_the_command(self):
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}, clear=True), self.assertRaisesRegex(FileNotFoundError, "leoflow pytest"):
            self.dag.run()

    def test_a_whole_run_with_given_values(self):
        command = os.path.join(os.path.dirname(__file__), "..", "..", "bin", "leoflow")
        with mock.patch.dict(os.environ, {"LEOFLOW_TEST_COMMAND": command, "LEOFLOW_HOME": os.path.join(self.folder.name, "home")}):
            run = self.dag.run(params={"n": 2}, variables={"greeting": "hi"}, connections={"db": "postgres://h:1/x"}, logical_date="2026-01-31")
        self.assertEqual(run.state, "failed", run.output)
        self.assertEqual((run.states["double"], run.states["fails"], run.states["skips"]), (["success", "success"], "failed", "skipped"))
        self.assertEqual((run.values["say"], run.values["secrets"]), ("2026-01-31 2", ["hi", "h", 1]))
        self.assertIn("on purpose", run.output)


if __name__ == "__main__":
    unittest.main()
