"""The file of outcomes: what an execution leaves on the disk, so that a leader learns it when the report never arrives."""

from __future__ import annotations

import os


def append_outcome(spec: dict, record: bytes) -> str | None:
    """Append the record of the execution that `spec` (an ExecutionSpec) is about; answers what went wrong, None for nothing.

    record: JSON on one line
    """
    path = spec.get("outcome_file")
    if not path:
        return None
    try:
        # Opened for this record only: the leader renames the file when it is large.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # One call, so that records of several executions never mix. One that a full disk cut short ends where the next begins.
            head = f"\n{spec['execution_id']} ".encode("ascii")
            if os.writev(file, (head, record, b"\n")) <= len(head) + len(record):
                return "the outcome could not be written whole"
        finally:
            os.close(file)
    except OSError as error:
        return f"the outcome could not be written: {error}"
    return None
