"""Whether code of a project looks at the clock, at chance or at settings while it is imported: what it holds then is another thing tomorrow."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable

from leoflow.dagmodel.notices import PACKAGE_ROOT
from leoflow.parse.sources import is_local

#: The last part of what is called: `datetime.now()`, `date.today()`, `time.time()`, `pendulum.yesterday()`, `uuid.uuid4()`.
_OF_THE_MOMENT = frozenset({
    "now", "utcnow", "today", "yesterday", "tomorrow", "days_ago", "time", "time_ns", "localtime", "gmtime", "monotonic",
    "uuid1", "uuid4", "random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "token_hex", "token_urlsafe",
    "Variable.get", "Connection.get", "get_connection"})
#: Decorators under which a call makes a task and does not run the function.
_TASK_DECORATORS = frozenset({"task", "setup", "teardown"})


def is_of_the_moment(spec: dict) -> bool:
    """Whether what this process has imported for a ForkServerSpec would be another thing if it were imported now."""
    return spec.get("import_secrets") is not None or looks_at_the_moment(_own_modules(spec).values())


def forget_code(spec: dict) -> None:
    """Make this process import the project's modules again when they are asked for; what it imported of packages stays."""
    for name in _own_modules(spec):
        del sys.modules[name]


def _own_modules(spec: dict) -> dict[str, str]:
    """Names of the project's modules that are imported, and their files; packages installed below its folders apart."""
    roots = [os.path.realpath(folder) for folder in (spec["root"], *spec.get("path", []))]
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.startswith(PACKAGE_ROOT) and any(is_local(file, root) for root in roots):
            found[name] = file
    return found


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
