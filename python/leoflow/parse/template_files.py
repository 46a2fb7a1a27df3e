"""Finds the files that a DAG's templates are read from, so that they travel with its sources."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from leoflow.dagmodel.dag import DAG

#: What stands between the marks of a Jinja tag that reads other templates, and the texts in it.
_READS = re.compile(r"\{%[-+]?\s*(?:include|import|extends|from)\b(.*?)%\}", re.DOTALL)
#: So much of a template is looked through.
_MAX_CHARS = 1_000_000
_QUOTED = re.compile(r"""(["'])(.+?)\1""")


def template_files(dag: DAG, root: str) -> list[str]:
    """Paths below the root of the template files that tasks name, and of those that these name, sorted."""
    folders = [os.path.dirname(os.path.realpath(dag.fileloc)), root, *(os.path.join(root, path) for path in dag.template_searchpath)]
    found: set[str] = set()
    names = [name for task in dag.tasks for field in task.template_fields for name in _file_names(getattr(task, field, None), tuple(task.template_ext))]
    while names:
        path = _below_root(names.pop(), folders, root)
        if path is not None and path not in found:
            found.add(path)
            names.extend(_read_by(os.path.join(root, path)))
    return sorted(found)


def _file_names(value: Any, extensions: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, str):
        yield from [value] if value.endswith(extensions) else _named_in(value)
    elif isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _file_names(item, extensions)


def _named_in(template: str) -> list[str]:
    return [quoted[1] for tag in _READS.findall(template) for quoted in _QUOTED.findall(tag)]


def _read_by(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return _named_in(file.read(_MAX_CHARS))


def _below_root(name: str, folders: list[str], root: str) -> str | None:
    for folder in folders:
        path = os.path.realpath(os.path.join(folder, name.lstrip("/") if not os.path.isabs(name) else name))
        if os.path.isfile(path) and path.startswith(root + os.sep):
            return os.path.relpath(path, root).replace(os.sep, "/")
    return None
