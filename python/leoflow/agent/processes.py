"""What Linux is asked about processes: death signals, orphans, leftovers of an execution, memory kills."""

import ctypes
import os
import time
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
#: Every program that a task starts inherits this variable; leftovers are found by it.
EXECUTION_MARKER = "LEOFLOW_EXECUTION_ID"
#: The launcher that a process descends from.
LAUNCHER_MARKER = "LEOFLOW_EXECUTION_LAUNCHER"

#: What a process of an execution is called: a copy of it that runs no other program has no marker in its environment, but this name.
_NAME_PREFIX = "lf-"

_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies. `parent`: its pid, to notice that it is gone already."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def name_execution(execution: str) -> None:
    """Call this process after its execution. Forks inherit the name; `ps` shows it."""
    name_process(_NAME_PREFIX + execution[-12:])


def name_process(name: str) -> None:
    """Call this process so in `ps`: at most 15 bytes."""
    _libc.prctl(_PR_SET_NAME, name.encode("ascii"), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ended, so that none escapes."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of_self() -> list[int]:
    """Pids of this process's children, adopted ones included."""
    pid = os.getpid()
    try:
        # Asked after each end of a child: os.open costs a fifth of open.
        file = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
        try:
            return [int(child) for child in _read_all(file).split()]
        finally:
            os.close(file)
    except OSError:
        return [child for child in _all_pids() if _parent_of(child) == pid]


def _read_all(file: int) -> bytes:
    data = b""
    while chunk := os.read(file, 65536):
        data += chunk
    return data


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _parent_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def marker_of(pid: int, name: str) -> str | None:
    """The value of a marker in a process's initial environment, None when it has none or is gone."""
    wanted = name.encode() + b"="
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            for entry in file.read().split(b"\0"):
                if entry.startswith(wanted):
                    return entry[len(wanted):].decode("utf-8", "replace")
    except OSError:
        return None
    return None


def _name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _is_stray(pid: int, live) -> bool:
    execution = marker_of(pid, EXECUTION_MARKER)
    if execution is not None:
        return execution not in live
    name = _name_of(pid)
    return name.startswith(_NAME_PREFIX) and not any(name == _NAME_PREFIX + running[-12:] for running in live)


def kill_strays(known: set[int], live) -> int:
    """Kill adopted orphans of executions that are over. `live` holds the ids of those that still run. Returns how many."""
    killed = 0
    for turn in range(64):
        if turn > 4:
            # What was killed takes its time to end on a busy machine, and is not gone before.
            time.sleep(0.005)
        found = 0
        for pid in children_of_self():
            if pid in known:
                continue
            if _is_stray(pid, live) and _kill(pid):
                found += 1
        killed += found
        if found == 0:
            return killed
        reap_unknown(known)
    return killed


def reap_unknown(known: set[int]) -> None:
    """Collect ended children that nobody waits for."""
    for pid in children_of_self():
        if pid in known:
            continue
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass


def kill_other_launchers(home: str, own: str) -> int:
    """Kill whatever a dead launcher of the same home folder left behind. Returns how many."""
    killed = 0
    for _ in range(64):
        found = 0
        for pid in _all_pids():
            if pid == os.getpid():
                continue
            marker = marker_of(pid, LAUNCHER_MARKER)
            if marker is not None and marker.startswith(home + "#") and marker != own and _kill(pid):
                found += 1
        killed += found
        if found == 0:
            break
    return killed


def describe_end(status: int) -> dict:
    """How a process ended, as messages say it: its status, or −1 with the signal that ended it."""
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    return {"status": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1, "signal": killed}


def kill_group(pid: int) -> None:
    """Kill a child that leads a session, with all that is in its group."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            pass


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except OSError:
        return False


def memory_kills() -> int:
    """How often the kernel killed for memory in this process's cgroup; 0 where it does not say."""
    try:
        with open("/proc/self/cgroup", encoding="ascii") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return 0
    for _, controllers, path in lines:
        if controllers == "":
            count = _read_counter(f"/sys/fs/cgroup{path}/memory.events")
        elif "memory" in controllers.split(","):
            count = _read_counter(f"/sys/fs/cgroup/memory{path}/memory.oom_control")
        else:
            continue
        if count is not None:
            return count
    return 0


def _read_counter(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            for line in file:
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    except OSError:
        return None
    return None
