"""A task's log: print, stderr and logging records as one JSON line each, in Airflow's shape."""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from time import time as now
from typing import Any

from leoflow.dagmodel import masking
from leoflow.run.clock import text_of
from leoflow.run.json_text import make_encoder, quote

MAX_LINE_BYTES = 65_536
# Room for the other fields of a line, so that a cut text fits together with them.
_ROOM = 1_024
# Shorter texts fit whatever their characters are: an escape such as \u0000 takes six bytes.
_SURELY_FITS = (MAX_LINE_BYTES - _ROOM) // 6
_PLACE = {"filename", "lineno"}
_OWN_LINE = b'{"timestamp":"'
_SCRUBBED_BYTES = 1 << 20
_ENCODE = make_encoder(ascii_only=False)
_fd: int | None = None
# Since the last line that was written, and in all.
_gap: dict[str, Any] = {}
_gap_in_all: dict[str, Any] = {}


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` UTF-8 bytes; a longer one ends with a marker that says how much is missing."""
    if len(text) * 4 <= limit:
        return text
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return text
    kept = data[: limit - 40].decode("utf-8", "ignore")
    return f"{kept}… [{len(data) - len(kept.encode())} bytes dropped]"


def make_line(level: str, logger: str, event: str, more: dict[str, Any] | None = None, at: float | None = None) -> bytes:
    """One line of the log, at most `MAX_LINE_BYTES` with its newline."""
    moment = text_of(now() if at is None else at)
    if masking.longest:
        logger, event, more = masking.mask(logger), masking.mask(event), masking.mask_all(more)
    if len(event) < _SURELY_FITS and (more is None or more.keys() == _PLACE):
        place = "" if more is None else f',"filename":{quote(more["filename"])},"lineno":{more["lineno"]}'
        line = f'{{"timestamp":"{moment}","level":"{level}","logger":{quote(logger)},"event":{quote(event)}{place}}}\n'
        return line.encode("utf-8", "backslashreplace")
    record = {"timestamp": moment, "level": level, "logger": logger, "event": event, **(more or {})}
    line = _ENCODE(record).encode("utf-8", "backslashreplace") + b"\n"
    limit = MAX_LINE_BYTES - _ROOM
    while len(line) > MAX_LINE_BYTES and limit > 256:
        record["event"] = cut(event, limit)
        if limit < MAX_LINE_BYTES // 2:
            record.pop("error_detail", None)
        line = _ENCODE(record).encode("utf-8", "backslashreplace") + b"\n"
        limit //= 2
    return line


def write(line: bytes) -> None:
    """Append to the log. Without `install`, nothing is written. A full disk never fails the task: what is lost is counted."""
    if _fd is None:
        return
    if _gap:
        line = _gap_line() + line
    written = 0
    try:
        written = os.write(_fd, line)
        while written < len(line):
            written += os.write(_fd, memoryview(line)[written:])
        _gap.clear()
    except OSError as error:
        lose(len(line) - written, error.strerror or str(error))


def lose(count: int, reason: str) -> None:
    """Count bytes of the log that could not be written; the next line that can be says so."""
    for gap in (_gap, _gap_in_all):
        gap["bytes"] = gap.get("bytes", 0) + count
        gap["reason"] = reason


def gap_in_all() -> dict[str, Any] | None:
    """What is missing of this log: {"bytes", "reason"}; None when nothing is."""
    return dict(_gap_in_all) if _gap_in_all else None


def _gap_line() -> bytes:
    # The newline ends what may be half a line.
    return b"\n" + make_line("error", "leoflow", f"{_gap['bytes']} bytes of this log are missing: {_gap['reason']}")


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes that are written as text."""

    def __init__(self, text: io.TextIOBase) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


class LineWriter(io.TextIOBase):
    """A stream whose lines become log lines; what has no newline yet waits for `flush_rest`."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, logger: str, level: str) -> None:
        self._logger, self._level = logger, level
        self.start(1)

    @property
    def buffer(self) -> io.RawIOBase:
        """Where bytes go."""
        return _Bytes(self)

    def start(self, fd: int) -> None:
        """Begin anew, with `fd` as the file behind."""
        self._fileno, self._rest = fd, ""

    def write(self, text: str) -> int:
        """Take text; whole lines go to the log at once, in one write."""
        if "\n" in text:
            head, _, self._rest = (self._rest + text).rpartition("\n")
            if "\n" in head:
                write(b"".join([make_line(self._level, self._logger, line) for line in head.split("\n")]))
            else:
                write(make_line(self._level, self._logger, head))
        else:
            self._rest += text
            if len(self._rest) > MAX_LINE_BYTES:
                self._cut_rest()
        return len(text)

    def flush_rest(self) -> None:
        """Write what has no newline yet."""
        if self._rest:
            rest, self._rest = self._rest, ""
            write(make_line(self._level, self._logger, rest))

    def _cut_rest(self) -> None:
        """Write a line that grows too long, but for the end of it where a secret may have begun."""
        kept = max(0, masking.longest - 1)
        text = masking.mask(self._rest) if kept else self._rest
        self._rest = text[len(text) - kept:] if kept else ""
        write(make_line(self._level, self._logger, text[: len(text) - kept]))

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """The file behind, for programs that are started with this stream."""
        return self._fileno

    def isatty(self) -> bool:
        """False."""
        return False


class LogHandler(logging.Handler):
    """Logging records as log lines."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """None is needed: a record is one write. The standard library would make each child reset it after its fork."""
        self.lock = None

    def write_info(self, logger: str, event: str, filename: str, lineno: int) -> None:
        """Write what `emit` would write of an info record."""
        write(make_line("info", logger, event, {"filename": filename, "lineno": lineno}))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a record that cannot be formatted is written as it was given."""
        try:
            event = record.getMessage()
        except Exception:
            event = f"{record.msg!r} % {record.args!r}"
        more: dict[str, Any] = {"filename": record.filename, "lineno": record.lineno}
        if record.exc_info and record.exc_info[1] is not None:
            more["error_detail"] = error_detail(record.exc_info[1])
        write(make_line(record.levelname.lower(), record.name, event, more, record.created))


def error_detail(error: BaseException) -> list[dict[str, Any]]:
    """An exception, its causes and its groups, in the shape of Airflow's logs."""
    details, seen, is_cause = [], set(), False
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(details) < 20:
        seen.add(id(current))
        details.append(_describe(current, is_cause))
        if current.__cause__ is not None:
            current, is_cause = current.__cause__, True
        else:
            current, is_cause = (None if current.__suppress_context__ else current.__context__), False
    return details


def _describe(error: BaseException, is_cause: bool) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-30:]
    members = getattr(error, "exceptions", None) if isinstance(getattr(error, "exceptions", None), tuple) else None
    return {
        "exc_type": type_name(error),
        "exc_value": cut(masking.mask(_text(error)), 8_192),
        "exc_notes": [str(note) for note in getattr(error, "__notes__", ())],
        "syntax_error": _syntax(error) if isinstance(error, SyntaxError) else None,
        "is_cause": is_cause,
        "is_group": members is not None,
        "exceptions": [error_detail(member) for member in (members or ())[:10]],
        "frames": [{"filename": frame.filename, "lineno": frame.lineno, "name": frame.name} for frame in frames],
    }


def type_name(error: BaseException) -> str:
    """The name of its class, which one that a task made up itself may have put anything into."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" or kind.__module__.startswith("leoflow.") else masking.mask(kind.__name__)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} without a text>"


def _syntax(error: SyntaxError) -> dict[str, Any]:
    return {"offset": error.offset or 0, "filename": error.filename or "?", "line": error.text or "", "lineno": error.lineno or 0, "msg": error.msg}


# Made before any fork: making them takes a child some 60 page faults.
_OUT, _ERR = LineWriter("task.stdout", "info"), LineWriter("task.stderr", "error")
_HANDLERS = [LogHandler()]


def install(fd: int) -> None:
    """Send stdout, stderr and logging of this process to `fd`. Text that was buffered before goes out first."""
    global _fd
    for stream in (sys.stdout, sys.stderr):
        if type(stream) is LineWriter:
            continue
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    _fd = fd
    _OUT.start(fd)
    _ERR.start(fd)
    sys.stdout, sys.stderr = _OUT, _ERR
    root = logging.root
    # After a rehearsal this was done before the fork.
    if root.handlers != _HANDLERS or root.level != logging.INFO:
        root.handlers[:] = _HANDLERS
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)


def scrub(path: str | None) -> None:
    """Hide secrets in what programs wrote past our streams (a child, `os.write`): in place, so that nothing moves.

    Our own lines are masked already, and their shape is not to be touched.
    """
    if not path or not masking.longest:
        return
    try:
        out = os.open(path, os.O_WRONLY)
    except OSError:
        return
    try:
        with open(path, "rb") as file:
            at = 0
            while line := file.readline(_SCRUBBED_BYTES):
                clean = line if line.startswith(_OWN_LINE) else masking.blot(line)
                if clean != line:
                    os.pwrite(out, clean, at)
                at += len(line)
    except OSError as error:
        note("error", f"secrets in what programs printed could not be hidden: {error}")
    finally:
        os.close(out)


def note(level: str, event: str, logger: str = "leoflow") -> None:
    """Write one line of our own, without going through logging."""
    write(make_line(level, logger, event))


def flush() -> None:
    """Write what print left without a newline. Nothing is buffered after this."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LineWriter):
            stream.flush_rest()
