"""What can be wrong with a DAG as a whole: cycles, teardown rules, params without a value, fail-fast rules."""

from __future__ import annotations

from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.errors import AirflowException, ParamValidationError
from leoflow.dagmodel.operator import check_teardown_rule
from leoflow.dagmodel.states import TriggerRule
from leoflow.parse.faults import Fault


def check_dag(dag: DAG) -> list[Fault]:
    """Everything wrong with a DAG; an empty list lets it be compiled."""
    faults = []
    cycle = find_cycle(dag)
    if cycle:
        faults.append(_fault(dag, f"tasks of DAG {dag.dag_id!r} wait for each other: {' → '.join(cycle)}", "Remove one of the edges.", "cycle", cycle[0]))
    for task in dag.tasks:
        try:
            check_teardown_rule(task)
        except AirflowException as error:
            faults.append(_fault(dag, f"task {task.task_id!r}: {error}", "Remove trigger_rule.", "bad_task", task.task_id))
        if dag.fail_fast and not task.is_teardown and task.trigger_rule != TriggerRule.ALL_SUCCESS:
            faults.append(_fault(
                dag, f"task {task.task_id!r} has trigger rule {task.trigger_rule.value!r}; a fail_fast DAG allows only 'all_success'",
                "Remove the trigger rule or fail_fast.", "bad_task", task.task_id,
            ))
    if dag.timetable.can_be_scheduled:
        try:
            dag.params.validate()
        except ParamValidationError as error:
            faults.append(_fault(
                dag, f"DAG {dag.dag_id!r} has a schedule, but a param has no valid default: {error}",
                "Give the param a default, or set schedule=None.", "bad_param",
            ))
    return faults


def _fault(dag: DAG, message: str, hint: str, kind: str, task_id: str | None = None) -> Fault:
    return Fault(dag.fileloc, dag.line, message, hint, kind, task_id=task_id)


def find_cycle(dag: DAG) -> list[str] | None:
    """Task ids along a cycle, the first one repeated at the end; None without a cycle."""
    done: set[str] = set()
    for start in sorted(dag.task_dict):
        path: list[str] = []
        pending = [(start, iter(sorted(dag.task_dict[start].downstream_task_ids)))] if start not in done else []
        path.extend(task_id for task_id, _ in pending)
        while pending:
            task_id, successors = pending[-1]
            following = next(successors, None)
            if following is None:
                pending.pop()
                done.add(path.pop())
            elif following in path:
                return [*path[path.index(following):], following]
            elif following not in done:
                path.append(following)
                pending.append((following, iter(sorted(dag.task_dict[following].downstream_task_ids))))
    return None
