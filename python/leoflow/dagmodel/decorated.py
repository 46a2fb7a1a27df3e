"""The operators behind `@task` and its relatives: a function of the DAG file as a task."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from leoflow.dagmodel import stack
from leoflow.dagmodel.bash_operators import SET_DURING_EXECUTION, BashOperator
from leoflow.dagmodel.calling import CONTEXT_KEYS, call, call_plan, choose_kwargs
from leoflow.dagmodel.python_operators import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from leoflow.dagmodel.sensors import PythonSensor
from leoflow.dagmodel.task_group import next_suffixed


def unique_task_id(task_id: str, dag: Any, group: Any) -> str:
    """`task_id`, or `task_id__1` and so on when the DAG has it already."""
    dag = dag or stack.current_dag()
    if dag is None:
        return task_id
    group = group or stack.current_group(dag)
    full = group.child_id(task_id) if group is not None else task_id
    return task_id if full not in dag.task_dict else next_suffixed(task_id, full, dag.task_dict)


def check_call(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> None:
    """Check that a function can be called so; names of the context need not be given.

    Raises `TypeError` as the call would, `ValueError` for a context name with a default other than None.
    """
    signature = inspect.signature(function)
    parameters = [_with_context_default(p) for p in signature.parameters.values()]
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    first_default = next((i for i, p in enumerate(positional) if p.default is not p.empty), len(positional))
    # A context name before a required one would make the signature invalid: give that a default too, and ask for it here.
    late = [p.name for p in positional[first_default:] if p.default is p.empty]
    missing = sorted(name for name in late if name not in kwargs and name not in [p.name for p in positional[: len(args)]])
    if missing:
        raise TypeError(f"missing required argument(s): {', '.join(missing)}")
    loose = [p.replace(default=None) if p.name in late else p for p in parameters]
    signature.replace(parameters=loose).bind(*args, **kwargs)


def _with_context_default(parameter: inspect.Parameter) -> inspect.Parameter:
    if parameter.name not in CONTEXT_KEYS or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return parameter
    if parameter.default not in (None, parameter.empty):
        raise ValueError(f"Context key parameter {parameter.name} can't have a default other than None")
    return parameter.replace(default=None)


class _Decorated:
    """What all decorated operators share: a task id that never collides, and arguments checked at parse time."""

    custom_operator_name = "@task"

    def _fill_callable_defaults(self, kwargs: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        function = kwargs.get("python_callable")
        if function is not None:
            _, names, positional = call_plan(function)
            taken = set(positional[: len(kwargs.get("op_args") or ())])
            given = dict(kwargs.get("op_kwargs") or {})
            filled = {n: defaults[n] for n in names if n in defaults and n not in given and n not in taken}
            kwargs["op_kwargs"] = {**given, **filled}
        return defaults

    def _claim_id(self, task_id: str, kwargs: dict[str, Any]) -> str:
        if self.__dict__.get("_unmapping", False):
            return task_id
        return unique_task_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))


class _PythonDecoratedOperator(_Decorated, PythonOperator):
    def __init__(self, *, python_callable: Any, task_id: str, op_args: Any = None, op_kwargs: Any = None, **kwargs: Any) -> None:
        check_call(python_callable, op_args or (), op_kwargs or {})
        super().__init__(
            task_id=self._claim_id(task_id, kwargs), python_callable=python_callable, op_args=op_args, op_kwargs=op_kwargs, **kwargs
        )


class _BranchPythonDecoratedOperator(_PythonDecoratedOperator, BranchPythonOperator):
    custom_operator_name = "@task.branch"


class _ShortCircuitDecoratedOperator(_PythonDecoratedOperator, ShortCircuitOperator):
    custom_operator_name = "@task.short_circuit"


class DecoratedSensorOperator(_Decorated, PythonSensor):
    """A function as a sensor."""

    template_fields: Any = ("op_args", "op_kwargs")
    custom_operator_name = "@task.sensor"

    def __init__(self, *, task_id: str, **kwargs: Any) -> None:
        super().__init__(task_id=self._claim_id(task_id, kwargs), **kwargs)


class _BashDecoratedOperator(_Decorated, BashOperator):
    template_fields: Any = ("op_args", "op_kwargs", *BashOperator.template_fields)
    custom_operator_name = "@task.bash"
    overwrite_rtif_after_execution = True

    def __init__(self, *, python_callable: Any, task_id: str, op_args: Any = None, op_kwargs: Any = None, **kwargs: Any) -> None:
        check_call(python_callable, op_args or (), op_kwargs or {})
        kwargs["multiple_outputs"] = False
        super().__init__(task_id=self._claim_id(task_id, kwargs), bash_command=SET_DURING_EXECUTION, **kwargs)
        self.python_callable, self.op_args, self.op_kwargs = python_callable, op_args or (), op_kwargs or {}

    def execute(self, context: Any) -> Any:
        kwargs = choose_kwargs(self.python_callable, self.op_args, self.op_kwargs, context)
        command = call(self.python_callable, self.op_args, kwargs)
        if not isinstance(command, str) or not command.strip():
            raise TypeError("The returned value from the TaskFlow callable must be a non-empty string.")
        self.bash_command, self._is_script = command, self._names_script(command)
        for name in BashOperator.template_fields:
            setattr(self, name, self.render_template(getattr(self, name), context))
        return super().execute(context)
