"""The static guard of the XCom probe: the probe passes, and each of its mutants, broken in one place of the syntax tree, is refused."""

from __future__ import annotations

import ast
import unittest
from typing import Callable

from python.tests import xcom_guard
from python.tests.xcom_probe import read_probe

Mutation = Callable[[ast.Module], int]

PROBE = read_probe()
LINES = PROBE.splitlines()


def statement(key: str, change: Callable[[str], str]) -> Mutation:
    """Changes the text of one statement."""

    def mutate(tree: ast.Module) -> int:
        changed = 0
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                for name, value in zip(node.keys, node.values):
                    if isinstance(name, ast.Constant) and name.value == key and isinstance(value, ast.Constant) and change(value.value) != value.value:
                        value.value = change(value.value)
                        changed += 1
        return changed
    return mutate


def statement_made(key: str, expression: str) -> Mutation:
    """Puts an expression where the text of a statement is; OLD in it is that text."""

    def mutate(tree: ast.Module) -> int:
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                for at, name in enumerate(node.keys):
                    if isinstance(name, ast.Constant) and name.value == key:
                        node.values[at] = ast.parse(expression.replace("OLD", ast.unparse(node.values[at])), mode="eval").body
                        return 1
        return 0
    return mutate


def swap(old: str, new: str) -> Mutation:
    """Puts one expression in another's place, wherever it stands."""
    kind, wanted = type(ast.parse(old, mode="eval").body), ast.dump(ast.parse(old, mode="eval").body)

    class Swap(ast.NodeTransformer):
        changed = 0

        def visit(self, node: ast.AST) -> ast.AST:
            if type(node) is kind and ast.dump(node) == wanted:
                self.changed += 1
                return ast.parse(new, mode="eval").body
            return self.generic_visit(node)

    def mutate(tree: ast.Module) -> int:
        swapper = Swap()
        swapper.visit(tree)
        return swapper.changed
    return mutate


def lines(before: str, new: str) -> Mutation:
    """Puts statements before the one that begins with a text; `new` may be empty, then that one is taken out."""

    def mutate(tree: ast.Module) -> int:
        changed = 0
        for node in ast.walk(tree):
            for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
                for at, inner in enumerate(body if isinstance(body, list) else []):
                    if isinstance(inner, ast.stmt) and LINES[inner.lineno - 1].startswith(before, inner.col_offset):
                        body[at:at + 1] = [*ast.parse(new).body, inner] if new else [ast.Pass()]
                        changed += 1
                        break
        return changed
    return mutate


VALUES = "values 2.3"
ASK = "cursor.execute(placed(STATEMENTS[name], self.style), bound)"
SEEN = "self.sent.append(STATEMENTS[name])"
MUTANTS: dict[str, Mutation] = {
    "an UPDATE": statement(VALUES, lambda _: "UPDATE xcom SET value = NULL"),
    "an INSERT": statement("dags", lambda _: "INSERT INTO dag (dag_id) VALUES (:dag_id)"),
    "a DELETE": statement("archived", lambda _: "DELETE FROM _xcom_archive"),
    "a write behind a WITH": statement("dags", lambda _: "WITH gone AS (DELETE FROM dag RETURNING dag_id) SELECT dag_id FROM gone"),
    "a write in a subselect": statement("dags", lambda sql: sql.replace("FROM dag g", "FROM (UPDATE dag SET is_paused = true RETURNING dag_id) g")),
    "a second statement": statement("dags", lambda sql: sql + "; SELECT 1"),
    "a COPY": statement("dags", lambda _: "COPY dag TO PROGRAM 'cat'"),
    "SELECT INTO": statement("dags", lambda sql: sql.replace("FROM dag g", "INTO taken FROM dag g")),
    "FOR UPDATE": statement(VALUES, lambda sql: sql + " FOR UPDATE"),
    "FOR SHARE in small letters": statement(VALUES, lambda sql: sql + " for share"),
    "a function that acts": statement("dags", lambda sql: sql.replace("g.dag_id FROM", "pg_terminate_backend(1) FROM")),
    "a function of files": statement("dags", lambda sql: sql.replace("g.dag_id FROM", "pg_read_file('/etc/passwd') FROM")),
    "nextval": statement("dags", lambda sql: sql.replace("g.dag_id FROM", "nextval ('s') FROM")),
    "set_config of the read-only mode": statement("bounds", lambda sql: sql.replace("'lock_timeout'", "'transaction_read_only'")),
    "set_config beyond the transaction": statement("bounds", lambda sql: sql.replace(":timeout, true", ":timeout, false")),
    "a comment that hides": statement("dags", lambda sql: sql + " -- LIMIT 1"),
    "a quote without its pair": statement("dags", lambda sql: sql + " '"),
    "a place for formatting": statement("dags", lambda sql: sql.replace(":dag_id", "'%s'")),
    "SET TRANSACTION READ WRITE": statement("read only", lambda _: "SET TRANSACTION READ WRITE"),
    "the read-only statement replaced by a harmless one": statement("read only", lambda _: "SELECT 1"),
    "query_only off": statement("query only", lambda _: "PRAGMA query_only=OFF"),
    "another PRAGMA": statement("exact like", lambda _: "PRAGMA writable_schema=ON"),
    "a concatenation": statement_made("dags", "OLD + WHERE"),
    "an f-string": statement_made("dags", "f'SELECT {BUDGET_BYTES}'"),
    "a format": statement_made("dags", "OLD.format(1)"),
    "a percent": statement_made("dags", "OLD % 1"),
    "a call": statement_made("dags", "os.environ.get('SQL')"),
    "the read-only statement not sent": swap("{'postgresql': ('read only', 'bounds'), 'mysql': ('read only',), 'sqlite': ('query only', 'exact like')}", "{'postgresql': ('bounds',), 'mysql': ('read only',), 'sqlite': ('query only',)}"),
    "the read-only statement sent too late": swap("('read only', 'bounds')", "('bounds', 'read only')"),
    "the opening left out": lines("for name in OPENING", ""),
    "a question before the opening": lines("for name in OPENING", "conversation.ask('dags', {})"),
    "formatting when it is sent": swap(ASK, "cursor.execute(STATEMENTS[name] % bound)"),
    "concatenation when it is sent": swap(ASK, "cursor.execute(placed(STATEMENTS[name] + parameters['more'], self.style), bound)"),
    "text of the request when it is sent": swap(ASK, "cursor.execute(parameters['sql'], bound)"),
    "a second execute": lines(SEEN, "cursor.execute('SELECT 1')"),
    "execute by another name": lines(SEEN, "send_it = cursor.execute"),
    "executemany": lines(SEEN, "cursor.executemany(name, [])"),
    "executescript": lines(SEEN, "self.connection.executescript(name)"),
    "copy_expert": lines(SEEN, "cursor.copy_expert(name, None)"),
    "a commit": lines("return cursor", "self.connection.commit()"),
    "a commit instead of the rollback": swap("connection.rollback()", "connection.commit()"),
    "the rollback left out": lines("connection.rollback()", ""),
    "nobody leaves": lines("leave(connection", ""),
    "autocommit": lines("conversation = Conversation", "connection.autocommit = True"),
    "a context that commits": lines("conversation = Conversation", "with connection:\n    pass"),
    "a raw cursor elsewhere": lines("schema = find_schema", "conversation.connection.cursor()"),
    "a second connection": lines("hidden = secrets_of", "other = driver.connect('')"),
    "a second conversation": lines("schema = find_schema", "again = Conversation(conversation, None)"),
    "a commit by its name": lines("return cursor", "getattr(self.connection, 'com' + 'mit')()"),
    "a commit by a constant name": lines("return cursor", "getattr(self.connection, 'commit')()"),
    "statements changed": lines("schema = find_schema", "STATEMENTS['dags'] = parameters_of(request)['key']"),
    "statements updated": lines("schema = find_schema", "STATEMENTS.update(request)"),
    "statements handed on": lines("schema = find_schema", "table = STATEMENTS"),
    "statements assigned again": lines("schema = find_schema", "STATEMENTS = {}"),
    "the places of parameters filled otherwise": swap("'%(\\\\1)s'", "\"'%(\\\\1)s'\""),
    "SQL elsewhere": lines("schema = find_schema", "more = 'DROP TABLE xcom'"),
    "the connection told": swap("'the setting that was found is no connection URL'", "'no connection URL: ' + url"),
    "the driver's text uncleaned": swap("clean(problem, hidden, True)", "str(problem)"),
    "the text of any error told": swap("type(problem).__name__", "str(problem)"),
    "an error printed": lines("schema = find_schema", "print(request)"),
    "a traceback": lines("import warnings", "import traceback"),
    "errors that are not caught": swap("BaseException", "OSError"),
    "pickle": lines("import warnings", "import pickle"),
    "a module by another name": lines("import warnings", "import json as data"),
    "importlib": lines("import warnings", "import importlib"),
    "sockets": lines("import warnings", "import socket"),
    "everything of a module": lines("import warnings", "from urllib.parse import *"),
    "more of Airflow": lines("import warnings", "from airflow.sdk import Variable"),
    "an engine": lines("import warnings", "from sqlalchemy import create_engine"),
    "eval": lines("schema = find_schema", "eval(request['key'])"),
    "exec": lines("schema = find_schema", "exec(request['key'])"),
    "os.system": lines("schema = find_schema", "os.system('true')"),
    "os handed on": lines("schema = find_schema", "system = os"),
    "os.remove": lines("schema = find_schema", "os.remove('a')"),
    "a shell": swap("subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=COMMAND_SECONDS)", "subprocess.run(command, shell=True)"),
    "another program": lines("schema = find_schema", "subprocess.run(['true'])"),
    "a file that is written": swap("open(real, 'rb')", "open(real, 'wb')"),
    "an object that is written": swap("(ObjectStoragePath(base) / rest).open('rb')", "(ObjectStoragePath(base) / rest).open('wb')"),
    "a file that another module writes": lines("schema = find_schema", "import gzip\ngzip.GzipFile('/tmp/x', 'wb')"),
    "a file that is packed": swap("gzip.GzipFile(fileobj=stored)", "gzip.GzipFile(name, 'wb', fileobj=stored)"),
    "gzip.open": swap("gzip.GzipFile(fileobj=stored)", "gzip.open('rb')"),
    "a file of bz2": swap("bz2.BZ2File(stored)", "bz2.BZ2File(stored, 'w')"),
    "a file of lzma": swap("lzma.LZMAFile(stored)", "lzma.LZMAFile(stored, 'x')"),
    "a file of zstandard": swap("zstandard.ZstdDecompressor().stream_reader(stored)", "zstandard.ZstdCompressor().stream_writer(stored)"),
    "a file by a module's name": lines("suffix = name", "import bz2\nwriter = bz2.BZ2File"),
    "a second object": lines("suffix = name", "from airflow.sdk import ObjectStoragePath\nObjectStoragePath(name).rmdir()"),
    "open by another name": lines("suffix = name", "opener = open"),
    "an opener of an object": lines("suffix = name", "opener = stored.open"),
    "a write elsewhere": lines("suffix = name", "stored.write(b'')"),
    "settings that are written": lines("suffix = name", "configparser.ConfigParser().write(stored)"),
    "a class by its object": lines("suffix = name", "type(stored)('/tmp/x', 'wb')"),
    "a class by its object, in two steps": lines("suffix = name", "kind = type(stored)"),
    "hidden attributes": lines("schema = find_schema", "print_it = request.__class__.__mro__"),
    "an f-string anywhere": lines("schema = find_schema", "text = f'{schema}'"),
    "a global": lines("schema = find_schema", "global schema"),
    "Python 3.8": lines("schema = find_schema", "(n := 1)"),
}


class GuardTest(unittest.TestCase):
    def test_the_probe_passes(self) -> None:
        self.assertEqual(xcom_guard.check_probe(PROBE), [])
        self.assertEqual(xcom_guard.check_probe(ast.unparse(ast.parse(PROBE))), [], "mutants are refused for their mutation, not for being written anew")

    def test_each_mutant_is_refused(self) -> None:
        self.assertGreaterEqual(len(MUTANTS), 25)
        for name, mutate in MUTANTS.items():
            with self.subTest(name):
                tree = ast.parse(PROBE)
                self.assertGreaterEqual(mutate(tree), 1, "the mutation found no place")
                source = ast.unparse(tree)
                self.assertNotEqual(xcom_guard.check_probe(source), [])

    def test_statements(self) -> None:
        for sql in ("SELECT 1", "SELECT count(*) FROM xcom x WHERE x.key = 'insert'", "SET TRANSACTION READ ONLY", "SELECT x.key FROM (SELECT 1) x LEFT JOIN b ON (1 = 1)"):
            self.assertEqual(xcom_guard.check_statement(sql), [], sql)
        for sql in (
            "select 1; drop table x", "SELECT 1 INTO OUTFILE 'x'", "SELECT lo_import('/etc/passwd')", "SELECT dblink_exec ('x')", "VALUES (1)", "TABLE xcom", "EXPLAIN ANALYZE SELECT 1", "SET LOCAL role admin", "SET TRANSACTION READ ONLY; SELECT 1",
            "SELECT $$a$$", "SELECT 1 /* x */", "SELECT E'\\''", "SELECT pg_sleep(1)", 'SELECT "pg_sleep"(1)', "SELECT set_config('role', 'admin', true)", "SELECT query_to_xml('delete from x', true, true, '')", "SELECT txid_current()", "",
        ):
            self.assertNotEqual(xcom_guard.check_statement(sql), [], sql)


if __name__ == "__main__":
    unittest.main()
