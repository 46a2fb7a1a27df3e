"""Tasks that wait for triggers whose host runs out of threads, which the first host of them does."""

import os
from datetime import datetime, timezone

from airflow.sdk import DAG, BaseOperator
from lost_threads import LosesThreads, WaitsForAnotherHost


class WaitForTrigger(BaseOperator):
    """Defers to a trigger of this class."""

    def __init__(self, *, trigger, **more):
        super().__init__(**more)
        self.trigger = trigger

    def execute(self, context):
        self.defer(trigger=self.trigger(os.environ["DEFERRED_FOLDER"]), method_name="resumed")

    def resumed(self, context, event):
        return event


with DAG("threadless", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    WaitForTrigger(task_id="loses_threads", trigger=LosesThreads)
    WaitForTrigger(task_id="waits", trigger=WaitsForAnotherHost)
