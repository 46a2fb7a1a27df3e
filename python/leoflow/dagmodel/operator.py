"""BaseOperator: one task of a DAG, its arguments, and how default_args reach it."""

from __future__ import annotations

import functools
import inspect
import logging
from abc import ABCMeta
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from leoflow.dagmodel import recording, stack
from leoflow.dagmodel.arguments import OPERATOR_ARGUMENTS, STORED_AS, coerce_arguments, validate_key
from leoflow.dagmodel.dependency import DAGNode, wire
from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.params import ParamsDict
from leoflow.dagmodel.setup_teardown import close_scope, notice_task, open_scope
from leoflow.dagmodel.states import TriggerRule
from leoflow.dagmodel.xcom_arg import PlainXComArg, XComArg, mark_teardown, wire_references

# Loggers of operators by name: logging.getLogger takes a lock and half a dozen calls.
_loggers: dict[str, logging.Logger] = {}


def logger_of(operator_class: type, own_name: str | None) -> logging.Logger:
    """The logger of an operator: the one it names, else the one of its class."""
    name = own_name or f"airflow.task.operators.{operator_class.__name__}"
    logger = _loggers.get(name)
    if logger is None:
        logger = _loggers[name] = logging.getLogger(name)
    return logger


def merge_defaults(dag: Any, group: Any, given: dict[str, Any] | None) -> dict[str, Any]:
    """default_args of the DAG, over them the group's, over them the task's own."""
    merged: dict[str, Any] = dict(dag.default_args) if dag is not None else {}
    if group is not None:
        merged.update(group.default_args)
    merged.update(given or {})
    return merged


def _apply_defaults(init: Callable[..., None], more_names: Iterable[str]) -> Callable[..., None]:
    """Wrap an `__init__` so that default_args fill in the arguments it names, and `more_names`."""
    parameters = list(inspect.signature(init).parameters.values())[1:]
    names = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    required = [p.name for p in parameters if p.name in names and p.default is p.empty]
    fillable = [*names, *more_names]

    @functools.wraps(init)
    def wrapper(self: BaseOperator, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError("Use keyword arguments when initializing operators")
        outermost = "_defaults" not in self.__dict__
        if outermost:
            if recording.enabled:
                recording.note(self, kwargs)
            self.__dict__["_defaults"] = self._collect_defaults(kwargs)
        defaults = self.__dict__["_defaults"]
        for name in fillable:
            if name in defaults and name not in kwargs:
                kwargs[name] = defaults[name]
        missing = [name for name in required if name not in kwargs]
        if missing:
            raise TypeError(f"missing keyword argument{'s' if len(missing) > 1 else ''} {', '.join(map(repr, missing))}")
        init(self, **kwargs)
        if outermost:
            self._finish_init()

    return wrapper


def _meant(unknown: list[str]) -> str:
    """What a misspelt argument was probably meant to be."""
    import difflib

    found = [(name, difflib.get_close_matches(name, OPERATOR_ARGUMENTS, 1)) for name in unknown]
    meant = [f"{near[0]} instead of {name}" for name, near in found if near]
    return f"\nDid you mean {', '.join(meant)}?" if meant else ""


class OperatorMeta(ABCMeta):
    """Wraps every operator's `__init__`, so that a class of a DAG file needs nothing for default_args to work."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> OperatorMeta:
        init = namespace.get("__init__")
        if init is not None:
            is_base = not any(isinstance(base, OperatorMeta) for base in bases)
            namespace["__init__"] = _apply_defaults(init, OPERATOR_ARGUMENTS if is_base else ())
        fields = namespace.get("template_fields", ())
        if isinstance(fields, str):
            raise TypeError(f"{name}.template_fields must be a list or tuple, not the string {fields!r}")
        return super().__new__(mcs, name, bases, namespace, **kwargs)

    def partial(cls, **kwargs: Any) -> Any:
        """Arguments that every instance of a mapped task shares; call `.expand()` on the answer."""
        from leoflow.dagmodel.mapped import make_partial

        return make_partial(cls, kwargs)


class BaseOperator(DAGNode, metaclass=OperatorMeta):
    """Base of all operators. A subclass overrides `execute(context)` and names its `template_fields`."""

    template_fields: Any = ()
    template_ext: Any = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    operator_extra_links: Any = ()
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    shallow_copy_attrs: Any = ()
    is_mapped: ClassVar[bool] = False
    is_group: ClassVar[bool] = False
    inherits_from_empty_operator: bool = False
    _is_sensor: bool = False
    is_setup: bool = False
    is_teardown: bool = False
    on_failure_fail_dagrun: bool = False

    def __init__(self, *, task_id: str, dag: Any = None, task_group: Any = None, params: Any = None, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - OPERATOR_ARGUMENTS.keys())
        if unknown:
            raise TypeError(
                f"Invalid arguments were passed to {type(self).__name__} (task_id: {task_id}). "
                f"Invalid arguments were:\n**kwargs: {{{', '.join(f'{name!r}: {kwargs[name]!r}' for name in unknown)}}}{_meant(unknown)}"
            )
        if not isinstance(task_id, str):
            raise TypeError(f"task_id must be a string, got {task_id!r}")
        unmapping = self.__dict__.get("_unmapping", False)
        dag = dag if dag is not None or unmapping else stack.current_dag()
        group = task_group if task_group is not None or unmapping else stack.current_group(dag)
        self.task_id = group.child_id(task_id) if group is not None else task_id
        if not unmapping:
            validate_key(self.task_id, "task_id")
        for name, value in coerce_arguments(kwargs, f"task {self.task_id}").items():
            setattr(self, STORED_AS.get(name, name), value)
        self.params = ParamsDict.merged(dag.params if dag is not None else None, params)
        self.own_params = ParamsDict.merged(None, params)
        self.upstream_task_ids, self.downstream_task_ids = set(), set()
        self.dag, self.task_group = None, None
        if unmapping:
            return
        #: Names that the author gave, in the call or in default_args: a value may be Airflow's default and meant all the same.
        self.given = frozenset(kwargs)
        if group is not None:
            group.add(self)
        if dag is not None:
            self.dag = dag
            dag.add_task(self)
        notice_task(self)

    def _collect_defaults(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        given = kwargs.pop("default_args", None)
        if self.__dict__.get("_unmapping", False):
            return {}
        dag = kwargs.get("dag") or stack.current_dag()
        defaults = merge_defaults(dag, kwargs.get("task_group") or stack.current_group(dag), given)
        return self._fill_callable_defaults(kwargs, defaults)

    def _fill_callable_defaults(self, kwargs: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
        """Place for decorated operators to give default_args to their function's arguments."""
        return defaults

    def _finish_init(self) -> None:
        self.__dict__.pop("_defaults", None)
        if self.__dict__.get("_unmapping", False):
            return
        for name in self.template_fields:
            if self.dag is not None:
                wire_references(self, getattr(self, name, None))
        self.__dict__["_watching"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # A templated field set after construction may bring an edge with it.
        if self.__dict__.get("_watching", False) and name in self.template_fields and self.dag is not None:
            wire_references(self, value)

    def __repr__(self) -> str:
        return f"<Task({type(self).__name__}): {self.task_id}>"

    def __eq__(self, other: Any) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __enter__(self) -> Any:
        return open_scope([self])

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        close_scope()

    def __deepcopy__(self, memo: dict[int, Any]) -> BaseOperator:
        return self

    @property
    def node_id(self) -> str:
        return self.task_id

    @property
    def roots(self) -> list[Any]:
        return [self]

    @property
    def leaves(self) -> list[Any]:
        return [self]

    @property
    def task_type(self) -> str:
        """Class name, as Airflow shows it."""
        return type(self).__name__

    @property
    def operator_name(self) -> str:
        """`@task` and the like for decorated functions, else the class name."""
        return getattr(self, "custom_operator_name", type(self).__name__)

    @property
    def operator_class(self) -> type:
        """The operator's class; mapped tasks answer with the class they are instances of."""
        return type(self)

    @property
    def task_display_name(self) -> str:
        """Name for people."""
        return self._task_display_name or self.task_id

    @property
    def output(self) -> PlainXComArg:
        """The return value, as an argument for other tasks."""
        return XComArg(self)

    @property
    def log(self) -> logging.Logger:
        """The task's logger."""
        return logger_of(type(self), self.logger_name)

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        wire(self, other, True, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        wire(self, other, False, edge_modifier)

    def as_setup(self) -> BaseOperator:
        self.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: Any = None) -> BaseOperator:
        mark_teardown(self, setups, on_failure_fail_dagrun)
        return self

    def for_execution(self) -> BaseOperator:
        """A shallow copy whose fields may be rendered without touching the DAG."""
        spare = self.__dict__.pop("_spare", None)
        if spare is not None:
            return spare
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.__dict__["_watching"] = False
        return twin

    def keep_spare(self) -> None:
        """Make the next copy now: copying the 70 attributes costs a forked child some 20 page faults."""
        self.__dict__["_spare"] = self.for_execution()

    def prepare_template(self) -> None:
        """Place to change template fields before they are rendered."""

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render every template field in place."""
        from leoflow.run.templates import render_fields

        render_fields(self, context, set())

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """`content` with every template and XCom argument in it replaced by its value."""
        from leoflow.run.templates import render_value

        return render_value(self, content, context, seen_oids or set())

    def pre_execute(self, context: Any) -> None:
        """Called before `execute`."""

    def execute(self, context: Any) -> Any:
        """What the task does; the return value becomes its XCom."""
        raise NotImplementedError(f"{type(self).__name__} has no execute method")

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Called after `execute`."""

    def on_kill(self) -> None:
        """Called when the task is ended from outside; ends what the task started."""

    def defer(self, **kwargs: Any) -> None:
        """Deferring needs a triggerer, which runtime leoflow has not."""
        from leoflow.dagmodel.errors import UnsupportedFeature

        raise UnsupportedFeature(f"defer() of {type(self).__name__}")

    def xcom_push(self, context: Any, key: str, value: Any) -> None:
        """Push a value under a key of your own."""
        context["ti"].xcom_push(key=key, value=value)

    def add_inlets(self, inlets: Any) -> None:
        """Assets the task reads."""
        self.inlets.extend(inlets)

    def add_outlets(self, outlets: Any) -> None:
        """Assets the task writes."""
        self.outlets.extend(outlets)


def check_teardown_rule(task: Any) -> None:
    """Raises `AirflowException` when a teardown has a trigger rule of its own."""
    if task.is_teardown and task.trigger_rule != TriggerRule.ALL_DONE_SETUP_SUCCESS:
        raise AirflowException(f"Trigger rule not configurable for teardown tasks. Got {task.trigger_rule!r}.")
