"""A real fork server with a leader and an agent API played by the test: epochs, repeats, parked children, reports that are refused."""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from leoflow.agent import wire

LIMIT_SECONDS = 20
PYTHON_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DAG = '''
import os, time
from airflow.sdk import dag, task

@dag(schedule=None)
def d():
    @task
    def ok():
        return os.environ["LEOFLOW_EXECUTION_ID"]
    @task
    def stay():
        with open("begun", "w") as pipe:
            pipe.write("1")
        time.sleep(600)
    ok(), stay()
d()
'''


class AgentApi:
    """Answers as it is told: `answers` holds a status and a body per path, the last one for ever."""

    def __init__(self, path: str):
        self.calls: queue.Queue[tuple[str, dict]] = queue.Queue()
        self.answers: dict[str, list[tuple[int, dict]]] = {}
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as file:
            self._answer_all(sock, file)

    def _answer_all(self, sock: socket.socket, file) -> None:
        while True:
            path = file.readline().split(b" ")
            if len(path) < 2:
                return
            length = 0
            for line in iter(file.readline, b"\r\n"):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.calls.put((path[1].decode(), json.loads(file.read(length))))
            answers = self.answers.get(path[1].decode(), [(200, {})])
            status, body = answers[0] if len(answers) == 1 else answers.pop(0)
            payload = json.dumps(body).encode()
            try:
                sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(payload)) + payload)
            except OSError:
                return

    def call(self, path: str) -> dict:
        """The next call of that path."""
        while True:
            called, body = self.calls.get(timeout=LIMIT_SECONDS)
            if called == path:
                return body

    def close(self) -> None:
        """Nobody is answered any more."""
        self.listener.close()


class Leader:
    """A leader's connection to the fork server."""

    def __init__(self, path: str, epoch: int, agent_socket: str):
        self.epoch = epoch
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT_SECONDS)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        self.send({"op": "hello", "agent_socket": agent_socket})

    def send(self, message: dict) -> None:
        """One message of this leader's epoch."""
        self.sock.sendall(wire.encode_line({"epoch": self.epoch, **message}))

    def next(self, op: str) -> dict:
        """The next message of that kind; others are passed over."""
        for line in self.file:
            message = json.loads(line)
            if message["op"] == op:
                return message
        raise AssertionError(f"the connection ended before {op}")


class ForkServerTest(unittest.TestCase):
    """Everything below one folder that is gone afterwards."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        with open(self.path("dag.py"), "w", encoding="utf-8") as file:
            file.write(DAG)
        os.mkfifo(self.path("begun"))
        self.api = AgentApi(self.path("a.sock"))
        self.addCleanup(self.api.close)
        self.name_agent("a.sock")
        spec = {
            "id": "f1", "version_id": "v", "dag_id": "d", "root": self.home, "dag_file": "dag.py", "path": [], "socket": self.path("f.sock"), "launcher_pid": os.getpid(),
            "address_file": self.path("agent.json"), "log_file": self.path("imports.log"),
        }
        self.server = subprocess.Popen([sys.executable, "-m", "leoflow.agent.fork_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": PYTHON_FOLDER}, cwd=self.home)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)
        self.server.stdin.write(json.dumps(spec).encode())
        self.server.stdin.close()
        self.assertEqual(json.loads(self.server.stdout.readline())["op"], "ready")

    def path(self, name: str) -> str:
        """A path in the test's folder."""
        return os.path.join(self.home, name)

    def wait_for_task(self) -> None:
        """Until `stay` is in its own code."""
        with open(self.path("begun"), encoding="ascii") as pipe:
            self.assertEqual(pipe.read(), "1")

    def name_agent(self, name: str) -> None:
        """Writes where the leader's agent API is."""
        with open(self.path("agent.json"), "w", encoding="utf-8") as file:
            json.dump({"socket": self.path(name)}, file)

    def leader(self, epoch: int, agent: str = "a.sock") -> Leader:
        """A leader that said hello."""
        leader = Leader(self.path("f.sock"), epoch, self.path(agent))
        self.addCleanup(leader.sock.close)
        self.addCleanup(leader.file.close)
        return leader

    def outcomes(self) -> list[tuple[str, str]]:
        """What was left behind: executions and their outcomes, in order."""
        with open(self.path("records"), encoding="ascii") as file:
            records = [line.split(" ", 1) for line in file if line != "\n"]
        return [(execution, json.loads(report)["outcome"]) for execution, report in records]

    def job(self, execution: str, task: str = "ok") -> dict:
        """A spec of one execution."""
        at = "2026-01-01T00:00:00Z"
        return {
            "execution_id": execution, "attempt_id": "t", "token": "secret", "dag_id": "d", "version_id": "v", "task_id": task, "map_index": -1, "try_number": 1, "max_tries": 0,
            "run": {"id": "r", "run_id": "r", "run_type": "manual", "logical_date": at, "data_interval_start": at, "data_interval_end": at, "run_after": at, "start_date": at, "queued_at": at,
                    "conf": {}, "triggering_user_name": None},
            "log_file": self.path(f"{execution}.log"), "outcome_file": self.path("records"), "xcom_max_bytes": 1000,
        }

    def test_a_job_begins_reports_and_ends(self) -> None:
        leader = self.leader(1)
        self.assertEqual(leader.next("hello")["running"], [])
        leader.send({"op": "run", "spec": self.job("x1")})
        pid = leader.next("begun")["pid"]
        report = self.api.call("/agent/v1/report")
        self.assertEqual((report["outcome"], report["xcoms"][0]["value"]), ("success", '"x1"'))
        [child] = leader.next("exited")["children"]
        self.assertEqual((child["pid"], child["execution_id"], child["status"], child["signal"]), (pid, "x1", 0, None))

    def test_an_execution_begins_once(self) -> None:
        leader = self.leader(1)
        leader.send({"op": "run", "spec": self.job("x1")})
        leader.next("exited")
        leader.send({"op": "run", "spec": self.job("x1")})
        refused = leader.next("refused")
        self.assertEqual((refused["execution_id"], refused["reason"]), ("x1", "begun before"))
        again = self.leader(2)
        again.send({"op": "run", "spec": self.job("x1")})
        self.assertEqual(again.next("refused")["reason"], "begun before", "nor for another leader")

    def test_a_newer_leader_takes_over_and_an_older_one_is_refused(self) -> None:
        first = self.leader(1)
        first.send({"op": "run", "spec": self.job("x1", "stay")})
        pid = first.next("begun")["pid"]
        self.wait_for_task()
        second = self.leader(2)
        self.assertEqual(second.next("hello")["running"], [{"execution_id": "x1", "pid": pid}])
        self.assertEqual(first.file.readline(), b"", "the first one's connection is closed")
        late = self.leader(1)
        self.assertEqual(late.next("refused")["epoch"], 2)
        second.send({"op": "run", "epoch": 1, "spec": self.job("x2")})
        self.assertEqual(second.next("refused")["execution_id"], "x2", "a message of an older epoch begins nothing")
        second.send({"op": "cancel", "execution_id": "x1", "grace_seconds": 10})
        self.assertEqual(self.api.call("/agent/v1/report")["cause"], "cancelled")
        second.next("exited")

    def test_a_parked_child_gets_its_job_over_its_connection(self) -> None:
        self.api.answers["/agent/v1/park"] = [(200, {"spec": self.job("x1")}), (200, {"spec": None})]
        leader = self.leader(1)
        leader.send({"op": "park", "count": 1})
        parked = self.api.call("/agent/v1/park")
        self.assertEqual(parked["fork_server"], "f1")
        self.assertEqual(leader.next("begun"), {"op": "begun", "execution_id": "x1", "pid": parked["pid"]})
        self.assertEqual(self.api.call("/agent/v1/report")["outcome"], "success")
        leader.next("exited")
        leader.send({"op": "park", "count": 1})
        [child] = leader.next("exited")["children"]
        self.assertEqual((child["execution_id"], child["status"]), (None, 0), "without a job it ends")

    def test_a_cancel_that_comes_before_its_job_was_read_is_kept_for_it(self) -> None:
        self.api.answers["/agent/v1/park"] = [(200, {"spec": self.job("x1", "stay")})]
        leader = self.leader(1)
        leader.send({"op": "cancel", "execution_id": "x1", "grace_seconds": 5})
        leader.send({"op": "park", "count": 1})
        leader.next("begun")
        [child] = leader.next("exited")["children"]
        self.assertEqual(child["execution_id"], "x1")

    def test_a_message_of_an_older_epoch_that_begins_nothing_names_no_execution(self) -> None:
        leader = self.leader(2)
        leader.send({"op": "park", "epoch": 1, "count": 1})
        self.assertNotIn("execution_id", leader.next("refused"))

    def test_parked_children_of_a_leader_that_hangs_are_ended_at_take_over(self) -> None:
        # Its connections stay open and nothing is answered, as when the process is stopped.
        silent = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        silent.bind(self.path("silent.sock"))
        silent.listen(4)
        self.addCleanup(silent.close)
        first = self.leader(1, "silent.sock")
        first.send({"op": "park", "count": 2})
        for _ in range(2):
            self.addCleanup(silent.accept()[0].close)
        second = self.leader(2)
        self.assertEqual(second.next("hello")["running"], [], "what is told is certain: they are gone")

    def test_a_report_is_made_until_it_is_taken(self) -> None:
        self.api.answers["/agent/v1/report"] = [(503, {}), (503, {}), (200, {})]
        leader = self.leader(1)
        leader.send({"op": "run", "spec": self.job("x1")})
        for _ in range(3):
            self.assertEqual(self.api.call("/agent/v1/report")["execution_id"], "x1")
        self.assertEqual(leader.next("exited")["children"][0]["status"], 0)
        self.assertEqual(self.outcomes(), [("x1", "success")], "however often it was asked")

    def test_a_report_follows_the_leader_to_its_new_address(self) -> None:
        leader = self.leader(1)
        self.api.answers["/agent/v1/report"] = [(503, {})]
        leader.send({"op": "run", "spec": self.job("x1")})
        self.api.call("/agent/v1/report")
        other = AgentApi(self.path("b.sock"))
        self.addCleanup(other.close)
        self.name_agent("b.sock")
        self.assertEqual(other.call("/agent/v1/report")["outcome"], "success")
        leader.next("exited")

    def test_a_stale_report_ends_the_execution_in_peace(self) -> None:
        self.api.answers["/agent/v1/report"] = [(409, {"detail": "closed"})]
        leader = self.leader(1)
        leader.send({"op": "run", "spec": self.job("x1")})
        self.assertEqual(leader.next("exited")["children"][0]["status"], 0)

    def test_a_report_that_the_server_cannot_take_is_reported_as_a_failure(self) -> None:
        self.api.answers["/agent/v1/report"] = [(422, {"detail": "an odd value"}), (200, {})]
        leader = self.leader(1)
        leader.send({"op": "run", "spec": self.job("x1")})
        self.api.call("/agent/v1/report")
        second = self.api.call("/agent/v1/report")
        self.assertEqual(second["outcome"], "failed")
        self.assertIn("an odd value", second["error"]["message"])
        leader.next("exited")
        self.assertEqual(self.outcomes(), [("x1", "success"), ("x1", "failed")], "the last one counts")

    def test_running_executions_survive_the_leaders_connection(self) -> None:
        first = self.leader(1)
        first.send({"op": "run", "spec": self.job("x1", "stay")})
        pid = first.next("begun")["pid"]
        self.wait_for_task()
        first.sock.shutdown(socket.SHUT_RDWR)
        second = self.leader(2)
        self.assertEqual(second.next("hello")["running"], [{"execution_id": "x1", "pid": pid}])
        os.kill(pid, 9)
        [child] = second.next("exited")["children"]
        self.assertEqual((child["execution_id"], child["signal"]), ("x1", 9))


class LinesTest(unittest.TestCase):
    """Messages out of pieces."""

    def test_messages_cut_anywhere(self) -> None:
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        ours.setblocking(False)
        lines = wire.Lines(ours)
        whole = wire.encode_line({"a": "ü"}) + wire.encode_line({"b": 2})
        seen = []
        for at in range(len(whole)):
            theirs.sendall(whole[at:at + 1])
            seen += lines.read()
        self.assertEqual(seen, [{"a": "ü"}, {"b": 2}])
        self.assertEqual(lines.read(), [])
        theirs.close()
        self.assertIsNone(lines.read())
        self.assertFalse(lines.send({"c": "x" * 10_000_000}))


if __name__ == "__main__":
    unittest.main()
