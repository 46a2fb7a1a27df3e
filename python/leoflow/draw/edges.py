"""Edges of a drawing: `after`, setups and teardowns, and what mapped groups wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leoflow.dagmodel.dependency import EdgeModifier
from leoflow.dagmodel.states import TriggerRule
from leoflow.dagmodel.xcom_arg import mark_teardown
from leoflow.draw.outline import Entry
from leoflow.draw.problems import DrawingError, Path



class Edges:
    """Collects what every entry says, then draws: inner edges first, since the ends of a group are worked out from them."""

    def __init__(self, find: Callable[[str], Entry]) -> None:
        """find: answers the entry of an id that could be made; raises `Broken` without"""
        self._find = find
        self._pending: list[tuple[int, Callable[[], None]]] = []

    def mark(self, entry: Entry) -> None:
        """Make a task a setup or a teardown, before any edge is drawn."""
        teardown = entry.text("teardown")
        if entry.text("setup"):
            entry.node.as_setup()
        if teardown is not None and teardown is not False:
            if "trigger_rule" in entry.spec:
                raise DrawingError((*entry.path, "trigger_rule"), "a teardown has a trigger rule of its own", "Remove trigger_rule.", "bad_task")
            mark_teardown(entry.node, None, entry.text("on_failure_fail_dagrun"))
        for name in teardown if isinstance(teardown, list) else []:
            before = self._find(name)
            before.node.as_setup()
            self._later(before, entry, lambda before=before: before.node.set_downstream(entry.node))

    def note(self, entry: Entry) -> None:
        """Remember the edges of an entry."""
        if entry.node.is_mapped and entry.is_group:
            for operator, _ in entry.node.expand_input.iter_references():
                self._pending.append((len(entry.above), lambda operator=operator: entry.node.set_upstream(operator)))
        for index, said in enumerate(entry.text("after") or []):
            name, label = (said["task"], said["label"]) if isinstance(said, dict) else (said, None)
            self._note_after(entry, self._find(name), (label, (*entry.path, "after", index)))

    def draw(self) -> None:
        """Draw everything that was noted."""
        for _, make in sorted(self._pending, key=lambda item: -item[0]):
            make()

    def _note_after(self, entry: Entry, before: Entry, said: tuple[str | None, Path]) -> None:
        label, path = said
        if before is entry or entry in before.above or before in entry.above:
            raise DrawingError(path, f"{entry.id} cannot come after {before.id}: one is the other, or inside it", kind="cycle")
        modifier = EdgeModifier(label) if label is not None else None
        self._later(before, entry, lambda: before.node.set_downstream(entry.node, modifier))

    def _later(self, before: Entry, after: Entry, make: Callable[[], None]) -> None:
        shared = sum(1 for group in after.above if group in before.above)
        self._pending.append((shared, make))


def refuse_always(entry: Entry) -> None:
    """Raises `DrawingError` for a task with trigger rule `always` inside a mapped group."""
    if entry.is_group and entry.node.is_mapped and any(task.trigger_rule == TriggerRule.ALWAYS for task in entry.node):
        raise DrawingError(entry.path, "a task in a mapped group cannot have trigger_rule always", "Take another trigger rule.", "bad_task")
