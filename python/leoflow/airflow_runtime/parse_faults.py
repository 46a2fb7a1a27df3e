"""What went wrong with a DAG file of the Task SDK, from the text of a traceback: file, line, message, and what to do."""

from __future__ import annotations

import re
from typing import Any

from leoflow.parse.faults import Fault
from leoflow.parse.sources import is_local
from leoflow.run.place import place_of

_FRAME = re.compile(r'^\s+File "(?P<file>.+?)", line (?P<line>\d+)', re.MULTILINE)
_HINTS = (
    ("ModuleNotFoundError", "missing_module", "Put {name!r} below the project's folder, or add its package to dependencies.python of leoflow.yaml."),
    ("ImportError", "import_error", "Is the package of the version that the file was written for?"),
    ("SyntaxError", "syntax_error", "Correct the syntax."),
    ("DuplicateTaskIdFound", "duplicate_task_id", "Give each task and group of a DAG an id of its own."),
    ("AirflowDagCycleException", "cycle", "Remove one of the edges."),
    ("ParamValidationError", "bad_param", "Correct the param's default or its schema."),
    ("SystemExit", "exit", "A DAG file must not end the process."),
)
_VALUE = re.compile(r"(VARIABLE_NOT_FOUND|CONNECTION_NOT_FOUND|The conn_id `)")


def fault_of(text: str, root: str, file: str) -> Fault:
    """The fault that the text of an error means, placed at the author's innermost line.

    text: a traceback, or only `Type: message`; file: the DAG file as a path from the root
    """
    frames = [(match["file"], int(match["line"])) for match in _FRAME.finditer(text)]
    inside = [frame for frame in frames if is_local(frame[0], root)]
    place, line = (inside or [(file, 0)])[-1]
    message = _message(text)
    kind, hint = _kind(message)
    return Fault(place, line, message, hint, kind)


def error_of(text: str, folders: list[str]) -> dict[str, str]:
    """What a DAG file raised, as a ReportedError.

    text: a traceback, or only `Type: message`
    folders: where the author's own files are
    """
    kind, _, message = _message(text).partition(": ")
    place = place_of([(match["file"], int(match["line"])) for match in _FRAME.finditer(text)], folders)
    error = {"type": kind[:200], "message": message[:4000], "traceback": text[-16000:]}
    return error if place is None else {**error, "place": place}


def serialization_fault(error: BaseException, dag: Any, line: int) -> Fault:
    """A DAG that was drawn, at a line, and cannot be written down."""
    message = f"{dag.dag_id}: {error}"
    unknown = re.search(r"(?:Timetable class|Unknown priority strategy) '?([\w.]+)'?", str(error))
    hint = "" if unknown is None else f"Put {unknown[1]} into a plugin of the project: a file in its plugins folder with an AirflowPlugin that names the class."
    return Fault(str(dag.fileloc), line, message, hint, "unserializable")


def _message(text: str) -> str:
    """The last exception of a traceback with all of its lines, else the text itself."""
    frames = list(_FRAME.finditer(text))
    if not frames:
        return text.strip()
    lines = text[frames[-1].end():].split("\n")[1:]
    start = next((index for index, line in enumerate(lines) if line and not line[0].isspace()), len(lines))
    return "\n".join(lines[start:]).strip() or text.strip().split("\n")[-1]


def _kind(message: str) -> tuple[str, str]:
    if _VALUE.search(message):
        return "missing_value", ""
    name = re.search(r"No module named '([^']+)'", message)
    said = message.split(":", 1)[0].rsplit(".", 1)[-1]
    for kind, word, hint in _HINTS:
        if said == kind:
            return word, hint.format(name=name[1] if name else "the module")
    return "import_error", ""
