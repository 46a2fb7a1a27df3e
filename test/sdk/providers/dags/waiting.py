"""What the DAGs beside this file wait with: for a task to be deferred, and for a connection in a trigger."""

import asyncio

from airflow.sdk import BaseHook, BaseOperator, Variable, task
from airflow.triggers.base import BaseTrigger, TriggerEvent


@task.sensor(poke_interval=0.2, timeout=60, mode="reschedule")
def is_deferred(task_id: str, ti=None):
    """True once another task of the run has given its process back."""
    return ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])[ti.run_id].get(task_id) == "deferred"


class TellingTrigger(BaseTrigger):
    """Looks connections and a variable up where triggers run, and says what must not be in the log."""

    def __init__(self, conn_ids, variable):
        super().__init__()
        self.conn_ids = conn_ids
        self.variable = variable

    def serialize(self):
        """As it is stored."""
        return f"{type(self).__module__}.{type(self).__name__}", {"conn_ids": self.conn_ids, "variable": self.variable}

    async def run(self):
        """One event with what is known."""
        logins = []
        for conn_id in self.conn_ids:
            connection = await BaseHook.aget_connection(conn_id)
            self.log.info("the password of %s is %s", conn_id, connection.password)
            logins.append(connection.login)
        yield TriggerEvent({"logins": logins, "variable": await asyncio.to_thread(Variable.get, self.variable)})


class TellingOperator(BaseOperator):
    """Returns what its trigger found."""

    def __init__(self, *, conn_ids, variable, **kwargs):
        super().__init__(**kwargs)
        self.conn_ids = conn_ids
        self.variable = variable

    def execute(self, context):
        """Leave it to the trigger."""
        self.defer(trigger=TellingTrigger(self.conn_ids, self.variable), method_name="resume")

    def resume(self, context, event):
        """What the trigger found."""
        return event
