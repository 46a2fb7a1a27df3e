"""What answers a DAG file that asks for variables and connections while it is imported: values that were handed over in memory."""

from contextlib import contextmanager


class ImportComms:
    """Stands in for the supervisor's line; knows variables and connections, and nothing else."""

    socket = None

    def __init__(self, given: dict):
        self._variables = given.get("variables") or {}
        self._connections = given.get("connections") or {}

    def send(self, msg):
        """Answer one question as the supervisor would."""
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ConnectionResult, ErrorResponse, GetConnection, GetVariable, VariableResult

        if isinstance(msg, GetVariable):
            if msg.key in self._variables:
                return VariableResult(key=msg.key, value=self._variables[msg.key])
            return ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": msg.key})
        if isinstance(msg, GetConnection):
            found = self._connections.get(msg.conn_id)
            if found is not None:
                fields = {name: found.get(name) for name in ("conn_type", "host", "login", "password", "port", "extra")}
                return ConnectionResult(conn_id=msg.conn_id, schema=found.get("schema"), **fields)
            return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail={"conn_id": msg.conn_id})
        raise RuntimeError(f"{type(msg).__name__} cannot be answered while a DAG file is imported")

    async def asend(self, msg):
        """As `send`."""
        return self.send(msg)


@contextmanager
def import_comms(given: dict | None):
    """While it lasts, Variable.get and the like ask `given`: {"variables": …, "connections": …}; not where this process has a line to the server."""
    from airflow.sdk.execution_time import task_runner

    if hasattr(task_runner, "SUPERVISOR_COMMS"):
        yield
        return
    task_runner.SUPERVISOR_COMMS = ImportComms(given or {})
    try:
        yield
    finally:
        del task_runner.SUPERVISOR_COMMS
