"""Which files below a project's folder a DAG file has been read with, and their digests."""

from __future__ import annotations

import hashlib
import os
import sys

from leoflow.dagmodel.notices import PACKAGE_ROOT

_FOREIGN = {"site-packages", "dist-packages", "node_modules", "__pycache__"}


def relative_path(file: str, root: str) -> str:
    """Path of the DAG file from the root, with /."""
    candidate = file if os.path.isabs(file) else os.path.join(root, file)
    if not os.path.exists(candidate) and os.path.exists(file):
        candidate = os.path.abspath(file)
    return os.path.relpath(os.path.realpath(candidate), root).replace(os.sep, "/")


def is_local(path: str, root: str) -> bool:
    """Whether code comes from a file of the project, and not from a package installed below it or from no file at all."""
    real = os.path.realpath(path)
    return os.path.isabs(path) and real.startswith(root + os.sep) and not _FOREIGN.intersection(real[len(root):].split(os.sep))


def local_modules(root: str, dag_file: str, before: set[str]) -> list[str]:
    """Paths of the project's modules that were imported, without the DAG file, sorted.

    before: names of modules that were there before it was read
    """
    found = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or not isinstance(file, str) or file.startswith(PACKAGE_ROOT):
            continue
        path = os.path.relpath(os.path.realpath(file), root).replace(os.sep, "/")
        parts = path.split("/")
        if parts[0] != ".." and path.endswith(".py") and not _FOREIGN.intersection(parts) and not path.startswith("."):
            found.add(path)
    return sorted(found - {dag_file})


def digests(root: str, paths: list[str]) -> list[dict[str, str]]:
    """The files as `sources` of dag.json, without repeats."""
    sources = []
    for path in dict.fromkeys(paths):
        with open(os.path.join(root, *path.split("/")), "rb") as file:
            sources.append({"path": path, "sha256": hashlib.sha256(file.read()).hexdigest()})
    return sources
