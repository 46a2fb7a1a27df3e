"""Whether code of a project looks at the clock, at chance or at settings while it is imported: what it holds then is another thing tomorrow."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterable

#: The last part of what is called: `datetime.now()`, `date.today()`, `time.time()`, `pendulum.yesterday()`, `uuid.uuid4()`.
_OF_THE_MOMENT = frozenset({
    "now", "utcnow", "today", "yesterday", "tomorrow", "days_ago", "time", "time_ns", "localtime", "gmtime", "monotonic",
    "uuid1", "uuid4", "random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "token_hex", "token_urlsafe",
    "Variable.get", "Connection.get", "get_connection"})
#: Decorators under which a call makes a task and does not run the function.
_TASK_DECORATORS = frozenset({"task", "setup", "teardown"})


def is_of_the_moment(spec: dict) -> bool:
    """Whether the code of a ForkServerSpec holds what was true when it was imported, so that each task has to import it. A version with bodies in Node is held not to."""
    if spec.get("node") is not None:
        return False
    return spec.get("import_secrets") is not None or looks_at_the_moment(_own_files(spec["root"]))


def import_packages(spec: dict) -> None:
    """Import what the version's files import and is none of the project's own, so that forks of this process find it there."""
    folders = [spec["root"], *spec.get("path", [])]
    names = {name for file in _own_files(spec["root"]) for name in _imports_of(_tree_of(file))}
    for name in sorted(names):
        top = name.partition(".")[0]
        if any(os.path.exists(os.path.join(folder, found)) for folder in folders for found in (top, f"{top}.py")):
            continue
        try:
            importlib.import_module(name)
        except Exception:  # noqa: B902, S112 - a task that imports it meets the same, with its own traceback
            continue


def _own_files(root: str) -> list[str]:
    """Python files of a version: what is in its folder but for links out of it."""
    return [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in sorted(names) if name.endswith(".py")]


def _imports_of(node: ast.AST) -> list[str]:
    """Modules that code imports at its top."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return []
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if node.level == 0 and node.module else []
    return [name for child in ast.iter_child_nodes(node) for name in _imports_of(child)]


def draw_anew() -> None:
    """For a fork: Python's own generator is seeded anew by Python, numpy's is not, and all forks would draw the same."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def looks_at_the_moment(files: Iterable[str]) -> bool:
    """Whether anything that runs while these files are imported calls for the time, for chance, a variable or a connection. Cautious: a method of that name counts."""
    called: set[str] = set()
    functions: dict[str, list[ast.AST]] = {}
    for file in files:
        _collect(_tree_of(file), called, functions)
    # A function that is called while a file is imported runs then, whichever file holds it.
    waiting = list(called)
    while waiting:
        for function in functions.pop(waiting.pop(), []):
            more: set[str] = set()
            for statement in function.body:
                _collect(statement, more, functions)
            waiting.extend(more - called)
            called |= more
    return not called.isdisjoint(_OF_THE_MOMENT)


def _tree_of(file: str) -> ast.AST:
    try:
        with open(file, "rb") as source:
            return ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])


def _collect(node: ast.AST, called: set[str], functions: dict[str, list[ast.AST]]) -> None:
    """Names that `node` calls when it runs, and the functions that it defines."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if not any(_root_of(decorator) in _TASK_DECORATORS for decorator in node.decorator_list):
            functions.setdefault(node.name, []).append(node)
        children: list[ast.AST] = [*node.decorator_list, node.args]
    elif isinstance(node, ast.Lambda):
        children = [node.args]
    elif isinstance(node, ast.ClassDef):
        functions.setdefault(node.name, []).extend(part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
        children = list(ast.iter_child_nodes(node))
    else:
        if isinstance(node, ast.Call):
            called.add(_last_of(node.func))
            if isinstance(node.func, ast.Attribute):
                called.add(f"{_last_of(node.func.value)}.{node.func.attr}")
        children = list(ast.iter_child_nodes(node))
    for child in children:
        _collect(child, called, functions)


def _last_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root_of(node: ast.AST) -> str:
    """`task` of `@task`, `@task(...)` and `@task.branch(...)`."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
