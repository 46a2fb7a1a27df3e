"""Triggers of a host that can start no thread any more once one of them has come by; the host after it can."""

import asyncio
import os
import threading

from airflow.triggers.base import BaseTrigger, TriggerEvent
from waiting_trigger import note


def start_none(_thread):
    """What Python says where the machine has no more."""
    raise RuntimeError("can't start new thread")


class LosesThreads(BaseTrigger):
    """Fires as soon as the other one waits; in the first host only after it has taken its threads away."""

    def __init__(self, folder: str):
        super().__init__()
        self.folder = folder

    def serialize(self):
        return ("lost_threads.LosesThreads", {"folder": self.folder})

    async def run(self):
        while not os.path.exists(os.path.join(self.folder, "waits")):
            await asyncio.sleep(0.1)
        hosts = os.path.join(self.folder, "hosts")
        if not os.path.exists(hosts):
            threading.Thread.start = start_none
        note(hosts, str(os.getpid()))
        yield TriggerEvent(None)


class WaitsForAnotherHost(LosesThreads):
    """Fires in the second host. Writes down whether anybody has called it off."""

    def serialize(self):
        return ("lost_threads.WaitsForAnotherHost", {"folder": self.folder})

    async def run(self):
        note(os.path.join(self.folder, "waits"), str(os.getpid()))
        try:
            while not os.path.exists(os.path.join(self.folder, "hosts")):
                await asyncio.sleep(0.1)
            with open(os.path.join(self.folder, "hosts"), encoding="utf-8") as hosts:
                if hosts.readline().strip() == str(os.getpid()):
                    await asyncio.sleep(600)
        except asyncio.CancelledError:
            note(os.path.join(self.folder, "called_off"), str(os.getpid()))
            raise
        yield TriggerEvent(None)
