"""Names for functions and classes, such that a drawing finds the same ones again."""

from __future__ import annotations

import os
import sys
from typing import Any

from leoflow.convert.problems import Unsayable
from leoflow.draw.references import BadReference, References
from leoflow.run.load import dags_of, module_name
from leoflow.shim.names import HOME


class Names:
    """How the functions and classes of one DAG file are named.

    prefix: what stands before a path of the project so that it is right from the folder of the drawing
    """

    def __init__(self, root: str, file: str, prefix: str) -> None:
        self._root, self._file, self._prefix = os.path.realpath(root), file, prefix
        self._present: _Present | None = None

    def of_function(self, function: Any, tasks: list[str] | None = None) -> str:
        """A reference to a function; `tasks` are names of tasks in the file that call it. Raises `Unsayable`."""
        found = self._of_object(function)
        if found is not None:
            return found
        for task in tasks or []:
            if self._task_function(task) is function:
                return f"{self._prefix}{self._file}#{task}"
        raise Unsayable(f"{_described(function)} has no name that a file could refer to", "Define it at the top of a module, with def.")

    def of_class(self, operator_class: type) -> str:
        """The name of an operator's class. Raises `Unsayable`."""
        name = operator_class.__name__
        if HOME.get(name) == operator_class.__module__:
            return name
        found = self._of_object(operator_class)
        if found is None:
            raise Unsayable(f"the class {operator_class.__qualname__} is not defined at the top of a module")
        return found if self._file_of(operator_class) is not None else found.replace("#", ".")

    def _of_object(self, value: Any) -> str | None:
        """`file.py#name` or `module#name` when the name leads back to the value."""
        module, name = sys.modules.get(getattr(value, "__module__", None) or ""), getattr(value, "__qualname__", "")
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if getattr(found, "_airflow_is_task_decorator", False):
            found = found.function
        if module is None or not name or found is not value:
            return None
        file = self._file_of(value)
        return f"{module.__name__}#{name}" if file is None else f"{self._prefix}{file}#{name}"

    def _file_of(self, value: Any) -> str | None:
        """The file of the project that a value was defined in; None for what is imported by its module's name."""
        module = sys.modules.get(value.__module__)
        path = os.path.relpath(os.path.realpath(getattr(module, "__file__", None) or "/"), self._root).replace(os.sep, "/")
        return path if module_name(path) == value.__module__ else None

    def _task_function(self, task: str) -> Any:
        """What a drawing would find under the name of a task."""
        if self._present is None:
            self._present = _Present(self._root, self._file)
        try:
            return self._present.function(f"{self._file}#{task}")
        except BadReference:
            return None


class _Present(References):
    """References that know the DAG file as it is loaded already."""

    def __init__(self, root: str, file: str) -> None:
        super().__init__(root, file)
        module = sys.modules[module_name(file)]
        self._modules[file], self._drawn[file] = module, dags_of(module)


def _described(function: Any) -> str:
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", None) or repr(function)
    kind = "the lambda" if name.endswith("<lambda>") else f"the function {name}" if code is not None else f"the {type(function).__name__} {function!r}"
    return f"{kind} (line {code.co_firstlineno})" if code is not None else kind
