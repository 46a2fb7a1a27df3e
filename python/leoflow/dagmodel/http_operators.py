"""HttpOperator and HttpSensor: one request to an http connection, and looking again until an answer is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from leoflow.dagmodel.calling import choose_kwargs
from leoflow.dagmodel.errors import AirflowException, UnsupportedFeature
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.sensor import BaseSensorOperator

_HOOK_MODULE = "leoflow.dagmodel.http_hook"


def _refuse_deferring(name: str, deferrable: bool) -> None:
    if deferrable:
        raise UnsupportedFeature(f"{name}(deferrable=True)", "Leave deferrable out; a sensor that waits long takes mode='reschedule'.")


class HttpOperator(BaseOperator):
    """Sends a request; the text of the answer, or what `response_filter` makes of it, becomes the task's XCom."""

    template_fields: Any = ("endpoint", "data", "headers", "http_conn_id")
    template_fields_renderers = {"headers": "json", "data": "py"}
    template_ext: Any = ()
    ui_color = "#f4a460"
    modules_needed = (_HOOK_MODULE,)

    def __init__(
        self, *, endpoint: str | None = None, method: str = "POST", data: Any = None, headers: dict[str, str] | None = None,
        pagination_function: Callable[..., Any] | None = None, response_check: Callable[..., bool] | None = None,
        response_filter: Callable[..., Any] | None = None, extra_options: dict[str, Any] | None = None, request_kwargs: dict[str, Any] | None = None,
        http_conn_id: str = "http_default", log_response: bool = False, auth_type: Any = None, tcp_keep_alive: bool = True, tcp_keep_alive_idle: int = 120,
        tcp_keep_alive_count: int = 20, tcp_keep_alive_interval: int = 30, deferrable: bool = False, warn_on_non_idempotent: bool = True,
        retry_args: dict[str, Any] | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _refuse_deferring("HttpOperator", deferrable)
        self.endpoint, self.method, self.data, self.headers = endpoint, method, data or {}, headers or {}
        self.pagination_function, self.response_check, self.response_filter = pagination_function, response_check, response_filter
        self.extra_options, self.request_kwargs, self.http_conn_id = extra_options or {}, request_kwargs or {}, http_conn_id
        self.log_response, self.auth_type, self.retry_args = log_response, auth_type, retry_args

    @property
    def hook(self) -> Any:
        """The hook of the connection."""
        from leoflow.dagmodel.http_hook import HttpHook

        return HttpHook(self.method, http_conn_id=self.http_conn_id, auth_type=self.auth_type)

    def execute(self, context: Any) -> Any:
        self.log.info("Calling HTTP method")
        first = {"endpoint": self.endpoint, "data": self.data, "headers": self.headers, "extra_options": self.extra_options}
        response = self._send(first)
        if self.pagination_function is None:
            return self._process(response, response.text, context)
        pages = [response]
        while following := self.pagination_function(pages[-1]):
            pages.append(self._send({name: _merge(value, following.get(name)) for name, value in first.items()}))
        return self._process(pages, [page.text for page in pages], context)

    def _send(self, request: dict[str, Any]) -> Any:
        if self.retry_args:
            return self.hook.run_with_advanced_retry(self.retry_args, **request, **self.request_kwargs)
        return self.hook.run(**request, **self.request_kwargs)

    def _process(self, response: Any, text: Any, context: Any) -> Any:
        if self.log_response:
            self.log.info("%s", text)
        if self.response_check is not None and not self.response_check(response, **choose_kwargs(self.response_check, [response], {}, context)):
            raise AirflowException("Response check returned False.")
        if self.response_filter is not None:
            return self.response_filter(response, **choose_kwargs(self.response_filter, [response], {}, context))
        return text


def _merge(own: Any, following: Any) -> Any:
    if following is None:
        return own
    return {**own, **following} if isinstance(own, dict) and isinstance(following, dict) else following


class HttpSensor(BaseSensorOperator):
    """Looks until a request succeeds and `response_check` is content; 404 means: not yet."""

    template_fields: Any = ("endpoint", "request_params", "headers", "http_conn_id")
    modules_needed = (_HOOK_MODULE,)

    def __init__(
        self, *, endpoint: str, http_conn_id: str = "http_default", method: str = "GET", request_params: dict[str, Any] | None = None,
        request_kwargs: dict[str, Any] | None = None, headers: dict[str, Any] | None = None, response_error_codes_allowlist: list[str] | None = None,
        response_check: Callable[..., Any] | None = None, extra_options: dict[str, Any] | None = None, tcp_keep_alive: bool = True,
        tcp_keep_alive_idle: int = 120, tcp_keep_alive_count: int = 20, tcp_keep_alive_interval: int = 30, deferrable: bool = False, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _refuse_deferring("HttpSensor", deferrable)
        self.endpoint, self.http_conn_id, self.method = endpoint, http_conn_id, method
        self.request_params, self.request_kwargs, self.headers = request_params or {}, request_kwargs or {}, headers or {}
        self.response_error_codes_allowlist = ("404",) if response_error_codes_allowlist is None else tuple(response_error_codes_allowlist)
        self.response_check, self.extra_options = response_check, extra_options or {}

    def poke(self, context: Any) -> Any:
        from leoflow.dagmodel.http_hook import HttpHook

        self.log.info("Poking: %s", self.endpoint)
        try:
            response = HttpHook(self.method, http_conn_id=self.http_conn_id).run(
                self.endpoint, data=self.request_params, headers=self.headers, extra_options=self.extra_options, **self.request_kwargs
            )
            if self.response_check is not None:
                return self.response_check(response, **choose_kwargs(self.response_check, [response], {}, context))
        except AirflowException as error:
            if str(error).startswith(self.response_error_codes_allowlist):
                return False
            raise
        return True
