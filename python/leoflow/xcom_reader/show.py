"""Shows what a pickle holds as JSON data with notes: repeats what is shared, names what is not loaded, stops at limits. Python 3.8 or newer."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any, Dict, List, Optional

from leoflow.xcom_reader.known_classes import LAZY, find_known
from leoflow.xcom_reader.pickle_machine import MARK, Call, CannotShow, Items, Name, OldText, Pairs

MAX_DEPTH = 500
MAX_SHOWN = 64 * 2**20
MAX_DIGIT_BITS = 14_285
NODE_COST = 64


class Shower:
    """Turns what was read into JSON data, with notes; repeats what is shared and stops at limits."""

    def __init__(self) -> None:
        self.notes: List[str] = []
        self.spent = 0
        self.open: Dict[int, Any] = {}

    def note(self, path: Any, text: str) -> None:
        """Keeps the first twenty."""
        if len(self.notes) < 20:
            self.notes.append(path_text(path) + ": " + text)

    def float(self, value: float, path: Any) -> Any:
        """A float, and those that JSON has not."""
        special = show_float(value)
        if special is not None:
            self.note(path, special["$float"])
        return value if special is None else special

    def show(self, node: Any, path: Any, depth: int = 0) -> Any:
        """JSON data of a node."""
        self.spend(NODE_COST)
        if isinstance(node, (Items, Pairs, Call, Name)):
            return self.container(node, path, depth)
        if isinstance(node, (bytes, str)):
            return self.text(node, path)
        if isinstance(node, float):
            return self.float(node, path)
        if isinstance(node, int) and node.bit_length() > MAX_DIGIT_BITS:
            raise CannotShow("an integer of more than 4300 digits")
        return node

    def spend(self, cost: int) -> None:
        self.spent += cost
        if self.spent > MAX_SHOWN:
            raise CannotShow("larger than 64 MB when written out")

    def text(self, node: Any, path: Any) -> Any:
        self.spend(len(node))
        if isinstance(node, OldText):
            try:
                return node.decode("utf-8")
            except UnicodeDecodeError:
                pass
        if isinstance(node, str):
            return node
        self.note(path, "bytes")
        return show_bytes(node)

    def container(self, node: Any, path: Any, depth: int) -> Any:
        if id(node) in self.open:
            return {"$cycle": path_text(self.open[id(node)])}
        if depth == MAX_DEPTH:
            raise CannotShow("nested deeper than 500")
        self.open[id(node)] = path
        try:
            if isinstance(node, Items):
                if node.kind != "list":
                    self.note(path, node.kind)
                return self.items(node.items, path, depth)
            return self.pairs(node, path, depth) if isinstance(node, Pairs) else self.named(node, path, depth)
        finally:
            del self.open[id(node)]

    def items(self, items: List[Any], path: Any, depth: int) -> List[Any]:
        shown = []
        for at, item in enumerate(items):
            shown.append(self.show(item, (path, at), depth + 1))
        return shown

    def pairs(self, node: Pairs, path: Any, depth: int) -> Dict[str, Any]:
        names = [_name_of(key) for key, _ in node.pairs]
        if None not in names:
            shown: Dict[str, Any] = {}
            for name, (_, value) in zip(names, node.pairs):
                self.spend(len(name or ""))
                shown[name or ""] = self.show(value, (path, name), depth + 1)
            return shown
        self.note(path, "dict with keys that are not strings")
        listed = []
        for at, pair in enumerate(node.pairs):
            listed.append(self.items(list(pair), ((path, "$dict"), at), depth + 1))
        return {"$dict": listed}

    def named(self, node: Any, path: Any, depth: int) -> Any:
        known = find_known(node)
        if known is not None:
            value, note = known
            if note != "":
                self.note(path, note)
            if note == LAZY:
                return self.show(value, path, depth + 1)
            if isinstance(value, bytes):
                return self.text(value, path)
            if isinstance(value, Items):
                return self.items(value.items, path, depth)
            return self.pairs(value, path, depth) if isinstance(value, Pairs) else value
        if isinstance(node, Name):
            self.note(path, node.name + " (not loaded)")
            return {"$class": node.name}
        return self.call(node, path, depth)

    def call(self, node: Call, path: Any, depth: int) -> Dict[str, Any]:
        is_named = isinstance(node.callee, Name)
        name = node.callee.name if is_named else "pickle.call"
        self.note(path, name + " (not loaded)")
        args = node.args if is_named else [node.callee, *node.args]
        shown: Dict[str, Any] = {"$class": name, "args": self.items(args, (path, "args"), depth + 1)}
        parts = (("kwargs", node.kwargs), ("items", node.items), ("state", node.state))
        for part, value in parts:
            absent = value is MARK if part == "state" else value is None
            if not absent:
                shown[part] = self.show(value, (path, part), depth + 1)
        return shown


def path_text(path: Any) -> str:
    """`$.a[0]["b c"]` of a chain of (parent, step)."""
    steps = []
    while path is not None:
        path, step = path
        if isinstance(step, int):
            steps.append("[%d]" % step)
        else:
            steps.append("." + step if re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", step) else "[%s]" % json.dumps(step, ensure_ascii=False))
    return "$" + "".join(reversed(steps))


def show_bytes(data: bytes) -> Dict[str, str]:
    """Bytes as JSON data."""
    return {"$bytes": base64.b64encode(data).decode("ascii")}


def show_float(value: float) -> Optional[Dict[str, str]]:
    """What stands for a float that JSON has not; None for those it has."""
    if math.isfinite(value):
        return None
    return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}


def _name_of(key: Any) -> Optional[str]:
    if isinstance(key, str):
        return key
    try:
        return key.decode("utf-8") if isinstance(key, OldText) else None
    except UnicodeDecodeError:
        return None
