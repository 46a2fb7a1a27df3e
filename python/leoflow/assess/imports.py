"""What a file imports, when, and what else of its text Airflow 3 would refuse: read from its syntax, nothing is run."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from dataclasses import dataclass

#: Arguments that DAG took before Airflow 3, and does not take any more.
_REMOVED_ARGUMENTS = frozenset({"schedule_interval", "timetable", "concurrency", "default_view", "orientation", "fail_stop", "full_filepath"})
#: Parts of a task's context that our runtime has not.
_REFUSED_CONTEXT = frozenset({"inlet_events", "outlet_events", "triggering_asset_events"})
_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})


@dataclass(frozen=True)
class Found:
    """An import, as a dotted name: of a `module`, or of a `name` that a module may have. Or an `attribute` of the package airflow, an `argument` of DAG that is gone, a `variable` that is read, a `context` key that is used."""

    kind: str
    name: str
    line: int
    #: Inside a function: not needed to import the file.
    late: bool = False
    #: Where a relative import starts; None for an absolute one.
    folder: str | None = None


def read_file(source: bytes | str, file: str, is_missing: Callable[[Found], bool]) -> list[Found]:
    """Everything found, in the order of the text. `from a import b` gives `a.b`; what `if TYPE_CHECKING` guards is left out.

    Of `try: import … except ImportError:` only the side that would be taken counts: `is_missing` says whether an import fails here.
    Raises `SyntaxError` or `ValueError`.
    """
    reader = _Reader(file, is_missing)
    reader.visit(ast.parse(source, file))
    return reader.found


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, is_missing: Callable[[Found], bool]) -> None:
        self._file, self._is_missing = file, is_missing
        self.found: list[Found] = []
        self._late = False
        # What names of Airflow stand for: those of modules, and those taken from modules.
        self._modules: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add("module", alias.name, node.lineno)
            if alias.name.partition(".")[0] == "airflow":
                self._modules[alias.asname or "airflow"] = alias.name if alias.asname else "airflow"

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "__future__":
            return
        folder = None
        if node.level > 0:
            folder = os.path.normpath(os.path.join(os.path.dirname(self._file), *[os.pardir] * (node.level - 1)))
        for alias in node.names:
            name = ".".join(part for part in (node.module, None if alias.name == "*" else alias.name) if part)
            if name:
                self._add("module" if alias.name == "*" else "name", name, node.lineno, folder)
            if folder is None and node.module.partition(".")[0] == "airflow":
                self._names[alias.asname or alias.name] = name

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.dump(node.test):
            self.generic_visit(node)
            return
        for child in node.orelse:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        for child in (*getattr(node, "decorator_list", ()), node.args):
            self.visit(child)
        before, self._late = self._late, True
        for child in [node.body] if isinstance(node, ast.Lambda) else node.body:
            self.visit(child)
        self._late = before

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_Try(self, node: ast.Try) -> None:
        guards = [handler for handler in node.handlers if _guards_imports(handler)]
        if not guards:
            self.generic_visit(node)
            return
        before = len(self.found)
        for child in node.body:
            self.visit(child)
        missing = {one for one in self.found[before:] if one.kind in ("module", "name") and self._is_missing(one)}
        if missing:
            self.found[before:] = [one for one in self.found[before:] if one not in missing]
        for child in [*(guards if missing else node.orelse), *node.finalbody]:
            self.visit(child)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts, inner = [node.attr], node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        module = self._modules.get(inner.id) if isinstance(inner, ast.Name) else None
        if module is not None:
            self._add("attribute", ".".join([module, *reversed(parts)]), node.lineno)
        elif not isinstance(inner, ast.Name):
            self.visit(inner)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        called = self._names.get(function.id, "") if isinstance(function, ast.Name) else ""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id in {**self._modules, **self._names}:
            called = function.attr
        if called.rpartition(".")[2] in ("DAG", "dag"):
            for keyword in node.keywords:
                if keyword.arg in _REMOVED_ARGUMENTS:
                    self._add("argument", keyword.arg, keyword.value.lineno)
        variable = self._variable_read(node)
        if variable is not None:
            self._add("variable", variable, node.lineno)
        self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> None:
        if node.arg in _REFUSED_CONTEXT:
            self._add("context", node.arg, node.lineno)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and node.value in _REFUSED_CONTEXT:
            self._add("context", node.value, node.lineno)

    def _variable_read(self, node: ast.Call) -> str | None:
        """The key of `Variable.get("key")` without a default."""
        function = node.func
        if not (isinstance(function, ast.Attribute) and function.attr == "get" and isinstance(function.value, ast.Name)):
            return None
        if self._names.get(function.value.id, "").rpartition(".")[2] != "Variable":
            return None
        has_default = len(node.args) > 1 or any(keyword.arg in ("default", "default_var") for keyword in node.keywords)
        key = node.args[0] if node.args else None
        return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) and not has_default else None

    def _add(self, kind: str, name: str, line: int, folder: str | None = None) -> None:
        self.found.append(Found(kind, name, line, self._late, folder))


def _guards_imports(handler: ast.ExceptHandler) -> bool:
    """Whether a failed import goes on here; one that raises again helps nobody."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = any(kind is None or (isinstance(kind, ast.Name) and kind.id in _GUARDS) for kind in kinds)
    return caught and not any(isinstance(statement, ast.Raise) for statement in handler.body)
