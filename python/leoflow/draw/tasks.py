"""What kind of task an entry is, and how an operator is made from its words: a function, an operator, a program, a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from leoflow.dagmodel.arguments import OPERATOR_ARGUMENTS
from leoflow.dagmodel.command_operator import CommandOperator
from leoflow.dagmodel.expansion import Product
from leoflow.dagmodel.http_task import HttpTask
from leoflow.dagmodel.mapped import argument_names
from leoflow.dagmodel.task_decorator import task as decorators
from leoflow.draw.arguments import ArgumentReader, refuse_unknown
from leoflow.draw.command_words import split_command
from leoflow.draw.outline import BODIES, Entry
from leoflow.draw.problems import DrawingError, Path
from leoflow.draw.references import References

LookUp = Callable[[str, Path, Callable[[References, str], Any]], Any]
_PLACE = {"after", "expand", "expand_rows", "setup", "teardown", "on_failure_fail_dagrun"}
_DECORATORS = {"task": decorators.python, "branch": decorators.branch, "short_circuit": decorators.short_circuit, "sensor": decorators.sensor, "bash": decorators.bash}
_ONLY_WITH = {
    "mode": "sensor", "poke_interval": "sensor", "timeout": "sensor", "soft_fail": "sensor", "exponential_backoff": "sensor", "max_wait": "sensor",
    "silent_fail": "sensor", "never_fail": "sensor", "ignore_downstream_trigger_rules": "short_circuit", "cwd": "bash", "append_env": "bash",
}


def kind_of(entry: Entry, look_up: LookUp) -> FunctionTask | OperatorTask:
    """The kind of an entry, with the function or class behind it. Raises `DrawingError`."""
    bodies = [name for name in BODIES if name in entry.spec]
    if len(bodies) != 1:
        raise DrawingError(entry.path, f"a task has exactly one of {', '.join(BODIES)}; {entry.id} has {', '.join(bodies) or 'none'}")
    (body,) = bodies
    value, path = entry.spec[body], (*entry.path, body)
    if body == "python":
        return FunctionTask(entry, look_up(value, path, References.function))
    if body == "node":
        if entry.text("decorator") == "bash":
            raise DrawingError((*entry.path, "decorator"), "decorator bash is for Python functions")
        rows = "expand_rows" in entry.spec
        names = None if rows else (*(entry.text("with") or {}), *(entry.text("expand") or {}))
        return FunctionTask(entry, look_up(value, path, lambda references, name: references.node(name, names)))
    if body == "operator":
        return OperatorTask(look_up(value, path, References.operator_class), {"operator"})
    return OperatorTask(CommandOperator if body == "command" else HttpTask, {"http"})


def _common(entry: Entry, without: set[str]) -> Iterator[tuple[str, Any, Path]]:
    for word, value in entry.spec.items():
        if word not in _PLACE and word not in without:
            yield word, value, (*entry.path, word)


class AnyTask:
    """What is known of a task whose function or class cannot be found: the arguments that every task has."""

    def arguments(self, entry: Entry) -> Iterator[tuple[str, Any, Path]]:
        """Words of the entry that are arguments, with their values and paths."""
        return ((word, value, path) for word, value, path in _common(entry, set()) if word in OPERATOR_ARGUMENTS)

    def argument(self, reader: ArgumentReader, word: str, value: Any, path: Path) -> Any:
        """The value of one word."""
        return reader.value(word, value, path)


class FunctionTask:
    """A function as `@task` and its relatives make it a task."""

    def __init__(self, entry: Entry, function: Any) -> None:
        self.function, self.decorator = function, entry.text("decorator") or "task"

    def arguments(self, entry: Entry) -> Iterator[tuple[str, Any, Path]]:
        """Words of the entry that are arguments, with their values and paths."""
        return _common(entry, {"python", "node", "decorator"})

    def argument(self, reader: ArgumentReader, word: str, value: Any, path: Path) -> Any:
        """The value of one word."""
        if _ONLY_WITH.get(word, self.decorator) != self.decorator:
            raise DrawingError(path, f"{word} is for decorator {_ONLY_WITH[word]}, this is {self.decorator}")
        if word == "with":
            return {name: reader.read(item, (*path, name)) for name, item in value.items()}
        return reader.value(word, value, path)

    def make(self, key: str, given: dict[str, Any], expand_input: Any) -> Any:
        """The task, in the DAG and group that `given` names."""
        arguments = given.pop("with", {})
        env = None if self.decorator == "bash" else given.pop("env", None)
        multiple_outputs = given.pop("multiple_outputs", None)
        called = _DECORATORS[self.decorator](self.function, multiple_outputs, **_renamed({"task_id": key, **given}))
        if expand_input is None:
            made = called(**arguments)
        else:
            called = called.partial(**arguments) if arguments else called
            made = called.expand(**expand_input.value) if isinstance(expand_input, Product) else called.expand_kwargs(expand_input.value)
        made.operator.process_env = env
        return made.operator


class OperatorTask:
    """An operator by its class."""

    def __init__(self, operator_class: type, without: set[str]) -> None:
        self.operator_class, self._without = operator_class, without

    def arguments(self, entry: Entry) -> Iterator[tuple[str, Any, Path]]:
        """Words of the entry that are arguments, with their values and paths."""
        yield from _common(entry, self._without)
        request = entry.spec.get("http")
        for word, value in request.items() if isinstance(request, dict) and "http" in self._without else ():
            yield word, value, (*entry.path, "http", word)

    def argument(self, reader: ArgumentReader, word: str, value: Any, path: Path) -> Any:
        """The value of one word."""
        if word == "env" and "env" not in argument_names(self.operator_class):
            return value
        refuse_unknown(self.operator_class, word, path)
        if word == "command" and self.operator_class is CommandOperator and isinstance(value, str):
            try:
                return split_command(value)
            except ValueError as error:
                raise DrawingError(path, f"the command cannot be split: {error}", "Write it as a list.") from None
        return reader.value(word, value, path, self.operator_class)

    def make(self, key: str, given: dict[str, Any], expand_input: Any) -> Any:
        """The task, in the DAG and group that `given` names."""
        env = None if "env" in argument_names(self.operator_class) else given.pop("env", None)
        given = _renamed({"task_id": key, **given})
        if expand_input is None:
            made = self.operator_class(**given)
        else:
            partial = self.operator_class.partial(**given)
            made = partial.expand(**expand_input.value) if isinstance(expand_input, Product) else partial.expand_kwargs(expand_input.value)
        made.process_env = env
        return made


def _renamed(given: dict[str, Any]) -> dict[str, Any]:
    return {("task_display_name" if name == "display_name" else name): value for name, value in given.items()}
