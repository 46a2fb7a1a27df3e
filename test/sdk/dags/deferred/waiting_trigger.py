"""A trigger that waits for a file, and the operator that defers to it. Each writes down that it came by, once per time."""

import asyncio
import os
from datetime import timedelta

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent


class FileThere(BaseTrigger):
    """Fires when the file is there; the event names who waited."""

    def __init__(self, path: str, who: int):
        super().__init__()
        self.path = path
        self.who = who

    def serialize(self):
        return ("waiting_trigger.FileThere", {"path": self.path, "who": self.who})

    async def run(self):
        while not os.path.exists(self.path):
            await asyncio.sleep(0.5)
        yield TriggerEvent({"who": self.who})


def note(ledger: str, line: str) -> None:
    """One write for each line, so that lines of several processes never mix."""
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{line}\n".encode())
    os.close(file)


class WaitForFile(BaseOperator):
    """Defers until the file is there."""

    def __init__(self, *, who: int, folder: str, **more):
        super().__init__(**more)
        self.who = who
        self.folder = folder

    def execute(self, context):
        note(os.path.join(self.folder, "begun"), str(self.who))
        self.defer(trigger=FileThere(os.path.join(self.folder, "go"), self.who), method_name="resumed", timeout=timedelta(hours=1))

    def resumed(self, context, event):
        assert event == {"who": self.who}, event
        note(os.path.join(self.folder, "resumed"), str(self.who))
        return self.who
