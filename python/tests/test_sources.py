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


class ParsingTest(unittest.TestCase):
    """In a process of its own: a parser hears of files once."""

    def parse(self, files: dict[str, str], *more: str, file: str = "d.py", given: str = "") -> dict:
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as out:
                    out.write(text)
            done = subprocess.run([sys.executable, "-m", "leoflow.parse", file, "--root", root, *more], input=given, capture_output=True, text=True, check=True, cwd=os.path.dirname(os.path.dirname(__file__)))
            return json.loads(done.stdout)


class SourcesTest(ParsingTest):
    """What is imported and what is read."""

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

    def test_what_has_the_name_of_a_secret_stays_though_it_is_read_at_import(self) -> None:
        keys = ("conf/.env", "conf/.netrc", "conf/prod.env", "conf/credentials", "conf/service-account.json", "conf/tls.key")
        document = self.parse({"d.py": f"from airflow.sdk import DAG\nfor name in {keys!r}:\n    open(name.replace('conf', __file__[:-4] + 'conf')).close()\nopen(__file__[:-4] + 'conf/tls.key')\nd = DAG('d')\n", **dict.fromkeys(keys, "x")})
        self.assertEqual([source["path"] for source in document["dags"][0]["sources"]], ["d.py"])
        self.assertEqual(sorted(one["path"] for one in document["left_out"]), sorted(keys))

    def test_templates_that_templates_name(self) -> None:
        document = self.parse({
            "dags/d.py": "from airflow.providers.standard.operators.bash import BashOperator\nfrom airflow.sdk import DAG\nwith DAG('d'):\n"
            "    BashOperator(task_id='a', bash_command='a.sh')\n    BashOperator(task_id='b', bash_command='{% include \"b.sh\" %} x')\n",
            "dags/a.sh": "{% extends 'parts/base.sh' %}{%- import \"macros.jinja\" as m -%}{% from 'more.jinja' import one %}{{ 'unused.sh' }}", "dags/parts/base.sh": "{% include 'a.sh' %}", "dags/macros.jinja": "", "dags/more.jinja": "",
            "dags/b.sh": "{% include ['missing.sh', 'c.sh'] ignore missing %}", "dags/c.sh": "", "dags/unused.sh": "",
        }, file="dags/d.py")
        self.assertEqual([source["path"] for source in document["dags"][0]["sources"]], ["dags/d.py", *(f"dags/{name}" for name in ("a.sh", "b.sh", "c.sh", "macros.jinja", "more.jinja", "parts/base.sh"))])

    def test_resources_of_packages_and_modules_of_scripts(self) -> None:
        document = self.parse({
            "dags/d.py": "import os\nimport pkgutil\nfrom importlib import resources\nfrom airflow.providers.standard.operators.bash import BashOperator\nfrom airflow.sdk import DAG, task\nwith DAG('d'):\n"
            "    BashOperator(task_id='a', bash_command=f'python {os.path.dirname(__file__)}/scripts/run.py --fast')\n    @task\n    def t():\n        import own.data\n        resources.files('own').joinpath('q.sql').read_text()\n"
            "        (resources.files(own.data) / 'r.sql').read_text()\n        pkgutil.get_data('own.data', 's.sql')\n        resources.files('json') / 'x.sql'\n    t()\n",
            "dags/scripts/run.py": "import helper\nimport common", "dags/scripts/helper.py": "import common", "dags/scripts/other.py": "", "common.py": "",
            "own/__init__.py": "", "own/q.sql": "", "own/unused.sql": "", "own/data/__init__.py": "", "own/data/r.sql": "", "own/data/s.sql": "",
        }, file="dags/d.py")
        self.assertEqual([source["path"] for source in document["dags"][0]["sources"]], [
            "dags/d.py", "own/__init__.py", "own/data/__init__.py", "common.py", "dags/scripts/helper.py", "dags/scripts/run.py", "own/data/r.sql", "own/data/s.sql", "own/q.sql"])


class TemplateFilesTest(ParsingTest):
    """What templates are read from, and what these name themselves."""

    def sources(self, given: str, files: dict[str, str], operator: str = "BashOperator") -> list[str]:
        dag = f'from airflow.sdk import DAG\nfrom airflow.operators.bash import BashOperator\nfrom airflow.operators.python import PythonOperator\nwith DAG("d", template_searchpath="sql"):\n    {operator}(task_id="t", {given})\n'
        (found,) = self.parse({"d.py": dag, **files})["dags"]
        return [source["path"] for source in found["sources"]][1:]

    def test_templates_of_a_template(self) -> None:
        files = {
            "sql/load.sh": "{%- include 'parts/tail.sh' -%}\n{% from \"m.jinja\" import one with context %}{% extends 'none.sh' %} 'no.sh'", "sql/no.sh": "", "sql/other.sh": "",
            "sql/parts/tail.sh": "{% include ['none.sh', 'load.sh', 'one.sh'] ignore missing %}", "sql/m.jinja": "{# #}", "sql/one.sh": "",
        }
        self.assertEqual(self.sources('bash_command="load.sh"', files), ["sql/load.sh", "sql/m.jinja", "sql/one.sh", "sql/parts/tail.sh"])

    def test_templates_of_a_text(self) -> None:
        self.assertEqual(self.sources('bash_command="{% import \'m.jinja\' as m %}{{ m.x() }}"', {"sql/m.jinja": ""}), ["sql/m.jinja"])

    def test_values_of_a_mapping(self) -> None:
        given = 'python_callable=print, templates_dict={"q": ["load.sql"]}, templates_exts=[".sql"]'
        self.assertEqual(self.sources(given, {"sql/load.sql": ""}, "PythonOperator"), ["sql/load.sql"])


def importing(*lines: str) -> str:
    """A DAG file with a task of these lines."""
    return "".join(["import importlib\nfrom airflow.sdk import DAG, task\nwith DAG('d'):\n    @task\n    def t(x):\n", *(f"        {line}\n" for line in lines), "    t('a')\n"])


class LaterImportsTest(ParsingTest):
    """What only functions import travels too, and is not run for it."""

    def paths(self, files: dict[str, str], *more: str) -> list[str]:
        document = self.parse(files, *more)
        self.assertEqual(document["errors"], [])
        (dag,) = document["dags"]
        paths = [source["path"] for source in dag["sources"]]
        self.assertEqual(document["modules"], [path for path in paths if path != "d.py"])
        return paths

    def test_modules_and_packages(self) -> None:
        never = "raise RuntimeError('run')\n"
        self.assertEqual(self.paths({
            "d.py": importing("from helpers import f", "import pk.sub.m", "from space import one", "import json, nobody_has_this"),
            "helpers.py": f"{never}def f():\n    import deeper\n", "deeper.py": "class A:\n    def m(self):\n        from deepest import x\n", "deepest.py": "broken(",
            "pk/__init__.py": never, "pk/sub/__init__.py": never, "pk/sub/m.py": "def g():\n    import from_pk\n", "pk/rest.py": "def g():\n    import from_rest\n", "from_pk.py": "", "from_rest.py": "",
            "space/one.py": "", "space/two.py": "", "unused.py": "", "other/__init__.py": "",
        }), ["d.py", "deeper.py", "deepest.py", "from_pk.py", "from_rest.py", "helpers.py", "pk/__init__.py", "pk/rest.py", "pk/sub/__init__.py", "pk/sub/m.py", "space/one.py", "space/two.py"])

    def test_relative_imports_of_a_package_that_is_too_large_to_travel_whole(self) -> None:
        self.assertEqual(self.paths({
            "d.py": "import pk.sub.m\n" + importing("pass"), "pk/__init__.py": "", "pk/sub/__init__.py": "",
            "pk/sub/m.py": "def g():\n    from . import near\n    from .beside import x\n    from ..above import deep\n    from .... import outside\n",
            "pk/sub/near.py": "", "pk/sub/beside.py": "", "pk/above/__init__.py": "", "pk/above/deep.py": "", **{f"pk/many/n{number}.py": "" for number in range(1_000)},
        }), ["d.py", "pk/__init__.py", "pk/above/__init__.py", "pk/above/deep.py", "pk/sub/__init__.py", "pk/sub/beside.py", "pk/sub/m.py", "pk/sub/near.py"])

    def test_names_that_are_put_together(self) -> None:
        files = {"jobs/__init__.py": "", "jobs/a.py": "", "jobs/b.py": "", "one.py": "", "two.py": "", "three.py": "", "jobs2/a.py": "", "jobs2/__init__.py": ""}
        self.assertEqual(self.paths({**files, "d.py": importing('importlib.import_module("one")', "NAME = 'two'", "importlib.import_module(NAME)", "__import__('three')", "importlib.import_module(x)")}), ["d.py", "one.py", "three.py", "two.py"])
        for line in ('importlib.import_module(f"jobs.{x}")', 'importlib.import_module("jobs." + x)', 'importlib.import_module("jobs.a")', 'importlib.import_module(f".{x}", package="jobs")', "from airflow.utils.module_loading import import_string as s; importlib.import_module('jobs.%s' % x)"):
            self.assertEqual(self.paths({**files, "d.py": importing(line)}), ["d.py", "jobs/__init__.py", "jobs/a.py", "jobs/b.py"], line)

    def test_odd_names_and_endless_expressions_name_nothing(self) -> None:
        odd = ("'../one'", "'nul\\0'", "'\\ud800'", "''", "'.'", "f'{x}'", "x")
        for line in (*(f"importlib.import_module({name})" for name in odd), f"importlib.import_module({' + '.join(['x'] * 900)})"):
            self.assertEqual(self.paths({"one.py": "", "d.py": importing(line)}), ["d.py"], line[:60])

    def test_folders_that_are_imported_from(self) -> None:
        files = {"d.py": importing("import own", "from lib_module import x", "import shared.two"), "lib/lib_module.py": "", "lib/shared/two.py": "", "shared/one.txt": "", "own.py": "", "lib/own.py": ""}
        self.assertEqual(self.paths(files, "--path", "lib"), ["d.py", "lib/lib_module.py", "lib/shared/two.py", "own.py"])
        self.assertEqual(self.paths({"d.py": importing("import near, far"), "far/x.txt": "", "near/x.py": ""}), ["d.py"])

    def test_installed_packages_stay(self) -> None:
        self.assertEqual(self.paths({
            "d.py": "import sys, os\nsys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'env/lib/site-packages'))\n" + importing("import installed, env.tool", 'importlib.import_module(f"env.{x}")', "import link, airflow.models"),
            "env/pyvenv.cfg": "", "env/tool.py": "", "env/lib/site-packages/installed.py": "", "airflow/__init__.py": "", "airflow/models.py": "", ".hidden/x.py": "",
        }), ["d.py"])

    def test_functions_of_a_drawing(self) -> None:
        drawing = [{"dag_id": "d", "tasks": {"a": {"python": "f.py#f"}}}]
        document = self.parse({"d.py": "", "d.yaml": "", "f.py": "def f():\n    import helpers\n", "helpers.py": "import deeper\n", "deeper.py": ""}, "--drawing", file="d.yaml", given=json.dumps(drawing))
        self.assertEqual((document["errors"], document["modules"]), ([], ["deeper.py", "f.py", "helpers.py"]))
