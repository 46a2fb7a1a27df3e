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

    return answer(json.loads(call["body"]), project.imported().dag)


def _callbacks(project, address: str, call: dict):
    from leoflow.airflow_runtime.callbacks import make_callbacks

    return make_callbacks(project, address, call)


_MAKERS = {"ask": _ask, "callbacks": _callbacks}
