"""FTP, SFTP, SMTP, HTTP and S3 on loopback for tests: `python servers.py FOLDER`. They end with standard input.

The first line of standard output is JSON with the port of each. What HTTP and SMTP received is at `/received` of the HTTP server.
"""

import asyncio
import base64
import functools
import json
import os
import sys
import threading
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import asyncssh
from aiosmtpd.smtp import SMTP, AuthResult
from moto.server import ThreadedMotoServer
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer

HOST = "127.0.0.1"
USER = "tester"
#: A sensor sees what it waits for at this many looks.
LOOKS = 2

orders: list = []
mails: list = []
looks: dict = {}


def password(service: str) -> str:
    """Each service has its own."""
    return os.environ[f"PROVIDERS_PASSWORD_{service.upper()}"]


class Web(BaseHTTPRequestHandler):
    """Orders are posted, a greeting is read, and what is asked for below /ready is there at the second look."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer by path."""
        if self.path == "/received":
            self._answer(200, {"orders": orders, "mails": mails})
        elif not self._is_known():
            self._answer(401, {"error": "who are you?"})
        elif self.path.startswith("/ready/"):
            looks[self.path] = looks.get(self.path, 0) + 1
            self._answer(200 if looks[self.path] >= LOOKS else 404, {"looks": looks[self.path]})
        else:
            self._answer(200, {"greeting": "hello", "path": self.path})

    def do_POST(self):
        """Keep the order."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self._is_known():
            return self._answer(401, {"error": "who are you?"})
        orders.append(json.loads(body))
        self._answer(201, {"order": len(orders)})

    def log_message(self, format, *args):
        """Say nothing."""

    def _is_known(self) -> bool:
        return self.headers.get("authorization") == "Basic " + base64.b64encode(f"{USER}:{password('http')}".encode()).decode()

    def _answer(self, status: int, body: dict):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Sink:
    """Keeps each mail."""

    async def handle_DATA(self, server, session, envelope):
        """One mail, with the words of its parts."""
        message = message_from_bytes(envelope.content)
        texts = [part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()]
        mails.append({"from": message["from"], "to": envelope.rcpt_tos, "subject": message["subject"], "text": "\n".join(texts)})
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    """Only with the right password."""
    return AuthResult(success=data.login == USER.encode() and data.password == password("smtp").encode())


class KnownUser(asyncssh.SSHServer):
    """Only with the right password."""

    def password_auth_supported(self):
        """The only way in."""
        return True

    def validate_password(self, username, given):
        """As given to the tests."""
        return (username, given) == (USER, password("sftp"))


def serve_ftp(folder: str) -> int:
    """Start FTP on a folder; its port."""
    authorizer = DummyAuthorizer()
    authorizer.add_user(USER, password("ftp"), folder, perm="elradfmwMT")
    handler = type("Handler", (FTPHandler,), {"authorizer": authorizer})
    server = ThreadedFTPServer((HOST, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.address[1]


def serve_http() -> int:
    """Start the HTTP server; its port."""
    server = ThreadingHTTPServer((HOST, 0), Web)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def serve_s3() -> int:
    """Start an S3 whose buckets are in memory; its port."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    return server.get_host_and_port()[1]


async def serve(folder: str) -> None:
    """All of them, until standard input ends."""
    for name in ("ftp", "sftp"):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(functools.partial(SMTP, Sink(), authenticator=authenticate, auth_required=True, auth_require_tls=False), HOST, 0)
    sftp_root = os.path.join(folder, "sftp").encode()
    sftp = await asyncssh.create_server(
        KnownUser, HOST, 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=sftp_root))
    ports = {
        "ftp": serve_ftp(os.path.join(folder, "ftp")), "sftp": sftp.sockets[0].getsockname()[1], "smtp": smtp.sockets[0].getsockname()[1],
        "http": serve_http(), "s3": serve_s3(),
    }
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
    os._exit(0)
