"""CommandOperator: a program as a task, started without a shell."""

from __future__ import annotations

import os
from typing import Any

from leoflow.dagmodel.errors import AirflowException
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.xcom_arg import ResolveMixin


class CommandOperator(BaseOperator):
    """Runs a program with its arguments; the last line it prints becomes the task's XCom."""

    template_fields: Any = ("command", "env", "cwd")
    ui_color = "#f0ede4"
    modules_needed = ("leoflow.dagmodel.subprocess_hook",)

    def __init__(self, *, command: Any, env: dict[str, str] | None = None, cwd: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(command, str) or not command:
            raise AirflowException(f"`command` must be a list: the program and its arguments; got {command!r}")
        self.command, self.env, self.cwd = command, env, cwd
        self._hook: Any = None

    @staticmethod
    def to_body(task: Any) -> dict[str, Any] | None:
        """How dag.json says what runs the task; None while a mapping decides what the program is."""
        command, env = getattr(task, "command", None), getattr(task, "env", None)
        if not isinstance(command, (list, tuple)):
            return None
        body: dict[str, Any] = {"kind": "command", "command": [str(part) for part in command]}
        plain = isinstance(env, dict) and not any(isinstance(value, ResolveMixin) for value in env.values())
        return {**body, "env": {name: str(value) for name, value in env.items()}} if plain and env else body

    def execute(self, context: Any) -> Any:
        from leoflow.dagmodel.subprocess_hook import SubprocessHook

        self._hook = SubprocessHook()
        env = {**os.environ, **{name: str(value) for name, value in (self.env or {}).items()}, **context["ti"].environment()}
        command = [part if isinstance(part, str) else str(part) for part in self.command]
        try:
            result = self._hook.run_command(command=command, env=env, cwd=self.cwd)
        except FileNotFoundError as error:
            raise AirflowException(f"cannot start {command[0]}: {error.strerror}: {error.filename}") from None
        except PermissionError as error:
            raise AirflowException(f"cannot start {command[0]}: {error.strerror}") from None
        if result.exit_code != 0:
            raise AirflowException(f"{command[0]} ended with exit code {result.exit_code}")
        return result.output

    def on_kill(self) -> None:
        if self._hook is not None:
            self._hook.send_sigterm()
