"""Data files that only tasks open: which names in the code make them travel, which do not, and where the limits are."""

from __future__ import annotations

import os
import tempfile
import unittest
from unittest import mock

from leoflow.parse import named_files
from leoflow.parse.named_files import NamedFiles, find_named_files

#: One project for all cases; `dags/d.py` is the DAG file.
FILES = {
    "dags/sql/load.sql": "", "dags/sql/sub/deep.sql": "", "dags/sql/.hidden.sql": "", "dags/sql/__pycache__/x.pyc": "", "dags/data/cities.csv": "", "dags/load": "", "dags/d.sql": "",
    "config/x.yaml": "", "include/paths.py": "", "include/near.json": "", "raw/one.txt": "", "airflow.cfg": "", ".env": "", "dags/venv/pyvenv.cfg": "", "dags/venv/lib.txt": "",
}
HEAD = "import os\nfrom pathlib import Path\nHERE = os.path.dirname(os.path.abspath(__file__))\n"
SQL = ["dags/sql/load.sql", "dags/sql/sub/deep.sql"]

#: What a line of the DAG file makes travel.
CASES = (
    ('open(os.path.join(os.path.dirname(__file__), "sql", "load.sql"))', SQL[:1]),
    ('open(os.path.join(HERE, "sql/load.sql"))', SQL[:1]),
    ('(Path(__file__).parent / "sql" / "load.sql").read_text()', SQL[:1]),
    ('(Path(__file__).resolve().parents[1] / "config" / "x.yaml").read_text()', ["config/x.yaml"]),
    ('Path(__file__).parent.joinpath("..", "config", "x.yaml").open()', ["config/x.yaml"]),
    ('read_csv(f"{HERE}/data/cities.csv")', ["dags/data/cities.csv"]),
    ('read_csv(HERE + "/data/cities.csv")', ["dags/data/cities.csv"]),
    ('read_csv("{}/data/cities.csv".format(HERE))', ["dags/data/cities.csv"]),
    ('read_csv("{here}/data/{0}".format("cities.csv", here=HERE))', ["dags/data/cities.csv"]),
    ('open(__file__.replace(".py", ".sql"))', ["dags/d.sql"]),
    ('open(Path(__file__).with_suffix(".sql"))', ["dags/d.sql"]),
    ('open(Path(__file__).with_name("d.sql"))', ["dags/d.sql"]),
    # From the source's folder, and from the project's.
    ('run("sql/load.sql")', SQL[:1]),
    ('run("./sql/load.sql")', SQL[:1]),
    ('run("config/x.yaml")', ["config/x.yaml"]),
    ('run("d.sql")', ["dags/d.sql"]),
    ('open("load")', ["dags/load"]),
    # The start is not known, its end is.
    ('open(os.path.join(somewhere(), "config", "x.yaml"))', ["config/x.yaml"]),
    ('open(f"{somewhere()}/sql/load.sql")', SQL[:1]),
    ('open(os.path.join(conf.get("core", "dags_folder"), "dags", "sql", name))', SQL),
    # Folders that are used as one.
    ('[open(os.path.join(HERE, "sql", name)) for name in names]', SQL),
    ('[(Path(__file__).parent / "sql" / name) for name in names]', SQL),
    ('open(f"{HERE}/sql/{name}.sql")', SQL),
    ('DAG("x", template_searchpath=[f"{HERE}/sql"])', SQL),
    ('Path("sql").glob("*.sql")', SQL[:1]),
    ('run("raw/")', ["raw/one.txt"]),
    # A folder that has a name counts as what is joined from it, unless others may use it.
    ('SQL = Path(__file__).parent / "sql"\nopen(SQL / "load.sql")', SQL[:1]),
    ('SQL = Path(__file__).parent / "sql"\nopen(SQL / name)', SQL),
    ('SQL = Path(__file__).parent / "sql"', SQL),
    ('for SQL in (HERE + "/data", HERE + "/sql"): use(SQL)', ["dags/data/cities.csv", *SQL]),
    ('os.listdir("sql")', SQL), ('for x in os.walk("sql"): pass', SQL), ('Path(HERE, "sql").rglob("*.sql")', SQL), ('glob.glob(HERE + "/sql/**/*.sql", recursive=True)', SQL),
    # Patterns of files.
    ('glob.glob(os.path.join(HERE, "sql", "*.sql"))', SQL[:1]), ('Path(__file__).parent.glob("*.sql")', ["dags/d.sql"]), ('glob(f"{HERE}/*/c*.csv")', ["dags/data/cities.csv"]), ('Path(HERE).rglob("*.sql")', []), ('glob.glob("*.sql")', []),
    # Commands.
    ('BashOperator(bash_command=f"cat {HERE}/sql/load.sql --into x; wc {HERE}/d.sql")', [SQL[0], "dags/d.sql"][::-1]), ('run("cat " + os.path.join(HERE, "d.sql"))', ["dags/d.sql"]), ('run(f"cat \'{HERE}/d.sql\' --day {day}")', ["dags/d.sql"]),
    ('run("cat %s/d.sql > %s" % (HERE, name))', ["dags/d.sql"]), ('read_csv("%s/data/cities.csv" % HERE)', ["dags/data/cities.csv"]), ('x % 3', []), ('run("%d%%" % 3)', []),
    # Words that only look like a name.
    ('task(task_id="data")', []), ('task(task_id="load")', []), ('bucket = "raw"', []), ('run("sql")', []), ('run("")', []), ('run(".")', []), ('run("./")', []), ('run("/")', []), ('run("..")', []),
    ('"""sql/load.sql"""', []), ('run("s3://dags/sql/load.sql")', []), ('run("*.sql")', []), ('x = 4 / 2', []), ('run("data/nowhere.csv")', []),
    ('open(os.path.join(somewhere(), "data"))', []), ('open(os.path.join("/tmp", "sql", "load.sql"))', []), ('os.path.join(HERE, "/sql/load.sql")', []),
    # The folders on the way down to the code are nobody's data.
    ('sys.path.append(HERE)', []), ('sys.path.append(os.path.dirname(HERE))', []), ('Path(__file__).parent.parent / "dags"', []), ('open(os.path.join(HERE, name))', []), ('open(f"{HERE}/data_{name}")', []),
    # What the code makes is none of what it finds.
    ('open(os.path.join(HERE, "sql", "load.sql"), "w")', []), ('open(HERE + "/d.sql", mode="ab")', []), ('(Path(HERE) / "d.sql").write_text("x")', []), ('frame.to_csv(f"{HERE}/data/cities.csv")', []),
    ('OUT = Path(HERE, "data")\nOUT.mkdir(exist_ok=True)\nopen(OUT / "cities.csv")', []), ('(Path(HERE) / "d.sql").open("w")', []), ('(Path(HERE) / "d.sql").open()', ["dags/d.sql"]),
    ('open(os.path.join(HERE, name), "w")\nopen(HERE + "/d.sql")', ["dags/d.sql"]),
    ('open(os.path.join(HERE, "sql", name), "w")\nopen(os.path.join(HERE, "sql", name))\nopen(HERE + "/sql/load.sql")', SQL[:1]),
    # What never travels.
    ('open("airflow.cfg")', []), ('run("dags/venv/")', []),
)


def write(root: str, files: dict[str, str]) -> None:
    """Files of a project."""
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


class NamedFilesTest(unittest.TestCase):
    """Against one project in a folder of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        write(self.root, FILES)

    def find(self, code: str, modules: tuple[str, ...] = (), **more: object) -> NamedFiles:
        write(self.root, {"dags/d.py": HEAD + code + "\n"})
        return find_named_files(self.root, "dags/d.py", modules, **more)

    def test_what_each_line_names(self) -> None:
        for code, expected in CASES:
            with self.subTest(code):
                found = self.find(code)
                self.assertEqual(found.files, expected)
                self.assertEqual(found.left_out, [])

    def test_modules_name_files_from_where_they_lie_and_folders_for_others(self) -> None:
        write(self.root, {"include/paths.py": HEAD + 'NEAR = os.path.join(HERE, "near.json")\nSQL = os.path.join(HERE, "..", "dags", "sql")\nopen(SQL + "/load.sql")\n'})
        self.assertEqual(self.find("", ("include/paths.py",)).files, [SQL[0], "include/near.json"])
        self.assertEqual(self.find("from include.paths import SQL\n", ("include/paths.py",)).files, [*SQL, "include/near.json"])
        self.assertEqual(self.find("import include.paths as p\np.SQL\n", ("include/paths.py",)).files, [*SQL, "include/near.json"])

    def test_a_module_that_cannot_be_read_names_nothing(self) -> None:
        write(self.root, {"include/paths.py": "def broken(:\n", "include/deep.py": f"x = {'(' * 90}1{')' * 90}\ny = " + " + ".join(["'a'"] * 3000) + "\n"})
        self.assertEqual(self.find('open("d.sql")', ("include/paths.py", "include/deep.py", "include/gone.py", "config/x.yaml")).files, ["dags/d.sql"])

    def test_texts_of_a_drawing_name_files(self) -> None:
        self.assertEqual(find_named_files(self.root, "dags/d.yaml", (), ["sql/load.sql", "config/x.yaml", "data", "sql", "SELECT 1"]).files, ["config/x.yaml", SQL[0]])

    def test_unrelated_files_change_nothing(self) -> None:
        before = self.find('open(os.path.join(HERE, "sql", "load.sql"))')
        write(self.root, {"dags/sql/other.sql": "", "dags/data/more.csv": "", "new/file.txt": ""})
        self.assertEqual(self.find('open(os.path.join(HERE, "sql", "load.sql"))'), before)

    def test_what_is_too_large_is_left_out_with_its_place(self) -> None:
        write(self.root, {"dags/data/big.csv": "x" * 1_000_001, "dags/data/fits.csv": "x" * 1_000_000})
        found = self.find('open(HERE + "/data/big.csv")\nfor name in names: open(f"{HERE}/data/{name}")')
        self.assertEqual(found.files, ["dags/data/cities.csv", "dags/data/fits.csv"])
        self.assertEqual([(one["path"], one["file"], one["line"]) for one in found.left_out], [("dags/data/big.csv", "dags/d.py", 4), ("dags/data/big.csv", "dags/d.py", 5)])
        self.assertIn("1.0 MB", found.left_out[0]["why"])

    def test_a_folder_that_holds_too_much_is_left_out_whole(self) -> None:
        code = 'for name in names: open(f"{HERE}/sql/{name}")\nopen(HERE + "/d.sql")'
        for limit in ({"MAX_FILES": 2}, {"MAX_BYTES": 1}):
            with self.subTest(limit), mock.patch.multiple(named_files, **limit):
                write(self.root, {"dags/sql/load.sql": "two"})
                found = self.find(code)
                self.assertEqual(found.files, ["dags/d.sql"])
                self.assertEqual([(one["path"], one["line"]) for one in found.left_out], [("dags/sql/", 4)])

    def test_what_lies_elsewhere_is_told_when_it_is_there(self) -> None:
        found = find_named_files(os.path.join(self.root, "dags"), self._inner('open(os.path.join(HERE, "..", "config", "x.yaml"))\nopen(os.path.join(HERE, "..", "config", "gone.yaml"))\nPath(__file__).parent.parent / "raw"\n'), ())
        self.assertEqual(([one["path"] for one in found.left_out], found.files), (["../config/x.yaml", "../raw/"], []))

    def _inner(self, code: str) -> str:
        write(self.root, {"dags/d.py": HEAD + code})
        return "d.py"

    def test_hidden_files_and_links_out_of_the_project_are_told(self) -> None:
        os.symlink(os.path.realpath(__file__), os.path.join(self.root, "dags", "link.txt"))
        found = self.find('open(os.path.join(HERE, "..", ".env"))\nopen(HERE + "/link.txt")')
        self.assertEqual((found.files, [one["path"] for one in found.left_out]), ([], [".env", "dags/link.txt"]))

    def test_what_has_the_name_of_a_secret_is_told_and_stays(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            root = os.path.realpath(root)
            for path in ("d.py", "keys/id_rsa", "keys/tls.key", "keys/plain.txt", "conf/service-account.json"):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write("import os\nHERE = os.path.dirname(__file__)\nopen(HERE + '/conf/service-account.json')\nos.listdir(HERE + '/keys')\n" if path == "d.py" else "x")
            found = find_named_files(root, "d.py", ["d.py"])
        self.assertEqual((found.files, sorted(one["path"] for one in found.left_out)), (["keys/plain.txt"], ["conf/service-account.json", "keys/id_rsa", "keys/tls.key"]))

    def test_what_may_come_is_awaited(self) -> None:
        found = self.find('open(HERE + "/sql/new.sql")\nopen(f"{HERE}/later/{name}")\nopen(f"{HERE}/data/{name}")\nrun("sql/soon.sql", "No. 1", "Variable.get x")\nglob.glob(HERE + "/raw/*.x")')
        self.assertEqual(found.awaited, ["dags/data/", "dags/later/", "dags/raw/", "dags/sql/new.sql", "dags/sql/soon.sql", "sql/soon.sql"])


if __name__ == "__main__":
    unittest.main()
