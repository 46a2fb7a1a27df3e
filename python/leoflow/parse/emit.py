"""Writes a drawn DAG as the dag.json document; fields at Airflow's default are left out."""

from __future__ import annotations

from typing import Any

from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.moments import instant, zone_name
from leoflow.dagmodel.task_group import DEFAULT_COLOR, DEFAULT_TEXT_COLOR, TaskGroup
from leoflow.parse.emit_task import emit_task
from leoflow.parse.emit_values import emit_expand, emit_params, filled, jsonable, maybe, seconds, unless, without_none


def emit_group(group: TaskGroup) -> dict[str, Any]:
    """One task group."""
    parent = group.parent_group.group_id if group.parent_group is not None else None
    return without_none({
        "group_id": group.group_id,
        "parent": parent,
        "display_name": group.group_display_name or None,
        "tooltip": group.tooltip or None,
        "prefix_group_id": None if group.prefix_group_id else False,
        "expand": emit_expand(group.expand_input) if group.is_mapped else None,
        "ui_color": group.ui_color if group.ui_color != DEFAULT_COLOR else None,
        "ui_fgcolor": group.ui_fgcolor if group.ui_fgcolor != DEFAULT_TEXT_COLOR else None,
    })


def emit_labels(dag: DAG) -> list[dict[str, str]] | None:
    """Edges that carry a label."""
    labels = [
        {"from": before, "to": after, "label": info["label"]}
        for before, edges in sorted(dag.edge_info.items())
        for after, info in sorted(edges.items())
        if info.get("label") is not None
    ]
    return labels or None


def runtime_of(tasks: list[dict[str, Any]]) -> str:
    """What runs the tasks' code: Node when it runs all of it, else our own Python."""
    kinds = {task["body"]["kind"] for task in tasks} - {"empty"}
    return "node" if kinds == {"node"} else "leoflow"


def emit_dag(dag: DAG, file: str) -> dict[str, Any]:
    """The whole document, `sources` still empty.

    file: path of the DAG file inside its project, with /
    """
    callbacks = [name for name in ("success", "failure") if getattr(dag, f"on_{name}_callback")]
    tasks = [emit_task(task, file) for task in dag.tasks]
    return without_none({
        "schema_version": "1.0",
        "dag_id": dag.dag_id,
        "display_name": unless(dag.dag_display_name, dag.dag_id),
        "description": dag.description,
        "doc_md": dag.doc_md,
        "owners": filled(sorted({task.owner for task in dag.tasks if task.owner})),
        "owner_links": filled(dag.owner_links),
        "tags": filled(sorted(dag.tags)),
        "fileloc": file,
        "runtime": runtime_of(tasks),
        "sources": [],
        "timetable": dag.timetable.to_json(),
        "timezone": unless(zone_name(dag.timezone), "UTC"),
        "start_date": maybe(instant, dag.start_date),
        "end_date": maybe(instant, dag.end_date),
        "catchup": filled(dag.catchup),
        "max_active_runs": unless(dag.max_active_runs, 16),
        "max_active_tasks": unless(dag.max_active_tasks, 16),
        "max_consecutive_failed_dag_runs": unless(dag.max_consecutive_failed_dag_runs, 0),
        "dagrun_timeout_seconds": maybe(seconds, dag.dagrun_timeout),
        "fail_fast": filled(dag.fail_fast),
        "is_paused_upon_creation": dag.is_paused_upon_creation,
        "render_template_as_native_obj": filled(dag.render_template_as_native_obj),
        "allowed_run_types": dag.allowed_run_types,
        "params": emit_params(dag.params),
        "default_args": filled(jsonable(dag.default_args)),
        "callbacks": filled(callbacks),
        "task_groups": filled([emit_group(group) for group in dag.task_group_dict.values()]),
        "edge_labels": emit_labels(dag),
        "tasks": tasks,
    })
