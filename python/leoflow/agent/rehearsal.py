"""Runs executions of a tiny DAG before the first fork, so that children find bytecode specialised and caches filled.

What a child writes for the first time costs it a page: counters of functions that are not specialised yet, caches of attribute
look-ups, symbols of libpython that are not bound yet. After a rehearsal the fork server's pages hold all that, and are shared.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from typing import Any

from leoflow.agent import attempt, processes
from leoflow.dagmodel import stack
from leoflow.dagmodel.dag import DAG
from leoflow.dagmodel.task_decorator import task as make_task
from leoflow.run.load import warm

#: CPython 3.11 specialises a function after 8 calls, and some of its instructions only after further ones.
ROUNDS = 20
#: A prepared copy takes about 4 KB, which a fork has to map: DAGs of more tasks do without.
MAX_SPARES = 200
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def rehearse(dag: DAG) -> None:
    """Make a process ready to fork the executions of a DAG: run a plain and a mapped task of another one some times.

    Call it after the last full garbage collection, which empties the interpreter's free lists and leaves holes between objects.
    Does nothing in a process with threads: it forks no tasks.
    """
    if threading.active_count() > 1:
        return
    if len(dag.task_dict) <= MAX_SPARES:
        _keep_spares(dag)
    try:
        kept, scratch = _Kept(), os.memfd_create("leoflow-rehearsal")
    except OSError:
        # Where there is no /proc or no memory file, executions are as right, only slower.
        return
    try:
        dag = _tiny_dag()
        for _ in range(ROUNDS):
            _rehearse_one(dag, "plain", -1, scratch)
            _rehearse_one(dag, "mapped", 1, scratch)
            _rehearse_fork()
    finally:
        kept.restore()
        os.close(scratch)


def _keep_spares(dag: DAG) -> None:
    for task in dag.tasks:
        try:
            task.keep_spare()
        except Exception:
            # A class of the author's that cannot be copied: its executions will say so.
            continue


def _tiny_dag() -> DAG:
    def rehearsed(number: int) -> list[int]:
        print(number)
        return [number]

    with DAG("leoflow_rehearsal", auto_register=False) as dag:
        make_task(rehearsed, task_id="plain")(1)
        make_task(rehearsed, task_id="mapped").expand(number=[1, 2])
    warm(dag)
    return dag


def _rehearse_one(dag: DAG, task_id: str, map_index: int, scratch: int) -> None:
    ours, theirs = socket.socketpair()
    server = attempt.Server(ours, "", "")
    with ours, theirs:
        theirs.sendall(_ANSWER)
        server.park({"fork_server": "", "pid": 0})
        theirs.sendall(_ANSWER)
        attempt.live(dag, server, _spec(dag.dag_id, task_id, map_index, f"/proc/self/fd/{scratch}"))


def _spec(dag_id: str, task_id: str, map_index: int, file: str) -> dict[str, Any]:
    moment = "2026-01-01T00:00:00Z"
    run = {
        "id": "", "run_id": "rehearsal", "run_type": "manual", "logical_date": moment, "data_interval_start": moment,
        "data_interval_end": moment, "run_after": moment, "start_date": moment, "queued_at": None, "conf": {}, "triggering_user_name": None,
    }
    return {
        "execution_id": "", "attempt_id": "", "token": "rehearsal", "dag_id": dag_id, "version_id": "", "task_id": task_id,
        "map_index": map_index, "try_number": 1, "max_tries": 0, "run": run, "log_file": file, "outcome_file": file,
        "xcom_max_bytes": 1 << 18,
    }


def _rehearse_fork() -> None:
    """What happens in each child right after its fork; harmless in a process with one thread that its parent's end ends anyway."""
    processes.die_with_parent(os.getppid())
    if "random" in sys.modules:
        sys.modules["random"].seed()
    # Names of CPython's own, which another version may not have.
    for module, hook in ((threading, "_after_fork"), (logging, "_after_at_fork_child_reinit_locks")):
        if hasattr(module, hook):
            getattr(module, hook)()


class _Kept:
    """What an execution changes in its process. Output and logging stay as executions want them: as lines of a log."""

    def __init__(self) -> None:
        with open("/proc/self/comm", encoding="utf-8", errors="surrogateescape") as file:
            self.name = file.read().rstrip("\n")
        self.files = [(os.dup(number), number) for number in (1, 2)]
        self.signals = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
        self.environment = dict(os.environ)
        self.contexts = stack.running_contexts[:]

    def restore(self) -> None:
        """Put everything back."""
        for copy, number in self.files:
            os.dup2(copy, number)
            os.close(copy)
        for number, handler in self.signals:
            if handler is not None:
                signal.signal(number, handler)
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        for name, value in self.environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        stack.running_contexts[:] = self.contexts
        # Executions name their process, and a launcher ends what bears the name of one that is over.
        with open("/proc/self/comm", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(self.name)
