"""How triggers of one process ask for variables, connections and states: each with the token of the task that it waits for."""

from __future__ import annotations

import asyncio
import threading
from contextvars import ContextVar

import httpx
import structlog
from airflow.sdk.api.client import Client, ServerResponseError
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import comms
from airflow.sdk.execution_time.supervisor import ActivitySubprocess

from leoflow.airflow_runtime.transport import LeaderTransport

#: The bearer of the trigger whose coroutine runs.
TOKEN: ContextVar[str] = ContextVar("leoflow_trigger_token")
#: The SDK's desk says of each message that it came.
_LOG = structlog.get_logger(logger_name="leoflow.triggers")


class _OwnToken(httpx.Auth):
    """Each request goes out under the token of the trigger that asks, or of the only one that does."""

    def __init__(self, token: str):
        self._token = token

    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {TOKEN.get(self._token)}"
        yield request


class _Desk(ActivitySubprocess):
    """The part of the SDK's supervisor that turns a message into a call of the API; without a process to supervise."""

    def __init__(self, client: Client):  # noqa: B027 - the SDK's own builds a process around it
        self.client = client
        self.answer = None

    def send_msg(self, msg, request_id, error=None, **_dump):
        """Keep what the supervisor would send to its task."""
        self.answer = msg if error is None else error

    def ask(self, msg):
        """The answer to one message."""
        self.answer = None
        # Only the supervisor of Airflow's own trigger host knows these two.
        if isinstance(msg, comms.GetHITLDetailResponse):
            return self.client.hitl.get_detail_response(ti_id=msg.ti_id)
        if isinstance(msg, comms.UpdateHITLDetail):
            return self.client.hitl.update_response(ti_id=msg.ti_id, chosen_options=msg.chosen_options, params_input=msg.params_input)
        self._handle_request(msg, _LOG, 0)
        return self.answer


class TriggerComms:
    """SUPERVISOR_COMMS of a trigger host. Blocks whoever calls `send`, and nobody else.

    token: of whoever asks from outside a trigger
    """

    socket = None

    def __init__(self, address: str, address_file: str, token: str = ""):
        self._token = token
        self._address = address
        self._address_file = address_file
        self._local = threading.local()

    def send(self, msg):
        """Ask and wait for the answer, as a trigger's synchronous code does."""
        desk = self._desk()
        try:
            answer = desk.ask(msg)
        except ServerResponseError as error:
            detail = {"status_code": error.response.status_code, "message": str(error), "detail": error.detail}
            raise AirflowRuntimeError(error=comms.ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail)) from error
        return answer

    async def asend(self, msg):
        """Ask without holding up other triggers."""
        return await asyncio.to_thread(self.send, msg)

    def _desk(self) -> _Desk:
        desk = getattr(self._local, "desk", None)
        if desk is None:
            client = Client(base_url="http://leoflow/execution/", token="", transport=LeaderTransport(self._address, self._address_file))
            client.auth = _OwnToken(self._token)
            desk = self._local.desk = _Desk(client)
        return desk
