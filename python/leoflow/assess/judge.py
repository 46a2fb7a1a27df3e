"""Who has what a file imports: our shim, the real Task SDK, a provider, another package, or nobody any more."""

from __future__ import annotations

import importlib.util
import os
import sys

from leoflow.assess.imports import Found
from leoflow.shim.finder import PACKAGES
from leoflow.shim.names import MODULES

#: Providers whose name has two parts: apache-airflow-providers-common-sql holds airflow.providers.common.sql.
_FAMILIES = frozenset({"alibaba", "apache", "atlassian", "cncf", "common", "dbt", "microsoft"})
#: Parts of a provider's own tree: what stands before them names the provider.
_INNER = frozenset({"hooks", "operators", "sensors", "transfers", "triggers", "links", "utils", "notifications", "decorators", "secrets", "log", "executors", "assets", "models", "version"})

_COVERED = frozenset(".".join(name.split(".")[:3]) for name in MODULES if name.startswith("airflow.providers.") and not name.startswith("airflow.providers.common."))


class Judge:
    """Knows the modules of Airflow 3.2, the shim's names, and what can be imported here."""

    def __init__(self, roots: list[str]) -> None:
        self._roots = roots
        with open(os.path.join(os.path.dirname(__file__), "airflow_3_2_modules.txt"), encoding="utf-8") as file:
            self._airflow = frozenset(line.strip() for line in file if not line.startswith("#"))

    def need_of(self, found: Found) -> dict[str, str] | None:
        """What a finding needs beside the standard library, the project and the shim, as `{needs, what, name}`; None when nothing."""
        if found.kind == "argument":
            return {"needs": "removed", "what": found.name, "name": f"the argument {found.name} of DAG"}
        if found.kind in ("variable", "context"):
            return {"needs": found.kind, "what": found.name, "name": found.name}
        if found.folder is not None:
            return None
        name = self._imported_part(found.name) if found.kind == "attribute" else found.name
        needed = self._judge_airflow(name, found.kind) if name.partition(".")[0] == "airflow" else self._judge_other(name)
        return None if needed is None else {**needed, "name": name}

    def _judge_other(self, name: str) -> dict[str, str] | None:
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "leoflow" or self._is_local(top):
            return None
        try:
            if importlib.util.find_spec(top) is not None:
                return None
        except (ImportError, ValueError):
            pass
        return {"needs": "package", "what": top}

    def _judge_airflow(self, name: str, kind: str) -> dict[str, str] | None:
        module, _, attribute = name.rpartition(".")
        if name in PACKAGES or (kind != "module" and attribute in MODULES.get(module, ())):
            return None
        parts = name.split(".")
        if parts[:2] == ["airflow", "providers"] and len(parts) > 2:
            # Of a provider that the shim has in part its name alone says nothing.
            return {"needs": "sdk", "what": name if ".".join(parts[:3]) in _COVERED else _distribution(parts[2:])}
        if name in self._airflow or (kind != "module" and module in self._airflow):
            return {"needs": "sdk", "what": name}
        return {"needs": "removed", "what": name}

    def _imported_part(self, chain: str) -> str:
        """Of `airflow.models.DagModel.get_current` what an import would name: the longest module, and one name of it."""
        parts = chain.split(".")
        end = next((end for end in range(len(parts), 0, -1) if ".".join(parts[:end]) in self._airflow), 1)
        return "airflow" if parts[end : end + 1] and parts[end].startswith("__") else ".".join(parts[: end + 1])

    def local_files(self, found: Found) -> list[str]:
        """Files of the project that an import executes, the last part of its name maybe a name inside one."""
        if found.kind not in ("module", "name"):
            return []
        for root in self._roots if found.folder is None else [found.folder]:
            parts, files = found.name.split("."), []
            for end in range(1, len(parts) + 1):
                base = os.path.join(root, *parts[:end])
                files.extend(path for path in (f"{base}.py", os.path.join(base, "__init__.py")) if os.path.isfile(path))
            if files:
                return files
        return []

    def _is_local(self, top: str) -> bool:
        return any(os.path.exists(os.path.join(root, path)) for root in self._roots for path in (top, f"{top}.py"))


def _distribution(parts: list[str]) -> str:
    named = parts[:2] if parts[0] in _FAMILIES and len(parts) > 1 and parts[1] not in _INNER else parts[:1]
    return "-".join(["apache-airflow-providers", *named]).replace("_", "-")
