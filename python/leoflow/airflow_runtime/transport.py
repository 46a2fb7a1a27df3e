"""The way of the Task SDK's HTTP client to whoever leads: over the agent's socket, again and again until somebody answers."""

import json
import time

import httpx

from leoflow.agent import wire

#: As for the agent's own calls: an outage of the control plane must not turn finished work into failed work.
STATE_LIMIT_SECONDS = 24 * 3600
LOOK_UP_LIMIT_SECONDS = 600
#: Without a leader nobody can say that a task should end: its heartbeat counts as heard after this time.
HEARTBEAT_LIMIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 1.0
PASSING = {429, 502, 503, 504}
_NO_CONTENT = 204
_CONFLICT = 409
#: What belongs to a connection, and is ours.
_OF_THE_CONNECTION = {"host", "connection", "accept-encoding", "content-length", "transfer-encoding"}


class LeaderTransport(httpx.BaseTransport):
    """Sends each request to the leader of the moment; reconnects when it has moved or died.

    address_file: where servers write down who leads and how it is reached
    on_state: called with the bytes and the headers of a state report before it is sent
    """

    def __init__(self, address: str, address_file: str, on_state=None):
        self._address = address
        self._address_file = address_file
        self._on_state = on_state
        self._sock = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Ask until answered, for as long as the kind of request allows."""
        body = request.read()
        path = request.url.raw_path.decode("ascii")
        kind = path.partition("?")[0].rpartition("/")[2] if request.method in ("PATCH", "PUT") else ""
        if kind == "state" and self._on_state is not None:
            self._on_state(body, request.headers)
        limit = {"state": STATE_LIMIT_SECONDS, "heartbeat": HEARTBEAT_LIMIT_SECONDS}.get(kind, LOOK_UP_LIMIT_SECONDS)
        deadline = time.monotonic() + limit
        delay, broken = 0.05, False
        while True:
            try:
                answer = self._ask(request.method, path, request.headers, body)
                if answer.status_code not in PASSING:
                    return self._settled(answer, kind, body) if broken else answer
            except (OSError, ValueError):
                self.close()
                broken = True
                answer = None
            if time.monotonic() + delay > deadline:
                if kind == "heartbeat":
                    return httpx.Response(_NO_CONTENT)
                if answer is not None:
                    return answer
                raise httpx.ConnectError(f"no server answered for {limit:.0f} s")
            time.sleep(delay)
            delay = min(delay * 2, LONGEST_WAIT_SECONDS)
            self._follow()

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _ask(self, method: str, path: str, headers: httpx.Headers, body: bytes) -> httpx.Response:
        if self._sock is None:
            self._follow()
            self._sock = wire.connect(self._address)
        lines = [f"{method} {path} HTTP/1.1", "host: leoflow", f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items() if name not in _OF_THE_CONNECTION)]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        # A server that is cut off holds its connections: while no answer comes, another may lead.
        status, answered, content = wire.exchange(self._sock, request, self._has_moved)
        return httpx.Response(status, headers=answered, content=content)

    def _has_moved(self) -> bool:
        asked = self._address
        return self._current_address() != asked

    def _settled(self, answer: httpx.Response, kind: str, body: bytes) -> httpx.Response:
        """A state that a broken request had brought already is refused the second time: it stands."""
        if kind != "state" or answer.status_code != _CONFLICT:
            return answer
        try:
            stands = json.loads(answer.content)["detail"]["previous_state"] == json.loads(body)["state"]
        except (ValueError, KeyError, TypeError):
            return answer
        return httpx.Response(_NO_CONTENT) if stands else answer

    def _follow(self) -> None:
        """Ask whoever leads now."""
        address = self._current_address()
        if address != self._address:
            self.close()
            self._address = address

    def _current_address(self) -> str:
        """By the file that servers write."""
        return wire.leader_of(self._address_file, self._address)
