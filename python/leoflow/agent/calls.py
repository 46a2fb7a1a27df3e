"""Callbacks of a DAG under our own runtime that no task's process makes: each call in a child of the fork server, with the context that tasks have."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import Any

from leoflow.agent import attempt
from leoflow.dagmodel import secrets, stack
from leoflow.run import logs
from leoflow.run.callbacks import call_back
from leoflow.run.context import TaskContext
from leoflow.run.task_instance import TaskInstance

ANSWER = "/agent/v1/call"
#: An answer that nobody takes within this time is given up: whoever wanted it asks again.
ANSWER_SECONDS = 60


def make_call(dag: Any, fork_server: dict, address: str, call: dict) -> None:
    """Make the requests of a VersionCall, and tell the server what they raised.

    dag: None when this process has to import it, with variables and connections as they are now
    fork_server: the ForkServerSpec
    """
    server = attempt.Server(None, address, fork_server["address_file"])
    identifier, _, server.token = (call.get("token") or "").partition(".")
    api = attempt.TaskApi(server, {"execution_id": identifier})
    if dag is None:
        dag = _import_dag(fork_server, api)
    attempt.begin_log(call.get("log_file"))
    raised: list[BaseException] = []
    for request in json.loads(call["body"]):
        try:
            raised.extend(make_request(dag, request, api))
        except BaseException as error:  # noqa: B902 - code of the project may raise anything
            raised.append(error)
    logs.flush()
    errors = [{"type": type(error).__name__, "message": str(error)[:4000]} for error in raised]
    server.post(ANSWER, {"id": call["id"], "answer": json.dumps({"errors": errors})}, ANSWER_SECONDS)


def _import_dag(fork_server: dict, api: Any) -> Any:
    from leoflow.run.load import load_dag

    secrets.ask(api)
    return load_dag(fork_server["root"], fork_server["dag_file"], fork_server["dag_id"], fork_server["path"])


def make_request(dag: Any, request: dict, api: Any) -> list[Exception]:
    """Make one of Airflow's callback requests; the answer is what the callbacks raised."""
    if request["type"] == "DagCallbackRequest":
        given = request["context_from_server"]
        callbacks = dag.on_failure_callback if request["is_failure_callback"] else dag.on_success_callback
        context = _context(dag, given["last_ti"], given, api) if given["last_ti"] else {"dag": dag, "run_id": request["run_id"], "ti": SimpleNamespace(api=api)}
        context["reason"] = request["msg"]
        context["ti"].state = {"success": "success", "task_failure": "failed"}.get(request["msg"])
    elif request["type"] == "TaskCallbackRequest":
        context = _context(dag, request["ti"], request["context_from_server"], api)
        task, state = context["task"], request["task_callback_type"]
        context["ti"].state = state
        callbacks = task.on_retry_callback if state == "up_for_retry" else task.on_failure_callback
    else:
        raise ValueError(f"there are no {request['type']}s under runtime: leoflow")
    stack.running_contexts.append(context)
    try:
        return call_back(callbacks or (), context)
    finally:
        stack.running_contexts.pop()


def _context(dag: Any, ti: dict, given: dict, api: Any) -> TaskContext:
    run, task = given["dag_run"], dag.task_dict[ti["task_id"]]
    spec = {
        "attempt_id": ti["id"], "run": run, "map_index": ti["map_index"], "try_number": ti["try_number"], "version_id": ti["dag_version_id"],
        "max_tries": given.get("max_tries", task.retries),
    }
    instance = TaskInstance(spec, dag, task, api, time.time())
    instance.context = TaskContext(instance, dag, task, run)
    instance.context["dag_run"].state = run["state"]
    return instance.context
