"""What the supervisor tells of an end, from the lines of the task runner."""

import json
import os
import tempfile
import unittest

from leoflow.airflow_runtime.ending import MAX_BYTES, Ending
from leoflow.run.place import import_error, place_of


def _sink():
    while True:
        yield


def _line(**more):
    return json.dumps({"filename": "task_runner.py", "level": "error", **more}).encode()


class Endings(unittest.TestCase):
    """Lines in, the header's text out."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)

    def ending(self, *lines, **spec):
        """One that has heard these lines of the runner."""
        ending = Ending(spec, [self.root], lambda text: text.replace("s3cr3t", "***"))
        listening = ending.listen(_sink())
        next(listening)
        for line in lines:
            listening.send(_line(**line))
        return ending

    def raised(self, kind, value, *frames):
        """A line of the runner about an exception."""
        return {"event": "Task failed with exception", "error_detail": [{"exc_type": kind, "exc_value": value, "frames": [{"filename": file, "lineno": line, "name": name} for file, line, name in frames]}]}

    def test_exception_with_the_author_s_innermost_line(self):
        """Frames of packages are not the author's, not even of those below the project."""
        frames = [("/usr/lib/runner.py", 1, "run"), (f"{self.root}/daily.py", 12, "load"), (f"{self.root}/.venv/lib/site-packages/requests.py", 7, "get")]
        told = json.loads(self.ending(self.raised("ValueError", "no", *frames)).of_task())
        self.assertEqual(told, {"error": {"type": "ValueError", "message": "no", "place": "daily.py:12"}})

    def test_the_last_word_counts_until_the_state_is_told(self):
        """Callbacks fail before and after."""
        ending = self.ending({"event": "Failed to run task callback"}, self.raised("KeyError", "'x'"))
        ending.settle()
        listening = ending.listen(_sink())
        next(listening)
        listening.send(_line(event="error calling listener"))
        self.assertEqual(json.loads(ending.of_task())["error"]["type"], "KeyError")

    def test_words_of_others_do_not_count(self):
        """User code logs errors, and prints anything."""
        ending = self.ending({"logger": "airflow.task", "event": "mine"}, {"filename": "daily.py", "event": "mine"}, {"level": "info", "event": "Pushing xcom"})
        self.assertEqual(json.loads(ending.of_task()), {})

    def test_skip_exit_and_a_failure_without_an_exception(self):
        """Each in its own words."""
        self.assertEqual(json.loads(self.ending({"level": "info", "event": "Skipping task.", "reason": "nothing new"}).of_task())["error"], {"type": "AirflowSkipException", "message": "nothing new"})
        self.assertEqual(json.loads(self.ending({"event": "Task exited", "exit_code": 3}).of_task())["error"], {"type": "SystemExit", "message": "the task called sys.exit(3)"})
        self.assertEqual(json.loads(self.ending({"event": "DagRun finished with failed state.", "dag_id": "other", "state": "failed"}).of_task())["error"], {"type": "ExecutionEnded", "message": "DagRun finished with failed state (dag_id other, state failed)"})

    def test_timeout_and_resuming_in_the_author_s_words(self):
        """What the runner says of them tells nobody what to change."""
        told = json.loads(self.ending(self.raised("AirflowTaskTimeout", "Timeout, PID: 7"), execution_timeout_seconds=5).of_task())
        self.assertEqual([told["cause"], told["error"]["message"]], ["timeout", "the task ran longer than its execution_timeout of 5 s"])
        self.assertNotIn("cause", json.loads(self.ending(self.raised("AirflowTaskTimeout", "Timeout, PID: 7")).of_task()), "its own")
        told = json.loads(self.ending(self.raised("AttributeError", "'Defers' object has no attribute 'gone'"), resume={"next_method": "gone", "next_kwargs": "{}"}).of_task())
        self.assertIn("which it named as method_name when it deferred", told["error"]["message"])

    def test_what_the_server_said(self):
        """Out of a dict that was printed."""
        value = "API_SERVER_ERROR: {'status_code': 413, 'message': 'Client error', 'detail': {'detail': {'reason': 'xcom_too_large', 'message': 'too large.'}}}"
        frame = ("/sdk/task_runner.py", 9, "_push_xcom_if_needed")
        told = json.loads(self.ending(self.raised("AirflowRuntimeError", value, frame)).of_task())
        self.assertEqual(told["error"]["message"], "too large, while its result was stored as an XCom")

    def test_process(self):
        """Its own last words count only when it ended by them."""
        self.assertEqual(json.loads(self.ending().of_process(7)), {"process": {"status": 7, "signal": None, "oom": False}})
        self.assertEqual(json.loads(self.ending({"event": "Failed to run task callback"}).of_process(-11)), {"process": {"status": -1, "signal": 11, "oom": False}})
        self.assertNotIn("error", json.loads(self.ending({"event": "Failed to run task callback"}).of_process(1)))
        top = {**self.raised("ValueError", "no"), "event": "Top level error"}
        self.assertEqual(json.loads(self.ending(top).of_process(1))["error"]["type"], "ValueError")

    def test_secrets_are_hidden_before_anything_is_cut(self):
        """The lines of a task come as it said them."""
        error = json.loads(self.ending(self.raised("s3cr3tError", "x" * 1_997 + "s3cr3t")).of_task())["error"]
        self.assertEqual([error["type"], error["message"]], ["***Error", "x" * 1_997 + "***"])

    def test_file_that_does_not_import_in_the_task(self):
        """Whoever imported it said why, and the runner that there is no such DAG."""
        importer = {**self.raised("RuntimeError", "once", (f"{self.root}/daily.py", 3, "<module>")), "event": f"Failed to import: {self.root}/daily.py", "logger": "importer", "filename": "importer.py"}
        told = json.loads(self.ending(importer, {"event": "Dag not found during start up"}, {"event": "Startup reschedule limit exceeded"}).of_process(1))
        self.assertEqual([told["cause"], told["error"]], ["config", {"type": "RuntimeError", "message": "once", "place": "daily.py:3"}])
        self.assertNotIn("error", json.loads(self.ending(importer).of_process(-9)))

    def test_header_is_short_ascii_without_control_characters(self):
        """Whatever an exception says."""
        text = self.ending(self.raised("ValueError", "ü\n\x7f\x00" * 5000)).of_task()
        self.assertLessEqual(len(text), MAX_BYTES)
        self.assertTrue(all(" " <= character <= "~" for character in text))
        self.assertTrue(json.loads(text)["error"]["message"].startswith("ü\n\x7f\x00"))

    def test_place_of_an_import(self):
        """The innermost of the author's lines, also of a file that Python cannot read."""
        path = os.path.join(self.root, "bad.py")
        with open(path, "w", encoding="utf-8") as file:
            file.write("x = 1\ndef\n")
        with self.assertRaises(SyntaxError) as caught:
            compile("x = 1\ndef\n", path, "exec")
        told = import_error(caught.exception, [self.root])
        self.assertEqual([told["type"], told["place"]], ["SyntaxError", "bad.py:2"])
        self.assertIsNone(place_of([("/elsewhere/a.py", 1)], [self.root]))


if __name__ == "__main__":
    unittest.main()
