"""Values of a drawing: JSON in which some mappings stand for another task's result, a group's argument or a combination of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leoflow.dagmodel.expansion import MappedArgument
from leoflow.dagmodel.literal import LiteralValue
from leoflow.dagmodel.notset import NOTSET
from leoflow.dagmodel.params import DagParam
from leoflow.dagmodel.xcom_arg import RETURN_KEY, ConcatXComArg, PlainXComArg, XComArg, ZipXComArg
from leoflow.draw.problems import Broken, DrawingError, Path, did_you_mean

# The mappings that stand for something else, by their exact keys: the table of src/contract/value-forms.ts.
FORMS = ({"xcom"}, {"xcom", "key"}, {"argument"}, {"zip"}, {"zip", "fillvalue"}, {"concat"}, {"map", "through"}, {"literal"}, {"param"})


def form_of(value: Any) -> str | None:
    """The key that says what a mapping stands for; None for plain data."""
    if not isinstance(value, dict) or set(value) not in FORMS:
        return None
    return next(iter(set(value) - {"key", "fillvalue", "through"}))


# Stands for a group around an entry that was refused itself.
BROKEN_GROUP = object()


class ValueReader:
    """Reads the values of one entry.

    dag: the DAG; node: answers the task of an id; may raise `DrawingError`, `Broken`
    function: answers the function of a reference
    groups: the mapped groups around the entry, the closest first; `BROKEN_GROUP` for one that could not be made
    """

    def __init__(self, dag: Any, node: Callable[[str, Path], Any], function: Callable[[str, Path], Any], groups: list[Any]) -> None:
        self._dag = dag
        self._node, self._function, self._groups = node, function, groups

    def read(self, value: Any, path: Path, *, literal: Callable[[Any], Any] = LiteralValue) -> Any:
        """The value with everything in it that stands for something else."""
        if isinstance(value, list):
            return [self.read(item, (*path, index), literal=literal) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        form = form_of(value)
        if form is None:
            return {key: self.read(item, (*path, key), literal=literal) for key, item in value.items()}
        return literal(value["literal"]) if form == "literal" else self._reference(form, value, path)

    def read_plain(self, value: Any, path: Path) -> Any:
        """The same, where a literal is the plain value: what a task is mapped over."""
        return self.read(value, path, literal=lambda inner: inner)

    def _reference(self, form: str, value: dict[str, Any], path: Path) -> Any:
        try:
            if form == "xcom":
                return self._xcom(value, path)
            if form == "param":
                return self._param(value["param"], (*path, "param"))
            if form == "argument":
                return self._argument(value["argument"], (*path, "argument"))
            if form == "zip":
                return ZipXComArg(self._lists(value["zip"], (*path, "zip")), fillvalue=self._fill(value, (*path, "fillvalue")))
            if form == "concat":
                return ConcatXComArg(self._lists(value["concat"], (*path, "concat")))
            return self._list(value["map"], (*path, "map")).map(self._function(value["through"], (*path, "through")))
        except (TypeError, ValueError) as error:
            raise DrawingError(path, str(error)) from None

    def _fill(self, value: dict[str, Any], path: Path) -> Any:
        if "fillvalue" not in value:
            return NOTSET
        if _stands_for_another(value["fillvalue"]):
            raise DrawingError(path, "must be plain data: it is no place for another task's result")
        return self.read_plain(value["fillvalue"], path)

    def _xcom(self, value: dict[str, Any], path: Path) -> PlainXComArg:
        if not isinstance(value["xcom"], str):
            raise DrawingError((*path, "xcom"), "must be the id of a task")
        node = self._node(value["xcom"], (*path, "xcom"))
        if node.is_group:
            raise DrawingError((*path, "xcom"), f"{value['xcom']} is a group; name the task in it whose result is meant")
        return PlainXComArg(node, value.get("key", RETURN_KEY))

    def _param(self, name: Any, path: Path) -> DagParam:
        if name not in self._dag.params:
            raise DrawingError(path, f"the DAG has no param {name}{did_you_mean(str(name), self._dag.params)}")
        return DagParam(self._dag, name)

    def _argument(self, name: Any, path: Path) -> MappedArgument:
        if BROKEN_GROUP in self._groups:
            raise Broken
        known: list[str] = []
        for group in self._groups:
            names = getattr(group.expand_input, "names", None)
            if names is None or name in names:
                return MappedArgument(group.expand_input, name)
            known.extend(names)
        if not known:
            raise DrawingError(path, "there is no mapped group around this task", "Use {argument: name} inside a group with expand or expand_rows.")
        raise DrawingError(path, f"no group around this task is mapped over {name}, only over {', '.join(known)}")

    def _lists(self, values: Any, path: Path) -> list[XComArg]:
        if not isinstance(values, list) or not values:
            raise DrawingError(path, "must be a list of results of tasks")
        return [self._list(value, (*path, index)) for index, value in enumerate(values)]

    def _list(self, value: Any, path: Path) -> XComArg:
        found = self.read_plain(value, path)
        if not isinstance(found, XComArg):
            raise DrawingError(path, "must be a result of a task, such as {xcom: task}")
        return found


def _stands_for_another(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_stands_for_another, value))
    if not isinstance(value, dict):
        return False
    form = form_of(value)
    return any(map(_stands_for_another, value.values())) if form is None else form != "literal"
