"""Whether a project's code may be imported once for all tasks of a version: it may where it only draws. All else, each task imports for itself, as under Airflow."""

from __future__ import annotations

import ast
import builtins
import importlib
import os
import sys
from collections.abc import Iterator

#: What may be called while a file is imported: it makes the same each time, holds nothing open, and changes nothing outside.
_MODULES = frozenset({
    "abc", "airflow", "collections", "copy", "dataclasses", "datetime", "dateutil", "decimal", "enum", "functools", "glob", "itertools", "json", "kubernetes.client.models", "math", "operator", "os.path",
    "pathlib", "pendulum", "pytz", "re", "string", "textwrap", "tomllib", "typing", "yaml", "zoneinfo"})
_FUNCTIONS = frozenset({"os.getenv", "os.environ.get", "os.fspath", "os.listdir", "os.walk", "sys.path.append", "sys.path.insert", "logging.getLogger"})
#: But not these, wherever they are from: the clock, chance, settings, and what is open or gone afterwards.
_NEVER = frozenset({
    "now", "utcnow", "today", "yesterday", "tomorrow", "days_ago", "Variable", "Connection", "BaseHook", "conf", "get_connection", "get_parsing_context", "get_current_context",
    "create_session", "open", "mkdir", "touch", "unlink", "rename", "rmdir", "write_text", "write_bytes"})
_BUILTINS = frozenset(dir(builtins)) - {"open", "exec", "eval", "compile", "input", "id", "__import__", "breakpoint", "exit", "quit", "memoryview"}
#: Methods of values: of operators and tasks, of text, of collections, of fixed times, of paths and patterns, of loggers.
_METHODS = frozenset("""
    override partial expand expand_kwargs set_upstream set_downstream as_setup as_teardown map zip concat add_task
    format format_map join split rsplit splitlines partition rpartition strip lstrip rstrip replace lower upper title capitalize startswith endswith removeprefix removesuffix encode decode zfill
    items keys values get append extend insert update setdefault pop add discard copy sort index count most_common
    isoformat date astimezone in_timezone in_tz subtract total_seconds start_of end_of
    joinpath resolve absolute exists is_file is_dir read_text read_bytes iterdir glob rglob with_suffix with_name with_stem relative_to as_posix expanduser
    group groups groupdict match search sub findall fullmatch finditer debug info warning error __init__ __init_subclass__ __post_init__""".split())
#: Decorators under which a call makes a task and does not run the function.
_TASK_DECORATORS = frozenset({"task", "setup", "teardown"})
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
    codes = [_Code(_parse(source), own) for source in sources]
    bodies: dict[str, list[tuple[_Code, list[ast.AST]]]] = {}
    for code in codes:
        for name, statements in code.definitions():
            bodies.setdefault(name, []).append((code, statements))
    waiting: list[tuple[_Code, list[ast.AST]]] = [(code, [code.tree]) for code in codes]
    while waiting:
        code, nodes = waiting.pop()
        for node in _walk(nodes):
            name = code.called_by(node)
            if name is None:
                continue
            if name in bodies:
                # It runs while the file is imported, whichever file holds it.
                waiting.extend(bodies[name])
                bodies[name] = []
            elif not code.is_known(node):
                return True
            for given in code.given_by(node):
                waiting.extend([(code, [given.body])] if isinstance(given, ast.Lambda) else bodies.get(given.id, []))
    return False


class _Code:
    """One file: its tree, and where its names are from."""

    def __init__(self, tree: ast.Module, own: set[str]):
        self.tree = tree
        self._own = own
        #: `from time import time as t`: t to time.time; `import os.path as p`: p to os.path; `import os.path`: os to os.
        self._origins: dict[str, str] = {}
        self._opened = {id(item.context_expr) for node in ast.walk(tree) if isinstance(node, ast.With) for item in node.items}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._origins.update({alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0] for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                self._origins.update({alias.asname or alias.name: f"{node.module or '.'}.{alias.name}" for alias in node.names})

    def definitions(self) -> Iterator[tuple[str, list[ast.AST]]]:
        """Functions with what a call of each runs; of a class its constructors. A task's function runs nothing when it is called here."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                is_task = any(self._dotted(_function_of(decorator)).rpartition(".")[2] in _TASK_DECORATORS or _root_of(decorator) in _TASK_DECORATORS for decorator in node.decorator_list)
                yield node.name, [] if is_task else node.body
            elif isinstance(node, ast.ClassDef):
                constructors = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name in ("__new__", "__init__", "__post_init__", "__init_subclass__")]
                yield node.name, [statement for part in constructors for statement in part.body]

    def called_by(self, node: ast.AST) -> str | None:
        """The last part of what a node calls, by the name that it has where it is defined; None for one that calls nothing."""
        function = _called(node)
        if isinstance(function, ast.Call):
            # `step.override(retries=2)(x)` is a call of `step`.
            return _root_of(function)
        return None if function is None else self._dotted(function).rpartition(".")[2]

    def is_known(self, node: ast.AST) -> bool:
        """Whether a call makes the same each time."""
        function = _called(node)
        dotted = self._dotted(function)
        parts = dotted.split(".")
        if id(node) in self._opened and dotted == "open":
            return True
        if not _NEVER.isdisjoint(parts) or "hooks" in parts:
            return False
        if dotted in _FUNCTIONS or (isinstance(function, ast.Name) and function.id in _BUILTINS and function.id not in self._origins):
            return True
        root = _root_of(function)
        if not dotted.startswith(".") and root in self._origins and self._origins[root].partition(".")[0] not in self._own:
            return any(dotted == name or dotted.startswith(f"{name}.") for name in _MODULES)
        # A method of a value, whose making was looked at where it was made.
        return isinstance(function, ast.Attribute) and function.attr in _METHODS

    def given_by(self, node: ast.AST) -> list[ast.Name | ast.Lambda]:
        """Functions that a built-in one is given to call: `map(f, …)`, `sorted(…, key=lambda x: …)`."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in _BUILTINS:
            return []
        return [value for value in [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(value, (ast.Name, ast.Lambda))]

    def _dotted(self, node: ast.AST) -> str:
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        parts.append(self._origins.get(node.id, node.id) if isinstance(node, ast.Name) else "")
        return ".".join(reversed(parts))


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


def _walk(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    """What runs when these nodes do, in no order: not the bodies of functions, nor what only a type checker or a main program sees."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting.extend([node.args, *_calls_of_decorators(node)])
        elif isinstance(node, ast.ClassDef):
            waiting.extend([*node.bases, *node.keywords, *node.body, *_calls_of_decorators(node)])
        elif isinstance(node, ast.Lambda):
            waiting.append(node.args)
        elif isinstance(node, ast.If) and _is_elsewhere(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _calls_of_decorators(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.Call]:
    """One without arguments is called as well, with the function or the class."""
    return [decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], []) for decorator in node.decorator_list]


def _is_elsewhere(test: ast.AST) -> bool:
    """`if TYPE_CHECKING:` and `if __name__ == "__main__":`."""
    return any(name in ("TYPE_CHECKING", "__name__") for node in ast.walk(test) for name in (getattr(node, "id", None), getattr(node, "attr", None)))


def _first_imports(tree: ast.Module) -> Iterator[str]:
    """Modules that a file imports before its first statement that may change what they find."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif any(isinstance(inner, (ast.Call, ast.Subscript, ast.Delete)) for inner in _walk([node])):
            return


def _called(node: ast.AST) -> ast.AST | None:
    return node.func if isinstance(node, ast.Call) else None


def _function_of(decorator: ast.AST) -> ast.AST:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _root_of(node: ast.AST) -> str:
    """`task` of `@task`, `@task(...)` and `@task.branch(...)`."""
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
