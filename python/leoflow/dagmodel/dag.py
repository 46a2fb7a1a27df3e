"""DAG: tasks, groups and edges under one id, with the arguments that apply to all of them."""

from __future__ import annotations

import copy
import functools
import inspect
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from leoflow.dagmodel import stack
from leoflow.dagmodel.arguments import as_callbacks, validate_key
from leoflow.dagmodel.errors import AirflowException, DuplicateTaskIdFound, TaskNotFound, UnsupportedFeature
from leoflow.dagmodel.moments import convert_to_utc, utc
from leoflow.dagmodel.notices import author_location, warn
from leoflow.dagmodel.notset import NOTSET
from leoflow.dagmodel.params import DagParam, ParamsDict
from leoflow.dagmodel.states import DagRunType
from leoflow.dagmodel.task_group import TaskGroup
from leoflow.dagmodel.timetables import make_timetable

# Where the author's files are; the loader sets it, `dag.folder` and relative template paths read it.
project_root: str = os.getcwd()


class Unsaid(int):
    """A default of Airflow's that the author has not asked for."""


class DAG:
    """A workflow. Use as `with DAG(…):`, or through `@dag`."""

    def __init__(
        self,
        dag_id: str,
        *,
        description: str | None = None,
        schedule: Any = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        template_searchpath: Any = None,
        template_undefined: Any = None,
        user_defined_macros: dict[str, Any] | None = None,
        user_defined_filters: dict[str, Any] | None = None,
        default_args: dict[str, Any] | None = None,
        max_active_tasks: int = Unsaid(16),
        max_active_runs: int = Unsaid(16),
        max_consecutive_failed_dag_runs: int = 0,
        dagrun_timeout: timedelta | None = None,
        deadline: Any = None,
        sla_miss_callback: Any = None,
        catchup: bool = False,
        on_success_callback: Any = None,
        on_failure_callback: Any = None,
        doc_md: str | None = None,
        params: Any = None,
        access_control: Any = None,
        is_paused_upon_creation: bool | None = None,
        jinja_environment_kwargs: dict[str, Any] | None = None,
        render_template_as_native_obj: bool = False,
        tags: Any = None,
        owner_links: dict[str, str] | None = None,
        auto_register: bool = True,
        fail_fast: bool = False,
        allowed_run_types: Any = None,
        dag_display_name: str | None = None,
        disable_bundle_versioning: bool = False,
    ) -> None:
        self.dag_id = validate_key(dag_id, "dag_id")
        self.description, self.catchup, self.fail_fast = description, bool(catchup), bool(fail_fast)
        self.fileloc, self.line = author_location()
        limits = {"max_active_tasks": max_active_tasks, "max_active_runs": max_active_runs}
        self.given = frozenset(name for name, limit in limits.items() if not isinstance(limit, Unsaid))
        self.default_args = copy.deepcopy(default_args or {})
        self.params = ParamsDict.merged(self.default_args.pop("params", None), params)
        self._set_dates(start_date, end_date)
        self.schedule, self.timetable = schedule, make_timetable(schedule, self.timezone)
        self.template_searchpath = [template_searchpath] if isinstance(template_searchpath, str) else list(template_searchpath or ())
        self.template_undefined, self.jinja_environment_kwargs = template_undefined, jinja_environment_kwargs
        self.user_defined_macros, self.user_defined_filters = user_defined_macros, user_defined_filters
        self.render_template_as_native_obj = bool(render_template_as_native_obj)
        self.max_active_tasks, self.max_active_runs = int(max_active_tasks), int(max_active_runs)
        self.max_consecutive_failed_dag_runs = int(max_consecutive_failed_dag_runs)
        self.dagrun_timeout = _checked_timeout(dagrun_timeout)
        self.on_success_callback, self.on_failure_callback = as_callbacks(on_success_callback), as_callbacks(on_failure_callback)
        self.doc_md, self.is_paused_upon_creation = _read_doc(doc_md), is_paused_upon_creation
        self.tags, self.owner_links = _checked_tags(tags), owner_links or {}
        self.auto_register = bool(auto_register)
        self.allowed_run_types = _run_types(allowed_run_types)
        self.dag_display_name, self.disable_bundle_versioning = dag_display_name or dag_id, disable_bundle_versioning
        self.task_dict: dict[str, Any] = {}
        self.edge_info: dict[str, dict[str, dict[str, Any]]] = {}
        self.task_group = TaskGroup(dag=self)
        self._refuse(deadline, sla_miss_callback, access_control)

    def _set_dates(self, start: datetime | None, end: datetime | None) -> None:
        start = start or self.default_args.get("start_date")
        end = end or self.default_args.get("end_date")
        for name, value in (("start_date", start), ("end_date", end)):
            if value is not None and not isinstance(value, datetime):
                raise TypeError(f"{name} must be a datetime, got {value!r}")
        self.timezone = start.tzinfo if start is not None and start.tzinfo is not None else utc
        self.start_date, self.end_date = convert_to_utc(start), convert_to_utc(end)

    def _refuse(self, deadline: Any, sla_miss_callback: Any, access_control: Any) -> None:
        limit = self.timetable.active_runs_limit
        if limit is not None and self.max_active_runs > limit:
            raise ValueError(f"Invalid max_active_runs: {type(self.timetable).__name__} requires max_active_runs <= {limit}")
        if deadline is not None:
            raise UnsupportedFeature("DAG(deadline=…)")
        if sla_miss_callback is not None:
            warn("`sla_miss_callback` has no effect since Airflow 3.0")
        if access_control is not None:
            warn("`access_control` has no effect", "give roles their rights in the control plane")

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"

    def __hash__(self) -> int:
        return id(self)

    def __enter__(self) -> DAG:
        stack.push_dag(self)
        stack.push_group(self.task_group)
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        stack.pop_group()
        stack.pop_dag()

    def __deepcopy__(self, memo: dict[int, Any]) -> DAG:
        return self

    @property
    def display_name(self) -> str:
        """Name for people."""
        return self.dag_display_name

    @property
    def tasks(self) -> list[Any]:
        """All tasks, in the order they were made."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """Ids of all tasks."""
        return list(self.task_dict)

    @property
    def task_group_dict(self) -> dict[str, TaskGroup]:
        """All groups by id."""
        return {group_id: group for group_id, group in self.task_group.get_task_group_dict().items() if group_id}

    @property
    def folder(self) -> str:
        """Folder of the DAG file."""
        return os.path.dirname(self.fileloc)

    @property
    def owner(self) -> str:
        """Owners of all tasks."""
        return ", ".join(sorted({task.owner for task in self.tasks if task.owner}))

    @property
    def roots(self) -> list[Any]:
        """Tasks that wait for nothing."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> list[Any]:
        """Tasks that nothing waits for."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    def has_task(self, task_id: str) -> bool:
        """True when the DAG has the task."""
        return task_id in self.task_dict

    def get_task(self, task_id: str) -> Any:
        """A task by id.

        Raises `TaskNotFound`.
        """
        try:
            return self.task_dict[task_id]
        except KeyError:
            raise TaskNotFound(f"Task {task_id} not found in Dag {self.dag_id}") from None

    def add_task(self, task: Any) -> None:
        """Put a task into the DAG.

        Raises `DuplicateTaskIdFound`.
        """
        known = self.task_dict.get(task.task_id)
        if known is task:
            return
        if known is not None or task.task_id in self.task_group.used_group_ids:
            raise DuplicateTaskIdFound(f"Task id '{task.task_id}' has already been added to the Dag")
        if task.task_group is None:
            self.task_group.add(task)
        task.dag = self
        task.start_date = _later(task.start_date, self.start_date)
        task.end_date = _earlier(task.end_date, self.end_date)
        self.task_dict[task.task_id] = task

    def add_tasks(self, tasks: Any) -> None:
        """Put several tasks into the DAG."""
        for task in tasks:
            self.add_task(task)

    def set_edge_info(self, upstream_task_id: str, downstream_task_id: str, info: dict[str, Any]) -> None:
        """Put a label on an edge."""
        self.edge_info.setdefault(upstream_task_id, {})[downstream_task_id] = info

    def get_edge_info(self, upstream_task_id: str, downstream_task_id: str) -> dict[str, Any]:
        """The label of an edge."""
        return self.edge_info.get(upstream_task_id, {}).get(downstream_task_id, {})

    def param(self, name: str, default: Any = NOTSET) -> DagParam:
        """A param's value, resolved when a task runs."""
        return DagParam(self, name, default)

    def get_template_env(self, *, force_sandboxed: bool = False) -> Any:
        """The Jinja environment of the DAG's templates."""
        from leoflow.run.templates import environment_of

        return environment_of(self, native=self.render_template_as_native_obj and not force_sandboxed)

    def test(self, *args: Any, **kwargs: Any) -> Any:
        """Airflow runs the DAG in this process; here `leoflow lite` does it."""
        raise UnsupportedFeature("dag.test()", "Start `leoflow lite` and trigger the DAG there.")


def dag(dag_id: Any = "", **dag_kwargs: Any) -> Any:
    """Make a function a DAG factory: calling it draws the DAG. The docstring becomes `doc_md`."""
    if callable(dag_id):
        return dag()(dag_id)

    def decorate(function: Callable[..., Any]) -> Callable[..., DAG]:
        signature = inspect.signature(function)
        for parameter in signature.parameters.values():
            if parameter.default is parameter.empty and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                signature = signature.replace(
                    parameters=[p.replace(default=None) if p.default is p.empty else p for p in signature.parameters.values()]
                )
                break

        @functools.wraps(function)
        def factory(*args: Any, **kwargs: Any) -> DAG:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = dict(dag_kwargs)
            arguments.setdefault("doc_md", function.__doc__)
            with DAG(dag_id or function.__name__, **arguments) as drawn:
                drawn.fileloc, drawn.line = function.__code__.co_filename, function.__code__.co_firstlineno
                function(**{name: drawn.param(name, value) for name, value in bound.arguments.items()})
            return drawn

        factory.__signature__ = signature
        return factory

    return decorate


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one is not None and other is not None else one or other


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one is not None and other is not None else one or other


def _checked_timeout(value: Any) -> timedelta | None:
    if value is not None and not isinstance(value, timedelta):
        raise TypeError(f"dagrun_timeout must be a timedelta, got {value!r}")
    return value


def _checked_tags(tags: Any) -> set[str]:
    if isinstance(tags, str):
        raise TypeError("tags must be a list of strings, not a string")
    found = set(tags or ())
    for tag in found:
        if len(tag) > 100:
            raise AirflowException(f"tag cannot be longer than 100 characters: {tag!r}")
    return found


def _run_types(value: Any) -> list[str] | None:
    if value is None:
        return None
    return sorted(DagRunType(str(item)).value for item in ([value] if isinstance(value, str) else value))


def _read_doc(doc_md: str | None) -> str | None:
    if doc_md is None or not doc_md.endswith(".md"):
        return doc_md
    try:
        with open(doc_md, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return doc_md
