"""Runs whole fixture DAGs in memory: outcomes, XComs, branches, mapping, sensors, failures."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import unittest

from tests.memory_engine import MemoryRun

if importlib.util.find_spec("jinja2") is None or importlib.util.find_spec("pendulum") is None:
    raise unittest.SkipTest("needs Jinja2 and pendulum: python3 -m pip install jinja2 pendulum")


class TaskflowTest(unittest.TestCase):
    """@task and what surrounds it."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.run_ = MemoryRun("taskflow.py", "taskflow").run_all()

    def test_every_task_succeeds(self) -> None:
        failed = {key: report.get("error") for key, report in self.run_.reports.items() if report["outcome"] != "success"}
        self.assertEqual(failed, {})

    def test_values_flow(self) -> None:
        self.assertEqual(self.run_.value("add"), [3, "add", "2026-01-02", 3, "manual__2026-01-02T00:00:00+00:00", ["conn"]])
        self.assertEqual(self.run_.value("add__1")[0], 12)

    def test_multiple_outputs_are_pushed_by_key(self) -> None:
        self.assertEqual(self.run_.value("pair", key="left"), 1)
        self.assertEqual(self.run_.value("many", key="two"), {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]})
        self.assertEqual(self.run_.value("pair"), {"left": 1, "right": 2})

    def test_default_args_reach_functions(self) -> None:
        self.assertEqual(self.run_.value("greet"), "hi")

    def test_envelopes_come_back(self) -> None:
        self.assertEqual(self.run_.value("back"), "ok")
        self.assertEqual(self.run_.value("odd_types")["p"]["__data__"], {"x": 1, "y": 2})

    def test_bash_decorator_renders_its_env(self) -> None:
        self.assertEqual(self.run_.value("shell"), "word 2026-01-02 shell")
        self.assertEqual(self.run_.reports[("shell", -1)]["rendered_fields"]["bash_command"], "echo word $NAME $AIRFLOW_CTX_TASK_ID")

    def test_current_context_and_coroutines(self) -> None:
        self.assertEqual(self.run_.value("current"), 1)
        self.assertEqual(self.run_.value("later"), "awaited")

    def test_mapped_length_is_reported(self) -> None:
        lengths = {x["key"]: x["mapped_length"] for x in self.run_.reports[("many", -1)]["xcoms"]}
        self.assertEqual(lengths, {"one": None, "two": 2, "return_value": 2})

    def test_conf_overrides_params(self) -> None:
        run = MemoryRun("taskflow.py", "taskflow", conf={"n": 9})
        run.run("number"), run.run("pair")
        self.assertEqual(run.run("add")["outcome"], "success")
        self.assertEqual(run.value("add")[3], 9)

    def test_without_logical_date_there_is_no_ds(self) -> None:
        run = MemoryRun("taskflow.py", "taskflow")
        run.run("number"), run.run("pair")
        report = run.run("add", run={"run_id": "r", "run_type": "manual", "logical_date": None, "run_after": "2026-01-02T00:00:00Z"})
        self.assertEqual(run.value("add")[2], None)
        self.assertEqual(report["outcome"], "success")


class MappingTest(unittest.TestCase):
    """expand and its relatives."""

    @classmethod
    def setUpClass(cls) -> None:
        counts = {"times": 6, "from_rows": 2, "partly": 3, "zipped": 3, "concat": 6, "from_dict": 2, "echo": 2, "section.up": 3, "section.down": 3}
        cls.run_ = MemoryRun("mapping.py", "mapping").run_all(counts)

    def values(self, task_id: str, count: int) -> list:
        return [self.run_.value(task_id, i) for i in range(count)]

    def test_every_instance_succeeds(self) -> None:
        failed = {key: report.get("error") for key, report in self.run_.reports.items() if report["outcome"] != "success"}
        self.assertEqual(failed, {})

    def test_last_argument_is_fastest(self) -> None:
        self.assertEqual(self.values("times", 6), [10, 100, 20, 200, 30, 300])
        self.assertEqual(self.run_.value("total"), 660)

    def test_rows_and_partial(self) -> None:
        self.assertEqual(self.values("from_rows", 2), [2, 12])
        self.assertEqual(self.values("partly", 3), [2, 4, 6])

    def test_zip_concat_map_dict(self) -> None:
        packed = [[1, "a"], [2, "b"], [3, "-"]]
        self.assertEqual([v["__data__"] for v in self.values("zipped", 3)], packed)
        self.assertEqual(self.values("concat", 6), [2, 3, 4, 2, 3, 4])
        self.assertEqual([v["__data__"] for v in self.values("from_dict", 2)], [["k", "v"], ["l", "w"]])

    def test_classic_operator(self) -> None:
        self.assertEqual(self.values("echo", 2), ["one 2026-01-02", "two"])

    def test_mapped_group_uses_matching_index(self) -> None:
        self.assertEqual(self.values("section.down", 3), ["1-fixed/L", "2-fixed/L", "3-fixed/L"])
        self.assertEqual(self.run_.value("gather"), ["1-fixed/L", "2-fixed/L", "3-fixed/L"])

    def test_map_index_template(self) -> None:
        self.assertEqual(self.run_.reports[("times", 4)]["rendered_map_index"], "3")

    def test_a_mapped_task_needs_an_index(self) -> None:
        report = MemoryRun("mapping.py", "mapping").run("times")
        self.assertEqual((report["outcome"], report["error"]["type"]), ("failed", "RuntimeError"))

    def test_too_long_a_value_to_map_over(self) -> None:
        run = MemoryRun("mapping.py", "mapping")
        run.dag.task_dict["numbers"].python_callable = lambda: list(range(1025))
        report = run.run("numbers")
        self.assertEqual((report["outcome"], report["error"]["type"]), ("failed", "UnmappableXComLengthPushed"))

    def test_nothing_to_map_over(self) -> None:
        run = MemoryRun("mapping.py", "mapping")
        for value, error in ((None, "XComForMappingNotPushed"), (5, "UnmappableXComTypePushed")):
            run.dag.task_dict["numbers"].python_callable = lambda value=value: value
            self.assertEqual(run.run("numbers")["error"]["type"], error)


class NestedTest(unittest.TestCase):
    """Groups in groups."""

    def test_nested_mapped_groups_use_both_indexes(self) -> None:
        counts = {"outer.head": 2, "outer.inner.leaf": 6, "outer.inner.after": 6, "outer.collect": 2}
        run = MemoryRun("nested.py", "nested").run_all(counts)
        self.assertEqual([run.value("outer.inner.after", i) for i in range(6)], ["1<a>a!", "2<a>a!", "3<a>a!", "1<b>b!", "2<b>b!", "3<b>b!"])
        self.assertEqual(run.value("outer.collect", 1), ["1<b>b!", "2<b>b!", "3<b>b!"])

    def test_names(self) -> None:
        dag = MemoryRun("nested.py", "nested").dag
        self.assertEqual([t for t in dag.task_dict if not t.startswith("outer")], ["g.same", "g.same__1", "free", "again.same", "again__1.same"])
        self.assertEqual(sorted(dag.task_group_dict), ["again", "again__1", "g", "g.deep", "outer", "outer.inner"])
        self.assertEqual(dag.task_dict["g.same"].retries, 4)
        self.assertEqual(dag.task_dict["again__1.same"].upstream_task_ids, {"again.same"})


class BranchingTest(unittest.TestCase):
    """Skips of all kinds."""

    def setUp(self) -> None:
        self.run_ = MemoryRun("branching.py", "branching")

    def test_branch_to_a_group_follows_its_roots(self) -> None:
        report = self.run_.run("choose")
        self.assertEqual(report["skips"], {"followed": ["group.a"]})
        self.assertEqual([x["key"] for x in report["xcoms"]], ["skipmixin_key"])
        self.assertEqual(self.run_.value("choose", key="skipmixin_key"), {"followed": ["group.a"]})

    def test_custom_branch_operator(self) -> None:
        self.assertEqual(self.run_.run("mine")["skips"], {"followed": ["left"]})

    def test_unknown_branch_fails(self) -> None:
        report = self.run_.run("wrong")
        self.assertEqual(report["outcome"], "failed")
        self.assertIn("nowhere", report["error"]["message"])

    def test_short_circuits(self) -> None:
        self.assertEqual(self.run_.run("stop")["skips"], {"skipped": ["e0"], "all": True})
        self.assertEqual(self.run_.value("stop", key="skipmixin_key"), {"skipped": ["e0", "tail"]})
        self.assertEqual(self.run_.run("soft")["skips"], {"skipped": ["e1"]})
        report = self.run_.run("go")
        self.assertNotIn("skips", report)
        self.assertEqual(self.run_.value("go"), "yes")

    def test_outcomes_of_exceptions(self) -> None:
        self.assertEqual(self.run_.run("conditional")["outcome"], "skipped")
        self.assertEqual(self.run_.run("skipping")["outcome"], "skipped")
        failing = self.run_.run("failing")
        self.assertEqual((failing["outcome"], failing["no_retry"], failing["cause"]), ("failed", True, "user_error"))
        exiting = self.run_.run("exiting")
        self.assertEqual((exiting["outcome"], exiting["exit_code"]), ("failed", 3))

    def test_unserialisable_value_says_what_to_do(self) -> None:
        message = self.run_.run("broken")["error"]["message"]
        for part in ("'broken'", "builtins.object", "do_xcom_push=False"):
            self.assertIn(part, message)

    def test_too_large_a_value(self) -> None:
        report = self.run_.run("go", xcom_max_bytes=3)
        self.assertEqual((report["outcome"], report["error"]["type"]), ("failed", "XComTooLarge"))
        self.assertIn("the limit is 3", report["error"]["message"])

    def test_classic_operators(self) -> None:
        self.assertEqual(self.run_.run("old")["outcome"], "success")
        self.assertEqual(self.run_.value("old"), "W2026-01-02")
        report = self.run_.run("old_branch")
        self.assertIn("Invalid tasks", report["error"]["message"]) if report["outcome"] == "failed" else self.assertIn("skips", report)

    def test_unknown_task(self) -> None:
        report = self.run_.run("never_heard_of")
        self.assertEqual((report["outcome"], report["error"]["type"]), ("failed", "TaskNotFound"))


class SensingTest(unittest.TestCase):
    """Sensors, bash, timeouts, custom operators."""

    def setUp(self) -> None:
        self.run_ = MemoryRun("sensing.py", "sensing")

    def test_custom_operator_with_templates(self) -> None:
        self.run_.run("greeter")
        self.assertEqual(self.run_.value("greeter"), "hello 20260102 4 manual")

    def test_reschedule_and_its_timeout(self) -> None:
        report = self.run_.run("waiting")
        self.assertEqual(report["outcome"], "up_for_reschedule")
        self.assertTrue(29 < report["reschedule_in_seconds"] <= 30)
        late = self.run_.run("waiting", first_start="2026-01-01T00:00:00Z")
        self.assertEqual((late["outcome"], late["no_retry"], late["error"]["type"]), ("failed", True, "AirflowSensorTimeout"))

    def test_poke_mode(self) -> None:
        self.assertEqual(self.run_.run("ready")["outcome"], "success")
        self.assertEqual(self.run_.value("ready"), "there")
        self.assertEqual(self.run_.run("late")["no_retry"], True)
        self.assertEqual(self.run_.run("late_soft")["outcome"], "skipped")
        self.assertEqual(self.run_.run("file")["outcome"], "success")

    def test_execution_timeout(self) -> None:
        report = self.run_.run("slow")
        self.assertEqual((report["outcome"], report["cause"], report["error"]["type"]), ("failed", "timeout", "AirflowTaskTimeout"))
        self.assertEqual(self.run_.run("hangs")["cause"], "timeout")

    def test_cancelling_ends_what_the_task_started(self) -> None:
        timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        report = self.run_.run("hangs", execution_timeout_seconds=30)
        timer.join()
        self.assertEqual((report["outcome"], report["cause"]), ("failed", "cancelled"))

    def test_bash(self) -> None:
        self.run_.run("lines"), self.run_.run("number"), self.run_.run("script")
        self.assertEqual(self.run_.value("lines"), "two")
        self.assertEqual(self.run_.value("number"), '{"A": 1}')
        self.assertEqual(self.run_.value("script"), "from file 2026-01-02")
        self.assertEqual(self.run_.run("skips")["outcome"], "skipped")
        self.assertIn("exit code 3", self.run_.run("fails")["error"]["message"])

    def test_failure_callback_sees_the_exception(self) -> None:
        self.run_.run("callback_on_failure")
        module = next(m for name, m in sys.modules.items() if name.startswith("leoflow_dag_") and name.endswith("_sensing"))
        self.assertEqual(module.CALLS, ["ValueError"])

    def test_the_server_says_whether_a_failure_is_tried_again(self) -> None:
        called: list[str] = []
        task = self.run_.dag.task_dict["callback_on_failure"]
        self.assertEqual(task.retries, 0, "leoflow.yaml may say another number")
        task.on_retry_callback = [lambda context: called.append(f"retry {context['ti'].state}")]
        task.on_failure_callback = [lambda context: called.append(f"failure {context['ti'].state}")]
        self.run_.run("callback_on_failure", try_number=1, max_tries=1, may_retry=True)
        task.retries = 2
        self.run_.run("callback_on_failure", try_number=1, max_tries=2, may_retry=False)
        self.assertEqual(called, ["retry up_for_retry", "failure failed"])

    def test_environment_names_the_instance(self) -> None:
        self.run_.run("lines")
        self.assertEqual(os.environ["AIRFLOW_CTX_TASK_ID"], "lines")


if __name__ == "__main__":
    unittest.main()
