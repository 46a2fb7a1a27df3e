"""Modules in place of packages that are not installed: every name of theirs is a class that takes and gives anything."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything

    def __iter__(cls) -> Iterator[Any]:
        return iter(())


class Anything(metaclass=_Anything):
    """Called, asked or put into a chain, it goes along."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __call__(self, *_: Any, **__: Any) -> Any:
        return Anything()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything()

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __rshift__(self, other: Any) -> Any:
        return other

    __lshift__ = __rshift__


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything


class _Finder:
    def find_spec(self, name: str, path: Sequence[str] | None = None, module: ModuleType | None = None) -> ModuleSpec | None:
        # What is missing of Airflow itself is missing for good; its providers are packages.
        if name.partition(".")[0] == "airflow" and not name.startswith("airflow.providers."):
            return None
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def install() -> None:
    """From now on nothing is missing in this process."""
    sys.meta_path.append(_Finder())
