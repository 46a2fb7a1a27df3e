"""Runs one DAG file and answers its DAGs as documents, its errors with file and line, and the modules it imported."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from leoflow.dagmodel import masking, secrets, stack
from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.notices import Notice, take_notices
from leoflow.draw.drawer import Drawn
from leoflow.draw.file import draw_all
from leoflow.draw.problems import DrawingError
from leoflow.draw.references import References
from leoflow.parse.check import check_dag
from leoflow.parse.emit import emit_dag
from leoflow.parse.given import given_of
from leoflow.parse.faults import Fault, fault_of
from leoflow.parse.named_files import find_named_files
from leoflow.parse.planted import warn_of_secrets
from leoflow.parse.sources import ReadFiles, digests, local_modules, relative_path, told_once
from leoflow.parse.template_files import template_files
from leoflow.run.load import dags_of, execute_file, prepare


def parse_file(file: str, root: str, dag_id: str | None = None, path: list[str] | None = None) -> dict[str, Any]:
    """The document of `python -m leoflow.parse`. Never raises for what a DAG file does.

    file: the DAG file, as a path from the root or from the working folder
    """
    root = os.path.realpath(root)
    relative = relative_path(file, root)
    document: dict[str, Any] = {"dags": [], "errors": [], "warnings": [], "python": platform.python_version(), "modules": []}
    before = set(sys.modules)
    read = ReadFiles(root)
    take_notices()
    stack.set_parsing_context(dag_id, None)
    try:
        module = execute_file(root, relative, path or [])
        dags = [dag for dag in dags_of(module) if dag_id is None or dag.dag_id == dag_id]
        faults = _collect(dags, relative, dag_id, document)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        faults = [fault_of(error, root, relative)]
        document["dags"], document["_drawn"] = [], []
    _finish(document, root, relative, {"modules": [*local_modules(root, relative, before), *read.take()], "left_out": read.left_out})
    document["errors"] = [fault.to_json(root) for fault in faults]
    document["warnings"] = [_warning(notice).to_json(root) for notice in take_notices()]
    return _closed(document)


def parse_drawings(file: str, root: str, drawings: list[dict[str, Any]], path: list[str] | None = None) -> dict[str, Any]:
    """The same document for drawings of a file, with the place of each task as `places`: per DAG, id to keys.

    file: the file that holds the drawings, as a path from the root; path: more folders to import from
    """
    root = os.path.realpath(root)
    relative = relative_path(file, root)
    document: dict[str, Any] = {"dags": [], "errors": [], "warnings": [], "python": platform.python_version(), "modules": [], "places": {}}
    before = set(sys.modules)
    take_notices()
    references = References(prepare(root, path or []), relative)
    faults: list[Fault] = []
    for index, drawing in enumerate(drawings):
        (drawn,) = draw_all(root, relative, [drawing], references)
        found = [_drawing_fault(error, root, relative, index) for error in drawn.errors]
        if not found:
            document["places"][drawn.dag.dag_id] = {task_id: [index, *path] for task_id, path in drawn.places.items()}
            found = [_placed(fault, index, drawn) for fault in _collect([drawn.dag], relative, None, document)]
        faults.extend(found)
        document["warnings"].extend(
            replace(_warning(notice), file=relative, place=(index, *(notice.place or ()))).to_json(root) for notice in take_notices()
        )
    _finish(document, root, relative, {"modules": [*local_modules(root, relative, before), *references.files], "texts": _texts_in(drawings)})
    document["errors"] = [fault.to_json(root) for fault in dict.fromkeys(faults)]
    return _closed(document)


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the file asked for and did not get. Texts for people hide the secrets that it did get; facts stay as they are."""
    document["needed"] = secrets.take_needed()
    for told in (*document["errors"], *document["warnings"]):
        told["message"], told["hint"] = masking.mask(told["message"]), masking.mask(told["hint"])
    return document


def _drawing_fault(error: DrawingError, root: str, file: str, index: int) -> Fault:
    """At the author's own line when their code raised it, else at the place in the drawing."""
    fault = Fault(file, 0, error.message, error.hint, error.kind, place=(index, *error.path))
    if error.cause is None:
        return fault
    found = fault_of(error.cause, root, file)
    own = os.path.realpath(os.path.join(root, found.file))
    if found.line > 0 and own.startswith(root + os.sep) and "site-packages" not in own and own != os.path.join(root, file):
        return found
    return replace(fault, message=error.message if found.kind == "import_error" else found.message, hint=found.hint, kind=found.kind)


def _placed(fault: Fault, index: int, drawn: Drawn) -> Fault:
    path = drawn.places.get(fault.task_id, ()) if fault.task_id is not None else ()
    return replace(fault, place=(index, *path))


def _warning(notice: Notice) -> Fault:
    return Fault(notice.file, notice.line, notice.message, notice.hint, "warning")


def _texts_in(value: Any) -> Iterator[str]:
    """Every text of a drawing but its keys."""
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts_in(item)


def _finish(document: dict[str, Any], root: str, file: str, found: dict[str, Any]) -> None:
    """Say what each DAG's sources are, which modules all of them imported, and which files they name.

    found: `modules`; `left_out` of what was read; `texts` of drawings
    """
    modules = found["modules"]
    named = find_named_files(root, file, modules, found.get("texts", ()))
    for emitted, dag in zip(document["dags"], document.pop("_drawn", [])):
        emitted["sources"] = digests(root, [file, *modules, *template_files(dag, root), *named.files])
    document.update(modules=modules, left_out=told_once([*found.get("left_out", ()), *named.left_out]), awaited=named.awaited)


def _collect(dags: list[DAG], file: str, dag_id: str | None, document: dict[str, Any]) -> list[Fault]:
    """Emit every sound DAG into the document; answer what is wrong with the others."""
    faults: list[Fault] = []
    drawn: list[DAG] = document.setdefault("_drawn", [])
    seen: dict[str, DAG] = {}
    for dag in dags:
        if dag.dag_id in seen:
            first = seen[dag.dag_id]
            faults.append(Fault(dag.fileloc, dag.line, f"the DAG id {dag.dag_id!r} is used twice, first at line {first.line}",
                                "Give each DAG an id of its own.", "duplicate_dag_id"))
            continue
        seen[dag.dag_id] = dag
        problems = check_dag(dag)
        faults.extend(problems)
        if not problems:
            document["dags"].append(emit_dag(dag, file))
            warn_of_secrets(dag, document["dags"][-1])
            document.setdefault("given", {})[dag.dag_id] = given_of(dag)
            drawn.append(dag)
    if not dags:
        wanted = f"no DAG {dag_id!r}" if dag_id else "no DAG"
        faults.append(Fault(file, 1, f"the file holds {wanted}", "Assign the DAG to a name of the module, or call the @dag function.", "no_dag"))
    return faults
