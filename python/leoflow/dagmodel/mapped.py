"""Mapped tasks: what `.partial(…).expand(…)` makes, one entry in the graph and one task instance per index."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from leoflow.dagmodel import recording, stack
from leoflow.dagmodel.arguments import OPERATOR_ARGUMENTS, STORED_AS, coerce_arguments, validate_key
from leoflow.dagmodel.dependency import DAGNode, wire
from leoflow.dagmodel.errors import UnsupportedFeature
from leoflow.dagmodel.expansion import Product, Rows, is_mappable, refuse_duplicates, require_return_values, require_rows
from leoflow.dagmodel.operator import BaseOperator, merge_defaults
from leoflow.dagmodel.params import ParamsDict
from leoflow.dagmodel.setup_teardown import close_scope, notice_task, open_scope
from leoflow.dagmodel.xcom_arg import XComArg, mark_teardown, wire_references

NOT_FOR_EVERY_INSTANCE = ("dag", "task_group", "task_id", "params", "default_args")


def argument_names(operator_class: type) -> set[str]:
    """Every argument the operator's constructors take."""
    names = {"task_id", "dag", "task_group", "params", "default_args", *OPERATOR_ARGUMENTS}
    for base in operator_class.__mro__:
        init = base.__dict__.get("__init__")
        if init is not None and base is not object:
            parameters = inspect.signature(init).parameters.values()
            names.update(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
    return names - {"self"}


def _refuse_unknown(operator_class: type, verb: str, given: Mapping[str, Any]) -> None:
    unknown = sorted(set(given) - argument_names(operator_class))
    if unknown:
        several = "s" if len(unknown) > 1 else ""
        raise TypeError(
            f"{operator_class.__name__}.{verb}() got {'' if several else 'an '}unexpected keyword argument{several} "
            f"{', '.join(map(repr, unknown))}"
        )


class OperatorPartial:
    """`Operator.partial(…)`, waiting for `.expand()`."""

    def __init__(self, operator_class: type, kwargs: dict[str, Any]) -> None:
        _refuse_unknown(operator_class, "partial", kwargs)
        self.operator_class, self.kwargs = operator_class, kwargs

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """One instance per combination of the given values."""
        if not mapped_kwargs:
            raise TypeError("no arguments to expand against")
        _refuse_unknown(self.operator_class, "expand", mapped_kwargs)
        for name, value in mapped_kwargs.items():
            if not is_mappable(value):
                raise ValueError(
                    f"{self.operator_class.__name__}.expand() got an unexpected type {type(value).__name__!r} "
                    f"for keyword argument {name}"
                )
        refuse_duplicates(self.kwargs, mapped_kwargs, "unmappable or already specified")
        return self._make(Product(mapped_kwargs))

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """One instance per row of arguments."""
        require_rows(kwargs)
        return self._make(Rows(kwargs), strict=strict)

    def _make(self, expand_input: Product | Rows, *, strict: bool = False) -> MappedOperator:
        require_return_values(expand_input.value)
        return MappedOperator(self.operator_class, expand_input, self.kwargs, strict=strict)


def make_partial(operator_class: type, kwargs: dict[str, Any]) -> OperatorPartial:
    """What `Operator.partial(…)` answers.

    Raises `TypeError` for unknown arguments.
    """
    if "task_id" not in kwargs:
        raise TypeError(f"{operator_class.__name__}.partial() missing 1 required keyword-only argument: 'task_id'")
    return OperatorPartial(operator_class, kwargs)


class MappedOperator(DAGNode):
    """A task that runs once per index. Its arguments are those of `partial`; `unmap` makes the operator of one index."""

    is_mapped = True
    is_group = False
    is_setup = False
    is_teardown = False
    on_failure_fail_dagrun = False
    _prepared: BaseOperator | None = None

    def __init__(
        self, operator_class: type, expand_input: Product | Rows, partial_kwargs: dict[str, Any], *,
        strict: bool, fills_op_kwargs: bool = False,
    ) -> None:
        if recording.enabled:
            recording.note(self, partial_kwargs)
        kwargs = dict(partial_kwargs)
        dag = kwargs.pop("dag", None) or stack.current_dag()
        group = kwargs.pop("task_group", None) or stack.current_group(dag)
        task_id, params = kwargs.pop("task_id"), kwargs.pop("params", None)
        defaults = merge_defaults(dag, group, kwargs.pop("default_args", None))
        takes = argument_names(operator_class) - set(NOT_FOR_EVERY_INSTANCE)
        mapped_names = set() if fills_op_kwargs else set(getattr(expand_input, "names", ()))
        kwargs.update({k: v for k, v in defaults.items() if k in takes and k not in kwargs and k not in mapped_names})
        self.operator_class, self.expand_input, self.partial_kwargs = operator_class, expand_input, kwargs
        self.given = frozenset(kwargs)
        self.strict, self.fills_op_kwargs = strict, fills_op_kwargs
        self.task_id = validate_key(group.child_id(task_id) if group is not None else task_id, "task_id")
        values = coerce_arguments({k: v for k, v in kwargs.items() if k in OPERATOR_ARGUMENTS}, f"task {self.task_id}")
        for name, value in values.items():
            setattr(self, STORED_AS.get(name, name), value)
        self.params = ParamsDict.merged(dag.params if dag is not None else None, params)
        self.own_params = ParamsDict.merged(None, params)
        self.upstream_task_ids, self.downstream_task_ids = set(), set()
        self._join(dag, group)

    def _join(self, dag: Any, group: Any) -> None:
        if group is not None:
            group.add(self)
            if self.get_closest_mapped_task_group() is not None:
                raise UnsupportedFeature(
                    f"operator expansion in an expanded task group ({self.task_id})", "Airflow has no such mapping either."
                )
        if dag is not None:
            dag.add_task(self)
        notice_task(self)
        wire_references(self, self.expand_input.value)
        for name in self.template_fields:
            wire_references(self, self.partial_kwargs.get(name))

    def __getattr__(self, name: str) -> Any:
        # Arguments of the operator itself, so that code that inspects tasks finds them; dunder look-ups must fail as usual.
        if not name.startswith("__") and name in self.__dict__.get("partial_kwargs", ()):
            return self.partial_kwargs[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<Mapped({self.operator_class.__name__}): {self.task_id}>"

    def __hash__(self) -> int:
        return id(self)

    def __enter__(self) -> Any:
        return open_scope([self])

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        close_scope()

    def __deepcopy__(self, memo: dict[int, Any]) -> MappedOperator:
        return self

    node_id = property(lambda self: self.task_id, doc="Id in the graph.")
    roots = property(lambda self: [self])
    leaves = property(lambda self: [self])
    template_fields = property(lambda self: self.operator_class.template_fields)
    template_ext = property(lambda self: self.operator_class.template_ext)
    ui_color = property(lambda self: self.operator_class.ui_color)
    ui_fgcolor = property(lambda self: self.operator_class.ui_fgcolor)
    task_type = property(lambda self: self.operator_class.__name__)
    operator_name = property(lambda self: getattr(self.operator_class, "custom_operator_name", self.operator_class.__name__))
    task_display_name = property(lambda self: self._task_display_name or self.task_id)
    output = property(lambda self: XComArg(self))
    _is_sensor = property(lambda self: self.operator_class._is_sensor)
    inherits_from_empty_operator = property(lambda self: self.operator_class.inherits_from_empty_operator)

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        wire(self, other, True, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        wire(self, other, False, edge_modifier)

    def as_setup(self) -> MappedOperator:
        self.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: Any = None) -> MappedOperator:
        mark_teardown(self, setups, on_failure_fail_dagrun)
        return self

    def prepare(self) -> None:
        """Make the operator that the instances are copies of, where they differ in `op_kwargs` alone.

        Those are the decorated functions whose argument names are known: their constructors check the names and keep the values.
        An instance made anew costs a forked child some 250 page faults.
        """
        ours = self.operator_class.__module__ == "leoflow.dagmodel.decorated"
        if not (ours and self.fills_op_kwargs and isinstance(self.expand_input, Product)) or self.strict:
            return
        placeholders = {**(self.partial_kwargs.get("op_kwargs") or {}), **dict.fromkeys(self.expand_input.names)}
        try:
            self._prepared = self._instantiate({**self.partial_kwargs, "op_kwargs": placeholders})
        except Exception:
            # What is wrong with the arguments is for the instances to say.
            self._prepared = None

    def keep_spare(self) -> None:
        """Make the next instance's copy now, where instances are copies."""
        if self._prepared is not None:
            self._prepared.keep_spare()

    def unmap(self, context: Any) -> tuple[BaseOperator, set[int]]:
        """The operator of the context's map index, and the ids of argument values that must not be rendered as templates."""
        mapped, _, from_xcom = self.expand_input.select(context, context["ti"].map_index)
        if self._prepared is not None:
            operator = self._prepared.for_execution()
            operator.__dict__["op_kwargs"] = {**(self.partial_kwargs.get("op_kwargs") or {}), **mapped}
            return operator, from_xcom
        kwargs = dict(self.partial_kwargs)
        if self.fills_op_kwargs:
            given = kwargs.get("op_kwargs") or {}
            self._refuse_override(given, mapped)
            kwargs["op_kwargs"] = {**given, **mapped}
        else:
            self._refuse_override(kwargs, mapped)
            kwargs.update(mapped)
        return self._instantiate(kwargs), from_xcom

    def _refuse_override(self, given: Any, mapped: Any) -> None:
        if self.strict:
            refuse_duplicates(given, mapped, "unmappable or already specified")

    def _instantiate(self, kwargs: dict[str, Any]) -> BaseOperator:
        operator = self.operator_class.__new__(self.operator_class)
        operator.__dict__["_unmapping"] = True
        params = kwargs.pop("params", None)
        operator.__init__(task_id=self.task_id, params=ParamsDict.merged(self.params, params), **kwargs)
        for name in ("dag", "task_group", "upstream_task_ids", "downstream_task_ids", "start_date", "end_date",
                     "is_setup", "is_teardown", "on_failure_fail_dagrun", "trigger_rule"):
            operator.__dict__[name] = getattr(self, name)
        operator.__dict__["is_mapped"] = True
        return operator
