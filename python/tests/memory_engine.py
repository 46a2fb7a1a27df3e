"""A tiny engine in memory for tests: runs a DAG's tasks in topological order with `run_task` and keeps their XComs."""

from __future__ import annotations

import json
import os
from typing import Any

from leoflow.run.load import load_dag
from leoflow.run.task import run_task

DAGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dags")


class MemoryApi:
    """What a task asks of its server, over dicts."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, int], str] = {}
        self.variables: dict[str, str] = {}
        self.connections: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, int | None]] = []

    def find_variable(self, key: str) -> str | None:
        """The text of a variable."""
        return self.variables.get(key)

    def change_variable(self, key: str, request: dict[str, Any]) -> None:
        """Set or delete a variable."""
        if request["op"] == "set":
            self.variables[key] = request["value"]
        else:
            self.variables.pop(key, None)

    def find_connection(self, conn_id: str) -> dict[str, Any] | None:
        """The fields of a connection."""
        return self.connections.get(conn_id)

    def find_xcom(self, task_id: str, key: str, map_index: int | None, run_id: str | None = None, dag_id: str | None = None) -> str | None:
        """JSON text of one value, or of the list of all instances' values."""
        self.asked.append((task_id, key, map_index))
        if map_index is not None:
            return self.values.get((task_id, key, map_index))
        found = sorted((i, text) for (t, k, i), text in self.values.items() if t == task_id and k == key)
        return f"[{','.join(text for _, text in found)}]" if found else None


def make_spec(task_id: str, *, map_index: int = -1, conf: Any = None, logical_date: str | None = "2026-01-02T00:00:00Z", **more: Any) -> dict[str, Any]:
    """An ExecutionSpec with the fields that tests do not care about filled in."""
    run = {
        "id": "00000000-0000-7000-8000-000000000001", "run_id": "manual__2026-01-02T00:00:00+00:00", "run_type": "manual",
        "logical_date": logical_date, "data_interval_start": logical_date, "data_interval_end": logical_date,
        "run_after": "2026-01-02T00:00:00Z", "start_date": "2026-01-02T00:00:01Z", "queued_at": None, "conf": conf,
        "triggering_user_name": None,
    }
    spec = {
        "execution_id": "00000000-0000-7000-8000-000000000002", "attempt_id": "00000000-0000-7000-8000-000000000003", "token": "t",
        "dag_id": "d", "version_id": "00000000-0000-7000-8000-000000000004", "task_id": task_id, "map_index": map_index,
        "try_number": 1, "max_tries": 0, "run": run, "xcom_max_bytes": 1 << 20,
    }
    return {**spec, **more}


class MemoryRun:
    """One run of one fixture DAG."""

    def __init__(self, file: str, dag_id: str, conf: Any = None, **spec: Any) -> None:
        self.dag = load_dag(DAGS, file, dag_id)
        self.api, self.conf, self.spec = MemoryApi(), conf, spec
        self.reports: dict[tuple[str, int], dict[str, Any]] = {}

    def run(self, task_id: str, map_index: int = -1, **more: Any) -> dict[str, Any]:
        """Run one task instance and keep its XComs."""
        spec = make_spec(task_id, map_index=map_index, conf=self.conf, **{"dag_id": self.dag.dag_id, **self.spec, **more})
        report = run_task(self.dag, spec, self.api)
        for xcom in report.get("xcoms", ()):
            self.api.values[(task_id, xcom["key"], map_index)] = xcom["value"]
        self.reports[(task_id, map_index)] = report
        return report

    def run_all(self, counts: dict[str, int] | None = None) -> MemoryRun:
        """Run every task after its upstream tasks; `counts` says how many instances a mapped one has."""
        done: set[str] = set()
        while len(done) < len(self.dag.task_dict):
            ready = [t for t in self.dag.tasks if t.task_id not in done and t.upstream_task_ids <= done]
            for task in ready:
                for index in range(counts[task.task_id]) if counts and task.task_id in counts else [-1]:
                    self.run(task.task_id, index)
                done.add(task.task_id)
        return self

    def value(self, task_id: str, map_index: int = -1, key: str = "return_value") -> Any:
        """A pushed value, as JSON holds it."""
        text = self.api.values.get((task_id, key, map_index))
        return None if text is None else json.loads(text)

    def outcome(self, task_id: str, map_index: int = -1) -> str:
        """How an instance ended."""
        return self.reports[(task_id, map_index)]["outcome"]
