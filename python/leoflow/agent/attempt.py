"""The life of one execution, step by step, in a process of its own: get the job, run, leave the outcome, report, end."""

import json
import logging
import os
import signal
import sys
import time
from contextlib import contextmanager
from _thread import get_ident

from leoflow.agent import wire
from leoflow.agent.outcomes import append_outcome
from leoflow.agent.processes import EXECUTION_MARKER, name_execution
from leoflow.dagmodel.errors import AirflowException
from leoflow.run import logs
from leoflow.run.clock import text_of
from leoflow.run.handlers import ALARM, DEFAULT, IGNORE, INT, TERM, set_handler
from leoflow.run.place import import_error
from leoflow.run.task import run_task
from leoflow.run.time_had import TimeHad

PARK = "/agent/v1/park"
REPORT = "/agent/v1/report"
XCOM = "/agent/v1/xcom"
VARIABLE = "/agent/v1/variable"
CONNECTION = "/agent/v1/connection"
#: Whoever looks a variable up waits at most this long for a server to come back.
LOOK_UP_SECONDS = 600
#: A report is tried for this long: an outage of the control plane must not turn finished work into failed work.
REPORT_LIMIT_SECONDS = 24 * 3600
#: The longest wait between two tries: when the database is back, its first second decides how soon work goes on.
RETRY_SECONDS = 1.0
#: What fits a socket's buffer is sent in one go, whether anybody reads it or not.
SHORT_BYTES = 64 * 1024


class TaskCancelled(KeyboardInterrupt):
    """Raised in user code when the execution is cancelled (SIGTERM)."""


def _whoami() -> tuple[int, int]:
    return os.getpid(), get_ident()


class Server:
    """The control plane as an execution sees it. Reconnects to whoever leads now."""

    def __init__(self, sock, address: str, address_file: str):
        self._sock = sock
        self._address = address
        self._address_file = address_file
        self._owner = _whoami()
        self.token = ""

    def post(self, path: str, body: dict, limit_seconds: float, keep=None) -> dict:
        """Ask until answered. Raises HttpError for a final no, TimeoutError when `limit_seconds` are over.

        `keep` is called once with the bytes of the request: while a short one is on its way, before a long one.
        """
        if _whoami() != self._owner:
            return self._post_beside(path, body, limit_seconds)
        payload = wire.encode_body(body)
        kept = [keep is None]

        def keep_once():
            if not kept[0]:
                kept[0] = True
                keep(payload)

        if len(payload) > SHORT_BYTES:
            keep_once()
        deadline = time.monotonic() + limit_seconds
        delay = 0.05
        while True:
            try:
                if self._sock is None:
                    self._sock = wire.connect(self._current_address())
                return wire.post(self._sock, path, payload, self.token, self._has_moved, keep_once)
            except wire.HttpError as error:
                if error.status not in (429, 502, 503, 504):
                    raise
            except (OSError, ValueError):
                self.close()
            except BaseException:
                # A time-out or a cancel in the middle: what still comes would be taken for the answer of the next request.
                self.close()
                raise
            keep_once()
            if time.monotonic() + delay > deadline:
                raise TimeoutError(f"no server answered for {limit_seconds:.0f} s")
            time.sleep(delay)
            delay = min(delay * 2, RETRY_SECONDS)
            # A server that answers and does not lead any more would be asked for ever.
            asked = self._address
            if self._current_address() != asked:
                self.close()

    def _post_beside(self, path: str, body: dict, limit_seconds: float) -> dict:
        """Ask over a connection of its own: a thread or process of user code must not read the answers of another."""
        server = Server(None, self._address, self._address_file)
        server.token = self.token
        try:
            return server.post(path, body, limit_seconds)
        finally:
            server.close()

    def park(self, child: dict) -> dict:
        """Wait for work, for as long as it takes. Raises OSError when the server goes away first."""
        return wire.post(self._sock, PARK, wire.encode_body(child))

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _has_moved(self) -> bool:
        asked = self._address
        return self._current_address() != asked

    def _current_address(self) -> str:
        self._address = wire.leader_of(self._address_file, self._address)
        return self._address


class TaskApi:
    """Values of other tasks, variables and connections, as `run_task` asks for them."""

    def __init__(self, server: Server, spec: dict):
        self._server = server
        self._execution = spec["execution_id"]
        self._given = spec.get("xcoms") or {}

    def find_xcom(self, task_id, key, map_index, run_id=None, dag_id=None, prior=False):
        """JSON text of one value, or of a list of all map indexes for None; None when nothing was pushed."""
        if run_id is None and dag_id is None and not prior:
            name = f"{task_id}/{key}" if map_index in (None, -1) else f"{task_id}/{key}/{map_index}"
            if name in self._given:
                return self._given[name]
        request = {"execution_id": self._execution, "task_id": task_id, "key": key, "map_index": map_index}
        if run_id is not None:
            request["run_id"] = run_id
        if dag_id is not None:
            request["dag_id"] = dag_id
        if prior:
            request["include_prior_dates"] = True
        return self._server.post(XCOM, request, LOOK_UP_SECONDS)["value"]

    def find_variable(self, key):
        """The text of a variable; None when there is none."""
        return self._ask(VARIABLE, {"op": "get", "key": key})["value"]

    def change_variable(self, key, request):
        """Set (`{"op": "set", "value", "description"}`) or delete (`{"op": "delete"}`) a variable."""
        self._ask(VARIABLE, {**request, "key": key})

    def find_connection(self, conn_id):
        """The fields of a connection; None when there is none."""
        return self._ask(CONNECTION, {"conn_id": conn_id})["connection"]

    def _ask(self, path, request):
        try:
            return self._server.post(path, {**request, "execution_id": self._execution}, LOOK_UP_SECONDS)
        except wire.HttpError as error:
            raise AirflowException(detail_of(error)) from None


def detail_of(error: wire.HttpError) -> str:
    """What the server says was wrong."""
    try:
        return str(json.loads(error.body)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)


def live(dag, server: Server, spec: dict) -> None:
    """Run one execution to its end and report it. Returns when the process may exit."""
    _prepare(server, spec)
    _run(dag, server, spec)


def _run(dag, server: Server, spec: dict) -> None:
    own = os.getpid()
    report = run_task(dag, spec, TaskApi(server, spec))
    if os.getpid() != own:
        # A process that user code forked came back from it, too. Only the one that began speaks for the execution.
        os._exit(0)
    logs.flush()
    set_handler(TERM, IGNORE)
    logs.scrub(spec.get("log_file"))
    gap = logs.gap_in_all()
    if gap is not None:
        report["log_gap"] = gap
    _report(server, spec, report)


def live_anew(home: dict, server: Server, spec: dict) -> None:
    """As `live`, after importing the DAG file in this process, with variables and connections as they are now.

    home: the ForkServerSpec
    """
    from leoflow.dagmodel import secrets
    from leoflow.run.load import load_dag

    _prepare(server, spec)
    secrets.ask(TaskApi(server, spec))
    try:
        with _limited(home):
            dag = load_dag(home["root"], home["dag_file"], home["dag_id"], home["path"])
    except BaseException as error:  # noqa: B902 - user code runs at import
        _fail_import(server, spec, error, [home["root"], *home["path"]])
    else:
        _run(dag, server, spec)


@contextmanager
def _limited(home: dict):
    """The import takes no longer than that of a fork server may."""
    seconds = home.get("import_timeout_seconds", 30)
    had = TimeHad(os.getpid())

    def is_over(_number, _frame):
        left = seconds - had.seconds()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        raise TimeoutError(f"importing {home['dag_file']} took longer than {seconds} s")

    set_handler(ALARM, is_over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        set_handler(ALARM, DEFAULT)


def _fail_import(server: Server, spec: dict, error: BaseException, folders: list[str]) -> None:
    """End an execution whose process cannot import the DAG file: its log holds the traceback, its report the error.

    folders: where the author's own files are
    """
    at = text_of(time.time())
    logging.getLogger("task").error("The DAG file does not import", exc_info=error)
    logs.flush()
    set_handler(TERM, IGNORE)
    report = {"execution_id": spec["execution_id"], "outcome": "failed", "cause": "config", "error": import_error(error, folders), "started_at": at, "ended_at": text_of(time.time())}
    _report(server, spec, report)


def exec_fresh(fork_server: dict, spec: dict) -> None:
    """Replace this process by a fresh interpreter for one execution: the DAG file started threads, which do not survive a fork."""
    job = os.memfd_create("leoflow-job")
    os.write(job, wire.encode_line({"fork_server": fork_server, "spec": spec}))
    os.lseek(job, 0, os.SEEK_SET)
    os.set_inheritable(job, True)
    os.chdir(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    module = "leoflow.airflow_runtime.fresh" if fork_server.get("runtime") == "airflow" else "leoflow.agent.attempt"
    os.execv(sys.executable, [sys.executable, "-m", module, str(job)])


def main() -> None:
    """One execution in a fresh interpreter, its job on the file descriptor named."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        job = json.load(file)
    os.chdir(job["fork_server"]["root"])
    live_anew(job["fork_server"], Server(None, "", job["fork_server"]["address_file"]), job["spec"])
    os._exit(0)


def _prepare(server: Server, spec: dict) -> None:
    server.token = spec["token"]
    if spec.get("env"):
        os.environ.update(spec["env"])
    os.environ[EXECUTION_MARKER] = spec["execution_id"]
    name_execution(spec["execution_id"])
    begin_log(spec.get("log_file"))
    set_handler(TERM, _cancel)
    set_handler(INT, IGNORE)


def begin_log(path: str | None) -> None:
    """What this process says from here on goes there; without a path to where its output goes."""
    if path:
        _redirect(path)
    logs.install(1)


def _redirect(path: str) -> None:
    try:
        log = _open_log(path)
    except OSError as error:
        # A log that cannot be kept is no reason to fail the task: it runs, and its report says what is missing.
        logs.lose(0, f"the log could not be opened: {error.strerror}")
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _open_log(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)


def _cancel(_signal, _frame):
    # A second signal while on_kill runs changes nothing; the grace period ends in SIGKILL.
    set_handler(TERM, IGNORE)
    raise TaskCancelled("the execution was cancelled")


def _leave_outcome(spec: dict, payload: bytes) -> None:
    """Written while the report travels: nobody waits for it."""
    problem = append_outcome(spec, payload)
    if problem is not None:
        logs.note("error", problem)


def _report(server: Server, spec: dict, report: dict) -> None:
    try:
        _post_report(server, spec, report)
    except wire.HttpError as error:
        if error.status == 409:
            return
        logs.note("error", f"the server refused the report: {error}")
        # Whatever else went wrong there: what was left behind still counts when this process ends.
        if error.status in (413, 422):
            _report_refused(server, spec, report, error)
    except TimeoutError as error:
        logs.note("error", f"the report was never taken: {error}")


def _post_report(server: Server, spec: dict, report: dict) -> None:
    server.post(REPORT, report, REPORT_LIMIT_SECONDS, lambda payload: _leave_outcome(spec, payload))


def _report_refused(server: Server, spec: dict, report: dict, error: wire.HttpError) -> None:
    """A report that the server cannot take must not leave the task running for ever: its failure is reported instead."""
    plain = {key: report[key] for key in ("execution_id", "started_at", "ended_at")}
    message = f"the result was refused by the server: {error.body[:2000].decode('utf-8', 'replace')}"
    try:
        _post_report(server, spec, {**plain, "outcome": "failed", "error": {"type": "ReportRefused", "message": message}})
    except (wire.HttpError, TimeoutError):
        pass


if __name__ == "__main__":
    main()
