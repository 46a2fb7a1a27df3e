"""`@task_group`: a function that draws the tasks of a group, once, or once per index when it is expanded."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from leoflow.dagmodel.expansion import MappedArgument, Product, Rows, is_mappable, refuse_duplicates, require_return_values, require_rows
from leoflow.dagmodel.task_group import MappedTaskGroup, TaskGroup


class TaskGroupFactory:
    """A function with the arguments of the group it will draw."""

    def __init__(self, function: Callable[..., Any], tg_kwargs: dict[str, Any], partial_kwargs: dict[str, Any] | None = None) -> None:
        inspect.signature(TaskGroup).bind_partial(**tg_kwargs)
        update_wrapper(self, function)
        self.function = function
        self.tg_kwargs = {"group_id": function.__name__, **tg_kwargs}
        self.partial_kwargs = partial_kwargs or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._draw(TaskGroup, {}, args, kwargs)

    def _draw(self, group_class: type, more: dict[str, Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Draw the group; the answer is what the function returned, else the group."""
        with group_class(**{"add_suffix_on_collision": True, **self.tg_kwargs, **more}) as group:
            if self.function.__doc__ and not group.tooltip:
                group.tooltip = self.function.__doc__
            returned = self.function(*args, **kwargs)
        return group if returned is None else returned

    def override(self, **kwargs: Any) -> TaskGroupFactory:
        """The same function with other group arguments."""
        return TaskGroupFactory(self.function, {**self.tg_kwargs, **kwargs}, self.partial_kwargs)

    def partial(self, **kwargs: Any) -> TaskGroupFactory:
        """Arguments that every index shares."""
        self._check_names("partial", kwargs)
        refuse_duplicates(self.partial_kwargs, kwargs, "duplicate partial")
        return TaskGroupFactory(self.function, self.tg_kwargs, {**self.partial_kwargs, **kwargs})

    def expand(self, **kwargs: Any) -> Any:
        """The group once per combination of the given values."""
        if not kwargs:
            raise TypeError("no arguments to expand against")
        self._check_names("expand", kwargs)
        refuse_duplicates(self.partial_kwargs, kwargs, "mapping already partial")
        if any(isinstance(value, MappedArgument) for value in kwargs.values()):
            raise ValueError("Nested Mapped TaskGroups are not yet supported")
        return self._draw_mapped(Product(kwargs), list(kwargs))

    def expand_kwargs(self, kwargs: Any) -> Any:
        """The group once per row of arguments."""
        require_rows(kwargs)
        parameters = inspect.signature(self.function).parameters
        if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters.values()):
            raise TypeError("calling expand_kwargs() on task group function with * or ** is not supported")
        return self._draw_mapped(Rows(kwargs), [name for name in parameters if name not in self.partial_kwargs])

    def _draw_mapped(self, expand_input: Product | Rows, names: list[str]) -> Any:
        require_return_values(expand_input.value)
        arguments = {**self.partial_kwargs, **{name: MappedArgument(expand_input, name) for name in names}}
        return self._draw(MappedTaskGroup, {"expand_input": expand_input}, (), arguments)

    def _check_names(self, verb: str, given: dict[str, Any]) -> None:
        parameters = inspect.signature(self.function).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        unknown = [] if open_ended else sorted(set(given) - set(parameters))
        if unknown:
            raise TypeError(f"{verb}() got an unexpected keyword argument {', '.join(map(repr, unknown))}")
        for name, value in given.items() if verb == "expand" else ():
            if not is_mappable(value):
                raise ValueError(f"expand() got an unexpected type {type(value).__name__!r} for keyword argument {name!r}")


def task_group(python_callable: Any = None, **tg_kwargs: Any) -> Any:
    """Make a function draw a task group."""
    if callable(python_callable) and not tg_kwargs:
        return TaskGroupFactory(python_callable, {})
    if isinstance(python_callable, str):
        tg_kwargs["group_id"] = python_callable
    return lambda function: TaskGroupFactory(function, tg_kwargs)
