"""The arguments of a task that are not at their default, in a drawing's words."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from leoflow.convert.problems import Unsayable
from leoflow.convert.values import ValueWriter, asset, duration, moment, params
from leoflow.dagmodel.arguments import OPERATOR_ARGUMENTS, STORED_AS, coerce_arguments
from leoflow.dagmodel.moments import utc
from leoflow.dagmodel.notices import take_notices
from leoflow.dagmodel.operator import merge_defaults
from leoflow.draw.arguments import CALLBACKS, annotation_of

# Words that a drawing has for every task; an operator takes the others as well, where they are plain values.
COMMON = (
    "retries", "retry_delay", "retry_exponential_backoff", "max_retry_delay", "execution_timeout", "trigger_rule", "depends_on_past",
    "wait_for_downstream", "ignore_first_depends_on_past", "wait_for_past_depends_before_skipping", "pool", "pool_slots",
    "priority_weight", "weight_rule", "queue", "executor", "executor_config", "max_active_tis_per_dag", "max_active_tis_per_dagrun",
    "do_xcom_push", "map_index_template", "owner", "email", "doc_md", "task_display_name", "start_date", "end_date", "inlets", "outlets",
    *CALLBACKS,
)
_NO_EFFECT = {"email_on_retry", "email_on_failure", "sla", "resources", "doc", "doc_json", "doc_yaml", "doc_rst", "logger_name", "allow_nested_operators"}
_INTERNAL = {"task_id", "dag", "task_group", "params", "default_args", "python_callable", "op_args", "op_kwargs"}
_DURATIONS = {"poke_interval", "timeout", "max_wait"}
_ALL_DURATIONS = {*_DURATIONS, "retry_delay", "max_retry_delay", "execution_timeout"}
Refuse = Callable[[str, Unsayable], None]


class ArgumentWriter:
    """Says the arguments of tasks; what cannot be said goes to `refuse` with the argument's name."""

    def __init__(self, writer: ValueWriter, function: Callable[[Any], str], zone: Any) -> None:
        self._writer, self._function, self._zone = writer, function, zone

    def common(self, task: Any, refuse: Refuse) -> dict[str, Any]:
        """What every task has, as far as neither the DAG, nor its group, nor Airflow's default says the same."""
        inherited = merge_defaults(task.dag, task.task_group, None)
        expected = coerce_arguments({name: value for name, value in inherited.items() if name in OPERATOR_ARGUMENTS}, "")
        take_notices()
        said: dict[str, Any] = {}
        for name in OPERATOR_ARGUMENTS:
            value = getattr(task, STORED_AS.get(name, name), None)
            is_same = value == expected[name] or (name in ("start_date", "end_date") and value == getattr(task.dag, name))
            if is_same or name in _NO_EFFECT or name == "multiple_outputs" or (name == "trigger_rule" and task.is_teardown):
                continue
            try:
                said["display_name" if name == "task_display_name" else name] = self._common_value(name, value)
            except Unsayable as error:
                refuse(name, error)
        own = params(task.own_params)
        return {**said, "params": own} if own else said

    def _common_value(self, name: str, value: Any) -> Any:
        if name not in COMMON:
            raise Unsayable("YAML has no word for this argument")
        if name in CALLBACKS:
            said = [self._function(item) for item in value]
            return said[0] if len(said) == 1 else said
        if name in ("inlets", "outlets"):
            return [asset(item) for item in value]
        if name in ("start_date", "end_date"):
            return moment(value, self._zone)
        if name in ("retry_delay", "max_retry_delay", "execution_timeout"):
            return duration(value)
        return self._writer.say(value)

    def own(self, operator_class: type, given: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
        """The given arguments that only the operator's own constructors name."""
        said: dict[str, Any] = {}
        for name, value in given.items():
            if name in OPERATOR_ARGUMENTS or name in _INTERNAL or self._is_default(operator_class, name, value):
                continue
            try:
                annotation = annotation_of(operator_class, name)
                said[name] = self._writer.say(value, f"timedelta {annotation}" if name in _DURATIONS else annotation)
            except Unsayable as error:
                refuse(name, error)
        return said

    def values(self, given: dict[str, Any], refuse: Refuse) -> dict[str, Any]:
        """Arguments of a function."""
        said: dict[str, Any] = {}
        for name, value in given.items():
            try:
                said[name] = self._writer.say(value)
            except Unsayable as error:
                refuse(name, error)
        return said

    def default(self, name: str, value: Any) -> Any:
        """One of default_args; its date keeps its offset, since dag.json shows it. Raises `Unsayable`."""
        if value is None:
            return None
        if name in ("start_date", "end_date"):
            return (value.replace(tzinfo=utc) if value.tzinfo is None else value).isoformat()
        if name in CALLBACKS:
            return [self._function(item) for item in value] if isinstance(value, (list, tuple)) else self._function(value)
        if name in ("inlets", "outlets"):
            return [asset(item) for item in (value if isinstance(value, list) else [value])]
        return self._writer.say(value, "timedelta" if name in _ALL_DURATIONS else "")

    @staticmethod
    def _is_default(operator_class: type, name: str, value: Any) -> bool:
        for base in operator_class.__mro__:
            init = base.__dict__.get("__init__")
            parameter = inspect.signature(init).parameters.get(name) if init is not None else None
            if parameter is not None:
                return type(parameter.default) is type(value) and parameter.default == value
        return False
