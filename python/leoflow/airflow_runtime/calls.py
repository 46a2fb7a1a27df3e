"""Work of a DAG version that is no task: questions about its timetable, and the callbacks that no task's process can make."""

from __future__ import annotations

import json
import os
import traceback

from leoflow.agent import wire
from leoflow.agent.attempt import Server

ANSWER = "/agent/v1/call"
#: An answer that nobody takes within this time is given up: whoever wanted it asks again.
ANSWER_SECONDS = 60


def make_call(project, address: str, call: dict) -> None:
    """Make it, and tell the server what it came to."""
    try:
        told = {"answer": json.dumps(_MAKERS[call["kind"]](project, address, call))}
    except BaseException as error:  # noqa: B902 - code of the project may raise anything
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        told = {"error": {"type": type(error).__name__, "message": str(error)[:4000], "traceback": lines[-16000:]}}
    server = Server(None, address, project.spec["address_file"])
    try:
        server.post(ANSWER, {"id": call["id"], **told}, ANSWER_SECONDS)
    except (wire.HttpError, TimeoutError):
        os._exit(1)


def _ask(project, _address: str, call: dict):
    from leoflow.airflow_runtime.ask import answer

    return answer(json.loads(call["body"]), project.dag)


def _callbacks(project, address: str, call: dict):
    """Airflow's own callback requests, made as its DAG processor makes them."""
    from types import SimpleNamespace

    import structlog
    from airflow.callbacks.callback_requests import DagCallbackRequest, EmailRequest, TaskCallbackRequest
    from airflow.dag_processing import processor
    from airflow.sdk.execution_time import task_runner

    from leoflow.airflow_runtime.trigger_comms import TOKEN, TriggerComms
    from leoflow.airflow_runtime.trigger_log import TriggerLogs

    TOKEN.set(call.get("token") or "")
    task_runner.SUPERVISOR_COMMS = TriggerComms(address, project.spec["address_file"])
    logs = TriggerLogs()
    logs.install()
    logs.bind(call["id"], call.get("log_file"))
    kinds = {"DagCallbackRequest": DagCallbackRequest, "TaskCallbackRequest": TaskCallbackRequest, "EmailRequest": EmailRequest}
    bag = SimpleNamespace(dags={project.dag.dag_id: project.dag})
    requests = json.loads(call["body"])
    processor._execute_callbacks(bag, [kinds[one["type"]].model_validate(one) for one in requests], structlog.get_logger(logger_name="task"))
    return len(requests)


_MAKERS = {"ask": _ask, "callbacks": _callbacks}
