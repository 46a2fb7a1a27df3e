"""A fork server in this process: what it does when the machine has no room, and whose end a kill for memory explains."""

import errno
import os
import shutil
import signal
import socket
import tempfile
import unittest
from unittest import mock

from leoflow.agent import fork_server


class ForkServerInProcessTest(unittest.TestCase):
    """Its own methods, with the system calls that matter replaced."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        self.server = fork_server.ForkServer({"id": "f1", "root": self.home, "socket": os.path.join(self.home, "f.sock"), "address_file": os.path.join(self.home, "agent.json")}, None)
        for fd in (self.server.wake_read, self.server.wake_write, self.server.begun_read, self.server.begun_write):
            self.addCleanup(os.close, fd)
        self.addCleanup(self.server.listener.close)
        self.server.epoch = 1
        self.sent: list[dict] = []
        self.server._send = lambda *messages: self.sent.extend(messages)

    def test_a_fork_that_fails_refuses_its_execution_and_no_other(self) -> None:
        for number in (errno.EAGAIN, errno.ENOMEM):
            with mock.patch.object(os, "fork", side_effect=OSError(number, os.strerror(number))):
                self.server._handle_all([{"op": "run", "epoch": 1, "spec": {"execution_id": "x1"}}])
            refused = self.sent.pop()
            self.assertEqual((refused["op"], refused["execution_id"]), ("refused", "x1"))
            self.assertIn(os.strerror(number), refused["reason"])
        self.assertEqual((self.server.seen, self.server.running, self.server.children), ({}, {}, {}), "it was not begun and may be given again")

    def end_by_kill(self, pid: int, kills: int) -> bool:
        self.server.children[pid] = fork_server.Child(pid, f"x{pid}", "python")
        with mock.patch.object(fork_server.processes, "memory_kills", return_value=kills):
            [child] = self.server._ended(pid, signal.SIGKILL)
        return child["oom"]

    def tick(self, kills: int) -> None:
        self.server.alive_due = 0.0
        with mock.patch.object(fork_server.processes, "memory_kills", return_value=kills):
            self.server._keep_time()

    def test_each_kill_for_memory_ends_one_child(self) -> None:
        self.server.ooms = self.server.ooms_told = 4
        self.assertEqual([self.end_by_kill(pid, 6) for pid in (101, 102, 103)], [True, True, False])

    def test_a_kill_for_memory_of_somebody_else_explains_no_later_end(self) -> None:
        self.server.ooms = self.server.ooms_told = 4
        self.tick(5)
        self.assertTrue(self.end_by_kill(101, 5), "a large process takes its time to end")
        self.server.ooms = self.server.ooms_told = 4
        self.tick(5)
        self.tick(5)
        self.assertFalse(self.end_by_kill(102, 5))

    def test_children_that_could_not_park_are_told_with_the_next_sign_of_life(self) -> None:
        self.server.agent_socket = os.path.join(self.home, "nobody.sock")
        self.server._handle_all([{"op": "park", "epoch": 1, "count": 1}])
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.addCleanup(listener.close)
        listener.bind(self.server.agent_socket)
        listener.listen(1)
        with mock.patch.object(os, "fork", side_effect=OSError(errno.EAGAIN, "full")):
            self.server._handle_all([{"op": "park", "epoch": 1, "count": 1}])
        self.assertEqual(self.sent, [], "at once would be asked for again at once")
        self.server._keep_time()
        [exited] = [message for message in self.sent if message["op"] == "exited"]
        self.assertEqual([(child["execution_id"], child["status"]) for child in exited["children"]], [(None, 1), (None, 1)])
        self.server.alive_due = 0.0
        self.sent.clear()
        self.server._keep_time()
        self.assertEqual([message["op"] for message in self.sent], ["alive"])

    def test_cancels_that_are_kept_are_bounded(self) -> None:
        for number in range(fork_server.CANCELLED_LIMIT + 10):
            self.server._cancel(f"x{number}", 1)
        self.assertEqual(len(self.server.cancelled), fork_server.CANCELLED_LIMIT)
        self.server.seen["y"] = None
        self.server._cancel("y", 1)
        self.assertNotIn("y", self.server.cancelled, "one that began and is gone needs none")
