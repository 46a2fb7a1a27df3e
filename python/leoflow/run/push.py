"""Turns what a task returned into XComs, and checks that they can be sent and mapped over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leoflow.dagmodel.errors import (
    UnmappableXComLengthPushed,
    UnmappableXComTypePushed,
    XComForMappingNotPushed,
    XComTooLarge,
)
from leoflow.dagmodel.xcom_arg import RETURN_KEY, LazySequence

MAX_MAP_LENGTH = 1024
_KEPT = "_mapped_over"


def push_result(ti: Any, task: Any, result: Any) -> None:
    """Push a return value, and each key of it when the task has multiple outputs; check everything the task pushed.

    Raises what says why a value cannot be pushed or mapped over.
    """
    value = result if task.do_xcom_push else None
    if ti.map_index < 0 and task.task_id in mapped_over(task.dag):
        _check_mappable(value)
    if value is not None:
        if task.multiple_outputs:
            for key, item in _outputs(value).items():
                ti.xcom_push(key, item)
        ti.xcom_push(RETURN_KEY, value)
    _check_sizes(ti)


def _outputs(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"Returned output was type {type(value)} expected dictionary for multiple_outputs")
    for key in value:
        if not isinstance(key, str):
            raise TypeError(
                f"Returned dictionary keys must be strings when using multiple_outputs, found {key} ({type(key)}) instead"
            )
    return value


def _check_mappable(value: Any) -> None:
    if value is None:
        raise XComForMappingNotPushed()
    if not isinstance(value, (Sequence, dict)) or isinstance(value, (str, bytes, bytearray)):
        raise UnmappableXComTypePushed(value)
    if len(value) > MAX_MAP_LENGTH:
        raise UnmappableXComLengthPushed(value, MAX_MAP_LENGTH)


def _check_sizes(ti: Any) -> None:
    limit = ti.spec.get("xcom_max_bytes")
    if not limit:
        return
    for key, (text, _) in list(ti.pushed.items()):
        # A character is at most 4 bytes, so short texts need no counting.
        if len(text) * 4 > limit and (size := len(text.encode("utf-8", "surrogatepass"))) > limit:
            del ti.pushed[key]
            raise XComTooLarge(
                f"the XCom {key!r} of task {ti.task_id!r} is {size} bytes long, the limit is {limit}. "
                "Write the data to storage and return its address, or raise xcom.max_bytes of the DAG"
            )


def reported_xcoms(ti: Any) -> list[dict[str, Any]]:
    """What the task pushed, as the report carries it."""
    xcoms: list[dict[str, Any]] = []
    for key, (text, value) in ti.pushed.items():
        xcoms.append({"key": key, "value": text, "mapped_length": len(value) if isinstance(value, _SIZED) else None})
    return xcoms


_SIZED = (list, dict, tuple, set, frozenset, LazySequence)


def mapped_over(dag: Any) -> frozenset[str]:
    """Ids of tasks whose return values others are mapped over. Worked out once per DAG."""
    known = dag.__dict__.get(_KEPT)
    if known is None:
        inputs = [task.expand_input for task in dag.tasks if task.is_mapped]
        inputs += [group.expand_input for group in dag.task_group_dict.values() if group.is_mapped]
        known = dag.__dict__[_KEPT] = frozenset(source.task_id for i in inputs for source, _ in i.iter_references())
    return known
