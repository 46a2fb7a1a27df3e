"""Reads XComs where the database can be reached: travels on standard input into a pod, asks in a transaction that cannot write, answers with one frame.

Python 3.6 or newer and what Airflow itself connects with (psycopg2, psycopg, sqlite3; others by way of SQLAlchemy); no other file. Every statement is a constant of STATEMENTS; a static guard keeps it so.
"""
import base64
import configparser
import datetime
import difflib
import hashlib
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import warnings
from urllib.parse import parse_qsl, quote, unquote

PROTOCOL = 1
MAX_VALUE_BYTES = 64 * 1024 * 1024
BUDGET_BYTES = 16 * 1024 * 1024
BATCH_BYTES = 8 * 1024 * 1024
PIECE_BYTES = 64 * 1024
ACKNOWLEDGE_SECONDS = 60
COMMAND_SECONDS = 45
LOCK_WAIT_MS = 5000
QUESTIONS = ("values", "keys", "runs", "examine")
ANY_INDEX = (-2147483648, 2147483647)
NOT_ACKNOWLEDGED = 75

STATEMENTS = {
    "read only": "SET TRANSACTION READ ONLY",
    "query only": "PRAGMA query_only=ON",
    "exact like": "PRAGMA case_sensitive_like=ON",
    "bounds": """SELECT set_config('statement_timeout', :timeout, true), set_config('lock_timeout', :lock_timeout, true),
 set_config('application_name', 'leoflow-xcom-reader', true), set_config('search_path', COALESCE(:search_path, current_setting('search_path')), true)""",
    "columns": "SELECT x.*, NULL AS end_of_xcom, d.* FROM xcom x CROSS JOIN dag_run d WHERE 1 = 0",
    "instance columns": "SELECT t.* FROM task_instance t WHERE 1 = 0",
    "rights": """SELECT c.relname FROM pg_catalog.pg_class c
 WHERE c.relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(c.oid) AND c.relname IN ('xcom', '_xcom_archive', 'dag_run', 'task_instance', 'dag', 'connection', 'variable')
 AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY c.relname""",
    "runs 1.10": """SELECT d.run_id, d.state, NULL AS run_type, d.execution_date, NULL AS run_after, d.start_date, d.end_date FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.execution_date DESC, d.id DESC LIMIT :runs""",
    "runs 2.0": """SELECT d.run_id, d.state, d.run_type, d.execution_date, NULL AS run_after, d.start_date, d.end_date FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.execution_date DESC, d.id DESC LIMIT :runs""",
    "runs 3.0": """SELECT d.run_id, d.state, d.run_type, d.logical_date, d.run_after, d.start_date, d.end_date FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!'
 ORDER BY COALESCE(d.logical_date, d.run_after) DESC, d.id DESC LIMIT :runs""",
    "values 1.10": """SELECT f.run_id, f.state, NULL AS run_type, f.execution_date, NULL AS run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(f.value, 1, :max_bytes) END, length(f.value)
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.execution_date, r.start_date, r.end_date, x.task_id, -1 AS map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.dag_id, d.run_id, d.state, d.execution_date, d.start_date, d.end_date, d.execution_date AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_id = r.dag_id AND x.execution_date = r.execution_date
 AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND -1 BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.key, x.timestamp DESC LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.key, f.timestamp DESC""",
    "values 2.0": """SELECT f.run_id, f.state, f.run_type, f.execution_date, NULL AS run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(f.value, 1, :max_bytes) END, length(f.value)
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.run_type, r.execution_date, r.start_date, r.end_date, x.task_id, -1 AS map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.dag_id, d.run_id, d.state, d.run_type, d.execution_date, d.start_date, d.end_date, d.execution_date AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_id = r.dag_id AND x.execution_date = r.execution_date
 AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND -1 BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.key LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.key""",
    "values 2.3": """SELECT f.run_id, f.state, f.run_type, f.execution_date, NULL AS run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(f.value, 1, :max_bytes) END, length(f.value)
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.run_type, r.execution_date, r.start_date, r.end_date, x.task_id, x.map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.run_id, d.state, d.run_type, d.execution_date, d.start_date, d.end_date, d.execution_date AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND x.map_index BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.map_index, x.key LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.map_index, f.key""",
    "values 3.0 postgresql": """SELECT f.run_id, f.state, f.run_type, f.logical_date, f.run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(convert_to(CAST(f.value AS text), 'UTF8'), 1, :max_bytes) END, octet_length(convert_to(CAST(f.value AS text), 'UTF8'))
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.run_type, r.logical_date, r.run_after, r.start_date, r.end_date, x.task_id, x.map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.run_id, d.state, d.run_type, d.logical_date, d.run_after, d.start_date, d.end_date, COALESCE(d.logical_date, d.run_after) AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND x.map_index BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.map_index, x.key LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.map_index, f.key""",
    "values 3.0 mysql": """SELECT f.run_id, f.state, f.run_type, f.logical_date, f.run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(CAST(CAST(f.value AS CHAR CHARACTER SET utf8mb4) AS BINARY), 1, :max_bytes) END, length(CAST(f.value AS CHAR CHARACTER SET utf8mb4))
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.run_type, r.logical_date, r.run_after, r.start_date, r.end_date, x.task_id, x.map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.run_id, d.state, d.run_type, d.logical_date, d.run_after, d.start_date, d.end_date, COALESCE(d.logical_date, d.run_after) AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND x.map_index BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.map_index, x.key LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.map_index, f.key""",
    "values 3.0 sqlite": """SELECT f.run_id, f.state, f.run_type, f.logical_date, f.run_after, f.start_date, f.end_date,
 f.task_id, f.map_index, f.key, f.timestamp,
 CASE WHEN :max_bytes > 0 THEN substr(CAST(f.value AS BLOB), 1, :max_bytes) END, length(CAST(f.value AS BLOB))
 FROM (SELECT r.id, r.moment, r.run_id, r.state, r.run_type, r.logical_date, r.run_after, r.start_date, r.end_date, x.task_id, x.map_index, x.key, x.timestamp, x.value
 FROM (SELECT d.id, d.run_id, d.state, d.run_type, d.logical_date, d.run_after, d.start_date, d.end_date, COALESCE(d.logical_date, d.run_after) AS moment FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY moment DESC, d.id DESC LIMIT :runs) r
 LEFT JOIN xcom x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND x.map_index BETWEEN :first_index AND :last_index
 ORDER BY r.moment DESC, r.id DESC, x.task_id, x.map_index, x.key LIMIT :limit) f
 ORDER BY f.moment DESC, f.id DESC, f.task_id, f.map_index, f.key""",
    "dags": "SELECT g.dag_id FROM dag g ORDER BY CASE WHEN g.dag_id = :dag_id THEN 0 ELSE 1 END, g.dag_id LIMIT 2000",
    "instances by date": """SELECT t.task_id, -1 AS map_index, t.state, CASE WHEN t.task_id LIKE :task_id ESCAPE '!' THEN 1 ELSE 0 END AS asked
 FROM (SELECT d.dag_id, d.execution_date FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN task_instance t ON t.dag_id = r.dag_id AND t.execution_date = r.execution_date ORDER BY 4 DESC, 1 LIMIT 500""",
    "instances by run": """SELECT t.task_id, -1 AS map_index, t.state, CASE WHEN t.task_id LIKE :task_id ESCAPE '!' THEN 1 ELSE 0 END AS asked
 FROM (SELECT d.dag_id, d.run_id FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id ORDER BY 4 DESC, 1 LIMIT 500""",
    "instances mapped": """SELECT t.task_id, t.map_index, t.state,
 CASE WHEN t.task_id LIKE :task_id ESCAPE '!' AND t.map_index BETWEEN :first_index AND :last_index THEN 1 ELSE 0 END AS asked
 FROM (SELECT d.dag_id, d.run_id FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN task_instance t ON t.dag_id = r.dag_id AND t.run_id = r.run_id ORDER BY 4 DESC, 1, 2 LIMIT 500""",
    "keys by date": """SELECT x.key, -1 AS lowest, -1 AS highest, CASE WHEN x.key LIKE :key ESCAPE '!' THEN 1 ELSE 0 END AS asked
 FROM (SELECT d.dag_id, d.execution_date FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN xcom x ON x.dag_id = r.dag_id AND x.execution_date = r.execution_date AND x.task_id LIKE :task_id ESCAPE '!' GROUP BY x.key ORDER BY 4 DESC, 1 LIMIT 20""",
    "keys by run": """SELECT x.key, MIN(x.map_index) AS lowest, MAX(x.map_index) AS highest, CASE WHEN x.key LIKE :key ESCAPE '!' THEN 1 ELSE 0 END AS asked
 FROM (SELECT d.id FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN xcom x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' GROUP BY x.key ORDER BY 4 DESC, 1 LIMIT 20""",
    "archived": """SELECT COUNT(*) FROM (SELECT d.id FROM dag_run d
 WHERE d.dag_id = :dag_id AND d.run_id LIKE :run_id ESCAPE '!' AND COALESCE(d.state, '') LIKE :state ESCAPE '!' ORDER BY d.id DESC LIMIT :runs) r
 JOIN _xcom_archive x ON x.dag_run_id = r.id AND x.task_id LIKE :task_id ESCAPE '!' AND x.key LIKE :key ESCAPE '!' AND x.map_index BETWEEN :first_index AND :last_index""",
}
DIALECTS = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite"}
OPENING = {"postgresql": ("read only", "bounds"), "mysql": ("read only",), "sqlite": ("query only", "exact like")}
SYNCHRONOUS = {"postgresql+asyncpg": "postgresql", "postgresql+aiopg": "postgresql", "postgres": "postgresql", "postgres+psycopg2": "postgresql", "sqlite+aiosqlite": "sqlite", "mysql+aiomysql": "mysql+pymysql", "mysql+asyncmy": "mysql+pymysql"}


class Failure(Exception):
    """What the reader is told instead of an answer; `text` is clean of names and secrets."""

    def __init__(self, failure, text, sqlstate=None):
        Exception.__init__(self, failure)
        self.failure, self.text, self.sqlstate = failure, text, sqlstate


def main():
    """Reads the request, sends one frame, waits until it is acknowledged."""
    out = os.dup(1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    sentinel = "0" * 32
    try:
        line = sys.stdin.buffer.readline(1000000)
        sentinel = sentinel_of(line) or sentinel
        request = read_request(line)
        # By the system itself: a handler of Python would wait for the driver's call to come back.
        signal.alarm(COMMAND_SECONDS * 3 + request["statement_timeout_ms"] * 4 // 1000)
        reply = answer(request)
    except Failure as problem:
        reply = {"protocol": PROTOCOL, "kind": "failure", "failure": problem.failure, "message": problem.text, "sqlstate": problem.sqlstate}
    except BaseException as problem:
        reply = {"protocol": PROTOCOL, "kind": "failure", "failure": "statement_failed", "message": "the probe ended early: " + type(problem).__name__, "sqlstate": None}
    send(out, sentinel, reply)


def send(out, sentinel, reply):
    """One frame; ends the program with 0 only when the reader says that it has all of it."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(reply):
        digest.update(piece)
        size += len(piece)
    proof = digest.hexdigest().encode("ascii")
    signal.signal(signal.SIGALRM, lambda *_: os._exit(NOT_ACKNOWLEDGED))
    signal.alarm(ACKNOWLEDGE_SECONDS)
    try:
        write(out, b"LEOFLOW-XCOM/1 %s %d %s\n" % (sentinel.encode("ascii"), size, proof))
        for piece in pieces_of(reply):
            write(out, piece)
        write(out, b"\n")
        acknowledged = sys.stdin.buffer.readline(200) == b"ACK " + proof + b"\n"
    except OSError:
        acknowledged = False
    os._exit(0 if acknowledged else NOT_ACKNOWLEDGED)


def write(out, piece):
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(out, rest):]


def pieces_of(reply):
    """The reply as JSON in small parts, made anew for each use: written out, the rows would be in the pod's memory several times."""
    head = json.dumps({name: value for name, value in reply.items() if name != "rows"}).encode("ascii")
    piece = bytearray(head[:-1] + b', "rows": [' if "rows" in reply else head)
    for at, row in enumerate(reply.get("rows", ())):
        piece += (b", " if at else b"") + json.dumps(row, default=in_base64).encode("ascii")
        if len(piece) >= PIECE_BYTES:
            yield piece
            piece = bytearray()
    yield piece + b"]}" if "rows" in reply else piece


def in_base64(data):
    return base64.b64encode(data).decode("ascii")


def sentinel_of(line):
    """The reader's mark, told before anything else is: a request that is refused is answered under it as well."""
    match = re.search(rb'"sentinel": ?"([0-9a-f]{32})"', line)
    return match.group(1).decode("ascii") if match else None


def read_request(line):
    """The request, whole and within bounds."""
    try:
        request = json.loads(line.decode("utf-8"))
        index = request["map_index"]
        sound = [
            request["protocol"] == PROTOCOL, re.match(r"[0-9a-f]{32}\Z", request["sentinel"]), request["question"] in QUESTIONS,
            all(is_text(request[name]) for name in ("dag_id", "task_id", "key")), is_text(request["runs"]["run_id"]), request["runs"]["state"] is None or is_text(request["runs"]["state"]),
            is_count(request["runs"]["limit"], 100000), is_count(request["limit"], 1000000), is_count(request["max_bytes"], MAX_VALUE_BYTES), is_count(request["statement_timeout_ms"], 3600000),
            index is None or (len(index) == 2 and all(type(at) is int and ANY_INDEX[0] <= at <= ANY_INDEX[1] for at in index)), type(request["resolve"]) is bool,
            request["url_variable"] is None or re.match(r"[A-Za-z_][A-Za-z0-9_]*\Z", request["url_variable"]),
        ]
    except (ValueError, KeyError, TypeError):
        sound = [False]
    if not all(sound):
        raise Failure("bad_request", "the request is none of protocol %d: the reader and the probe are not of one version" % PROTOCOL)
    return request


def is_text(value):
    return isinstance(value, str) and len(value) <= 2000 and "\0" not in value


def is_count(value, most):
    return type(value) is int and 1 <= value <= most


def answer(request):
    """Everything the reader asked for, of one read-only transaction."""
    settings = Settings()
    url, source = find_connection(settings, request["url_variable"])
    reply = {"protocol": PROTOCOL, "kind": "answer", "connection_from": source, "airflow_version": airflow_version(), "backend": backend_of(settings)}
    reply.update(question_database(request, url, settings))
    if request["resolve"] and request["question"] == "values":
        resolve(reply, settings, request["max_bytes"])
    return reply


def question_database(request, url, settings):
    """Connects, asks, rolls back. Whatever the driver says is cleaned before anybody hears of it."""
    dialect = DIALECTS.get(url.partition("://")[0].partition("+")[0])
    if dialect is None:
        raise Failure("driver_missing", "no way to read from a database of this kind: PostgreSQL, MySQL and SQLite are known")
    try:
        driver, arguments = connector_of(url, dialect)
    except ImportError as problem:
        raise Failure("driver_missing", "this Python cannot import %s: choose a container that runs Airflow" % problem.name)
    hidden = secrets_of(url, arguments)
    try:
        connection = driver.connect(*arguments[0], **arguments[1])
    except (driver.Error, OSError) as problem:
        raise Failure("database_down", "connecting failed: " + clean(problem, hidden, True), sqlstate_of(problem))
    try:
        conversation = Conversation(connection, driver)
        for name in OPENING[dialect]:
            conversation.ask(name, opening_parameters(request, settings))
        return converse(conversation, request, dialect)
    except driver.Error as problem:
        raise failure_of(problem, hidden)
    finally:
        leave(connection, driver.Error)


def leave(connection, error):
    """Never commits; a connection that is lost already has nothing to roll back."""
    try:
        connection.rollback()
        connection.close()
    except error:
        pass


class Conversation:
    """A connection within its read-only transaction, and what was sent over it."""

    def __init__(self, connection, driver):
        self.connection, self.error, self.style, self.sent = connection, driver.Error, driver.paramstyle, []

    def ask(self, name, parameters):
        """The answer to one of the constants."""
        return self.put(self.connection.cursor(), name, parameters)

    def ask_streaming(self, name, parameters):
        """As ask, over a cursor of PostgreSQL's server: a giant answer is never whole in the pod's memory, small values come many at a time."""
        cursor = self.connection.cursor("leoflow")
        cursor.itersize = max(1, min(100, BATCH_BYTES // parameters["max_bytes"]))
        return self.put(cursor, name, parameters)

    def put(self, cursor, name, parameters):
        """Sends it. Parameters that it has no place for are left out."""
        self.sent.append(STATEMENTS[name])
        bound = {key: value for key, value in parameters.items() if re.search(":%s\\b" % key, STATEMENTS[name])}
        cursor.execute(placed(STATEMENTS[name], self.style), bound)
        return cursor


def placed(statement, style):
    """The constant with its parameters' places in the driver's style."""
    return statement if style in ("qmark", "named") else re.sub(r":([a-z_]+)", r"%(\1)s", statement)


def connector_of(url, dialect):
    """The driver and what its connect() takes. SQLAlchemy, which is slow to import, is only asked where more than the usual is in the URL."""
    match = re.match(r"[\w+]+://(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?(?::(?P<port>\d*))?(?:/(?P<dbname>[^?]*))?(?:\?(?P<query>.*))?\Z", url)
    if match is None:
        raise Failure("connection_missing", "the setting that was found is no connection URL")
    query = parse_qsl(match.group("query") or "")
    if dialect == "sqlite":
        import sqlite3
        return sqlite3, (("file:%s?mode=ro" % quote(match.group("dbname") or ""),), {"uri": True, "timeout": 5})
    if dialect == "postgresql" and len(dict(query)) == len(query):
        parts = {name: match.group(name) for name in ("port", "dbname")}
        parts.update(host=match.group("ipv6") or match.group("host"), user=unquote(match.group("user") or ""), password=unquote(match.group("password") or ""), connect_timeout="10")
        parts.update(query)
        return postgresql_driver(url), ((), {name: value for name, value in parts.items() if value})
    from sqlalchemy.engine.url import make_url
    parsed = make_url(url)
    kind = parsed.get_dialect()
    driver = kind.import_dbapi() if hasattr(kind, "import_dbapi") else kind.dbapi()
    return driver, tuple(kind().create_connect_args(parsed))


def postgresql_driver(url):
    """psycopg2, or its successor where the URL names it or nothing else is there."""
    if not url.startswith("postgresql+psycopg:"):
        try:
            import psycopg2
            return psycopg2
        except ImportError:
            pass
    import psycopg
    return psycopg


def opening_parameters(request, settings):
    schema = settings.get("database", "sql_alchemy_schema") or settings.get("core", "sql_alchemy_schema")
    limit = request["statement_timeout_ms"]
    return {"timeout": str(limit), "lock_timeout": str(min(limit // 2 + 1, LOCK_WAIT_MS)), "search_path": '"%s"' % schema.replace('"', '""') if schema else None}


def converse(conversation, request, dialect):
    """The parts of the answer that the database knows."""
    schema = find_schema(conversation)
    reply = {"schema": schema, "dialect": dialect, "runs": [], "rows": [], "truncated": False, "hints": None, "may_write": None, "statements": conversation.sent}
    parameters = parameters_of(request)
    if request["question"] == "examine":
        if dialect == "postgresql":
            reply["may_write"] = [row[0] for row in conversation.ask("rights", {})]
        return reply
    if request["question"] == "runs":
        parameters["runs"] += 1
        found = [run_of(row) for row in conversation.ask(runs_statement(schema), parameters)]
        reply["runs"], reply["truncated"] = found[:request["runs"]["limit"]], len(found) > request["runs"]["limit"]
    else:
        read_rows(conversation, request, reply)
    if not reply["rows"] and not (request["question"] == "runs" and reply["runs"]):
        reply["hints"] = give_hints(conversation, schema, (parameters, reply["runs"]))
    return reply


def parameters_of(request):
    """What is bound. One row more than wanted tells whether there are more; a run without rows takes a line as well."""
    first, last = request["map_index"] or ANY_INDEX
    state = request["runs"]["state"]
    return {
        "dag_id": request["dag_id"], "run_id": request["runs"]["run_id"], "runs": request["runs"]["limit"], "task_id": request["task_id"], "key": request["key"],
        "state": "%" if state is None else re.sub("([!%_])", r"!\1", state), "first_index": first, "last_index": last, "limit": request["limit"] + request["runs"]["limit"] + 1,
        "max_bytes": request["max_bytes"] if request["question"] == "values" else 0,
    }


def find_schema(conversation):
    """Told by the columns, never by a version."""
    try:
        names = [column[0].lower() for column in conversation.ask("columns", {}).description]
    except conversation.error as problem:
        if is_missing_table(problem):
            raise Failure("schema_unknown", "this database has no tables xcom and dag_run: it is not Airflow's, or they lie in another schema", sqlstate_of(problem))
        raise
    end = names.index("end_of_xcom")
    xcom, dag_run = set(names[:end]), set(names[end + 1:])
    marks = (("3.0", xcom >= {"dag_run_id", "map_index"} and dag_run >= {"logical_date", "run_after", "run_type"}), ("2.3", xcom >= {"dag_run_id", "map_index"} and dag_run >= {"execution_date", "run_type"}),
             ("1.10", xcom >= {"id", "execution_date"} and "execution_date" in dag_run), ("2.0", "execution_date" in xcom and dag_run >= {"execution_date", "run_type"}))
    for schema, fits in marks:
        if fits and {"key", "value", "timestamp", "task_id", "dag_id"} <= xcom:
            return schema
    raise Failure("schema_unknown", "the columns of xcom and dag_run fit no version of Airflow that is known")


def runs_statement(schema):
    return "runs 2.0" if schema == "2.3" else "runs " + schema


def read_rows(conversation, request, reply):
    """Rows and runs of the one SELECT, up to the limit and the budget."""
    schema, only_keys = reply["schema"], request["question"] == "keys"
    statement = "values 3.0 " + reply["dialect"] if schema == "3.0" else "values " + schema
    giant = not only_keys and request["limit"] * request["max_bytes"] > BATCH_BYTES
    ask = conversation.ask_streaming if giant and reply["dialect"] == "postgresql" else conversation.ask
    budget, seen = BUDGET_BYTES, set()
    for row in ask(statement, parameters_of(request)):
        data = None if row[11] is None else as_bytes(row[11])
        budget -= encoded_bytes(data) + 400
        if (len(reply["rows"]) == request["limit"] and row[9] is not None) or (budget < 0 and reply["rows"]):
            reply["truncated"] = True
            break
        if row[0] not in seen:
            seen.add(row[0])
            reply["runs"].append(run_of(row))
        if row[9] is not None:
            reply["rows"].append({"run_id": row[0], "task_id": row[7], "map_index": row[8], "key": row[9], "timestamp": iso(row[10]), "column": "json" if schema == "3.0" else "bytes", "data": data, "bytes": row[12]})


def run_of(row):
    return {"run_id": row[0], "state": row[1], "run_type": row[2], "logical_date": iso(row[3]), "run_after": iso(row[4]), "start_date": iso(row[5]), "end_date": iso(row[6])}


def encoded_bytes(data):
    return 0 if data is None else (len(data) + 2) // 3 * 4


def as_bytes(value):
    return value.encode("utf-8") if isinstance(value, str) else bytes(value)


def iso(value):
    """A moment in UTC; databases without zones keep UTC, SQLite keeps text."""
    if value is None:
        return None
    if isinstance(value, datetime.datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        return zoned.astimezone(datetime.timezone.utc).isoformat()
    text = re.sub(r"\.0+(?=$|[+-])", "", str(value).replace(" ", "T", 1))
    return text if re.search(r"[+-]\d\d:\d\d\Z", text) else text + "+00:00"


def give_hints(conversation, schema, asked):
    """Why nothing matched, as far as it can be told; a table that may not be read ends the list, not the answer."""
    parameters, runs = asked
    hints = {"dag_known": bool(runs), "dags": [], "recent_runs": [], "instances": [], "task_ids": [], "keys": [], "map_indexes": None, "archived": 0, "incomplete": False}
    try:
        if runs:
            if len(runs) == 1:
                # The run that was found, and no other: ids and dates are not of one order.
                parameters = dict(parameters, run_id=re.sub("([!%_])", r"!\1", runs[0]["run_id"]), state="%", runs=1)
            hint_at_rows(conversation, schema, (parameters, hints))
        else:
            hint_at_runs(conversation, schema, (parameters, hints))
    except conversation.error as problem:
        # An archive that no upgrade made is nothing that is kept back.
        hints["incomplete"] = not is_missing_table(problem)
    return hints


def hint_at_runs(conversation, schema, asked):
    parameters, hints = asked
    everything = dict(parameters, run_id="%", state="%", runs=20)
    hints["recent_runs"] = [run_of(row) for row in conversation.ask(runs_statement(schema), everything)]
    hints["dag_known"] = bool(hints["recent_runs"])
    if not hints["dag_known"]:
        dags = [row[0] for row in conversation.ask("dags", parameters)]
        hints["dag_known"] = dags[:1] == [parameters["dag_id"]]
        hints["dags"] = [] if hints["dag_known"] else nearest(parameters["dag_id"], dags)


def hint_at_rows(conversation, schema, asked):
    parameters, hints = asked
    keys = list(conversation.ask("keys by run" if schema in ("2.3", "3.0") else "keys by date", parameters))
    hints["keys"] = [row[0] for row in keys]
    indexes = [at for row in keys if row[3] for at in row[1:3]]
    hints["map_indexes"] = [min(indexes), max(indexes)] if indexes else None
    columns = set(column[0].lower() for column in conversation.ask("instance columns", {}).description)
    statement = "instances mapped" if "map_index" in columns else "instances by run" if "run_id" in columns else "instances by date"
    instances = list(conversation.ask(statement, parameters))
    hints["instances"] = [{"task_id": row[0], "map_index": row[1], "state": row[2]} for row in instances if row[3]][:20]
    wanted = re.sub("!(.)|[%_]", r"\1", parameters["task_id"])
    hints["task_ids"] = nearest(wanted, sorted(set(row[0] for row in instances)))
    if schema == "3.0":
        hints["archived"] = conversation.ask("archived", parameters).fetchone()[0]


def nearest(wanted, names):
    """At most twenty; those that resemble it first."""
    close = difflib.get_close_matches(wanted, names, 20, 0.3)
    return (close + [name for name in names if name not in close])[:20]


def is_missing_table(problem):
    return sqlstate_of(problem) == "42P01" or problem.args[:1] == (1146,) or "no such table" in str(problem)


def failure_of(problem, hidden):
    """An error of a statement: writes that were refused are told apart."""
    state = sqlstate_of(problem)
    refused = state == "25006" or "readonly database" in str(problem)
    return Failure("write_refused" if refused else "statement_failed", "a statement failed: " + clean(problem, hidden, False), state)


def sqlstate_of(problem):
    """PostgreSQL's drivers tell it; of MySQL's numbers 1792 is a write in a read-only transaction."""
    state = getattr(problem, "sqlstate", None) or getattr(problem, "pgcode", None)
    return state if isinstance(state, str) else "25006" if problem.args[:1] == (1792,) else None


def secrets_of(url, arguments):
    """Whatever of the connection must not be told: its parts as they are and as they stand in the URL."""
    parts = re.split("[/:@?&=]+", url.split("://", 1)[-1]) + [url] + [str(value) for value in arguments[0]] + [str(value) for value in arguments[1].values()]
    return sorted(set(part for part in parts if part), key=len, reverse=True)


def clean(problem, hidden, drop_quoted):
    """The first line of what the driver says without names, addresses, URLs and secrets."""
    line = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
    for secret in hidden:
        line = line.replace(secret, "***")
    line = re.sub(r"\S+://\S+", "***", line)
    line = re.sub(r"(\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*", "***", line)
    line = re.sub(r"(?i)\b(port|user|host|password|database|dbname)(\s*[=:]?\s*)[^\s,;)]+", r"\1\2***", line)
    if drop_quoted:
        line = re.sub("\"[^\"]*\"|'[^']*'|`[^`]*`", '"***"', line)
    return line[:300]


class Settings:
    """Airflow's settings as its own environment and airflow.cfg give them; nothing of Airflow is imported."""

    def __init__(self):
        self.file = configparser.ConfigParser(strict=False, allow_no_value=True)
        home = os.environ.get("AIRFLOW_HOME") or os.path.join(os.path.expanduser("~"), "airflow")
        path = os.environ.get("AIRFLOW_CONFIG") or os.path.join(home, "airflow.cfg")
        try:
            self.file.read(expand(path), encoding="utf-8")
        except (configparser.Error, OSError, UnicodeError):
            pass

    def get(self, section, name):
        """A setting by environment, else by file; None where it is not set."""
        return self.of_environment(section, name) or self.of_file(section, name)

    def of_environment(self, section, name):
        value = os.environ.get(variable_of(section, name))
        return expand(value) if value else None

    def of_file(self, section, name):
        try:
            value = self.file.get(section, name)
        except configparser.InterpolationError:
            value = self.file.get(section, name, raw=True)
        except configparser.Error:
            return None
        return expand(value) if value else None


def variable_of(section, name):
    return "AIRFLOW__%s__%s" % (section.replace(".", "_").upper(), name.upper())


def expand(value):
    """As Airflow expands settings."""
    for _ in range(10):
        expanded = os.path.expanduser(os.path.expandvars(value))
        if expanded == value:
            break
        value = expanded
    return value


def find_connection(settings, variable):
    """URL and where it was found, in the order in which Airflow looks."""
    if variable is not None:
        url = os.environ.get(variable)
        if not url:
            raise Failure("connection_missing", "the environment variable %s is not set in this container" % variable)
        return synchronous(url), variable
    for find in (by_environment, by_commands, by_secret, by_file, by_airflow):
        url, source = find(settings)
        if url:
            return synchronous(url), source
    raise Failure("connection_missing", "no setting of this container names Airflow's database: neither sql_alchemy_conn by environment nor airflow.cfg")


def by_environment(settings):
    return first(((settings.of_environment(section, "sql_alchemy_conn"), variable_of(section, "sql_alchemy_conn")) for section in ("database", "core")))


def by_commands(settings):
    return first(((output_of(settings.of_environment(section, "sql_alchemy_conn_cmd")), variable_of(section, "sql_alchemy_conn_cmd")) for section in ("database", "core")))


def by_secret(settings):
    """A secrets backend is Airflow's own affair: only asked where one is named."""
    named = any(settings.get(section, "sql_alchemy_conn_secret") for section in ("database", "core"))
    return by_airflow(settings) if named else (None, "")


def by_file(settings):
    for section in ("database", "core"):
        url = settings.of_file(section, "sql_alchemy_conn") or output_of(settings.of_file(section, "sql_alchemy_conn_cmd"))
        if url:
            return url, "airflow.cfg"
    return None, ""


def by_airflow(settings):
    for section in ("database", "core"):
        lines = (output_of("airflow config get-value %s sql_alchemy_conn" % section) or "").splitlines()
        urls = [line.strip() for line in lines if re.match(r"\s*[a-z0-9+]+://", line)]
        if urls:
            return urls[-1], "airflow config get-value"
    return None, ""


def first(found):
    return next(((url, source) for url, source in found if url), (None, ""))


def output_of(command):
    """What a command prints, run as Airflow runs it: no shell, nothing on its input, its complaints unheard."""
    if not command:
        return None
    try:
        done = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=COMMAND_SECONDS)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def synchronous(url):
    """Drivers that need an event loop are replaced by the usual one."""
    scheme, mark, rest = url.strip().partition("://")
    return SYNCHRONOUS.get(scheme, scheme) + mark + rest


def airflow_version():
    """By the folder of the package's metadata: quicker than any way to import it."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            match = re.match(r"apache_airflow-([0-9][^-]*)(\.dist-info|-py.*\.egg-info|\.egg-info)\Z", name)
            if match:
                return match.group(1)
    return None


def backend_of(settings):
    backend = settings.get("core", "xcom_backend")
    return None if not backend or backend.endswith(".BaseXCom") else backend


def resolve(reply, settings, max_bytes):
    """Adds what lies in the object store, for values that are URLs below its configured path."""
    base = settings.get("common.io", "xcom_objectstorage_path")
    spent = sum(encoded_bytes(row["data"]) for row in reply["rows"])
    for row in reply["rows"] if base else []:
        url = url_in(row)
        if url is None or url.split("://")[0] != base.split("://")[0]:
            continue
        data, size, problem = fetch(url, base, max_bytes)
        spent += encoded_bytes(data)
        if spent > BUDGET_BYTES:
            data, problem, reply["truncated"] = None, "the answer is too large already", True
        row["resolved"] = {"url": url, "data": data, "bytes": size, "problem": problem}


def url_in(row):
    """The URL that the whole value is, in one or two layers of JSON."""
    value = row["data"] or b""
    for _ in range(2):
        try:
            inner = json.loads(value if isinstance(value, str) else value.decode("utf-8"))
        except ValueError:
            break
        value = inner
        if not isinstance(value, str):
            return None
    return value if isinstance(value, str) and re.match(r"[a-z][a-z0-9+.-]*://", value) else None


def fetch(url, base, max_bytes):
    """Bytes, length where it is known, and why not."""
    inside, root = place_of(url), place_of(base).rstrip("/")
    parts = inside[len(root) + 1:].split("/")
    if not inside.startswith(root + "/") or ".." in parts or "." in parts or "" in parts:
        return None, None, "the URL is not below the configured path"
    try:
        opened = open_file(root, inside) if url.startswith("file://") else open_object(base, "/".join(parts))
        with opened as stored, decompressed(stored, inside) as readable:
            data = readable.read(max_bytes + 1)
    except Exception as problem:
        return None, None, "cannot be read: " + type(problem).__name__
    return data[:max_bytes], len(data) if len(data) <= max_bytes else None, None


def place_of(url):
    """The URL without scheme and without the connection's id."""
    return re.sub(r"\A[^/@]*@", "", url.split("://", 1)[1])


def open_file(root, path):
    """A plain file that lies below the root when every link is followed."""
    real = os.path.realpath(path)
    if not real.startswith(os.path.realpath(root) + os.sep) or not stat.S_ISREG(os.stat(real).st_mode):
        raise PermissionError("outside")
    return open(real, "rb")


def open_object(base, rest):
    """By Airflow's own object storage, which knows the credentials."""
    try:
        from airflow.sdk import ObjectStoragePath
    except ImportError:
        from airflow.io.path import ObjectStoragePath
    return (ObjectStoragePath(base) / rest).open("rb")


def decompressed(stored, name):
    """By the suffix, as the backend writes it."""
    suffix = name.rsplit(".", 1)[-1]
    if suffix == "gz":
        import gzip
        return gzip.GzipFile(fileobj=stored)
    if suffix == "bz2":
        import bz2
        return bz2.BZ2File(stored)
    if suffix in ("xz", "lzma"):
        import lzma
        return lzma.LZMAFile(stored)
    if suffix in ("zst", "zstd"):
        import zstandard
        return zstandard.ZstdDecompressor().stream_reader(stored)
    return stored


if __name__ == "__main__":
    main()
