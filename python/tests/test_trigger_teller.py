"""A trigger host tells every event once it is taken; one that is refused for good holds up no other."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import socketserver
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler
from unittest import mock

from leoflow.airflow_runtime import trigger_teller
from leoflow.airflow_runtime.trigger_teller import BYTES_AT_ONCE, EVENTS_AT_ONCE, Refused, Server, Teller

LIMIT_SECONDS = 30


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class Engine:
    """A server on a unix socket. `judge` looks at the events of a request, and at their bytes: 200 takes them, any other status does not."""

    def __init__(self, folder: str, judge):
        self.address = os.path.join(folder, "agent.sock")
        self.address_file = os.path.join(folder, "agent.json")
        with open(self.address_file, "w", encoding="utf-8") as file:
            json.dump({"socket": self.address}, file)
        #: Events of each request that was taken, in order, and the bytes of each that was made.
        self.taken: list[list[dict]] = []
        self.sizes: list[int] = []
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                events = json.loads(body)["events"]
                engine.sizes.append(len(body))
                status = judge(events, len(body))
                if status == 200:
                    engine.taken.append(events)
                answer = json.dumps({"code": "invalid_value", "detail": f"no, {status}"}).encode()
                self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(answer)) + answer)

            def log_message(self, *_):
                pass

        self._server = _UnixServer(self.address, Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


def event(nth: int, payload: str = "1") -> dict:
    return {"trigger_id": f"t{nth}", "kind": "event", "payload": payload}


class Telling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lf-tell-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.told: list[dict] = []
        self.refused: list[dict] = []

    def engine(self, judge) -> Engine:
        engine = Engine(self.folder, judge)
        self.addCleanup(engine.close)
        return engine

    def tell(self, engine: Engine, *events: dict) -> None:
        """Until all were told."""
        asyncio.run(asyncio.wait_for(self._tell(engine, events), LIMIT_SECONDS))

    async def _tell(self, engine: Engine, events) -> None:
        ended = asyncio.Event()

        def on_told(one: dict) -> None:
            self.told.append(one)
            if len(self.told) == len(events):
                ended.set()

        teller = Teller(Server(engine.address, engine.address_file), {"fork_server": "f", "pid": 7}, on_told=on_told, on_refused=self.refused.append)
        for one in events:
            await teller.events.put(one)
        running = asyncio.create_task(teller.run())
        await asyncio.wait([running, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        running.cancel()

    def test_one_that_is_refused_becomes_a_failure_and_the_others_are_told(self):
        engine = self.engine(lambda events, _: 422 if any(one.get("payload") == "bad" for one in events) else 200)
        events = [event(nth, "bad" if nth in (3, 77) else "1") for nth in range(100)]
        self.tell(engine, *events)
        failures = [{"trigger_id": f"t{nth}", "kind": "failed", "error": "Trigger failure", "traceback": ["its event cannot be stored: no, 422"]} for nth in (3, 77)]
        taken = [one for part in engine.taken for one in part]
        self.assertEqual(taken, [failures[0] if one == events[3] else failures[1] if one == events[77] else one for one in events])
        self.assertEqual(self.told, taken)
        self.assertEqual(self.refused, failures)

    def test_a_request_is_bound_by_bytes_and_by_number(self):
        engine = self.engine(lambda events, size: 413 if size > BYTES_AT_ONCE * 2 or len(events) > EVENTS_AT_ONCE else 200)
        large = "x" * (BYTES_AT_ONCE // 3)
        events = [event(nth, large) for nth in range(7)] + [event(nth) for nth in range(7, EVENTS_AT_ONCE + 20)]
        self.tell(engine, *events)
        self.assertEqual([one for part in engine.taken for one in part], events)
        self.assertEqual([len(part) for part in engine.taken], [2, 2, 2, EVENTS_AT_ONCE - 6, 20])

    def test_one_that_is_too_large_for_any_request_becomes_a_failure(self):
        engine = self.engine(lambda _, size: 413 if size > BYTES_AT_ONCE else 200)
        self.tell(engine, event(1), event(2, "x" * BYTES_AT_ONCE), event(3))
        self.assertEqual([(one["trigger_id"], one["kind"]) for part in engine.taken for one in part], [("t1", "event"), ("t2", "failed"), ("t3", "event")])

    def test_a_refusal_that_may_pass_is_asked_again_and_changes_nothing(self):
        statuses = iter([503, 401, 404, 409, 429, 500, 507])
        engine = self.engine(lambda *_: next(statuses, 200))
        with mock.patch.object(trigger_teller, "AGAIN_SECONDS", 0.01), contextlib.redirect_stderr(io.StringIO()) as said:
            self.tell(engine, event(1), event(2))
        self.assertEqual((engine.taken, self.refused, len(engine.sizes)), ([[event(1), event(2)]], [], 8))
        self.assertIn("HTTP 401", said.getvalue())

    def test_whoever_is_refused_whatever_it_says_is_let_go(self):
        engine = self.engine(lambda events, _: 422 if any(one["trigger_id"] == "t1" for one in events) else 200)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.tell(engine, event(1), event(2))
        self.assertEqual(engine.taken, [[event(2)]])
        self.assertEqual([one["trigger_id"] for one in self.told], ["t1", "t2"])
        self.assertIn("no, 422", said.getvalue())

    def test_without_a_thread_it_ends_and_says_so(self):
        engine = self.engine(lambda *_: 200)
        started = threading.Thread.start

        def start(thread):
            if thread.name.startswith("ThreadPoolExecutor"):
                raise RuntimeError("can't start new thread")
            started(thread)

        with mock.patch.object(threading.Thread, "start", start), self.assertRaisesRegex(RuntimeError, "can't start new thread"):
            self.tell(engine, event(1))


class Asking(unittest.TestCase):
    def test_what_is_refused_for_good_is_not_asked_again(self):
        with tempfile.TemporaryDirectory(prefix="lf-ask-") as folder:
            engine = Engine(folder, lambda *_: 400)
            self.addCleanup(engine.close)
            with self.assertRaisesRegex(Refused, "^no, 400$"):
                # In a thread, as hosts ask.
                asyncio.run(asyncio.to_thread(Server(engine.address, engine.address_file).ask, "/agent/v1/triggers/watch", {"events": []}))


if __name__ == "__main__":
    unittest.main()
