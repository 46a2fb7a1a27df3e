"""Sends the requests of HttpTask and HttpHook: with a time limit, and with redirects that carry no credentials to another host."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterable
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlsplit

from leoflow.dagmodel import masking
from leoflow.dagmodel.errors import AirflowException

#: A request without a timeout of its own waits so long for the connection, and for each part of the answer.
DEFAULT_TIMEOUT_SECONDS = 60.0
MAX_REDIRECTS = 30
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
_PORTS = {"http": 80, "https": 443}


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, or none. To another host (scheme, name or port differ) go neither the connection's headers nor any credentials; from https to http goes nothing."""

    def __init__(self, private: Iterable[str] = (), *, follow: bool = True, limit: int = MAX_REDIRECTS) -> None:
        self._private = _CREDENTIALS | {name.lower() for name in private}
        self._follow, self.max_redirections = follow, limit

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: HTTPMessage, newurl: str) -> Any:
        """The next request, None to stop here.

        Raises `AirflowException` where encryption would end.
        """
        if not self._follow:
            return None
        before, after = _host_of(req.full_url), _host_of(newurl)
        if (before[0], after[0]) == ("https", "http"):
            raise AirflowException(f"{req.get_method()} {req.full_url} is redirected from https to http ({after[1]}), which is not followed")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and before != after:
            for name, _ in following.header_items():
                if name.lower() in self._private or masking.is_sensitive(name.replace("-", "_")):
                    following.remove_header(name)
        return following


def _host_of(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme)


def open_request(
    request: urllib.request.Request, redirects: Redirects, *, timeout: float | None = None, tls: ssl.SSLContext | None = None, proxies: dict[str, str] | None = None,
) -> Any:
    """Send a request. The answer reads like that of `urlopen`, also for a status of 400 and more.

    timeout: seconds, None for DEFAULT_TIMEOUT_SECONDS; proxies: None for those of the environment
    """
    handlers = [redirects, urllib.request.ProxyHandler(proxies), *([] if tls is None else [urllib.request.HTTPSHandler(context=tls)])]
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=DEFAULT_TIMEOUT_SECONDS if timeout is None else timeout)
    except urllib.error.HTTPError as error:
        return error
