"""The launcher's loop without its processes: what it tells when it cannot start one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
import unittest
from unittest import mock

from leoflow.agent import launcher


class LauncherTest(unittest.TestCase):
    """One launcher in a folder of its own; what it tells is kept."""

    def setUp(self) -> None:
        self.home = tempfile.mkdtemp(prefix="lf-")
        self.addCleanup(shutil.rmtree, self.home, ignore_errors=True)
        os.mkdir(os.path.join(self.home, "run"))
        self.launcher = launcher.Launcher(self.home)
        for fd in (self.launcher.wake_read, self.launcher.wake_write):
            self.addCleanup(os.close, fd)
        self.addCleanup(self.launcher.listener.close)
        self.told: list[dict] = []
        self.launcher._tell = self.told.append
        self.spec = {"id": "f1", "version_id": "v", "dag_id": "d", "root": self.home, "dag_file": "dag.py", "path": [], "python": "python3", "env": {}, "log_file": os.path.join(self.home, "log")}

    def test_a_machine_without_room_says_nothing_about_the_file(self) -> None:
        for number in (errno.EAGAIN, errno.ENOMEM, errno.EMFILE):
            with mock.patch.object(subprocess, "Popen", side_effect=OSError(number, os.strerror(number))), mock.patch("sys.stderr"):
                self.launcher._start(self.spec)
            self.assertEqual(self.told.pop(), {"op": "exited", "id": "f1", "status": number, "signal": None})
        self.assertEqual(self.launcher.warm, {})

    def test_an_interpreter_that_is_missing_is_a_failure(self) -> None:
        self.launcher._start({**self.spec, "python": "/nowhere/python3"})
        self.assertEqual((self.told[0]["op"], self.told[0]["error"]["type"]), ("failed", "FileNotFoundError"))

    def test_a_stop_of_one_that_is_gone_is_answered(self) -> None:
        self.launcher._stop("f0")
        self.assertEqual(self.told, [{"op": "exited", "id": "f0", "status": 0, "signal": None}])


if __name__ == "__main__":
    unittest.main()
