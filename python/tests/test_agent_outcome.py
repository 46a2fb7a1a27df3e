"""The record that an execution leaves while it reports: appended whole, beside those of others, whatever becomes of the report."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import unittest
from unittest import mock

from leoflow.agent import attempt, wire

REPORT = {"execution_id": "x", "outcome": "success", "started_at": "", "ended_at": ""}


class OutcomeTest(unittest.TestCase):
    """One file of records, and a server that answers as it is told."""

    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="lf-outcome-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "records")
        self.answers: list[Exception | None] = []

    def report(self, report: dict | None = None, execution: str = "x") -> None:
        """Reports as an execution does."""
        server = attempt.Server(None, "", os.path.join(self.folder, "agent.json"))

        def post(_sock, _path, _payload, _token, _has_moved, on_sent):
            on_sent()
            answer = self.answers.pop(0) if self.answers else None
            if answer is not None:
                raise answer
            return {}

        with mock.patch.object(wire, "connect"), mock.patch.object(wire, "post", post), mock.patch.object(attempt.logs, "note") as self.noted:
            attempt._report(server, {"outcome_file": self.path, "execution_id": execution}, {**(report or REPORT), "execution_id": execution})

    def text(self) -> str:
        """The file."""
        with open(self.path, encoding="ascii") as file:
            return file.read()

    def left(self) -> list[tuple[str, str]]:
        """Executions and outcomes of whole records."""
        records = [line.split(" ", 1) for line in self.text().split("\n") if line.endswith("}")]
        return [(execution, json.loads(report)["outcome"]) for execution, report in records]

    def test_a_record_is_a_line_of_its_own_and_stays(self) -> None:
        self.report(execution="x1")
        self.report({**REPORT, "error": {"type": "E", "message": "a\nb ü"}}, execution="x2")
        self.assertEqual(self.left(), [("x1", "success"), ("x2", "success")])
        self.assertEqual(self.text()[:4], "\nx1 ")
        self.assertEqual(self.text()[-2:], "}\n")

    def test_one_that_was_cut_short_spoils_only_itself(self) -> None:
        whole = os.writev
        with mock.patch.object(os, "writev", lambda file, parts: os.write(file, b"".join(parts)[:20])):
            self.report(execution="x1")
        self.noted.assert_called_once()
        with mock.patch.object(os, "writev", whole):
            self.report(execution="x2")
        self.assertEqual(self.left(), [("x2", "success")])

    def test_a_file_that_cannot_be_written_is_noted(self) -> None:
        os.mkdir(self.path)
        self.report()
        self.noted.assert_called_once()

    def test_each_record_opens_the_file_anew(self) -> None:
        self.report(execution="x1")
        os.rename(self.path, self.path + ".1")
        self.report(execution="x2")
        self.assertEqual(self.left(), [("x2", "success")])

    def test_a_failure_that_is_reported_instead_is_the_last_record(self) -> None:
        for status in (413, 422):
            self.answers = [wire.HttpError(status, b"no")]
            self.report(execution=str(status))
        self.assertEqual(self.left(), [("413", "success"), ("413", "failed"), ("422", "success"), ("422", "failed")])

    def test_any_other_answer_leaves_what_is_there(self) -> None:
        for status in (409, 401, 404, 500):
            self.answers = [wire.HttpError(status, b"no")]
            self.report(execution=str(status))
        self.assertEqual(self.left(), [(status, "success") for status in ("409", "401", "404", "500")])

    def test_without_a_file_nothing_is_left(self) -> None:
        self.path = ""
        self.report()
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
