"""Arguments of tasks, from a drawing's words to what constructors take."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from leoflow.dagmodel.arguments import OPERATOR_ARGUMENTS
from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.mapped import argument_names
from leoflow.draw import words
from leoflow.draw.problems import DrawingError, Path, did_you_mean

CALLBACKS = tuple(f"on_{name}_callback" for name in ("execute", "success", "failure", "retry", "skipped"))
_DURATIONS = {"retry_delay", "max_retry_delay", "execution_timeout", "poke_interval", "timeout", "max_wait", "dagrun_timeout"}
_INTERNAL = {"dag", "task_group", "default_args", "task_id", "display_name"}
_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?\Z")


def own_arguments(operator_class: type) -> list[str]:
    """Names that an entry may give to an operator of the class, those of every task included."""
    return sorted((argument_names(operator_class) - _INTERNAL) | {"display_name"})


def refuse_unknown(operator_class: type, name: str, path: Path) -> None:
    """Raises `DrawingError` for an argument that the class does not take."""
    known = own_arguments(operator_class)
    if name not in known:
        raise DrawingError(path, f"{operator_class.__name__} takes no argument {name}{did_you_mean(name, known)}", kind="unknown_argument")


class ArgumentReader:
    """Turns the words of one argument into its value.

    read: reads a value with its references; function: answers the function of a reference; timezone: the DAG's
    """

    def __init__(self, read: Callable[[Any, Path], Any], function: Callable[[str, Path], Any], timezone: Any) -> None:
        self.read, self._function, self._timezone = read, function, timezone

    def value(self, name: str, value: Any, path: Path, operator_class: type | None = None) -> Any:
        """The value of an argument. Raises `DrawingError` at the path."""
        try:
            if name in CALLBACKS and value is not None:
                return self._callbacks(value, path)
            found = self._by_name(name, value, path)
            if found is value and operator_class is not None:
                found = self._by_annotation(annotation_of(operator_class, name), value, path)
            found = self.read(value, path) if found is value else found
            coerce = OPERATOR_ARGUMENTS.get(name, (None, None))[1]
            if coerce is not None:
                coerce(found)
            return found
        except (AirflowException, TypeError, ValueError) as error:
            raise DrawingError(path, _plain(error)) from None

    def _callbacks(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [self._function(item, (*path, index)) for index, item in enumerate(value)]
        return self._function(value, path)

    def _by_name(self, name: str, value: Any, path: Path) -> Any:
        if name in _DURATIONS and value is not None and not isinstance(value, dict):
            return words.duration(value)
        if name in ("start_date", "end_date") and value is not None:
            return words.moment(value, self._timezone)
        if name in ("inlets", "outlets"):
            return [words.asset(item) for item in (value if isinstance(value, list) else [value])]
        if name == "params":
            return {key: words.param(item) for key, item in value.items()}
        return value

    def _by_annotation(self, annotation: str, value: Any, path: Path) -> Any:
        """What the constructor's annotation says of a text or a number: a function, a duration, a date, a time of the day."""
        if isinstance(value, str):
            if "Callable" in annotation and "#" in value:
                return self._function(value, path)
            if "timedelta" in annotation and words.DURATION.match(value):
                return words.duration(value)
            if re.search(r"\btime\b(?!\.)", annotation) and _TIME.match(value):
                return words.time_of_day(value)
            if re.search(r"\bdatetime\b(?!\.)", annotation) and not re.search(r"\bstr\b", annotation):
                return words.moment(value, self._timezone)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and "timedelta" in annotation and not re.search(r"\b(int|float)\b", annotation):
            return words.duration(value)
        return value


def annotation_of(operator_class: type, name: str) -> str:
    """How the nearest constructor that names the argument annotates it; empty without one."""
    for base in operator_class.__mro__:
        init = base.__dict__.get("__init__")
        parameter = inspect.signature(init).parameters.get(name) if init is not None else None
        if parameter is not None:
            annotation = parameter.annotation
            return "" if annotation is parameter.empty else annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return ""


def _plain(error: BaseException) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
