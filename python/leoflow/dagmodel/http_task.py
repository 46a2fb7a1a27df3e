"""HttpTask: one request as a task, on the standard library alone."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.xcom_arg import PlainXComArg

MAX_ANSWER_BYTES = 32 << 20


class HttpTask(BaseOperator):
    """Sends a request; the answer's body becomes the task's XCom, parsed when it is JSON."""

    template_fields: Any = ("url", "headers", "body")
    ui_color = "#f4a460"
    modules_needed = ("leoflow.dagmodel.http_opener",)

    def __init__(
        self, *, url: str = "", method: str = "GET", conn_id: str | None = None, headers: dict[str, str] | None = None, body: Any = None,
        timeout: timedelta | float | None = None, success_status_codes: list[int] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not url and not conn_id:
            raise AirflowException("a request needs a url, or a conn_id")
        self.url, self.method, self.conn_id, self.headers, self.body = url, method, conn_id, headers, body
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.success_status_codes = success_status_codes

    @staticmethod
    def to_body(task: Any) -> dict[str, Any]:
        """How dag.json says what runs the task."""
        body: dict[str, Any] = {"kind": "http", "method": getattr(task, "method", "GET"), "url": _told(getattr(task, "url", ""))}
        for name in ("conn_id", "headers", "body", "success_status_codes"):
            value = getattr(task, name, None)
            if value is not None:
                body[name] = _told(value)
        timeout = getattr(task, "timeout", None)
        if timeout is not None:
            body["timeout_seconds"] = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        return body

    def execute(self, context: Any) -> Any:
        from urllib.error import URLError
        from urllib.request import Request

        from leoflow.dagmodel.http_opener import Redirects, open_request

        url, private = self._target()
        headers = dict(private)
        data = None
        if self.body is not None:
            data = (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()
            headers.setdefault("Content-Type", "text/plain; charset=utf-8" if isinstance(self.body, str) else "application/json")
        request = Request(url, data=data, method=self.method, headers={**headers, **(self.headers or {})})
        self.log.info("%s %s", self.method, url)
        try:
            with open_request(request, Redirects(private), timeout=self.timeout) as answer:
                return self._result(answer.status, answer.headers, answer.read(MAX_ANSWER_BYTES + 1))
        except URLError as error:
            raise AirflowException(f"{self.method} {url}: {error.reason}") from None

    def _target(self) -> tuple[str, dict[str, str]]:
        """The whole address, and the headers that the connection brings."""
        if self.conn_id is None:
            return _checked(self.url), {}
        from leoflow.dagmodel.connections import BaseHook

        connection = BaseHook.get_connection(self.conn_id)
        host = connection.host or ""
        base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        if connection.port and base.count(":") < 2:
            base = f"{base}:{connection.port}"
        headers = {name: value for name, value in connection.extra_dejson.items() if isinstance(value, str)}
        if connection.login:
            secret = base64.b64encode(f"{connection.login}:{connection.password or ''}".encode()).decode()
            headers["Authorization"] = f"Basic {secret}"
        return _checked(urljoin(base.rstrip("/") + "/", self.url)), headers

    def _result(self, status: int, headers: Any, content: bytes) -> Any:
        if len(content) > MAX_ANSWER_BYTES:
            raise AirflowException(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
        text = content.decode(headers.get_content_charset() or "utf-8", errors="replace")
        if not (200 <= status < 300 if self.success_status_codes is None else status in self.success_status_codes):
            raise AirflowException(f"{self.method} was answered with status {status}: {text[:500]}")
        is_json = headers.get_content_type() == "application/json" or headers.get_content_type().endswith("+json")
        return json.loads(text) if is_json and text else text


def _checked(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise AirflowException(f"{url!r} is no http or https address")
    return url


def _told(value: Any) -> Any:
    """A value for dag.json: another task's result stands as the template that would pull it."""
    if isinstance(value, PlainXComArg):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _told(item) for key, item in value.items()}
    return [_told(item) for item in value] if isinstance(value, (list, tuple)) else value
