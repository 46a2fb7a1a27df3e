"""A warm process per DAG version: imports the DAG file once, then forks one child per execution.

Started by the launcher as `python -m leoflow.agent.fork_server`, with its ForkServerSpec as JSON on standard input.
Prints one line on standard output when it is ready or cannot be: {"op": "ready" | "failed", ...}.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time

from leoflow.agent import attempt, calls, node_child, processes, wire
from leoflow.agent.side_children import SideChildren
from leoflow.run.moment import draw_anew, import_packages, is_of_the_moment
from leoflow.run.place import import_error

#: Without a leader and without work for this long, it ends itself.
ORPHAN_SECONDS = 600
ALIVE_SECONDS = 5
#: How long the parked children of an older leader may take to begin or end. A leader that is stopped never lets them go: this is added to its take-over.
TAKE_OVER_SECONDS = 0.3
#: Execution ids remembered so that none is begun twice.
SEEN_LIMIT = 200_000
#: Cancels kept for executions that were not heard of yet.
CANCELLED_LIMIT = 10_000


class Child:
    """A forked child. `execution_id` is None while it is parked. After `is_gone` its pid may be another's."""

    __slots__ = ("pid", "execution_id", "runtime", "kill_at", "is_gone")

    def __init__(self, pid: int, execution_id: str | None, runtime: str):
        self.pid = pid
        self.execution_id = execution_id
        self.runtime = runtime
        self.kill_at = None
        self.is_gone = False


class ForkServer:
    """The loop: one leader's connection in, children out."""

    def __init__(self, spec: dict, dag):
        self.spec = spec
        self.dag = dag
        self.epoch = -1
        self.agent_socket = ""
        self.address_file = spec["address_file"]
        self.children: dict[int, Child] = {}
        self.running: dict[str, int] = {}
        self.seen: dict[str, None] = {}
        self.cancelled: dict[str, float] = {}
        self.unparked = {"python": 0, "node": 0}
        self.side = SideChildren(self._send, self._enter_child)
        self.leader: wire.Lines | None = None
        self.leader_seen = time.monotonic()
        self.alive_due = 0.0
        #: Kills for memory that are accounted for, and how many there were at the last tick.
        self.ooms = self.ooms_told = processes.memory_kills()
        self.threaded = threading.active_count() > 1
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(spec["socket"])
        self.listener.listen(8)
        self.listener.setblocking(False)
        self.wake_read, self.wake_write = os.pipe()
        self.begun_read, self.begun_write = os.pipe()
        for fd in (self.wake_read, self.wake_write, self.begun_read):
            os.set_blocking(fd, False)
        self.begun_rest = b""
        self.pending: list[tuple[socket.socket, wire.Lines]] = []

    def run(self) -> None:
        """Serve until the launcher ends it or nobody needs it."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        while True:
            ready = self._wait()
            if self.wake_read in ready:
                _drain(self.wake_read)
            if self.begun_read in ready:
                self._read_begun()
            self._reap()
            if self.listener in ready:
                self._accept()
            for lines in [lines for _, lines in self.pending if lines.sock in ready]:
                self._read_pending(lines)
            if self.leader is not None and self.leader.sock in ready:
                self._read_leader()
            self._keep_time()

    def _wait(self) -> set:
        poll = [self.wake_read, self.begun_read, self.listener, *(sock for sock, _ in self.pending)]
        if self.leader is not None:
            poll.append(self.leader.sock)
        timeout = ALIVE_SECONDS
        for child in self.children.values():
            if child.kill_at is not None:
                timeout = min(timeout, max(0.01, child.kill_at - time.monotonic()))
        return set(select.select(poll, [], [], timeout)[0])

    # ── the leader ────────────────────────────────────────────────────────────────────────────────────────────────

    def _accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        self.pending.append((sock, wire.Lines(sock)))

    def _read_pending(self, lines: wire.Lines) -> None:
        """A connection speaks for the first time: a hello of a newer epoch takes over."""
        messages = lines.read()
        if messages == []:
            return
        self.pending = [(sock, other) for sock, other in self.pending if other is not lines]
        if not messages or messages[0].get("op") != "hello" or messages[0]["epoch"] < self.epoch:
            lines.send({"op": "refused", "epoch": self.epoch, "reason": "an older epoch"})
            lines.sock.close()
            return
        if self.leader is not None:
            self.leader.sock.close()
        self.leader = lines
        self._hello(messages[0])
        self._handle_all(messages[1:])

    def _hello(self, message: dict) -> None:
        self.unparked = dict.fromkeys(self.unparked, 0)
        if message["epoch"] > self.epoch:
            self._settle_parked()
        self.epoch = message["epoch"]
        self.agent_socket = message["agent_socket"]
        running = [{"execution_id": execution, "pid": pid} for execution, pid in self.running.items()]
        self._send({"op": "hello", "pid": os.getpid(), "epoch": self.epoch, "running": running})

    def _settle_parked(self) -> None:
        """Wait until each parked child of the leader before has either begun or ended.

        A dead leader's connection delivers what it had sent, then its end: the child begins that execution or exits. Only
        the children of a leader that is merely paused are left after the wait, and killed. From then on it is certain which
        executions were begun.
        """
        leader, self.leader = self.leader, None
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while any(child.execution_id is None for child in self.children.values()):
            left = deadline - time.monotonic()
            if left <= 0:
                for child in self.children.values():
                    if child.execution_id is None:
                        _signal(child.pid, signal.SIGKILL)
            select.select([self.wake_read, self.begun_read], [], [], max(0.005, left))
            _drain(self.wake_read)
            self._read_begun()
            self._reap()
        self._read_begun()
        self.leader = leader

    def _read_leader(self) -> None:
        leader = self.leader
        if leader is None:
            return
        messages = leader.read()
        if messages is None:
            leader.sock.close()
            self.leader = None
            self.leader_seen = time.monotonic()
            return
        self._handle_all(messages)

    def _handle_all(self, messages: list[dict]) -> None:
        # Told after the last fork: each page that this process writes to between two forks is one more to be copied.
        answers: list[dict] = []
        for message in messages:
            if message.get("epoch") != self.epoch:
                named = {"execution_id": message["spec"]["execution_id"]} if "spec" in message else {}
                self._send({"op": "refused", "epoch": self.epoch, "reason": "an older epoch", **named})
                continue
            if message["op"] == "park":
                for _ in range(message["count"]):
                    self._fork_parked(message.get("runtime", "python"))
            elif message["op"] == "host":
                self.side.keep_host(message["wanted"], lambda: self.dag.host_triggers(self.agent_socket))
            elif message["op"] == "call":
                self._fork_call(message["call"])
            elif message["op"] == "run":
                answers.append(self._fork_job(message["spec"]))
            elif message["op"] == "cancel":
                self._cancel(message["execution_id"], message["grace_seconds"])
        self._send(*answers)

    def _send(self, *messages: dict) -> None:
        if self.leader is not None and messages and not self.leader.send(*messages):
            self.leader.sock.close()
            self.leader = None
            self.leader_seen = time.monotonic()

    # ── children ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _fork_parked(self, runtime: str) -> None:
        sock = None
        try:
            # Node connects by itself, when it is ready.
            sock = wire.connect(self.agent_socket) if runtime == "python" else None
            pid = os.fork()
        except OSError:
            if sock is not None:
                sock.close()
            self.unparked[runtime] += 1
            return
        if pid == 0:
            self._in_child(sock, None, runtime)
        if sock is not None:
            sock.close()
        self.children[pid] = Child(pid, None, runtime)

    def _fork_job(self, spec: dict) -> dict:
        execution = spec["execution_id"]
        if execution in self.seen:
            return {"op": "refused", "epoch": self.epoch, "execution_id": execution, "reason": "begun before"}
        try:
            pid = os.fork()
        except OSError as error:
            # No room for another process just now. It was not begun, and those that run are not touched.
            return {"op": "refused", "epoch": self.epoch, "execution_id": execution, "reason": f"no process could be forked: {error.strerror}"}
        runtime = "node" if node_child.runs_in_node(self.spec, self.dag, spec) else "python"
        if pid == 0:
            self._in_child(None, spec, runtime)
        child = self.children[pid] = Child(pid, None, runtime)
        self._begin(child, execution)
        return {"op": "begun", "execution_id": execution, "pid": pid}

    def _fork_call(self, call: dict) -> None:
        def make() -> None:
            if self.spec.get("runtime") == "airflow":
                return self.dag.make_call(self.agent_socket, call)
            return calls.make_call(self.dag, self.spec, self.agent_socket, call)

        self.side.fork_call(call, make)

    def _in_child(self, sock, spec: dict | None, runtime: str) -> None:
        """Never returns: whatever happens, the child must not run the fork server's loop."""
        status = 1
        try:
            self._enter_child()
            if runtime == "node" and spec is None:
                node_child.exec_parked(self.spec, self.agent_socket, self.begun_write)
            gc.enable()
            server = attempt.Server(sock, self.agent_socket, self.address_file)
            if spec is None:
                spec = self._park(server)
            if spec is not None and node_child.runs_in_node(self.spec, self.dag, spec):
                node_child.exec_with_job(self.spec, self.agent_socket, spec)
            if spec is not None and self.threaded:
                attempt.exec_fresh(self.spec, spec)
            if spec is not None:
                self._live(server, spec)
            status = 0
        except BaseException as error:  # noqa: B902 - the last line of defence of a child
            _last_words(error)
        finally:
            os._exit(status)

    def _live(self, server, spec: dict) -> None:
        if self.spec.get("runtime") == "airflow":
            server.close()
            self.dag.live(self.agent_socket, spec)
        elif self.dag is None:
            attempt.live_anew(self.spec, server, spec)
        else:
            attempt.live(self.dag, server, spec)

    def _park(self, server) -> dict | None:
        answer = server.park({"fork_server": self.spec["id"], "pid": os.getpid()})
        spec = answer.get("spec")
        if spec is not None:
            # Shorter than PIPE_BUF, so lines of several children never mix.
            os.write(self.begun_write, f"{os.getpid()} {spec['execution_id']}\n".encode("ascii"))
        return spec

    def _enter_child(self) -> None:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._close_in_child()
        os.setsid()
        processes.die_with_parent(self.own_pid)
        draw_anew()

    def _close_in_child(self) -> None:
        self.listener.close()
        for sock, _ in self.pending:
            sock.close()
        if self.leader is not None:
            self.leader.sock.close()
        for fd in (self.wake_read, self.wake_write, self.begun_read):
            os.close(fd)

    def _read_begun(self) -> None:
        data = _drain(self.begun_read)
        if not data:
            return
        *lines, self.begun_rest = (self.begun_rest + data).split(b"\n")
        for line in lines:
            pid_text, _, execution = line.decode("ascii").partition(" ")
            child = self.children.get(int(pid_text))
            if child is None:
                continue
            self._begin(child, execution)
            self._send({"op": "begun", "execution_id": execution, "pid": child.pid})

    def _begin(self, child: Child, execution: str) -> None:
        child.execution_id = execution
        self.running[execution] = child.pid
        self.seen[execution] = None
        grace_seconds = self.cancelled.pop(execution, None)
        if grace_seconds is not None:
            _terminate(child, grace_seconds)
        if len(self.seen) > SEEN_LIMIT:
            self.seen.pop(next(iter(self.seen)))

    def _reap(self) -> None:
        exited = []
        while True:
            try:
                info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                break
            if info is None:
                break
            # Before the pid can be used again: nothing of its session survives.
            if info.si_pid in self.children or info.si_pid in self.side.pids:
                _signal_group(info.si_pid, signal.SIGKILL)
            _, status = os.waitpid(info.si_pid, 0)
            self.side.on_ended(info.si_pid, processes.describe_end(status))
            exited.extend(self._ended(info.si_pid, status))
        if not exited:
            return
        processes.kill_strays({*self.children, *self.side.pids}, self.running)
        self._send({"op": "exited", "children": exited})

    def _ended(self, pid: int, status: int) -> list[dict]:
        child = self.children.pop(pid, None)
        if child is None:
            return []
        child.is_gone = True
        if child.execution_id is None:
            # It may have begun one that was not read yet.
            self.children[pid] = child
            self._read_begun()
            del self.children[pid]
        if child.execution_id is not None:
            self.running.pop(child.execution_id, None)
        how = processes.describe_end(status)
        oom = False
        if how["signal"] == signal.SIGKILL:
            oom = processes.memory_kills() > self.ooms
            self.ooms += oom
        return [{"pid": pid, "execution_id": child.execution_id, **how, "oom": oom, "runtime": child.runtime}]

    def _cancel(self, execution: str, grace_seconds: float) -> None:
        pid = self.running.get(execution)
        child = self.children.get(pid) if pid is not None else None
        if child is not None:
            _terminate(child, grace_seconds)
        elif execution not in self.seen:
            # A parked child may have its job already, and its word is still to be read.
            self.cancelled[execution] = grace_seconds
            if len(self.cancelled) > CANCELLED_LIMIT:
                self.cancelled.pop(next(iter(self.cancelled)))

    def _keep_time(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.kill_at is not None and child.kill_at <= now:
                _signal_group(child.pid, signal.SIGKILL)
                _signal(child.pid, signal.SIGKILL)
                child.kill_at = now + 1
        self.side.kill_overdue(now)
        if now >= self.alive_due:
            self.alive_due = now + ALIVE_SECONDS
            self._send({"op": "alive", "running": list(self.running)})
            self._tell_unparked()
            # A kill that no child of ours was reaped for by now was somebody else's: the count is the whole group's.
            self.ooms, self.ooms_told = max(self.ooms, self.ooms_told), processes.memory_kills()
        if self.leader is not None or self.running or self.side.calls:
            self.leader_seen = now
        elif now - self.leader_seen > ORPHAN_SECONDS:
            sys.exit(0)

    def _tell_unparked(self) -> None:
        """Children that were asked for and never came. Told at leisure: whoever hears of it asks again."""
        counts, self.unparked = self.unparked, dict.fromkeys(self.unparked, 0)
        for runtime, count in counts.items():
            if count > 0:
                never = {"pid": 0, "execution_id": None, "status": 1, "signal": None, "oom": False, "runtime": runtime}
                self._send({"op": "exited", "children": [never] * count})

    own_pid = 0


def _drain(fd: int) -> bytes:
    data = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return data
        if not chunk:
            return data
        data += chunk


def _terminate(child: Child, grace_seconds: float) -> None:
    if child.is_gone:
        return
    _signal(child.pid, signal.SIGTERM)
    child.kill_at = time.monotonic() + grace_seconds


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except OSError:
        pass


def _last_words(error: BaseException) -> None:
    """A child that dies outside the task says so where the fork server's output goes."""
    try:
        os.write(2, f"leoflow: a child ended early: {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except OSError:
        pass


def _prepare_version(spec: dict):
    """What children find: under the Task SDK a Project, else the DAG, or None when each has to import it."""
    gc.disable()
    if spec.get("runtime") == "airflow":
        from leoflow.airflow_runtime.load import load

        project = load(spec)
        gc.collect()
        gc.freeze()
        return project
    from leoflow.agent.rehearsal import rehearse
    from leoflow.run.load import prepare

    dag = None
    if is_of_the_moment(spec):
        prepare(spec["root"], spec["path"])
        import_packages(spec)
    else:
        dag = import_dag(spec)
    gc.collect()
    if dag is not None:
        rehearse(dag)
    gc.freeze()
    return dag


def import_dag(spec: dict):
    """The DAG of a ForkServerSpec, imported with the values that it was handed."""
    from leoflow.dagmodel import secrets
    from leoflow.run.load import load_dag

    secrets.hand_over(spec.get("import_secrets"))
    return load_dag(spec["root"], spec["dag_file"], spec["dag_id"], spec["path"])


def main() -> None:
    """Read the spec from standard input, and serve."""
    spec = json.loads(sys.stdin.buffer.read())
    ready = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    serve_version(spec, ready)


def serve_version(spec: dict, ready: int) -> None:
    """Import the DAG, tell `ready` (a file descriptor) what came of it, serve."""
    log = os.open(spec["log_file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # Only now: Python imports from its first folder, and a project may have a json.py.
    os.chdir(spec["root"])
    processes.die_with_parent(spec["launcher_pid"])
    processes.adopt_orphans()
    started = time.monotonic()
    try:
        dag = _prepare_version(spec)
        server = ForkServer(spec, dag)
    except BaseException as error:  # noqa: B902 - user code runs at import
        os.write(ready, wire.encode_line({"op": "failed", "error": import_error(error, [spec["root"], *spec.get("path", [])])}))
        os._exit(1)
    server.own_pid = os.getpid()
    os.write(ready, wire.encode_line({"op": "ready", "import_ms": (time.monotonic() - started) * 1000}))
    os.close(ready)
    server.run()


if __name__ == "__main__":
    main()
