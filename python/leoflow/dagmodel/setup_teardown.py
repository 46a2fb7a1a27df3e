"""`with setup >> teardown:`: which tasks are made inside the block, and the edges drawn when it closes."""

from __future__ import annotations

from typing import Any

from leoflow.dagmodel.errors import AirflowException


class Scope:
    """One open block: its setups and teardowns, and the tasks made inside."""

    def __init__(self, setups: list[Any], teardowns: list[Any]) -> None:
        self.setups, self.teardowns = setups, teardowns
        self.tasks: list[Any] = []

    def add_task(self, task: Any) -> None:
        """Count a task that was made elsewhere as part of the block."""
        operator = getattr(task, "operator", task)
        if not any(known is operator for known in self.tasks):
            self.tasks.append(operator)


_scopes: list[Scope] = []


class ContextWrapper(list):
    """`with context_wrapper([setup_1, setup_2]):`: a block with several setups or teardowns."""

    def __enter__(self) -> Scope:
        return open_scope([getattr(task, "operator", task) for task in self])

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        close_scope()


def open_scope(operators: list[Any]) -> Scope:
    """Enter a block of setups, or of teardowns.

    Raises `AirflowException` for other tasks, `ValueError` for a mixture.
    """
    if any(not (task.is_setup or task.is_teardown) for task in operators):
        raise AirflowException("Only setup/teardown tasks can be used as context managers.")
    if len({task.is_setup for task in operators}) > 1:
        raise ValueError("All tasks in the list must be either setup or teardown tasks")
    if operators[0].is_teardown:
        scope = Scope(_nearest(operators, "is_setup", upstream=True), operators)
    else:
        scope = Scope(operators, _nearest(operators, "is_teardown", upstream=False))
    _scopes.append(scope)
    return scope


def close_scope() -> None:
    """Leave the block: setups before its first tasks, teardowns after its last, inner blocks inside outer ones."""
    scope = _scopes.pop()
    work = [task for task in scope.tasks if not (task.is_setup or task.is_teardown)]
    if work:
        roots = [task for task in work if not task.upstream_task_ids] or work[:1]
        leaves = [task for task in work if not task.downstream_task_ids] or work[-1:]
        _link(scope.setups, roots)
        _link(leaves, scope.teardowns)
    if _scopes:
        _link(_scopes[-1].setups, scope.setups)
        _link(scope.teardowns, _scopes[-1].teardowns)


def notice_task(task: Any) -> None:
    """Record a new task in the innermost open block."""
    if _scopes:
        _scopes[-1].add_task(task)


def forget_scopes() -> None:
    """Drop blocks that an exception left open."""
    _scopes.clear()


def _link(before: list[Any], after: list[Any]) -> None:
    for first in before:
        for second in after:
            first.set_downstream(second)


def _nearest(operators: list[Any], mark: str, *, upstream: bool) -> list[Any]:
    """The closest tasks on one side that carry the mark."""
    level, seen = operators, set()
    while level:
        neighbours = {n.task_id: n for task in level for n in task.get_direct_relatives(upstream) if n.task_id not in seen}
        marked = [neighbours[task_id] for task_id in sorted(neighbours) if getattr(neighbours[task_id], mark)]
        if marked:
            return marked
        seen.update(neighbours)
        level = [neighbours[task_id] for task_id in sorted(neighbours)]
    return []
