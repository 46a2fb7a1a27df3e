"""The values inside dag.json: durations, dates, params, and what a task is mapped over."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from leoflow.dagmodel.expansion import MappedArgument
from leoflow.dagmodel.moments import instant
from leoflow.dagmodel.notset import is_arg_set
from leoflow.dagmodel.params import ParamsDict
from leoflow.dagmodel.xcom_arg import ConcatXComArg, MapXComArg, PlainXComArg, ZipXComArg, iter_xcom_references


def seconds(value: timedelta) -> float | int:
    """A duration in seconds, whole when it is whole."""
    total = value.total_seconds()
    return int(total) if total == int(total) else total


def jsonable(value: Any) -> Any:
    """A value as JSON can hold it: durations as seconds, dates as text, sets sorted, functions by name, other things by repr of their type."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, timedelta):
        return seconds(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [jsonable(item) for item in value]
        return items if isinstance(value, (list, tuple)) else sorted(items, key=repr)
    if callable(value):
        return f"<callable {getattr(value, '__qualname__', type(value).__name__)}>"
    return f"<{type(value).__name__}>"


def without_none(document: dict[str, Any]) -> dict[str, Any]:
    """The document without fields that have nothing to say."""
    return {key: value for key, value in document.items() if value is not None}


def filled(value: Any) -> Any:
    """The value, or None when it is empty, zero or false."""
    return value or None


def maybe(emit: Callable[[Any], Any], value: Any) -> Any:
    """`emit(value)`, or None for None."""
    return None if value is None else emit(value)


def emit_params(params: ParamsDict) -> dict[str, Any] | None:
    """Params by name, or None when there are none."""
    emitted: dict[str, Any] = {}
    for name, param in params.params():
        document: dict[str, Any] = {}
        if is_arg_set(param.value):
            document["default"] = jsonable(param.value)
        if param.description is not None:
            document["description"] = param.description
        if param.schema:
            document["schema"] = jsonable(param.schema)
        emitted[name] = document
    return emitted or None


def emit_source(value: Any) -> dict[str, Any]:
    """What one argument is mapped over. A literal's values travel when JSON can hold them."""
    if isinstance(value, PlainXComArg):
        return {"kind": "xcom", "task_id": value.operator.task_id, "key": value.key}
    if isinstance(value, MapXComArg):
        return {"kind": "map", "of": emit_source(value.arg)}
    if isinstance(value, ZipXComArg):
        document: dict[str, Any] = {"kind": "zip", "of": [emit_source(arg) for arg in value.args]}
        return {**document, "longest": True} if is_arg_set(value.fillvalue) else document
    if isinstance(value, ConcatXComArg):
        return {"kind": "concat", "of": [emit_source(arg) for arg in value.args]}
    if isinstance(value, MappedArgument):
        raise ValueError("an argument of a mapped group cannot be expanded again")
    literal = {"kind": "literal", "length": len(value)}
    return literal if any(iter_xcom_references(value)) else {**literal, "values": jsonable(value)}


def emit_expand(expand_input: Any) -> dict[str, Any]:
    """`expand` or `expand_kwargs` as dag.json writes it."""
    if hasattr(expand_input, "names"):
        return {"kind": "product", "arguments": {name: emit_source(value) for name, value in expand_input.value.items()}}
    return {"kind": "rows", "rows": emit_source(expand_input.value)}


def unless(value: Any, default: Any) -> Any:
    """The value, or None when it is Airflow's default."""
    return None if value == default else value
