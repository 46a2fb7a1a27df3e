"""LatestOnlyOperator by the interval that follows, and pulls as Airflow 3.2.1 answers them."""

from __future__ import annotations

import importlib.util
import unittest
from typing import Any

from tests.memory_engine import MemoryRun, make_spec

if importlib.util.find_spec("jinja2") is None or importlib.util.find_spec("pendulum") is None:
    raise unittest.SkipTest("needs Jinja2 and pendulum: python3 -m pip install jinja2 pendulum")

FILE, DAG = "latest_and_pulls.py", "latest_and_pulls"


def followed(run_type: str, next_interval_end: str | None) -> Any:
    """What LatestOnlyOperator lets go on."""
    run = {**make_spec("latest")["run"], "run_type": run_type, "next_interval_end": next_interval_end}
    report = MemoryRun(FILE, DAG, run=run).run("latest")
    return report["skips"]["followed"]


class LatestOnlyTest(unittest.TestCase):
    """A run is the latest until the interval after its own has ended."""

    def test_an_old_run_skips(self) -> None:
        self.assertEqual(followed("scheduled", "2026-01-03T00:00:00Z"), [])

    def test_the_newest_run_goes_on(self) -> None:
        self.assertEqual(followed("scheduled", "2999-01-01T00:00:00Z"), ["below"])

    def test_the_last_run_of_all_goes_on(self) -> None:
        self.assertEqual(followed("scheduled", None), ["below"])

    def test_a_run_by_hand_goes_on(self) -> None:
        self.assertEqual(followed("manual", "2026-01-03T00:00:00Z"), ["below"])


class PullTest(unittest.TestCase):
    """`ti.xcom_pull`."""

    def test_default_counts_only_beside_map_indexes(self) -> None:
        run = MemoryRun(FILE, DAG)
        run.run("pull")
        self.assertEqual(run.value("pull"), [None, "given"])

    def test_prior_dates_are_asked_of_the_server(self) -> None:
        run = MemoryRun(FILE, DAG)
        prior = {None: '["new", "old"]', -1: '"new"'}
        run.api.find_xcom = lambda task_id, key, map_index, prior=False, values=prior: values[map_index] if prior else None
        run.run("pull_prior")
        self.assertEqual(run.value("pull_prior"), [["new", "old"], "new"])

    def test_the_type_of_a_run_renders_as_in_airflow(self) -> None:
        run = MemoryRun(FILE, DAG)
        run.run("run_type")
        self.assertEqual(run.value("run_type"), ["DagRunType.MANUAL", True])


if __name__ == "__main__":
    unittest.main()
