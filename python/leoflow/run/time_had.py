"""How long a process has had: limits of imports are in this time, for a busy machine is not a file that hangs."""

from __future__ import annotations

import time


class TimeHad:
    """How long a process has had since this was made: what it waited for a processor, ready to run, does not count."""

    def __init__(self, pid: int):
        self._pid = pid
        self._since = time.monotonic()
        self._waited = _waited_seconds(pid)

    def seconds(self) -> float:
        """Until now."""
        return time.monotonic() - self._since - max(0.0, _waited_seconds(self._pid) - self._waited)


def _waited_seconds(pid: int) -> float:
    """Of its first thread; 0 where the system does not say. Source: Linux, Documentation/scheduler/sched-stats.rst."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
