"""Runs the triggers of one DAG version: thousands in one process, told by the server which, handing each event back until it is taken."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

from leoflow.agent.processes import name_process
from leoflow.airflow_runtime.trigger_log import TriggerLogs
from leoflow.airflow_runtime.trigger_teller import Server, Teller

WATCH = "/agent/v1/triggers/watch"
#: A watcher that has ended is begun again after this time; one that keeps failing after ever longer ones.
AGAIN_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
#: How often it is looked whether the last ones have cleaned up.
CLEAN_UP_POLL_SECONDS = 0.1
#: Whoever holds the loop for longer holds up every other trigger, and is told so in the log.
BLOCKED_SECONDS = 0.5


class Host:
    """Triggers by id, and what is still to be told of those that fired."""

    def __init__(self, project, address: str):
        self.project = project
        self.address = address
        self.running: dict[str, asyncio.Task] = {}
        #: Those of them that go on after an event.
        self.watchers: set[str] = set()
        #: Those that were called off and still clean up: told once, since a second time would cut that short.
        self.ending: set[str] = set()
        self._is_over = False
        self.logs = TriggerLogs()
        self._server = Server(address, project.spec["address_file"])
        self._teller = Teller(self._server, self._name(), on_told=self._on_told, on_refused=self._note_failure)
        self.events = self._teller.events
        self._classes: dict[str, type] = {}

    async def run(self) -> None:
        """Serve until nothing waits any more. Raises what any part of it dies of: the others are of no use without it."""
        self._install_comms()
        parts = [asyncio.create_task(part) for part in (self._follow_orders(), self._teller.run(), self._watch_blocking())]
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._is_over = True
        for part in ended:
            part.result()

    async def _follow_orders(self) -> None:
        thread = ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()
        while True:
            orders = await loop.run_in_executor(thread, self._server.ask, WATCH, self._standing())
            for identifier in orders["cancel"]:
                self._cancel(identifier)
            for order in orders["create"]:
                if order["id"] not in self.running:
                    self.running[order["id"]] = self._begin(order)
            if orders["stop"]:
                if not self.running:
                    return
                await asyncio.sleep(CLEAN_UP_POLL_SECONDS)

    def _standing(self) -> dict:
        self.ending.intersection_update(self.running)
        return {**self._name(), "running": [one for one in self.running if one not in self.ending], "ending": list(self.ending)}

    def _name(self) -> dict:
        return {"fork_server": self.project.spec["id"], "pid": os.getpid()}

    def _install_comms(self) -> None:
        from airflow.sdk.execution_time import task_runner

        from leoflow.airflow_runtime.trigger_comms import TriggerComms

        task_runner.SUPERVISOR_COMMS = TriggerComms(self.address, self.project.spec["address_file"])
        self.logs.install()

    # ── one trigger ───────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, order: dict) -> asyncio.Task:
        if "watches" in order:
            self.watchers.add(order["id"])
            return asyncio.create_task(self._watch(order), name=f"{order['dag_id']}/{order['watches']}")
        return asyncio.create_task(self._live(order), name=f"{order['dag_id']}/{order['run_id']}/{order['task_id']}/{order['map_index']}")

    async def _watch(self, order: dict) -> None:
        """Events of an asset, until the trigger is called off: one that has ended or failed is begun again."""
        from leoflow.airflow_runtime.trigger_comms import TOKEN

        identifier = order["id"]
        TOKEN.set(f"{identifier}.{order['token']}")
        self.logs.bind(identifier, None)
        delay = AGAIN_SECONDS
        try:
            while True:
                try:
                    async with contextlib.aclosing(self._events_of(self._make(order))) as events:
                        async for event in events:
                            await self.events.put({**_told(identifier, event), "told_id": str(uuid4())})
                    delay = AGAIN_SECONDS
                except BaseException as error:  # noqa: B902 - a trigger's code may raise anything
                    if self._is_called_off(identifier, error):
                        raise
                    await self.events.put(_failed(identifier, error))
                    delay = min(delay * 2, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(delay)
        finally:
            self.watchers.discard(identifier)
            self.running.pop(identifier, None)

    async def _live(self, order: dict) -> None:
        """From the order to the event; what goes wrong is an event as well."""
        from leoflow.airflow_runtime.trigger_comms import TOKEN

        identifier = order["id"]
        TOKEN.set(f"{identifier}.{order['token']}")
        self.logs.bind(identifier, order.get("log_file"))
        try:
            trigger = self._make(order)
            event = await self._first_event(trigger)
            await self.events.put(_told(identifier, event))
        except BaseException as error:  # noqa: B902 - a trigger's code may raise anything, and its task must hear of it
            if self._is_called_off(identifier, error):
                self.running.pop(identifier, None)
                self.logs.drop(identifier)
                raise
            failure = _failed(identifier, error)
            self._note_failure(failure)
            await self.events.put(failure)

    def _is_called_off(self, identifier: str, error: BaseException) -> bool:
        """Whether a trigger ends because it has to. One that awaits what was cancelled elsewhere raises the same error, and has failed."""
        return isinstance(error, asyncio.CancelledError) and (self._is_over or identifier in self.ending)

    def _note_failure(self, failure: dict) -> None:
        self.logs.note(failure["trigger_id"], "error", f"Trigger failed: {failure['traceback'][-1].strip()}")

    def _make(self, order: dict) -> Any:
        from airflow.sdk.module_loading import import_string
        from airflow.serialization.decoders import smart_decode_trigger_kwargs

        classpath = order["classpath"]
        if classpath not in self._classes:
            self._classes[classpath] = import_string(classpath)
        given = json.loads(order["kwargs"])
        # A watcher's arguments come from the DAG as Airflow serialized it.
        given = given if "watches" in order else _arguments(given)
        trigger = self._classes[classpath](**{name: smart_decode_trigger_kwargs(value) for name, value in given.items()})
        trigger.trigger_id = order["id"]
        trigger.triggerer_job_id = None
        trigger.task_instance = None if "watches" in order else self._task_instance(order)
        trigger.timeout_after = None
        return trigger

    def _task_instance(self, order: dict) -> Any:
        from airflow.executors.workloads import TaskInstance

        return TaskInstance(
            id=UUID(order["attempt_id"]), dag_version_id=UUID(self.project.spec["version_id"]), task_id=order["task_id"], dag_id=order["dag_id"],
            run_id=order["run_id"], try_number=order["try_number"], map_index=order["map_index"], pool_slots=1, queue="default", priority_weight=1)

    async def _first_event(self, trigger: Any) -> Any:
        async with contextlib.aclosing(self._events_of(trigger)) as events:
            async for event in events:
                return event
        raise RuntimeError("the trigger ended without an event")

    async def _events_of(self, trigger: Any) -> AsyncIterator[Any]:
        if os.environ.get("AIRFLOW_DISABLE_GREENBACK_PORTAL", "").lower() != "true":
            import greenback

            await greenback.ensure_portal()
        try:
            async for event in trigger.run():
                yield event
        finally:
            try:
                await trigger.cleanup()
            except Exception as error:
                print(f"leoflow: cleanup of {trigger!r} failed: {error}", file=sys.stderr)

    def _cancel(self, identifier: str) -> None:
        task = self.running.get(identifier)
        if task is None:
            return
        if task.done():
            self.running.pop(identifier, None)
        elif identifier not in self.ending:
            self.ending.add(identifier)
            task.cancel()

    # ── the server ────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_told(self, event: dict) -> None:
        """The trigger counted as running until now, so that nobody starts it again."""
        # A trigger that a task waits for is over with its event, and has ended by itself; a watcher goes on.
        if event["trigger_id"] not in self.watchers:
            self.running.pop(event["trigger_id"], None)
            self.logs.drop(event["trigger_id"])

    async def _watch_blocking(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.1)
            held = time.monotonic() - before - 0.1
            if held > BLOCKED_SECONDS:
                print(f"leoflow: a trigger held up all others of {self.project.spec['dag_id']} for {held:.1f} s", file=sys.stderr)


def _arguments(given: dict) -> dict:
    """What a task gave its trigger. A Task SDK before 1.2 has written it down in an older form."""
    from airflow.sdk.serde import deserialize
    from airflow.serialization.serialized_objects import BaseSerialization

    return BaseSerialization.deserialize(given) if "__type" in given else deserialize(given) or {}


def _failed(identifier: str, error: BaseException) -> dict:
    from airflow.sdk.log import redact

    lines = [redact(line) for line in traceback.format_exception(type(error), error, error.__traceback__)]
    return {"trigger_id": identifier, "kind": "failed", "error": "Trigger failure", "traceback": lines}


def _told(identifier: str, event: Any) -> dict:
    from airflow.triggers.base import BaseTaskEndEvent

    if isinstance(event, BaseTaskEndEvent):
        xcoms = [{"key": key, "value": _json_of(value, f"the XCom {key!r} that it ended with")} for key, value in (event.xcoms or {}).items()]
        return {"trigger_id": identifier, "kind": "ended", "state": event.task_instance_state.value, "xcoms": xcoms}
    return {"trigger_id": identifier, "kind": "event", "payload": _json_of(event.payload, "its event")}


def _json_of(value: Any, what: str) -> str:
    """JSON for any reader. Raises ValueError that names it. NaN is none: Airflow's own triggerer dies of it, since its PostgreSQL stores no such event either."""
    from airflow.sdk.serde import serialize

    try:
        return json.dumps(serialize(value), allow_nan=False)
    except Exception as error:  # noqa: B902 - a serializer of the project may raise anything
        raise ValueError(f"{what} cannot be stored as JSON: {error}") from error


def host(project, address: str) -> None:
    """Run a trigger host in this process, which its caller ends right after."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    name_process("lf-triggers")
    # asyncio.run would first cancel what still runs: triggers of a host that dies are not called off, and must not cancel what they wait for.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(Host(project, address).run())
