"""A task that waits for a job elsewhere; its trigger cancels the job when it is called off, as those of providers do."""

import asyncio
import os
from datetime import datetime, timezone

from airflow.sdk import DAG, BaseOperator, Variable
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger


def note(line):
    """One line for the test."""
    with open(os.path.join(os.environ["CALLED_OFF_FOLDER"], "notes"), "a", encoding="utf-8") as file:
        file.write(f"{line}\n")


class JobTrigger(BaseTrigger):
    """Waits for ever."""

    def serialize(self):
        """As it is stored."""
        return f"{type(self).__module__}.{type(self).__name__}", {}

    async def run(self):
        """Never an event."""
        note("watched")
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            await self.cancel_job()
            raise
        yield None

    async def cancel_job(self):
        """Only when the task does not wait any more: a host that goes away cancels nothing."""
        ti = self.task_instance
        states = await asyncio.to_thread(RuntimeTaskInstance.get_task_states, dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
        await asyncio.sleep(1)
        account = await asyncio.to_thread(Variable.get, "account")
        note(f"cancelled as {account}, the task is {states[ti.run_id][ti.task_id]}")


class JobOperator(BaseOperator):
    """Leaves the rest to the trigger."""

    def execute(self, context):
        """Defer."""
        self.defer(trigger=JobTrigger(), method_name="resume")

    def resume(self, context, event):
        """Never called."""


with DAG("remote_job", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
    JobOperator(task_id="job")
