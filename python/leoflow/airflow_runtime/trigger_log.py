"""The log lines of triggers, each in the log of the task that waits for it."""

from __future__ import annotations

import io
import json
import os
from datetime import datetime, timezone

#: Marks the lines of one trigger among all that this process writes.
_FIELD = "trigger_id"


class TriggerLogs(io.RawIOBase):
    """Where the SDK's logging writes in a trigger host: splits what comes by the trigger that runs."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def install(self) -> None:
        """From here on every log line of this process comes through here."""
        from airflow.sdk.log import configure_logging, reset_logging

        reset_logging()
        configure_logging(json_output=True, output=self)

    def bind(self, identifier: str, path: str | None) -> None:
        """Lines of the coroutine that calls belong to this trigger, and go into this file."""
        from structlog.contextvars import bind_contextvars

        bind_contextvars(**{_FIELD: identifier})
        if path:
            self._files[identifier] = path

    def drop(self, identifier: str) -> None:
        """The trigger is over."""
        self._files.pop(identifier, None)

    def note(self, identifier: str, level: str, text: str) -> None:
        """One line of ours."""
        self.write(json.dumps({"timestamp": datetime.now(tz=timezone.utc).isoformat(), "level": level, "logger": "leoflow.triggers", "event": text, _FIELD: identifier}).encode() + b"\n")

    def writable(self) -> bool:
        """True: a logger writes to it."""
        return True

    def write(self, line) -> int:
        """Take one line of JSON."""
        path, data = self._place(bytes(line))
        if path is None:
            os.write(2, data)
            return len(line)
        try:
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        except OSError:
            # A log that cannot be kept is no reason to fail a trigger.
            return len(line)
        try:
            os.write(file, data)
        finally:
            os.close(file)
        return len(line)

    def _place(self, line: bytes) -> tuple[str | None, bytes]:
        try:
            record = json.loads(line)
            identifier = record.pop(_FIELD, None)
        except (ValueError, AttributeError):
            return None, line
        path = self._files.get(identifier)
        return path, line if path is None else json.dumps(record).encode() + b"\n"
