"""A trigger of the project's own: every file that comes into a folder is an event, and none ends it."""

from __future__ import annotations

import asyncio
import math
import os

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

UNSTORABLE = {"nan": {"ratio": math.nan}, "nul": {"text": "a\0b"}}


class InboxTrigger(BaseEventTrigger):
    """Takes files out of a folder, in order of their names. What the files `nan` and `nul` bring cannot be stored."""

    def __init__(self, folder: str):
        super().__init__()
        self.folder = folder

    def serialize(self):
        """How a host makes it again."""
        return "inbox.InboxTrigger", {"folder": self.folder}

    async def run(self):
        """One event for each file; a file named `stumble` makes it fail."""
        while True:
            for name in sorted(os.listdir(self.folder)):
                os.unlink(os.path.join(self.folder, name))
                if name == "stumble":
                    raise RuntimeError("stumbled")
                yield TriggerEvent({"file": name, **UNSTORABLE.get(name, {})})
            await asyncio.sleep(0.1)
