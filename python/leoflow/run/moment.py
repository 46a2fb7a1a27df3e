"""Whether code of a project looks at the clock, at chance or at settings while it is imported: what it holds then is another thing tomorrow."""

from __future__ import annotations

import ast
import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator

#: The last part of what is called: `datetime.now()`, `date.today()`, `time.time()`, `pendulum.yesterday()`, `uuid.uuid4()`, `numpy.random.seed(42)`.
_OF_THE_MOMENT = frozenset({
    "now", "utcnow", "today", "yesterday", "tomorrow", "days_ago", "time", "time_ns", "localtime", "gmtime", "monotonic",
    "uuid1", "uuid4", "random", "randint", "randrange", "choice", "choices", "sample", "shuffle", "seed", "default_rng", "token_hex", "token_urlsafe",
    "Variable.get", "Connection.get", "get_connection"})
_A_WORD_OF_IT = re.compile(b"|".join(sorted(rb"\b" + name.rpartition(".")[0].encode() + rb"\b" if "." in name else rb"\b" + name.encode() + rb"\b" for name in _OF_THE_MOMENT)))
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
    names = {name for file in _own_files(spec["root"]) for name in _imports_of(_Code(_read(file)).tree)}
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


def looks_at_the_moment(files: Iterable[str]) -> bool:
    """Whether anything that runs while these files are imported calls for the time, for chance, a variable or a connection. Cautious: a method of that name counts."""
    sources = [_read(file) for file in files]
    if not any(_A_WORD_OF_IT.search(source) for source in sources):
        return False
    codes = [_Code(source) for source in sources]
    called = {name for code in codes for name in code.calls_of([code.tree])}
    # A function that is called while a file is imported runs then, whichever file holds it.
    waiting = list(called)
    while waiting:
        name = waiting.pop()
        more = {inner for code in codes for inner in code.calls_of(code.bodies.pop(name, []))} - called
        called |= more
        waiting.extend(more)
    return not called.isdisjoint(_OF_THE_MOMENT)


def _own_files(root: str) -> list[str]:
    """Python files of a version: what is in its folder but for links out of it."""
    return [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in sorted(names) if name.endswith(".py")]


def _read(file: str) -> bytes:
    try:
        with open(file, "rb") as source:
            return source.read()
    except OSError:
        return b""


class _Code:
    """One file: its tree, and the statements of functions and classes that wait for a call, by name."""

    def __init__(self, source: bytes):
        try:
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            # Whoever imports it says what is wrong.
            self.tree = ast.Module([], [])
        self.bodies: dict[str, list[ast.AST]] = {}
        #: `from time import time as t`: t to time.
        self._names = {alias.asname: alias.name for node in _walk([self.tree]) if isinstance(node, ast.ImportFrom) for alias in node.names if alias.asname}

    def calls_of(self, nodes: list[ast.AST]) -> set[str]:
        """Last parts of what is called when these nodes run, with the part before: {"now", "datetime.now"}. Keeps the functions that they define."""
        found = set()
        for node in _walk(nodes):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not any(_root_of(decorator) in _TASK_DECORATORS for decorator in node.decorator_list):
                self.bodies.setdefault(node.name, []).extend(node.body)
            elif isinstance(node, ast.ClassDef):
                constructors = (part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__")
                self.bodies.setdefault(node.name, []).extend(statement for part in constructors for statement in part.body)
            elif isinstance(node, ast.Call):
                found.add(self._last_of(node.func))
                if isinstance(node.func, ast.Attribute):
                    found.add(f"{self._last_of(node.func.value)}.{node.func.attr}")
        return found

    def _last_of(self, node: ast.AST) -> str:
        name = node.id if isinstance(node, ast.Name) else ""
        return node.attr if isinstance(node, ast.Attribute) else self._names.get(name, name)


def _walk(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """What runs when these nodes do, in no order: not the bodies of functions, nor what only a type checker or a main program sees."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting.extend([*node.decorator_list, node.args])
        elif isinstance(node, ast.Lambda):
            waiting.append(node.args)
        elif isinstance(node, ast.If) and _is_elsewhere(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _is_elsewhere(test: ast.AST) -> bool:
    """`if TYPE_CHECKING:` and `if __name__ == "__main__":`."""
    return any(name in ("TYPE_CHECKING", "__name__") for node in ast.walk(test) for name in (getattr(node, "id", None), getattr(node, "attr", None)))


def _imports_of(tree: ast.AST) -> Iterator[str]:
    """Modules that a file imports at its top."""
    for node in _walk([tree]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def _root_of(node: ast.AST) -> str:
    """`task` of `@task`, `@task(...)` and `@task.branch(...)`."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
