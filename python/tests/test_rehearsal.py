"""The rehearsal before forks leaves no trace, and what it and the loader prepare changes nothing that a task shows."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import unittest
from datetime import datetime, timezone

from leoflow.agent.rehearsal import rehearse
from leoflow.dagmodel import stack
from leoflow.dagmodel.quick_log import info
from leoflow.run import logs
from leoflow.run.clock import text_of
from leoflow.run.load import load_dag
from leoflow.run.task import run_task
from tests.memory_engine import DAGS, MemoryApi, make_spec


class _Process:
    """What a rehearsal must leave as it was."""

    def __init__(self) -> None:
        with open("/proc/self/comm", encoding="utf-8") as file:
            self.name = file.read()
        self.environment = dict(os.environ)
        self.signals = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
        self.files = [os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)]
        self.open = sorted(os.listdir("/proc/self/fd"))
        self.dags, self.contexts = list(stack.registered_dags), list(stack.running_contexts)


class RehearsalTest(unittest.TestCase):
    """Before the first fork."""

    def setUp(self) -> None:
        root = logging.getLogger()
        self.addCleanup(setattr, sys, "stdout", sys.stdout)
        self.addCleanup(setattr, sys, "stderr", sys.stderr)
        self.addCleanup(root.handlers.__setitem__, slice(None), root.handlers[:])
        self.addCleanup(root.setLevel, root.level)
        self.addCleanup(setattr, logs, "_fd", logs._fd)
        self.addCleanup(logging.captureWarnings, False)

    def test_it_leaves_no_trace(self) -> None:
        dag = load_dag(DAGS, "mapping.py", "mapping")
        before = _Process()
        rehearse(dag)
        self.assertEqual(vars(_Process()), vars(before))

    def test_spare_copies_run_like_the_tasks(self) -> None:
        fresh, rehearsed = load_dag(DAGS, "mapping.py", "mapping"), load_dag(DAGS, "mapping.py", "mapping")
        rehearse(rehearsed)
        logs._fd = None
        for dag in (fresh, rehearsed, rehearsed):
            api = MemoryApi()
            api.values[("numbers", "return_value", -1)] = "[1, 2, 3]"
            report = run_task(dag, make_spec("times", map_index=4), api)
            self.assertEqual((report["outcome"], report["xcoms"][0]["value"]), ("success", "30"), report)

    def test_prepared_instances_are_what_a_constructor_makes(self) -> None:
        dag = load_dag(DAGS, "mapping.py", "mapping")
        task = dag.task_dict["times"]
        made = task._instantiate({**task.partial_kwargs, "op_kwargs": task._prepared.op_kwargs})
        ours = task._prepared.for_execution()
        ours.__dict__.pop("_watching")
        self.assertEqual({k: repr(v) for k, v in vars(ours).items()}, {k: repr(v) for k, v in vars(made).items()})


class QuickLogTest(unittest.TestCase):
    """Info lines without logging's machinery."""

    def setUp(self) -> None:
        RehearsalTest.setUp(self)
        self.file = tempfile.NamedTemporaryFile()
        self.addCleanup(self.file.close)
        logs.install(os.open(self.file.name, os.O_WRONLY | os.O_APPEND))
        self.logger = logging.getLogger("airflow.task.quick")

    def lines(self) -> list[str]:
        with open(self.file.name, encoding="utf-8") as file:
            return [line.split('"level"')[1].partition(',"lineno"')[0] for line in file]

    def test_both_ways_write_the_same(self) -> None:
        info(self.logger, "a %s “b”", ("t",))
        self.logger.info("a %s “b”", ("t",))
        info(self.logger, "%d", "no number")
        self.logger.info("%d", "no number")
        lines = self.lines()
        self.assertEqual((lines[0], lines[2]), (lines[1], lines[3]))

    def test_what_authors_set_on_loggers_counts(self) -> None:
        parent = logging.getLogger("airflow.task")
        self.addCleanup(parent.setLevel, parent.level)
        parent.setLevel(logging.WARNING)
        info(self.logger, "dropped")
        parent.setLevel(logging.NOTSET)
        keep = logging.Filter("other")
        self.logger.addFilter(keep)
        info(self.logger, "dropped too")
        self.logger.removeFilter(keep)
        self.assertEqual(self.lines(), [])


class ClockTest(unittest.TestCase):
    """Moments as text."""

    def test_days_change(self) -> None:
        for seconds in (0.0, 86_399.5, 86_400.0, 1_795_219_200.25, 951_782_400.0, 86_401.0):
            expected = datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
            self.assertEqual(text_of(seconds), expected)


if __name__ == "__main__":
    unittest.main()
