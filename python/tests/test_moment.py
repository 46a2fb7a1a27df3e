"""Tests of leoflow.run.moment: which code may be imported once for all tasks."""

import os
import sys
import tempfile
import time
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
    "everything that a module holds": "from time import *\nX = time()",
    "the clock under a known name": "max = datetime.now\nX = max()",
    "the clock as a method": "class A:\n    get = time.time\nX = A().get()",
    "the clock that map calls": "X = list(map(time.ctime, [1]))",
    "the clock that iter calls": "X = next(iter(time.time, 0))",
    "the clock that partial holds": "from functools import partial\nX = list(map(partial(time.ctime), [1]))",
    "what getattr finds": "X = list(map(getattr(datetime, 'fromtimestamp'), [0]))",
    "a variable under a name of the file": "V = Variable\nX = V.get('x')",
    "a variable in a module under another name": "import airflow.models as m\nmodels = m\nX = models.Variable.get('x')",
    "a factory of defaults": "from dataclasses import dataclass, field\n@dataclass\nclass A:\n    x: float = field(default_factory=lambda: time.time())\nA()",
    "a factory of missing values": "from collections import defaultdict\nX = defaultdict(lambda: time.time())['a']",
    "a lambda that a method calls": "X = [1]\nX.sort(key=lambda x: random.random())",
    "a function that a package calls": "import re\ndef f(match):\n    return time.ctime()\nX = re.sub('a', f, 'a')",
    "a lambda in a dict": "D = {'a': lambda: time.time()}\nX = list(map(D['a'], []))",
    "a property": "class A:\n    @property\n    def x(self):\n        return time.time()\nX = A().x",
    "a property that a task is given": "class A:\n    @property\n    def x(self):\n        return datetime.now()\nDAG('x', start_date=A().x)",
    "a descriptor": "class D:\n    def __set_name__(self, owner, name):\n        self.t = time.time()\nclass A:\n    x = D()",
    "an operator": "class A:\n    def __or__(self, other):\n        return time.time()\nX = A() | 1",
    "a format": "class A:\n    def __format__(self, spec):\n        return time.ctime()\nX = f'{A()}'",
    "a context": "class A:\n    def __enter__(self):\n        self.t = time.time()\n    def __exit__(self, *error):\n        pass\nwith A():\n    pass",
    "a DAG of its own kind": "class D(DAG):\n    def __enter__(self):\n        self.t = time.time()\n        return super().__enter__()\nwith D('x'):\n    pass",
    "a metaclass": "class M(type):\n    def __new__(m, n, b, d):\n        return super().__new__(m, n, b, {**d, 't': time.time()})\nclass A(metaclass=M):\n    pass",
    "a subclass that is noticed": "class A:\n    def __init_subclass__(cls):\n        cls.t = time.time()\nclass B(A):\n    pass",
    "a base of a package": "import requests\nclass S(requests.Session):\n    pass\nX = S()",
    "a hook of its own": "from airflow.providers.http.hooks.http import HttpHook\nclass H(HttpHook):\n    pass\nX = H()",
    "a method that the enumeration calls": "from enum import Enum, auto\nclass E(Enum):\n    def _generate_next_value_(name, *more):\n        return time.time()\n    A = auto()",
    "a decorator that wraps": "def deco(f):\n    def inner():\n        return time.time()\n    return inner\n@deco\ndef g():\n    pass\nX = g()",
    "a decorator that only is called task": "from celery import task\n@task\ndef t():\n    return time.time()\nt()",
    "what a function returns": "def outer():\n    def inner():\n        return time.time()\n    return inner\nX = outer()()",
    "an environment that changes": "import os\nos.environ['X'] = '1'",
    "a package that changes": "import json\njson.dumps = lambda value: '1'",
    "a class of Airflow that changes": "PythonOperator.execute = lambda self, context: 1",
    "an import path that changes": "import sys\nsys.path = ['x']",
    "handlers of the log": "import logging\nlogging.getLogger().handlers = []",
    "a precision": "import decimal\ndecimal.getcontext().prec = 3",
    "a file that is written": "with open(__file__ + '.log', 'a') as file:\n    print('x', file=file)",
    "a file from elsewhere": "with open('/etc/settings.json') as file:\n    X = file.read()",
    "a file whose place a variable says": "import os\nfrom pathlib import Path\nX = Path(os.environ['SETTINGS']).read_text()",
    "a path that is bound twice": "from pathlib import Path\nHERE = Path(__file__)\nHERE = Path('/etc/settings.json')\nX = HERE.read_text()",
    "whether a file is there": "import os\nX = os.path.exists('/tmp/ready')",
    "objects in a store": "from airflow.sdk import ObjectStoragePath\nX = list(ObjectStoragePath('s3://x').iterdir())",
    "YAML that calls": "import yaml\nX = yaml.unsafe_load('x')",
    "a text that leaves the day open": "X = pendulum.parse('10:00')",
    "a zone that is set": "pendulum.set_local_timezone(pendulum.timezone('UTC'))",
    "an age": "X = pendulum.datetime(2024, 1, 1).age",
    "Airflow's database": "from airflow import settings\nX = settings.Session()",
    "a mail": "from airflow.utils.email import send_email\nsend_email('a', 'b', 'c')",
    "a module of the same name as another's": "import requests\ndef f():\n    import json as requests\nX = requests.get('x')",
    "a function that is passed under the name of a built-in one": "def run(callable):\n    return callable()\nX = run(callable=time.time)",
    "a type that is returned": "def f() -> time.time():\n    pass",
    "what no main program sees": "if __name__ != '__main__':\n    X = time.time()",
    "what no type checker sees": "from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    X = time.time()",
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
with open(HERE / 'x.json', encoding='utf-8') as file:
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
    "a task of its function's name": "def get():\n    return time.time()\nget = PythonOperator(task_id='get', python_callable=get)\nget >> PythonOperator(task_id='x', python_callable=time.sleep)",
    "callbacks of all tasks": "from functools import partial\ndef tell(context, channel=None):\n    return Variable.get('x')\nARGS = {'on_failure_callback': tell, 'on_retry_callback': [partial(tell, channel='x')]}\nDAG('x', default_args=ARGS)",
    "functions for templates": "def f():\n    return time.time()\nDAG('x', user_defined_macros={'f': f, 'now': lambda: datetime.now()})",
    "a hook that a task makes": "from airflow.sdk import BaseHook, BaseOperator\nclass H(BaseHook):\n    def __init__(self):\n        self.x = self.get_connection('x')\nclass A(BaseOperator):\n    def __init__(self, **more):\n        super().__init__(**more)\n    def execute(self, context):\n        return H().get('x')\nA(task_id='a')",
    "its own environment": "import os\nX = 'A' in os.environ\nPythonOperator(task_id='x', python_callable=print, op_kwargs={**os.environ, 'b': os.environ['B']})",
    "a class of records": "from dataclasses import dataclass, field\n@dataclass\nclass A:\n    x: list = field(default_factory=list)\n    @classmethod\n    def make(cls):\n        return cls()\nA.make()",
    "a type of a package": "import requests\ndef f(session: requests.Session) -> requests.Response:\n    pass",
    "files beside it": "import os\nfrom pathlib import Path\ndef load(name):\n    with (Path(__file__).parent / name).open(encoding='utf-8') as file:\n        return file.read()\nfor path in sorted((Path(__file__).parent / 'sql').glob('*.sql')):\n    globals()[path.stem] = path.read_text() + load('x.sql')",
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

    def test_what_another_file_passes_on(self):
        for name, source, helper in [
            ("a package", "from m1 import client\nX = client.get('x')", "from foo import client"),
            ("a package under another name", "from m1 import client as c\nX = c.get('x')", "from foo import client"),
            ("a package in a module", "import m1\nX = m1.client.get('x')", "from foo import client"),
            ("a package of a module's name", "import m1\nX = m1.get('x')", "X = 1"),
            ("a function under another name", "from m1 import stamp as join\nX = join()", "def stamp():\n    return datetime.now()"),
            ("all that it holds", "from m1 import *\nX = max()", "from time import time as max"),
            ("what it makes when it is asked", "import m1\nX = m1.stamp", "import time\ndef __getattr__(name):\n    return time.time()"),
        ]:
            with self.subTest(name):
                self.assertTrue(self._looks(source, helper))

    def test_a_long_chain_of_paths_is_judged_at_once(self):
        lines = [f"V{number + 1} = V{number} + 'x'" for number in reversed(range(3000))]
        started = time.monotonic()
        self.assertFalse(self._looks("V0 = __file__\n" + "\n".join(lines) + "\nwith open(V3000) as file:\n    X = file.read()"))
        self.assertLess(time.monotonic() - started, 20)

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
