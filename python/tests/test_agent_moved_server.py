"""An execution whose server holds the connection and never answers finds the one that does."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import unittest
from unittest import mock

from leoflow.agent import wire
from leoflow.agent.attempt import Server


class Listener:
    """A unix socket. Answers every request with `answer`; without one it reads and stays silent."""

    def __init__(self, path: str, answer: dict | None):
        self.path = path
        self.answer = answer
        self.asked = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen()
        self.held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.held.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        data = b""
        while chunk := connection.recv(1 << 20):
            self.asked.set()
            data += chunk
            head, _, body = data.partition(b"\r\n\r\n")
            if self.answer is not None and len(body) >= int(head.rpartition(b"Content-Length: ")[2] or 1):
                data = b""
                body = json.dumps(self.answer).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def close(self):
        for connection in self.held:
            connection.close()
        self.socket.close()


class MovedServer(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="lf-moved-")
        self.addCleanup(self.folder.cleanup)
        self.address_file = os.path.join(self.folder.name, "agent.json")
        self.silent = self.listen("silent", None)
        self.heard = self.listen("heard", {"kind": "recorded"})
        patience = mock.patch.object(wire, "PATIENCE_SECONDS", 0.05)
        patience.start()
        self.addCleanup(patience.stop)

    def listen(self, name, answer):
        listener = Listener(os.path.join(self.folder.name, name), answer)
        self.addCleanup(listener.close)
        return listener

    def publish(self, listener):
        with open(self.address_file, "w", encoding="utf-8") as file:
            json.dump({"socket": listener.path}, file)

    def post(self, body):
        """Asks in a thread of its own, as the execution would. Gives a function that waits for the answer."""
        answers = []

        def ask():
            # A connection is its thread's own.
            server = Server(wire.connect(self.silent.path), self.silent.path, self.address_file)
            answers.append(server.post("/agent/v1/report", body, 20))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()

        def wait():
            thread.join(10)
            return answers

        return wait

    def test_a_report_finds_the_server_that_took_over(self):
        self.publish(self.silent)
        wait = self.post({"execution_id": "x"})
        self.assertTrue(self.silent.asked.wait(10))
        self.publish(self.heard)
        self.assertEqual(wait(), [{"kind": "recorded"}])

    def test_a_report_too_large_to_be_sent_finds_it_too(self):
        self.publish(self.silent)
        stuck = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stuck.bind(os.path.join(self.folder.name, "stuck"))
        stuck.listen()
        self.addCleanup(stuck.close)
        server = Server(wire.connect(stuck.getsockname()), stuck.getsockname(), self.address_file)
        self.publish(self.heard)
        self.assertEqual(server.post("/agent/v1/report", {"pad": "x" * 4_000_000}, 20), {"kind": "recorded"})

    def test_a_slow_answer_of_the_leader_is_waited_for(self):
        self.publish(self.silent)
        wait = self.post({"execution_id": "x"})
        self.assertTrue(self.silent.asked.wait(10))
        # Many times the patience, and it is still the same connection that is waited on.
        self.assertFalse(self.heard.asked.wait(0.5))
        self.silent.held[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        self.assertEqual(wait(), [{}])
        self.assertEqual(len(self.silent.held), 1)


if __name__ == "__main__":
    unittest.main()
