"""`@task.run_if` and `@task.skip_if`: a condition that is asked right before the task runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leoflow.dagmodel.errors import AirflowSkipException

DEFAULT_MESSAGE = "Task was skipped due to condition."


def _conditional(name: str, condition: Callable[[Any], Any], message: str | None, *, skip_on: bool) -> Callable[[Any], Any]:
    def check(context: Any) -> None:
        answer = condition(context)
        verdict, own_message = answer if isinstance(answer, tuple) else (answer, None)
        if bool(verdict) is skip_on:
            raise AirflowSkipException(own_message or message or DEFAULT_MESSAGE)

    def decorate(task: Any) -> Any:
        if not getattr(task, "_airflow_is_task_decorator", False):
            raise TypeError(f"{name} can only be used with task. decorate with @task before @{name}.")
        earlier = task.kwargs.get("pre_execute")

        def hook(context: Any) -> None:
            if earlier is not None:
                earlier(context)
            check(context)

        task.kwargs["pre_execute"] = hook
        return task

    return decorate


def run_if(condition: Callable[[Any], Any], skip_message: str | None = None) -> Callable[[Any], Any]:
    """Run the task only when `condition(context)` is true; it may answer (bool, message)."""
    return _conditional("run_if", condition, skip_message, skip_on=False)


def skip_if(condition: Callable[[Any], Any], skip_message: str | None = None) -> Callable[[Any], Any]:
    """Skip the task when `condition(context)` is true; it may answer (bool, message)."""
    return _conditional("skip_if", condition, skip_message, skip_on=True)
