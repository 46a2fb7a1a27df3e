"""A process with the Task SDK imported and nothing of any project. Fork servers begin as copies of it, and pay for their DAG file only.

`python -m leoflow.airflow_runtime.base RUN_FOLDER LAUNCHER_PID`: standard input is a socket on which the launcher sends specs, each with the pipe
on which its fork server speaks.
"""

import gc
import json
import os
import socket
import sys
import threading
import time

from leoflow.agent import fork_server, processes, wire
from leoflow.airflow_runtime import load, settings

#: A copy is handed over to the launcher as soon as what stood between them has ended.
HAND_OVER_SECONDS = 10.0


def main() -> None:
    """Import the SDK, then make copies until the launcher is gone."""
    launcher = int(sys.argv[2])
    processes.die_with_parent(launcher)
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    gc.disable()
    settings.prepare_process(settings.home_below(sys.argv[1]))
    load.import_sdk()
    if threading.active_count() > 1:
        sys.exit("importing the Task SDK started a thread, and threads do not survive a fork")
    gc.collect()
    gc.freeze()
    while True:
        spec, pipe = _receive(control)
        if spec is None:
            return
        _copy(control, spec, pipe, launcher)
        os.close(pipe)


def _receive(control: socket.socket):
    head, pipes, _, _ = socket.recv_fds(control, 4, 1)
    if len(head) < 4 or not pipes:
        return None, -1
    size = int.from_bytes(head, "big")
    parts = []
    while size > 0:
        part = control.recv(min(size, 1 << 20))
        if not part:
            return None, -1
        parts.append(part)
        size -= len(part)
    return json.loads(b"".join(parts)), pipes[0]


def _copy(control: socket.socket, spec: dict, pipe: int, launcher: int) -> None:
    """Fork twice: the copy of a process that has ended becomes the launcher's own child."""
    between = os.fork()
    if between != 0:
        os.waitpid(between, 0)
        return
    try:
        if os.fork() == 0:
            control.close()
            os.setsid()
            _await_launcher(launcher)
            os.write(pipe, wire.encode_line({"op": "pid", "pid": os.getpid()}))
            fork_server.serve_version(spec, pipe)
    finally:
        os._exit(0)


def _await_launcher(launcher: int) -> None:
    deadline = time.monotonic() + HAND_OVER_SECONDS
    while os.getppid() != launcher:
        if time.monotonic() > deadline:
            os._exit(1)
        time.sleep(0.001)


if __name__ == "__main__":
    main()
