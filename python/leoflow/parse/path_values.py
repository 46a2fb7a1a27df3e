"""Which paths a Python file names: texts, and what is joined from them and `__file__`, as far as its code alone says it."""

from __future__ import annotations

import ast
import functools
import os
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

#: Given one path they answer the same path.
_SAME = {"abspath", "realpath", "normpath", "fspath", "expanduser", "str", "Path", "PurePath", "PosixPath", "PurePosixPath", "resolve", "absolute", "as_posix"}
_JOINS = {"join", "joinpath", "Path", "PurePath", "PosixPath", "PurePosixPath"}
_DAGS_FOLDER = {"dags_folder", "airflow__core__dags_folder"}
#: What they are given is a folder.
_LISTERS = {"listdir", "scandir", "walk"}
#: What they are given is made or goes away: it is no file that the code wants to find.
_MAKERS = {"write_text", "write_bytes", "mkdir", "makedirs", "touch", "unlink", "rmdir", "rmtree"}


@dataclass(frozen=True)
class Value:
    """What is known of a text, or of a path."""

    #: From its start; without a known start the end of it.
    text: str
    #: It starts at `__file__` or the project: the text is an absolute path.
    is_anchored: bool = False
    has_start: bool = True
    #: More follows that the code does not say.
    is_open: bool = False
    #: It was joined, or is opened, as paths are.
    is_path: bool = False
    #: Paths that stand before it in the same text, as in a command.
    before: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Use:
    """A path that a line names; a written one is not there to be found."""

    value: Value
    line: int
    is_written: bool


class Code:
    """A file that was parsed: every node of it, the module first, and the names that it takes from other modules."""

    def __init__(self, text: bytes) -> None:
        self.nodes: list[ast.AST] = list(ast.walk(ast.parse(text)))
        self.names: set[str] = set()
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                self.names.add(node.attr)
            elif isinstance(node, ast.ImportFrom):
                self.names.update(alias.name for alias in node.names)


@functools.cache
def code_of(text: bytes) -> Code:
    """Parsed once, whoever asks. Raises what `ast.parse` does."""
    return Code(text)


def uses_of(code: Code, file: str, root: str, is_known_elsewhere: Callable[[str], bool]) -> list[Use]:
    """Every path of a file, the longest that its code puts together.

    file, root: absolute. is_known_elsewhere: whether other files may take a path by a name
    """
    finder = _Finder(code.nodes, Values(code.nodes, file, root), is_known_elsewhere)
    finder.visit(code.nodes[0], False)
    return finder.uses


class Values:
    """Puts expressions together; each is looked at once."""

    def __init__(self, nodes: list[ast.AST], file: str, root: str) -> None:
        self._file, self._root = file, root
        self._known: dict[int, Value | None] = {}
        self.bound, self.loaded = _bindings(nodes)
        self._readers: dict[type, Callable[[Any], Value | None]] = {
            ast.Constant: self._of_constant, ast.Name: self._of_name, ast.Attribute: self._of_attribute, ast.Subscript: self._of_subscript,
            ast.BinOp: self._of_binop, ast.FormattedValue: self._of_formatted, ast.JoinedStr: self._of_joined, ast.Call: self._of_call,
        }

    def of(self, node: ast.AST) -> Value | None:
        """What is known of an expression; None when nothing is."""
        if id(node) not in self._known:
            # A name may be bound to an expression with itself in it.
            self._known[id(node)] = None
            read = self._readers.get(type(node))
            self._known[id(node)] = read(node) if read is not None else None
        return self._known[id(node)]

    def _of_constant(self, node: ast.Constant) -> Value | None:
        return Value(node.value) if isinstance(node.value, str) else None

    def _of_name(self, node: ast.Name) -> Value | None:
        if node.id == "__file__":
            return Value(self._file, is_anchored=True, is_path=True)
        if node.id == "DAGS_FOLDER":
            return self._top()
        bound = self.bound.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return None if bound is None else self.of(bound)

    def _top(self) -> Value:
        return Value(self._root, is_anchored=True, is_path=True)

    def _of_attribute(self, node: ast.Attribute) -> Value | None:
        if node.attr == "DAGS_FOLDER":
            return self._top()
        return _parent(self.of(node.value)) if node.attr == "parent" else None

    def _of_subscript(self, node: ast.Subscript) -> Value | None:
        if isinstance(node.slice, ast.Constant) and _is_dags_folder(node.slice):
            return self._top()
        if not isinstance(node.value, ast.Attribute) or node.value.attr != "parents" or not isinstance(node.slice, ast.Constant) or not isinstance(node.slice.value, int):
            return None
        value = self.of(node.value.value)
        for _ in range(min(node.slice.value, 50) + 1):
            value = _parent(value)
        return value

    def _of_binop(self, node: ast.BinOp) -> Value | None:
        if isinstance(node.op, ast.Div):
            right = self.of(node.right)
            return None if right is None else _joined(self.of(node.left), right)
        if isinstance(node.op, ast.Mod):
            return self._filled(self.of(node.left), node.right)
        return _put_together([self.of(node.left), self.of(node.right)]) if isinstance(node.op, ast.Add) else None

    def _filled(self, template: Value | None, right: ast.expr) -> Value | None:
        given = right.elts if isinstance(right, ast.Tuple) else [right]
        if template is None or template.is_anchored or template.text.count("%") != len(given) or template.text.count("%s") != len(given):
            return None
        first, *texts = template.text.split("%s")
        return _put_together([Value(first), *(part for argument, text in zip(given, texts) for part in (self.of(argument), Value(text)))])

    def _of_formatted(self, node: ast.FormattedValue) -> Value | None:
        return self.of(node.value) if node.format_spec is None else None

    def _of_joined(self, node: ast.JoinedStr) -> Value | None:
        return _put_together([self.of(part) for part in node.values])

    def _of_call(self, node: ast.Call) -> Value | None:
        name, receiver = callee(node)
        if name in ("getcwd", "cwd") or any(_is_dags_folder(argument) for argument in node.args):
            return self._top()
        method = getattr(self, f"_call_{name}", None)
        if method is not None:
            return method(node, receiver)
        if name in _JOINS and (len(node.args) > 1 or name == "joinpath"):
            return self._join(node.args if name != "joinpath" else [receiver, *node.args])
        if name in _SAME:
            value = self.of(node.args[0]) if node.args else self.of(receiver) if receiver is not None else None
            return value if value is None or name == "str" else replace(value, is_path=True)
        return None

    def _join(self, parts: list[ast.expr]) -> Value | None:
        value = self.of(parts[0])
        for part in parts[1:]:
            value = _joined(value, None if isinstance(part, ast.Starred) else self.of(part))
        return value

    def _call_glob(self, node: ast.Call, receiver: ast.expr | None) -> Value | None:
        folder = self.of(receiver) if receiver is not None else None
        return None if folder is None or not node.args else _joined(folder, self.of(node.args[0]))

    def _call_files(self, node: ast.Call, _receiver: ast.expr | None) -> Value | None:
        """`importlib.resources.files("package")`, or of the module itself."""
        return self._package(node.args[0]) if len(node.args) == 1 else None

    def _call_get_data(self, node: ast.Call, _receiver: ast.expr | None) -> Value | None:
        """`pkgutil.get_data("package", "file")`."""
        return _joined(package, self.of(node.args[1])) if len(node.args) == 2 and (package := self._package(node.args[0])) is not None else None

    def _package(self, node: ast.expr) -> Value | None:
        value = self.of(node) if not isinstance(node, ast.Attribute) else None
        name = ast.unparse(node) if value is None and isinstance(node, (ast.Name, ast.Attribute)) else value.text if value is not None and not value.is_anchored and not value.is_open else ""
        if re.fullmatch(r"\w+(\.\w+)*", name) is None:
            return None
        folders = [os.path.join(start, *name.split(".")) for start in (self._root, os.path.dirname(self._file))]
        found = next((folder for folder in folders if os.path.isdir(folder)), None)
        return None if found is None else Value(found, is_anchored=True, is_path=True)

    def _call_dirname(self, node: ast.Call, _receiver: ast.expr | None) -> Value | None:
        return _parent(self.of(node.args[0])) if node.args else None

    def _call_with_name(self, node: ast.Call, receiver: ast.expr | None) -> Value | None:
        return _joined(_parent(self.of(receiver)), self.of(node.args[0])) if receiver is not None and node.args else None

    def _call_with_suffix(self, node: ast.Call, receiver: ast.expr | None) -> Value | None:
        value, suffix = self.of(receiver) if receiver is not None else None, self.of(node.args[0]) if node.args else None
        if value is None or suffix is None or value.is_open or suffix.is_open:
            return None
        return replace(value, text=os.path.splitext(value.text)[0] + suffix.text)

    def _call_replace(self, node: ast.Call, receiver: ast.expr | None) -> Value | None:
        value = self.of(receiver) if receiver is not None else None
        given = [self.of(argument) for argument in node.args]
        if value is None or len(given) != 2 or any(one is None or one.is_open or not one.has_start for one in (value, *given)):
            return None
        return replace(value, text=value.text.replace(given[0].text, given[1].text))

    def _call_format(self, node: ast.Call, receiver: ast.expr | None) -> Value | None:
        template = self.of(receiver) if receiver is not None else None
        if template is None or not template.has_start or template.is_anchored:
            return None
        parts: list[Value | None] = []
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        try:
            for index, (text, field, _, _) in enumerate(string.Formatter().parse(template.text)):
                parts.append(Value(text))
                if field is not None:
                    place = int(field) if field.isdigit() else index
                    argument = named.get(field) if field and not field.isdigit() else node.args[place] if place < len(node.args) else None
                    parts.append(None if argument is None else self.of(argument))
        except ValueError:
            return None
        return _put_together(parts)


class _Finder:
    """Walks a file and keeps the paths that are not part of a longer one."""

    def __init__(self, nodes: list[ast.AST], values: Values, is_known_elsewhere: Callable[[str], bool]) -> None:
        self.uses: list[Use] = []
        self._values, self._is_known_elsewhere = values, is_known_elsewhere
        self._docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
        self._opened: set[int] = set()
        self._written: set[int] = set()

    def visit(self, node: ast.AST, is_inside: bool) -> None:
        """is_inside: it may be part of an expression that is known already."""
        value = self._values.of(node) if isinstance(node, ast.expr) else None
        if isinstance(node, ast.Call):
            self._hear_call(node)
        if value is not None and not is_inside and id(node) not in self._docstrings:
            opened = replace(value, is_path=True) if id(node) in self._opened else value
            self.uses.extend(Use(one, node.lineno, id(node) in self._written) for one in (*value.before, opened))
        for child in _parts(node) if value is not None else ast.iter_child_nodes(node):
            self.visit(child, (value is not None and self._values.of(child) is not None) or self._is_kept_in_name(node, child))

    def _is_kept_in_name(self, node: ast.AST, child: ast.AST) -> bool:
        """Whether the right side of an assignment: it counts where, and as, its name is used."""
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or child is not node.value or self._values.of(child) is None:
            return False
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if not isinstance(target, ast.Name) or self._values.bound.get(target.id) is not node.value:
            return False
        return target.id in self._values.loaded and not self._is_known_elsewhere(target.id)

    def _hear_call(self, node: ast.Call) -> None:
        name, receiver = callee(node)
        if name == "open":
            path, mode = (receiver, node.args[:1]) if receiver is not None and self._values.of(receiver) is not None else (node.args[0] if node.args else None, node.args[1:2])
            given = [*mode, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
            is_written = any(isinstance(one, ast.Constant) and isinstance(one.value, str) and set("wax") & set(one.value) for one in given)
            (self._written if is_written else self._opened).add(id(path))
        elif name in _LISTERS:
            self._opened.update(map(id, node.args[:1]))
        elif name in _MAKERS or name.startswith("to_"):
            self._written.update(id(one) for one in (receiver, *node.args[:1], *(keyword.value for keyword in node.keywords)))


def _bindings(nodes: list[ast.AST]) -> tuple[dict[str, ast.expr], set[str]]:
    """Names that are bound once, with what they are bound to; and names that are read."""
    bound: dict[str, ast.expr] = {}
    stored: Counter[str] = Counter()
    loaded: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                loaded.add(node.id)
            else:
                stored[node.id] += 1
        elif isinstance(node, ast.arg):
            stored[node.arg] += 1
        elif isinstance(node, ast.alias):
            stored[(node.asname or node.name).split(".")[0]] += 1
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            bound[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            bound[node.target.id] = node.value
    return {name: value for name, value in bound.items() if stored[name] == 1}, loaded


def callee(node: ast.Call) -> tuple[str, ast.expr | None]:
    """The last name of what is called, and what stands before it."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr, node.func.value
    return (node.func.id, None) if isinstance(node.func, ast.Name) else ("", None)


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """What a known expression is put together from, without the names of functions between."""
    if isinstance(node, ast.Call):
        receiver = callee(node)[1]
        yield from (one for one in (receiver, *node.args, *node.keywords) if one is not None)
    elif isinstance(node, ast.Subscript):
        yield node.value.value if isinstance(node.value, ast.Attribute) else node.value
    else:
        yield from ast.iter_child_nodes(node)


def _is_dags_folder(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.lower() in _DAGS_FOLDER


def _parent(value: Value | None) -> Value | None:
    if value is None or value.is_open:
        return None
    return replace(value, text=os.path.dirname(os.path.normpath(value.text)), is_path=True)


def _joined(first: Value | None, second: Value | None) -> Value | None:
    """As os.path.join: what starts anew leaves out what stood before."""
    if second is not None and second.has_start and (second.is_anchored or second.text.startswith("/")):
        return second
    if first is None:
        return None if second is None or second.is_open else replace(second, has_start=False, is_path=True)
    if first.is_open:
        return first
    start = replace(first, text=f"{first.text.rstrip('/')}/" if first.text else "", is_path=True)
    if second is None or not second.has_start:
        return replace(start, is_open=True)
    return replace(start, text=start.text + second.text, is_open=second.is_open)


def _put_together(parts: list[Value | None]) -> Value | None:
    """Texts one after the other. Of an unknown start only whole names of what follows are known."""
    if all(part is None for part in parts):
        return None
    value = Value("")
    before: list[Value] = []
    for part in parts:
        if part is not None and part.is_anchored and value != Value(""):
            # A path of its own, in a command.
            before.append(value)
            value = part
        elif part is not None and part.has_start and value.has_start and not value.is_open:
            is_anchored = part.is_anchored if value.text == "" else value.is_anchored
            value = Value(value.text + part.text, is_anchored, True, part.is_open, value.is_path or part.is_path)
        elif value.text == "" and not value.is_open:
            value = replace(part, has_start=False) if part is not None else replace(value, has_start=False)
        elif not value.has_start and part is not None and not value.is_open:
            value = replace(value, text=value.text + part.text, is_open=part.is_open)
        else:
            value = replace(value, is_open=True)
    if not value.has_start:
        _, slash, after = value.text.partition("/")
        return replace(value, text=after) if slash and after and not value.is_open else None
    return replace(value, before=tuple(one for one in before if one.is_anchored))
