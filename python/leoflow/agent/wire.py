"""The two wires of the agent: newline-delimited JSON to the server and launcher, and a minimal HTTP/1.1 client for executions."""

import json
import socket

from leoflow.run.json_text import make_encoder

_encode = make_encoder(ascii_only=True, default=str)
_decode = json.loads

MAX_RESPONSE = 256 * 1024 * 1024
#: A server that is stopped, or cut off from its database, holds its connections: after each such time somebody looks for another.
PATIENCE_SECONDS = 1.0


def leader_of(address_file: str, otherwise: str) -> str:
    """Where whoever leads is reached, by the file that servers write; `otherwise` while it cannot be read."""
    try:
        with open(address_file, encoding="utf-8") as file:
            return json.load(file)["socket"]
    except (OSError, ValueError, KeyError):
        return otherwise


def encode_line(message: dict) -> bytes:
    """One message as a line."""
    return _encode(message).encode("utf-8") + b"\n"


class Lines:
    """Splits what a non-blocking socket delivers into messages."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self._rest = b""

    def read(self) -> list[dict] | None:
        """Messages that arrived; None when the peer closed."""
        try:
            data = self.sock.recv(1 << 20)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [_decode(line) for line in lines if line]

    def send(self, *messages: dict) -> bool:
        """Write messages whole, in one call when the peer keeps up. False when the peer is gone."""
        data = b"".join(map(encode_line, messages))
        try:
            try:
                data = data[self.sock.send(data):]
            except (BlockingIOError, InterruptedError):
                pass
            if data:
                self.sock.setblocking(True)
                try:
                    self.sock.sendall(data)
                finally:
                    self.sock.setblocking(False)
            return True
        except OSError:
            return False


class HttpError(Exception):
    """An answer other than 200. `status` is its code, `body` its text."""

    def __init__(self, status: int, body: bytes):
        super().__init__(f"HTTP {status}: {body[:200]!r}")
        self.status = status
        self.body = body


def connect(path: str) -> socket.socket:
    """A blocking connection to a unix socket, or to host:port."""
    if path.startswith("/"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(path)
        return sock
    host, _, port = path.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(None)
    return sock


def encode_body(body: dict) -> bytes:
    """The bytes of a request."""
    return _encode(body).encode("utf-8")


def post(sock: socket.socket, path: str, payload: bytes, token: str = "", has_moved=None, on_sent=None) -> dict:
    """One request on an open connection. Raises OSError when it breaks, HttpError on any answer but 200.

    `has_moved` is asked while the answer is late: True gives this connection up. Without it an answer is waited for without end.
    `on_sent` is called when the request is on its way.
    """
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {path} HTTP/1.1\r\nHost: leoflow\r\n{authorization}Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    status, _, body = exchange(sock, head.encode("ascii") + payload, has_moved, on_sent)
    if status != 200:
        raise HttpError(status, body)
    return _decode(body or b"null")


def exchange(sock: socket.socket, request: bytes, has_moved=None, on_sent=None) -> tuple[int, dict[str, str], bytes]:
    """One request, whole, and its answer: status, headers by lower-case name, body. Raises OSError when the connection breaks; see `post`."""
    sock.settimeout(None if has_moved is None else PATIENCE_SECONDS)
    rest = memoryview(request)
    while rest:
        rest = rest[_patient(sock.send, rest, has_moved):]
    if on_sent is not None:
        on_sent()
    return _read_response(sock, has_moved, has_body=not request.startswith(b"HEAD "))


def _patient(call, argument, has_moved):
    """What `call` returns, asked again after each time-out until the other side is known to have moved."""
    while True:
        try:
            return call(argument)
        except TimeoutError:
            if has_moved is None or has_moved():
                raise ConnectionError("another server answers now") from None


def _read_response(sock: socket.socket, has_moved, has_body: bool) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while True:
        chunk = _patient(sock.recv, 65536, has_moved)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        data += chunk
        end = data.find(b"\r\n\r\n")
        if end >= 0:
            break
        if len(data) > 65536:
            raise ConnectionError("the answer has no end of headers")
    head, body = data[:end], data[end + 4:]
    headers = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0)) if has_body else 0
    if length > MAX_RESPONSE:
        raise ConnectionError("the answer is too large")
    parts = [body]
    missing = length - len(body)
    while missing > 0:
        chunk = _patient(sock.recv, min(missing, 1 << 20), has_moved)
        if not chunk:
            raise ConnectionError("the answer is cut short")
        parts.append(chunk)
        missing -= len(chunk)
    return int(head.split(b" ", 2)[1]), headers, b"".join(parts)
