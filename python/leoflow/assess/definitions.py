"""Whether a file only defines things for others, so that it holds no DAG whatever it mentions."""

from __future__ import annotations

import ast
import sys

_BUILTINS = frozenset({"print", "int", "str", "float", "bool", "list", "dict", "set", "tuple", "frozenset", "len", "sorted", "range", "property", "staticmethod", "classmethod"})
#: What Airflow has whose calls make no DAG. Its other decorators, such as @asset, may well.
_AIRFLOW = frozenset({"task", "task_group", "setup", "teardown", "Variable", "Connection", "BaseHook", "Param", "conf", "Asset", "Dataset", "timezone", "days_ago", "Label"})


def defines_only(source: bytes | str) -> bool:
    """True when nothing at the top of the file can make a DAG or bring one in: imports, functions, classes and plain values. Raises `SyntaxError`."""
    trusted = set(_BUILTINS)
    return all(_is_plain(statement, trusted) for statement in ast.parse(source).body)


def _is_plain(statement: ast.stmt, trusted: set[str]) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return _is_plain_import(statement, trusted)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inner = statement.body if isinstance(statement, ast.ClassDef) else []
        return all(_root_of(one) in trusted for one in statement.decorator_list) and all(_is_plain(one, trusted) for one in inner)
    if isinstance(statement, (ast.If, ast.Try)):
        parts = [*statement.body, *statement.orelse, *getattr(statement, "finalbody", ())]
        parts.extend(one for handler in getattr(statement, "handlers", ()) for one in handler.body)
        return all(_is_plain(one, trusted) for one in parts)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass, ast.Raise)):
        return all(_root_of(node.func) in trusted for node in ast.walk(statement) if isinstance(node, ast.Call))
    return False


def _is_plain_import(statement: ast.Import | ast.ImportFrom, trusted: set[str]) -> bool:
    """Remembers names whose calls make no DAG."""
    for alias in statement.names:
        top = (getattr(statement, "module", None) or alias.name).partition(".")[0] if getattr(statement, "level", 0) == 0 else ""
        if alias.name == "*" or ("dag" in alias.name.lower() and top != "airflow"):
            return False
        if top in sys.stdlib_module_names or (top == "airflow" and alias.name in _AIRFLOW):
            trusted.add(alias.asname or alias.name.partition(".")[0])
    return True


def _root_of(node: ast.expr) -> str | None:
    """The name that a call or a decorator starts from. A method of a text or the like starts from `str`."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Constant):
        return "str"
    return node.id if isinstance(node, ast.Name) else None
