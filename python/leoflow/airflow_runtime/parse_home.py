"""Where Airflow keeps what it writes while a DAG file is parsed, and which of the project's own settings it reads."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from leoflow.airflow_runtime import settings


@contextmanager
def home() -> Iterator[str]:
    """The folder that the compiler keeps for Airflow, else one that is gone afterwards."""
    given = os.environ.get("LEOFLOW_PARSE_AIRFLOW_HOME")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="leoflow-airflow-") as scratch:
        yield scratch


def prepare(root: str, paths: list[str], folder: str) -> None:
    """Make this process ready to import the Task SDK for a project; called again after a fork it changes nothing but what the fork forgot.

    root: the project's folder; paths: more folders to import from; folder: one of ours, made when it is missing: see `home`
    """
    os.makedirs(folder, exist_ok=True)
    config = _own_config(root) or os.path.join(folder, "airflow.cfg")
    if not os.path.exists(config):
        # Without one Airflow would write all of its defaults there.
        with open(config, "a", encoding="utf-8"):
            pass
    os.environ["AIRFLOW_CONFIG"] = config
    _import_from_config_of(os.environ.get("AIRFLOW_HOME") or folder)
    os.environ["AIRFLOW_HOME"] = folder
    settings.prepare_process(folder)
    settings.prepare_project(root, paths)
    # No database is opened: nothing of the server's is within reach of a DAG file.
    os.environ["_AIRFLOW__REEXECUTED_PROCESS"] = "1"
    # Whoever started this process ends it in time, and wants to see where in the project an error came from.
    os.environ.setdefault("AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT", "0")
    os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACKS"] = "True"
    os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH"] = "1000"


def _import_from_config_of(airflow_home: str) -> None:
    """As Airflow does for its home: `airflow_local_settings` and the like lie there."""
    config = os.path.join(airflow_home, "config")
    if config not in sys.path:
        sys.path.append(config)


def _own_config(root: str) -> str | None:
    """The airflow.cfg that the environment names, else the one in the project's folder or the one above it."""
    named = os.environ.get("AIRFLOW_CONFIG")
    at_home = os.path.join(os.environ["AIRFLOW_HOME"], "airflow.cfg") if os.environ.get("AIRFLOW_HOME") else None
    beside = [os.path.join(root, "airflow.cfg"), os.path.join(os.path.dirname(root), "airflow.cfg")]
    return next((os.path.abspath(path) for path in (named, at_home, *beside) if path and os.path.isfile(path)), None)
