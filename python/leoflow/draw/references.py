"""Functions, modules and classes that a drawing names: `file.py#name`, `package.module#name`, `BashOperator`."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

from leoflow.dagmodel import stack
from leoflow.dagmodel.node_tasks import NodeFunction
from leoflow.dagmodel.operator import BaseOperator
from leoflow.draw.problems import did_you_mean
from leoflow.shim.names import HOME

_NODE_SUFFIXES = (".ts", ".mts", ".js", ".mjs")
_OURS = {"CommandOperator": "leoflow.dagmodel.command_operator", "HttpTask": "leoflow.dagmodel.http_task"}


class BadReference(Exception):
    """A reference that leads nowhere."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class References:
    """What the drawings of one file refer to. Each module is imported once; one that cannot be is told once."""

    def __init__(self, root: str, file: str) -> None:
        self.root, self.folder = os.path.abspath(root), os.path.dirname(file)
        self._modules: dict[str, ModuleType | BaseException] = {}
        self._drawn: dict[str, list[Any]] = {}
        self.files: list[str] = []

    def function(self, reference: str) -> Any:
        """The function of a reference. Raises `BadReference`, and what its module raises."""
        module, name = self._split(reference)
        if module.endswith(_NODE_SUFFIXES):
            # Values that a task in Node maps through a function of its own language.
            return self.node(reference, None)
        found = self._attribute(self._load(module), name)
        found = getattr(found, "function", found) if getattr(found, "_airflow_is_task_decorator", False) else found
        if callable(found):
            return found
        return self._task_function(module, name)

    def node(self, reference: str, names: tuple[str, ...] | None) -> NodeFunction:
        """The function of a module for Node, which is not read here."""
        module, name = self._split(reference)
        path = self.find_file(module)
        self.files.append(path)
        return NodeFunction(path, name, names)

    def operator_class(self, name: str) -> type:
        """An operator by its Airflow name, by import path, or as `file.py#Class`."""
        if "#" in name:
            module, attribute = self._split(name)
            found = self._attribute(self._load(module), attribute)
        elif "." in name:
            module, _, attribute = name.rpartition(".")
            found = getattr(self._load(module), attribute, None)
        else:
            home = HOME.get(name) or _OURS.get(name)
            if home is None:
                raise BadReference(f"there is no operator {name}{did_you_mean(name, operator_names())}",
                                   "Give its import path (package.module.Class) when it is your own.")
            found = getattr(importlib.import_module(home), name)
        if isinstance(found, type) and issubclass(found, BaseOperator):
            return found
        raise BadReference(f"{name} is no operator")

    def find_file(self, name: str) -> str:
        """Path below the project of a file named beside the drawing, or from the project's folder."""
        for folder in (self.folder, ""):
            path = os.path.realpath(os.path.join(self.root, folder, *name.split("/")))
            if os.path.isfile(path) and path.startswith(os.path.realpath(self.root) + os.sep):
                return os.path.relpath(path, os.path.realpath(self.root)).replace(os.sep, "/")
        raise BadReference(f"there is no file {name} in the project", "Name it from this file's folder, or from the project's.")

    @staticmethod
    def _split(reference: str) -> tuple[str, str]:
        module, mark, name = reference.partition("#")
        if not (module and mark and name):
            raise BadReference(f"{reference!r} names no function", "Write file.py#function or package.module#function.")
        return module, name

    def _load(self, name: str) -> ModuleType:
        """The module, imported once. Raises what importing raised, each time."""
        if name not in self._modules:
            before = len(stack.registered_dags)
            try:
                self._modules[name] = self._import(name)
            except (Exception, SystemExit) as error:
                self._modules[name] = error
            module = self._modules[name]
            named = [] if isinstance(module, BaseException) else _dags_named(module)
            self._drawn[name] = list({id(dag): dag for dag in (*stack.registered_dags[before:], *named)}.values())
        module = self._modules[name]
        if isinstance(module, BaseException):
            raise module
        return module

    def _import(self, name: str) -> ModuleType:
        from leoflow.run.load import run_file

        if name.endswith(".py") or "/" in name:
            return run_file(self.root, self.find_file(name))
        return importlib.import_module(name)

    @staticmethod
    def _attribute(module: ModuleType, name: str) -> Any:
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        return found

    def _task_function(self, module: str, name: str) -> Any:
        """The function behind a task that the module draws, by `task_id` or `dag_id.task_id`."""
        tasks: dict[str, list[Any]] = {}
        for dag in self._drawn[module]:
            for task in dag.tasks:
                function = getattr(task, "python_callable", None)
                for known in (task.task_id, f"{dag.dag_id}.{task.task_id}") if function is not None else ():
                    functions = tasks.setdefault(known, [])
                    if function not in functions:
                        functions.append(function)
        found = tasks.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            raise BadReference(f"several DAGs of {module} have a task {name}", f"Write {module}#dag_id.{name}.")
        known = {*tasks, *(key for key, value in vars(self._load(module)).items() if callable(value) and not key.startswith("_"))}
        raise BadReference(f"{module} has no function {name}{did_you_mean(name, known)}", "A task of a DAG that the file draws would do as well.")


def _dags_named(module: ModuleType) -> list[Any]:
    from leoflow.dagmodel.dag import DAG

    return [value for value in vars(module).values() if isinstance(value, DAG)]


def operator_names() -> list[str]:
    """Short names of every operator that comes with Leoflow, sorted."""
    found = []
    for name, module in {**HOME, **_OURS}.items():
        value = getattr(importlib.import_module(module), name, None) if name.endswith(("Operator", "Sensor", "Task")) else None
        if isinstance(value, type) and issubclass(value, BaseOperator):
            found.append(name)
    return sorted(found)
