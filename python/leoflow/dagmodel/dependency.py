"""How tasks, groups, XCom arguments and labels are wired with `>>` and `<<`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from leoflow.dagmodel.errors import AirflowException


def as_list(value: Any) -> list[Any]:
    """`value` itself when it is a list or tuple, else a list of it."""
    return list(value) if isinstance(value, (list, tuple)) else [value]


class DependencyMixin:
    """Anything that can stand on either side of `>>`."""

    @property
    def roots(self) -> Sequence[Any]:
        """What another node's edge ends at."""
        raise NotImplementedError

    @property
    def leaves(self) -> Sequence[Any]:
        """What an edge to another node starts from."""
        raise NotImplementedError

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Make this run after `other`."""
        raise NotImplementedError

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        """Make `other` run after this."""
        raise NotImplementedError

    def update_relative(self, other: Any, upstream: bool = True, edge_modifier: Any = None) -> None:
        """Hear that `other` was wired to this; most nodes need not know."""

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """Tasks and XCom keys that stand behind this node."""
        return ()

    def as_setup(self) -> Any:
        """Mark as setup."""
        raise NotImplementedError

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: Any = None) -> Any:
        """Mark as teardown of `setups`."""
        raise NotImplementedError

    def __rshift__(self, other: Any) -> Any:
        self.set_downstream(other)
        return other

    def __lshift__(self, other: Any) -> Any:
        self.set_upstream(other)
        return other

    def __rrshift__(self, other: Any) -> Any:
        self.__lshift__(other)
        return self

    def __rlshift__(self, other: Any) -> Any:
        self.__rshift__(other)
        return self


class DAGNode(DependencyMixin):
    """A task or a group: has an id in a DAG, and knows its neighbours."""

    dag: Any = None
    task_group: Any = None
    upstream_task_ids: set[str]
    downstream_task_ids: set[str]

    @property
    def node_id(self) -> str:
        """Id in the graph."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """Id without the prefix of the enclosing group."""
        group = self.task_group
        prefix = f"{group.group_id}." if group is not None and group.prefix_group_id and group.group_id else ""
        return self.node_id[len(prefix):] if self.node_id.startswith(prefix) else self.node_id

    def has_dag(self) -> bool:
        """True once the node belongs to a DAG."""
        return self.dag is not None

    @property
    def dag_id(self) -> str:
        """Id of the DAG, or a placeholder before the node belongs to one."""
        return self.dag.dag_id if self.dag is not None else "_in_memory_dag_"

    @property
    def upstream_list(self) -> list[Any]:
        """Direct upstream tasks, by id."""
        return [self.dag.get_task(task_id) for task_id in sorted(self.upstream_task_ids)]

    @property
    def downstream_list(self) -> list[Any]:
        """Direct downstream tasks, by id."""
        return [self.dag.get_task(task_id) for task_id in sorted(self.downstream_task_ids)]

    def get_direct_relative_ids(self, upstream: bool = False) -> set[str]:
        """Ids of the direct neighbours on one side."""
        return self.upstream_task_ids if upstream else self.downstream_task_ids

    def get_direct_relatives(self, upstream: bool = False) -> list[Any]:
        """The direct neighbours on one side."""
        return self.upstream_list if upstream else self.downstream_list

    def get_flat_relative_ids(self, *, upstream: bool = False) -> set[str]:
        """Ids of everything reachable on one side."""
        seen: set[str] = set()
        pending = list(self.get_direct_relative_ids(upstream))
        while pending:
            task_id = pending.pop()
            if task_id not in seen:
                seen.add(task_id)
                pending.extend(self.dag.task_dict[task_id].get_direct_relative_ids(upstream))
        return seen

    def get_flat_relatives(self, upstream: bool = False) -> list[Any]:
        """Everything reachable on one side, by id."""
        return [self.dag.task_dict[task_id] for task_id in sorted(self.get_flat_relative_ids(upstream=upstream))]

    def iter_mapped_task_groups(self) -> Iterator[Any]:
        """Enclosing mapped groups, the closest first."""
        group = self.task_group
        while group is not None:
            if group.is_mapped:
                yield group
            group = group.parent_group

    def get_closest_mapped_task_group(self) -> Any | None:
        """The innermost enclosing mapped group."""
        return next(self.iter_mapped_task_groups(), None)


def wire(task: Any, others: Any, upstream: bool, edge_modifier: Any) -> None:
    """Draw the edges between one task and tasks, groups or XCom arguments on one side of it."""
    relatives: list[Any] = []
    for other in as_list(others):
        if not isinstance(other, DependencyMixin):
            raise AirflowException(
                f"Relationships can only be set between operators and task groups; received {type(other).__name__}"
            )
        other.update_relative(task, not upstream, edge_modifier=edge_modifier)
        relatives.extend(other.leaves if upstream else other.roots)
    adopt_one_dag([task, *relatives])
    for relative in relatives:
        before, after = (relative, task) if upstream else (task, relative)
        before.downstream_task_ids.add(after.node_id)
        after.upstream_task_ids.add(before.node_id)
        if edge_modifier is not None:
            edge_modifier.add_edge_info(task.dag, before.node_id, after.node_id)


def adopt_one_dag(tasks: list[Any]) -> None:
    """Give tasks without a DAG the DAG of those that have one."""
    dags = {id(task.dag): task.dag for task in tasks if task.has_dag()}
    if len(dags) > 1:
        names = ", ".join(sorted(dag.dag_id for dag in dags.values()))
        raise AirflowException(f"Tried to set relationships between tasks in more than one Dag: {names}")
    if not dags:
        names = ", ".join(task.node_id for task in tasks)
        raise ValueError(f"Tried to create relationships between tasks that don't have Dags yet: {names}")
    (dag,) = dags.values()
    for task in tasks:
        if not task.has_dag():
            task.dag = dag
            dag.add_task(task)


class EdgeModifier(DependencyMixin):
    """A label between two sides of `>>`."""

    def __init__(self, label: str | None = None) -> None:
        self.label = label
        self._upstream: list[Any] = []
        self._downstream: list[Any] = []

    @property
    def roots(self) -> Sequence[Any]:
        return self._downstream

    @property
    def leaves(self) -> Sequence[Any]:
        return self._upstream

    def set_upstream(self, other: Any, edge_modifier: Any = None) -> None:
        self._save(other, self._upstream)
        self._widen_to_groups()
        for node in self._downstream:
            node.set_upstream(other, edge_modifier=self)

    def set_downstream(self, other: Any, edge_modifier: Any = None) -> None:
        self._save(other, self._downstream)
        self._widen_to_groups()
        for node in self._upstream:
            node.set_downstream(other, edge_modifier=self)

    def update_relative(self, other: Any, upstream: bool = True, edge_modifier: Any = None) -> None:
        self._save(other, self._upstream if upstream else self._downstream)
        self._widen_to_groups()

    @staticmethod
    def _save(nodes: Any, stream: list[Any]) -> None:
        for node in as_list(nodes):
            if not isinstance(node, DependencyMixin) or isinstance(node, EdgeModifier):
                raise TypeError(f"Cannot use edge labels with {type(node).__name__}, only tasks, XComArg or TaskGroups")
            stream.append(node)

    def _widen_to_groups(self) -> None:
        # Airflow draws a label between groups when its two ends lie in different ones.
        if not (self._upstream and self._downstream):
            return
        homes = {_home(node) for node in (*self._upstream, *self._downstream)} - {None}
        if len(homes) != 1:
            self._upstream = [_widened(node) for node in self._upstream]
            self._downstream = [_widened(node) for node in self._downstream]

    def add_edge_info(self, dag: Any, upstream_id: str, downstream_id: str) -> None:
        """Put the label on one edge of the DAG."""
        dag.set_edge_info(upstream_id, downstream_id, {"label": self.label})


def _home(node: Any) -> str | None:
    if getattr(node, "is_group", False):
        return node.group_id or "root"
    if isinstance(node, DAGNode) and node.task_group is not None:
        return node.task_group.group_id or "root"
    return None


def _widened(node: Any) -> Any:
    group = node.task_group if isinstance(node, DAGNode) else None
    return group if group is not None and not group.is_root else node


def Label(label: str) -> EdgeModifier:  # noqa: N802 - Airflow's name
    """A label for the edge it stands on: `a >> Label("yes") >> b`."""
    return EdgeModifier(label=label)
