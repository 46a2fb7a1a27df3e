"""The entries of a drawing with their full ids, before anything is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from leoflow.draw.problems import DrawingError, Path

BODIES = ("python", "node", "operator", "command", "http", "tasks")


@dataclass(eq=False)
class Entry:
    """One task or group. `spec` is None when the front end refused it."""

    id: str
    key: str
    path: Path
    spec: dict[str, Any] | None
    parent: Entry | None
    children: list[Entry] = field(default_factory=list)
    node: Any = None
    state: str = "new"

    @property
    def is_group(self) -> bool:
        """Whether it holds other entries."""
        return self.spec is not None and "tasks" in self.spec

    @property
    def above(self) -> list[Entry]:
        """The groups around it, the closest first."""
        return [] if self.parent is None else [self.parent, *self.parent.above]

    def text(self, name: str) -> Any:
        """A word of the entry, None without."""
        return (self.spec or {}).get(name)


def outline(tasks: dict[str, Any], refuse: Callable[[DrawingError], None]) -> dict[str, Entry]:
    """Every entry by its full id, in the order of the document. Ids used twice go to `refuse`."""
    found: dict[str, Entry] = {}
    for entry in _walk(tasks, ("tasks",), None):
        first = found.get(entry.id)
        if first is None:
            found[entry.id] = entry
        else:
            where = "/".join(map(str, first.path[1:]))
            refuse(DrawingError(entry.path, f"the id {entry.id} is used twice, first at {where}", "Give each task and group of a DAG an id of its own.", "duplicate_task_id"))
    return found


def _walk(tasks: dict[str, Any], path: Path, parent: Entry | None) -> Iterator[Entry]:
    for key, spec in tasks.items():
        own = (*path, key)
        entry = Entry(_full_id(parent, key), key, own, spec, parent)
        if parent is not None:
            parent.children.append(entry)
        yield entry
        if entry.is_group:
            yield from _walk(spec["tasks"] or {}, (*own, "tasks"), entry)


def _full_id(parent: Entry | None, key: str) -> str:
    if parent is None or parent.text("prefix_group_id") is False:
        return key
    return f"{parent.id}.{key}"
