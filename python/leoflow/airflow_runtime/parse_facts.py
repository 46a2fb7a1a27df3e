"""What a drawn DAG of the Task SDK knows and its serialization does not say: sensors' waiting, what arguments come from, what the author gave."""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

from leoflow.parse.given import TASK_FIELDS
from leoflow.parse.sources import is_local

_SENSOR_DEFAULTS = {"mode": "poke", "poke_interval": 60, "timeout": 604_800, "soft_fail": False, "exponential_backoff": False, "max_wait": None}
_DAG_FIELDS = ("max_active_runs", "max_active_tasks")


class Calls:
    """How each DAG was made: the arguments that its author gave, and the line. `watch` must come before the file is read."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._made: dict[int, tuple[frozenset[str], int]] = {}
        # An id says which DAG it is only as long as the DAG lives.
        self._kept: list[Any] = []

    def watch(self) -> None:
        """Note every DAG made from now on in this process."""
        from airflow.sdk import DAG

        made = DAG.__init__

        @functools.wraps(made)
        def noted(dag: Any, *args: Any, **kwargs: Any) -> None:
            made(dag, *args, **kwargs)
            self._kept.append(dag)
            self._made[id(dag)] = (frozenset(kwargs), self._line())

        DAG.__init__ = noted

    def of(self, dag: Any) -> dict[str, Any]:
        """As `leoflow.parse.given.given_of`."""
        names, line = self._made.get(id(dag), (frozenset(), 0))
        tasks = {task.task_id: sorted(field for name, field in TASK_FIELDS.items() if name in _given(task)) for task in dag.tasks}
        document = {"dag": sorted(name for name in _DAG_FIELDS if name in names), "tasks": {task_id: fields for task_id, fields in tasks.items() if fields}}
        return {"line": line, **document} if line else document

    def _line(self) -> int:
        frame = sys._getframe()
        while frame is not None:
            if is_local(frame.f_code.co_filename, self._root):
                return frame.f_lineno
            frame = frame.f_back
        return 0


def facts_of(dag: Any) -> dict[str, dict[str, Any]]:
    """By task id, what the mapping to our graph needs beside the serialization; tasks that need nothing are left out."""
    found = {task.task_id: {key: value for key, value in _task_facts(task).items() if value} for task in dag.tasks}
    return {task_id: facts for task_id, facts in found.items() if facts}


def _task_facts(task: Any) -> dict[str, Any]:
    return {
        "inputs": _inputs(task),
        "sensor": _sensor(task),
        "ignore_downstream_trigger_rules": _ignores_rules(task),
        "weight": _weight(task),
        "start_trigger": _start_trigger(task),
    }


def _inputs(task: Any) -> list[dict[str, str]]:
    """Which XComs the arguments use, without repeats, in the order of the arguments."""
    from airflow.sdk.definitions.xcom_arg import XComArg

    if task.is_mapped:
        values = [task.partial_kwargs.get(name) for name in task.template_fields]
        values.append(task._get_specified_expand_input().value)
    else:
        values = [getattr(task, name, None) for name in task.template_fields]
    values.extend(group._expand_input.value for group in task.iter_mapped_task_groups())
    found = dict.fromkeys((source.task_id, key) for value in values for source, key in XComArg.iter_xcom_references(value))
    return [{"task_id": task_id, "key": key} for task_id, key in found]


def _sensor(task: Any) -> dict[str, Any] | None:
    from airflow.sdk.bases.sensor import BaseSensorOperator

    kind = task.operator_class if task.is_mapped else type(task)
    if not (isinstance(kind, type) and issubclass(kind, BaseSensorOperator)):
        return None
    values = {name: task.partial_kwargs.get(name, default) if task.is_mapped else getattr(task, name, default) for name, default in _SENSOR_DEFAULTS.items()}
    return {name: value.total_seconds() if hasattr(value, "total_seconds") else value for name, value in values.items() if value is not None}


def _ignores_rules(task: Any) -> bool:
    if not task.is_mapped:
        return bool(getattr(task, "ignore_downstream_trigger_rules", False))
    names = task.operator_class.__init__.__code__.co_varnames if isinstance(task.operator_class, type) else ()
    wrapped = getattr(getattr(task.operator_class, "__init__", None), "__wrapped__", None)
    names = wrapped.__code__.co_varnames if wrapped is not None else names
    return bool(task.partial_kwargs.get("ignore_downstream_trigger_rules", "ignore_downstream_trigger_rules" in names))


def _start_trigger(task: Any) -> dict[str, Any] | None:
    """The trigger that a task waits for before it starts. A mapped one defers by itself: what it waits for is not known before its run."""
    arguments = getattr(task, "start_trigger_args", None)
    if task.is_mapped or arguments is None or not getattr(task, "start_from_trigger", False):
        return None
    from airflow.sdk.serde import serialize

    wait = arguments.timeout
    document = {
        "classpath": arguments.trigger_cls,
        "kwargs": json.dumps(serialize(arguments.trigger_kwargs or {})),
        "next_method": arguments.next_method,
        "next_kwargs": json.dumps(serialize(arguments.next_kwargs or {})),
    }
    return document if wait is None else {**document, "timeout_seconds": wait.total_seconds()}


class _OnlyTask:
    """Stands in for a task instance that has no run yet."""

    def __init__(self, task: Any) -> None:
        self.task, self.task_id, self.dag_id = task, task.task_id, task.dag_id


def _weight(task: Any) -> int | None:
    """The weight by the project's own strategy, when it looks at nothing but the task."""
    strategy = task.weight_rule
    if not hasattr(strategy, "get_weight") or type(strategy).__module__.startswith("airflow.task."):
        return None
    try:
        return int(strategy.get_weight(_OnlyTask(task)))
    except Exception:  # noqa: BLE001
        # It asks for what only an instance has: its try, its run.
        return None


def _given(task: Any) -> Any:
    """Names of the arguments that the author gave, in the call or in default_args."""
    if not task.is_mapped:
        return getattr(task, "_BaseOperator__init_kwargs", {})
    from airflow.sdk.bases.operator import OPERATOR_DEFAULTS

    return {name for name, value in task.partial_kwargs.items() if value is not None and OPERATOR_DEFAULTS.get(name) != value}
