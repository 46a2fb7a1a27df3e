"""`python -m leoflow.convert FILE --root DIR`: one JSON document with the drawings of a DAG file and what they could not say."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from leoflow.convert.from_dag import DagWriter
from leoflow.convert.references import Names
from leoflow.dagmodel import recording
from leoflow.parse.faults import Fault, fault_of
from leoflow.run.load import dags_of, execute_file


def convert_file(file: str, root: str, names: tuple[str, str | None], path: list[str] | None = None) -> dict[str, Any]:
    """The drawings of a Python file. Never raises for what the file does.

    names: what stands before paths of the project so that they are right from the drawing's folder, and the one DAG wanted
    path: more folders to import from
    """
    prefix, dag_id = names
    root = os.path.realpath(root)
    relative = os.path.relpath(os.path.realpath(os.path.join(root, file)), root).replace(os.sep, "/")
    recording.enable()
    try:
        dags = dags_of(execute_file(root, relative, path or []))
    except (Exception, SystemExit) as error:
        return {"dags": [], "errors": [fault_of(error, root, relative).to_json(root)]}
    known, drawings, faults = Names(root, relative, prefix), [], []
    for dag in dags if dag_id is None else [dag for dag in dags if dag.dag_id == dag_id]:
        writer = DagWriter(dag, known)
        drawings.append(writer.write())
        faults.extend(Fault(place.file, place.line, message, hint, "unsayable") for place, message, hint in writer.problems)
    return {"dags": drawings, "errors": [fault.to_json(root) for fault in faults]}


def main(argv: list[str] | None = None) -> int:
    """Convert the file named on the command line and write the document to the real stdout."""
    parser = argparse.ArgumentParser(prog="leoflow.convert", description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--root", default=".")
    parser.add_argument("--prefix", default="")
    parser.add_argument("--dag", default=None)
    parser.add_argument("--path", action="append", default=[])
    arguments = parser.parse_args(argv)
    os.chdir(arguments.root)
    document_fd = os.dup(1)
    os.dup2(2, 1)
    document = convert_file(arguments.file, arguments.root, (arguments.prefix, arguments.dag), arguments.path)
    with os.fdopen(document_fd, "w", encoding="utf-8", errors="backslashreplace") as out:
        out.write(json.dumps(document, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
