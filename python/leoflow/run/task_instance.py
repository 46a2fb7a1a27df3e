"""`ti`: the running task instance, its XComs, and which map index of an upstream task belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from itertools import product
from typing import Any

from leoflow.dagmodel.errors import UnsupportedFeature, XComNotFound, XComUnserializable
from leoflow.dagmodel.expansion import Product
from leoflow.dagmodel.moments import as_pendulum
from leoflow.dagmodel.notset import NOTSET, is_arg_set
from leoflow.dagmodel.task_types import RuntimeTaskInstance
from leoflow.dagmodel.xcom_arg import RETURN_KEY, LazySequence, ResolveMixin
from leoflow.run.values import decode, encode, unpack


class LazyXComSequence(LazySequence):
    """What all instances of a mapped task pushed, in index order; read on first use, each element opened when it is taken."""

    def __init__(self, ti: TaskInstance, task_id: str, key: str) -> None:
        self._ti, self._task_id, self._key = ti, task_id, key
        self._values: list[Any] | None = None

    def _read(self) -> list[Any]:
        if self._values is None:
            self._values = self._ti.find_all(self._task_id, self._key) or []
        return self._values

    def __len__(self) -> int:
        return len(self._read())

    def __getitem__(self, index: Any) -> Any:
        found = self._read()[index]
        return [unpack(item) for item in found] if isinstance(index, slice) else unpack(found)

    def __iter__(self) -> Iterator[Any]:
        return (unpack(item) for item in self._read())

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, (list, LazyXComSequence)) and list(self) == list(other)

    def __repr__(self) -> str:
        return f"LazyXComSequence([{len(self)} {'item' if len(self) == 1 else 'items'}])"

    __str__ = __repr__
    __hash__ = None


class TaskInstance(RuntimeTaskInstance):
    """One try of one instance of a task, in the process that runs it."""

    def __init__(self, spec: dict[str, Any], dag: Any, task: Any, api: Any, started: float) -> None:
        self.id = spec.get("attempt_id")
        self.task_id, self.dag_id, self.run_id = task.task_id, dag.dag_id, spec["run"]["run_id"]
        self.map_index, self.try_number, self.max_tries = spec["map_index"], spec["try_number"], spec["max_tries"]
        self.dag_version_id = spec.get("version_id")
        self.task, self.spec, self.api = task, spec, api
        self.started = started
        self.state = "running"
        self.is_mapped = task.is_mapped or self.map_index >= 0
        self.pushed: dict[str, tuple[str, Any]] = {}
        self.skip_decision: dict[str, Any] | None = None
        self.rendered_map_index: str | None = None
        self.context: Any = None
        self._group_arguments: dict[int, dict[str, Any]] = {}

    def __repr__(self) -> str:
        return f"<TaskInstance: {self.dag_id}.{self.task_id} {self.run_id} map_index={self.map_index} [{self.state}]>"

    @property
    def started_at(self) -> datetime:
        """When this execution started, as the standard library has it."""
        return datetime.fromtimestamp(self.started, timezone.utc)

    @property
    def start_date(self) -> Any:
        """When this execution started."""
        return as_pendulum(self.started_at)

    @property
    def first_start(self) -> datetime | None:
        """When the first execution of this try started; None when this is the first."""
        text = self.spec.get("first_start")
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    @property
    def dag_run(self) -> Any:
        """The run."""
        return self.context["dag_run"]

    @property
    def logical_date(self) -> Any:
        """The run's logical date, or None."""
        return self.context.get("logical_date")

    @property
    def hostname(self) -> str:
        """Name of this machine."""
        import socket

        return socket.gethostname()

    @property
    def operator(self) -> str:
        """Class name of the task's operator."""
        return self.task.task_type

    def get_template_context(self) -> Any:
        """The context."""
        return self.context

    def get_dagrun(self) -> Any:
        """The run."""
        return self.dag_run

    def __getattr__(self, name: str) -> Any:
        if name.startswith("get_"):
            raise UnsupportedFeature(f"ti.{name}()")
        raise AttributeError(f"'TaskInstance' object has no attribute {name!r}")

    def environment(self) -> dict[str, str]:
        """Names of the task instance for programs that a task starts."""
        run = self.spec["run"]
        given = {
            "AIRFLOW_CTX_DAG_OWNER": self.task.owner, "AIRFLOW_CTX_DAG_ID": self.dag_id, "AIRFLOW_CTX_TASK_ID": self.task_id,
            "AIRFLOW_CTX_LOGICAL_DATE": run.get("logical_date"), "AIRFLOW_CTX_TRY_NUMBER": str(self.try_number),
            "AIRFLOW_CTX_DAG_RUN_ID": self.run_id,
        }
        names: dict[str, str] = {}
        for name, value in given.items():
            if value:
                names[name] = value
        return names

    def expanded_count(self) -> int | None:
        """How many instances the task has, or None for an unmapped one."""
        lengths = self.spec.get("lengths")
        if not lengths or self.map_index < 0:
            return None
        count = 1
        for length in lengths.values():
            count *= length
        return count

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        """Make a value available to other tasks. It is sent with the task's report.

        Raises `XComUnserializable` naming the task, the type and what to do.
        """
        try:
            self.pushed[key] = (encode(value), value)
        except XComUnserializable as error:
            raise XComUnserializable(
                f"the XCom {key!r} of task {self.task_id!r} cannot be written as JSON: {error}. Use plain values (text, numbers, "
                "lists, dicts, dates, dataclasses), write the object to storage and pass its address, or set do_xcom_push=False"
            ) from error

    def find_one(self, task_id: str, key: str, map_index: int, **elsewhere: Any) -> str | None:
        """JSON text of one value, or None when it was never pushed."""
        if not elsewhere:
            if task_id == self.task_id and map_index == self.map_index and key in self.pushed:
                return self.pushed[key][0]
            given = self.spec.get("xcoms")
            if given and map_index < 0 and f"{task_id}/{key}" in given:
                return given[f"{task_id}/{key}"]
        return self.api.find_xcom(task_id, key, map_index, **elsewhere)

    def find_all(self, task_id: str, key: str, **elsewhere: Any) -> list[Any] | None:
        """Values of all instances in index order, envelopes unopened; None when there is none."""
        given = None if elsewhere else (self.spec.get("xcoms") or {}).get(f"{task_id}/{key}")
        text = given if given is not None else self.api.find_xcom(task_id, key, None, **elsewhere)
        return None if text is None else json.loads(text) or None

    def xcom_pull(
        self, task_ids: str | Iterable[str] | None = None, dag_id: str | None = None, key: str = RETURN_KEY,
        include_prior_dates: bool = False, *, map_indexes: Any = NOTSET, default: Any = None, run_id: str | None = None,
    ) -> Any:
        """Read what tasks pushed, with Airflow's rules for one or many tasks and map indexes."""
        one_task = task_ids is None or isinstance(task_ids, str)
        ids = [self.task_id if task_ids is None else task_ids] if one_task else list(task_ids)
        # What is asked of other runs: only that is not the task's own.
        asked = {"run_id": run_id != self.run_id and run_id, "dag_id": dag_id != self.dag_id and dag_id, "prior": include_prior_dates}
        elsewhere = {name: value for name, value in asked.items() if value}
        if not is_arg_set(map_indexes):
            # Airflow 3 gives None here, not `default`, which counts only beside map_indexes.
            values = [value for task_id in ids for value in self._pull_every(task_id, key, elsewhere)]
            return values[0] if one_task and len(values) == 1 else values
        one_index = map_indexes is None or isinstance(map_indexes, int)
        indexes = [map_indexes] if one_index else list(map_indexes)
        pulled = [self._pull_at(task_id, key, index, elsewhere) for task_id, index in product(ids, indexes)]
        found = [default if text is None else decode(text) for text in pulled]
        return found[0] if one_task and one_index else found

    def _pull_at(self, task_id: str, key: str, map_index: int | None, elsewhere: dict[str, Any]) -> str | None:
        return self.find_one(task_id, key, -1 if map_index is None else map_index, **elsewhere)

    def _pull_every(self, task_id: str, key: str, elsewhere: dict[str, Any]) -> list[Any]:
        if self._is_single(task_id) and not {"dag_id", "prior"} & elsewhere.keys():
            text = self.find_one(task_id, key, -1, **elsewhere)
            return [None if text is None else decode(text)]
        if task_id == self.task_id and key in self.pushed and not elsewhere:
            return [decode(self.pushed[key][0])]
        values = self.find_all(task_id, key, **elsewhere)
        return [None] if values is None else [unpack(value) for value in values]

    def _is_single(self, task_id: str) -> bool:
        """True for a task of this DAG that has one instance per run."""
        source = self.task.dag.task_dict.get(task_id)
        return source is not None and not source.is_mapped and source.get_closest_mapped_task_group() is None

    def resolve_xcom(self, operator: Any, key: str) -> Any:
        """The value of an XCom argument: one value, or a sequence when it comes from a mapped task or group."""
        found = self._resolve_position(operator, key)
        if is_arg_set(found):
            return found
        if key == RETURN_KEY or getattr(operator, "multiple_outputs", False):
            return None
        raise XComNotFound(self.dag_id, operator.task_id, key)

    def _resolve_position(self, operator: Any, key: str) -> Any:
        theirs = list(operator.iter_mapped_task_groups())
        if operator.is_mapped:
            return LazyXComSequence(self, operator.task_id, key)
        if not theirs:
            return self._value_at(operator.task_id, key, -1)
        mine = list(self.task.iter_mapped_task_groups())
        shared = next((group for group in theirs if any(group is own for own in mine)), None)
        if self.map_index < 0 or shared is None:
            return LazyXComSequence(self, operator.task_id, key)
        index = self.map_index // self._count(mine, shared)
        width = self._count(theirs, shared)
        if theirs[0] is shared:
            return self._value_at(operator.task_id, key, index)
        values = (self._value_at(operator.task_id, key, i) for i in range(index * width, (index + 1) * width))
        return [value for value in values if is_arg_set(value)]

    def _value_at(self, task_id: str, key: str, map_index: int) -> Any:
        text = self.find_one(task_id, key, map_index)
        return NOTSET if text is None else decode(text)

    def _count(self, groups: list[Any], outer: Any) -> int:
        """How many instances the groups inside `outer` make of one of its instances."""
        count = 1
        for group in groups:
            if group is outer:
                break
            count *= self._length(group.expand_input)
        return count

    def _length(self, expand_input: Any) -> int:
        sources = expand_input.value.values() if isinstance(expand_input, Product) else [expand_input.value]
        count = 1
        for source in sources:
            count *= len(source.resolve(self.context) if isinstance(source, ResolveMixin) else source)
        return count

    def resolve_group_argument(self, expand_input: Any, key: str) -> Any:
        """The value of a mapped group's argument for this instance's index."""
        if self.map_index < 0:
            raise RuntimeError("can't resolve task-mapping argument without expanding")
        known = self._group_arguments.get(id(expand_input))
        if known is None:
            groups = list(self.task.iter_mapped_task_groups())
            owner = next((group for group in groups if group.expand_input is expand_input), None)
            index = self.map_index // self._count(groups, owner) if owner is not None else self.map_index
            known, _, _ = expand_input.select(self.context, index)
            self._group_arguments[id(expand_input)] = known
        return known[key]
