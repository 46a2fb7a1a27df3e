"""How a trigger host speaks with the server: it asks until somebody answers, and tells each event until it is taken or refused for good."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from leoflow.agent import attempt, wire

EVENTS = "/agent/v1/triggers/events"
#: Events in one request, and about how many bytes of them.
EVENTS_AT_ONCE = 500
BYTES_AT_ONCE = 8 * 1024 * 1024
#: Events that wait to be told; who brings more waits.
MOST_EVENTS = 5000
#: After an answer that should not have come.
AGAIN_SECONDS = 1.0
#: The server has read the request and will say the same of it for ever: no JSON, too large, not to be stored. Everything else may pass.
_FINAL = (400, 413, 422)


class Refused(Exception):
    """A request that the server will not take however often it is made. Says why."""


class Server:
    """Whoever leads just now."""

    def __init__(self, address: str, address_file: str):
        self._server = attempt.Server(None, address, address_file)

    def ask(self, path: str, body: dict) -> dict:
        """Ask until somebody answers: a server that is away comes back, or another leads. Raises Refused."""
        while True:
            try:
                return self._server.post(path, body, math.inf)
            except wire.HttpError as error:
                if error.status in _FINAL:
                    raise Refused(attempt.detail_of(error)) from error
                print(f"leoflow: {path}: {error}", file=sys.stderr)
            time.sleep(AGAIN_SECONDS)


class Teller:
    """Events on their way to the server. `name` says in each request whose they are.

    on_told: hears of each event that the server has
    on_refused: hears of what is told instead of an event that the server does not take
    """

    def __init__(self, server: Server, name: dict, *, on_told: Callable[[dict], None], on_refused: Callable[[dict], None]):
        self.events: asyncio.Queue[dict] = asyncio.Queue(MOST_EVENTS)
        self._server = server
        self._name = name
        self._on_told = on_told
        self._on_refused = on_refused
        self._thread = ThreadPoolExecutor(1)

    async def run(self) -> None:
        """Tell what comes, without end."""
        while True:
            events = [await self.events.get()]
            while len(events) < EVENTS_AT_ONCE and not self.events.empty():
                events.append(self.events.get_nowait())
            for part in _parts_of(events):
                await self._tell(part)

    async def _tell(self, events: list[dict]) -> None:
        """One that is refused is no reason to keep the others."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._server.ask, EVENTS, {**self._name, "events": events})
        except Refused as refusal:
            if len(events) > 1:
                middle = len(events) // 2
                await self._tell(events[:middle])
                await self._tell(events[middle:])
                return
            failure = _refused(events[0], refusal)
            if failure != events[0]:
                self._on_refused(failure)
                await self._tell([failure])
                return
            print(f"leoflow: {EVENTS}: {refusal}; the trigger begins again", file=sys.stderr)
        for event in events:
            self._on_told(event)


def _parts_of(events: list[dict]) -> Iterator[list[dict]]:
    """In order. An event that is too large for any request is alone in its own."""
    part: list[dict] = []
    size = 0
    for event in events:
        more = len(wire.encode_body(event))
        if part and size + more > BYTES_AT_ONCE:
            yield part
            part, size = [], 0
        part.append(event)
        size += more
    yield part


def _refused(event: dict, refusal: Refused) -> dict:
    return {"trigger_id": event["trigger_id"], "kind": "failed", "error": "Trigger failure", "traceback": [f"its event cannot be stored: {refusal}"]}
