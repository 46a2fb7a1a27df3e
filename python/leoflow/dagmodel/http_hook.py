"""HttpHook on the standard library: base URL, credentials, headers and options of an http connection, and answers that read like those of `requests`."""

from __future__ import annotations

import base64
import json
import os
import ssl
import urllib.request
from collections.abc import Iterable
from http.client import responses
from typing import Any
from urllib.parse import urlencode, urlparse

from leoflow.dagmodel.connections import BaseHook, Connection
from leoflow.dagmodel.errors import AirflowException, UnsupportedFeature
from leoflow.dagmodel.http_opener import MAX_REDIRECTS, Redirects, open_request

#: Keys of a connection's extra that are options of the request; all others are headers.
_OPTIONS = {
    "stream": "stream", "cert": "cert", "proxies": "proxies", "proxy": "proxies", "timeout": "timeout", "verify": "verify", "verify_ssl": "verify",
    "allow_redirects": "allow_redirects", "max_redirects": "max_redirects", "trust_env": "trust_env", "check_response": "check_response",
}
_HINT = "Use requests in a @task of your own."


class Response:
    """An answer, with the names of `requests.Response` that checks and filters use."""

    def __init__(self, status: int, headers: Any, content: bytes, url: str) -> None:
        self.status_code, self.headers, self.content, self.url = status, headers, content, url
        self.reason = responses.get(status, "")
        self.encoding = headers.get_content_charset() or "utf-8"

    @property
    def ok(self) -> bool:
        """True below status 400."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(self.encoding, "replace")

    def json(self, **kwargs: Any) -> Any:
        """The body's JSON value."""
        return json.loads(self.content, **kwargs)

    def raise_for_status(self) -> None:
        """Raise for a status of 400 and more."""
        if not self.ok:
            raise AirflowException(f"{self.status_code}:{self.reason}")

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}]>"


class HTTPBasicAuth:
    """Login and password in the Authorization header."""

    def __init__(self, login: str = "", password: str | None = None) -> None:
        pair = f"{login}:{password or ''}".encode()
        self.header = f"Basic {base64.b64encode(pair).decode()}"


class HttpHook(BaseHook):
    """Requests to the host of an http connection."""

    conn_name_attr, default_conn_name, conn_type, hook_name = "http_conn_id", "http_default", "http", "HTTP"
    default_host = ""
    default_headers: dict[str, str] = {}

    def __init__(self, method: str = "POST", http_conn_id: str = "http_default", auth_type: Any = None, **_: Any) -> None:
        super().__init__()
        self.http_conn_id, self.method, self.base_url = http_conn_id, method.upper(), ""
        if auth_type is not None and auth_type is not HTTPBasicAuth and getattr(auth_type, "__name__", "") not in ("HTTPBasicAuth", "BasicAuth"):
            raise UnsupportedFeature(f"the auth_type {auth_type!r} of an HTTP request", f"Put an Authorization header into the connection's extra, or: {_HINT}")

    def run(
        self, endpoint: str | None = None, data: Any = None, headers: dict[str, Any] | None = None, extra_options: dict[str, Any] | None = None, **request_kwargs: Any,
    ) -> Response:
        """Send one request and answer what came back.

        Raises `AirflowException` ("404:Not Found") for a status of 400 and more, unless `check_response` is False.
        """
        connection = self.get_connection(self.http_conn_id)
        self.base_url = _base_url(connection, self.default_host)
        in_extra, options = _split_extra(connection, extra_options or {})
        request = self._request(endpoint, data, {**self.default_headers, **in_extra, **(headers or {})}, request_kwargs)
        if connection.login and not request.has_header("Authorization"):
            request.add_header("Authorization", HTTPBasicAuth(connection.login, connection.password).header)
        response = _send(request, options, in_extra)
        if options.get("check_response", True):
            self.check_response(response)
        return response

    def _request(self, endpoint: str | None, data: Any, headers: dict[str, Any], more: dict[str, Any]) -> urllib.request.Request:
        unknown = set(more) - {"json", "params"}
        if unknown:
            raise UnsupportedFeature(f"the request argument {sorted(unknown)[0]!r} of an HTTP request", _HINT)
        url, params, body = self.url_from_endpoint(endpoint), more.get("params"), None
        if self.method == "GET" and data:
            params = data
        elif self.method != "HEAD" and "json" in more:
            body, headers = json.dumps(more["json"]).encode(), {"Content-Type": "application/json", **headers}
        elif self.method != "HEAD" and data:
            body = _encode(data)
            if isinstance(data, (dict, list, tuple)):
                headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        if params:
            url = f"{url}{'&' if '?' in url else '?'}{params if isinstance(params, str) else urlencode(params, doseq=True)}"
        return urllib.request.Request(url, data=body, headers={str(name): str(value) for name, value in headers.items()}, method=self.method)

    def check_response(self, response: Response) -> None:
        """Raise `AirflowException` for a status of 400 and more."""
        if response.ok:
            return
        self.log.error("HTTP error: %s", response.reason)
        self.log.error("%s", response.text)
        response.raise_for_status()

    def url_from_endpoint(self, endpoint: str | None) -> str:
        """The whole URL of an endpoint."""
        if not self.base_url:
            self.base_url = _base_url(self.get_connection(self.http_conn_id), self.default_host)
        if self.base_url and not self.base_url.endswith("/") and endpoint and not endpoint.startswith("/"):
            return f"{self.base_url}/{endpoint}"
        return self.base_url + (endpoint or "")

    def get_conn(self, headers: dict[str, Any] | None = None, extra_options: dict[str, Any] | None = None) -> Any:
        """Raises `UnsupportedFeature`: there is no `requests.Session` here."""
        raise UnsupportedFeature("HttpHook.get_conn (a requests.Session)", _HINT)

    def run_with_advanced_retry(self, _retry_args: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """`run`, tried again by tenacity when that is installed."""
        try:
            import tenacity
        except ImportError:
            raise UnsupportedFeature("retry_args without the package tenacity", "Install tenacity into the project's environment, or use the task's retries.") from None
        return tenacity.Retrying(**_retry_args)(self.run, *args, **kwargs)

    def test_connection(self) -> tuple[bool, str]:
        """Whether a request succeeds, and what it said."""
        try:
            self.run()
            return True, "Connection successfully tested"
        except Exception as error:
            return False, str(error)


def _base_url(connection: Connection, default_host: str) -> str:
    host = connection.host or default_host
    url = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    if connection.port:
        url = f"{url}:{connection.port}"
    if urlparse(url).scheme not in ("http", "https"):
        raise ValueError(f"Invalid base URL of the connection {connection.conn_id!r}: its scheme is neither http nor https")
    return url


def _split_extra(connection: Connection, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Headers of a connection's extra, and options of it and of the call; the call's win."""
    headers, options = {}, {}
    for name, value in connection.extra_dejson.items():
        if name == "srv_lookup":
            if value:
                raise UnsupportedFeature("srv_lookup in the extra of an http connection", _HINT)
        elif name in _OPTIONS:
            options[_OPTIONS[name]] = value
        else:
            headers[name] = value
    options.update({_OPTIONS.get(name, name): value for name, value in given.items()})
    return headers, options


def _encode(data: Any) -> bytes:
    if isinstance(data, bytes):
        return data
    return (data if isinstance(data, str) else urlencode(data, doseq=True)).encode()


def _send(request: urllib.request.Request, options: dict[str, Any], private: Iterable[str]) -> Response:
    proxies = options.get("proxies") or (None if options.get("trust_env", True) else {})
    redirects = Redirects(private, follow=options.get("allow_redirects", True), limit=int(options.get("max_redirects", MAX_REDIRECTS)))
    timeout = options.get("timeout")
    if isinstance(timeout, (list, tuple)):
        # requests takes a time to connect and one to read; there is one here.
        timeout = max(filter(None, timeout), default=None)
    with open_request(request, redirects, timeout=None if timeout is None else float(timeout), tls=_tls(options), proxies=proxies) as answer:
        return Response(answer.status, answer.headers, answer.read(), answer.url)


def _tls(options: dict[str, Any]) -> ssl.SSLContext:
    verify = options.get("verify", True)
    if isinstance(verify, str):
        context = ssl.create_default_context(**({"capath": verify} if os.path.isdir(verify) else {"cafile": verify}))
    else:
        context = ssl.create_default_context()
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    cert = options.get("cert")
    if cert:
        context.load_cert_chain(*([cert] if isinstance(cert, str) else cert))
    return context
