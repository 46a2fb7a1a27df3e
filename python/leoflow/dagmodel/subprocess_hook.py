"""Runs a shell command in a session of its own, logs every line it prints, and can end all of it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import tempfile
from collections import namedtuple
from typing import Any

SubprocessResult = namedtuple("SubprocessResult", ["exit_code", "output"])

# A program that prints megabytes without a newline is read in pieces of this size.
MAX_LINE_BYTES = 1 << 20


class SubprocessHook:
    """One command at a time."""

    def __init__(self, **kwargs: Any) -> None:
        self.sub_process: subprocess.Popen[bytes] | None = None
        self.log = logging.getLogger("airflow.task.hooks.SubprocessHook")

    def run_command(
        self, command: list[str], env: dict[str, str] | None = None, output_encoding: str = "utf-8", cwd: str | None = None
    ) -> SubprocessResult:
        """Run a command to its end. The output is its last line; without `cwd` it runs in a folder that is deleted after."""
        if cwd is not None:
            return self._run(command, env, output_encoding, cwd)
        with tempfile.TemporaryDirectory(prefix="airflowtmp") as folder:
            return self._run(command, env, output_encoding, folder)

    def _run(self, command: list[str], env: dict[str, str] | None, encoding: str, cwd: str) -> SubprocessResult:
        self.log.info("Running command: %s", command)
        self.sub_process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
            env=os.environ if env is None else env, start_new_session=True,
        )
        self.log.info("Output:")
        line = ""
        try:
            for raw in iter(lambda: self.sub_process.stdout.readline(MAX_LINE_BYTES), b""):
                line = raw.decode(encoding, errors="backslashreplace").rstrip()
                self.log.info("%s", line)
            exit_code = self.sub_process.wait()
        except BaseException:
            self.send_sigterm()
            raise
        finally:
            self.sub_process.stdout.close()
        self.log.info("Command exited with return code %s", exit_code)
        return SubprocessResult(exit_code=exit_code, output=line)

    def send_sigterm(self) -> None:
        """Tell the command and everything it started to end; what is left after 5 seconds is killed."""
        process = self.sub_process
        if process is None or process.poll() is not None:
            return
        self.log.info("Sending SIGTERM signal to process group")
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        except ProcessLookupError:
            return
