"""HttpHook, HttpOperator and HttpSensor against a real HTTP server."""

from __future__ import annotations

import base64
import json
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock
from urllib.parse import quote, unquote
from urllib.request import Request

from leoflow.dagmodel import http_opener, masking
from leoflow.dagmodel.connections import Connection
from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.http_hook import HttpHook
from leoflow.dagmodel.http_opener import Redirects
from leoflow.dagmodel.http_task import HttpTask
from python.tests.memory_engine import MemoryRun


class Handler(BaseHTTPRequestHandler):
    """Answers by path: echo, text, status, redirect, to, page, later, slow."""

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
        elif path == "/to":
            status, headers = 302, {"Location": unquote(self.path.partition("?")[2])}
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

    def test_redirects_to_another_host_carry_no_credentials(self) -> None:
        other = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(other.server_close)
        self.addCleanup(other.shutdown)
        port, extra = self.server.server_port, {"X-Extra": "e", "Api": "k3y-of-the-extra"}
        connection = Connection("c", conn_type="http", host="127.0.0.1", port=port, login="u", password="pass-word", extra=extra)
        own = {"Cookie": "own-cookie", "X-Api-Key": "own-key", "X-Request": "r"}
        with mock.patch.object(Connection, "get", lambda conn_id: connection):
            def asked_by_both(address: str) -> list[dict[str, str]]:
                path = f"to?{quote(address)}"
                return [json.loads(HttpTask(task_id="t", url=path, conn_id="c", headers=own).execute({}))["headers"], HttpHook("GET", "c").run(path, headers=own).json()["headers"]]

            for headers in asked_by_both("/echo"):
                self.assertLessEqual({"authorization", "x-extra", "api", "cookie", "x-api-key", "x-request"}, set(headers))
            for address in (f"http://127.0.0.1:{other.server_port}/echo", f"http://localhost:{port}/echo"):
                for headers in asked_by_both(address):
                    self.assertFalse({"authorization", "x-extra", "api", "cookie", "x-api-key"} & set(headers), headers)
                    self.assertEqual(headers["x-request"], "r")
            # Back at the first host, what was left behind stays behind.
            for headers in asked_by_both(f"http://127.0.0.1:{other.server_port}/to?{quote(f'http://127.0.0.1:{port}/echo')}"):
                self.assertFalse({"authorization", "x-extra", "api"} & set(headers), headers)

    def test_a_redirect_out_of_encryption_is_refused(self) -> None:
        follow = Redirects().redirect_request
        with self.assertRaisesRegex(AirflowException, "from https to http"):
            follow(Request("https://h/a"), None, 302, "Found", None, "http://h/a")
        same = follow(Request("https://h/a", headers={"Authorization": "x"}), None, 302, "Found", None, "https://H:443/b")
        self.assertEqual(same.get_header("Authorization"), "x")

    def test_without_a_timeout_there_is_one(self) -> None:
        address = f"http://127.0.0.1:{self.server.server_port}"
        with mock.patch.object(http_opener, "DEFAULT_TIMEOUT_SECONDS", 0.2), mock.patch.object(Connection, "get", lambda conn_id: Connection("c", host=address)):
            for ask in (lambda: HttpTask(task_id="t", url=f"{address}/slow").execute({}), lambda: HttpHook("GET", "c").run("slow")):
                with self.assertRaisesRegex(Exception, "timed out"):
                    ask()


if __name__ == "__main__":
    unittest.main()
