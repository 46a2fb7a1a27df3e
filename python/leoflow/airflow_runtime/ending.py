"""What a task said of its end, and how its process ended: gathered by its supervisor, so that the server can explain the end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Generator
from typing import Any

from leoflow.agent.processes import memory_kills
from leoflow.run.place import in_words, place_of

#: The header by which a state report brings it to the server.
HEADER = "leoflow-ending"
#: A report whose headers are longer is refused.
MAX_BYTES = 6_000
MAX_TYPE_CHARS, MAX_MESSAGE_CHARS, MAX_PLACE_CHARS = 200, 2_000, 300
#: The Task SDK's task runner, which says by which exception a task ended.
_RUNNER = "task_runner.py"
#: What it says when the DAG file that it has imported holds no such DAG; whoever imported it has said why.
_NO_DAG = {"Dag not found during start up"}
_NO_IMPORT = "Failed to import: "
#: What it says before it ends its process itself.
_LAST_WORDS = {"Top level error", "Task not found in Dag during start up", *_NO_DAG}
#: How the server calls an error that is no exception.
_NO_EXCEPTION = "ExecutionEnded"
#: What a line without an exception names.
_NAMED = ("trigger_dag_id", "dag_id", "state")


class Ending:
    """The end of one execution.

    folders: where the author's own files are
    mask: hides the secrets in a text that the task was given; what it says of its end comes as it said it
    """

    def __init__(self, spec: dict, folders: list[str], mask: Callable[[str], str]):
        self._mask = mask
        self._spec = spec
        self._folders = folders
        self._said: dict[str, Any] = {}
        #: By the DAG file, where each task imports it.
        self._raised_by_file: dict[str, Any] = {}
        self._is_settled = False
        self._memory_kills = memory_kills()

    def listen(self, lines: Generator[None, bytes, None]) -> Generator[None, bytes, None]:
        """Hand the task's log lines on to `lines`, and remember what its runner says of the end."""
        next(lines)
        while True:
            line = yield
            self._hear(bytes(line))
            lines.send(line)

    def _hear(self, line: bytes) -> None:
        if self._is_settled or self._said.get("event") in _LAST_WORDS or not (b"error" in line or b"reason" in line):
            return
        try:
            said = json.loads(line)
        except ValueError:
            return
        event = str(said.get("event"))
        if said.get("filename", _RUNNER) == _RUNNER and said.get("logger", "task") == "task" and (said.get("level") == "error" or "reason" in said):
            self._said = {**said, **self._raised_by_file} if event in _NO_DAG else said
        elif event.startswith(_NO_IMPORT) and _detail_of(said):
            self._raised_by_file = {"error_detail": _detail_of(said)}

    def settle(self) -> None:
        """The state is decided: what the runner says from here on is about callbacks."""
        self._is_settled = True

    def of_task(self) -> str:
        """Of a task that has told its state: the exception behind it."""
        return self._text(self._error())

    def of_process(self, exit_code: int) -> str:
        """Of a task whose process ended without a state.

        exit_code: the negative number of a signal
        """
        number = -exit_code if exit_code < 0 else None
        oom = number == signal.SIGKILL and memory_kills() > self._memory_kills
        known = self._error() if number is None and self._said.get("event") in _LAST_WORDS else {}
        return self._text({**known, "process": {"status": exit_code if number is None else -1, "signal": number, "oom": oom}})

    def _error(self) -> dict[str, Any]:
        said = self._said
        event = str(said.get("event", ""))
        detail = _detail_of(said)
        if detail:
            return {**self._of_exception(detail), **({"cause": "config"} if event in _NO_DAG else {})}
        if "reason" in said:
            return _error("AirflowSkipException", str(said["reason"]))
        if "exit_code" in said:
            return _error("SystemExit", f"the task called sys.exit({said['exit_code']!r})")
        about = ", ".join(f"{name} {said[name]}" for name in _NAMED if name in said)
        return _error(_NO_EXCEPTION, f"{event.rstrip('.')} ({about})" if about else event) if event else {}

    def _of_exception(self, raised: list[dict[str, Any]]) -> dict[str, Any]:
        chain = raised[1:] if _is_of_the_runner(raised) else raised
        first = chain[0]
        kind, message = str(first.get("exc_type", "Exception")), str(first.get("exc_value", ""))
        frames = [[frame for frame in one.get("frames") or []] for one in chain]
        places = (place_of([(str(frame["filename"]), int(frame["lineno"])) for frame in each], self._folders) for each in frames)
        place = next((each for each in places if each is not None), None)
        limit = self._spec.get("execution_timeout_seconds")
        if kind == "AirflowTaskTimeout" and limit is not None and message.startswith("Timeout, PID"):
            return {**_error(kind, f"the task ran longer than its execution_timeout of {limit:g} s", place), "cause": "timeout"}
        names = [str(frame["name"]) for each in frames for frame in each if str(frame["filename"]).endswith(_RUNNER)]
        return _error(kind, self._of_resuming(kind, in_words(kind, message, names)), place)

    def _of_resuming(self, kind: str, message: str) -> str:
        method = (self._spec.get("resume") or {}).get("next_method")
        if method is None or kind != "AttributeError" or not message.endswith(f"has no attribute {method!r}"):
            return message
        return f"{message}, which it named as method_name when it deferred"

    def _text(self, ending: dict[str, Any]) -> str:
        """As a header's value: ASCII, no control characters, no secrets."""
        if "error" in ending:
            error = ending["error"]
            # Cut after that: half a secret would not be known as one.
            ending = {**ending, "error": {**error, "type": self._mask(error["type"])[:MAX_TYPE_CHARS], "message": self._mask(error["message"])[:MAX_MESSAGE_CHARS]}}
        text = _ascii(ending)
        while len(text) > MAX_BYTES:
            error = ending["error"]
            ending = {**ending, "error": {**error, "message": error["message"][: len(error["message"]) // 2]}}
            text = _ascii(ending)
        return text


def _ascii(ending: dict[str, Any]) -> str:
    return json.dumps(ending).replace("\x7f", "\\u007f")


def _detail_of(said: dict[str, Any]) -> list[dict[str, Any]]:
    detail = said.get("error_detail") or said.get("exception")
    return detail if isinstance(detail, list) else []


def _is_of_the_runner(chain: list[dict[str, Any]]) -> bool:
    """Whether the runner has stumbled while it handled another exception, which is the one to tell: triggering a DAG that is not there."""
    frames = chain[0].get("frames") or []
    return len(chain) > 1 and chain[0].get("exc_type") == "UnboundLocalError" and bool(frames) and str(frames[-1]["filename"]).endswith(_RUNNER)


def _error(kind: str, message: str, place: str | None = None) -> dict[str, Any]:
    error = {"type": kind, "message": message}
    return {"error": error if place is None else {**error, "place": place[:MAX_PLACE_CHARS]}}
