"""One execution in the foreground of a terminal: plain output, the keyboard, a debugger. For `leoflow test`.

`python -m leoflow.agent.attached JOB` reads the job's file, runs the task and reports to the server that the job names.
"""

from __future__ import annotations

import inspect
import io
import json
import logging
import os
import sys
import traceback
from typing import Any

from leoflow.agent import attempt
from leoflow.dagmodel import masking, secrets
from leoflow.run.load import load_dag
from leoflow.run.task import run_task

_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class _Lines(logging.Formatter):
    """Level and message; of a traceback only what is not ours, unless there is nothing else."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The traceback as text."""
        shown = traceback.TracebackException(*ei)
        foreign = [frame for frame in shown.stack if not frame.filename.startswith(_OWN)]
        if foreign:
            shown.stack = traceback.StackSummary.from_list(foreign)
        return "".join(shown.format()).rstrip()


class _Masked(io.TextIOBase):
    """A stream whose lines hide the secrets that were fetched."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._rest = stream, ""

    @property
    def buffer(self) -> Any:
        """Bytes go as they are."""
        return self._stream.buffer

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._stream.write(masking.mask(line) + "\n")
        return len(text)

    def flush(self) -> None:
        if self._rest:
            self._stream.write(masking.mask(self._rest))
            self._rest = ""
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def main() -> None:
    """Run the job of the file named on the command line."""
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    # What a task prints on this terminal is masked as its log would be. A debugger has the terminal for itself.
    if not job.get("debug"):
        sys.stdout = _Masked(sys.stdout)
        sys.stderr = _Masked(sys.stderr)
    home, spec = job["fork_server"], job["spec"]
    os.environ.update(spec.get("env") or {})
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines("%(levelname)-7s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    os.chdir(home["cwd"])
    secrets.hand_over(home.get("import_secrets"))
    dag = load_dag(home["root"], home["dag_file"], home["dag_id"], home["path"])
    server = attempt.Server(None, "", home["address_file"])
    server.token = spec["token"]
    api = attempt.TaskApi(server, spec)
    report = _debugged(dag, spec, api) if job.get("debug") else run_task(dag, spec, api)
    sys.stdout.flush()
    sys.stderr.flush()
    server.post(attempt.REPORT, report, 60)


def _debugged(dag: Any, spec: dict[str, Any], api: Any) -> dict[str, Any]:
    """Under pdb, which stops in the task's function, or in `execute` of its operator."""
    import pdb

    task = dag.task_dict.get(spec["task_id"])
    function = inspect.unwrap(getattr(task, "python_callable", None) or task.operator_class.execute)
    debugger = pdb.Pdb()
    code = function.__code__
    debugger.set_break(code.co_filename, code.co_firstlineno, temporary=True, funcname=code.co_name)
    # `continue` at the first stop, which is before anything of the author's ran.
    debugger.rcLines.append("continue")
    return debugger.runcall(run_task, dag, spec, api)


if __name__ == "__main__":
    main()
