"""Imports DAG files with a real Airflow, each in a process of its own: names of files on standard input, `{file: {dags, error, beyond}}` on standard output.

`beyond`: when a package is missing, what the file comes to with something in its place; that may be the place-holder's own doing.

    AIRFLOW_HOME=… python ask_airflow.py ROOT [IMPORT_PATH…] < files
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import sys
from pathlib import Path

ROOT = os.path.abspath(sys.argv[1])
SECONDS = 60
sys.path[:0] = [ROOT, *sys.argv[2:]]
# Airflow and the files print to the standard output while they are imported; the answer has it for itself.
ANSWER = os.dup(1)
os.dup2(2, 1)

from placeholders import install  # noqa: E402

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.utils import db  # noqa: E402


def main() -> None:
    """Ask for every file, one after the other: a file may change what the next would see."""
    db.initdb()
    logging.disable(logging.CRITICAL)
    answers = {file: _ask_twice(file) for file in (line.rstrip("\n") for line in sys.stdin) if file}
    with os.fdopen(ANSWER, "w", encoding="utf-8") as out:
        json.dump(answers, out)


def _ask_twice(file: str) -> dict[str, object]:
    answer = _ask(file)
    if "No module named" not in str(answer["error"]):
        return {**answer, "beyond": None}
    return {**answer, "beyond": _ask(file, replace_missing=True)["error"]}


def _ask(file: str, replace_missing: bool = False) -> dict[str, object]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            if replace_missing:
                install()
            text = json.dumps(_read(file))
        except BaseException as error:  # SystemExit of the file as well
            text = json.dumps({"dags": [], "error": f"{type(error).__name__}: {error}"})
        with os.fdopen(writing, "w", encoding="utf-8") as out:
            out.write(text)
        os._exit(0)
    os.close(writing)
    try:
        return _answer(pid, reading)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _answer(pid: int, reading: int) -> dict[str, object]:
    text = b""
    while select.select([reading], [], [], SECONDS)[0]:
        chunk = os.read(reading, 1 << 16)
        if not chunk:
            return json.loads(text) if text else {"dags": [], "error": "the process ended"}
        text += chunk
    return {"dags": [], "error": f"importing took longer than {SECONDS} s"}


def _read(file: str) -> dict[str, object]:
    bag = DagBag(os.path.join(ROOT, file), include_examples=False, safe_mode=False, bundle_path=Path(ROOT), bundle_name="assessed")
    return {"dags": sorted(bag.dag_ids), "error": next(iter(bag.import_errors.values()), None)}


if __name__ == "__main__":
    main()
