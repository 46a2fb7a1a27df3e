"""Finds the files that a DAG's templates are read from, so that they travel with its sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from leoflow.dagmodel.dag import DAG


def template_files(dag: DAG, root: str) -> list[str]:
    """Paths below the root of the template files that tasks name, sorted."""
    folders = [os.path.dirname(os.path.realpath(dag.fileloc)), root, *(os.path.join(root, path) for path in dag.template_searchpath)]
    found = set()
    for task in dag.tasks:
        extensions = tuple(task.template_ext)
        if not extensions:
            continue
        for field in task.template_fields:
            for name in _file_names(getattr(task, field, None), extensions):
                found.update(_below_root(name, folders, root))
    return sorted(found)


def _file_names(value: Any, extensions: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, str):
        if value.endswith(extensions):
            yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _file_names(item, extensions)


def _below_root(name: str, folders: list[str], root: str) -> list[str]:
    for folder in folders:
        path = os.path.realpath(os.path.join(folder, name.lstrip("/") if not os.path.isabs(name) else name))
        if os.path.isfile(path) and path.startswith(root + os.sep):
            return [os.path.relpath(path, root).replace(os.sep, "/")]
    return []
