"""Unit tests of DAGs: load a file, look at its graph, run one task or all of them in this process. For pytest, unittest or a script.

    from leoflow.testing import load_dag

    def test_add_up():
        orders = load_dag("dags/orders.py")
        assert orders.run_task("add_up", xcoms={"extract": [{"shop": "north", "orders": [1, 2]}]}, map_index=0).value == 3
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from leoflow.dagmodel.connections import Connection
from leoflow.parse.check import check_dag
from leoflow.run import load
from leoflow.run.task import run_task
from leoflow.run.values import decode, encode

class DagNotSound(AssertionError):
    """The file holds no such DAG, or what it draws cannot run."""


@dataclass(frozen=True)
class TaskResult:
    """How one task instance ended. `value` is what it returned, after its way through JSON."""

    task_id: str
    map_index: int
    outcome: str
    value: Any
    xcoms: dict[str, Any]
    error: str | None
    traceback: str | None
    log: str
    #: What a branch chose or a short circuit decided.
    skips: dict[str, Any] | None
    rendered_fields: dict[str, Any]


@dataclass(frozen=True)
class RunResult:
    """A whole run that `leoflow test` played. `states` and `values` by task id; of a mapped task lists by map index."""

    state: str
    states: dict[str, Any]
    values: dict[str, Any]
    #: What tasks printed, and why one failed.
    output: str


def load_dag(file: str, dag_id: str | None = None) -> DagUnderTest:
    """The DAG of a file: the only one, or the one with this id.

    Raises `DagNotSound` for what `leoflow validate` would refuse, and whatever the file raises when it is imported.
    """
    path = os.path.abspath(file)
    dags = _dags_of(path)
    found = [dag for dag in dags if dag_id is None or dag.dag_id == dag_id]
    if len(found) != 1:
        ids = sorted(dag.dag_id for dag in dags)
        raise DagNotSound(f"{file} holds {ids or 'no DAG'}" + ("" if dag_id is None else f", not {dag_id!r}") + ("; say which with dag_id=" if len(found) > 1 else ""))
    faults = check_dag(found[0])
    if faults:
        raise DagNotSound("\n".join(f"{fault.file}:{fault.line}: {fault.message}" for fault in faults))
    load.warm(found[0])
    return DagUnderTest(found[0], path)


def _dags_of(path: str) -> list[Any]:
    root, name = os.path.dirname(path), os.path.basename(path)
    if path.endswith(".py"):
        return load.dags_of(load.execute_file(root, name))
    # What is no Python is compiled first: its functions come from where they lie, its tasks from the compiled form.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([_command(), "compile", path, "--sources", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise DagNotSound(done.stderr.strip())
        documents = json.loads(done.stdout)
        return [load.load_dag(folder, one["fileloc"], one["dag_id"], [root]) for one in (documents if isinstance(documents, list) else [documents])]


def _command() -> str:
    command = os.environ.get("LEOFLOW_TEST_COMMAND") or shutil.which("leoflow")
    if command is None:
        raise FileNotFoundError("there is no leoflow on PATH; run the tests with `leoflow pytest`")
    return command


class DagUnderTest:
    """A loaded DAG. `dag` is the object that the file made, with `tasks`, `task_dict` and the like."""

    def __init__(self, dag: Any, file: str) -> None:
        self.dag, self._file = dag, file

    @property
    def task_ids(self) -> list[str]:
        """Ids in the order they were drawn."""
        return [task.task_id for task in self.dag.tasks]

    def downstream_of(self, task_id: str) -> set[str]:
        """Ids of what comes right after a task."""
        return set(self.dag.task_dict[task_id].downstream_task_ids)

    def run_task(self, task_id: str, *, map_index: int = -1, **given: Any) -> TaskResult:
        """Run one task instance, whatever comes before it.

        map_index: of a mapped task, which instance
        given: `xcoms` {task_id: value, or (task_id, key): value; of a mapped task a list}, `params`, `variables` {key: text},
            `connections` {id: URI or fields}, `logical_date` (ISO text), `try_number`
        """
        if task_id not in self.dag.task_dict:
            raise KeyError(f"{self.dag.dag_id} has no task {task_id!r}; it has {self.task_ids}")
        return self._run(task_id, map_index, _Values(**given))

    def run(self, **given: Any) -> RunResult:
        """Run the whole DAG in processes of its own, planned by Leoflow itself; what a test has patched does not count there.

        given: as for `run_task`. Needs the `leoflow` command: `leoflow pytest` names it, else it is looked for on PATH.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(_Values(**given).as_file(), file)
            file.flush()
            done = subprocess.run([_command(), "test", self._file, "--dag", self.dag.dag_id, "--with", file.name, "--json"], capture_output=True, text=True, check=False)
        if not done.stdout.strip():
            raise DagNotSound(done.stderr.strip())
        played = json.loads(done.stdout)
        states: dict[str, Any] = {}
        for instance in played["task_instances"]:
            _put(states, instance, instance["state"])
        values: dict[str, Any] = {}
        for xcom in played["xcoms"]:
            if xcom["key"] == "return_value":
                _put(values, xcom, xcom["value"])
        return RunResult(played["state"], states, values, done.stderr)

    def _run(self, task_id: str, map_index: int, values: _Values) -> TaskResult:
        spec = values.spec(self.dag.dag_id, task_id, map_index)
        with _captured() as log:
            report = run_task(self.dag, spec, values)
        xcoms = {xcom["key"]: xcom["value"] for xcom in report.get("xcoms", ())}
        values.push(task_id, map_index, xcoms)
        decoded = {key: decode(text) for key, text in xcoms.items()}
        error = report.get("error")
        return TaskResult(
            task_id, map_index, report["outcome"], decoded.get("return_value"), decoded, None if error is None else f"{error['type']}: {error['message']}",
            None if error is None else error.get("traceback"), log.getvalue(), report.get("skips"), report.get("rendered_fields") or {},
        )


class _Values:
    """What a task asks a server for: XComs, variables and connections, over dicts."""

    def __init__(
        self, xcoms: dict[Any, Any] | None = None, params: dict[str, Any] | None = None, variables: dict[str, str] | None = None,
        connections: dict[str, Any] | None = None, logical_date: str | None = None, try_number: int = 1,
    ) -> None:
        self.params, self.logical_date, self.try_number = params or {}, logical_date, try_number
        self._variables = dict(variables or {})
        self._connections = {conn_id: _fields(conn_id, value) for conn_id, value in (connections or {}).items()}
        self._texts: dict[tuple[str, str, int], str] = {}
        self._given: dict[tuple[str, str], Any] = {}
        for name, value in (xcoms or {}).items():
            task_id, key = (name, "return_value") if isinstance(name, str) else name
            self._given[task_id, key] = value
            self._texts[task_id, key, -1] = encode(value)

    def spec(self, dag_id: str, task_id: str, map_index: int) -> dict[str, Any]:
        """The ExecutionSpec of an instance."""
        date = None if self.logical_date is None else _instant(self.logical_date)
        now = _instant(None)
        run = {
            "id": str(uuid.uuid4()), "run_id": "test", "run_type": "manual", "logical_date": date, "data_interval_start": date, "data_interval_end": date,
            "run_after": date or now, "start_date": now, "queued_at": now, "conf": self.params, "triggering_user_name": None,
        }
        return {
            "execution_id": str(uuid.uuid4()), "attempt_id": str(uuid.uuid4()), "token": "", "dag_id": dag_id, "version_id": str(uuid.uuid4()), "task_id": task_id,
            "map_index": map_index, "try_number": self.try_number, "max_tries": 0, "run": run, "xcom_max_bytes": 1 << 24, "first_start": now,
        }

    def push(self, task_id: str, map_index: int, xcoms: dict[str, str]) -> None:
        """Keep what a task pushed, for those after it."""
        for key, text in xcoms.items():
            self._texts[task_id, key, map_index] = text

    def as_file(self) -> dict[str, Any]:
        """The same, as `leoflow test --with` reads it."""
        document: dict[str, Any] = {"params": self.params, "variables": self._variables, "connections": self._connections}
        document["xcoms"] = {f"{task_id}/{key}": json.loads(encode(value)) for (task_id, key), value in self._given.items()}
        return {**document, **({} if self.logical_date is None else {"date": self.logical_date})}

    def find_xcom(self, task_id: str, key: str, map_index: int | None, run_id: str | None = None, dag_id: str | None = None, prior: bool = False) -> str | None:
        """JSON text of one value, or of the list of all instances' values."""
        if map_index is not None and map_index >= 0 and isinstance(self._given.get((task_id, key)), list):
            return encode(self._given[task_id, key][map_index])
        if map_index is not None or (task_id, key, -1) in self._texts:
            return self._texts.get((task_id, key, -1 if map_index is None else map_index))
        found = sorted((index, text) for (task, name, index), text in self._texts.items() if task == task_id and name == key)
        return f"[{','.join(text for _, text in found)}]" if found else None

    def find_variable(self, key: str) -> str | None:
        """The text of a variable."""
        return self._variables.get(key)

    def change_variable(self, key: str, request: dict[str, Any]) -> None:
        """Set or delete a variable, for the tasks of this test."""
        if request["op"] == "set":
            self._variables[key] = request["value"]
        else:
            self._variables.pop(key, None)

    def find_connection(self, conn_id: str) -> dict[str, Any] | None:
        """The fields of a connection."""
        return self._connections.get(conn_id)


def _fields(conn_id: str, given: Any) -> dict[str, Any]:
    connection = Connection(conn_id=conn_id, uri=given) if isinstance(given, str) else Connection(conn_id=conn_id, **given)
    names = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port", "extra")
    return {name: getattr(connection, name, None) for name in names}


def _instant(text: str | None) -> str:
    moment = datetime.now(timezone.utc) if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    """What a task prints and logs, as text; pytest's own capture sees it too."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    try:
        with contextlib.redirect_stdout(_Tee(log)):
            yield log
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Tee(io.TextIOBase):
    def __init__(self, log: io.StringIO) -> None:
        self._to = (log, sys.stdout)

    def write(self, text: str) -> int:
        for stream in self._to:
            stream.write(text)
        return len(text)


def _put(into: dict[str, Any], instance: dict[str, Any], value: Any) -> None:
    if instance["map_index"] < 0:
        into[instance["task_id"]] = value
    else:
        into.setdefault(instance["task_id"], []).append(value)
