"""Task groups: a name and a prefix for tasks, and one node to draw edges to; mapped groups run once per index."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from leoflow.dagmodel import stack
from leoflow.dagmodel.arguments import validate_key
from leoflow.dagmodel.dependency import DAGNode, as_list
from leoflow.dagmodel.errors import AirflowException, DuplicateTaskIdFound, TaskAlreadyInTaskGroup
from leoflow.dagmodel.states import TriggerRule

_SUFFIX = re.compile(r"__(\d+)$")
DEFAULT_COLOR, DEFAULT_TEXT_COLOR = "CornflowerBlue", "#000"


def next_suffixed(name: str, full_name: str, taken: Any) -> str:
    """`name` with the next free `__1`, `__2`, … given the full names (with group prefixes) that are taken."""
    stem = _SUFFIX.split(full_name)[0]
    numbers = [int(m.group(1)) for m in (re.fullmatch(re.escape(stem) + r"__(\d+)", other or "") for other in taken) if m]
    return f"{_SUFFIX.split(name)[0]}__{max(numbers, default=0) + 1}"


class TaskGroup(DAGNode):
    """Tasks under one name. Edges to a group go to its first tasks, edges from it start at its last."""

    is_group = True
    is_mapped = False

    def __init__(
        self,
        group_id: str | None = None,
        prefix_group_id: bool = True,
        parent_group: TaskGroup | None = None,
        dag: Any = None,
        default_args: dict[str, Any] | None = None,
        tooltip: str = "",
        ui_color: str = DEFAULT_COLOR,
        ui_fgcolor: str = DEFAULT_TEXT_COLOR,
        add_suffix_on_collision: bool = False,
        group_display_name: str = "",
    ) -> None:
        self.dag = dag or (parent_group.dag if parent_group is not None else stack.current_dag())
        if self.dag is None:
            raise RuntimeError("TaskGroup can only be used inside a dag")
        self.parent_group = parent_group if parent_group is not None or group_id is None else stack.current_group(self.dag)
        self._group_id = validate_key(group_id, "group_id") if group_id is not None else None
        if self._group_id is not None and "." in self._group_id:
            raise AirflowException(f"The group_id {self._group_id!r} must not hold dots")
        self.prefix_group_id = prefix_group_id
        self.default_args = {**(self.parent_group.default_args if self.parent_group else {}), **copy.deepcopy(default_args or {})}
        self.tooltip, self.ui_color, self.ui_fgcolor = tooltip, ui_color, ui_fgcolor
        self.group_display_name = group_display_name
        self.children: dict[str, Any] = {}
        self.upstream_task_ids, self.downstream_task_ids = set(), set()
        self.used_group_ids: set[str] = self.parent_group.used_group_ids if self.parent_group is not None else set()
        if self._group_id is not None:
            self._claim_id(add_suffix_on_collision)

    def _claim_id(self, add_suffix: bool) -> None:
        taken = self.used_group_ids | self.dag.task_dict.keys()
        if self.group_id in taken:
            if not add_suffix:
                raise DuplicateTaskIdFound(f"group_id '{self.group_id}' has already been added to the DAG")
            self._group_id = next_suffixed(self._group_id, self.group_id, taken)
        self.used_group_ids.add(self.group_id)
        self.parent_group.children[self.group_id] = self

    @property
    def group_id(self) -> str | None:
        """Id with the prefixes of the enclosing groups; None for the DAG's root group."""
        parent = self.parent_group
        if self._group_id and parent is not None and parent.prefix_group_id and parent._group_id:
            return parent.child_id(self._group_id)
        return self._group_id

    @property
    def node_id(self) -> str:
        return self.group_id or ""

    @property
    def task_group(self) -> TaskGroup | None:
        """The enclosing group."""
        return self.parent_group

    @property
    def is_root(self) -> bool:
        """True for the DAG's own group."""
        return self._group_id is None

    @property
    def label(self) -> str:
        return self.group_display_name or self._group_id or ""

    @property
    def upstream_join_id(self) -> str:
        """Name of the point where edges into the group meet in drawings."""
        return f"{self.group_id}.upstream_join_id"

    @property
    def downstream_join_id(self) -> str:
        """Name of the point where edges out of the group meet in drawings."""
        return f"{self.group_id}.downstream_join_id"

    def child_id(self, label: str) -> str:
        """A child's id in the DAG."""
        # Asked once: each asks the group around, and twice at every level would double the work with each.
        group_id = self.group_id if self.prefix_group_id else None
        return f"{group_id}.{label}" if group_id else label

    def add(self, node: Any) -> Any:
        """Put a task into the group.

        Raises `DuplicateTaskIdFound`, `TaskAlreadyInTaskGroup`.
        """
        if node.task_group is not None and node.task_group is not self:
            if node.task_group.is_root:
                node.task_group.children.pop(node.node_id, None)
            else:
                raise TaskAlreadyInTaskGroup(
                    f"cannot add {node.node_id!r} to {self.node_id!r} (already in {node.task_group.node_id!r})"
                )
        if node.node_id in self.children or node.node_id in self.used_group_ids:
            raise DuplicateTaskIdFound(f"Task id '{node.node_id}' has already been added to the Dag")
        node.task_group = self
        self.children[node.node_id] = node
        return node

    def __iter__(self) -> Iterator[Any]:
        for child in self.children.values():
            if child.is_group:
                yield from child
            else:
                yield child

    def iter_tasks(self) -> Iterator[Any]:
        """All tasks of the group and the groups in it."""
        return iter(self)

    def __enter__(self) -> TaskGroup:
        stack.push_group(self)
        return self

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        stack.pop_group()

    def has_task(self, task: Any) -> bool:
        """True when the task is in the group or in a group of it."""
        return any(inner is task for inner in self)

    def get_child_by_label(self, label: str) -> Any:
        """A child by its id without prefix."""
        return self.children[self.child_id(label)]

    def get_task_group_dict(self) -> dict[str | None, TaskGroup]:
        """This group and all groups in it, by id."""
        groups: dict[str | None, TaskGroup] = {self.group_id: self}
        for child in self.children.values():
            if child.is_group:
                groups.update(child.get_task_group_dict())
        return groups

    @property
    def roots(self) -> list[Any]:
        """Tasks that wait for no other task of the group."""
        tasks = list(self)
        ids = {task.task_id for task in tasks}
        return [task for task in tasks if task.upstream_task_ids.isdisjoint(ids)]

    def get_roots(self) -> Iterator[Any]:
        """The same, one by one."""
        return iter(self.roots)

    @property
    def leaves(self) -> list[Any]:
        """Tasks that no other task of the group waits for; teardowns do not count as the end of a group."""
        tasks = list(self)
        ids = {task.task_id for task in tasks}
        found: dict[str, Any] = {}
        for task in tasks:
            if task.downstream_task_ids.isdisjoint(ids):
                for leaf in _work_before(task, ids) if task.is_teardown else [task]:
                    found[leaf.task_id] = leaf
        return list(found.values())

    def get_leaves(self) -> Iterator[Any]:
        """The same, one by one."""
        return iter(self.leaves)

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        self._tell(other, True, edge_modifier)
        for task in self.roots:
            task.set_upstream(other)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        leaves = self._leaves_or_before()
        self._tell(other, False, edge_modifier)
        for task in leaves:
            task.set_downstream(other)

    def _leaves_or_before(self) -> list[Any]:
        """Last tasks; of an empty group, the tasks before it or the last ones of the enclosing group."""
        group: TaskGroup | None = self
        while group is not None:
            if group.leaves:
                return group.leaves
            if group.upstream_task_ids:
                return [self.dag.get_task(task_id) for task_id in sorted(group.upstream_task_ids)]
            group = group.parent_group
        return []

    def _tell(self, others: Any, upstream: bool, edge_modifier: Any) -> None:
        for other in as_list(others):
            self.update_relative(other, upstream, edge_modifier)

    def update_relative(self, other: Any, upstream: bool = True, edge_modifier: Any = None) -> None:
        if getattr(other, "is_group", False):
            ends = [other.downstream_join_id if upstream else other.upstream_join_id]
        else:
            ends = [task.node_id for task in other.roots if task is not self]
            (self.upstream_task_ids if upstream else self.downstream_task_ids).update(ends)
        if edge_modifier is not None:
            for end in ends:
                before, after = (end, self.upstream_join_id) if upstream else (self.downstream_join_id, end)
                edge_modifier.add_edge_info(self.dag, before, after)


class MappedTaskGroup(TaskGroup):
    """A group that runs once per index of what it is expanded over."""

    is_mapped = True

    def __init__(self, *, expand_input: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.expand_input = expand_input

    def __exit__(self, exc_type: Any, exc: Any, traceback: Any) -> None:
        if exc_type is None:
            for operator, _ in self.expand_input.iter_references():
                self.set_upstream(operator)
            if any(task.trigger_rule == TriggerRule.ALWAYS for task in self):
                raise ValueError(
                    "Task-generated mapping within a mapped task group is not allowed with trigger rule 'always'"
                )
        super().__exit__(exc_type, exc, traceback)


def _work_before(teardown: Any, ids: set[str]) -> Iterator[Any]:
    """The last tasks of a group before a teardown that ends it."""
    for task in teardown.upstream_list:
        if task.task_id not in ids:
            continue
        if task.is_teardown:
            yield from _work_before(task, ids)
        elif teardown.is_teardown and task.is_setup:
            continue
        elif not any(
            d.task_id != teardown.task_id and d.task_id in ids and not d.is_teardown for d in task.downstream_list
        ):
            yield task
