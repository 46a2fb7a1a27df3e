"""The meta path finder that answers `import airflow.…` from the table of names, and refuses what the table has not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from leoflow.dagmodel.errors import UnsupportedImport
from leoflow.dagmodel.notices import author_location
from leoflow.shim.names import HINTS, MODULES, target

AIRFLOW_VERSION = "3.2.1"
_WAY_OUT = "do it in a @task that calls the library itself, or run the file by the real Task SDK: `runtime: airflow` in leoflow.yaml, with the provider's package in dependencies.python."
PACKAGES = {".".join(name.split(".")[:n]) for name in MODULES for n in range(1, name.count(".") + 2)}


def refuse(name: str) -> UnsupportedImport:
    """The error for an import name that the shim has not, placed at the author's line."""
    file, line = author_location()
    other = "Take host, login and password from BaseHook.get_connection, and" if name.startswith("airflow.providers.") else "Remove the import, or"
    hint = HINTS.get(name.rpartition(".")[2], other)
    return UnsupportedImport(name, file, line, f"{hint} {_WAY_OUT}")


class ShimFinder:
    """Finds and loads every module of the table; each one is a package, so that a missing name comes back here."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, module: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of an `airflow` module, None for other modules.

        Raises `UnsupportedImport` for an `airflow` module or name that the table has not.
        """
        if name != "airflow" and not name.startswith("airflow."):
            return None
        if name not in PACKAGES:
            raise refuse(name)
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module; its names are looked up when they are used."""
        return _ShimModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Say which names the module has."""
        names = MODULES.get(module.__name__, ())
        module.__all__ = list(names)
        if module.__name__ in ("airflow", "airflow.sdk"):
            module.__version__ = AIRFLOW_VERSION if module.__name__ == "airflow" else "1.2.1"


class _ShimModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in MODULES.get(self.__name__, ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        module, attribute = target(name)
        value = importlib.import_module(module)
        if attribute:
            value = getattr(value, attribute)
        setattr(self, name, value)
        return value


_finder = ShimFinder()


def install() -> None:
    """Put the shim before every other `airflow` of this process. Safe to call twice.

    Raises `RuntimeError` when another `airflow` is imported already.
    """
    if _finder in sys.meta_path:
        return
    if "airflow" in sys.modules:
        raise RuntimeError("another package named airflow is imported already")
    sys.meta_path.insert(0, _finder)
