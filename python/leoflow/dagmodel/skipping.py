"""Tasks that decide which of their downstream tasks are skipped: SkipMixin, BranchMixIn, BaseBranchOperator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leoflow.dagmodel.errors import AirflowException, DownstreamTasksSkipped
from leoflow.dagmodel.operator import BaseOperator

SKIP_KEY = "skipmixin_key"


class SkipMixin:
    """Gives an operator `skip` and `skip_all_except`."""

    inherits_from_skipmixin = True

    def skip(self, ti: Any, tasks: Iterable[Any]) -> None:
        """Skip these tasks. Ends the task at once, as a success, when it is not mapped."""
        task_ids = [task if isinstance(task, str) else task.task_id for task in tasks]
        if task_ids:
            self._decide(ti, {"skipped": task_ids}, {"skipped": task_ids}, task_ids)

    def skip_transitively(self, ti: Any, tasks: Iterable[Any]) -> None:
        """Skip these tasks and everything after them, whatever the trigger rules."""
        task_ids = [task.task_id for task in tasks]
        if task_ids:
            direct = [task_id for task_id in task_ids if task_id in ti.task.downstream_task_ids]
            self._decide(ti, {"skipped": task_ids}, {"skipped": direct, "all": True}, task_ids)

    def skip_all_except(self, ti: Any, branch_task_ids: None | str | Iterable[str]) -> None:
        """Skip every direct downstream task that is neither followed nor reached by a followed one."""
        followed = _branch_ids(branch_task_ids)
        dag, task = ti.task.dag, ti.task
        unknown = sorted(followed - dag.task_dict.keys())
        if unknown:
            raise AirflowException(
                f"'branch_task_ids' must contain only valid task_ids. Invalid tasks found: {unknown}. "
                f"Direct downstream tasks of {task.task_id} are {sorted(task.downstream_task_ids)}."
            )
        self.log.info("Following branch %s", sorted(followed))
        for task_id in list(followed):
            followed.update(dag.get_task(task_id).get_flat_relative_ids(upstream=False))
        downstream = sorted(task.downstream_task_ids)
        if downstream:
            follow = [task_id for task_id in downstream if task_id in followed]
            skipped = [task_id for task_id in downstream if task_id not in followed]
            self.log.info("Skipping tasks %s", skipped)
            self._decide(ti, {"followed": follow}, {"followed": follow}, skipped)

    @staticmethod
    def _decide(ti: Any, xcom: dict[str, Any], decision: dict[str, Any], skipped: list[str]) -> None:
        ti.xcom_push(key=SKIP_KEY, value=xcom)
        ti.skip_decision = decision
        # Airflow ends the task here, before its return value is pushed; instances of a mapped task go on.
        if skipped and ti.map_index < 0:
            raise DownstreamTasksSkipped(tasks=skipped)


def _branch_ids(chosen: Any) -> set[str]:
    if chosen is None:
        return set()
    if isinstance(chosen, str):
        return {chosen}
    if not isinstance(chosen, Iterable):
        raise AirflowException(
            f"'branch_task_ids' must be either None, a task ID, or an Iterable of IDs, but got {type(chosen).__name__!r}."
        )
    ids = list(chosen)
    wrong = [(item, type(item).__name__) for item in ids if not isinstance(item, str)]
    if wrong:
        raise AirflowException(
            "Unable to branch to the specified tasks. The branching function returned invalid 'branch_task_ids': "
            f"{wrong}. Please check that your function returns an Iterable of valid task IDs that exist in your DAG."
        )
    return set(ids)


class BranchMixIn(SkipMixin):
    """Gives an operator `do_branch`."""

    def do_branch(self, context: Any, branches_to_execute: Any) -> Any:
        """Follow these tasks and groups; a group means its first tasks."""
        self.log.info("Branch into %s", branches_to_execute)
        ti = context["ti"]
        self.skip_all_except(ti, _expand_groups(ti.task.dag, branches_to_execute))
        return branches_to_execute


def _expand_groups(dag: Any, branches: Any) -> Any:
    if branches is None:
        return None
    if isinstance(branches, str) or not isinstance(branches, Iterable):
        branches = [branches]
    groups = dag.task_group_dict
    expanded: list[Any] = []
    for branch in branches:
        if isinstance(branch, str) and branch in groups:
            expanded.extend(root.task_id for root in groups[branch].roots)
        else:
            expanded.append(branch)
    return expanded


class BaseBranchOperator(BaseOperator, BranchMixIn):
    """Base of branching operators; a subclass overrides `choose_branch(context)`."""

    def choose_branch(self, context: Any) -> Any:
        """Task ids or group ids to follow; None follows nothing."""
        raise NotImplementedError

    def execute(self, context: Any) -> Any:
        return self.do_branch(context, self.choose_branch(context))
