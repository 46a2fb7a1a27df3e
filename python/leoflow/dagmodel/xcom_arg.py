"""XCom arguments: a task's future return value, used as an argument, mapped, zipped or concatenated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from leoflow.dagmodel.dependency import DependencyMixin, as_list
from leoflow.dagmodel.notset import NOTSET, is_arg_set
from leoflow.dagmodel.states import TriggerRule

RETURN_KEY = "return_value"


class ResolveMixin:
    """A value that is known only while a task runs."""

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Tasks and keys the value comes from."""
        raise NotImplementedError

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """The value, for the task instance of `context`."""
        raise NotImplementedError


class XComArg(ResolveMixin, DependencyMixin):
    """Reference to what a task pushes. `XComArg(task)` means its return value."""

    def __new__(cls, *args: Any, **kwargs: Any) -> XComArg:
        return object.__new__(PlainXComArg if cls is XComArg else cls)

    @property
    def roots(self) -> list[Any]:
        return [operator for operator, _ in self.iter_references()]

    @property
    def leaves(self) -> list[Any]:
        return [operator for operator, _ in self.iter_references()]

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        for operator, _ in self.iter_references():
            operator.set_upstream(other, edge_modifier)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        for operator, _ in self.iter_references():
            operator.set_downstream(other, edge_modifier)

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        """Each element passed through `f`, in the process of the task that uses it."""
        return MapXComArg(self, [f])

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> ZipXComArg:
        """Elements side by side; as long as the shortest, or as the longest when `fillvalue` is given."""
        return ZipXComArg([self, *others], fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> ConcatXComArg:
        """One list after the other."""
        return ConcatXComArg([self, *others])

    def as_setup(self) -> XComArg:
        for operator, _ in self.iter_references():
            operator.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: Any = None) -> XComArg:
        for operator, _ in self.iter_references():
            mark_teardown(operator, setups, on_failure_fail_dagrun)
        return self

    def __enter__(self) -> Any:
        from leoflow.dagmodel.setup_teardown import open_scope

        return open_scope(self.roots)

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        from leoflow.dagmodel.setup_teardown import close_scope

        close_scope()

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(f"{type(self).__name__!r} object is not iterable: its value is known only when the task runs")


def mark_teardown(operator: Any, setups: Any, on_failure_fail_dagrun: bool | None) -> None:
    """Make a task the teardown of `setups`."""
    operator.is_teardown = True
    operator.trigger_rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
    if on_failure_fail_dagrun is not None:
        operator.on_failure_fail_dagrun = on_failure_fail_dagrun
    if setups is not None:
        for setup in as_list(setups):
            setup.as_setup()
            setup.set_downstream(operator)


class PlainXComArg(XComArg):
    """One key of one task."""

    def __init__(self, operator: Any, key: str = RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    def __getitem__(self, item: Any) -> XComArg:
        if not isinstance(item, str):
            raise ValueError(f"XComArg only supports str lookup, received {type(item).__name__}")
        return PlainXComArg(self.operator, item)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, PlainXComArg) and self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __repr__(self) -> str:
        key = "" if self.key == RETURN_KEY else f", {self.key!r}"
        return f"XComArg({self.operator!r}{key})"

    def __str__(self) -> str:
        # Airflow: an XComArg inside an f-string becomes a template that pulls it.
        return (
            f"{{{{ task_instance.xcom_pull(task_ids='{self.operator.task_id}', "
            f"dag_id='{self.operator.dag_id}', key='{self.key}') }}}}"
        )

    @property
    def dag(self) -> Any:
        """The DAG of the task behind."""
        return self.operator.dag

    @property
    def is_setup(self) -> bool:
        """Whether the task behind is a setup."""
        return self.operator.is_setup

    @is_setup.setter
    def is_setup(self, value: bool) -> None:
        self.operator.is_setup = value

    @property
    def is_teardown(self) -> bool:
        """Whether the task behind is a teardown."""
        return self.operator.is_teardown

    @is_teardown.setter
    def is_teardown(self, value: bool) -> None:
        self.operator.is_teardown = value

    @property
    def on_failure_fail_dagrun(self) -> bool:
        """Whether a failure of this teardown fails the run."""
        return self.operator.on_failure_fail_dagrun

    @on_failure_fail_dagrun.setter
    def on_failure_fail_dagrun(self, value: bool) -> None:
        self.operator.on_failure_fail_dagrun = value

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        yield self.operator, self.key

    def _only_return_value(self, verb: str) -> None:
        if self.key != RETURN_KEY:
            raise ValueError(f"cannot {verb} non-return XCom")

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        self._only_return_value("map against")
        return super().map(f)

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> ZipXComArg:
        self._only_return_value("map against")
        return super().zip(*others, fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> ConcatXComArg:
        self._only_return_value("concatenate")
        return super().concat(*others)

    def resolve(self, context: Mapping[str, Any]) -> Any:
        return context["ti"].resolve_xcom(self.operator, self.key)


def _check_sequences(values: Iterable[Any], verb: str) -> None:
    for value in values:
        if not isinstance(value, (Sequence, dict)):
            raise ValueError(f"XCom {verb} expects sequence or dict, not {type(value).__name__}")


class MapXComArg(XComArg):
    """Elements of another argument, passed through functions."""

    def __init__(self, arg: XComArg, callables: list[Callable[[Any], Any]]) -> None:
        if any(getattr(f, "_airflow_is_task_decorator", False) for f in callables):
            raise ValueError("map() argument must be a plain function, not a @task operator")
        self.arg, self.callables = arg, callables

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        return self.arg.iter_references()

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        return MapXComArg(self.arg, [*self.callables, f])

    def resolve(self, context: Mapping[str, Any]) -> Any:
        value = self.arg.resolve(context)
        _check_sequences([value], "map")
        return _Mapped(value, self.callables)

    def __repr__(self) -> str:
        return repr(self.arg) + "".join(f".map({getattr(f, '__name__', '<function>')})" for f in self.callables)


class ZipXComArg(XComArg):
    """Several arguments side by side."""

    def __init__(self, args: Sequence[XComArg], *, fillvalue: Any = NOTSET) -> None:
        self.args, self.fillvalue = list(args), fillvalue

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        return (reference for arg in self.args for reference in arg.iter_references())

    def resolve(self, context: Mapping[str, Any]) -> Any:
        values = [arg.resolve(context) for arg in self.args]
        _check_sequences(values, "zip")
        return _Zipped(values, self.fillvalue)

    def __repr__(self) -> str:
        return f"{self.args[0]!r}.zip({', '.join(map(repr, self.args[1:]))})"


class ConcatXComArg(XComArg):
    """Several arguments one after the other."""

    def __init__(self, args: Sequence[XComArg]) -> None:
        self.args = list(args)

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        return (reference for arg in self.args for reference in arg.iter_references())

    def concat(self, *others: XComArg) -> ConcatXComArg:
        return ConcatXComArg([*self.args, *others])

    def resolve(self, context: Mapping[str, Any]) -> Any:
        values = [arg.resolve(context) for arg in self.args]
        _check_sequences(values, "concat")
        return _Concatenated(values)

    def __repr__(self) -> str:
        return f"{self.args[0]!r}.concat({', '.join(map(repr, self.args[1:]))})"


def _element(container: Any, index: int) -> Any:
    return next(islice(iter(container), index, None)) if isinstance(container, dict) else container[index]


class LazySequence(Sequence):
    """A sequence whose elements are worked out when they are taken; as an XCom it is a plain list."""


class _Mapped(LazySequence):
    def __init__(self, value: Any, callables: list[Callable[[Any], Any]]) -> None:
        self._value, self._callables = value, callables

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, index: Any) -> Any:
        value = self._value[index]
        for f in self._callables:
            value = f(value)
        return value


class _Zipped(LazySequence):
    def __init__(self, values: list[Any], fillvalue: Any) -> None:
        self._values, self._fillvalue = values, fillvalue

    def __len__(self) -> int:
        lengths = [len(value) for value in self._values]
        return max(lengths) if is_arg_set(self._fillvalue) else min(lengths)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return tuple(value[index] if index < len(value) else self._fillvalue for value in self._values)


class _Concatenated(LazySequence):
    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return sum(len(value) for value in self._values)

    def __getitem__(self, index: Any) -> Any:
        position = index if index >= 0 else len(self) + index
        for value in self._values:
            if 0 <= position < len(value):
                return _element(value, position)
            position -= len(value)
        raise IndexError("list index out of range")


def iter_xcom_references(value: Any) -> Iterator[tuple[Any, str]]:
    """Every (task, key) that a value depends on, however deep it lies in lists, dicts and templated objects."""
    if isinstance(value, ResolveMixin):
        yield from value.iter_references()
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from iter_xcom_references(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from iter_xcom_references(item)
    elif hasattr(value, "template_fields") and not isinstance(value, type):
        for name in value.template_fields:
            yield from iter_xcom_references(getattr(value, name, None))


def wire_references(operator: Any, value: Any) -> None:
    """Make `operator` run after every task whose XCom its argument uses."""
    for source, _ in iter_xcom_references(value):
        if source is not operator:
            operator.set_upstream(source)
