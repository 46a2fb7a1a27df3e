"""Checks a value against the parts of JSON Schema that params use."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: (isinstance(v, int) and not isinstance(v, bool)) or (isinstance(v, float) and v.is_integer()),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "array": lambda v: isinstance(v, (list, tuple)),
    "object": lambda v: isinstance(v, dict),
    "null": lambda v: v is None,
}


def _parses(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text.replace("Z", "+00:00"))
        except ValueError:
            return False
        return True

    return check


_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _parses(datetime.fromisoformat),
    "date": _parses(date.fromisoformat),
    "time": _parses(time.fromisoformat),
}


def _number(keyword: str, good: Callable[[Any, Any], bool]) -> Callable[[Any, Any], str | None]:
    def check(value: Any, limit: Any) -> str | None:
        if not _TYPES["number"](value) or good(value, limit):
            return None
        return f"{value!r} does not fit {keyword} {limit!r}"

    return check


def _length(keyword: str, kinds: tuple[type, ...], good: Callable[[int, int], bool]) -> Callable[[Any, Any], str | None]:
    def check(value: Any, limit: Any) -> str | None:
        if not isinstance(value, kinds) or good(len(value), limit):
            return None
        return f"the length {len(value)} of {value!r} does not fit {keyword} {limit}"

    return check


def _type(value: Any, types: Any) -> str | None:
    names = [types] if isinstance(types, str) else types
    if any(_TYPES.get(name, lambda _: True)(value) for name in names):
        return None
    return f"{value!r} is not of type {', '.join(map(repr, names))}"


def _pattern(value: Any, pattern: str) -> str | None:
    return f"{value!r} does not match {pattern!r}" if isinstance(value, str) and not re.search(pattern, value) else None


def _format(value: Any, name: str) -> str | None:
    check = _FORMATS.get(name)
    return f"{value!r} is not a {name!r}" if check and isinstance(value, str) and not check(value) else None


def _enum(value: Any, allowed: list[Any]) -> str | None:
    return None if value in allowed else f"{value!r} is not one of {allowed!r}"


def _unique(value: Any, wanted: bool) -> str | None:
    if wanted and isinstance(value, list) and any(item in value[:i] for i, item in enumerate(value)):
        return f"{value!r} has non-unique elements"
    return None


def _items(value: Any, schema: Any) -> str | None:
    if not isinstance(value, list) or not isinstance(schema, dict):
        return None
    return next((fault for fault in (find_fault(item, schema) for item in value) if fault), None)


def _properties(value: Any, schemas: dict[str, Any]) -> str | None:
    if not isinstance(value, dict):
        return None
    faults = (find_fault(value[name], schema) for name, schema in schemas.items() if name in value)
    return next((fault for fault in faults if fault), None)


def _required(value: Any, names: list[str]) -> str | None:
    if not isinstance(value, dict):
        return None
    return next((f"{name!r} is a required property" for name in names if name not in value), None)


def _any_of(value: Any, schemas: list[Any]) -> str | None:
    return None if any(find_fault(value, s) is None for s in schemas) else f"{value!r} fits none of the allowed schemas"


def _one_of(value: Any, schemas: list[Any]) -> str | None:
    fitting = sum(find_fault(value, s) is None for s in schemas)
    return None if fitting == 1 else f"{value!r} fits {fitting} of the allowed schemas instead of one"


def _all_of(value: Any, schemas: list[Any]) -> str | None:
    return next((fault for fault in (find_fault(value, s) for s in schemas) if fault), None)


_CHECKS: dict[str, Callable[[Any, Any], str | None]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda value, wanted: None if value == wanted else f"{value!r} is not {wanted!r}",
    "minimum": _number("minimum", lambda v, limit: v >= limit),
    "maximum": _number("maximum", lambda v, limit: v <= limit),
    "exclusiveMinimum": _number("exclusiveMinimum", lambda v, limit: v > limit),
    "exclusiveMaximum": _number("exclusiveMaximum", lambda v, limit: v < limit),
    "multipleOf": _number("multipleOf", lambda v, limit: v % limit == 0),
    "minLength": _length("minLength", (str,), lambda n, limit: n >= limit),
    "maxLength": _length("maxLength", (str,), lambda n, limit: n <= limit),
    "minItems": _length("minItems", (list, tuple), lambda n, limit: n >= limit),
    "maxItems": _length("maxItems", (list, tuple), lambda n, limit: n <= limit),
    "uniqueItems": _unique,
    "pattern": _pattern,
    "format": _format,
    "items": _items,
    "properties": _properties,
    "required": _required,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
}


def find_fault(value: Any, schema: Any) -> str | None:
    """What is wrong with a value, or None. Keywords of the schema that are not known here check nothing."""
    if not isinstance(schema, dict):
        return None
    for keyword, wanted in schema.items():
        check = _CHECKS.get(keyword)
        fault = check(value, wanted) if check else None
        if fault:
            return fault
    return None
