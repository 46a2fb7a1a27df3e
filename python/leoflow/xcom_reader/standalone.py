"""Reads XComs of an Airflow that only its own pods can reach: needs Python 3.8 or newer and kubectl, nothing else, and can change nothing.

A tiny program travels through `kubectl exec` into the scheduler's pod, sends one SELECT in a read-only transaction, and answers. No credential leaves the pod.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from typing import Any, Dict, List, Optional, Tuple

from leoflow.xcom_reader.decode import decode
from leoflow.xcom_reader.tell import printable, remarks, render, tell_hints

PROBE = ""
# part: pickle_machine.py
# part: known_classes.py
# part: show.py
# part: decode.py
# part: tell.py
# text: probe.py

BOOTSTRAP = 'import sys;exec(compile(sys.stdin.buffer.read(int(sys.argv[1])),"probe","exec"))'
EXIT = {"usage": 2, "cluster": 3, "exec": 4, "database": 5, "protocol": 6, "empty": 10}
MAX_BYTES = 1024 * 1024
OWN_LINE = re.compile(r"error: |Error from server|error from server|Unable to connect to the server|The connection to the server |couldn't get current server")
GONE = re.compile(r'pods? ".*" not found|container not found|unable to upgrade connection|container is not created or running|cannot exec (in|into) a (stopped|completed)|current phase is|has been deleted|error dialing backend', re.I)
NO_PYTHON = re.compile(r'executable file not found|no such file or directory: unknown|exec: ".*": stat|exit code 127|exit code 126', re.I)
CLUSTER = (
    (re.compile(r"unable to connect to the server|the connection to the server|connection refused|no such host|i/o timeout|couldn't get current server|dial tcp|TLS handshake", re.I), "the Kubernetes API does not answer", "Check the VPN and the context: `kubectl config get-contexts`; another one is named with --context."),
    (re.compile(r"you must be logged in|unauthorized|provide credentials|token has expired", re.I), "the cluster does not accept your login", "Log in again as your cluster asks for it, then try again."),
    (re.compile(r"forbidden", re.I), "the cluster does not allow it", "A role that may `get` and `list` pods and `create` pods/exec is enough."),
    (re.compile(r'context ".*" does not exist|context was not found|no context exists|no configuration has been provided', re.I), "kubectl knows no such context", "List them with `kubectl config get-contexts`, name one with --context."),
    (re.compile(r'namespaces? ".*" not found', re.I), "there is no such namespace", "List them with `kubectl get namespaces`, name one with --namespace."),
)


class Problem(Exception):
    """What is wrong, what to do next, and the exit code it ends with."""

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = EXIT[kind], hint


def parse_arguments(arguments: Optional[List[str]]) -> argparse.Namespace:
    """The flags. Exits with 2 when they are wrong."""
    parser = argparse.ArgumentParser(prog="xcom-pull", description="Read XComs by one SELECT inside the scheduler's pod. Nothing can be written.", epilog="Exit codes: 2 usage, 3 cluster or pod, 4 exec or time-out, 5 database, 6 answer cut, 10 nothing matched (--fail-empty).")
    parser.add_argument("--dag-id", required=True, help="DAG")
    parser.add_argument("--run-id", help="run: its id, a unique beginning of it, latest, or latest:success (required but for --list-runs)")
    parser.add_argument("--task-id", help="only these tasks (glob)")
    parser.add_argument("--map-index", help="only these map indexes: 3, 0..9, or -1 for what is not mapped")
    parser.add_argument("--key", default="return_value", help="key (glob), '*' for every one (default: return_value)")
    parser.add_argument("--list-runs", action="store_true", help="list the DAG's last runs")
    parser.add_argument("--limit", type=int, default=20, help="rows at most (default: 20)")
    parser.add_argument("-n", "--namespace", help="namespace of the pods (default: the context's)")
    parser.add_argument("-l", "--selector", default="component=scheduler", help="labels of the pod to ask (default: component=scheduler)")
    parser.add_argument("-c", "--container", default="scheduler", help="container in it (default: scheduler)")
    parser.add_argument("--pod", help="one pod by name")
    parser.add_argument("--context", "--kube-context", help="context of the kubeconfig (default: the current one)")
    parser.add_argument("--timeout", type=float, default=60, help="give a question up after so many seconds (default: 60)")
    parser.add_argument("--kubectl", default="kubectl", help="the program kubectl")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--fail-empty", action="store_true", help="exit 10 when nothing matched")
    flags = parser.parse_args(arguments)
    if not flags.list_runs and not flags.run_id:
        parser.error("--run-id is missing: --list-runs lists them, --run-id latest takes the newest")
    if not 1 <= flags.limit <= 100_000:
        parser.error("--limit %d: expected a whole number from 1 to 100000" % flags.limit)
    if not 0 < flags.timeout <= 3600:
        parser.error("--timeout %s: expected seconds up to 3600" % flags.timeout)
    return flags


def like_exactly(text: str) -> str:
    """A LIKE pattern with the escape `!` for exactly this text."""
    return re.sub("([!%_])", r"!\1", text)


def like_of_glob(glob: str) -> str:
    """A LIKE pattern for `*` and `?`."""
    return like_exactly(glob).replace("*", "%").replace("?", "_")


def parse_map_index(text: Optional[str]) -> Optional[List[int]]:
    """`3`, `-1`, `0..9`, or `*` for every one."""
    if text is None or text == "*":
        return None
    match = re.match(r"(-?\d{1,9})(?:\.\.(\d{1,9}))?\Z", text)
    if match is None:
        raise Problem("usage", "--map-index %s: expected a number, a range such as 0..9, or *" % text)
    first, last = int(match.group(1)), int(match.group(2) or match.group(1))
    if first < -1 or last < first:
        raise Problem("usage", "--map-index %s: the range is empty" % text)
    return [first, last]


def question_of(flags: argparse.Namespace, how: str) -> Dict[str, Any]:
    """The question: for the newest run, for exactly the run named, or for those that begin so."""
    latest = re.match(r"latest(?::([a-z_]+))?\Z", flags.run_id or "latest")
    exact = like_exactly(flags.run_id or "")
    chosen = {"run_id": "%", "state": latest.group(1), "limit": 1} if latest else {"run_id": exact if how == "exact" else exact + "%", "state": None, "limit": 1 if how == "exact" else 2}
    runs = {"run_id": "%", "state": None, "limit": flags.limit} if flags.list_runs else chosen
    return {
        "question": "runs" if flags.list_runs else "values", "dag_id": flags.dag_id, "runs": runs, "task_id": "%" if flags.task_id is None else like_of_glob(flags.task_id),
        "key": like_of_glob(flags.key), "map_index": parse_map_index(flags.map_index), "limit": flags.limit, "max_bytes": MAX_BYTES, "resolve": False,
    }


class Kubectl:
    """The two things asked of a cluster: `get pods` and `exec`."""

    def __init__(self, flags: argparse.Namespace) -> None:
        self.flags = flags

    def arguments(self, namespace: Optional[str]) -> List[str]:
        context = ["--context", self.flags.context] if self.flags.context else []
        return [self.flags.kubectl, *context, *(["--namespace", namespace] if namespace else [])]

    def pods(self) -> List[Dict[str, Any]]:
        which = ["pod", self.flags.pod] if self.flags.pod else ["pods", "--selector", self.flags.selector]
        command = [*self.arguments(self.flags.namespace), "get", *which, "--output", "json"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.flags.timeout)
        except subprocess.TimeoutExpired:
            raise Problem("exec", "`kubectl get pods` gave no answer within %g s" % self.flags.timeout) from None
        except OSError:
            raise not_started(self.flags.kubectl) from None
        words = done.stderr.decode("utf-8", "replace")
        if done.returncode != 0:
            if self.flags.pod and "not found" in words and "namespaces " not in words:
                raise Problem("cluster", "there is no pod %s: %s" % (self.flags.pod, own_words(words)))
            raise cluster_trouble(words) or Problem("cluster", "`kubectl get pods` failed: " + (own_words(words) or "exit %d" % done.returncode))
        try:
            answer = json.loads(done.stdout.decode("utf-8"))
        except ValueError:
            raise Problem("cluster", "`kubectl get pods` gave no JSON") from None
        return list(answer.get("items", [answer]))

    def session(self, pod: Dict[str, Any], question: Dict[str, Any]) -> "Session":
        namespace = pod["metadata"].get("namespace") or self.flags.namespace
        command = [*self.arguments(namespace), "exec", "--stdin", pod["metadata"]["name"], "--container", self.flags.container, "--"]
        for python in ("python3", "python"):
            session = Session([*command, python], question, self.flags)
            if session.reply is not None or session.timed_out or session.received or not NO_PYTHON.search(session.words):
                break
        return session


class Session:
    """One run of the probe: its program and the question go in, a frame comes out and is acknowledged."""

    def __init__(self, command: List[str], question: Dict[str, Any], flags: argparse.Namespace) -> None:
        sentinel = os.urandom(16).hex()
        self.reply: Optional[Dict[str, Any]] = None
        self.received, self.expected, self.timed_out = 0, -1, False
        program = probe_text().encode("utf-8")
        limit = max(1000, int(flags.timeout * 1000) - 5000)
        request = {**question, "protocol": 1, "sentinel": sentinel, "url_variable": None, "statement_timeout_ms": limit}
        with tempfile.TemporaryFile() as errors:
            try:
                child = subprocess.Popen([*command, "-u", "-c", BOOTSTRAP, str(len(program))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
            except OSError:
                raise not_started(flags.kubectl) from None
            timer = threading.Timer(flags.timeout, self.give_up, [child])
            timer.start()
            try:
                self.talk(child, program + json.dumps(request).encode("ascii") + b"\n", ("LEOFLOW-XCOM/1 %s " % sentinel).encode("ascii"))
                self.status = child.wait()
            finally:
                timer.cancel()
                self.end(child)
                child.wait()
            errors.seek(0)
            self.words = errors.read(65536).decode("utf-8", "replace")

    def give_up(self, child: "subprocess.Popen[bytes]") -> None:
        self.timed_out = True
        self.end(child)

    def end(self, child: "subprocess.Popen[bytes]") -> None:
        """Ends kubectl and what it started."""
        try:
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
        except OSError:
            pass

    def talk(self, child: "subprocess.Popen[bytes]", sent: bytes, start: bytes) -> None:
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(sent)
            child.stdin.flush()
        except OSError:
            pass
        payload = self.read_frame(child.stdout, start)
        if payload is not None:
            self.reply = json.loads(payload.decode("ascii"))
        try:
            if payload is not None:
                child.stdin.write(("ACK %s\n" % hashlib.sha256(payload).hexdigest()).encode("ascii"))
            child.stdin.close()
        except OSError:
            pass

    def read_frame(self, stream: Any, start: bytes) -> Optional[bytes]:
        """The payload of a frame that is whole and has the right hash; whatever stands before it is noise."""
        line = b"."
        while line != b"":
            line = stream.readline()
            self.received += len(line)
            match = re.match(re.escape(start) + rb"(\d{1,10}) ([0-9a-f]{64})\n\Z", line[max(0, line.find(start)):])
            if match is not None:
                self.expected = int(match.group(1))
                payload = bytes(stream.read(self.expected))
                self.received = len(payload)
                return payload if hashlib.sha256(payload).hexdigest().encode("ascii") == match.group(2) else None
        return None


def probe_text() -> str:
    """The program that travels."""
    if PROBE:
        return PROBE
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.py"), encoding="utf-8") as file:
        return file.read()


def not_started(kubectl: str) -> Problem:
    return Problem("cluster", kubectl + " cannot be started", "Install kubectl (https://kubernetes.io/docs/tasks/tools/), or name it with --kubectl.")


def own_words(words: str) -> str:
    """Kubectl's own lines, its last three. What a program in the pod said stands there as well and may hold a connection: it is left out, and no URL with a user in it is repeated."""
    own = [line for line in words.split("\n") if OWN_LINE.match(line)]
    return re.sub(r"\w[\w+.-]*://\S*@\S*", "***", "; ".join(own[-3:]))[:600]


def cluster_trouble(words: str) -> Optional[Problem]:
    own = own_words(words)
    return next((Problem("cluster", "%s: %s" % (what, own), hint) for pattern, what, hint in CLUSTER if pattern.search(own)), None)


def trouble_of(pod: Dict[str, Any], container: str) -> Optional[str]:
    """Why a pod cannot be asked; None when it can."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    if status.get("phase") != "Running":
        return "is %s" % status.get("phase", "in no known phase")
    names = [one["name"] for one in pod.get("spec", {}).get("containers", [])]
    if container not in names:
        return "has no container %s (it has %s)" % (container, ", ".join(names) or "none")
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))
    return None if ready or any(one["name"] == container and one.get("ready") for one in status.get("containerStatuses", [])) else "is not ready"


def choose_pod(pods: List[Dict[str, Any]], flags: argparse.Namespace, gone: Optional[str]) -> Dict[str, Any]:
    """The newest pod that can be asked; one that went away comes last."""
    usable = [pod for pod in pods if trouble_of(pod, flags.container) is None]
    usable.sort(key=lambda pod: (pod["metadata"]["name"] != gone, pod["metadata"].get("creationTimestamp", "")), reverse=True)
    where = "namespace " + flags.namespace if flags.namespace else "this context's namespace"
    if not pods:
        raise Problem("cluster", "no pod matches %s in %s" % (flags.selector, where), "Look with `kubectl get pods --all-namespaces -l component=scheduler`; then name --namespace, --selector or --pod.")
    if not usable:
        raise Problem("cluster", "no pod can be asked in %s: %s" % (where, "; ".join("%s %s" % (pod["metadata"]["name"], trouble_of(pod, flags.container)) for pod in pods[:10])), "Name another one with --pod, or the container where Airflow runs with --container.")
    if len(usable) > 1 and sys.stderr.isatty():
        sys.stderr.write("%d pods are ready; asking the newest, %s\n" % (len(usable), printable(usable[0]["metadata"]["name"])))
    return usable[0]


def ask(question: Dict[str, Any], flags: argparse.Namespace) -> Tuple[Dict[str, Any], str]:
    """The answer and where it came from. A pod that goes away meanwhile, or a torn answer, is tried once more."""
    kubectl, gone = Kubectl(flags), None
    for attempt in (1, 2):
        pod = choose_pod(kubectl.pods(), flags, gone)
        target = "%s/%s (%s)" % (pod["metadata"].get("namespace") or flags.namespace or "default", pod["metadata"]["name"], flags.container)
        session = kubectl.session(pod, question)
        if session.reply is not None:
            return answer_of(session.reply), target
        if attempt == 2 or session.timed_out or not (session.status == 0 or session.received or GONE.search(own_words(session.words))):
            break
        gone = pod["metadata"]["name"]
    raise failure_of_session(session, target, flags)


def answer_of(reply: Dict[str, Any]) -> Dict[str, Any]:
    if reply["kind"] == "answer":
        return reply
    state = " (SQLSTATE %s)" % reply["sqlstate"] if reply["sqlstate"] else ""
    raise Problem("database", reply["message"] + state)


def failure_of_session(session: Session, target: str, flags: argparse.Namespace) -> Problem:
    if session.timed_out:
        return Problem("exec", "%s gave no answer within %g s" % (target, flags.timeout), "Try again, with a longer --timeout if it was slow.")
    if session.expected >= 0:
        return Problem("protocol", "the answer of %s was cut: %d of %d bytes came" % (target, session.received, session.expected), "Try again; nothing was changed.")
    if GONE.search(own_words(session.words)):
        return Problem("cluster", "%s went away" % target, "Try again once the rollout is over.")
    if NO_PYTHON.search(session.words):
        return Problem("exec", "%s has no Python under that name" % target, "Name another container with --container.")
    if session.status == 0:
        return Problem("protocol", "%s ended without an answer" % target, "Try again; nothing was changed.")
    # Without kubectl's words: a program in the pod may have said the same, with a connection in it.
    own = own_words(session.words)
    for pattern, what, hint in CLUSTER:
        if pattern.search(own):
            return Problem("cluster", "%s, said kubectl or a program in %s" % (what, target), hint)
    return Problem("exec", "the probe failed in %s: exit %s" % (target, session.status), "The probe needs Python 3.6 or newer in the container.")


def pull(flags: argparse.Namespace) -> Dict[str, Any]:
    """The answer as --json prints it. An id that is no run's is taken for the beginning of one."""
    answer, target = ask(question_of(flags, "exact"), flags)
    named = not flags.list_runs and not re.match(r"latest(:[a-z_]+)?\Z", flags.run_id)
    if named and not answer["runs"]:
        wider, _ = ask(question_of(flags, "prefix"), flags)
        if len(wider["runs"]) > 1:
            raise Problem("usage", "several runs begin with %s: %s, …" % (flags.run_id, ", ".join(run["run_id"] for run in wider["runs"])), "Say more of the id, or `latest`.")
        answer = wider if wider["runs"] else answer
    hints = [] if answer["hints"] is None else tell_hints(answer["hints"], answer["runs"], flags)
    if flags.list_runs:
        return {"dag_id": flags.dag_id, "runs": answer["runs"], "hints": hints}
    xcoms = [xcom_of(row, answer["backend"], flags.dag_id) for row in answer["rows"]]
    return {"source": {"transport": "exec", "target": target}, "schema": answer["schema"], "dag_id": flags.dag_id, "runs": answer["runs"], "xcoms": xcoms, "truncated": answer["truncated"], "hints": hints}


def xcom_of(row: Dict[str, Any], backend: Optional[str], dag_id: str) -> Dict[str, Any]:
    """A row as it is printed: decoded, with what it was."""
    data = None if row["data"] is None else base64.b64decode(row["data"])
    cut = data is not None and len(data) < row["bytes"]
    shown = decode(row["column"], data, "auto", cut)
    notes = ["$: written by the XCom backend %s; what it keeps elsewhere is shown as its reference" % backend] if backend and data is not None else []
    raw = None
    if data is not None:
        try:
            raw = data.decode("utf-8")
        except UnicodeDecodeError:
            raw = row["data"]
    place = {"dag_id": dag_id, **{name: row[name] for name in ("run_id", "task_id", "map_index", "key", "timestamp")}, "storage": row["column"]}
    return {**place, "encoding": shown["encoding"], "raw": raw, "value": shown["value"], "decodeNotes": (notes + shown["notes"])[:20], "bytes": row["bytes"], "cut": cut}


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command. @returns its exit code"""
    flags = parse_arguments(arguments)
    try:
        result = pull(flags)
    except Problem as problem:
        sys.stderr.write("xcom-pull: %s\n%s" % (printable(str(problem)), "  → %s\n" % problem.hint if problem.hint else ""))
        return problem.code
    sys.stdout.buffer.write(render(result, flags).encode("utf-8", "backslashreplace"))
    sys.stdout.buffer.flush()
    sys.stderr.write(remarks(result, flags))
    is_empty = not (result["runs"] if flags.list_runs else result["xcoms"])
    return EXIT["empty"] if is_empty and flags.fail_empty else 0


if __name__ == "__main__":
    sys.exit(main())
