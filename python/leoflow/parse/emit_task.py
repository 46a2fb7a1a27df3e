"""Writes one task of a drawn DAG as dag.json holds it."""

from __future__ import annotations

from typing import Any

from leoflow.dagmodel.arguments import DEFAULT_RETRY_DELAY
from leoflow.dagmodel.assets import reference
from leoflow.dagmodel.mapped import argument_names
from leoflow.dagmodel.moments import instant
from leoflow.dagmodel.node_tasks import NodeFunction
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.sensor import BaseSensorOperator
from leoflow.dagmodel.skipping import SkipMixin
from leoflow.dagmodel.states import TriggerRule
from leoflow.dagmodel.xcom_arg import iter_xcom_references
from leoflow.parse.emit_values import emit_expand, emit_params, filled, jsonable, maybe, seconds, unless, without_none

CALLBACKS = ("execute", "success", "failure", "retry", "skipped")


def emit_task(task: Any, file: str) -> dict[str, Any]:
    """One task.

    file: path of the DAG file inside its project, with /
    """
    kind = task.operator_class
    callbacks = [name for name in CALLBACKS if getattr(task, f"on_{name}_callback")]
    return without_none({
        "task_id": task.task_id,
        "display_name": task._task_display_name,
        "operator": kind.__name__,
        "operator_name": unless(task.operator_name, kind.__name__),
        "body": _body(task, file),
        "depends_on": sorted(task.upstream_task_ids),
        "trigger_rule": unless(task.trigger_rule.value, TriggerRule.ALL_SUCCESS.value),
        "task_group": task.task_group.group_id,
        "expand": emit_expand(task.expand_input) if task.is_mapped else None,
        "inputs": _inputs(task),
        "map_index_template": task.map_index_template,
        **_execution(task),
        "is_setup": filled(task.is_setup),
        "is_teardown": filled(task.is_teardown),
        "on_failure_fail_dagrun": filled(task.on_failure_fail_dagrun),
        "can_skip_downstream": filled(issubclass(kind, SkipMixin)),
        "ignore_downstream_trigger_rules": filled(_ignores_rules(task)),
        "sensor": _sensor(task) if issubclass(kind, BaseSensorOperator) else None,
        "do_xcom_push": unless(task.do_xcom_push, True),
        "multiple_outputs": filled(task.multiple_outputs),
        "template_fields": filled(list(task.template_fields)),
        "owner": unless(task.owner, "airflow"),
        "doc_md": task.doc_md,
        "params": emit_params(task.own_params),
        "start_date": _date(task, "start_date"),
        "end_date": _date(task, "end_date"),
        "inlets": filled([reference(asset) for asset in task.inlets]),
        "outlets": filled([reference(asset) for asset in task.outlets]),
        "extra_links": filled([link.name for link in kind.operator_extra_links]),
        "callbacks": filled(callbacks),
        "ui_color": unless(task.ui_color, BaseOperator.ui_color),
        "ui_fgcolor": unless(task.ui_fgcolor, BaseOperator.ui_fgcolor),
        "env": filled(getattr(task, "process_env", None)),
    })


def _execution(task: Any) -> dict[str, Any]:
    """How the task is retried, limited and placed."""
    return {
        "retries": unless(task.retries, 0),
        "retry_delay_seconds": maybe(seconds, unless(task.retry_delay, DEFAULT_RETRY_DELAY)),
        "retry_exponential_backoff": _backoff(task.retry_exponential_backoff),
        "max_retry_delay_seconds": maybe(seconds, task.max_retry_delay),
        "execution_timeout_seconds": maybe(seconds, task.execution_timeout),
        "depends_on_past": filled(task.depends_on_past),
        "wait_for_downstream": filled(task.wait_for_downstream),
        "ignore_first_depends_on_past": unless(task.ignore_first_depends_on_past, True),
        "wait_for_past_depends_before_skipping": filled(task.wait_for_past_depends_before_skipping),
        "pool": unless(task.pool, "default_pool"),
        "pool_slots": unless(task.pool_slots, 1),
        "priority_weight": unless(task.priority_weight, 1),
        "weight_rule": unless(task.weight_rule, "downstream"),
        "queue": unless(task.queue, "default"),
        "executor": task.executor,
        "executor_config": jsonable(task.executor_config) if task.executor_config else None,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
    }


def _backoff(multiplier: float) -> float | int | None:
    if multiplier <= 0:
        return None
    return int(multiplier) if multiplier == int(multiplier) else multiplier


def _body(task: Any, file: str) -> dict[str, Any]:
    runs_code = bool(task.on_execute_callback or task.on_success_callback or task.inlets or task.outlets)
    if task.operator_class.__dict__.get("inherits_from_empty_operator") and not runs_code:
        return {"kind": "empty"}
    function = getattr(task, "python_callable", None)
    own = function.to_body() if isinstance(function, NodeFunction) else _own_body(task)
    return own or {"kind": "python", "file": file, "class": task.operator_class.__name__}


def _own_body(task: Any) -> dict[str, Any] | None:
    to_body = getattr(task.operator_class, "to_body", None)
    return to_body(task) if to_body is not None else None


def _inputs(task: Any) -> list[dict[str, str]] | None:
    """Which XComs the arguments use, without repeats, in the order of the arguments."""
    values = [getattr(task, name, None) for name in task.template_fields]
    if task.is_mapped:
        values.append(task.expand_input)
    values.extend(group.expand_input for group in task.iter_mapped_task_groups())
    found = dict.fromkeys((source.task_id, key) for value in values for source, key in iter_xcom_references(value))
    return [{"task_id": task_id, "key": key} for task_id, key in found] or None


def _ignores_rules(task: Any) -> bool:
    if task.is_mapped:
        default = "ignore_downstream_trigger_rules" in argument_names(task.operator_class)
        return bool(task.partial_kwargs.get("ignore_downstream_trigger_rules", default))
    return bool(getattr(task, "ignore_downstream_trigger_rules", False))


def _sensor(task: Any) -> dict[str, Any]:
    """A sensor's waiting; of a mapped one, what `partial` says."""
    sensor = task
    if task.is_mapped:
        given = {k: v for k, v in task.partial_kwargs.items() if k in _SENSOR_ARGUMENTS}
        sensor = BaseSensorOperator.__new__(BaseSensorOperator)
        sensor.__dict__["_unmapping"] = True
        sensor.__init__(task_id=task.task_id, **given)
    return without_none({
        "mode": sensor.mode,
        "poke_interval_seconds": sensor.poke_interval,
        "timeout_seconds": sensor.timeout,
        "soft_fail": sensor.soft_fail or None,
        "exponential_backoff": bool(sensor.exponential_backoff) or None,
        "max_wait_seconds": sensor.max_wait,
    })


_SENSOR_ARGUMENTS = ("poke_interval", "timeout", "soft_fail", "mode", "exponential_backoff", "max_wait")


def _date(task: Any, name: str) -> str | None:
    value = getattr(task, name)
    return instant(value) if value is not None and value != getattr(task.dag, name) else None
