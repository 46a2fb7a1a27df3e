"""Where the Task SDK's parser keeps things, and what it makes of tracebacks: what needs no Airflow. The rest is in test/compat/airflow-parse.e2e.test.ts."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

from leoflow.airflow_runtime import parse_home, settings
from leoflow.airflow_runtime.parse_faults import fault_of, serialization_fault
from leoflow.parse.sources import digests, is_local, local_modules

ROOT = "/project"
TRACE = """Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/airflow/importer.py", line 10, in parse
    loader.exec_module(new_module)
  File "/project/d.py", line 3, in <module>
    broken()
  File "/project/helper.py", line 7, in broken
    return other(
  File "/project/.venv/lib/site-packages/lib.py", line 99, in other
    raise ValueError("first\\nsecond")
ValueError: first
second
"""


class FaultsOfText(unittest.TestCase):
    """Tracebacks as text."""

    def test_the_innermost_line_of_the_author_is_named_and_the_whole_message(self):
        fault = fault_of(TRACE, ROOT, "d.py")
        self.assertEqual((fault.file, fault.line, fault.message, fault.kind), ("/project/helper.py", 7, "ValueError: first\nsecond", "import_error"))

    def test_code_without_a_file_is_not_the_authors(self):
        text = TRACE.replace('"/project/helper.py"', '"<attrs generated init>"')
        self.assertEqual(fault_of(text, ROOT, "d.py").line, 3)

    def test_the_last_of_several_exceptions_counts(self):
        text = TRACE + "\nDuring handling of the above exception, another exception occurred:\n\n" + (
            'Traceback (most recent call last):\n  File "/project/d.py", line 9, in <module>\n    x()\nKeyError: 1\n'
        )
        self.assertEqual((fault_of(text, ROOT, "d.py").line, fault_of(text, ROOT, "d.py").message), (9, "KeyError: 1"))

    def test_a_syntax_error_has_its_own_line(self):
        text = 'Traceback (most recent call last):\n  File "/x/importer.py", line 1, in parse\n    f()\n  File "/project/d.py", line 2\n    DAG("d"\n       ^\nSyntaxError: \'(\' was never closed\n'
        fault = fault_of(text, ROOT, "d.py")
        self.assertEqual((fault.file, fault.line, fault.message, fault.kind), ("/project/d.py", 2, "SyntaxError: '(' was never closed", "syntax_error"))

    def test_a_text_without_lines_is_the_message(self):
        fault = fault_of("AirflowDagCycleException: Cycle detected in Dag: d", ROOT, "d.py")
        self.assertEqual((fault.file, fault.line, fault.kind), ("d.py", 0, "cycle"))

    def test_what_is_missing_is_named(self):
        fault = fault_of("ModuleNotFoundError: No module named 'pandas.core'", ROOT, "d.py")
        self.assertEqual(fault.kind, "missing_module")
        self.assertIn("'pandas.core'", fault.hint)
        self.assertEqual(fault_of("airflow.sdk.exceptions.AirflowRuntimeError: VARIABLE_NOT_FOUND: {}", ROOT, "d.py").kind, "missing_value")

    def test_a_class_without_a_plugin_is_named(self):
        fault = serialization_fault(ValueError("Timetable class 'own.Days' is not registered"), SimpleNamespace(dag_id="d", fileloc="d.py"), 4)
        self.assertEqual(fault.line, 4)
        self.assertIn("names the class", fault.hint)
        self.assertIn("own.Days", fault.hint)


class Home(unittest.TestCase):
    """The environment that Airflow is imported with."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root, self.home = os.path.join(folder.name, "dags"), os.path.join(folder.name, "home")
        os.makedirs(self.root)
        path = list(sys.path)
        self.addCleanup(lambda: sys.path.__setitem__(slice(None), path))
        before = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
        patched = mock.patch.dict(os.environ, before, clear=True)
        patched.start()
        self.addCleanup(patched.stop)

    def test_nothing_is_written_into_the_project(self):
        parse_home.prepare(self.root, [], self.home)
        self.assertEqual(os.listdir(self.root), [])
        self.assertEqual(os.environ["AIRFLOW_HOME"], self.home)
        self.assertEqual(os.environ["AIRFLOW_CONFIG"], os.path.join(self.home, "airflow.cfg"))
        self.assertEqual(os.path.getsize(os.environ["AIRFLOW_CONFIG"]), 0)

    def test_the_home_is_the_one_that_is_kept_or_one_that_goes(self):
        with parse_home.home() as scratch:
            self.assertTrue(os.path.isdir(scratch))
        self.assertFalse(os.path.exists(scratch))
        os.environ["LEOFLOW_PARSE_AIRFLOW_HOME"] = self.home
        with parse_home.home() as kept:
            parse_home.prepare(self.root, [], kept)
        self.assertEqual(kept, self.home)
        self.assertTrue(os.path.isdir(kept))

    def test_the_projects_configuration_is_read(self):
        beside = os.path.join(os.path.dirname(self.root), "airflow.cfg")
        for path in (beside, os.path.join(self.root, "airflow.cfg")):
            with open(path, "w", encoding="utf-8"):
                pass
            parse_home.prepare(self.root, [], self.home)
            self.assertEqual(os.environ.pop("AIRFLOW_CONFIG"), path)

    def test_a_named_configuration_wins_and_one_that_is_missing_is_not_made(self):
        other = os.path.join(self.home, "other.cfg")
        os.makedirs(self.home)
        with open(other, "w", encoding="utf-8"):
            pass
        os.environ["AIRFLOW_CONFIG"] = other
        parse_home.prepare(self.root, [], self.home)
        self.assertEqual(os.environ["AIRFLOW_CONFIG"], other)
        os.environ.update(AIRFLOW_CONFIG=os.path.join(self.root, "nowhere.cfg"), AIRFLOW_HOME=self.root)
        parse_home.prepare(self.root, [], self.home)
        self.assertEqual(os.listdir(self.root), [])

    def test_plugins_lie_in_the_project_or_on_its_import_path(self):
        beside = os.path.join(os.path.dirname(self.root), "plugins")
        os.makedirs(beside)
        self.assertIsNone(settings.plugins_folder(self.root, []))
        self.assertEqual(settings.plugins_folder(self.root, [beside]), beside)
        os.makedirs(os.path.join(self.root, "plugins"))
        self.assertEqual(settings.plugins_folder(self.root, [beside]), os.path.join(self.root, "plugins"))

    def test_what_the_user_says_of_plugins_and_time_stays(self):
        os.environ.update(AIRFLOW__CORE__PLUGINS_FOLDER="/theirs", AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT="5")
        os.makedirs(os.path.join(self.root, "plugins"))
        parse_home.prepare(self.root, [], self.home)
        self.assertEqual((os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"], os.environ["AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT"]), ("/theirs", "5"))

    def test_the_project_is_imported_from_first(self):
        parse_home.prepare(self.root, ["/more"], self.home)
        parse_home.prepare(self.root, ["/more"], self.home)
        self.assertEqual(sys.path[:2], [self.root, "/more"])
        self.assertEqual(sys.path.count(self.root), 1)

    def test_settings_of_the_users_own_home_are_imported_from_last(self):
        own = os.path.join(self.root, "airflow")
        for home in (own, self.home):
            # A fork of a process that has done it does it again.
            os.environ["AIRFLOW_HOME"] = home
            parse_home.prepare(self.root, [], self.home)
            self.assertEqual(os.environ["AIRFLOW_HOME"], self.home)
        self.assertEqual(sys.path.count(os.path.join(own, "config")), 1)
        self.assertGreater(sys.path.index(os.path.join(own, "config")), sys.path.index(self.root))


class Sources(unittest.TestCase):
    """Files of the project."""

    def test_only_files_of_the_project_are_local(self):
        self.assertTrue(is_local("/project/a.py", ROOT))
        for path in ("/project2/a.py", "/project/.venv/lib/site-packages/x.py", "<string>", "a.py"):
            self.assertFalse(is_local(path, ROOT), path)

    def test_modules_and_their_digests(self):
        with tempfile.TemporaryDirectory() as folder:
            root = os.path.realpath(folder)
            for name in ("dag.py", "zz_helper_of_test.py"):
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write("x = 1\n")
            before = set(sys.modules)
            sys.path.insert(0, root)
            try:
                import zz_helper_of_test  # noqa: F401
            finally:
                sys.path.remove(root)
            self.assertEqual(local_modules(root, "dag.py", before), ["zz_helper_of_test.py"])
            found = digests(root, ["dag.py", "zz_helper_of_test.py", "dag.py"])
            self.assertEqual([one["path"] for one in found], ["dag.py", "zz_helper_of_test.py"])
            self.assertEqual(len({one["sha256"] for one in found}), 1)
            del sys.modules["zz_helper_of_test"]


if __name__ == "__main__":
    unittest.main()
