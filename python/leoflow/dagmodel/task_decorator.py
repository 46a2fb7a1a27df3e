"""`@task`, `@task.branch`, …, `@setup`, `@teardown`: functions that become tasks when they are called in a DAG."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

from leoflow.dagmodel import stack
from leoflow.dagmodel.calling import CONTEXT_KEYS
from leoflow.dagmodel.conditions import run_if, skip_if
from leoflow.dagmodel.decorated import (
    DecoratedSensorOperator,
    _BashDecoratedOperator,
    _BranchPythonDecoratedOperator,
    _PythonDecoratedOperator,
    _ShortCircuitDecoratedOperator,
    unique_task_id,
)
from leoflow.dagmodel.errors import AirflowException, UnsupportedFeature
from leoflow.dagmodel.expansion import Product, Rows, is_mappable, refuse_duplicates, require_return_values, require_rows
from leoflow.dagmodel.mapped import MappedOperator
from leoflow.dagmodel.states import TriggerRule
from leoflow.dagmodel.task_group_decorator import TaskGroupFactory
from leoflow.dagmodel.xcom_arg import XComArg

_DOCS = ("doc", "doc_md", "doc_json", "doc_yaml", "doc_rst")


def returns_mapping(function: Callable[..., Any]) -> bool:
    """True when the annotated return type is a dict, a Mapping or a TypedDict: Airflow then unrolls it by key."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return False
    probe = types.SimpleNamespace(__annotations__={"return": annotation})
    try:
        hint = typing.get_type_hints(probe, getattr(function, "__globals__", {})).get("return", Any)
    except (NameError, TypeError):
        return False
    kind = getattr(hint, "__origin__", hint)
    return isinstance(kind, type) and issubclass(kind, Mapping)


def refuse_unknown_names(function: Callable[..., Any], verb: str, given: Mapping[str, Any]) -> None:
    """Check the names given to `partial` or `expand` against a function's arguments.

    Raises `TypeError` for unknown names, `ValueError` for values that cannot be mapped.
    """
    parameters = inspect.signature(function).parameters
    if verb == "expand":
        for name, value in given.items():
            if not is_mappable(value):
                raise ValueError(f"expand() got an unexpected type {type(value).__name__!r} for keyword argument {name!r}")
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        several = len(unknown) > 1
        names = ", ".join(map(repr, unknown))
        raise TypeError(f"{verb}() got {'' if several else 'an '}unexpected keyword argument{'s' if several else ''} {names}")


class TaskDecorator:
    """A function with the arguments of the task it will be. Calling it in a DAG makes the task."""

    _airflow_is_task_decorator = True
    is_setup = False
    is_teardown = False
    on_failure_fail_dagrun = False

    def __init__(self, function: Any, operator_class: type, multiple_outputs: bool | None, kwargs: dict[str, Any]) -> None:
        if not callable(function):
            raise TypeError(f"{function!r} is not a function")
        if "self" in inspect.signature(function).parameters:
            raise TypeError(f"{operator_class.custom_operator_name} does not support methods")
        update_wrapper(self, function)
        self.function, self.operator_class = function, operator_class
        self.multiple_outputs = returns_mapping(function) if multiple_outputs is None else multiple_outputs
        self.kwargs = {"task_id": function.__name__, **kwargs}

    def _teardown_rule(self) -> dict[str, Any]:
        if not self.is_teardown:
            return {}
        if "trigger_rule" in self.kwargs:
            raise ValueError("Trigger rule not configurable for teardown tasks.")
        return {"trigger_rule": TriggerRule.ALL_DONE_SETUP_SUCCESS}

    def _finish(self, operator: Any, on_failure_fail_dagrun: bool) -> XComArg:
        operator.is_setup, operator.is_teardown = self.is_setup, self.is_teardown
        operator.on_failure_fail_dagrun = on_failure_fail_dagrun
        if self.function.__doc__ and not any(getattr(operator, doc) for doc in _DOCS):
            operator.doc_md = self.function.__doc__
        return XComArg(operator)

    def _task_kwargs(self) -> tuple[dict[str, Any], bool]:
        kwargs = {**self.kwargs, **self._teardown_rule()}
        fails_run = kwargs.pop("on_failure_fail_dagrun", self.on_failure_fail_dagrun)
        if self.operator_class not in (DecoratedSensorOperator, _BashDecoratedOperator):
            kwargs["multiple_outputs"] = self.multiple_outputs
        return kwargs, fails_run

    def __call__(self, *args: Any, **kwargs: Any) -> XComArg:
        task_kwargs, fails_run = self._task_kwargs()
        partial = task_kwargs.pop("op_kwargs", {})
        operator = self.operator_class(
            python_callable=self.function, op_args=args, op_kwargs={**partial, **kwargs}, **task_kwargs
        )
        return self._finish(operator, fails_run)

    def partial(self, **kwargs: Any) -> TaskDecorator:
        """Arguments that every instance of a mapped task shares."""
        self._check_names("partial", kwargs)
        known = self.kwargs.get("op_kwargs", {})
        refuse_duplicates(known, kwargs, "duplicate partial")
        return self._evolve({"op_kwargs": {**known, **kwargs}})

    def override(self, **kwargs: Any) -> TaskDecorator:
        """The same function with other task arguments."""
        return self._evolve(kwargs)

    def _evolve(self, changes: dict[str, Any]) -> TaskDecorator:
        twin = TaskDecorator(self.function, self.operator_class, self.multiple_outputs, {**self.kwargs, **changes})
        if "multiple_outputs" in twin.kwargs:
            twin.multiple_outputs = twin.kwargs.pop("multiple_outputs")
        twin.is_setup, twin.is_teardown = self.is_setup, self.is_teardown
        twin.on_failure_fail_dagrun = self.on_failure_fail_dagrun
        return twin

    def expand(self, **map_kwargs: Any) -> XComArg:
        """One instance per combination of the given values."""
        if not map_kwargs:
            raise TypeError("no arguments to expand against")
        self._check_names("expand", map_kwargs)
        refuse_duplicates(self.kwargs.get("op_kwargs", {}), map_kwargs, "mapping already partial")
        if self.kwargs.get("trigger_rule") == TriggerRule.ALWAYS and any(isinstance(v, XComArg) for v in map_kwargs.values()):
            raise ValueError("Task-generated mapping within a task using 'expand' is not allowed with trigger rule 'always'.")
        return self._expand(Product(map_kwargs), strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:
        """One instance per row of arguments."""
        require_rows(kwargs)
        return self._expand(Rows(kwargs), strict=strict)

    def _expand(self, expand_input: Product | Rows, *, strict: bool) -> XComArg:
        require_return_values(expand_input.value)
        kwargs, fails_run = self._task_kwargs()
        dag = kwargs.get("dag") or stack.current_dag()
        kwargs["task_id"] = unique_task_id(kwargs["task_id"], dag, kwargs.get("task_group"))
        kwargs["python_callable"] = self.function
        operator = MappedOperator(self.operator_class, expand_input, kwargs, strict=strict, fills_op_kwargs=True)
        return self._finish(operator, fails_run)

    def _check_names(self, verb: str, given: dict[str, Any]) -> None:
        context_names = sorted(CONTEXT_KEYS & set(given))
        if context_names:
            several = "s" if len(context_names) > 1 else ""
            raise ValueError(f"cannot call {verb}() on task context variable{several} {', '.join(map(repr, context_names))}")
        refuse_unknown_names(self.function, verb, given)


def _factory(operator_class: type, *, unrolls: bool = True) -> Callable[..., Any]:
    """A decorator that makes tasks of one operator class, with and without arguments."""

    def decorate(python_callable: Any = None, multiple_outputs: bool | None = None, **kwargs: Any) -> Any:
        if isinstance(python_callable, TaskDecorator):
            python_callable = python_callable.function
        if multiple_outputs is None and not unrolls:
            multiple_outputs = False
        if python_callable is not None:
            if kwargs and not callable(python_callable):
                raise TypeError("@task takes keyword arguments only")
            return TaskDecorator(python_callable, operator_class, multiple_outputs, kwargs)
        return lambda function: decorate(function, multiple_outputs, **kwargs)

    decorate.__name__ = operator_class.custom_operator_name.removeprefix("@")
    return decorate


class TaskDecorators:
    """`task`: call it for `@task`, or take one of the decorators that hang on it."""

    python = staticmethod(_factory(_PythonDecoratedOperator))
    branch = staticmethod(_factory(_BranchPythonDecoratedOperator))
    short_circuit = staticmethod(_factory(_ShortCircuitDecoratedOperator))
    sensor = staticmethod(_factory(DecoratedSensorOperator, unrolls=False))
    bash = staticmethod(_factory(_BashDecoratedOperator, unrolls=False))
    skip_if = staticmethod(skip_if)
    run_if = staticmethod(run_if)
    __call__ = python

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedFeature(f"@task.{name}")


task = TaskDecorators()


def _as_task(function: Any) -> TaskDecorator:
    if isinstance(function, TaskGroupFactory):
        raise AirflowException("Task groups cannot be marked as setup or teardown.")
    return function if isinstance(function, TaskDecorator) else task(function)


def setup(function: Any) -> TaskDecorator:
    """Mark a function, or a `@task`, as setup."""
    marked = _as_task(function)
    marked.is_setup = True
    return marked


def teardown(_func: Any = None, *, on_failure_fail_dagrun: bool = False) -> Any:
    """Mark a function, or a `@task`, as teardown."""

    def mark(function: Any) -> TaskDecorator:
        marked = _as_task(function)
        marked.is_teardown = True
        marked.on_failure_fail_dagrun = on_failure_fail_dagrun
        return marked

    return mark if _func is None else mark(_func)
