"""Which files of a project its code imports wherever it does so, also in functions that only tasks call: read from the code, never run."""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from leoflow.parse.path_values import Code, Values, callee, code_of

#: What is read of code for it, the DAG file first.
_MAX_CODE_BYTES = 1_000_000
_IMPORTERS = {"import_module", "__import__", "import_string", "files", "get_data"}
#: The shim or the SDK answers these, whatever lies in the project.
_NEVER_LOCAL = {"airflow", "leoflow"}


class _Name(NamedTuple):
    """A dotted name, from so many folders up when it is relative. An open one goes on with what only the run knows."""

    text: str
    level: int = 0
    is_open: bool = False


class Place(NamedTuple):
    """Where code of a project is found. Paths are absolute; `own_path` gives a file's path from the root, or None for what is none of the project."""

    root: str
    folders: list[str]
    own_path: Callable[[str], str | None]
    files_of: Callable[[str], list[str]]


def follow_imports(place: Place, files: dict[str, str | None]) -> set[str]:
    """The files, those that they import, those that these import, and so on; each with the rest of its package.

    files: paths from the root, each with the folder of its outermost package; None for a module in none
    """
    found = dict(files)
    waiting = deque(found)
    packages: set[str] = set()
    left = _MAX_CODE_BYTES
    while waiting:
        path = waiting.popleft()
        package = found[path]
        more = {} if package is None or package in packages else dict.fromkeys(place.files_of(package), package)
        packages.update([] if package is None else [package])
        code, size = _read(os.path.join(place.root, path)) if left > 0 and path.endswith(".py") else (None, 0)
        left -= size
        if code is not None and left >= 0:
            try:
                more.update(_imported_by(code, os.path.join(place.root, path), package, place))
            except (RecursionError, ValueError):
                # Expressions without end, and names that no file can have.
                pass
        for one, top in more.items():
            if one not in found:
                found[one] = top
                waiting.append(one)
    return set(found)


def _read(file: str) -> tuple[Code | None, int]:
    try:
        with open(file, "rb") as content:
            text = content.read()
        return code_of(text), len(text)
    except (OSError, SyntaxError, ValueError, RecursionError):
        # A module that no task has imported yet may be broken.
        return None, 0


def _imported_by(code: Code, file: str, package: str | None, place: Place) -> dict[str, str | None]:
    """Files that one names, with their packages."""
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(_names_in(code, file, place.root)):
        parts = [part for part in name.text.split(".") if part]
        if name.level > 0:
            start = os.path.normpath(os.path.join(os.path.dirname(file), *[os.pardir] * (name.level - 1)))
            top = None if package is None else os.path.join(place.root, package)
            if start.startswith(place.root) and (top is None or f"{start}{os.sep}".startswith(top + os.sep)):
                found.update(dict.fromkeys(_files_on_the_way(start, parts, place)[0], package))
        elif parts and parts[0] not in _NEVER_LOCAL:
            found.update(_resolve(parts, place, is_open=name.is_open))
    return found


def _resolve(parts: list[str], place: Place, *, is_open: bool) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for start in place.folders:
        files, is_whole = _files_on_the_way(start, parts, place)
        top = place.own_path(os.path.join(start, parts[0]))
        if is_open and top is not None and not _is_environment(os.path.join(start, parts[0])):
            files = [*files, *place.files_of(top)]
        # A module beside no other has no package.
        package = None if files == [f"{top}.py"] else top
        found.update((file, package) for file in files if file not in found)
        if is_whole:
            break
    return found


def _files_on_the_way(start: str, parts: list[str], place: Place) -> tuple[list[str], bool]:
    """What Python reads to import a dotted name from a folder. And whether it looks no further: a folder without __init__.py may go on in the next."""
    found: list[str] = []
    folder, is_whole = start, False
    for depth, part in enumerate(parts):
        folder = os.path.join(folder, part)
        module = f"{folder}.py"
        file = next((one for one in (os.path.join(folder, "__init__.py"), module) if os.path.isfile(one)), None)
        own = place.own_path(file) if file is not None else None
        if own is not None:
            found.append(own)
            is_whole = is_whole or depth == 0
        if file == module or not os.path.isdir(folder) or _is_environment(folder):
            break
    return found, is_whole


def _is_environment(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, "pyvenv.cfg"))


def _names_in(code: Code, file: str, root: str) -> Iterator[_Name]:
    values: Values | None = None
    for node in code.nodes:
        if isinstance(node, ast.Import):
            yield from (_Name(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (_Name(".".join(filter(None, [node.module, "" if alias.name == "*" else alias.name])), node.level) for alias in node.names)
        elif isinstance(node, ast.Call) and callee(node)[0] in _IMPORTERS and node.args:
            values = values or Values(code.nodes, file, root)
            yield from _name_given(node, values)


def _name_given(node: ast.Call, values: Values) -> Iterator[_Name]:
    """What a call is to import, as far as its text is known."""
    value = values.of(node.args[0])
    if value is None or not value.has_start or value.is_anchored or "/" in value.text:
        return
    text = value.text.rpartition(".")[0] if value.is_open and not value.text.endswith(".") else value.text
    level = len(text) - len(text.lstrip("."))
    beside = values.of(node.args[1]) if len(node.args) > 1 else next((values.of(one.value) for one in node.keywords if one.arg == "package"), None)
    if level == 1 and beside is not None and beside.has_start and not beside.is_open:
        text, level = beside.text + text, 0
    yield _Name(text.strip("."), level, value.is_open)
