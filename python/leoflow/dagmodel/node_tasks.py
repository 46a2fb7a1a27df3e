"""A function of a TypeScript or JavaScript module as the function of a task: named here, run by Node."""

from __future__ import annotations

import inspect
from typing import Any

from leoflow.dagmodel.errors import AirflowException


class NodeFunction:
    """Stands where a Python function would, so that the same operators draw it."""

    def __init__(self, module: str, export: str, names: tuple[str, ...] | None) -> None:
        """module: path inside the project; names: the arguments that are given, None when rows bring their own"""
        self.module, self.export = module, export
        self.__name__ = self.__qualname__ = export
        self.__doc__ = None
        kinds = inspect.Parameter
        if names is None:
            parameters = [kinds("arguments", kinds.VAR_KEYWORD)]
        else:
            parameters = [kinds(name, kinds.KEYWORD_ONLY, default=None) for name in names]
        self.__signature__ = inspect.Signature(parameters)

    def __call__(self, **arguments: Any) -> Any:
        raise AirflowException(f"{self.module}#{self.export} runs in Node, not in Python")

    def to_body(self) -> dict[str, Any]:
        """How dag.json says what runs the task."""
        return {"kind": "node", "module": self.module, "export": self.export}
