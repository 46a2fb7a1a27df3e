"""Callbacks that leave a line behind: one file per DAG, one line per call."""

import json
import os
import time


def note(name, **what):
    """Append a line to the file of this name."""
    with open(os.path.join(os.environ["CALLBACKS_FOLDER"], name), "a", encoding="utf-8") as file:
        file.write(json.dumps(what, default=str) + "\n")


def count(name):
    """How many lines there are."""
    try:
        with open(os.path.join(os.environ["CALLBACKS_FOLDER"], name), encoding="utf-8") as file:
            return len(file.readlines())
    except FileNotFoundError:
        return 0


def on_dag(context):
    """The callback of a DAG."""
    from airflow.sdk import Variable

    run, ti = context["dag_run"], context["ti"]
    note(run.dag_id, reason=context["reason"], state=run.state, task=ti.task_id, variable=Variable.get("told"), pid=os.getpid())
    print("the DAG was told")


def on_retry(context):
    """The callback of a task that is tried again."""
    note(context["dag"].dag_id, task=context["ti"].task_id, what="retry", attempt=context["ti"].try_number)


def on_failure(context):
    """The callback of a task that has failed."""
    note(context["dag"].dag_id, task=context["ti"].task_id, what="failure", attempt=context["ti"].try_number, run=context["run_id"])


def on_raise(context):
    """A callback that fails."""
    note(context["dag"].dag_id, what="raise")
    raise ValueError("no good")


def on_hang(context):
    """A callback that never ends."""
    note(context["dag"].dag_id, what="hang")
    time.sleep(600)


def on_die(context):
    """A callback whose process ends the first time."""
    note(context["dag"].dag_id, what="die")
    if count(context["dag"].dag_id) == 1:
        os._exit(3)


async def late(name, context):
    """The asynchronous callback of a deadline."""
    note(name, what="async", run=context["dag_run"]["dag_run_id"], deadline=context["deadline"]["deadline_time"])


def late_too(name, context):
    """The synchronous one."""
    note(name, what="sync", run=context["dag_run"]["dag_run_id"])
