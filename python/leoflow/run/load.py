"""Loads a DAG file in this process: the shim in place of `airflow`, the project's folder first on the import path."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from leoflow.dagmodel import dag as dag_module
from leoflow.dagmodel import stack
from leoflow.dagmodel.calling import CONTEXT_KEYS, call_plan
from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.errors import DagNotFound
from leoflow.dagmodel.operator import logger_of
from leoflow.dagmodel.setup_teardown import forget_scopes
from leoflow.draw.file import DRAWN_SUFFIXES, read_drawn
from leoflow.run.push import mapped_over
from leoflow.run.templates import environment_of, holds_template
from leoflow.shim.finder import install

_DATE_KEYS = frozenset(key for key in CONTEXT_KEYS if "date" in key or "interval" in key) | {"dag_run"}


def module_name(dag_file: str) -> str:
    """A name no other module has, the same for the same path inside a project."""
    stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(dag_file))[0])
    return f"leoflow_dag_{hashlib.sha256(dag_file.encode()).hexdigest()[:8]}_{stem}"


def prepare(root: str, path: Iterable[str] = ()) -> str:
    """Make this process ready for the DAG files of a project: the shim, an empty stack, the import path. Answers the absolute root.

    path: more folders to import from, after the root
    """
    install()
    stack.reset()
    forget_scopes()
    root = os.path.abspath(root)
    dag_module.project_root = root
    for folder in reversed([root, *map(os.path.abspath, path)]):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    return root


def execute_file(root: str, dag_file: str, path: Iterable[str] = ()) -> ModuleType:
    """Run a DAG file as a module. What it raises goes through.

    root: the project's folder
    dag_file: path inside it, with /
    path: more folders to import from, after the root
    """
    return run_file(prepare(root, path), dag_file)


def run_file(root: str, dag_file: str) -> ModuleType:
    """Run a file of a prepared project as a module."""
    name, file = module_name(dag_file), os.path.join(root, *dag_file.split("/"))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def dags_of(module: ModuleType) -> list[DAG]:
    """The DAGs of a file: those that its names hold, and those that registered themselves; in the order they were made."""
    named = [value for value in vars(module).values() if isinstance(value, DAG)]
    found: dict[int, DAG] = {id(dag): dag for dag in (*stack.registered_dags, *named)}
    return list(found.values())


def load_dag(root: str, dag_file: str, dag_id: str, path: Iterable[str] = ()) -> DAG:
    """The DAG with its functions, ready for `run_task`. Imports what its tasks will need, so that a fork finds it there.

    Raises `DagNotFound` when the file has no such DAG, and whatever the file raises.
    """
    stack.set_parsing_context(dag_id, None)
    if dag_file.endswith(DRAWN_SUFFIXES):
        dags = read_drawn(prepare(root, path), dag_file, dag_id)
    else:
        dags = dags_of(execute_file(root, dag_file, path))
    for dag in dags:
        if dag.dag_id == dag_id:
            warm(dag)
            return dag
    raise DagNotFound(f"{dag_file} has no DAG {dag_id!r}; it has {sorted(dag.dag_id for dag in dags)}")


def warm(dag: DAG) -> None:
    """Do now what would be the same for every task instance: import what tasks use, prepare mapped operators, work out signatures."""
    mapped_over(dag)
    _name_in_environment(dag)
    for task in dag.tasks:
        if task.is_mapped:
            task.prepare()
        if task.logger_name is None:
            logger_of(task.operator_class, None)
        for name in getattr(task.operator_class, "modules_needed", ()):
            _try_import(name)
        if _wants_dates(task):
            _try_import("pendulum")
        if _wants_templates(task):
            _try_import("pendulum")
            _try_import("jinja2")
            _try_import("leoflow.dagmodel.connections")
            environment_of(dag, native=bool(dag.render_template_as_native_obj))


def _name_in_environment(dag: DAG) -> None:
    # What most instances will set, so that they find it there; each sets what differs.
    os.environ["AIRFLOW_CTX_DAG_ID"] = dag.dag_id
    os.environ["AIRFLOW_CTX_TRY_NUMBER"] = "1"
    owner = dag.tasks[0].owner if dag.tasks else None
    if owner and isinstance(owner, str) and all(task.owner == owner for task in dag.tasks):
        os.environ["AIRFLOW_CTX_DAG_OWNER"] = owner


def _try_import(name: str) -> None:
    # A missing package fails the task that needs it, with its own message, not the whole DAG.
    try:
        importlib.import_module(name)
    except ImportError:
        pass


def _wants_dates(task: Any) -> bool:
    function = getattr(task, "python_callable", None)
    if function is None:
        return not task.operator_class.__module__.startswith("leoflow.dagmodel.")
    try:
        takes_any, names, _ = call_plan(inspect.unwrap(function))
    except (TypeError, ValueError):
        return True
    return takes_any or not _DATE_KEYS.isdisjoint(names)


def _wants_templates(task: Any) -> bool:
    if task.map_index_template:
        return True
    values = [getattr(task, name, None) for name in task.template_fields]
    return any(holds_template(value, tuple(task.template_ext)) for value in values)
