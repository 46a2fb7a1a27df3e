"""Whether code does nothing but draw while it is imported: a list of what is known to make the same each time; whatever is not on it counts as more."""

from __future__ import annotations

import ast
import builtins
import os
import re
from collections.abc import Iterable, Iterator

#: What may be called: it makes the same each time, holds nothing open, and changes nothing outside.
_MODULES = frozenset({
    "abc", "collections", "copy", "dataclasses", "datetime", "dateutil.parser", "dateutil.relativedelta", "dateutil.tz", "decimal", "enum", "functools", "glob", "hashlib", "itertools", "json",
    "kubernetes.client.models", "math", "os.path", "pathlib", "pendulum", "pytz", "re", "string", "textwrap", "tomllib", "types", "typing", "typing_extensions", "yaml", "zoneinfo"})
_FUNCTIONS = frozenset({
    "os.getenv", "os.environ.get", "os.environ.copy", "os.fspath", "os.listdir", "os.walk", "sys.path.append", "sys.path.insert", "logging.getLogger", "inspect.cleandoc", "operator.itemgetter", "tempfile.gettempdir"})
_VALUES = frozenset({"os.sep", "sys.path", "sys.version_info", "sys.platform", "sys.executable", "logging.DEBUG", "logging.INFO", "logging.WARNING", "logging.ERROR"})
#: Of Airflow besides classes and the decorators of tasks.
_DRAWING = frozenset({"task", "dag", "task_group", "setup", "teardown", "asset", "chain", "chain_linear", "cross_downstream", "datetime", "literal", "ref", "hookimpl", "utc"})
#: But not these: settings, and what is open or gone afterwards.
_NEVER = frozenset({
    "Variable", "Connection", "BaseHook", "hooks", "conf", "settings", "XCom", "DagBag", "Stats", "Session", "Client", "TemporaryDirectory", "get_connection", "get_parsing_context", "get_current_context", "create_session",
    "unsafe_load", "unsafe_load_all", "UnsafeLoader", "Loader", "getcontext", "setcontext", "localcontext", "set_locale", "set_local_timezone", "set_test_now", "travel", "travel_to", "freeze", "reset_tzpath", "get_type_hints", "ForwardRef"})
#: Nor these, whatever they belong to: the clock, chance, and what is written.
_NEVER_OF_VALUES = frozenset({
    "now", "utcnow", "today", "yesterday", "tomorrow", "days_ago", "age", "handlers", "from_format", "cwd", "open", "mkdir", "touch", "unlink", "rename", "rmdir", "write_text", "write_bytes"})
_REACHES = frozenset({"open", "exec", "eval", "compile", "__import__", "getattr", "setattr", "delattr", "vars", "__builtins__"})
_BUILTINS = frozenset(dir(builtins)) - _REACHES - {"callable", "input", "id", "breakpoint", "exit", "quit", "help", "memoryview"}
#: Methods of values: of operators and tasks, of text, of collections, of fixed times, of paths and patterns, of loggers.
_METHODS = frozenset("""
    override partial expand expand_kwargs set_upstream set_downstream as_setup as_teardown map zip concat add_task
    format format_map join split rsplit splitlines partition rpartition strip lstrip rstrip replace lower upper title capitalize startswith endswith removeprefix removesuffix encode decode zfill hexdigest
    items keys values get append extend insert update setdefault pop add discard copy sort index count most_common
    isoformat date astimezone in_timezone in_tz subtract total_seconds start_of end_of
    joinpath resolve absolute exists is_file is_dir read_text read_bytes iterdir glob rglob with_suffix with_name with_stem relative_to as_posix expanduser read readlines
    group groups groupdict match search sub findall fullmatch finditer debug info warning error __init__ __init_subclass__ __post_init__""".split())
#: What is read is the version's own where the path begins at `__file__`; elsewhere it may change from task to task.
_READERS = frozenset({"open", "read_text", "read_bytes", "exists", "lexists", "isfile", "isdir", "is_file", "is_dir", "getmtime", "getsize", "listdir", "walk", "iterdir", "glob", "rglob", "iglob"})
#: Decorators under which a call makes a task and does not run the function.
_TASK_DECORATORS = frozenset({"task", "setup", "teardown"})
#: What is passed under such a name is for tasks.
_FOR_LATER = ("callback", "callable")
#: Their function runs in a task.
_MAPPERS = frozenset({"map", "partial", "expand", "expand_kwargs", "override"})
_CONSTRUCTORS = frozenset({"__new__", "__init__", "__post_init__", "__init_subclass__"})
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def only_draws(trees: list[ast.Module], own: set[str]) -> bool:
    """Whether nothing runs while files are imported but what makes the same each time.

    own: names of the project's modules and packages
    """
    project = _Project(trees, own)
    if project.has_star:
        return False
    waiting: list[list[ast.AST]] = [[tree] for tree in trees]
    while waiting:
        for node in project.run_by(waiting.pop()):
            if not (project.may_call(node) if isinstance(node, ast.Call) else project.may_use(node)):
                return False
            # It runs, whichever file holds it.
            for name in _mentioned(node):
                waiting.extend(project.bodies.pop(name, []))
    return True


def calls_or_changes(node: ast.AST) -> bool:
    """Whether a statement, when it runs, calls anything or changes what a name holds."""
    return any(isinstance(inner, ast.Call) or not isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load) for inner in _Project([], set()).run_by([node]))


class _Project:
    """Its files together: where names are from, whichever file holds them, and what a name runs."""

    def __init__(self, trees: list[ast.Module], own: set[str]) -> None:
        self._own = own
        #: `from time import time as t`: t to time.time; `import os.path as p`: p to os.path; `import os.path`: os to os.
        self._origins: dict[str, set[str]] = {}
        self._aliases: set[str] = set()
        self._renamed: list[tuple[str, str]] = []
        self.has_star = False
        nodes = [node for tree in trees for node in ast.walk(tree)]
        for node in nodes:
            self._take_import(node)
        self._stored = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)} | {node.arg for node in nodes if isinstance(node, ast.arg)}
        self._opened = {id(item.context_expr) for node in nodes if isinstance(node, ast.With) for item in node.items}
        self._anchored = _anchored_names(nodes)
        self.bodies: dict[str, list[list[ast.AST]]] = {}
        #: Attributes that run something when they are read.
        self._computed: set[str] = set()
        self._take_definitions(nodes)
        self._defined = frozenset(self.bodies)

    def _take_definitions(self, nodes: list[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, _FUNCTION):
                self._take_function(node)
            elif isinstance(node, ast.ClassDef):
                self.bodies.setdefault(node.name, []).append(self._run_by_class(node))
        for name, former in self._renamed:
            if name != former and former in self.bodies:
                self.bodies.setdefault(name, []).extend(self.bodies[former])
            if name != former and former in self._origins:
                self._origins.setdefault(name, set()).update(self._origins[former])

    def _take_import(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            found = [(alias.asname or alias.name.partition(".")[0], alias.name if alias.asname else alias.name.partition(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            found = [(alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}.{alias.name}") for alias in node.names]
        else:
            return
        for name, origin in found:
            if name == "*":
                self.has_star = True
            elif not origin.startswith(".") and origin.partition(".")[0] not in self._own:
                self._origins.setdefault(name, set()).add(origin)
            else:
                self._aliases.add(name)
                # `from helpers import make as m`
                self._renamed.append((name, origin.rpartition(".")[2]))

    def _take_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        roots = [_root_of(decorator) for decorator in node.decorator_list]
        is_task = any(self._is_airflow(root) and (root in _TASK_DECORATORS or _TASK_DECORATORS & {origin.rpartition(".")[2] for origin in self._origins[root]}) for root in roots)
        if not is_task and roots:
            self._computed.add(node.name)
        self.bodies.setdefault(node.name, []).append([] if is_task else node.body)

    def _run_by_class(self, node: ast.ClassDef) -> list[ast.AST]:
        """What an instance runs without being told: its constructors, operators and protocols, and those of its bases."""
        bases = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
        methods = [part for part in node.body if isinstance(part, _FUNCTION) and (self._has_foreign_base(node) or part.name in _METHODS or (part.name.startswith("_") and part.name.endswith("_")))]
        return [*(ast.Call(base, [], []) for base in bases), *(statement for method in methods for statement in method.body)]

    def _has_foreign_base(self, node: ast.ClassDef) -> bool:
        """Whether others than Airflow call its methods, maybe where it is defined."""
        return any(_root_of(base) in self._origins and not self._is_airflow(_root_of(base)) for base in node.bases)

    def _is_airflow(self, name: str) -> bool:
        origins = self._origins.get(name)
        return bool(origins) and all(origin.partition(".")[0] == "airflow" for origin in origins)

    # ── what runs ─────────────────────────────────────────────────────────────────────────────────────────────────

    def run_by(self, nodes: list[ast.AST]) -> Iterator[ast.AST]:
        """Calls, and names that are read or changed, of what runs when these nodes do; in no order. Functions run when they are named."""
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Call):
                yield node
                waiting.extend([_below_chain(node.func), *self._given(node)])
            elif isinstance(node, (ast.Name, ast.Attribute)):
                yield node
                waiting.append(_below_chain(node))
            elif isinstance(node, ast.Subscript):
                if not isinstance(node.ctx, ast.Load):
                    yield node
                waiting.extend([node.slice] if _text_of(node.value) == "os.environ" else [node.value, node.slice])
            else:
                waiting.extend(self._parts_that_run(node))

    def _parts_that_run(self, node: ast.AST) -> Iterable[ast.AST]:
        if isinstance(node, (*_FUNCTION, ast.ClassDef)):
            return self._run_by_definition(node)
        if isinstance(node, ast.If) and _is_elsewhere(node.test):
            return node.orelse
        if isinstance(node, ast.AnnAssign):
            return [node.target, *filter(None, [node.value]), *_calls_in([node.annotation])]
        if isinstance(node, ast.ExceptHandler):
            return [*node.body, *_calls_in([node.type])]
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values)
            return [*filter(None, node.keys), *(part for key, value in pairs for part in (self._now(value) if _is_for_later(getattr(key, "value", None)) else [value]))]
        if isinstance(node, ast.Compare):
            return [node.left, *(value for value in node.comparators if _text_of(value) != "os.environ")]
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.RShift, ast.LShift)):
            return [*self._now(node.left), *self._now(node.right)]
        return ast.iter_child_nodes(node)

    def _run_by_definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
        if isinstance(node, _FUNCTION):
            arguments = node.args
            annotations = [one.annotation for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg) if one is not None]
            return [*arguments.defaults, *filter(None, arguments.kw_defaults), *_calls_in([*annotations, node.returns]), *_calls_of_decorators(node), *(node.body if node.name == "__getattr__" else [])]
        # Whoever made its base may run its methods here.
        noticed = [ast.Name(node.name, ast.Load())] if self._has_foreign_base(node) else []
        return [*(base for base in node.bases if not self._is_airflow(_root_of(base))), *node.keywords, *node.body, *_calls_of_decorators(node), *noticed]

    def _given(self, call: ast.Call) -> Iterator[ast.AST]:
        """Arguments of a call, without functions that are for tasks."""
        root = _root_of(call.func)
        is_for_tasks = self._is_airflow(root) or (isinstance(call.func, ast.Attribute) and call.func.attr in _MAPPERS and root not in self._origins)
        for value in call.args:
            yield from self._now(value) if is_for_tasks else [value]
        for keyword in call.keywords:
            yield from self._now(keyword.value) if is_for_tasks or _is_for_later(keyword.arg) else [keyword.value]

    def _now(self, value: ast.AST) -> Iterator[ast.AST]:
        """Of a value that is for tasks, what runs all the same."""
        if isinstance(value, (ast.Name, ast.Attribute)):
            yield value if _text_of(value).rpartition(".")[2] in self._computed and isinstance(value, ast.Attribute) else _below_chain(value)
        elif isinstance(value, ast.Lambda):
            yield from [*value.args.defaults, *filter(None, value.args.kw_defaults)]
        elif isinstance(value, (ast.List, ast.Tuple, ast.Set, ast.Dict)):
            for element in value.values if isinstance(value, ast.Dict) else value.elts:
                yield from self._now(element)
            yield from filter(None, getattr(value, "keys", ()))
        elif isinstance(value, ast.Call) and self._dotted(value.func) == {"functools.partial"}:
            for given in (*value.args, *(keyword.value for keyword in value.keywords)):
                yield from self._now(given)
        else:
            yield value

    # ── what is known ─────────────────────────────────────────────────────────────────────────────────────────────

    def may_call(self, call: ast.Call) -> bool:
        """Whether a call makes the same each time, or runs what is looked at by itself."""
        function = call.func
        if id(call) in self._opened and _text_of(function).rpartition(".")[2] == "open":
            return self._is_own_file(call) and not any(_may_write(mode) for mode in _modes_of(call))
        if isinstance(function, ast.Call):
            # `step.override(retries=2)(x)` is a call of `step`.
            root = _root_of(function)
            return root in self._defined or self._is_airflow(root)
        if not isinstance(function, (ast.Name, ast.Attribute)) or not _NEVER_OF_VALUES.isdisjoint(_attributes_of(function)):
            return False
        name = function.id if isinstance(function, ast.Name) else function.attr
        if name in _READERS and name not in self._defined and not self._is_own_file(call):
            return False
        origins = self._dotted(function)
        return all(_is_known(origin, call) for origin in origins) if origins else name in self._defined or self._is_known_of_values(function, name)

    def _is_known_of_values(self, function: ast.Name | ast.Attribute, name: str) -> bool:
        if isinstance(function, ast.Name):
            # A class method makes one of its class, which was named before.
            return name == "cls" or name in _BUILTINS
        root = _text_of(function.value)
        return name in _METHODS and not (root in self._own and root in self._aliases)

    def may_use(self, node: ast.AST) -> bool:
        """Whether a name may be read, since whoever has it may call it, or changed."""
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            root = _root_of(node)
            return isinstance(node, ast.Name) or root not in self._origins or root in self._stored
        if isinstance(node, ast.Name) and node.id in _REACHES and node.id not in self._stored:
            return False
        if not _NEVER_OF_VALUES.isdisjoint(_attributes_of(node)):
            return False
        return all(_may_be_held(origin) for origin in self._dotted(node))

    def _is_own_file(self, call: ast.Call) -> bool:
        return not self._anchored.isdisjoint(_names_in(call))

    def _dotted(self, node: ast.AST) -> set[str]:
        """The full names of `a.b.c`, of which what is the project's own is none."""
        root, *rest = _text_of(node).split(".")
        while rest and (root in self._own or root in self._aliases) and root not in self._origins:
            # `helpers.client.get`: whatever a file calls client.
            root, *rest = rest
        return {".".join([origin, *rest]) for origin in self._origins.get(root, ())}


def _is_known(dotted: str, call: ast.Call) -> bool:
    parts = dotted.split(".")
    last = parts[-1]
    if not (_NEVER | _NEVER_OF_VALUES).isdisjoint(parts):
        return False
    if parts[0] == "airflow":
        is_of_class = parts[-2][:1].isupper() and last in _METHODS
        return last[:1].isupper() or last in _DRAWING or parts[-2] == "task" or "notifications" in parts or is_of_class
    if last == "parse" and parts[0] in ("pendulum", "dateutil"):
        # Of what a text does not say, today's is taken.
        text = call.args[0] if call.args else None
        return isinstance(text, ast.Constant) and re.match(r"\d{4}-\d\d-\d\d", str(text.value)) is not None
    return dotted in _FUNCTIONS or _is_of_known_module(dotted)


def _is_of_known_module(dotted: str) -> bool:
    return any(dotted == name or dotted.startswith(f"{name}.") for name in _MODULES)


def _may_be_held(dotted: str) -> bool:
    parts = dotted.split(".")
    if not (_NEVER | _NEVER_OF_VALUES).isdisjoint(parts):
        return False
    if parts[0] == "airflow":
        # Not its modules: they hold all the rest.
        return parts[-1] in _DRAWING or any(part[:1].isupper() for part in parts)
    return dotted in _VALUES or _is_of_known_module(dotted)


def _anchored_names(nodes: list[ast.AST]) -> set[str]:
    """Names that are bound to what begins at `__file__`, and to nothing else."""
    bound: dict[str, list[set[str]]] = {}
    users: dict[str, set[str]] = {}
    for node in nodes:
        targets, value = _binding(node)
        read = _names_in(value) if targets else set()
        for name in {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)}:
            bound.setdefault(name, []).append(read)
            for one in read:
                users.setdefault(one, set()).add(name)
    anchored = {"__file__"}
    waiting = ["__file__"]
    while waiting:
        for name in users.get(waiting.pop(), ()):
            if name not in anchored and all(not read.isdisjoint(anchored) for read in bound[name]):
                anchored.add(name)
                waiting.append(name)
    return anchored


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _binding(node: ast.AST) -> tuple[list[ast.AST], ast.AST]:
    if isinstance(node, ast.Assign):
        return node.targets, node.value
    if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
        return [node.target], node.value
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        return [node.target], node.iter
    return [], node


def _modes_of(call: ast.Call) -> list[ast.AST]:
    """What may say how a file is opened."""
    positional = call.args[1:2] if isinstance(call.func, ast.Name) else call.args[:1]
    return [*positional, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]


def _may_write(mode: ast.AST) -> bool:
    return not isinstance(mode, ast.Constant) or not isinstance(mode.value, str) or not set("wax+").isdisjoint(mode.value)


def _mentioned(node: ast.AST) -> list[str]:
    """Names by which a node reaches what is defined. Constructors of bases are looked at with their class."""
    chain = node.func if isinstance(node, ast.Call) else node
    if not isinstance(getattr(chain, "ctx", None), (ast.Load, type(None))):
        return []
    if isinstance(chain, ast.Call):
        return [_root_of(chain)]
    return [chain.id] if isinstance(chain, ast.Name) else [*(name for name in _attributes_of(chain) if name not in _CONSTRUCTORS), _text_of(chain).partition(".")[0]]


def _attributes_of(node: ast.AST) -> list[str]:
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return names


def _text_of(node: ast.AST) -> str:
    """`a.b.c`; without a name at its start, `.b.c`."""
    names = _attributes_of(node)
    while isinstance(node, ast.Attribute):
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "", *reversed(names)])


def _below_chain(node: ast.AST) -> ast.AST:
    """What `a.b.c` is read from, when it is no name."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return ast.Pass() if isinstance(node, ast.Name) else node


def _calls_in(nodes: Iterable[ast.AST | None]) -> list[ast.AST]:
    """Annotations and types of exceptions only name what they name, unless they call."""
    return [node for node in nodes if node is not None and any(isinstance(inner, ast.Call) for inner in ast.walk(node))]


def _calls_of_decorators(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.Call]:
    """One without arguments is called as well, with the function or the class."""
    return [decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], []) for decorator in node.decorator_list]


def _is_elsewhere(test: ast.AST) -> bool:
    """`if TYPE_CHECKING:` and `if __name__ == "__main__":`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and len(test.comparators) == 1:
        sides = (test.left, test.comparators[0])
        return any(_text_of(side) == "__name__" for side in sides) and any(getattr(side, "value", None) == "__main__" for side in sides)
    return _text_of(test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "t.TYPE_CHECKING")


def _is_for_later(name: object) -> bool:
    return isinstance(name, str) and name.endswith(_FOR_LATER)


def _root_of(node: ast.AST) -> str:
    """`task` of `@task`, `@task(...)` and `@task.branch(...)`."""
    while isinstance(node, (ast.Call, ast.Attribute, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
