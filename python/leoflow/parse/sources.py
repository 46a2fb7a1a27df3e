"""Which files below a project's folder a DAG file has been read with, and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from leoflow.dagmodel.notices import PACKAGE_ROOT
from leoflow.parse.later_imports import Place, follow_imports

_FOREIGN = {"site-packages", "dist-packages", "node_modules", "__pycache__"}
#: A package with more files than this travels with those of its modules only that were imported.
_MAX_PACKAGE_FILES = 1_000
#: Files that were read while the DAG file was: as many.
_MAX_READ_FILES = 500
#: The largest file that travels without being asked for.
MAX_FILE_BYTES = 1_000_000
#: What a version keeps for ever, and shows to everybody who may see the DAG, is no place for a key.
_SECRET = re.compile(
    r"\.(env|pem|key|p12|pfx|ppk|jks|keytab|kdbx|asc|gpg|pgpass)$|^id_(rsa|dsa|ecdsa|ed25519)|^(credentials|kubeconfig)$|(credential|service[-_]?account|secret|password)s?[^/]*\.(json|ya?ml|ini|toml)$", re.IGNORECASE)
A_SECRET = "it has the name of a secret, and a version keeps it for ever; a connection is the place for that"
_WRITING = os.O_WRONLY | os.O_RDWR


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
    """Paths of the project's modules that were imported, or that code of it imports later, and of what else is in their packages. Without the DAG file, sorted.

    before: names of modules that were there before it was read
    """
    imported: dict[str, str | None] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name in before or not isinstance(file, str) or file.startswith(PACKAGE_ROOT):
            continue
        path = _own_path(file, root)
        if path is not None and path.endswith(".py"):
            # A module in a package: the folder below the root that its outermost package is.
            depth = name.count(".") + (os.path.basename(path) == "__init__.py")
            imported[path] = "/".join(path.split("/")[:-depth]) or None if depth > 0 else imported.get(path)
    place = Place(root, _import_folders(root, dag_file), lambda file: _own_path(file, root), lambda package: _files_of(package, root))
    return sorted(follow_imports(place, {dag_file: imported.pop(dag_file, None), **dict(sorted(imported.items()))}) - {dag_file})


def modules_of_scripts(root: str, scripts: Iterable[str]) -> set[str]:
    """Scripts that a command runs, with the modules that they import from the folder where each lies, and from the root. Paths from the root."""
    found: set[str] = set()
    by_folder: dict[str, dict[str, str | None]] = {}
    for script in scripts:
        by_folder.setdefault(os.path.dirname(script), {})[script] = None
    for folder, files in by_folder.items():
        found |= follow_imports(Place(root, [os.path.join(root, folder), root], lambda file: _own_path(file, root), lambda package: _files_of(package, root)), files)
    return found


def _import_folders(root: str, dag_file: str) -> list[str]:
    """Folders of the project that code is imported from, as the import path has them; last that of the DAG file, which its functions may add to it."""
    folders = [os.path.realpath(folder) for folder in [*sys.path, os.path.dirname(os.path.join(root, dag_file))]]
    return [folder for folder in dict.fromkeys(folders) if folder == root or is_local(folder, root)]


def _own_path(file: str, root: str) -> str | None:
    """A file's path from the root, with /; None when it is not of the project."""
    path = os.path.relpath(os.path.realpath(file), root).replace(os.sep, "/")
    parts = path.split("/")
    return None if parts[0] == ".." or _FOREIGN.intersection(parts) or path.startswith(".") else path


def is_secret(path: str) -> bool:
    """Whether a file has the name of one that holds keys."""
    return _SECRET.search(os.path.basename(path)) is not None


def may_travel(path: str, root: str) -> bool:
    """Whether a file or folder below the root is of the project: readable, not hidden, not installed, no link that leads out, none of Airflow's own settings."""
    parts = os.path.relpath(path, root).split(os.sep)
    if any(part.startswith(".") or part in _FOREIGN for part in parts) or path.endswith((".pyc", "airflow.cfg")):
        return False
    return os.path.realpath(path).startswith(root + os.sep) and os.access(path, os.R_OK) and not os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _files_of(package: str, root: str) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(os.path.join(root, *package.split("/"))):
        folders[:] = sorted(name for name in folders if name not in _FOREIGN and not name.startswith(".") and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg")))
        found.extend(path for name in sorted(names) if name.endswith(".py") and (path := _own_path(os.path.join(folder, name), root)) is not None)
        if len(found) > _MAX_PACKAGE_FILES:
            return []
    return found


_listener: Callable[[str, tuple], None] | None = None
_is_hooked = False


def _hear_of_opens(listener: Callable[[str, tuple], None] | None) -> None:
    """Who hears of files that are opened, from now on. The hook itself cannot be taken out again, and costs a little at each event: there is one."""
    global _listener, _is_hooked
    _listener = listener
    if not _is_hooked:
        _is_hooked = True
        sys.addaudithook(lambda event, arguments: None if _listener is None else _listener(event, arguments))


class ReadFiles:
    """What a DAG file reads of its project while it is imported, besides code: its tasks find it where it did."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._opened: set[str] = set()
        #: What does not travel, as `left_out` of the parser's document; filled by `take`.
        self.left_out: list[dict[str, Any]] = []
        _hear_of_opens(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if event != "open" or len(self._opened) > 20 * _MAX_READ_FILES:
            return
        path, _, flags = arguments
        if isinstance(path, str) and not path.endswith((".py", ".pyc", "airflow.cfg")) and not (isinstance(flags, int) and flags & _WRITING):
            self._opened.add(os.path.abspath(path))

    def take(self) -> list[str]:
        """Their paths from the root, sorted. From here on nothing is heard."""
        _hear_of_opens(None)
        paths = [path for path in list(self._opened) if path.startswith(self._root + os.sep) and os.path.isfile(path)]
        own = {own: os.path.getsize(path) for path in paths if (own := _own_path(path, self._root)) is not None}
        for path, size in sorted(own.items()):
            if is_secret(path) or any(part.startswith(".") for part in path.split("/")):
                self.left_out.append({"path": path, "file": None, "line": 0, "why": A_SECRET if is_secret(path) else "hidden files do not travel, though it is read while the file is imported"})
            elif size > MAX_FILE_BYTES:
                self.left_out.append({"path": path, "file": None, "line": 0, "why": f"it is read while the file is imported, and has {size / 1e6:.1f} MB; up to {MAX_FILE_BYTES / 1e6:g} MB travel"})
        told = {one["path"] for one in self.left_out}
        return sorted(own.keys() - told)[:_MAX_READ_FILES]


def told_once(left_out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a file that is read and named as well, the entry with its place, which comes last."""
    return list({one["path"]: one for one in left_out}.values())


def digests(root: str, paths: list[str]) -> list[dict[str, str]]:
    """The files as `sources` of dag.json, without repeats."""
    sources = []
    for path in dict.fromkeys(paths):
        with open(os.path.join(root, *path.split("/")), "rb") as file:
            sources.append({"path": path, "sha256": hashlib.sha256(file.read()).hexdigest()})
    return sources
