"""`literal(value)`: a template field's value that is used as it is."""

from __future__ import annotations

from typing import Any


class LiteralValue:
    """A value that is not rendered."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> tuple[()]:
        """A literal comes from no task."""
        return ()

    def resolve(self, context: Any) -> Any:
        """The value."""
        return self.value


def literal(value: Any) -> LiteralValue:
    """Keep a template field's value from being rendered."""
    return LiteralValue(value)
