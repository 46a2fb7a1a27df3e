"""Look-ups of a running task over a real socket: refusals in the server's words, threads and processes side by side, a time-out in the middle."""

from __future__ import annotations

import json
import os
import socketserver
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler

from leoflow.agent.attempt import Server, TaskApi
from leoflow.dagmodel.errors import AirflowException, AirflowTaskTimeout


class Handler(BaseHTTPRequestHandler):
    """Answers a variable with its key, one with `none`, and refuses the others that it knows."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802 - the server's name
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = body.get("key") or body.get("conn_id")
        status, answer = 200, {"value": None if name == "none" else f"value of {name}", "connection": {"conn_id": name}}
        if name == "forbidden":
            status, answer = 403, {"code": "forbidden", "detail": "the DAG d may not use the variable forbidden"}
        if name == "slow":
            self.server.released.wait(10)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        try:
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            return

    def address_string(self) -> str:
        """A unix socket has none."""
        return ""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class LookUpTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = os.path.join(folder.name, "a.sock")
        self.server = socketserver.ThreadingUnixStreamServer(path, Handler)
        self.server.daemon_threads = True
        self.server.released = threading.Event()
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.server.released.set)
        self.control = Server(None, path, os.path.join(folder.name, "none"))
        self.addCleanup(self.control.close)
        self.api = TaskApi(self.control, {"execution_id": "e"})

    def test_answers_and_refusals(self) -> None:
        self.assertEqual((self.api.find_variable("a"), self.api.find_variable("none"), self.api.find_connection("c")), ("value of a", None, {"conn_id": "c"}))
        with self.assertRaisesRegex(AirflowException, "^the DAG d may not use the variable forbidden$"):
            self.api.find_variable("forbidden")

    def test_each_thread_gets_its_own_answer(self) -> None:
        keys = [f"k{n}" for n in range(200)]
        with ThreadPoolExecutor(16) as pool:
            self.assertEqual(list(pool.map(self.api.find_variable, keys)), [f"value of {key}" for key in keys])

    def test_a_forked_process_does_not_take_the_answer_of_its_parent(self) -> None:
        self.api.find_variable("a")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, "".join(self.api.find_variable(f"c{n}") for n in range(20)).encode())
            os._exit(0)
        mine = [self.api.find_variable(f"p{n}") for n in range(20)]
        os.waitpid(child, 0)
        os.close(write)
        with os.fdopen(read) as file:
            self.assertEqual(file.read(), "".join(f"value of c{n}" for n in range(20)))
        self.assertEqual(mine, [f"value of p{n}" for n in range(20)])

    def test_what_comes_after_a_time_out_is_not_taken_for_the_next_answer(self) -> None:
        import signal

        def raise_it(*_: object) -> None:
            raise AirflowTaskTimeout("too long")

        before = signal.signal(signal.SIGALRM, raise_it)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        self.api.find_variable("a")
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with self.assertRaises(AirflowTaskTimeout):
            self.api.find_variable("slow")
        self.server.released.set()
        self.assertEqual(self.api.find_variable("b"), "value of b")


if __name__ == "__main__":
    unittest.main()
