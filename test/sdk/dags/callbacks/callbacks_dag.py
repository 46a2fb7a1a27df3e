"""DAGs and tasks whose callbacks no task's process makes."""

import os
import signal
import time
from datetime import datetime, timedelta, timezone

import notes
from airflow.sdk import DAG, BaseOperator, task
from airflow.sdk.definitions.callback import AsyncCallback, SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from ending import Ending

QUICKLY = timedelta(seconds=0.2)

with DAG("well", on_success_callback=notes.on_dag, on_failure_callback=notes.on_dag):

    @task
    def first():
        print("first")

    @task
    def last():
        print("last")

    first() >> last()

with DAG("badly", on_success_callback=notes.on_dag, on_failure_callback=notes.on_dag):

    @task(on_failure_callback=notes.on_failure)
    def fails():
        raise ValueError("as it should")

    fails()

with DAG("killed"):

    @task(retries=1, retry_delay=QUICKLY, on_retry_callback=notes.on_retry, on_failure_callback=notes.on_failure, email=["oncall@example.com"], email_on_retry=False)
    def kills_itself():
        os.kill(os.getpid(), signal.SIGKILL)

    kills_itself()

with DAG("alone"):

    @task(on_retry_callback=notes.on_retry, on_failure_callback=notes.on_failure)
    def kills_its_supervisor():
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)

    kills_its_supervisor()


class Ends(BaseOperator):
    """Waits for a trigger that ends it."""

    def __init__(self, state, **kwargs):
        super().__init__(**kwargs)
        self.state = state

    def execute(self, context):
        """Defer."""
        self.defer(trigger=Ending(self.state), method_name="never")


with DAG("triggered"):
    Ends(task_id="bad", state="failed", on_failure_callback=notes.on_failure)
    Ends(task_id="good", state="success", on_failure_callback=notes.on_failure)

with DAG(
    "missed",
    deadline=[
        DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=1), callback=AsyncCallback(notes.late, kwargs={"name": "missed"})),
        DeadlineAlert(reference=DeadlineReference.FIXED_DATETIME(datetime(2020, 1, 1, tzinfo=timezone.utc)), interval=timedelta(seconds=1), callback=SyncCallback(notes.late_too, kwargs={"name": "missed"})),
    ],
):

    @task
    def slow():
        time.sleep(3)

    slow()

with DAG("met", deadline=DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1), callback=AsyncCallback(notes.late, kwargs={"name": "met"}))):

    @task
    def quick():
        print("quick")

    quick()

for name, callback in (("raises", notes.on_raise), ("hangs", notes.on_hang), ("dies", notes.on_die)):
    with DAG(name, on_success_callback=callback):

        @task
        def does_little():
            print("little")

        does_little()
