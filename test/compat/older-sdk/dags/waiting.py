"""Triggers of life.py, in a module that every process finds by the same name."""

import asyncio

from airflow.triggers.base import BaseTrigger, TriggerEvent


class TellingTrigger(BaseTrigger):
    """Says what it was given, in one event; or fails, or stays silent."""

    def __init__(self, how, at, every, among, plain):
        super().__init__()
        self.given = {"how": how, "at": at, "every": every, "among": among, "plain": plain}

    def serialize(self):
        """As it is stored."""
        return f"{type(self).__module__}.{type(self).__name__}", self.given

    async def run(self):
        """One event with everything."""
        if self.given["how"] == "fails":
            raise ValueError("the trigger broke")
        if self.given["how"] == "silent":
            await asyncio.sleep(600)
        yield TriggerEvent({**self.given, "kinds": {name: type(value).__name__ for name, value in self.given.items()}})
