"""Callbacks that no task's process makes: Airflow's own requests, made as its DAG processor, its triggerer and its executors make them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from types import SimpleNamespace
from typing import Any

from leoflow.airflow_runtime.trigger_log import TriggerLogs

_MAX_MESSAGE = 4000


def make_callbacks(project, address: str, call: dict) -> dict:
    """Make each request of a VersionCall; the answer says what they raised."""
    from airflow.sdk.execution_time import task_runner

    from leoflow.airflow_runtime.trigger_comms import TriggerComms

    task_runner.SUPERVISOR_COMMS = TriggerComms(address, project.spec["address_file"], call.get("token") or "")
    # Now that a file which is imported for this call asks with the call's rights.
    project = project.imported()
    _CallLog(call.get("log_file")).install()
    import structlog

    heard = _Heard(structlog.get_logger(logger_name="task"))
    with contextlib.redirect_stdout(_Lines("task.stdout", "info")) as out, contextlib.redirect_stderr(_Lines("task.stderr", "error")) as err:
        for request in json.loads(call["body"]):
            try:
                _make_one(project, request, heard)
            except BaseException as error:  # noqa: B902 - code of the project may raise anything
                heard.note(error)
                heard.error("The callback could not be made", exc_info=error)
        out.end()
        err.end()
    return {"errors": heard.errors}


def _make_one(project, request: dict, heard: _Heard) -> None:
    if request["type"] == "DeadlineCallback":
        return _make_for_deadline(request, heard)
    if request["type"] == "DagRunListener":
        return _tell_listeners(project.dag, request, heard)
    from airflow.callbacks.callback_requests import DagCallbackRequest, EmailRequest, TaskCallbackRequest
    from airflow.dag_processing import processor

    kinds = {kind.__name__: kind for kind in (DagCallbackRequest, TaskCallbackRequest, EmailRequest)}
    bag = SimpleNamespace(dags={project.dag.dag_id: project.dag})
    processor._execute_callbacks(bag, [kinds[request["type"]].model_validate(request)], heard)
    return None


def _tell_listeners(dag: Any, request: dict, heard: _Heard) -> None:
    from airflow.listeners.listener import get_listener_manager

    try:
        getattr(get_listener_manager().hook, f"on_dag_run_{request['event']}")(dag_run=_run_of(dag, request["dag_run"]), msg=request["msg"])
    except Exception:
        heard.exception("Error while calling listener")


def _run_of(dag: Any, given: dict) -> Any:
    """Airflow's own class, as its scheduler hands it to listeners, without a database behind it."""
    from airflow.models.dagrun import DagRun
    from airflow.sdk import timezone
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.types import DagRunTriggeredByType

    times = {name: given[name] and timezone.parse(given[name]) for name in ("logical_date", "data_interval_start", "data_interval_end", "run_after", "queued_at", "start_date", "end_date")}
    run = DagRun(
        dag_id=given["dag_id"], run_id=given["run_id"], run_type=given["run_type"], state=given["state"], conf=given["conf"], triggering_user_name=given["triggering_user_name"],
        triggered_by=given["triggered_by"] and DagRunTriggeredByType(given["triggered_by"]), partition_key=given["partition_key"], logical_date=times["logical_date"], run_after=times["run_after"],
        queued_at=times["queued_at"], start_date=times["start_date"],
    )
    run.data_interval_start, run.data_interval_end, run.end_date, run.clear_number = times["data_interval_start"], times["data_interval_end"], times["end_date"], given["clear_number"]
    run.dag = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    return run


def _make_for_deadline(request: dict, heard: _Heard) -> None:
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.serde import deserialize

    callback = deserialize(request["callback"])
    kwargs = {**(callback.kwargs or {}), "context": request["context"]}
    error = asyncio.run(_await_callback(callback.path, kwargs)) if isinstance(callback, AsyncCallback) else _call_callback(callback.path, kwargs, heard)
    if error is not None:
        heard.errors.append({"type": "CallbackFailed", "message": error[:_MAX_MESSAGE]})


async def _await_callback(path: str, kwargs: dict[str, Any]) -> str | None:
    from airflow.triggers.callback import PAYLOAD_BODY_KEY, PAYLOAD_STATUS_KEY, CallbackTrigger
    from airflow.utils.state import CallbackState

    payload: dict = {}
    async for event in CallbackTrigger(path, kwargs).run():
        payload = event.payload
    return None if payload.get(PAYLOAD_STATUS_KEY) == CallbackState.SUCCESS else str(payload.get(PAYLOAD_BODY_KEY))


def _call_callback(path: str, kwargs: dict[str, Any], log: Any) -> str | None:
    from airflow.executors.workloads.callback import execute_callback_workload

    heard_before = len(log.errors)
    made, error = execute_callback_workload(SimpleNamespace(data={"path": path, "kwargs": kwargs}), log)
    # What it has raised it has logged, and that was heard.
    return None if made or len(log.errors) > heard_before else error


class _Heard:
    """A logger that remembers what was raised: Airflow logs the exceptions of callbacks, and goes on."""

    def __init__(self, log: Any):
        self._log = log
        self.errors: list[dict[str, str]] = []

    def note(self, error: BaseException) -> None:
        """Remember it."""
        self.errors.append({"type": type(error).__name__, "message": str(error)[:_MAX_MESSAGE]})

    def exception(self, *args: Any, **kwargs: Any) -> None:
        """Log what is being handled."""
        error = sys.exc_info()[1]
        if error is not None:
            self.note(error)
        self._log.exception(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class _CallLog(TriggerLogs):
    """All that this process logs, in one file; without one where the fork server's output goes."""

    def __init__(self, path: str | None):
        super().__init__()
        self._path = path

    def _place(self, line: bytes) -> tuple[str | None, bytes]:
        return self._path, line


class _Lines(io.TextIOBase):
    """What callbacks print, line by line, in the log."""

    def __init__(self, logger: str, level: str):
        import structlog

        self._say = getattr(structlog.get_logger(logger_name=logger), level)
        self._rest = ""

    def writable(self) -> bool:
        """True: callbacks print to it."""
        return True

    def write(self, text: str) -> int:
        """Take a piece of text."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def end(self) -> None:
        """The last line may have no end."""
        if self._rest:
            self._say(self._rest)
