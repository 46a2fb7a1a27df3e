"""What a file imports, and who has it: our shim, the real Task SDK, a provider, another package, or nobody any more."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from typing import Any

from leoflow.shim.finder import PACKAGES
from leoflow.shim.names import MODULES

#: Providers whose name has two parts: apache-airflow-providers-common-sql holds airflow.providers.common.sql.
_FAMILIES = frozenset({"alibaba", "apache", "atlassian", "cncf", "common", "dbt", "microsoft"})
#: Parts of a provider's own tree: what stands before them names the provider.
_INNER = frozenset({"hooks", "operators", "sensors", "transfers", "triggers", "links", "utils", "notifications", "decorators", "secrets", "log", "executors", "assets", "models", "version"})


def imports_of(source: str, file: str) -> list[tuple[str, int]]:
    """Dotted names with their line, in the order of the text. `from a import b` gives `a.b`; what `if TYPE_CHECKING` guards is left out.

    Raises `SyntaxError`.
    """
    found: list[tuple[str, int]] = []
    _visit(ast.parse(source, file), found)
    return found


def _visit(node: ast.AST, found: list[tuple[str, int]]) -> None:
    if isinstance(node, ast.Import):
        found.extend((alias.name, node.lineno) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module != "__future__":
        found.extend((f"{node.module}.{alias.name}" if alias.name != "*" else f"{node.module}", node.lineno) for alias in node.names)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        for child in node.orelse:
            _visit(child, found)
        return
    for child in ast.iter_child_nodes(node):
        _visit(child, found)


class Judge:
    """Knows the modules of Airflow 3.2, the shim's names, and what can be imported here."""

    def __init__(self, root: str) -> None:
        self._root = root
        with open(os.path.join(os.path.dirname(__file__), "airflow_3_2_modules.txt"), encoding="utf-8") as file:
            self._airflow = frozenset(line.strip() for line in file if not line.startswith("#"))

    def judge(self, name: str) -> dict[str, Any] | None:
        """What an import needs besides the standard library, the project and the shim; None when nothing."""
        top = name.partition(".")[0]
        if top == "airflow":
            return self._judge_airflow(name)
        if top in sys.stdlib_module_names or top == "leoflow" or self._is_local(top):
            return None
        try:
            if importlib.util.find_spec(top) is not None:
                return None
        except (ImportError, ValueError):
            pass
        return {"needs": "package", "what": top}

    def _judge_airflow(self, name: str) -> dict[str, Any] | None:
        module, _, attribute = name.rpartition(".")
        if name in PACKAGES or attribute in MODULES.get(module, ()):
            return None
        parts = name.split(".")
        if parts[:2] == ["airflow", "providers"] and len(parts) > 2:
            return {"needs": "sdk", "what": _distribution(parts[2:])}
        if module in self._airflow or name in self._airflow:
            return {"needs": "sdk", "what": name}
        return {"needs": "removed", "what": name}

    def _is_local(self, top: str) -> bool:
        return any(os.path.exists(os.path.join(self._root, path)) for path in (top, f"{top}.py"))


def _distribution(parts: list[str]) -> str:
    named = parts[:2] if parts[0] in _FAMILIES and len(parts) > 1 and parts[1] not in _INNER else parts[:1]
    return "-".join(["apache-airflow-providers", *named]).replace("_", "-")
