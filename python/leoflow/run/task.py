"""Runs one task instance to its end and answers the report of it. Nothing gets out of `run_task` but the report."""

from __future__ import annotations

import logging
import os
import signal
import traceback
from datetime import datetime, timezone
from time import time as now
from typing import Any

from leoflow.dagmodel import dag as dag_module
from leoflow.dagmodel import masking, stack
from leoflow.dagmodel.errors import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
    TaskNotFound,
    UnsupportedFeature,
)
from leoflow.dagmodel.operator import BaseOperator
from leoflow.run import logs
from leoflow.run.callbacks import call_back
from leoflow.run.clock import text_of
from leoflow.run.handlers import ALARM, DEFAULT, IGNORE, TERM, set_handler
from leoflow.run.context import TaskContext
from leoflow.run.place import functions_of, in_words, place_of_error
from leoflow.run.push import push_result, reported_xcoms
from leoflow.run.rendered import rendered_fields
from leoflow.run.task_instance import TaskInstance
from leoflow.run.templates import environment_of, holds_template, render_fields

log = logging.getLogger("task")

MAX_MESSAGE_CHARS, MAX_TRACEBACK_CHARS = 4_096, 32_768


def run_task(dag: Any, spec: dict[str, Any], api: Any) -> dict[str, Any]:
    """Run the task that `spec` (an ExecutionSpec) names and answer its ExecutionReport.

    api: has `find_xcom(task_id, key, map_index|None, run_id=None, dag_id=None, prior=False)`, which answers JSON text or None; `find_variable(key)`,
        `change_variable(key, request)` and `find_connection(conn_id)`, which answers the fields of a connection or None
    """
    started = now()
    report: dict[str, Any] = {"execution_id": spec["execution_id"], "started_at": text_of(started)}
    try:
        run = _Run(dag, spec, api, started)
        try:
            report.update(run.execute())
        except BaseException as error:
            report.update(run.outcome_of(error))
        run.finish(report)
    except BaseException as error:
        log.error("Task failed before it could start", exc_info=error)
        report.update(_failure(error))
    report["ended_at"] = text_of(now())
    logs.flush()
    return report


class _Run:
    """One execution: the task, its context, and what it has done so far."""

    def __init__(self, dag: Any, spec: dict[str, Any], api: Any, started: float) -> None:
        task = dag.task_dict.get(spec["task_id"])
        if task is None:
            raise TaskNotFound(f"DAG {dag.dag_id!r} has no task {spec['task_id']!r} in this version")
        self.spec, self.dag, self.task = spec, dag, task
        self.ti = TaskInstance(spec, dag, task, api, started)
        self.context = self.ti.context = TaskContext(self.ti, dag, task, spec["run"])
        self.error: BaseException | None = None
        self.fields: dict[str, Any] | None = None

    def execute(self) -> dict[str, Any]:
        """Run the task; the answer is the outcome of one that raised nothing."""
        stack.running_contexts.append(self.context)
        handlers = _take_signals()
        try:
            self._prepare()
            result = self._call(self.task)
            if self.task.__class__.__dict__.get("overwrite_rtif_after_execution"):
                self.fields = rendered_fields(self.task)
            push_result(self.ti, self.task, result)
        except (AirflowTaskTimeout, AirflowTaskTerminated, KeyboardInterrupt):
            _shield()
            _try_to_kill(self.task)
            raise
        finally:
            _give_signals_back(handlers)
        return {"outcome": "success"}

    def _prepare(self) -> None:
        """The operator of this instance, its fields rendered, the process's environment set."""
        if len(self.task.params) or self.spec["run"].get("conf"):
            self.context["params"]
        untouched: set[int] = set()
        if self.task.is_mapped:
            if self.spec["map_index"] < 0:
                raise RuntimeError(f"task {self.task.task_id!r} is mapped and cannot run without a map index")
            operator, untouched = self.task.unmap(self.context)
        else:
            operator = self.task.for_execution()
        self.task = self.ti.task = self.context["task"] = operator
        operator.prepare_template()
        render_fields(operator, self.context, untouched)
        self.fields = rendered_fields(operator)
        for name, value in self.ti.environment().items():
            # What the loader knew before the fork is there already; setting a variable goes through the C library's environment.
            if os.environ.get(name) != value:
                os.environ[name] = value

    def _call(self, task: BaseOperator) -> Any:
        hooks = task.__dict__.get("_pre_execute_hook"), task.__dict__.get("_post_execute_hook")
        if hooks[0] is not None:
            hooks[0](self.context)
        if type(task).pre_execute is not BaseOperator.pre_execute:
            task.pre_execute(self.context)
        if task.on_execute_callback:
            call_back(task.on_execute_callback, self.context)
        result = self._timed(task)
        if hooks[1] is not None:
            hooks[1](self.context, result)
        if type(task).post_execute is not BaseOperator.post_execute:
            task.post_execute(self.context, result)
        return result

    def _timed(self, task: BaseOperator) -> Any:
        seconds = self.spec.get("execution_timeout_seconds")
        if seconds is None and task.execution_timeout is not None:
            seconds = task.execution_timeout.total_seconds()
        if seconds is None:
            return task.execute(self.context)
        if seconds <= 0:
            raise AirflowTaskTimeout("execution_timeout is over before the task began")
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            return task.execute(self.context)
        except AirflowTaskTimeout as error:
            raise AirflowTaskTimeout(f"the task ran longer than its execution_timeout of {seconds:g} s") from error
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def outcome_of(self, error: BaseException) -> dict[str, Any]:
        """What an exception of the task means."""
        if isinstance(error, DownstreamTasksSkipped):
            log.info("Skipping downstream tasks.")
            return {"outcome": "success"}
        if isinstance(error, AirflowSkipException):
            log.info("Skipping task. %s", error)
            return {"outcome": "skipped", "error": _told(error)} if str(error) else {"outcome": "skipped"}
        if isinstance(error, AirflowRescheduleException):
            left = (error.reschedule_date - datetime.now(timezone.utc)).total_seconds()
            log.info("Rescheduling task, marking task as UP_FOR_RESCHEDULE")
            return {"outcome": "up_for_reschedule", "reschedule_in_seconds": max(left, 0)}
        self.error = error
        log.error("Task failed with exception", exc_info=error)
        return _failure(error)

    def finish(self, report: dict[str, Any]) -> None:
        """Callbacks, and everything the report says besides the outcome."""
        ti, outcome = self.ti, report["outcome"]
        if outcome != "up_for_reschedule":
            self._render_map_index(report)
            self._call_back(report)
        if ti.pushed:
            report["xcoms"] = reported_xcoms(ti)
        if ti.skip_decision is not None and outcome == "success":
            report["skips"] = ti.skip_decision
        if self.fields:
            report["rendered_fields"] = self.fields
        stack.running_contexts.clear()

    def _render_map_index(self, report: dict[str, Any]) -> None:
        if self.ti.map_index < 0:
            return
        template = self.context.get("map_index_template")
        if template is None:
            return
        try:
            text = template
            if holds_template(template):
                text = environment_of(self.dag, native=False).from_string(template).render(self.context.for_templates())
            report["rendered_map_index"] = self.ti.rendered_map_index = masking.mask(text)
        except Exception as error:
            log.error("map_index_template could not be rendered", exc_info=error)
            if report["outcome"] == "success":
                self.error = error
                report.update(_failure(error))

    def _call_back(self, report: dict[str, Any]) -> None:
        task, outcome = self.task, report["outcome"]
        self.ti.state = outcome
        if outcome == "failed":
            self.context["exception"] = self.error
            # The server knows what leoflow.yaml and people who cleared the task made of its retries.
            retried = self.spec.get("may_retry") and not report.get("no_retry") and report.get("cause") != "cancelled"
            self.ti.state = "up_for_retry" if retried else "failed"
            callbacks = task.on_retry_callback if retried else task.on_failure_callback
        else:
            callbacks = task.on_success_callback if outcome == "success" else task.on_skipped_callback
        if callbacks:
            call_back(callbacks, self.context)


def _failure(error: BaseException) -> dict[str, Any]:
    """The report's fields for an exception that fails the task."""
    cause = "user_error"
    if isinstance(error, AirflowTaskTimeout):
        cause = "timeout"
    elif isinstance(error, (AirflowTaskTerminated, KeyboardInterrupt)):
        cause = "cancelled"
    failure: dict[str, Any] = {
        "outcome": "failed",
        "cause": cause,
        "error": {**_told(error), "traceback": _printable(masking.mask("".join(traceback.format_exception(error)))[-MAX_TRACEBACK_CHARS:])},
    }
    if isinstance(error, (AirflowFailException, AirflowSensorTimeout, UnsupportedFeature)):
        failure["no_retry"] = True
    if isinstance(error, SystemExit):
        failure["exit_code"] = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    return failure


def _told(error: BaseException) -> dict[str, str]:
    """Its class, its text, and where in the author's files it came from."""
    kind = logs.type_name(error)
    told = {"type": kind, "message": _printable(masking.mask(in_words(kind, _message(error), functions_of(error)))[:MAX_MESSAGE_CHARS])}
    place = place_of_error(error, [dag_module.project_root])
    return told if place is None else {**told, "place": place}


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the task called sys.exit({error.code!r})"
    try:
        return str(error) or type(error).__name__
    except Exception:
        return f"<{type(error).__name__} without a text>"


def _printable(text: str) -> str:
    # Half a character (a surrogate) has no UTF-8 form.
    return text.encode("utf-8", "backslashreplace").decode()


def _raiser(kind: type[BaseException]) -> Any:
    def raise_it(number: int, frame: Any) -> None:
        raise kind(f"received {signal.Signals(number).name}")

    return raise_it


_SIGNALS = ((TERM, _raiser(AirflowTaskTerminated)), (ALARM, _raiser(AirflowTaskTimeout)))


def _take_signals() -> list[tuple[int, Any]]:
    """Let SIGTERM and SIGALRM raise in the task; the answer is what to restore. Off the main thread there is nothing to do."""
    handlers = []
    for number, raise_it in _SIGNALS:
        try:
            handlers.append((number, set_handler(number, raise_it)))
        except ValueError:
            return handlers
    return handlers


def _shield() -> None:
    # A second signal must not interrupt the clean-up that the first one started.
    for number, _ in _SIGNALS:
        try:
            set_handler(number, IGNORE)
        except ValueError:
            return


def _give_signals_back(handlers: list[tuple[int, Any]]) -> None:
    for number, handler in handlers:
        set_handler(number, DEFAULT if handler is None else handler)


def _try_to_kill(task: Any) -> None:
    try:
        if isinstance(task, BaseOperator):
            task.on_kill()
    except Exception as error:
        log.error("on_kill failed", exc_info=error)
