"""Data files that only tasks open: what the Python sources of a DAG name of the project travels with it, within limits."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from leoflow.parse.path_values import Code, Use, Value, code_of, uses_of
from leoflow.parse.sources import A_SECRET, MAX_FILE_BYTES, is_secret, may_travel, modules_of_scripts

#: All that is found together; a folder travels whole or not at all.
MAX_FILES = 500
MAX_BYTES = 5_000_000
#: What is read of code for it, the DAG file first.
_MAX_CODE_BYTES = 1_000_000
_MAX_AWAITED = 2_000
_FILE_NAME = re.compile(r"[^/]\.\w{1,12}$")
_WILD = re.compile(r"[*?\[]")
_COMMAND = re.compile(r"[\s\"'`;|&<>()]")
#: A text that names no file yet, and may.
_MAY_COME = re.compile(r"[\w./@+=-]*\w\.[A-Za-z]\w{0,11}")
_NO_PATH = re.compile(r"[\n\0]|://|^[/~]|^.{1000}")


class NamedFiles(NamedTuple):
    """Paths from the root: what travels; what is named and does not, with place and reason; and what may come to be there. A folder ends with /."""

    files: list[str]
    left_out: list[dict[str, Any]]
    awaited: list[str]


def find_named_files(root: str, dag_file: str, sources: Iterable[str], texts: Iterable[str] = ()) -> NamedFiles:
    """What the code among the sources names.

    root: absolute and real; dag_file, sources: paths from it; texts: what a drawing of the DAG file gives its tasks
    """
    search = _Search(root, dag_file)
    for text in texts:
        search.take(dag_file, Use(Value(text), 0, False))
    modules = dict.fromkeys([dag_file, *sources])
    codes = _parse(root, modules)
    counted = Counter(name for code in codes.values() for name in code.names)
    for path, code in codes.items():
        try:
            uses = uses_of(code, os.path.join(root, path), root, lambda name, own=code.names: counted[name] > (name in own))
        except RecursionError:
            continue
        for use in uses:
            search.take(path, use)
    found = search.result()
    imported = modules_of_scripts(root, [path for path in found.files if path.endswith(".py") and path not in modules])
    return found._replace(files=sorted({*found.files, *(imported - modules.keys())}))


def _parse(root: str, paths: Iterable[str]) -> dict[str, Code]:
    codes: dict[str, Code] = {}
    size = 0
    for path in paths:
        if not path.endswith(".py"):
            continue
        try:
            with open(os.path.join(root, path), "rb") as file:
                text = file.read()
            size += len(text)
            if size > _MAX_CODE_BYTES:
                break
            codes[path] = code_of(text)
        except (OSError, SyntaxError, ValueError, RecursionError):
            # A module that no task has imported yet may be broken.
            continue
    return codes


class _Search:
    """Collects what is named; what is written by the same code is none of it."""

    def __init__(self, root: str, dag_file: str) -> None:
        self._root = root
        self._dag_folder = os.path.dirname(os.path.join(root, dag_file))
        #: By absolute path: the file and line that names it first.
        self._files: dict[str, tuple[str, int]] = {}
        self._folders: dict[str, tuple[str, int]] = {}
        self._written: set[str] = set()
        #: Folders in which something is written whose name only the run knows.
        self._filled: set[str] = set()
        self._awaited: set[str] = set()
        self._left_out: list[dict[str, Any]] = []

    def take(self, source: str, use: Use) -> None:
        """One path that a source names."""
        folder = os.path.dirname(os.path.join(self._root, source))
        value = self._without_command(use.value)
        text = value.text[: value.text.rfind("/") + 1] if value.is_open else value.text
        if not value.is_anchored:
            text = text if value.has_start else text.lstrip("/")
            if text == "" or _NO_PATH.search(text) or ("*" in text and not value.is_path):
                return
        may_be_folder = value.has_start and (value.is_path or text.endswith("/"))
        is_file_name = value.is_path or "/" in text or _FILE_NAME.search(text) is not None
        for start in [""] if value.is_anchored else [folder, self._root]:
            path = os.path.normpath(os.path.join(start, text))
            if not value.is_anchored and not self._is_inside(path):
                continue
            if use.is_written:
                (self._filled if value.is_open else self._written).add(path)
            elif os.path.isdir(path):
                if may_be_folder and not self._holds_code(path, folder):
                    self._folders.setdefault(path, (source, use.line))
            elif is_file_name and os.path.isfile(path) and not value.is_open:
                self._files.setdefault(path, (source, use.line))
            elif value.is_path and value.has_start and self._is_inside(path) and _WILD.search(path, len(self._root)):
                self._take_pattern(path, (source, use.line))
            elif (value.is_anchored or _MAY_COME.fullmatch(text)) and self._is_inside(path) and len(self._awaited) < _MAX_AWAITED:
                self._awaited.add(path + "/" if value.is_open else path)

    def _without_command(self, value: Value) -> Value:
        """A path ends where the next word of a command begins, unless a file has such a name. Below a ** may be anything."""
        start = len(self._root)
        end = _COMMAND.search(value.text, start) if value.is_anchored else None
        if end is not None and (value.is_open or not os.path.exists(value.text)):
            return replace(value, text=value.text[: end.start()], is_open=False)
        deep = value.text.find("**", start) if value.is_anchored else -1
        return value if deep < 0 else replace(value, text=value.text[:deep], is_open=True)

    def _take_pattern(self, pattern: str, place: tuple[str, int]) -> None:
        below = pattern[len(self._root) :]
        found = [path for path in sorted(glob.glob(glob.escape(self._root) + below)) if os.path.isfile(path) and may_travel(path, self._root)]
        # One more than fit: that they are too many is told, once.
        for path in found[: MAX_FILES + 1]:
            self._files.setdefault(path, place)
        fixed = _WILD.split(below, maxsplit=1)[0].rpartition("/")[0]
        if fixed:
            self._awaited.add(f"{self._root}{fixed}/")

    def _is_inside(self, path: str) -> bool:
        return path.startswith(self._root + os.sep)

    def _holds_code(self, path: str, folder: str) -> bool:
        """Whether it is the project, or on the way down to the code that names it: nobody means all of that."""
        return any(f"{inner}{os.sep}".startswith(path.rstrip(os.sep) + os.sep) for inner in (self._root, self._dag_folder, folder))

    def result(self) -> NamedFiles:
        """Single files first, then folders; each in the order of their paths, as long as there is room."""
        taken: dict[str, int] = {}
        for path, place in sorted(self._files.items()):
            if not self._is_written(path):
                self._take_file(path, place, taken)
        for path, place in sorted(self._folders.items()):
            if path not in self._filled and not self._is_written(path):
                self._take_folder(path, place, taken)
        return NamedFiles(sorted(map(self._relative, taken)), self._left_out, sorted(map(self._relative, self._awaited)))

    def _relative(self, path: str) -> str:
        relative = os.path.relpath(path, self._root).replace(os.sep, "/")
        return f"{relative}/" if path.endswith("/") else relative

    def _is_written(self, path: str) -> bool:
        return any(path == written or path.startswith(written + os.sep) for written in self._written)

    def _leave_out(self, path: str, place: tuple[str, int], why: str) -> None:
        self._left_out.append({"path": self._relative(path), "file": place[0], "line": place[1], "why": why})

    def _take_file(self, path: str, place: tuple[str, int], taken: dict[str, int]) -> None:
        size = os.path.getsize(path)
        if not self._is_inside(path):
            self._leave_out(path, place, "it lies outside of the folder of the DAG files")
        elif not may_travel(path, self._root):
            if not path.endswith((".pyc", "airflow.cfg")):
                self._leave_out(path, place, "hidden files, installed packages, links that lead out of the project and what cannot be read do not travel")
        elif is_secret(path):
            self._leave_out(path, place, A_SECRET)
        elif size > MAX_FILE_BYTES:
            self._leave_out(path, place, _too_large(size))
        elif len(taken) >= MAX_FILES or sum(taken.values()) + size > MAX_BYTES:
            self._leave_out(path, place, _too_much("it is"))
        else:
            taken[path] = size

    def _take_folder(self, path: str, place: tuple[str, int], taken: dict[str, int]) -> None:
        if not self._is_inside(path):
            self._leave_out(f"{path}/", place, "it lies outside of the folder of the DAG files")
            return
        if not may_travel(path, self._root):
            return
        self._awaited.add(f"{path}/")
        below = {file: size for file, size in _files_below(path, self._root).items() if file not in taken and not self._is_written(file)}
        found = {file: size for file, size in below.items() if not is_secret(file)}
        small = {file: size for file, size in found.items() if size <= MAX_FILE_BYTES}
        if len(found) + len(taken) > MAX_FILES or sum(small.values()) + sum(taken.values()) > MAX_BYTES:
            self._leave_out(f"{path}/", place, _too_much("what lies below it is"))
            return
        taken.update(small)
        for file in sorted(found.keys() - small.keys()):
            self._leave_out(file, place, _too_large(found[file]))
        for file in sorted(below.keys() - found.keys()):
            self._leave_out(file, place, A_SECRET)


def _too_large(size: int) -> str:
    return f"it has {size / 1e6:.1f} MB, and files that are found by their name travel up to {MAX_FILE_BYTES / 1e6:g} MB"


def _too_much(what: str) -> str:
    return f"{what} too much: what is found by its name travels up to {MAX_FILES} files and {MAX_BYTES / 1e6:g} MB together"


def _files_below(folder: str, root: str) -> dict[str, int]:
    """Files that may travel, with their sizes; no more than show that they are too many."""
    found: dict[str, int] = {}
    for current, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if may_travel(os.path.join(current, name), root))
        for name in sorted(names):
            path = os.path.join(current, name)
            if may_travel(path, root) and os.path.isfile(path):
                found[path] = os.path.getsize(path)
            if len(found) > MAX_FILES:
                return found
    return found
