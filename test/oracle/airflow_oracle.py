"""Shared by the recorders in this folder: an Airflow home that needs no database, and compact JSON output."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from importlib import metadata

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-oracle-"))
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
# Zone rules come from the pinned tzdata package, never from the machine.
os.environ.setdefault("PYTHONTZPATH", "")

HERE = pathlib.Path(__file__).resolve().parent


def versions(*packages: str) -> dict[str, str]:
    """The versions of the packages that gave the answers."""
    return {name: metadata.version(name) for name in packages}


def write(name: str, head: dict, rows: list) -> None:
    """Write a fixture: its head on the first line, then one row a line, so that a change reads well in a diff."""
    body = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
    start = json.dumps(head, separators=(",", ":"), ensure_ascii=False)[:-1]
    (HERE / name).write_text(f'{start},"rows":[\n{body}\n]}}\n', encoding="utf-8")
    print(f"{name}: {len(rows)} rows")
