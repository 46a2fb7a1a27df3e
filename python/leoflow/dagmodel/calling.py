"""Calling an author's function: which context values it asks for, coroutines and generators included."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import CoroutineType, GeneratorType
from typing import Any

# Names a callable may ask for, and a template may use (Airflow's Context).
CONTEXT_KEYS = frozenset({
    "conn", "dag", "dag_run", "data_interval_end", "data_interval_start", "outlet_events", "ds", "ds_nodash", "exception",
    "expanded_ti_count", "inlets", "inlet_events", "logical_date", "macros", "map_index_template", "outlets", "params",
    "prev_data_interval_start_success", "prev_data_interval_end_success", "prev_start_date_success",
    "prev_end_date_success", "reason", "run_id", "start_date", "task", "task_reschedule_count", "task_instance",
    "task_instance_key_str", "templates_dict", "test_mode", "ti", "triggering_asset_events", "ts", "ts_nodash",
    "ts_nodash_with_tz", "try_number", "var",
})

_plans: dict[Any, tuple[bool, tuple[str, ...], tuple[str, ...]]] = {}


def call_plan(function: Callable[..., Any]) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    """Whether a function takes any keyword, the names it takes, and its positional names. Worked out once per function."""
    try:
        plan = _plans.get(function)
    except TypeError:
        return _make_plan(function)
    if plan is None:
        plan = _plans[function] = _make_plan(function)
    return plan


def _make_plan(function: Callable[..., Any]) -> tuple[bool, tuple[str, ...], tuple[str, ...]]:
    parameters = list(inspect.signature(function).parameters.values())
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    positional = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))
    return takes_any, names, positional


def choose_kwargs(function: Callable[..., Any], args: Any, given: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Keyword arguments for a function: what was given, and the context values it names (all of them for `**context`).

    Raises `ValueError` when a positional argument also is a given or context name, as Airflow does.
    """
    takes_any, names, positional = call_plan(function)
    for name in positional[: len(args)]:
        if name in given or name in context:
            raise ValueError(f"The key {name!r} in args is a part of kwargs and therefore reserved.")
    if takes_any:
        return {**context.materialize(), **given}
    chosen = {}
    for name in names:
        if name in given:
            chosen[name] = given[name]
        elif name in context:
            chosen[name] = context[name]
    return chosen


def call(function: Callable[..., Any], args: Any, kwargs: Mapping[str, Any]) -> Any:
    """Call a function; await a coroutine; run a generator function to its return value."""
    result = function(*args, **kwargs)
    if not isinstance(result, (CoroutineType, GeneratorType)):
        return result
    if isinstance(result, CoroutineType):
        import asyncio

        return asyncio.run(result)
    if inspect.isgeneratorfunction(inspect.unwrap(function)):
        return _drain(result)
    return result


def _drain(generator: Any) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value
