"""Reads a pickle as data: a machine over its opcodes that looks up no name and calls nothing. Python 3.8 or newer."""

from __future__ import annotations

import io
import pickletools
from typing import Any, Callable, Dict, List, Optional, Tuple

MAX_OPCODES = 1_000_000
MARK = object()
RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
ZONES = ("zoneinfo.ZoneInfo", "pendulum.tz.timezone.Timezone")


class CannotShow(Exception):
    """Why a value is shown as bytes only."""


class Unreadable(CannotShow):
    """A damaged pickle."""


class _Bad(Exception):
    """An opcode that cannot be done."""


class Items:
    """A list, tuple, set or frozenset."""

    def __init__(self, kind: str, items: List[Any]) -> None:
        self.kind, self.items = kind, items


class Pairs:
    """A dict, as the pairs that were put into it."""

    def __init__(self, pairs: List[Tuple[Any, Any]]) -> None:
        self.pairs = pairs


class Name:
    """A global that is only named."""

    def __init__(self, module: str, name: str) -> None:
        self.name = "%s.%s" % (RENAMED.get(module, module), name)


class Call:
    """A call that is only told, with the state and the items that were given to its result."""

    def __init__(self, callee: Any, args: List[Any], kwargs: Optional[Pairs] = None) -> None:
        self.callee, self.args, self.kwargs = callee, args, kwargs
        self.state: Any = MARK
        self.items: Any = None


class OldText(bytes):
    """A string of Python 2: bytes that may be text."""


def read_pickle(data: bytes) -> Tuple[Any, int]:
    """The root of a pickle and where it ends. Raises Unreadable."""
    source = io.BytesIO(data)
    machine = _Machine()
    at = 0
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(source), 1):
            if count > MAX_OPCODES:
                raise CannotShow("more than %d opcodes" % MAX_OPCODES)
            OPCODES[opcode.name](machine, argument)
            at = source.tell()
    except (_Bad, ValueError, OverflowError, KeyError):
        raise Unreadable("damaged pickle at byte %d" % at) from None
    return machine.root, at


class _Machine:
    def __init__(self) -> None:
        self.stack: List[Any] = []
        self.memo: Dict[int, Any] = {}
        self.root: Any = None

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise _Bad
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise _Bad
        return self.stack[-1]

    def to_mark(self) -> List[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is MARK:
                above = self.stack[at + 1:]
                del self.stack[at:]
                return above
        raise _Bad

    def tuple(self, count: int) -> None:
        items = [self.pop() for _ in range(count)]
        self.push(Items("tuple", items[::-1]))

    def append(self, values: List[Any]) -> None:
        into = self.top()
        if isinstance(into, Call):
            if into.items is None:
                into.items = Items("list", [])
            into = into.items
        if not isinstance(into, Items) or into.kind != "list":
            raise _Bad
        into.items.extend(values)

    def add(self, values: List[Any]) -> None:
        into = self.top()
        if not isinstance(into, Items) or into.kind != "set":
            raise _Bad
        into.items.extend(values)

    def set_items(self, values: List[Any]) -> None:
        into = self.top()
        if isinstance(into, Call):
            if into.items is None:
                into.items = Pairs([])
            into = into.items
        if not isinstance(into, Pairs) or len(values) % 2:
            raise _Bad
        into.pairs.extend(zip(values[::2], values[1::2]))

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def append_one(self) -> None:
        value = self.pop()
        self.append([value])

    def put(self, at: Optional[int]) -> None:
        self.memo[len(self.memo) if at is None else at] = self.top()

    def named(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise _Bad
        self.push(Name(module, name))

    def call(self, with_kwargs: bool = False) -> None:
        kwargs = self.pop() if with_kwargs else None
        args, callee = self.pop(), self.pop()
        if not isinstance(args, Items) or args.kind != "tuple" or (with_kwargs and not isinstance(kwargs, Pairs)):
            raise _Bad
        if isinstance(callee, Call) and _is_unpickler_of_zone(callee):
            callee = callee.args[0]
        if isinstance(callee, Name) and callee.name == "copyreg._reconstructor" and len(args.items) == 3 and args.items[2] is None and isinstance(args.items[1], Name) and args.items[1].name == "builtins.object":
            callee, args = args.items[0], Items("tuple", [])
        self.push(Call(callee, args.items, kwargs))

    def object_of_mark(self) -> None:
        above = self.to_mark()
        if not above:
            raise _Bad
        self.push(Call(above[0], above[1:]))

    def instance(self, argument: str) -> None:
        module, name = argument.split(" ", 1)
        self.push(Call(Name(module, name), self.to_mark()))

    def build(self) -> None:
        state, onto = self.pop(), self.top()
        if not isinstance(onto, Call):
            raise _Bad
        onto.state = state

    def told(self, name: str, args: List[Any]) -> None:
        self.push(Call(Name("pickle", name), args))

    def drop(self) -> None:
        if not self.stack:
            raise _Bad
        self.stack.pop()

    def protocol(self, number: int) -> None:
        if number > 5:
            raise _Bad

    def stop(self) -> None:
        self.root = self.pop()
        if self.stack:
            raise _Bad


def _is_unpickler_of_zone(call: Call) -> bool:
    """zoneinfo and pendulum make their zones by a method: getattr(ZoneInfo, '_unpickle')."""
    named = isinstance(call.callee, Name) and call.callee.name == "builtins.getattr" and len(call.args) == 2
    return named and call.args[1] == "_unpickle" and isinstance(call.args[0], Name) and call.args[0].name in ZONES


def _old_text(machine: _Machine, argument: str) -> None:
    machine.push(OldText(argument.encode("latin-1")))


def _constant(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


def _argument(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _nothing(machine: _Machine, argument: Any) -> None:
    """Frames and marks of buffers carry no data."""


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.tuple(count)


OPCODES: Dict[str, Callable[[_Machine, Any], None]] = {
    **{name: _argument for name in ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8")},
    **{name: _old_text for name in ("STRING", "BINSTRING", "SHORT_BINSTRING")},
    **{name: lambda machine, at: machine.put(at) for name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")},
    **{name: lambda machine, at: machine.push(machine.memo[at]) for name in ("GET", "BINGET", "LONG_BINGET")},
    **{name: lambda machine, code: machine.told("extension", [code]) for name in ("EXT1", "EXT2", "EXT4")},
    "BYTEARRAY8": lambda machine, data: machine.push(bytes(data)),
    "NONE": _constant(None), "NEWTRUE": _constant(True), "NEWFALSE": _constant(False), "MARK": _constant(MARK),
    "EMPTY_TUPLE": _tuple(0), "TUPLE1": _tuple(1), "TUPLE2": _tuple(2), "TUPLE3": _tuple(3),
    "TUPLE": lambda machine, _: machine.push(Items("tuple", machine.to_mark())), "FROZENSET": lambda machine, _: machine.push(Items("frozenset", machine.to_mark())),
    "EMPTY_LIST": lambda machine, _: machine.push(Items("list", [])), "EMPTY_SET": lambda machine, _: machine.push(Items("set", [])), "EMPTY_DICT": lambda machine, _: machine.push(Pairs([])),
    "LIST": lambda machine, _: machine.push(Items("list", machine.to_mark())), "DICT": lambda machine, _: _dict_of_mark(machine),
    "APPEND": lambda machine, _: machine.append_one(), "APPENDS": lambda machine, _: machine.append(machine.to_mark()), "ADDITEMS": lambda machine, _: machine.add(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.set_item(), "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "GLOBAL": lambda machine, name: machine.push(Name(*name.split(" ", 1))), "STACK_GLOBAL": lambda machine, _: machine.named(), "INST": lambda machine, name: machine.instance(name),
    "OBJ": lambda machine, _: machine.object_of_mark(), "REDUCE": lambda machine, _: machine.call(), "NEWOBJ": lambda machine, _: machine.call(), "NEWOBJ_EX": lambda machine, _: machine.call(True),
    "BUILD": lambda machine, _: machine.build(), "DUP": lambda machine, _: machine.push(machine.top()), "POP": lambda machine, _: machine.drop(), "POP_MARK": lambda machine, _: _drop_mark(machine),
    "PERSID": lambda machine, text: machine.told("persistent_id", [text]), "BINPERSID": lambda machine, _: machine.told("persistent_id", [machine.pop()]),
    "NEXT_BUFFER": lambda machine, _: machine.told("buffer", []), "READONLY_BUFFER": _nothing, "FRAME": _nothing, "PROTO": lambda machine, number: machine.protocol(number),
    "STOP": lambda machine, _: machine.stop(),
}


def _dict_of_mark(machine: _Machine) -> None:
    values = machine.to_mark()
    machine.push(Pairs([]))
    machine.set_items(values)


def _drop_mark(machine: _Machine) -> None:
    machine.to_mark()
