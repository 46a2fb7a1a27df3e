"""What a DAG file is answered that reads variables and connections while it is parsed: what was given, and a note of what was not."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from leoflow.airflow_runtime.import_comms import ImportComms
from leoflow.dagmodel import masking
from leoflow.dagmodel.notices import Notice, record
from leoflow.parse.sources import is_local


class ParseComms(ImportComms):
    """Knows the values of LEOFLOW_PARSE_SECRETS_FILE. Every value read is masked from now on and warned of; one that is missing is noted."""

    def __init__(self, root: str, file: str) -> None:
        super().__init__(_given())
        self._root, self._file = root, file
        self._needed: dict[tuple[str, str], None] = {}

    @property
    def needed(self) -> list[dict[str, str]]:
        """What was asked for and not found, in order."""
        return [{"kind": kind, "name": name} for kind, name in self._needed]

    def send(self, msg: Any) -> Any:
        """Answer one question."""
        from airflow.sdk.execution_time.comms import GetConnection, GetVariable, MaskSecret, OKResponse

        if isinstance(msg, MaskSecret):
            masking.add(msg.value)
            return OKResponse(ok=True)
        if isinstance(msg, GetVariable):
            self._note("variable", msg.key, self._variables.get(msg.key))
        elif isinstance(msg, GetConnection):
            self._note("connection", msg.conn_id, self._connections.get(msg.conn_id))
        return super().send(msg)

    def _note(self, kind: str, name: str, value: Any) -> None:
        use = f"{{{{ var.value.{name} }}}}" if kind == "variable" else f"{{{{ conn.{name}.host }}}}"
        message = f"the {kind} {name!r} is read while the file is imported: what was drawn with its value is fixed in this version"
        record(Notice(*self._place(), message, f"Read it in a task, or in a template: {use}."))
        if value is None:
            self._needed[(kind, name)] = None
        elif kind == "variable":
            masking.add_named(value, name, f"a secret of the variable {name!r}")
        else:
            masking.add(value.get("password"), f"the password of the connection {name!r}")
            masking.add_named(value.get("extra"), what=f"a secret in the extra of the connection {name!r}")

    def _place(self) -> tuple[str, int]:
        """The author's line that asks."""
        frame = sys._getframe()
        while frame is not None:
            if is_local(frame.f_code.co_filename, self._root):
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return self._file, 0


def _given() -> dict[str, Any]:
    path = os.environ.get("LEOFLOW_PARSE_SECRETS_FILE")
    if not path:
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)
