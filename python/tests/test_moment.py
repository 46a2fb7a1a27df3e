"""Tests of leoflow.run.moment: which code may be imported once for all tasks."""

import os
import sys
import tempfile
import unittest
from types import SimpleNamespace
from unittest.mock import patch

from leoflow.run.moment import draw_anew, import_packages, is_of_the_moment, does_more_than_draw

HEAD = "from datetime import datetime, date\nimport pendulum, random, time\nfrom airflow.sdk import DAG, Variable, dag, task\nfrom airflow.providers.standard.operators.python import PythonOperator\n"
LOOKS = {
    "a constant": "TODAY = datetime.now()",
    "in default_args": "ARGS = {'start_date': pendulum.today().subtract(days=1)}",
    "in an f-string": "NAME = f'{date.today():%Y}'",
    "in a with": "with DAG('x') as d:\n    x = time.time()",
    "in a condition": "if random.random() > 0.5:\n    X = 1",
    "a default of a function": "def f(now=datetime.now()):\n    pass",
    "a variable": "ENV = Variable.get('env')",
    "a helper that is called": "def day():\n    return datetime.utcnow()\nDAY = day()",
    "a helper of a helper": "def day():\n    return now_()\ndef now_():\n    return datetime.now()\nDAY = day()",
    "a function that makes the DAG": "@dag()\ndef flow():\n    stamp = datetime.now()\nflow()",
    "the constructor of a class": "class A:\n    def __init__(self):\n        self.t = time.time()\nA()",
    "the body of a class": "class A:\n    t = time.time()",
    "under another name": "from time import time as t\nX = t()",
    "a variable under another name": "from airflow.sdk import Variable as V\nX = V.get('x')",
    "a seed of its own": "import numpy\nnumpy.random.seed(42)",
    "behind an expression that is very long": "X = " + " + ".join(["1"] * 1200) + "\nT = datetime.now()",
    "chance under a seed": "random.seed(42)",
    "a session": "import requests\nSESSION = requests.Session()",
    "an open file": "import csv\nROWS = csv.reader(open('x.csv'))",
    "a file that stays open": "FILE = open('x')",
    "a scratch folder": "import tempfile\nFOLDER = tempfile.mkdtemp()",
    "its process": "import os\nPID = os.getpid()",
    "the time as text": "X = time.strftime('%Y')",
    "logging": "import logging\nlogging.basicConfig(level='DEBUG')",
    "sockets": "import socket\nsocket.setdefaulttimeout(20)",
    "the parsing context": "from airflow.sdk import get_parsing_context\nX = get_parsing_context().task_id",
    "a hook": "from airflow.providers.postgres.hooks.postgres import PostgresHook\nH = PostgresHook('x')",
    "a function that map calls": "def f(x):\n    return time.time()\nX = list(map(f, [1]))",
    "a dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n    def __post_init__(self):\n        self.t = time.time()\nA(1)",
    "a decorator of a package": "from tenacity import retry\n@retry\ndef f():\n    pass",
    "settings": "import os\nos.environ.setdefault('X', '1')",
    "a group of another name": "from airflow.sdk import task_group\n@task_group\ndef g():\n    X = datetime.now()\nwith DAG('x'):\n    g.override(group_id='y')()",
    "a lambda that sorted calls": "X = sorted([1], key=lambda x: time.time())",
    "a decorator of a class": "def stamped(c):\n    c.t = time.time()\n    return c\n@stamped\nclass A:\n    pass",
    "a constructor of a base class": "class A:\n    def __init__(self):\n        self.t = time.time()\nclass B(A):\n    def __init__(self):\n        super().__init__()\nB()",
    "a lambda's default": "f = lambda x=datetime.now(): x",
}
DOES_NOT = {
    "nothing": "X = 1",
    "a fixed date": "START = datetime(2024, 1, 1)\nP = pendulum.datetime(2024, 1, 1)",
    "in a task": "@task\ndef t():\n    return datetime.now()\nwith DAG('x'):\n    t()",
    "in a task with arguments": "@task(retries=2)\ndef t():\n    return datetime.now()\nwith DAG('x'):\n    t()",
    "a task of another name": "@task\ndef t():\n    return datetime.now()\nwith DAG('x'):\n    t.override(task_id='y')()",
    "in a branch task": "@task.branch\ndef t():\n    return datetime.now()\nwith DAG('x'):\n    t()",
    "in a callable that is passed on": "def f():\n    return datetime.now()\nPythonOperator(task_id='f', python_callable=f)",
    "in a lambda": "PythonOperator(task_id='f', python_callable=lambda: datetime.now())",
    "a method of an operator": "class A:\n    def execute(self, context):\n        return Variable.get('x')\nA()",
    "in a main program": "if __name__ == '__main__':\n    print(datetime.now())",
    "for a type checker": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    X = datetime.now()",
    "an everyday file": """import json, os, logging, sys
from datetime import timedelta
from pathlib import Path
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import task_group, chain, Label, Param
log = logging.getLogger(__name__)
sys.path.append(os.path.dirname(__file__))
HERE = Path(__file__).resolve().parent
with open(HERE / 'x.json') as file:
    CONFIG = json.load(file)
ENV = os.environ.get('ENV', 'dev')
def make(name, retries=1):
    return BashOperator(task_id=f'{name}'.lower(), bash_command='x', retries=retries, retry_delay=timedelta(minutes=1))
@task
def get(x):
    return time.time()
@task_group(group_id='g')
def group(x):
    return get.override(task_id='y')(x)
with DAG('x', start_date=pendulum.datetime(2024, 1, 1, tz='UTC'), params={'a': Param(1)}) as d:
    tasks = [make(n) for n in sorted(CONFIG.get('names', []), key=len)]
    chain(*tasks)
    tasks[0] >> Label('x') >> get.partial().expand(x=[1, 2])
    group.expand(x=[1])
    log.info('drawn %s', len(tasks))
for name, value in CONFIG.items():
    globals()[name] = value
""",
    "get of a dict": "X = {}.get('a')",
}


class MomentTest(unittest.TestCase):
    """What counts, and what does not."""

    def _looks(self, *sources: str) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            for number, source in enumerate(sources):
                with open(os.path.join(folder, f"m{number}.py"), "w", encoding="utf-8") as file:
                    file.write(HEAD + source + "\n")
            return does_more_than_draw(folder)

    def test_code_that_runs_at_import(self):
        for name, source in LOOKS.items():
            with self.subTest(name):
                self.assertTrue(self._looks(source))

    def test_code_that_does_not(self):
        for name, source in DOES_NOT.items():
            with self.subTest(name):
                self.assertFalse(self._looks(source))

    def test_a_helper_in_another_file(self):
        helper = "def stamp():\n    return datetime.now()"
        self.assertTrue(self._looks("from m1 import stamp\nSTAMP = stamp()", helper))
        self.assertFalse(self._looks("from m1 import stamp\n@task\ndef t():\n    return stamp()\nwith DAG('x'):\n    t()", helper))

    def test_what_cannot_be_read_says_nothing(self):
        self.assertFalse(does_more_than_draw("/nowhere"))
        self.assertFalse(self._looks("this is no Python"))

    def test_what_was_handed_over_is_of_the_moment_and_node_is_not(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertFalse(is_of_the_moment({"root": root}))
            self.assertTrue(is_of_the_moment({"root": root, "import_secrets": {"variables": {}}}))
            self.assertFalse(is_of_the_moment({"root": root, "import_secrets": {"variables": {}}, "node": {}}))

    def test_packages_are_imported_and_nothing_of_the_project(self):
        with tempfile.TemporaryDirectory() as root:
            for name, source in {"dag.py": "import colorsys, own, missing_package, leaves\nfrom xml.dom import minidom\nif __name__ == '__main__':\n    import cgitb\ndef f():\n    import wave\n", "own.py": "raise ValueError('imported')\n"}.items():
                with open(os.path.join(root, name), "w", encoding="utf-8") as file:
                    file.write(source)
            with tempfile.TemporaryDirectory() as elsewhere, patch.dict(sys.modules), patch.object(sys, "path", [elsewhere, *sys.path]):
                with open(os.path.join(elsewhere, "leaves.py"), "w", encoding="utf-8") as file:
                    file.write("raise SystemExit(3)\n")
                for name in ("colorsys", "wave", "xml.dom.minidom"):
                    sys.modules.pop(name, None)
                import_packages({"root": root, "path": []})
                self.assertEqual([name in sys.modules for name in ("colorsys", "wave", "own", "xml.dom", "cgitb")], [True, False, False, True, False])

    def test_a_fork_draws_other_numbers_than_its_siblings(self):
        seeded = []
        numpy = SimpleNamespace(random=SimpleNamespace(seed=lambda: seeded.append(True)))
        with patch.dict(sys.modules, {"numpy": numpy}):
            draw_anew()
        self.assertEqual(seeded, [True])


if __name__ == "__main__":
    unittest.main()
