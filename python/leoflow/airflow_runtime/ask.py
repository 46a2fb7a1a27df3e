"""Answers what only code of the project knows: when its timetables run next, what its strategies weigh, which partitions its mappers name.

`python -m leoflow.airflow_runtime.ask --root DIR`: one JSON question per line of standard input, one JSON answer per line of standard output.
`answer` is the same in a process that has imported the Task SDK already, such as a fork of one that has.

A question is `{"ask": KIND, …}`; dates are ISO 8601, `timetable` and `mapper` are `{"__type", "__var"}` as the SDK serialized them:

- next_dagrun_info: timetable, last (an info as answered, or null), restriction {earliest, latest, catchup} → info, or null
- infer_manual_data_interval: timetable, run_after → data_interval {start, end}
- generate_run_id: timetable, run_type, run_after, data_interval or null, partition_key → run_id
- describe: timetable → summary, description, and what the scheduler looks at
- weight: strategy (an import path), ti, task (fields; the DAG's own task where the DAG is at hand) → weight
- partition_keys: timetable with asset {name, uri}, or mapper; key → keys

An info is `{run_after, data_interval, logical_date, partition_key, partition_date}`. An answer may be `{"error": {type, message, traceback}}` instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any

#: More keys than this a mapper must not name for one event.
MAX_PARTITION_KEYS = 10_000


def answer(question: dict[str, Any], dag: Any = None) -> dict[str, Any]:
    """Answer one question. Never raises for what code of the project does.

    dag: the DAG that is asked about, where it has been imported
    """
    try:
        if question.get("ask") not in _ANSWERS:
            raise ValueError(f"unknown question {question.get('ask')!r}; known are {', '.join(_ANSWERS)}")
        return _ANSWERS[question["ask"]](question, dag)
    except Exception as error:
        told = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return {"error": {"type": type(error).__name__, "message": str(error), "traceback": told}}


def _next(question: dict[str, Any], _dag: Any) -> dict[str, Any]:
    from airflow.timetables.base import TimeRestriction

    given = question["restriction"]
    restriction = TimeRestriction(_date(given.get("earliest")), _date(given.get("latest")), bool(given.get("catchup")))
    timetable = _timetable(question["timetable"])
    return {"info": _emit_info(timetable.next_dagrun_info_v2(last_dagrun_info=_info(question.get("last")), restriction=restriction))}


def _manual(question: dict[str, Any], _dag: Any) -> dict[str, Any]:
    interval = _timetable(question["timetable"]).infer_manual_data_interval(run_after=_date(question["run_after"]))
    return {"data_interval": _emit_interval(interval)}


def _run_id(question: dict[str, Any], _dag: Any) -> dict[str, Any]:
    from airflow.utils.types import DagRunType

    run_id = _timetable(question["timetable"]).generate_run_id(
        run_type=DagRunType(question["run_type"]), run_after=_date(question["run_after"]),
        data_interval=_interval(question.get("data_interval")), partition_key=question.get("partition_key"),
    )
    return {"run_id": run_id}


def _describe(question: dict[str, Any], _dag: Any) -> dict[str, Any]:
    timetable = _timetable(question["timetable"])
    return {
        "summary": timetable.summary, "description": timetable.description, "periodic": bool(timetable.periodic),
        "can_be_scheduled": bool(timetable.can_be_scheduled), "active_runs_limit": timetable.active_runs_limit,
        "run_ordering": list(timetable.run_ordering), "partitioned": bool(timetable.partitioned),
    }


def _weight(question: dict[str, Any], dag: Any) -> dict[str, Any]:
    given = question.get("ti") or {}
    task = dag.get_task(given["task_id"]) if dag is not None else SimpleNamespace(**(question.get("task") or {}))
    return {"weight": int(_imported(question["strategy"])().get_weight(SimpleNamespace(**{**given, "task": task})))}


def _partitions(question: dict[str, Any], _dag: Any) -> dict[str, Any]:
    from airflow.serialization.decoders import decode_partition_mapper

    if "mapper" in question:
        _register(question["mapper"]["__type"])
        mapper = decode_partition_mapper(question["mapper"])
    else:
        asset = question["asset"]
        mapper = _timetable(question["timetable"]).get_partition_mapper(name=asset.get("name") or "", uri=asset.get("uri") or "")
    found = mapper.to_downstream(question["key"])
    keys = []
    for key in [found] if isinstance(found, str) else found:
        keys.append(str(key))
        if len(keys) > MAX_PARTITION_KEYS:
            raise ValueError(f"{type(mapper).__name__} names more than {MAX_PARTITION_KEYS} partitions for {question['key']!r}")
    return {"keys": keys}


_ANSWERS = {
    "next_dagrun_info": _next, "infer_manual_data_interval": _manual, "generate_run_id": _run_id, "describe": _describe,
    "weight": _weight, "partition_keys": _partitions,
}


def _timetable(encoded: dict[str, Any]) -> Any:
    from airflow.serialization.decoders import decode_timetable

    _register(encoded["__type"])
    inner = encoded["__var"].get("timetable")
    if isinstance(inner, dict) and "__type" in inner:
        _register(inner["__type"])
    return decode_timetable(encoded)


def _register(path: str) -> None:
    """Make a class known that Airflow only takes from a plugin: the module that its path names may define one."""
    if path.startswith("airflow.timetables.") or path.startswith("airflow.partition_mappers."):
        return
    from leoflow.airflow_runtime import parse_plugins

    _imported(path)
    parse_plugins.add_imported()


def _imported(path: str) -> Any:
    from airflow import plugins_manager
    from airflow.sdk._shared.module_loading import import_string

    # Classes of the plugins folder are in no package: loading the plugins makes their modules.
    plugins_manager.ensure_plugins_loaded()
    return import_string(path)


def _date(value: str | None) -> Any:
    import pendulum

    return None if value is None else pendulum.parse(value).in_timezone("UTC")


def _interval(value: dict[str, str] | None) -> Any:
    from airflow.timetables.base import DataInterval

    return None if value is None else DataInterval(_date(value["start"]), _date(value["end"]))


def _info(value: dict[str, Any] | None) -> Any:
    from airflow.timetables.base import DagRunInfo

    if value is None:
        return None
    return DagRunInfo(
        run_after=_date(value.get("run_after")), data_interval=_interval(value.get("data_interval")),
        partition_date=_date(value.get("partition_date")), partition_key=value.get("partition_key"),
    )


def _emit_interval(interval: Any) -> dict[str, str] | None:
    return None if interval is None else {"start": interval.start.isoformat(), "end": interval.end.isoformat()}


def _emit_info(info: Any) -> dict[str, Any] | None:
    if info is None:
        return None
    return {
        "run_after": info.run_after.isoformat(), "data_interval": _emit_interval(info.data_interval),
        "logical_date": None if info.logical_date is None else info.logical_date.isoformat(),
        "partition_key": info.partition_key, "partition_date": None if info.partition_date is None else info.partition_date.isoformat(),
    }


def main(argv: list[str] | None = None) -> int:
    """Answer the questions of standard input."""
    parser = argparse.ArgumentParser(prog="leoflow.airflow_runtime.ask", description="Answers questions about timetables, weights and partitions of a project.")
    parser.add_argument("--root", default=".", help="the project's folder")
    parser.add_argument("--path", action="append", default=[], help="another folder to import from (may be repeated)")
    arguments = parser.parse_args(argv)
    # Airflow logs to stdout while it is imported, and the project may print.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from leoflow.airflow_runtime import parse_home

    with parse_home.home() as home:
        parse_home.prepare(os.path.realpath(arguments.root), [os.path.realpath(path) for path in arguments.path], home)
        import airflow  # noqa: F401

        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
