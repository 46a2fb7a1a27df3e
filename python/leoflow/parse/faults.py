"""What is wrong with a DAG file, as its author should read it: file, line, message, and what to do."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from typing import Any

from leoflow.dagmodel.errors import (
    AirflowDagCycleException,
    AirflowNotFoundException,
    AirflowRuntimeError,
    AirflowTimetableInvalid,
    DuplicateTaskIdFound,
    ParamValidationError,
    UnsupportedFeature,
    UnsupportedImport,
)
from leoflow.dagmodel.notices import PACKAGE_ROOT


@dataclass(frozen=True)
class Fault:
    """One error or warning."""

    file: str
    line: int
    message: str
    hint: str
    kind: str
    column: int | None = None
    # In a drawing: number of the DAG, then keys down to what is meant.
    place: tuple[Any, ...] | None = None
    task_id: str | None = None

    def to_json(self, root: str) -> dict[str, Any]:
        """The fault in the parser's document, its file below the root."""
        file = self.file
        if os.path.isabs(file) and os.path.realpath(file).startswith(root + os.sep):
            file = os.path.relpath(os.path.realpath(file), root).replace(os.sep, "/")
        document = {"file": file, "line": self.line, "message": self.message, "hint": self.hint, "kind": self.kind}
        more = {"column": self.column, "place": None if self.place is None else list(self.place)}
        return {**document, **{key: value for key, value in more.items() if value is not None}}


_KINDS: tuple[tuple[type[BaseException], str, str], ...] = (
    (DuplicateTaskIdFound, "duplicate_task_id", "Give each task and group of a DAG an id of its own."),
    (AirflowDagCycleException, "cycle", "Remove one of the edges."),
    (AirflowTimetableInvalid, "bad_schedule", "See the documentation of schedules."),
    (ParamValidationError, "bad_param", "Correct the param's default or its schema."),
    (AirflowRuntimeError, "missing_value", ""),
    (AirflowNotFoundException, "missing_value", ""),
    (SystemExit, "exit", "A DAG file must not end the process."),
    (RecursionError, "import_error", "The file calls itself without an end."),
)


def fault_of(error: BaseException, root: str, dag_file: str) -> Fault:
    """The fault that an exception of a DAG file is, placed at the author's innermost line."""
    if isinstance(error, UnsupportedImport):
        return Fault(error.file, error.line, f"{error.import_name} is not covered by runtime leoflow", error.hint, "unsupported_import")
    if isinstance(error, SyntaxError):
        message = f"{type(error).__name__}: {error.msg}"
        return Fault(error.filename or dag_file, error.lineno or 1, message, "Correct the syntax.", "syntax_error", error.offset or None)
    file, line = _author_line(error, root, dag_file)
    if isinstance(error, UnsupportedFeature):
        return Fault(file, line, f"{error.feature} is not supported by runtime leoflow", error.hint, "unsupported_feature")
    if isinstance(error, FileNotFoundError) and not error.__traceback__.tb_next:
        return Fault(dag_file, 0, str(error), "", "import_error")
    if isinstance(error, ModuleNotFoundError):
        hint = f"Put {error.name!r} below the project's folder, or install it into the project's environment."
        return Fault(file, line, str(error), hint, "missing_module")
    for kind, name, hint in _KINDS:
        if isinstance(error, kind):
            return Fault(file, line, f"{type(error).__name__}: {error}", hint, name)
    return Fault(file, line, f"{type(error).__name__}: {error}", "", "import_error")


def _author_line(error: BaseException, root: str, dag_file: str) -> tuple[str, int]:
    """The innermost frame in the project, else the innermost that is not ours."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_ours(f.filename)]
    inside = [f for f in frames if os.path.realpath(f.filename).startswith(root + os.sep) and "site-packages" not in f.filename]
    for candidates in (inside, frames):
        if candidates:
            return candidates[-1].filename, candidates[-1].lineno or 0
    return dag_file, 0


def _is_ours(file: str) -> bool:
    return file.startswith("<") or os.path.abspath(file).startswith(PACKAGE_ROOT)
