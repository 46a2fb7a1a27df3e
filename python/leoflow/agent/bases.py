"""Base processes of a launcher: one per interpreter and environment, with the Task SDK imported; fork servers begin as copies of it."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import time

from leoflow.run.time_had import TimeHad

#: One that nobody began from in this time is ended.
IDLE_SECONDS = 600
#: One that makes no copy in this time is stuck: it is ended, and whoever waits begins by itself.
BIRTH_SECONDS = 15
#: It takes what it is told at once, unless it is stuck.
SEND_SECONDS = 1
#: What a project may bring that Airflow reads while it is imported: such a project has processes of its own from the beginning.
OWN_SETTINGS = ("airflow.cfg", "airflow_local_settings.py", "config")


class Base:
    """One base process and the line to it."""

    def __init__(self, process: subprocess.Popen, control: socket.socket):
        self.process = process
        self.control = control
        self.used_at = time.monotonic()


class Adopted:
    """A fork server that was born of a base and handed over to this process, with the ways of a Popen."""

    def __init__(self, base: Base, stdout):
        self._base = base
        self.stdout = stdout
        #: Unknown until it says so.
        self.pid: int | None = None
        self.returncode: int | None = None
        self._had = TimeHad(base.process.pid)

    def never_comes(self) -> bool:
        """Whether its base ended before it was there. A base that takes too long is ended for it."""
        if self.pid is None and self._had.seconds() > BIRTH_SECONDS:
            self._base.process.kill()
            self._base.process.wait()
        return self.pid is None and self._base.process.poll() is not None

    def poll(self) -> int | None:
        """Its status when it has ended; the negative number of a signal."""
        return self._look(os.WNOHANG)

    def wait(self) -> int | None:
        """Its status, waited for."""
        return self._look(0)

    def kill(self) -> None:
        """End it."""
        if self.pid is not None and self.returncode is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:
                pass

    def _look(self, how: int) -> int | None:
        if self.returncode is None and self.pid is not None:
            try:
                pid, status = os.waitpid(self.pid, how)
                if pid != 0:
                    self.returncode = os.waitstatus_to_exitcode(status)
            except ChildProcessError:
                self.returncode = -signal.SIGKILL
        return self.returncode


class Bases:
    """Bases by what they were started with."""

    def __init__(self) -> None:
        self._bases: dict[str, Base] = {}

    @property
    def pids(self) -> set[int]:
        """All that run."""
        return {base.process.pid for base in self._bases.values()}

    def begin(self, spec: dict, environment: dict, cwd: str) -> Adopted | None:
        """A fork server for `spec`, on its way; None when it has to begin by itself. Raises OSError when there is no room for a process."""
        if any(os.path.exists(os.path.join(spec["root"], name)) for name in OWN_SETTINGS):
            return None
        base = self._base_for(spec, environment, cwd)
        read, write = os.pipe()
        try:
            payload = json.dumps(spec).encode("utf-8")
            socket.send_fds(base.control, [len(payload).to_bytes(4, "big")], [write])
            base.control.sendall(payload)
        except OSError:
            os.close(read)
            base.process.kill()
            return None
        finally:
            os.close(write)
        os.set_blocking(read, False)
        base.used_at = time.monotonic()
        return Adopted(base, os.fdopen(read, "rb", buffering=0))

    def end_idle(self, used: set) -> None:
        """End those that are gone or that nobody needs; `used`: processes that were born of them."""
        now = time.monotonic()
        busy = {process._base for process in used if isinstance(process, Adopted)}
        for key, base in list(self._bases.items()):
            if base.process.poll() is None and (base in busy or now - base.used_at < IDLE_SECONDS):
                continue
            base.process.kill()
            base.process.wait()
            base.control.close()
            del self._bases[key]

    def end_all(self) -> None:
        """The launcher ends."""
        for base in self._bases.values():
            base.process.kill()
            base.process.wait()

    def _base_for(self, spec: dict, environment: dict, cwd: str) -> Base:
        key = hashlib.sha256(json.dumps([spec["python"], environment], sort_keys=True).encode()).hexdigest()
        base = self._bases.get(key)
        if base is None or base.process.poll() is not None:
            base = self._bases[key] = _start(spec, environment, cwd)
        return base


def _start(spec: dict, environment: dict, cwd: str) -> Base:
    ours, theirs = socket.socketpair()
    ours.settimeout(SEND_SECONDS)
    with theirs:
        arguments = [spec["python"], "-m", "leoflow.airflow_runtime.base", os.path.dirname(spec["address_file"]), str(os.getpid())]
        process = subprocess.Popen(arguments, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=cwd, start_new_session=True)
    return Base(process, ours)
