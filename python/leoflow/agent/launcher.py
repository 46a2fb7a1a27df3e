"""The process that starts fork servers and outlives the control plane.

`python -m leoflow.agent.launcher HOME` listens on HOME/run/launcher.sock. One per home folder. When it dies, everything it
started dies with it; when it starts, it ends what a dead one left behind.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from leoflow.agent import processes, wire
from leoflow.agent.bases import Adopted, Bases
from leoflow.run.time_had import TimeHad

ORPHAN_SECONDS = 900
#: Servers hear this often that it is there.
ALIVE_SECONDS = 5.0
#: A launcher that was just killed may hold the lock for a moment longer than its socket.
LOCK_SECONDS = 1.0
#: One that accepts a connection and says nothing for so long is stopped or stuck.
GREETING_SECONDS = 5.0
#: The machine has no room for a process just now: nothing is known to be wrong with the file.
PASSING = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}


class Warm:
    """One fork server, starting or ready."""

    def __init__(self, spec: dict, environment: dict, process: subprocess.Popen | Adopted):
        self.spec = spec
        self.environment = environment
        self.ready = False
        self.output = b""
        self.begin_with(process)

    def begin_with(self, process: subprocess.Popen | Adopted) -> None:
        """It is this process, which has all of its time to import the file."""
        self.process = process
        os.set_blocking(process.stdout.fileno(), False)
        self.has_time = None if process.pid is None else TimeHad(process.pid)
        self.look_at = time.monotonic() + self.limit

    @property
    def limit(self) -> float:
        """How long the file may take, seconds."""
        return self.spec.get("import_timeout_seconds", 30)

    def born(self, pid: int) -> None:
        """A base has made it, and it says who it is: its time begins."""
        self.process.pid = pid
        self.has_time = TimeHad(pid)
        self.look_at = time.monotonic() + self.limit

    def is_over(self, now: float) -> bool:
        """Whether its time to import the file is over; who waits for a base has none yet, and the base its own."""
        if self.ready or now < self.look_at:
            return False
        left = self.limit - (0 if self.has_time is None else self.has_time.seconds())
        self.look_at = now + left
        return left <= 0

    def describe(self) -> dict:
        """Its RunningForkServer."""
        return {"id": self.spec["id"], "version_id": self.spec["version_id"], "pid": self.process.pid, "socket": self.spec["socket"]}


class Launcher:
    """The loop: servers in, fork servers out."""

    def __init__(self, home: str):
        self.run_folder = os.path.join(home, "run")
        self.boot = f"{home}#{os.getpid()}.{time.time_ns()}"
        self.epoch = -1
        self.warm: dict[str, Warm] = {}
        self.bases = Bases()
        self.servers: list[wire.Lines] = []
        self.server_seen = time.monotonic()
        self.alive_due = 0.0
        path = os.path.join(self.run_folder, "launcher.sock")
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(16)
        self.listener.setblocking(False)
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_read, False)
        os.set_blocking(self.wake_write, False)

    def run(self) -> None:
        """Serve until told to shut down, or until nobody needs it."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._shutdown())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        while True:
            outputs = {warm.process.stdout: warm for warm in self.warm.values() if not warm.ready}
            ready = select.select([self.wake_read, self.listener, *outputs, *(lines.sock for lines in self.servers)], [], [], self._timeout())[0]
            if self.wake_read in ready:
                os.read(self.wake_read, 4096)
            for output, warm in outputs.items():
                if output in ready:
                    self._read_output(warm)
            self._reap()
            if self.listener in ready:
                self._accept()
            for lines in [lines for lines in self.servers if lines.sock in ready]:
                self._read_server(lines)
            self._keep_time()

    def _timeout(self) -> float:
        waits = [warm.look_at - time.monotonic() for warm in self.warm.values() if not warm.ready]
        return max(0.01, min([ALIVE_SECONDS, *waits]))

    def _accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        self.servers.append(wire.Lines(sock))

    def _read_server(self, lines: wire.Lines) -> None:
        messages = lines.read()
        if messages is None:
            lines.sock.close()
            self.servers.remove(lines)
            return
        for message in messages:
            if message["epoch"] < self.epoch:
                lines.send({"op": "refused", "epoch": self.epoch})
                continue
            self.epoch = message["epoch"]
            if message["op"] == "hello":
                ready = [warm.describe() for warm in self.warm.values() if warm.ready]
                lines.send({"op": "hello", "pid": os.getpid(), "epoch": self.epoch, "fork_servers": ready})
            elif message["op"] == "start":
                self._start(message["fork_server"])
            elif message["op"] == "stop_fork_server":
                self._stop(message["id"])
            elif message["op"] == "shutdown":
                self._shutdown()

    def _tell(self, message: dict) -> None:
        self.servers = [lines for lines in self.servers if lines.send(message)]

    def _start(self, spec: dict) -> None:
        """Start a fork server. One per version: one that is up is named instead, one that is still importing makes room."""
        for other in [warm for warm in self.warm.values() if warm.spec["version_id"] == spec["version_id"]]:
            if other.ready:
                self._tell({"op": "started", "fork_server": other.describe(), "import_ms": 0})
                return
            self._discard(other)
        path = os.path.join(self.run_folder, f"f{spec['id'][-12:]}.sock")
        if os.path.exists(path):
            os.unlink(path)
        full = {**spec, "socket": path, "launcher_pid": os.getpid(), "address_file": os.path.join(self.run_folder, "agent.json")}
        environment = {**spec["env"], processes.LAUNCHER_MARKER: self.boot, "PYTHONPATH": _own_path(), "PYTHONUNBUFFERED": "1"}
        try:
            process = (self.bases.begin(full, environment, _own_path()) if spec.get("runtime") == "airflow" else None) or _spawn(full, environment)
        except OSError as error:
            self._tell_unstarted(spec["id"], error)
            return
        self.warm[spec["id"]] = Warm(full, environment, process)

    def _begin_alone(self, warm: Warm) -> None:
        """Without a base. What is wrong with its environment it says itself then."""
        warm.process.stdout.close()
        try:
            warm.begin_with(_spawn(warm.spec, warm.environment))
        except OSError as error:
            del self.warm[warm.spec["id"]]
            self._tell_unstarted(warm.spec["id"], error)

    def _tell_unstarted(self, identifier: str, error: OSError) -> None:
        if error.errno in PASSING:
            print(f"a fork server could not be started: {error}", file=sys.stderr, flush=True)
            self._tell({"op": "exited", "id": identifier, "status": error.errno, "signal": None})
        else:
            self._tell({"op": "failed", "id": identifier, "error": {"type": type(error).__name__, "message": str(error)}})

    def _read_output(self, warm: Warm) -> None:
        data = warm.process.stdout.read()
        if data == b"" and isinstance(warm.process, Adopted) and warm.process.pid is None:
            # The copy ended before it said who it is. Nobody else can read that of it.
            self._begin_alone(warm)
        if not data:
            return
        warm.output += data
        while b"\n" in warm.output and warm.spec["id"] in self.warm and not warm.ready:
            self._read_line(warm)

    def _read_line(self, warm: Warm) -> None:
        line, warm.output = warm.output.split(b"\n", 1)
        message = json.loads(line)
        if message["op"] == "pid":
            warm.born(message["pid"])
        elif message["op"] == "ready":
            warm.ready = True
            warm.process.stdout.close()
            self._tell({"op": "started", "fork_server": warm.describe(), "import_ms": message["import_ms"]})
        else:
            self._fail(warm, message["error"])

    def _fail(self, warm: Warm, error: dict) -> None:
        self._discard(warm)
        self._tell({"op": "failed", "id": warm.spec["id"], "error": error})

    def _discard(self, warm: Warm) -> None:
        self.warm.pop(warm.spec["id"], None)
        warm.process.kill()
        warm.process.wait()
        warm.process.stdout.close()
        _remove(warm.spec["socket"])

    def _stop(self, identifier: str) -> None:
        warm = self.warm.get(identifier)
        if warm is None:
            # Its end was told before somebody asked for it: who waits for it must hear of it.
            self._tell({"op": "exited", "id": identifier, "status": 0, "signal": None})
            return
        warm.process.kill()

    def _reap(self) -> None:
        for warm in list(self.warm.values()):
            if isinstance(warm.process, Adopted) and warm.process.never_comes():
                self._begin_alone(warm)
            status = warm.process.poll()
            if status is None:
                continue
            if not warm.ready:
                self._read_output(warm)
            if warm.spec["id"] not in self.warm:
                continue
            if not warm.ready and status >= 0:
                self._fail(warm, {"type": "ForkServerEnded", "message": f"the interpreter ended with status {status} before the DAG file was imported"})
                continue
            if not warm.ready:
                # Killed from outside: nothing is known to be wrong with the file.
                warm.process.stdout.close()
            self.warm.pop(warm.spec["id"])
            _remove(warm.spec["socket"])
            # Its children died with it; what they had started was handed to this process.
            processes.kill_strays(self._known(), ())
            killed = -status if status < 0 else None
            self._tell({"op": "exited", "id": warm.spec["id"], "status": status, "signal": killed})
        # What a dying child had started is handed over when that child is gone, which may be after its fork server was reaped.
        processes.kill_strays(self._known(), ())
        processes.reap_unknown(self._known())

    def _known(self) -> set[int]:
        return {*self.bases.pids, *(warm.process.pid for warm in self.warm.values() if warm.process.pid is not None)}

    def _keep_time(self) -> None:
        now = time.monotonic()
        for warm in [warm for warm in self.warm.values() if warm.is_over(now)]:
            self._fail(warm, {"type": "ImportTimeout", "message": f"importing {warm.spec['dag_file']} took longer than {warm.limit} s"})
        if now >= self.alive_due:
            self.alive_due = now + ALIVE_SECONDS
            self._tell({"op": "alive"})
            self.bases.end_idle({warm.process for warm in self.warm.values()})
        if self.servers or self.warm:
            self.server_seen = now
        elif now - self.server_seen > ORPHAN_SECONDS:
            self._shutdown()

    def _shutdown(self) -> None:
        for warm in self.warm.values():
            warm.process.kill()
        self.bases.end_all()
        for warm in self.warm.values():
            warm.process.wait()
        for _ in range(20):
            if processes.kill_strays(set(), ()) == 0:
                break
        os._exit(0)


def _spawn(spec: dict, environment: dict) -> subprocess.Popen:
    process = subprocess.Popen(
        [spec["python"], "-m", "leoflow.agent.fork_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=environment, cwd=_own_path(), start_new_session=True)
    process.stdin.write(json.dumps(spec).encode("utf-8"))
    process.stdin.close()
    return process


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _own_path() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _locked(lock) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def _end_silent(path: str) -> bool:
    """Kill the launcher that listens there if it does not answer: everything below it ends with it. False when it answers, or nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(GREETING_SECONDS)
        try:
            sock.connect(path)
            # An epoch that takes nothing over.
            sock.sendall(wire.encode_line({"op": "hello", "epoch": -1}))
            sock.recv(1)
            return False
        except TimeoutError:
            pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return False
    # A process of another PID namespace has no number here.
    if pid <= 0:
        return False
    print(f"the launcher {pid} does not answer and is killed", file=sys.stderr, flush=True)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def main() -> None:
    """Take the home folder's lock, end what a dead launcher left, serve."""
    home = sys.argv[1]
    os.makedirs(os.path.join(home, "run"), exist_ok=True)
    lock = open(os.path.join(home, "run", "launcher.lock"), "w", encoding="ascii")
    deadline = time.monotonic() + LOCK_SECONDS
    while not _locked(lock):
        if time.monotonic() > deadline:
            if not _end_silent(os.path.join(home, "run", "launcher.sock")):
                sys.exit("another launcher serves this home folder")
            deadline = time.monotonic() + LOCK_SECONDS
        time.sleep(0.01)
    os.environ[processes.LAUNCHER_MARKER] = ""
    launcher = Launcher(home)
    processes.adopt_orphans()
    processes.kill_other_launchers(home, launcher.boot)
    launcher.run()


if __name__ == "__main__":
    main()
