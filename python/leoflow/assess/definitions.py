"""Whether a file only defines things for others, so that it holds no DAG whatever it mentions."""

from __future__ import annotations

import ast
import sys


def defines_only(source: bytes | str) -> bool:
    """True when nothing at the top of the file can make a DAG or bring one in: imports, functions, classes and plain values. Raises `SyntaxError`."""
    tree = ast.parse(source)
    trusted = {"print", "int", "str", "float", "bool", "list", "dict", "set", "tuple", "frozenset", "len", "sorted", "range"}
    return all(_is_plain(statement, trusted) for statement in tree.body)


def _is_plain(statement: ast.stmt, trusted: set[str]) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return _is_plain_import(statement, trusted)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inner = statement.body if isinstance(statement, ast.ClassDef) else []
        return not any("dag" in ast.dump(one).lower() for one in statement.decorator_list) and all(_is_plain(one, trusted) for one in inner)
    if isinstance(statement, (ast.If, ast.Try)):
        parts = [*statement.body, *statement.orelse, *getattr(statement, "finalbody", ())]
        parts.extend(one for handler in getattr(statement, "handlers", ()) for one in handler.body)
        return all(_is_plain(one, trusted) for one in parts)
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr, ast.Pass, ast.Raise)):
        return all(_calls_trusted(node, trusted) for node in ast.walk(statement) if isinstance(node, ast.Call))
    return False


def _is_plain_import(statement: ast.Import | ast.ImportFrom, trusted: set[str]) -> bool:
    """Remembers names whose calls make no DAG: those of the standard library, and what Airflow has beside DAG."""
    module = getattr(statement, "module", None)
    for alias in statement.names:
        top = (module or alias.name).partition(".")[0] if getattr(statement, "level", 0) == 0 else ""
        is_airflow = top == "airflow"
        if alias.name == "*" or ("dag" in alias.name.lower() and not is_airflow):
            return False
        if (top in sys.stdlib_module_names or is_airflow) and "dag" not in alias.name.lower():
            trusted.add(alias.asname or alias.name.partition(".")[0])
    return True


def _calls_trusted(node: ast.Call, trusted: set[str]) -> bool:
    function = node.func
    while isinstance(function, (ast.Attribute, ast.Call, ast.Subscript)):
        function = function.func if isinstance(function, ast.Call) else function.value
    return isinstance(function, ast.Constant) or (isinstance(function, ast.Name) and function.id in trusted)
