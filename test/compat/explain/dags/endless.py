"""A trigger that does as it is told."""

import asyncio

from airflow.sdk import Connection
from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TriggerEvent


class Endless(BaseTrigger):
    """`does`: what happens, at once."""

    def __init__(self, does):
        super().__init__()
        self.does = does

    def serialize(self):
        """As Airflow asks."""
        return "endless.Endless", {"does": self.does}

    async def run(self):
        """One event, or none."""
        if self.does == "raise":
            raise ConnectionError("the service has gone away")
        if self.does == "tell a secret":
            raise ConnectionError(f"cannot log in with {(await Connection.async_get('with_password')).password}")
        if self.does == "wait":
            await asyncio.sleep(600)
        yield {
            "error": TriggerEvent({"status": "error", "message": "out of quota"}), "succeed": TriggerEvent({"status": "success"}),
            "fail": TaskFailedEvent(), "skip": TaskSkippedEvent(),
        }[self.does]
