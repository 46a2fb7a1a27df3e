"""`chain`, `chain_linear` and `cross_downstream`: edges between many tasks in one call."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from leoflow.dagmodel.dependency import DependencyMixin, EdgeModifier, as_list
from leoflow.dagmodel.errors import AirflowException


def chain(*tasks: Any) -> None:
    """Link each argument to the next; two neighbouring lists of one length are linked pair by pair.

    Raises `TypeError` for anything that is no task, `AirflowException` for neighbouring lists of different lengths.
    """
    for before, after in pairwise(tasks):
        if isinstance(before, DependencyMixin):
            before.set_downstream(after)
        elif isinstance(after, DependencyMixin):
            after.set_upstream(before)
        elif not (isinstance(before, (list, tuple)) and isinstance(after, (list, tuple))):
            raise TypeError(f"Chain not supported between instances of {type(before)} and {type(after)}")
        elif len(before) != len(after):
            raise AirflowException(
                f"Chain not supported for different length Iterable. Got {len(before)} and {len(after)}."
            )
        else:
            for one, other in zip(before, after):
                one.set_downstream(other)


def cross_downstream(from_tasks: Any, to_tasks: Any) -> None:
    """Link every task of the first list to every task of the second."""
    for task in from_tasks:
        task.set_downstream(to_tasks)


def chain_linear(*elements: Any) -> None:
    """Link every task of each argument to every task of the next argument.

    Raises `ValueError` when nothing is linked.
    """
    previous: Any = None
    linked = False
    for element in elements:
        nodes = [element] if isinstance(element, (DependencyMixin, EdgeModifier)) else as_list(element)
        if not nodes:
            raise ValueError("The first element must be a task, a group or a list of them; got an empty list.")
        if previous is not None:
            for node in nodes:
                for before in previous:
                    before >> node
            linked = True
        previous = nodes
    if not linked:
        raise ValueError("No dependencies were set. Did you forget to expand with `*`?")
