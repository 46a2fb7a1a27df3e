"""The life of one execution under the Task SDK's own supervisor: it tells the server, forks the task, and watches it to its end."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import sys
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from socket import socketpair
from typing import Any, ClassVar

import attrs
import setproctitle
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, supervisor, task_runner
from airflow.sdk.log import redact

from leoflow.agent.outcomes import append_outcome
from leoflow.agent.processes import EXECUTION_MARKER, die_with_parent, name_execution
from leoflow.airflow_runtime import settings
from leoflow.airflow_runtime.ending import HEADER, Ending
from leoflow.airflow_runtime.load import Project, let_crash
from leoflow.airflow_runtime.transport import LeaderTransport

#: Names nobody: requests go over the agent's socket.
EXECUTION_API = "http://leoflow/execution/"
#: Of each pipe of the task before its state is told, of some 4 KB: a thread that logs without end holds nobody up.
_READS = 256
_FAILURES = (comms.TaskState, comms.RetryTask)
_ENDINGS = (*_FAILURES, comms.SucceedTask, comms.DeferTask, comms.RescheduleTask)


@attrs.define(kw_only=True)
class WatchedTask(supervisor.ActivitySubprocess):
    """The SDK's supervisor, which hears at once that its task has ended, passes a SIGTERM on to it, and tells by what it ended."""

    ending: ClassVar[Ending]

    _is_cancelled: bool = attrs.field(default=False, init=False)
    _pipes: list = attrs.field(factory=list, init=False)

    @classmethod
    def start(cls, **kwargs: Any):
        """Fork the task; see the SDK's own."""
        proc = super().start(**kwargs)
        proc._watch_end()
        proc._watch_signals()
        return proc

    def _watch_end(self) -> None:
        # Else it would look once a heartbeat.
        try:
            ended = _PidFile(self.pid)
        except (OSError, AttributeError):
            return
        self.selector.register(ended, selectors.EVENT_READ, (lambda _: False, self.selector.unregister))

    def _watch_signals(self) -> None:
        read, write = socketpair()
        write.setblocking(False)

        def on_term(_number, _frame) -> None:
            # The loop acts on it: here a message may be half read.
            self._is_cancelled = True
            with suppress(BlockingIOError):
                write.send(b"t")

        signal.signal(signal.SIGTERM, on_term)
        self.selector.register(read, selectors.EVENT_READ, (lambda sock: len(sock.recv(64)) > 0, self.selector.unregister))

    def _send_heartbeat_if_needed(self) -> None:
        if self._is_cancelled and self._terminal_state != supervisor.SERVER_TERMINATED:
            self.process_log.error("The task is ended from outside. Terminating process")
            self.kill(signal.SIGTERM, force=True)
            self._terminal_state = supervisor.SERVER_TERMINATED
        super()._send_heartbeat_if_needed()

    def _register_pipe_readers(self, stdout, stderr, requests, logs) -> None:
        super()._register_pipe_readers(stdout=stdout, stderr=stderr, requests=requests, logs=logs)
        lines = self.ending.listen(supervisor.process_log_messages_from_subprocess((self.process_log,)))
        self.selector.modify(logs, selectors.EVENT_READ, supervisor.make_buffered_socket_reader(lines, on_close=self._on_socket_closed))
        self._pipes = [self._readable_ahead(pipe) for pipe in (stdout, stderr, logs)]

    def _readable_ahead(self, pipe) -> tuple:
        """A pipe and its reader, which may be called before the loop does: it then finds nothing to wait for."""
        read, on_close = self.selector.get_key(pipe).data

        def read_what_is_there(sock) -> bool:
            return read(sock) if _is_readable(sock) else True

        self.selector.modify(pipe, selectors.EVENT_READ, (read_what_is_there, on_close))
        return pipe, read_what_is_there

    def _handle_request(self, msg, log, req_id) -> None:
        if isinstance(msg, _ENDINGS):
            # What the task has said until now is in its log before its state is told, and the exception was logged before.
            self._read_ahead()
        if isinstance(msg, _FAILURES):
            self.ending.settle()
            self.client.headers[HEADER] = self.ending.of_task()
        try:
            super()._handle_request(msg, log, req_id)
        except ValueError as error:
            # NaN is no JSON. The SDK's own supervisor would end here, and nobody would learn why.
            self.send_msg(None, request_id=req_id, error=comms.ErrorResponse(error=ErrorType.GENERIC_ERROR, detail={"message": str(error)}))

    def _read_ahead(self) -> None:
        for pipe, read in self._pipes:
            for _ in range(_READS):
                if pipe.fileno() < 0 or not _is_readable(pipe) or not read(pipe):
                    break

    def update_task_state_if_needed(self) -> None:
        """Tell the state; see the SDK's own."""
        if self._exit_code != 0 and self._terminal_state is None:
            # Killed, or ended before it could say a word.
            self.client.headers[HEADER] = self.ending.of_process(int(self._exit_code))
        super().update_task_state_if_needed()


def _is_readable(sock) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


class _PidFile:
    """A process as something that becomes readable when it ends."""

    def __init__(self, pid: int):
        self._fd = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)


def live(project: Project, address: str, spec: dict) -> None:
    """Run one execution to its end. The server hears of it over /execution; what it says when nobody answers is left behind."""
    os.environ.update(spec.get("env") or {})
    os.environ[EXECUTION_MARKER] = spec["execution_id"]
    name_execution(spec["execution_id"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bind_task()
    token = f"{spec['execution_id']}.{spec['token']}"
    client = open_client(address, project.spec["address_file"], token, lambda body, headers: leave_outcome(spec, body, headers.get(HEADER)))
    WatchedTask.ending = Ending(spec, [project.spec["root"], *project.spec.get("path", [])], redact)
    supervisor.ActivitySubprocess = WatchedTask
    task_runner.parse = _parser(project, spec, task_runner.parse)
    task_runner.parse = _let_crash(task_runner.parse)
    try:
        supervisor.supervise(
            ti=task_instance(spec), bundle_info=BundleInfo(name=settings.BUNDLE, version=None), dag_rel_path=project.spec["dag_file"],
            token=token, server=EXECUTION_API, log_path=spec.get("log_file"), client=client)
    finally:
        client.close()


def _bind_task() -> None:
    """The task does not outlive its supervisor, and is found by the marker in its environment when both were left behind."""
    supervisor_pid = os.getpid()
    is_own = [True]

    def in_child() -> None:
        # What the task forks itself is found by its marker.
        if is_own[0]:
            is_own[0] = False
            die_with_parent(supervisor_pid)

    os.register_at_fork(after_in_child=in_child)
    # It writes its title over the environment, by which leftovers are found.
    setproctitle.setproctitle = lambda _title: None


def open_client(address: str, address_file: str, token: str = "", on_state=None) -> Client:
    """The SDK's client of the execution API, on the agent's socket. `on_state` is called with body and headers of each state report before it is sent."""
    return Client(base_url=EXECUTION_API, token=token, transport=LeaderTransport(address, address_file, on_state))


def task_instance(spec: dict) -> TaskInstance:
    """An ExecutionSpec in the SDK's words."""
    carrier = (spec.get("env") or {}).get("TRACEPARENT")
    return TaskInstance(
        id=spec["attempt_id"], task_id=spec["task_id"], dag_id=spec["dag_id"], run_id=spec["run"]["run_id"], try_number=spec["try_number"],
        dag_version_id=spec["version_id"], map_index=spec["map_index"], context_carrier=None if carrier is None else {"traceparent": carrier})


def _let_crash(parse):
    def parse_and_let_crash(what, log) -> task_runner.RuntimeTaskInstance:
        try:
            return parse(what, log)
        finally:
            let_crash()

    return parse_and_let_crash


def _parser(project: Project, spec: dict, parse):
    """What gives the task process its task: the DAG that it was forked with, or the SDK's own `parse` where no process has imported it yet."""
    def parse_or_take(what, log) -> task_runner.RuntimeTaskInstance:
        taken = parse(what, log) if project.dag is None else _loaded(project, what)
        _limit(taken.task, spec.get("execution_timeout_seconds"))
        return taken

    return parse_or_take


def _limit(task, seconds: float | None) -> None:
    """What the version says: leoflow.yaml may have said more than the DAG file."""
    if seconds is None:
        return
    if isinstance(task, MappedOperator):
        task.partial_kwargs = {**task.partial_kwargs, "execution_timeout": timedelta(seconds=seconds)}
    else:
        task.execution_timeout = timedelta(seconds=seconds)


def _loaded(project: Project, what) -> task_runner.RuntimeTaskInstance:
    task = project.dag.task_dict[what.ti.task_id]
    return task_runner.RuntimeTaskInstance.model_construct(
        **what.ti.model_dump(exclude_unset=True), task=task, bundle_instance=project.bundle, _ti_context_from_server=what.ti_context,
        max_tries=what.ti_context.max_tries, start_date=what.start_date, state=task_runner.TaskInstanceState.RUNNING,
        sentry_integration=what.sentry_integration)


def leave_outcome(spec: dict, body: bytes, ended: str | None) -> None:
    """Append the record by which a leader learns the state when the report never arrives.

    ended: what is known of the end, as JSON
    """
    record = {"execution_id": spec["execution_id"], "at": datetime.now(tz=timezone.utc).isoformat(), "state_update": body.decode("utf-8"), **({} if ended is None else {"ending": ended})}
    problem = append_outcome(spec, json.dumps(record).encode())
    if problem is not None:
        print(f"leoflow: {problem}", file=sys.stderr)
