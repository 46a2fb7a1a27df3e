"""The drawings of one file: drawn while it is compiled, and read from the document beside it at run time."""

from __future__ import annotations

import json
import os
from typing import Any

from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.errors import AirflowException, DagNotFound
from leoflow.draw.drawer import Drawn, draw
from leoflow.draw.references import References

# A DAG file of another language; its drawings lie beside it as `<file>.json`.
DRAWN_SUFFIXES = (".yaml", ".yml", ".ts", ".mts", ".js", ".mjs")


def draw_all(root: str, file: str, drawings: list[dict[str, Any]], references: References) -> list[Drawn]:
    """Every drawing of a file, in a prepared process.

    root: absolute path of the project; file: path of the file inside it
    """
    fileloc = os.path.join(root, *file.split("/"))
    return [draw(drawing, references, fileloc) for drawing in drawings]


def read_drawn(root: str, file: str, dag_id: str) -> list[DAG]:
    """The DAG of this id, built from the document beside its file.

    Raises `DagNotFound`, and `AirflowException` or what a module raised when it cannot be built.
    """
    with open(os.path.join(root, *f"{file}.json".split("/")), encoding="utf-8") as document:
        drawings = json.load(document)["dags"]
    wanted = [drawing for drawing in drawings if drawing["dag_id"] == dag_id]
    if not wanted:
        raise DagNotFound(f"{file} has no DAG {dag_id!r}; it has {sorted(drawing['dag_id'] for drawing in drawings)}")
    (drawn,) = draw_all(root, file, wanted, References(root, file))
    for error in drawn.errors:
        raise error.cause or AirflowException(f"{file}: {'.'.join(map(str, error.path))}: {error.message}")
    return [drawn.dag]
