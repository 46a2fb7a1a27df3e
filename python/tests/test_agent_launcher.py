"""The launcher's loop without its processes: what it tells when it cannot start one. And one that hangs in the place of another."""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

from leoflow.agent import launcher, wire

LIMIT_SECONDS = 20
PYTHON_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class LauncherTest(unittest.TestCase):
    """One launcher in a folder of its own; what it tells is kept."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        os.mkdir(os.path.join(self.home, "run"))
        self.launcher = launcher.Launcher(self.home)
        for fd in (self.launcher.wake_read, self.launcher.wake_write):
            self.addCleanup(os.close, fd)
        self.addCleanup(self.launcher.listener.close)
        self.told: list[dict] = []
        self.launcher._tell = self.told.append
        self.spec = {"id": "f1", "version_id": "v", "dag_id": "d", "root": self.home, "dag_file": "dag.py", "path": [], "python": "python3", "env": {}, "log_file": os.path.join(self.home, "log")}

    def test_a_machine_without_room_says_nothing_about_the_file(self) -> None:
        for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE):
            with mock.patch.object(subprocess, "Popen", side_effect=OSError(number, os.strerror(number))), mock.patch("sys.stderr"):
                self.launcher._start(self.spec)
            self.assertEqual(self.told.pop(), {"op": "exited", "id": "f1", "status": number, "signal": None})
        self.assertEqual(self.launcher.warm, {})

    def test_an_interpreter_that_is_missing_is_a_failure(self) -> None:
        self.launcher._start({**self.spec, "python": "/nowhere/python3"})
        self.assertEqual((self.told[0]["op"], self.told[0]["error"]["type"]), ("failed", "FileNotFoundError"))

    def test_a_stop_of_one_that_is_gone_is_answered(self) -> None:
        self.launcher._stop("f0")
        self.assertEqual(self.told, [{"op": "exited", "id": "f0", "status": 0, "signal": None}])


#: Six that compete for one processor: whoever needs half a second of it waits for three.
CROWD = 6


@unittest.skipUnless(os.path.exists("/proc/self/schedstat"), "the system does not say how long a process has waited")
class BusyMachineTest(unittest.TestCase):
    """A fork server and others on one processor."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        os.mkdir(os.path.join(self.home, "run"))
        self.all = os.sched_getaffinity(0)
        self.processor = {min(self.all)}

    def begin_in_crowd(self, text: str, limit: float) -> tuple[str, float]:
        """What the launcher tells of a fork server that does this before anything else, and how long it took."""
        python = os.path.join(self.home, "python")
        with open(python, "w", encoding="utf-8") as file:
            file.write(f"#!{sys.executable}\nimport os, sys, time\n{text}\nos.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n")
        os.chmod(python, 0o755)
        with open(os.path.join(self.home, "dag.py"), "w", encoding="utf-8") as file:
            file.write("from airflow.sdk import DAG\ndag = DAG('d')\n")
        one = launcher.Launcher(self.home)
        for fd in (one.wake_read, one.wake_write):
            self.addCleanup(os.close, fd)
        self.addCleanup(one.listener.close)
        told: list[dict] = []
        one._tell = told.append
        os.sched_setaffinity(0, self.processor)
        crowd = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(CROWD)]
        try:
            begun = time.monotonic()
            one._start({
                "id": "f1", "version_id": "v", "dag_id": "d", "root": self.home, "dag_file": "dag.py", "path": [], "python": python, "env": dict(os.environ),
                "log_file": os.path.join(self.home, "log"), "import_timeout_seconds": limit,
            })
            while not [message for message in told if message["op"] in ("started", "failed")]:
                select.select([one.warm["f1"].process.stdout], [], [], 0.05)
                one._read_output(one.warm["f1"])
                one._keep_time()
            took = time.monotonic() - begun
        finally:
            os.sched_setaffinity(0, self.all)
            for process in [*crowd, *(warm.process for warm in one.warm.values())]:
                process.kill()
                process.wait()
        last = next(message for message in told if message["op"] in ("started", "failed"))
        return (last["op"] if last["op"] == "started" else last["error"]["type"]), took

    def test_a_file_that_waits_for_a_processor_is_not_one_that_hangs(self) -> None:
        told, took = self.begin_in_crowd("while time.process_time() < 0.6: pass", 1.5)
        self.assertEqual(told, "started")
        self.assertGreater(took, 1.5)

    def test_one_that_never_ends_is_ended(self) -> None:
        self.assertEqual(self.begin_in_crowd("while True: pass", 0.3)[0], "ImportTimeout")

    def test_one_that_sleeps_is_ended(self) -> None:
        self.assertEqual(self.begin_in_crowd("time.sleep(60)", 1)[0], "ImportTimeout")


class SilentLauncherTest(unittest.TestCase):
    """A real launcher that another one finds in its place."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.path = os.path.join(self.home, "run", "launcher.sock")
        self.first = self.start()
        self.assertEqual(self.greet(), self.first.pid)

    def start(self) -> subprocess.Popen:
        """A launcher of this home folder, as a server starts one. Its waits are short."""
        short = "from leoflow.agent import launcher; launcher.GREETING_SECONDS = launcher.LOCK_SECONDS = 0.3; launcher.main()"
        process = subprocess.Popen([sys.executable, "-c", short, self.home], env={**os.environ, "PYTHONPATH": PYTHON_FOLDER}, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def greet(self) -> int:
        """The pid of the one that answers, as soon as there is one."""
        for _ in range(LIMIT_SECONDS * 100):
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.settimeout(LIMIT_SECONDS)
                    sock.connect(self.path)
                    sock.sendall(wire.encode_line({"op": "hello", "epoch": 1}))
                    with sock.makefile() as file:
                                    # What it tells everybody may come first.
                        return next(message["pid"] for message in map(json.loads, file) if message["op"] == "hello")
            except OSError:
                time.sleep(0.01)
        raise AssertionError("no launcher answers")

    def test_one_that_answers_keeps_its_place(self) -> None:
        second = self.start()
        self.assertEqual(second.wait(LIMIT_SECONDS), 1)
        self.assertIn("another launcher serves", second.stderr.read())
        self.assertIsNone(self.first.poll())

    def test_one_that_is_stopped_makes_room(self) -> None:
        self.first.send_signal(signal.SIGSTOP)
        second = self.start()
        self.assertEqual(self.first.wait(LIMIT_SECONDS), -signal.SIGKILL)
        self.assertIn("does not answer", second.stderr.readline())
        self.assertEqual(self.greet(), second.pid)


if __name__ == "__main__":
    unittest.main()
