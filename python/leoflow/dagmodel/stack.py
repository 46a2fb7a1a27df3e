"""Which DAG and task group are open while a DAG file runs, which DAGs registered themselves, and the running task's context."""

from __future__ import annotations

from typing import Any, NamedTuple

from leoflow.dagmodel.errors import NoCurrentContext

_dags: list[Any] = []
_groups: list[Any] = []
registered_dags: list[Any] = []
running_contexts: list[Any] = []


def push_dag(dag: Any) -> None:
    """Open a DAG: tasks made from now on belong to it."""
    _dags.append(dag)


def pop_dag() -> Any:
    """Close the innermost DAG; it counts as found when it registers itself."""
    dag = _dags.pop()
    if dag.auto_register and not any(known is dag for known in registered_dags):
        registered_dags.append(dag)
    return dag


def current_dag() -> Any | None:
    """The innermost open DAG."""
    return _dags[-1] if _dags else None


def push_group(group: Any) -> None:
    """Open a task group."""
    _groups.append(group)


def pop_group() -> Any:
    """Close the innermost task group."""
    return _groups.pop()


def current_group(dag: Any | None) -> Any | None:
    """The innermost open group of `dag`, else its root group, else None."""
    if _groups and (dag is None or _groups[-1].dag is dag):
        return _groups[-1]
    return dag.task_group if dag is not None else None


def group_is_open() -> bool:
    """True inside any `with TaskGroup(...)`."""
    return bool(_groups)


def reset() -> None:
    """Forget everything; called before a DAG file is loaded."""
    for pile in (_dags, _groups, registered_dags):
        pile.clear()


class ParsingContext(NamedTuple):
    """What the file is being parsed for; both are None when the whole file is wanted."""

    dag_id: str | None
    task_id: str | None


parsing_context = ParsingContext(None, None)


def get_parsing_context() -> ParsingContext:
    """Airflow's hint for generated DAG files: the DAG wanted, when only one is."""
    return parsing_context


def set_parsing_context(dag_id: str | None, task_id: str | None) -> None:
    """Say what the file is about to be loaded for."""
    global parsing_context
    parsing_context = ParsingContext(dag_id, task_id)


def get_current_context() -> Any:
    """The context of the task that is running in this process.

    Raises `NoCurrentContext` outside of a task.
    """
    if not running_contexts:
        raise NoCurrentContext(
            "Current context was requested but no context was found! Are you running within an Airflow task?"
        )
    return running_contexts[-1].materialize()
