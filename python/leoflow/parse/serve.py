"""A process that has imported the parser and forks for each file: `python -m leoflow.parse --serve`.

One JSON request per line of standard input: `{"id", "argv", "cwd", "environment", "input", "limit", "seconds"}`. One JSON answer per line of
standard output: `{"id", "status", "signal", "stdout", "stderr", "overflowed", "timedOut"}`. It ends with its standard input.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from leoflow.run.time_had import TimeHad

_CHUNK = 1 << 16
#: How often a child without output is looked at.
_POLL_SECONDS = 0.02


class _Child:
    """A fork that parses one file, and what it has written so far."""

    def __init__(self, request: dict[str, Any], pid: int, pipes: tuple[int, int]) -> None:
        self.id, self.limit, self.pid = request["id"], request["limit"], pid
        self.open = {pipes[0]: "stdout", pipes[1]: "stderr"}
        self.text: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self.size = 0
        self.overflowed = self.timed_out = False
        self._seconds = request["seconds"]
        self._had = TimeHad(pid)
        self._look_at = time.monotonic() + self._seconds

    def wait(self) -> float | None:
        """How long it may be left alone, seconds; None when it was told to end."""
        return None if self.timed_out else max(0.0, self._look_at - time.monotonic())

    def is_over(self) -> bool:
        """Whether its time is over, just now."""
        if self.timed_out or time.monotonic() < self._look_at:
            return False
        left = self._seconds - self._had.seconds()
        self._look_at = time.monotonic() + left
        self.timed_out = left <= 0
        return self.timed_out

    def kill(self) -> None:
        """End it with everything that it started."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def take(self, fd: int) -> bool:
        """Read from one of its pipes. False when that one is at its end."""
        data = os.read(fd, _CHUNK)
        self.size += len(data)
        if self.size > self.limit:
            self.overflowed = True
            self.kill()
        elif data:
            self.text[self.open[fd]].append(data)
        return bool(data)

    def answer(self, status: int) -> dict[str, Any]:
        """Its answer, when it was waited for."""
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        texts = {name: b"".join(parts).decode("utf-8", "replace") for name, parts in self.text.items()}
        return {"id": self.id, "status": None if killed else os.WEXITSTATUS(status), "signal": killed, "overflowed": self.overflowed, "timedOut": self.timed_out, **texts}


class ParseServer:
    """The loop. `parse` gets the arguments of one request, in a process of its own, and answers its exit status."""

    def __init__(self, parse: Callable[[list[str]], int]) -> None:
        self._parse = parse
        self._selector = selectors.DefaultSelector()
        self._children: dict[str, _Child] = {}
        self._owner: dict[int, _Child] = {}
        self._rest = b""
        #: Children that closed their output and have not ended.
        self._silent: list[_Child] = []

    def run(self) -> None:
        """Serve until standard input ends."""
        gc.freeze()
        self._selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select(self._wait()):
                if key.fd == 0:
                    if not self._read_requests():
                        return
                elif key.fd in self._owner:
                    self._read_child(key.fd)
            for child in [child for child in self._children.values() if child.is_over()]:
                self._end(child)
            for child in list(self._silent):
                self._reap(child)

    def _wait(self) -> float | None:
        waits = [wait for child in self._children.values() if (wait := child.wait()) is not None]
        return min([*waits, *([_POLL_SECONDS] if self._silent else [])], default=None)

    def _end(self, child: _Child) -> None:
        """Something that it started may hold its pipes for ever: nobody waits for that."""
        child.kill()
        for fd in list(child.open):
            self._close(child, fd)

    def _read_requests(self) -> bool:
        data = os.read(0, _CHUNK)
        if not data:
            for child in self._children.values():
                child.kill()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._start(json.loads(line))
        return True

    def _start(self, request: dict[str, Any]) -> None:
        out, err = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live(request, out[1], err[1])
        os.close(out[1])
        os.close(err[1])
        child = self._children[request["id"]] = _Child(request, pid, (out[0], err[0]))
        for fd in child.open:
            self._owner[fd] = child
            self._selector.register(fd, selectors.EVENT_READ)

    def _live(self, request: dict[str, Any], out: int, err: int) -> None:
        """Never returns."""
        status = 1
        try:
            os.setsid()
            given = os.memfd_create("leoflow-parse")
            os.write(given, (request["input"] or "").encode("utf-8"))
            os.lseek(given, 0, os.SEEK_SET)
            for source, target in ((given, 0), (out, 1), (err, 2)):
                os.dup2(source, target)
            os.closerange(3, max(given, out, err, *self._owner, self._selector.fileno(), 3) + 1)
            os.environ.clear()
            os.environ.update(request["environment"])
            os.chdir(request["cwd"])
            # As `python -m` would have it.
            sys.path[0] = request["cwd"]
            status = self._parse(request["argv"])
            sys.stdout.flush()
            sys.stderr.flush()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def _read_child(self, fd: int) -> None:
        child = self._owner[fd]
        if not child.take(fd):
            self._close(child, fd)

    def _close(self, child: _Child, fd: int) -> None:
        """One of its pipes is done with; with the last one so is the child."""
        self._selector.unregister(fd)
        os.close(fd)
        del self._owner[fd], child.open[fd]
        if not child.open:
            self._silent.append(child)
            self._reap(child)

    def _reap(self, child: _Child) -> None:
        """Answer for a child that has ended; a file may close its output and go on."""
        pid, status = os.waitpid(child.pid, os.WNOHANG)
        if pid == 0:
            return
        # What it left running in its session goes with it.
        child.kill()
        self._silent.remove(child)
        del self._children[child.id]
        os.write(1, json.dumps(child.answer(status)).encode("utf-8") + b"\n")
