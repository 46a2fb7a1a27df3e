"""Children of a fork server that run no execution: the host of triggers, and calls such as callbacks."""

import gc
import os
import sys
import time

from leoflow.agent import processes


class SideChildren:
    """Forks them, tells how they ended, and kills calls that take too long.

    send: takes messages for the server
    enter_child: makes a forked process a child of its own
    """

    def __init__(self, send, enter_child):
        self._send = send
        self._enter_child = enter_child
        self._host: int | None = None
        self._wants_host = False
        #: Pid to the call's id and when it is killed.
        self.calls: dict[int, tuple[str, float]] = {}

    @property
    def pids(self) -> set[int]:
        """All that run now."""
        return {*self.calls} if self._host is None else {*self.calls, self._host}

    def keep_host(self, wanted: bool, work) -> None:
        """One child that runs triggers; it ends by itself when the server says that nothing waits any more."""
        self._wants_host = wanted
        if not wanted or self._host is not None:
            return
        try:
            self._host = self._fork(work)
        except OSError as error:
            self._send({"op": "host_ended", "status": error.errno or 1, "signal": None})

    def fork_call(self, call: dict, work) -> None:
        """One child that makes a call."""
        try:
            self.calls[self._fork(work)] = (call["id"], time.monotonic() + call["timeout_seconds"])
        except OSError as error:
            self._send({"op": "call_ended", "id": call["id"], "status": error.errno or 1, "signal": None})

    def on_ended(self, pid: int, how: dict) -> None:
        """A child of the fork server was waited for; it may be one of these."""
        if pid == self._host:
            self._host = None
            if self._wants_host:
                self._send({"op": "host_ended", **how})
        elif pid in self.calls:
            self._send({"op": "call_ended", "id": self.calls.pop(pid)[0], **how})

    def kill_overdue(self, now: float) -> None:
        """Calls whose time is over."""
        for pid, (_, deadline) in self.calls.items():
            if deadline <= now:
                processes.kill_group(pid)

    def _fork(self, work) -> int:
        pid = os.fork()
        if pid == 0:
            self._run(work)
        return pid

    def _run(self, work) -> None:
        """Never returns."""
        status = 1
        try:
            self._enter_child()
            gc.enable()
            work()
            status = 0
        except BaseException as error:  # noqa: B902 - the last line of defence of a child
            print(f"leoflow: a child ended early: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(status)
