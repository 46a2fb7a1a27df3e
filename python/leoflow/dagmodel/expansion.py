"""`expand` and `expand_kwargs`: what a task or group is mapped over, and which values one map index gets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from leoflow.dagmodel.xcom_arg import RETURN_KEY, ResolveMixin, XComArg, iter_xcom_references


def is_mappable(value: Any) -> bool:
    """True for what `expand` takes: a list, a dict, an XCom argument, an argument of a mapped group."""
    return isinstance(value, (MappedArgument, XComArg, Mapping, Sequence)) and not isinstance(value, (str, bytes))


def require_return_values(value: Any) -> None:
    """Refuse mapping over an XCom with a key of its own, as Airflow does.

    Raises `ValueError` naming the key and the task.
    """
    for operator, key in iter_xcom_references(value):
        if key != RETURN_KEY:
            raise ValueError(f"cannot map over XCom with custom key {key!r} from {operator}")


def require_rows(value: Any) -> None:
    """Refuse what `expand_kwargs` cannot take.

    Raises `TypeError`.
    """
    rows = isinstance(value, Sequence) and not isinstance(value, str)
    if isinstance(value, XComArg) or (rows and all(isinstance(row, (XComArg, Mapping)) for row in value)):
        return
    raise TypeError(f"expected XComArg or list[dict], not {type(value).__name__}")


def refuse_duplicates(given: Iterable[str], added: Iterable[str], reason: str) -> None:
    """Raises `TypeError` naming the arguments that were given twice."""
    doubled = sorted(set(given) & set(added))
    if doubled:
        raise TypeError(f"{reason} argument{'s' if len(doubled) > 1 else ''}: {', '.join(doubled)}")


class Product(ResolveMixin):
    """`expand(a=…, b=…)`: every combination; the last argument varies fastest."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.value = dict(arguments)

    @property
    def names(self) -> list[str]:
        """Names of the arguments that one index fills in."""
        return list(self.value)

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        for value in self.value.values():
            if isinstance(value, ResolveMixin):
                yield from value.iter_references()

    def select(self, context: Mapping[str, Any], index: int) -> tuple[dict[str, Any], int, set[int]]:
        """The arguments of one index, what is left of the index for enclosing levels, and the ids of values from XComs."""
        # Loops instead of comprehensions, here and wherever each execution passes: those make a function each time, which costs a
        # forked child some 5 page faults.
        containers: dict[str, Any] = {}
        for name, value in self.value.items():
            containers[name] = value.resolve(context) if isinstance(value, ResolveMixin) else value
        chosen: dict[str, Any] = {}
        for name in reversed(self.value):
            container = containers[name]
            # Asking the abstract class is slow, and most containers are lists.
            if type(container) is not list and (not isinstance(container, (Sequence, dict)) or isinstance(container, (str, bytes))):
                raise TypeError(f"can't map over value of type {type(container)} (argument {name!r})")
            length = len(container)
            if length < 1:
                raise RuntimeError(f"cannot expand field mapped to length {length!r}")
            index, position = divmod(index, length)
            chosen[name] = _pair(container, position) if isinstance(container, dict) else container[position]
        arguments: dict[str, Any] = {}
        from_xcom: set[int] = set()
        for name, value in self.value.items():
            arguments[name] = chosen[name]
            if isinstance(value, ResolveMixin):
                from_xcom.add(id(chosen[name]))
        return arguments, index, from_xcom


class Rows(ResolveMixin):
    """`expand_kwargs(rows)`: one instance per row of arguments."""

    def __init__(self, rows: Any) -> None:
        self.value = rows

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        for value in [self.value] if isinstance(self.value, XComArg) else self.value:
            if isinstance(value, XComArg):
                yield from value.iter_references()

    def select(self, context: Mapping[str, Any], index: int) -> tuple[dict[str, Any], int, set[int]]:
        """The arguments of one index, what is left of the index for enclosing levels, and the ids of values from XComs."""
        rows = self.value.resolve(context) if isinstance(self.value, XComArg) else self.value
        if not isinstance(rows, Sequence):
            raise ValueError(f"expand_kwargs() expects a list[dict], not {_describe(rows)}")
        if not rows:
            raise RuntimeError("cannot expand over an empty list")
        rest, position = divmod(index, len(rows))
        row = rows[position]
        literal = not isinstance(self.value, XComArg) and isinstance(row, Mapping)
        if isinstance(row, XComArg):
            row = row.resolve(context)
        if not isinstance(row, Mapping):
            raise ValueError(f"expand_kwargs() expects a list[dict], not list[{_describe(row)}]")
        for key in row:
            if not isinstance(key, str):
                raise ValueError(f"expand_kwargs() input dict keys must all be str, but {key!r} is of type {_describe(key)}")
        arguments = {k: v.resolve(context) if isinstance(v, ResolveMixin) else v for k, v in row.items()}
        return arguments, rest, set() if literal else {id(value) for value in arguments.values()}


class MappedArgument(ResolveMixin):
    """An argument of a mapped task group, while its function draws the tasks."""

    def __init__(self, expand_input: Product | Rows, key: str) -> None:
        self.expand_input, self.key = expand_input, key

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        return self.expand_input.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> Any:
        return context["ti"].resolve_group_argument(self.expand_input, self.key)

    def __repr__(self) -> str:
        return f"MappedArgument({self.key!r})"


def _pair(mapping: dict[Any, Any], position: int) -> tuple[Any, Any]:
    for i, item in enumerate(mapping.items()):
        if i == position:
            return item
    raise IndexError(f"index {position} is over mapped length")


def _describe(value: Any) -> str:
    return "None" if value is None else type(value).__name__
