"""Parses one DAG file by the project's own Task SDK: each DAG's serialization, errors with file and line, and the modules it imported."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow import __version__ as AIRFLOW_VERSION
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk import DAG
from airflow.sdk.execution_time import task_runner
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.file import get_unique_dag_module_name

from leoflow.airflow_runtime import parse_plugins, settings
from leoflow.airflow_runtime.parse_comms import ParseComms
from leoflow.airflow_runtime.parse_facts import Calls, facts_of
from leoflow.airflow_runtime.parse_faults import fault_of, serialization_fault
from leoflow.dagmodel import masking
from leoflow.dagmodel.notices import Notice, take_notices
from leoflow.parse.faults import Fault
from leoflow.parse.named_files import find_named_files
from leoflow.parse.planted import warn_of_secrets
from leoflow.parse.sources import ReadFiles, digests, is_local, local_modules, relative_path, told_once
from leoflow.parse.template_files import template_files

_WARNING = re.compile(r"^(?P<file>.*?):(?P<line>\d+): (?P<kind>[\w.]+): (?P<message>.*)$", re.DOTALL)
#: Where an object lies in memory is no part of what a DAG is.
_ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]{6,}(?=[ >])")


class _Bag(BundleDagBag):
    """Airflow's bag, which knows ids that are used twice, and which files templates are read from."""

    def __init__(self, root: str, file: str) -> None:
        self.templates: dict[int, list[str]] = {}
        self._root, self._path = root, os.path.join(root, *file.split("/"))
        super().__init__(dag_folder=self._path, bundle_path=Path(root), bundle_name=settings.BUNDLE, safe_mode=False, load_op_links=False)

    def bag_dag(self, dag: Any) -> None:
        """Airflow reads the templates' files in here."""
        self.templates[id(dag)] = template_files(_with_search_path(dag), self._root)
        super().bag_dag(dag)

    def duplicates(self) -> list[Any]:
        """DAGs of the file that another one with the same id has hidden."""
        module = sys.modules.get(get_unique_dag_module_name(self._path))
        drawn = [value for value in vars(module).values() if isinstance(value, DAG)] if module is not None else []
        return [dag for dag in drawn if self.dags.get(dag.dag_id, dag) is not dag]


def parse_file(file: str, root: str) -> dict[str, Any]:
    """One document: `dags` as `{serialization, facts, given, sources}`, and beside them what `leoflow.parse` answers.

    file: the DAG file, as a path from the root or from the working folder. Never raises for what the file does.
    """
    root = os.path.realpath(root)
    relative = relative_path(file, root)
    document: dict[str, Any] = {"dags": [], "errors": [], "warnings": [], "modules": [], "python": platform.python_version(), "airflow": AIRFLOW_VERSION}
    before = set(sys.modules)
    read = ReadFiles(root)
    take_notices()
    comms = task_runner.SUPERVISOR_COMMS = ParseComms(root, relative)
    calls = Calls(root)
    calls.watch()
    # A plugin for Airflow's web server may want packages that no task needs.
    plugin_faults = [Fault(path, 0, f"the plugin does not import: {why}", "", "warning") for path, why in parse_plugins.load()]
    bag = _Bag(root, relative)
    parse_plugins.add_imported()
    faults = [*(_duplicate_fault(dag, calls) for dag in bag.duplicates()), *(fault_of(text, root, relative) for text in bag.import_errors.values())]
    modules = [*local_modules(root, relative, before), *read.take()]
    for dag_id in sorted(bag.dags):
        try:
            document["dags"].append(_describe(bag.dags[dag_id], bag, calls))
        except Exception as error:
            faults.append(serialization_fault(error, bag.dags[dag_id], calls.of(bag.dags[dag_id]).get("line", 0)))
    named = find_named_files(root, relative, modules)
    for described in document["dags"]:
        described["sources"] = digests(root, [relative, *modules, *described.pop("templates"), *named.files])
    if not bag.dags and not faults:
        faults.append(Fault(relative, 1, "the file holds no DAG", "Assign the DAG to a name of the module, or call the @dag function.", "no_dag"))
    document.update(modules=modules, left_out=told_once([*read.left_out, *named.left_out]), awaited=named.awaited, needed=comms.needed, errors=[fault.to_json(root) for fault in faults])
    document["warnings"] = [fault.to_json(root) for fault in [*plugin_faults, *_import_warnings(bag, root), *map(_warning, take_notices())]]
    for told in (*document["errors"], *document["warnings"]):
        told["message"], told["hint"] = masking.mask(told["message"]), masking.mask(told["hint"])
    return document


def _describe(dag: Any, bag: _Bag, calls: Calls) -> dict[str, Any]:
    serialization = _without_machine(DagSerialization.to_dict(dag), dag)
    given = calls.of(dag)
    warn_of_secrets(SimpleNamespace(dag_id=dag.dag_id, fileloc=dag.fileloc, line=given.get("line", 0)), serialization)
    return {"serialization": serialization, "facts": facts_of(dag), "given": given, "templates": bag.templates[id(dag)], "run_listeners": parse_plugins.run_listeners()}


def _without_machine(serialization: dict[str, Any], dag: Any) -> dict[str, Any]:
    """As the SDK wrote it, less what is of this machine and this process: folders, addresses in memory, and the order of sets.

    Each would make another version of the same DAG wherever, and whenever, it is compiled; none says anything about the DAG.
    """
    document = serialization["dag"]
    document["fileloc"] = dag.relative_fileloc
    document["_processor_dags_folder"] = ""
    for task in document["tasks"]:
        # Operators with a virtual environment take theirs from a set.
        task["__var"]["template_fields"] = sorted(task["__var"]["template_fields"])
    return _without_addresses(serialization)


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return _ADDRESS.sub("0x0", value) if " at 0x" in value else value
    if isinstance(value, dict):
        return {key: _without_addresses(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_addresses(item) for item in value]
    return value


def _with_search_path(dag: Any) -> Any:
    paths = dag.template_searchpath
    tasks = [_as_partial(task) if task.is_mapped else task for task in dag.tasks]
    return SimpleNamespace(fileloc=dag.fileloc, tasks=tasks, template_searchpath=[paths] if isinstance(paths, str) else list(paths or ()))


def _as_partial(task: Any) -> Any:
    """A mapped task with what is known of its template fields: what is the same for all, or the values of a literal."""
    expanded = task._get_specified_expand_input().value
    given = {**task.partial_kwargs, **(expanded if isinstance(expanded, dict) else {})}
    return SimpleNamespace(template_ext=task.template_ext, template_fields=task.template_fields, **{name: given.get(name) for name in task.template_fields})


def _duplicate_fault(dag: Any, calls: Calls) -> Fault:
    return Fault(dag.fileloc, calls.of(dag).get("line", 0), f"the DAG id {dag.dag_id!r} is used twice", "Give each DAG an id of its own.", "duplicate_dag_id")


def _import_warnings(bag: _Bag, root: str) -> list[Fault]:
    """Warnings of Python that name a line of the project."""
    matches = [_WARNING.match(text) for texts in bag.captured_warnings.values() for text in texts]
    inside = [match for match in matches if match and is_local(match["file"], root)]
    return [Fault(match["file"], int(match["line"]), f"{match['kind'].rsplit('.', 1)[-1]}: {match['message']}", "", "warning") for match in inside]


def _warning(notice: Notice) -> Fault:
    return Fault(notice.file, notice.line, notice.message, notice.hint, "warning")
