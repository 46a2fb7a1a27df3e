"""A trigger that does as it is told."""

import asyncio
import math

from airflow.sdk import Connection
from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent


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
        if self.does == "await what is cancelled":
            other = asyncio.ensure_future(asyncio.sleep(600))
            other.cancel()
            await other
        if self.does == "wait":
            await asyncio.sleep(600)
        yield {
            "error": TriggerEvent({"status": "error", "message": "out of quota"}), "succeed": TriggerEvent({"status": "success"}),
            "fail": TaskFailedEvent(), "skip": TaskSkippedEvent(),
            "bring no number": TriggerEvent({"ratio": math.nan}), "end with no number": TaskSuccessEvent(xcoms={"ratio": math.inf}),
        }[self.does]
