"""The arguments every operator takes: defaults, coercions, and those that Leoflow refuses or only warns about."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from leoflow.dagmodel.errors import AirflowException, UnsupportedFeature
from leoflow.dagmodel.moments import convert_to_utc
from leoflow.dagmodel.notices import warn
from leoflow.dagmodel.states import TriggerRule, WeightRule

KEY = re.compile(r"[\w.-]{1,250}\Z")
DEFAULT_RETRY_DELAY = timedelta(minutes=5)


def validate_key(key: Any, what: str = "key") -> str:
    """A DAG, task or group id as Airflow allows it.

    Raises `TypeError` for another type, `AirflowException` for a wrong one.
    """
    if not isinstance(key, str):
        raise TypeError(f"The {what} has to be a string and is {type(key)}:{key}")
    if not KEY.match(key):
        raise AirflowException(
            f"The {what} {key!r} has to be made of 1 to 250 letters, digits, dashes, dots and underscores"
        )
    return key


def as_timedelta(name: str) -> Callable[[Any], timedelta | None]:
    """A coercion from seconds or a timedelta."""

    def coerce(value: Any) -> timedelta | None:
        if value is None or isinstance(value, timedelta):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return timedelta(seconds=value)
        raise TypeError(f"{name} must be a timedelta or a number of seconds, not {value!r}")

    return coerce


def _retries(value: Any) -> int:
    if value is None:
        return 0
    try:
        retries = int(value)
    except (TypeError, ValueError):
        raise AirflowException(f"'retries' type must be int, not {type(value).__name__}") from None
    if retries < 0:
        raise AirflowException(f"'retries' must not be negative, got {retries}")
    return retries


def _backoff(value: Any) -> float:
    # Airflow's True means doubling.
    return 2.0 if value is True else float(value)


def _execution_timeout(value: Any) -> timedelta | None:
    if value is not None and not isinstance(value, timedelta):
        raise ValueError(f"execution_timeout must be timedelta object but passed as type: {type(value)}")
    return value


def _trigger_rule(value: Any) -> TriggerRule:
    try:
        return TriggerRule(str(value))
    except ValueError:
        rules = ", ".join(rule.value for rule in TriggerRule)
        raise AirflowException(f"The trigger_rule must be one of {rules}; received '{value}'.") from None


def _weight_rule(value: Any) -> str:
    rule = str(value)
    if rule not in {word.value for word in WeightRule}:
        raise UnsupportedFeature(f"weight_rule {value!r} (a priority weight strategy of your own)")
    return rule


def _pool_slots(value: Any) -> int:
    if int(value) < 1:
        raise ValueError("pool slots cannot be less than 1")
    return int(value)


def _priority(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise AirflowException(f"`priority_weight` must be an integer, got {value!r}")
    return value


def _date(value: Any) -> datetime | None:
    if value is not None and not isinstance(value, datetime):
        raise TypeError(f"start_date and end_date must be datetimes, got {value!r}")
    return convert_to_utc(value)


def _positive(name: str) -> Callable[[Any], int | None]:
    def coerce(value: Any) -> int | None:
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} must be a positive integer or None, got {value!r}")
        return value

    return coerce


def as_callbacks(value: Any) -> list[Any]:
    """A list of functions from one, several or none.

    Raises `TypeError` for something that cannot be called.
    """
    callbacks = [] if value is None else list(value) if isinstance(value, (list, tuple, set)) else [value]
    for callback in callbacks:
        if not callable(callback):
            raise TypeError(f"a callback must be callable, got {callback!r}")
    return callbacks


def _assets(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple, set)) else [value]


def _pool(value: Any) -> str:
    return "default_pool" if value is None else str(value)


# name → (default, coercion). The order is the one of the documentation, not of a signature.
OPERATOR_ARGUMENTS: dict[str, tuple[Any, Callable[[Any], Any] | None]] = {
    "owner": ("airflow", None),
    "retries": (0, _retries),
    "retry_delay": (DEFAULT_RETRY_DELAY, as_timedelta("retry_delay")),
    "retry_exponential_backoff": (0, _backoff),
    "max_retry_delay": (None, as_timedelta("max_retry_delay")),
    "start_date": (None, _date),
    "end_date": (None, _date),
    "depends_on_past": (False, bool),
    "ignore_first_depends_on_past": (True, bool),
    "wait_for_past_depends_before_skipping": (False, bool),
    "wait_for_downstream": (False, bool),
    "priority_weight": (1, _priority),
    "weight_rule": ("downstream", _weight_rule),
    "queue": ("default", str),
    "pool": ("default_pool", _pool),
    "pool_slots": (1, _pool_slots),
    "execution_timeout": (None, _execution_timeout),
    "on_execute_callback": ((), as_callbacks),
    "on_failure_callback": ((), as_callbacks),
    "on_success_callback": ((), as_callbacks),
    "on_retry_callback": ((), as_callbacks),
    "on_skipped_callback": ((), as_callbacks),
    "pre_execute": (None, None),
    "post_execute": (None, None),
    "trigger_rule": (TriggerRule.ALL_SUCCESS, _trigger_rule),
    "map_index_template": (None, None),
    "max_active_tis_per_dag": (None, _positive("max_active_tis_per_dag")),
    "max_active_tis_per_dagrun": (None, _positive("max_active_tis_per_dagrun")),
    "executor": (None, None),
    "executor_config": (None, None),
    "do_xcom_push": (True, bool),
    "multiple_outputs": (False, bool),
    "inlets": ((), _assets),
    "outlets": ((), _assets),
    "doc": (None, None),
    "doc_md": (None, None),
    "doc_json": (None, None),
    "doc_yaml": (None, None),
    "doc_rst": (None, None),
    "task_display_name": (None, None),
    "logger_name": (None, None),
    "allow_nested_operators": (True, bool),
    "render_template_as_native_obj": (None, None),
    # Known to Airflow, without an effect here: a warning says so when they would have had one.
    "email": (None, None),
    "email_on_retry": (True, bool),
    "email_on_failure": (True, bool),
    "sla": (None, None),
    "resources": (None, None),
    "run_as_user": (None, None),
}

# Read by other names than the argument's, so that methods of the same name stay free.
STORED_AS = {"pre_execute": "_pre_execute_hook", "post_execute": "_post_execute_hook", "task_display_name": "_task_display_name"}


def coerce_arguments(given: dict[str, Any], where: str) -> dict[str, Any]:
    """Every operator argument, those of `given` coerced, the others at their default.

    Raises what the coercions raise; warns about arguments that have no effect.
    """
    values: dict[str, Any] = {}
    for name, (default, coerce) in OPERATOR_ARGUMENTS.items():
        value = given.get(name, default)
        values[name] = coerce(value) if coerce is not None else value
    if values["wait_for_downstream"]:
        values["depends_on_past"] = True
    _warn_about_no_effect(values, where)
    return values


def _warn_about_no_effect(values: dict[str, Any], where: str) -> None:
    if values["email"] and (values["email_on_failure"] or values["email_on_retry"]):
        warn(f"{where}: Leoflow sends no e-mails, `email` has no effect", "use on_failure_callback")
    if values["sla"] is not None:
        warn(f"{where}: `sla` has no effect since Airflow 3.0")
    if values["resources"] is not None:
        warn(f"{where}: `resources` has no effect", "set CPU and memory in leoflow.yaml")
    for name in ("doc", "doc_json", "doc_yaml", "doc_rst"):
        if values[name] is not None:
            warn(f"{where}: `{name}` is not shown", "use doc_md")
    if values["run_as_user"] is not None:
        raise UnsupportedFeature(f"run_as_user ({where})")
