"""Whether a project's code may be imported once for all tasks of a version: it may where it only draws. All else, each task imports for itself, as under Airflow."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator

from leoflow.run.drawing_only import calls_or_changes, only_draws

#: Of code that is looked at; whoever has more imports it in each task.
_MAX_BYTES = 2_000_000


def is_of_the_moment(spec: dict) -> bool:
    """Whether each task has to import the code of a ForkServerSpec for itself. A version with bodies in Node is held not to."""
    if spec.get("node") is not None:
        return False
    return spec.get("import_secrets") is not None or does_more_than_draw(spec["root"])


def import_packages(spec: dict) -> None:
    """Import what the version's files import before they do anything else, and is none of the project's own, so that forks of this process find it there."""
    folders = [spec["root"], *spec.get("path", [])]
    names = {name for file in _own_files(spec["root"]) for name in _first_imports(_parse(_read(file)))}
    for name in sorted(names):
        top = name.partition(".")[0]
        if any(os.path.exists(os.path.join(folder, found)) for folder in folders for found in (top, f"{top}.py")):
            continue
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: B902, S112 - a task that imports it meets the same, with its own traceback
            continue


def draw_anew() -> None:
    """For a fork: Python's own generator is seeded anew by Python, numpy's is not, and all forks would draw the same."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def does_more_than_draw(root: str) -> bool:
    """Whether anything that runs while the files of a folder are imported calls more than what is known to make the same each time. Cautious: what is not known counts."""
    paths = _own_files(root)
    sources = [_read(path) for path in paths]
    if sum(map(len, sources)) > _MAX_BYTES:
        return True
    own = {part for path in paths for part in os.path.relpath(path, root)[: -len(".py")].split(os.sep)}
    return not only_draws([_parse(source) for source in sources], own)


def _own_files(root: str) -> list[str]:
    """Python files of a version: what is in its folder but for links out of it."""
    return [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in sorted(names) if name.endswith(".py")]


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError:
        return b""


def _parse(source: bytes) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Whoever imports it says what is wrong.
        return ast.Module([], [])


def _first_imports(tree: ast.Module) -> Iterator[str]:
    """Modules that a file imports before its first statement that may change what they find."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif calls_or_changes(node):
            return
