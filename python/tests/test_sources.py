"""Which files of a project travel with a DAG: what it imports, the rest of those packages, and what it reads while it is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import unittest

DAG = """
import json
from pathlib import Path
from airflow.sdk import DAG, task
from pk.sub.m import A
here = Path(__file__).parent
name = json.loads((here / "cfg" / "one.json").read_text())["id"]
(here / "written.txt").write_text("x")
with DAG(name):
    @task
    def t():
        from pk.sub.lazy import B
    t()
"""


class SourcesTest(unittest.TestCase):
    """In a process of its own: a parser hears of files once."""

    def parse(self, files: dict[str, str]) -> dict:
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            done = subprocess.run([sys.executable, "-m", "leoflow.parse", "d.py", "--root", root], capture_output=True, text=True, check=True, cwd=os.path.dirname(os.path.dirname(__file__)))
            return json.loads(done.stdout)

    def test_packages_and_files(self) -> None:
        document = self.parse({
            "d.py": DAG, "pk/__init__.py": "", "pk/sub/__init__.py": "", "pk/sub/m.py": "A = 1", "pk/sub/lazy.py": "B = 2", "pk/other/deep.py": "", "pk/data.bin": "no", "unused.py": "",
            "cfg/one.json": '{"id": "read"}', "cfg/two.json": "{}", "pk/__pycache__/x.py": "",
        })
        (dag,) = document["dags"]
        self.assertEqual([source["path"] for source in dag["sources"]], ["d.py", "pk/__init__.py", "pk/other/deep.py", "pk/sub/__init__.py", "pk/sub/lazy.py", "pk/sub/m.py", "cfg/one.json"])
        self.assertEqual(document["left_out"], [])

    def test_what_is_read_at_import_and_too_large_is_told(self) -> None:
        document = self.parse({"d.py": 'from airflow.sdk import DAG\nopen("".join(["big", ".csv"])).close()\nd = DAG("d")\n', "big.csv": "x" * 1_000_001})
        self.assertEqual([source["path"] for source in document["dags"][0]["sources"]], ["d.py"])
        self.assertEqual([(one["path"], one["why"]) for one in document["left_out"]], [("big.csv", "it is read while the file is imported, and has 1.0 MB; up to 1 MB travel")])
