"""What DAG files import, when, and who has it: `leoflow.assess`."""

import os
import tempfile
import unittest

from leoflow.assess.__main__ import Assessor


class Project(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def write(self, path, text):
        file = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "wb") as out:
            out.write(text if isinstance(text, bytes) else text.encode())

    def assess(self, text, **modules):
        self.write("d.py", text)
        for name, content in modules.items():
            self.write(name.replace("__", "/") + ".py", content)
        return Assessor(self.root, []).assess("d.py")


class Needs(Project):
    def needs(self, text, **modules):
        return [(one["needs"], one["what"], one["late"]) for one in self.assess(text, **modules)["needs"]]

    def test_who_has_what(self):
        found = self.needs("import os\nimport pandas_of_nobody.x\nfrom airflow.sdk import DAG\nfrom airflow.models import DagModel\n"
                           "from airflow.providers.cncf.kubernetes.operators.pod import X\nfrom airflow.providers.google.cloud.hooks.gcs import Y\nimport airflow.contrib.hooks\n")
        self.assertEqual(found, [
            ("package", "pandas_of_nobody", False), ("sdk", "airflow.models.DagModel", False), ("sdk", "apache-airflow-providers-cncf-kubernetes", False),
            ("sdk", "apache-airflow-providers-google", False), ("removed", "airflow.contrib.hooks", False),
        ])

    def test_of_a_provider_that_is_covered_in_part_the_name_is_told(self):
        self.assertEqual(self.needs("from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator\n"), [("sdk", "airflow.providers.standard.operators.trigger_dagrun.TriggerDagRunOperator", False)])

    def test_what_functions_import_comes_later(self):
        self.assertEqual(self.needs("def f():\n    import nobody_a\nclass C:\n    import nobody_b\nf = lambda: __import__('x')\n"), [("package", "nobody_a", True), ("package", "nobody_b", False)])
        self.assertEqual(self.needs("def f():\n    import nobody_a\nimport nobody_a\n"), [("package", "nobody_a", False)])

    def test_modules_of_the_project_are_read_too(self):
        self.assertEqual(self.needs("def f():\n    from lib import util\n", lib__util="import nobody_a\n"), [("package", "nobody_a", True)])
        self.assertEqual(self.needs("from lib import util\n", lib__util="from . import other\nfrom .other import z\n", lib__other="import nobody_b\n"), [("package", "nobody_b", False)])
        self.assertEqual(self.needs("from lib.sub import one\n", lib__sub__one="from ..up import x\n", lib__up="import nobody_c\n"), [("package", "nobody_c", False)])

    def test_modules_that_import_each_other_end(self):
        self.assertEqual(self.needs("import a\n", a="import b\nimport nobody_a\n", b="import a\nimport d\n"), [("package", "nobody_a", False)])

    def test_of_an_alternative_only_the_side_that_is_taken(self):
        both = "try:\n    from airflow.sdk import DAG\nexcept ImportError:\n    from airflow.contrib import DAG\n"
        self.assertEqual(self.needs(both), [])
        self.assertEqual(self.needs("try:\n    import nobody_a\nexcept (ImportError, KeyError):\n    nobody_a = None\n"), [])
        self.assertEqual(self.needs("try:\n    import nobody_a\nexcept ModuleNotFoundError:\n    import nobody_b\n"), [("package", "nobody_b", False)])
        self.assertEqual(self.needs("try:\n    import nobody_a\nexcept ImportError:\n    raise RuntimeError('no a')\n"), [("package", "nobody_a", False)])
        self.assertEqual(self.needs("try:\n    import nobody_a\nexcept KeyError:\n    pass\n"), [("package", "nobody_a", False)])

    def test_types_are_not_needed(self):
        self.assertEqual(self.needs("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nobody_a\nelse:\n    import nobody_b\n"), [("package", "nobody_b", False)])

    def test_attributes_of_airflow_are_imports_too(self):
        self.assertEqual(self.needs("import airflow\nimport airflow.models\nairflow.models.DagModel.get_current('x')\nairflow.DAG('x').y\nairflow.__version__\n"), [("sdk", "airflow.models.DagModel", False)])
        self.assertEqual(self.needs("import airflow.utils.timezone as t\nt.utcnow().year\n"), [])

    def test_names_are_no_modules(self):
        self.assertEqual(self.needs("from airflow.decorators import task\nfrom airflow.utils import timezone\n@task.branch\ndef f(): return timezone.utc.x\n"), [])

    def test_a_star_names_the_module(self):
        self.assertEqual(self.needs("from airflow.operators.subdag import *\nfrom airflow.models import *\nimport airflow.operators.bash_operator\n"), [("removed", "airflow.operators.subdag", False), ("removed", "airflow.operators.bash_operator", False)])

    def test_arguments_that_dag_lost(self):
        found = self.assess("from airflow import DAG\nfrom airflow.decorators import dag as d\nDAG('a', schedule=None)\n@d(\n    schedule_interval=None)\ndef f(): pass\nprint(concurrency=1)\n")["needs"]
        self.assertEqual([(one["name"], one["line"], one["late"]) for one in found], [("the argument schedule_interval of DAG", 5, False)])

    def test_the_same_of_a_module(self):
        self.assertEqual(self.needs("import airflow\nimport airflow.sdk as a\nfrom airflow import models\nairflow.DAG('x', schedule_interval=None)\na.DAG('y', concurrency=1)\nmodels.DAG('z', fail_stop=1)\n"), [("removed", "schedule_interval", False), ("removed", "concurrency", False), ("removed", "fail_stop", False)])

    def test_variables_that_are_read_at_import(self):
        found = self.needs("from airflow.models import Variable as V\nV.get('a')\nV.get('b', default_var=1)\nV.get('c', None)\nV.get(x)\ndef f(): V.get('d')\n{}.get('e')\n")
        self.assertEqual(found, [("variable", "a", False), ("variable", "d", True)])

    def test_context_that_our_runtime_has_not(self):
        self.assertEqual(self.needs("def f(*, outlet_events, **context):\n    context['inlet_events']\n"), [("context", "outlet_events", False), ("context", "inlet_events", True)])

    def test_encodings_are_those_of_python(self):
        self.assertEqual(self.needs("# coding: latin-1\nimport nobody_a\nx = 'é'\n".encode("latin-1")), [("package", "nobody_a", False)])
        self.assertEqual(self.needs(b"\xef\xbb\xbfimport nobody_a\n"), [("package", "nobody_a", False)])
        self.assertIn("broken", self.assess("x = 'é'\n".encode("latin-1")))
        self.assertIn("broken", self.assess(b"x = '\0'\n"))
        self.assertIn("broken", self.assess("x = " + "(" * 5000))
        self.assertEqual(self.assess("import os\nx = (\n")["broken"]["line"], 2)


class Definitions(Project):
    def defines_only(self, text):
        return self.assess(text)["definesOnly"]

    def test_functions_for_other_files(self):
        self.assertTrue(self.defines_only(
            "'''Helpers for our Airflow DAGs.'''\nimport logging\nfrom airflow.decorators import task\nfrom airflow.models import DAG, Variable\nimport nobody_a as n\n"
            "log = logging.getLogger(__name__)\nKEY = Variable.get('x')\nNAME: str = ' '.join(['a'])\n@task\ndef f(dag): n.g()\nclass C(n.D):\n    a = 1\n"
            "def make(): return DAG('x')\ntry:\n    import q\nexcept ImportError:\n    q = None\nif __name__ == '__main__':\n    print(1)\n"))

    def test_what_may_make_a_dag(self):
        for text in ("from airflow.sdk import asset\n@asset(schedule=None)\ndef f(): pass\n", "from x import made\n@made\ndef f(): pass\n", "from airflow import DAG\nd = DAG('x')\n", "from airflow import DAG\nwith DAG('x'): pass\n", "from airflow.decorators import dag\n@dag\ndef f(): pass\n", "import factory\nfactory.build()\n",
                     "from factory import build\nd = build()\n", "from other import my_dag\n", "from other import *\n", "for x in y: pass\n", "def make(): pass\nx = make()\n", "globals()['d'] = 1; exec('x')\n"):
            self.assertFalse(self.defines_only(text), text)


if __name__ == "__main__":
    unittest.main()
