"""HttpHook, HttpOperator and HttpSensor against a real HTTP server."""

from __future__ import annotations

import base64
import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from leoflow.dagmodel import masking
from python.tests.memory_engine import MemoryRun


class Handler(BaseHTTPRequestHandler):
    """Answers by path: echo, text, status, redirect, page, later, slow."""

    looks = 0

    def do_GET(self) -> None:  # noqa: N802 - the server's name
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = self.path.partition("?")[0]
        status, text, headers = 200, "a text", {}
        if path == "/echo":
            text = json.dumps({"method": self.command, "path": self.path, "body": body, "headers": {name.lower(): value for name, value in self.headers.items()}})
        elif path.startswith("/status/"):
            status = int(path.rpartition("/")[2])
        elif path == "/redirect":
            status, headers = 302, {"Location": "/text"}
        elif path.startswith("/page/"):
            text = path.rpartition("/")[2]
        elif path == "/later":
            Handler.looks += 1
            status = 404 if Handler.looks < 3 else 200
        elif path == "/slow":
            self.server.released.wait(10)
        data = text.encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            return

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


class HttpTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.released = threading.Event()
        Handler.looks = 0
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.addCleanup(self.server.released.set)
        self.addCleanup(masking.forget)
        self.run_ = MemoryRun("calling_http.py", "calling_http")
        port = self.server.server_port
        extra = json.dumps({"X-Extra": "e", "timeout": 5})
        self.run_.api.connections = {
            "http_default": {"conn_type": "http", "host": "127.0.0.1", "port": port, "login": "u", "password": "pass-word", "extra": extra},
            "with_scheme": {"conn_type": "http", "host": f"http://127.0.0.1:{port}/", "schema": "ignored"},
        }

    def value(self, task_id: str) -> object:
        report = self.run_.run(task_id)
        self.assertEqual(report["outcome"], "success", report.get("error"))
        return self.run_.value(task_id)

    def test_a_get_has_its_parameters_in_the_url(self) -> None:
        echo = self.value("get")
        self.assertEqual((echo["method"], echo["path"], echo["body"]), ("GET", "/echo?a=1&q=x", ""))
        headers = echo["headers"]
        self.assertEqual((headers["x-one"], headers["x-extra"]), ("manual__2026-01-02T00:00:00+00:00", "e"))
        self.assertEqual(headers["authorization"], f"Basic {base64.b64encode(b'u:pass-word').decode()}")

    def test_a_post_has_a_form(self) -> None:
        echo, task_id = self.value("post")
        self.assertEqual((echo["method"], echo["body"], echo["headers"]["content-type"], task_id), ("POST", "a=b+c", "application/x-www-form-urlencoded", "post"))

    def test_json_and_a_token_of_its_own(self) -> None:
        echo = self.value("json")
        self.assertEqual((json.loads(echo["body"]), echo["headers"]["content-type"], echo["headers"]["authorization"]), ({"a": [1]}, "application/json", "Bearer t0ken-1"))

    def test_answers(self) -> None:
        self.assertEqual([self.value(name) for name in ("text", "followed", "not_followed", "unchecked", "hook")], ["a text", "a text", 302, 500, "a text"])
        self.assertEqual(self.value("pages"), ["1", "2", "3"])

    def test_refusals(self) -> None:
        self.assertEqual(self.run_.run("checked")["error"]["message"], "Response check returned False.")
        self.assertEqual(self.run_.run("missing")["error"]["message"], "404:Not Found")
        self.assertIn("timed out", self.run_.run("slow")["error"]["message"])

    def test_a_sensor_waits_through_404_and_fails_on_others(self) -> None:
        self.assertEqual(self.run_.run("wait")["outcome"], "success")
        self.assertEqual(Handler.looks, 3)
        self.assertEqual(self.run_.run("broken")["error"]["message"], "500:Internal Server Error")


if __name__ == "__main__":
    unittest.main()
