"""The static guard of the probe: tells by its syntax tree alone whether it could do more than read. Every rule is tested by breaking the probe."""

from __future__ import annotations

import ast
import functools
import re
from typing import Iterator

SETTINGS = ("SET TRANSACTION READ ONLY", "PRAGMA query_only=ON", "PRAGMA case_sensitive_like=ON")
OPENING = {"postgresql": ("read only", "bounds"), "mysql": ("read only",), "sqlite": ("query only", "exact like")}
FUNCTIONS = {"substr", "length", "octet_length", "convert_to", "cast", "coalesce", "count", "min", "max", "set_config", "current_setting", "has_table_privilege", "pg_catalog.pg_table_is_visible"}
BEFORE_BRACKETS = {"in", "from", "join", "and", "or", "on", "when", "as"}
BOUNDED = ("statement_timeout", "lock_timeout", "search_path", "application_name")
VERBS = (
    "insert update delete merge upsert replace create alter drop truncate grant revoke copy into call do execute prepare lock vacuum analyze analyse reindex cluster refresh notify listen "
    "begin start commit rollback savepoint release attach detach handler load outfile dumpfile import security discard reset for with returning explain show"
).split()
SQL_ELSEWHERE = re.compile(rf"\s*(select|set|pragma|{'|'.join(VERBS)})\s+[\w*(\"'`]", re.IGNORECASE)
MODULES = {
    "base64", "configparser", "datetime", "difflib", "hashlib", "json", "os", "re", "shlex", "signal", "stat", "subprocess", "sys", "warnings", "sqlite3", "psycopg2", "psycopg", "gzip", "bz2", "lzma", "zstandard",
}
NAMES_FROM = {"urllib.parse": {"parse_qsl", "quote", "unquote"}, "sqlalchemy.engine.url": {"make_url"}, "airflow.sdk": {"ObjectStoragePath"}, "airflow.io.path": {"ObjectStoragePath"}}
ATTRIBUTES_OF = {
    "os": {"environ", "path", "dup", "dup2", "write", "_exit", "listdir", "stat", "sep"}, "sys": {"stdin", "path"}, "subprocess": {"run", "PIPE", "DEVNULL", "SubprocessError"}, "shlex": {"split"},
    "sqlite3": set(), "psycopg2": set(), "psycopg": set(), "signal": {"signal", "alarm", "SIGALRM", "SIG_DFL"}, "warnings": {"simplefilter"},
}
FORBIDDEN_ATTRIBUTES = {
    "commit", "autocommit", "set_session", "set_isolation_level", "isolation_level", "readonly", "executemany", "executescript", "callproc", "copy_expert", "copy_from", "copy_to", "copy", "lobject", "mogrify",
    "begin", "begin_nested", "transaction", "tpc_begin", "tpc_commit", "tpc_prepare", "enable_load_extension", "load_extension", "backup", "iterdump", "pipeline", "write_bytes", "write_text", "unlink", "mkdir", "touch", "rename", "writelines", "dump", "truncate", "rmdir", "makedirs",
}
FORBIDDEN_NAMES = {"eval", "exec", "compile", "print", "input", "breakpoint", "globals", "locals", "vars", "setattr", "delattr", "__import__", "__builtins__", "repr", "exit", "quit"}
DUNDERS = {"__init__", "__name__"}
# What can open or write a file, and the one way in which it may be used.
READING = {
    "open": "open(real, 'rb')", "ObjectStoragePath": "(ObjectStoragePath(base) / rest).open('rb')", "gzip": "gzip.GzipFile(fileobj=stored)", "bz2": "bz2.BZ2File(stored)", "lzma": "lzma.LZMAFile(stored)",
    "zstandard": "zstandard.ZstdDecompressor().stream_reader(stored)",
}
SECRETS = {"url", "arguments", "hidden", "connection", "driver"}
RUN = "subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=COMMAND_SECONDS)"
EXECUTE = "cursor.execute(placed(STATEMENTS[name], self.style), bound)"
CONNECT = "driver.connect(*arguments[0], **arguments[1])"
PINNED = {
    "placed": r"return statement if style in ('qmark', 'named') else re.sub(':([a-z_]+)', '%(\\1)s', statement)",
    "leave": "try:\n    connection.rollback()\n    connection.close()\nexcept error:\n    pass",
}
CONVERSATION = """
try:
    conversation = Conversation(connection, driver)
    for name in OPENING[dialect]:
        conversation.ask(name, opening_parameters(request, settings))
    return converse(conversation, request, dialect)
except driver.Error as problem:
    raise failure_of(problem, hidden)
finally:
    leave(connection, driver.Error)
"""


def check_probe(source: str) -> list[str]:
    """What the guard has against a probe, as `line N: …`; an empty list when it can only read."""
    try:
        tree = ast.parse(source, feature_version=(3, 6))
    except SyntaxError as problem:
        return [f"line {problem.lineno}: no Python 3.6: {problem.msg}"]
    program = Program(tree)
    found: list[str] = []
    for check in (_statements, _opening, _uses_of_constants, _calls, _files, _imports, _names, _strings, _conversation, _secrets):
        found += [f"line {line}: {text}" for line, text in check(program)]
    return found


Problems = Iterator["tuple[int, str]"]


class Program:
    """A syntax tree, its nodes in one list, and who stands above whom."""

    def __init__(self, tree: ast.Module) -> None:
        self.body = tree.body
        self.nodes = list(ast.walk(tree))
        self.parents = {id(child): node for node in self.nodes for child in ast.iter_child_nodes(node)}


def _constant(program: Program, name: str) -> ast.expr | None:
    """The value of a constant of the module, where it is assigned exactly once in the whole program."""
    stored = [node for node in program.nodes if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)]
    values = [node.value for node in program.body if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name]
    return values[0] if len(values) == len(stored) == 1 else None


def _statements(program: Program) -> Problems:
    table = _constant(program, "STATEMENTS")
    if not isinstance(table, ast.Dict) or not table.keys:
        yield 1, "STATEMENTS is not one table of constants"
        return
    for key, value in zip(table.keys, table.values):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or not isinstance(value, ast.Constant) or not isinstance(value.value, str):
            yield value.lineno, "a statement is no constant"
        else:
            for problem in check_statement(value.value):
                yield value.lineno, f"statement {key.value!r}: {problem}"


def check_statement(sql: str) -> list[str]:
    """What is wrong with one statement."""
    if sql in SETTINGS:
        return []
    bare = re.sub(r"'[^']*'", "''", sql)
    words = re.findall(r"[a-z_][\w.]*", bare.lower())
    found = [] if words[:1] == ["select"] else ["begins with neither SELECT nor a setting that is allowed"]
    found += [f"the word {word.upper()}" for word in words if word in VERBS]
    found += [f"the text {mark}" for mark in (";", "--", "/*", "$", "\\", '"', "`", "?", "#", "@") if mark in bare]
    found += [f"a place for formatting: {mark}" for mark in ("%", "{") if mark in sql]
    found += ["a quote without its pair"] if bare.count("'") % 2 or sql.count("'") % 2 else []
    found += [f"the function {name}" for name in re.findall(r"([a-z_][\w.]*)\s*\(", bare.lower()) if name not in FUNCTIONS | BEFORE_BRACKETS and f"join {name}" not in bare.lower()]
    if len(re.findall(r"set_config", sql, re.IGNORECASE)) != len(re.findall(rf"set_config\('(?:{'|'.join(BOUNDED)})', (?::\w+|'leoflow-xcom-reader'|COALESCE\(:search_path, current_setting\('search_path'\)\)), true\)", sql)):
        found.append("set_config of something else than limits of this transaction")
    return found


def _opening(program: Program) -> Problems:
    """The first statement of each database is the one that makes its transaction read-only."""
    opening, statements = _constant(program, "OPENING"), _constant(program, "STATEMENTS")
    try:
        if ast.literal_eval(opening or ast.Constant(None)) != OPENING:
            yield 1, "the transaction is not opened as read-only first"
        texts = ast.literal_eval(statements or ast.Constant(None))
        if (texts["read only"], texts["query only"]) != SETTINGS[:2]:
            yield 1, "the statement that makes a transaction read-only is another one"
    except (ValueError, TypeError, KeyError):
        yield 1, "the statements that open a transaction cannot be told"


def _uses_of_constants(program: Program) -> Problems:
    """STATEMENTS[…] and OPENING[…] are read, and nothing else is done with either."""
    subscripted = {id(node.value) for node in program.nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)}
    for node in program.nodes:
        if isinstance(node, ast.Name) and node.id in ("STATEMENTS", "OPENING") and isinstance(node.ctx, ast.Load) and id(node) not in subscripted:
            yield node.lineno, f"{node.id} is used otherwise than by a key"


def _calls(program: Program) -> Problems:
    """What reaches a database, a program or a file does it in one known way."""
    called = {id(node.func): node for node in program.nodes if isinstance(node, ast.Call)}
    for name, text in (("execute", EXECUTE), ("connect", CONNECT), ("run", RUN)):
        uses = [node for node in program.nodes if isinstance(node, ast.Attribute) and node.attr == name]
        for node in uses:
            if id(node) not in called or not _same(called[id(node)], text) or len(uses) != 1:
                yield node.lineno, f"{name}: only {text} is allowed, once"
    for call in called.values():
        if isinstance(call.func, ast.Name) and call.func.id in ("getattr", "hasattr") and not (len(call.args) > 1 and isinstance(call.args[1], ast.Constant) and call.args[1].value in ("sqlstate", "pgcode", "import_dbapi")):
            yield call.lineno, "an attribute is looked up by name"


def _files(program: Program) -> Problems:
    """What can open or write a file does only what was reviewed: it reads."""
    reading = {_dumped(text) for text in READING.values()}
    reviewed = {id(inner) for node in program.nodes if isinstance(node, ast.Call) and ast.dump(node) in reading for inner in ast.walk(node)}
    for node in program.nodes:
        if id(node) in reviewed:
            continue
        if isinstance(node, ast.Name) and node.id in READING:
            yield node.lineno, f"{node.id} is used otherwise than as {READING[node.id]}"
        if isinstance(node, ast.Attribute) and (node.attr == "open" or (node.attr == "write" and ast.unparse(node) != "os.write")):
            yield node.lineno, f"{node.attr} of something else than what is read"
        if isinstance(node, ast.Name) and node.id == "type" and not _only_told(program, node):
            yield node.lineno, "a type is taken for more than its name"


def _only_told(program: Program, name: ast.Name) -> bool:
    """`type(x).__name__`, or compared."""
    call = program.parents[id(name)]
    return isinstance(call, ast.Call) and call.func is name and isinstance(program.parents[id(call)], (ast.Attribute, ast.Compare))


def _same(node: ast.AST, text: str) -> bool:
    return ast.dump(node) == _dumped(text)


@functools.cache
def _dumped(text: str) -> str:
    return ast.dump(ast.parse(text, mode="eval").body)


def _imports(program: Program) -> Problems:
    for node in program.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in MODULES or alias.asname is not None:
                    yield node.lineno, f"import {alias.name}"
        if isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names if alias.asname is None}
            if node.level or not names or len(names) != len(node.names) or not names <= NAMES_FROM.get(node.module or "", set()):
                yield node.lineno, f"import from {node.module}"


def _names(program: Program) -> Problems:
    for node in program.nodes:
        if isinstance(node, ast.Attribute):
            module = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in FORBIDDEN_ATTRIBUTES or (node.attr.startswith("__") and node.attr not in DUNDERS) or node.attr not in ATTRIBUTES_OF.get(module, {node.attr}):
                yield node.lineno, f"the attribute {node.attr}"
        if isinstance(node, ast.Name):
            if node.id in FORBIDDEN_NAMES or (node.id.startswith("__") and node.id not in DUNDERS):
                yield node.lineno, f"the name {node.id}"
            if node.id in ATTRIBUTES_OF and not isinstance(program.parents[id(node)], (ast.Attribute, ast.Return, ast.Tuple)):
                yield node.lineno, f"the module {node.id} is handed on"
        if isinstance(node, (ast.JoinedStr, ast.Global, ast.Nonlocal, ast.AsyncFunctionDef)):
            yield getattr(node, "lineno", 1), f"{type(node).__name__} is not needed here"


def _strings(program: Program) -> Problems:
    table = _constant(program, "STATEMENTS")
    documented = [node.body[0] for node in program.nodes if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)]
    allowed = {id(inner) for node in [*documented, *([table] if table else [])] for inner in ast.walk(node)}
    for node in program.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and id(node) not in allowed:
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if SQL_ELSEWHERE.match(text):
                yield node.lineno, "SQL outside STATEMENTS"


def _conversation(program: Program) -> Problems:
    """Connect, make the transaction read-only, ask, roll back: the one place where it happens is as it was reviewed."""
    functions = {node.name: node for node in program.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for name, text in PINNED.items():
        node = functions.get(name)
        body = node.body[1:] if node is not None and ast.get_docstring(node) else node.body if node is not None else []
        if not _is_body(body, text):
            yield getattr(node, "lineno", 1), f"{name} is not as it was reviewed"
    asking = functions.get("question_database")
    last = asking.body[-1] if isinstance(asking, ast.FunctionDef) else None
    if last is None or not _is_body([last], CONVERSATION):
        yield getattr(last, "lineno", 1), "the conversation with the database is not as it was reviewed"
    inside = {id(node) for node in ast.walk(functions["Conversation"])} if "Conversation" in functions else set()
    for node in program.nodes:
        if isinstance(node, ast.Attribute) and node.attr in ("cursor", "connection") and id(node) not in inside:
            yield node.lineno, f".{node.attr} outside Conversation"
        if isinstance(node, ast.Attribute) and node.attr == "connection" and id(node) in inside and not isinstance(node.value, ast.Name):
            yield node.lineno, "a connection is passed on"
    if sum(isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Conversation" for node in program.nodes) != 1:
        yield 1, "there is more than one conversation"
    if len([node for node in program.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]) != len(functions):
        yield 1, "a function is defined twice"


def _is_body(body: list[ast.stmt], text: str) -> bool:
    """Whether statements are those of the text, written as a function's."""
    indented = "def f():\n" + "\n".join("    " + line for line in text.strip().splitlines())
    wanted = ast.parse(indented).body[0]
    return isinstance(wanted, ast.FunctionDef) and [ast.dump(node) for node in body] == [ast.dump(node) for node in wanted.body]


def _secrets(program: Program) -> Problems:
    """What a driver says and what a connection is made of reach nobody uncleaned."""
    cleaning = {id(node) for function in program.body if isinstance(function, ast.FunctionDef) and function.name == "clean" for node in ast.walk(function)}
    for node in program.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or id(node) in cleaning:
            continue
        if node.func.id in ("str", "format", "ascii") and any(isinstance(inner, ast.Name) and inner.id == "problem" for inner in ast.walk(node)) and not isinstance(program.parents[id(node)], ast.Compare):
            yield node.lineno, "an error's text without cleaning"
        if node.func.id == "Failure":
            yield from _secrets_told(node)
    for node in program.nodes:
        if isinstance(node, ast.BinOp) and id(node) not in cleaning and any(isinstance(side, ast.Name) and side.id in ("problem", "hidden") for side in (node.left, node.right)):
            yield node.lineno, "an error's text without cleaning"
        if isinstance(node, ast.FunctionDef) and node.name == "main" and not any(isinstance(inner, ast.ExceptHandler) and ast.unparse(inner.type or ast.Constant(0)) == "BaseException" for inner in ast.walk(node)):
            yield node.lineno, "not every error is caught: a traceback would tell the connection"


def _secrets_told(call: ast.Call) -> Problems:
    cleaned = {id(inner) for node in ast.walk(call) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("clean", "sqlstate_of") for inner in ast.walk(node)}
    for node in ast.walk(call):
        if isinstance(node, ast.Name) and node.id in SECRETS and id(node) not in cleaned:
            yield node.lineno, f"a message with {node.id} in it"
