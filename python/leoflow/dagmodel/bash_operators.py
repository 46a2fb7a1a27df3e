"""BashOperator and BashSensor: shell commands as tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Container
from typing import Any

from leoflow.dagmodel.errors import AirflowException, AirflowFailException, AirflowSkipException
from leoflow.dagmodel.notset import NOTSET
from leoflow.dagmodel.operator import BaseOperator
from leoflow.dagmodel.sensor import BaseSensorOperator

# Imported when the first command task is made, not with every DAG: it brings `random`, which is seeded anew after each fork (20 page
# faults). Mapped commands are made in the child, so the loader imports it for them.
_HOOK_MODULE = "leoflow.dagmodel.subprocess_hook"


def _make_hook() -> Any:
    from leoflow.dagmodel.subprocess_hook import SubprocessHook

    return SubprocessHook()


class BashOperator(BaseOperator):
    """Runs a bash command, or a rendered `.sh` file; the last line it prints becomes the task's XCom."""

    template_fields: Any = ("bash_command", "env", "cwd")
    template_fields_renderers = {"bash_command": "bash", "env": "json"}
    template_ext: Any = (".sh", ".bash")
    ui_color = "#f0ede4"
    modules_needed = (_HOOK_MODULE,)

    def __init__(
        self,
        *,
        bash_command: Any,
        env: dict[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command, self.env, self.append_env = bash_command, env, append_env
        self.output_encoding, self.cwd = output_encoding, cwd
        if skip_on_exit_code is None:
            self.skip_on_exit_code: Container[int] = ()
        else:
            self.skip_on_exit_code = skip_on_exit_code if isinstance(skip_on_exit_code, Container) else [skip_on_exit_code]
        self.output_processor = output_processor or (lambda output: output)
        self.subprocess_hook = _make_hook()
        self._is_script = self._names_script(bash_command)

    def _names_script(self, command: Any) -> bool:
        return isinstance(command, str) and command.endswith(tuple(self.template_ext))

    def get_env(self, context: Any) -> dict[str, str]:
        """The command's environment: the process's, `env`, or both, and the names of the task instance."""
        if self.env is None:
            env = os.environ.copy()
        else:
            env = {**os.environ, **self.env} if self.append_env else dict(self.env)
        return {**env, **context["ti"].environment()}

    def execute(self, context: Any) -> Any:
        import shutil

        if self.cwd is not None and not os.path.isdir(self.cwd):
            problem = f"The cwd {self.cwd} must be a directory" if os.path.exists(self.cwd) else f"Can not find the cwd: {self.cwd}"
            raise AirflowException(problem)
        result = self._run(shutil.which("bash") or "bash", self.get_env(context))
        if result.exit_code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Bash command returned exit code {result.exit_code}. Skipping.")
        if result.exit_code != 0:
            raise AirflowException(
                f"Bash command failed. The command returned a non-zero exit code {result.exit_code}."
            )
        return self.output_processor(result.output)

    def _run(self, bash: str, env: dict[str, str]) -> Any:
        import tempfile

        run = self.subprocess_hook.run_command
        if not self._is_script:
            return run(command=[bash, "-c", self.bash_command], env=env, output_encoding=self.output_encoding, cwd=self.cwd)
        with tempfile.TemporaryDirectory(prefix="airflowtmp") as folder:
            path = os.path.join(folder, "script.sh")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.bash_command)
            return run(command=[bash, path], env=env, output_encoding=self.output_encoding, cwd=self.cwd or folder)

    def on_kill(self) -> None:
        self.subprocess_hook.send_sigterm()


SET_DURING_EXECUTION = NOTSET


class BashSensor(BaseSensorOperator):
    """Waits until a bash command exits with 0."""

    template_fields: Any = ("bash_command", "env")
    modules_needed = (_HOOK_MODULE,)

    def __init__(
        self, *, bash_command: str, env: dict[str, str] | None = None, output_encoding: str = "utf-8",
        retry_exit_code: int | None = None, **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command, self.env = bash_command, env
        self.output_encoding, self.retry_exit_code = output_encoding, retry_exit_code
        self.subprocess_hook = _make_hook()

    def poke(self, context: Any) -> bool:
        result = self.subprocess_hook.run_command(
            ["bash", "-c", self.bash_command], env=self.env, output_encoding=self.output_encoding
        )
        if result.exit_code == 0:
            return True
        if self.retry_exit_code is not None and result.exit_code != self.retry_exit_code:
            raise AirflowFailException(f"Command exited with return code {result.exit_code}")
        self.log.info("Exit code %s: will look again later", result.exit_code)
        return False

    def on_kill(self) -> None:
        self.subprocess_hook.send_sigterm()
