"""Fills PostgreSQL databases with XComs by running a real Airflow of each generation, and records them as test/fixtures/xcom-databases.

Python 3.9 or newer, standard library only; README.md beside it says what it needs and what it does.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, '..', '..', 'fixtures', 'xcom-databases')
POSTGRES = '/usr/lib/postgresql/15/bin'

# What pip resolved on a day shortly after the release: constraint files need another site, a date does not.
GENERATIONS = {
    '1.10': {'python': '3.8', 'date': '2021-03-20', 'pins': ['apache-airflow==1.10.15', 'psycopg2-binary<2.9', 'setuptools<57', 'sqlalchemy<1.4', 'wtforms<3', 'cattrs<1.1', 'marshmallow<3'], 'dags': 'dags-1-2'},
    '2.0': {'python': '3.8', 'date': '2021-04-25', 'pins': ['apache-airflow==2.0.2', 'psycopg2-binary', 'setuptools<57', 'sqlalchemy<1.4'], 'dags': 'dags-1-2'},
    '2.2': {'python': '3.8', 'date': '2022-04-10', 'pins': ['apache-airflow==2.2.5', 'psycopg2-binary', 'setuptools<58', 'sqlalchemy<1.4', 'flask-appbuilder<3.5'], 'dags': 'dags-1-2'},
    '2.11': {'python': '3.11', 'date': '2025-06-15', 'pins': ['apache-airflow==2.11.0', 'psycopg2-binary', 'pandas'], 'dags': 'dags-1-2'},
    '3.2': {'python': '3.11', 'date': None, 'pins': ['apache-airflow==3.2.1', 'apache-airflow-core==3.2.1', 'apache-airflow-task-sdk==1.2.1', 'apache-airflow-providers-standard==1.21.0', 'pydantic==2.12.5', 'fastapi<0.130', 'cadwyn<6.2',
                                                      'sqlalchemy<2.1', 'psycopg2-binary', 'asyncpg', 'apache-airflow-providers-postgres'], 'dags': 'dags-3'},
}
TABLES = ['alembic_version', 'dag', 'dag_run', 'task_instance', 'xcom', '_xcom_archive']
# Runs by conf. The reader's `latest` is the third, its `latest:success` the second.
PLAIN = [('manual__2021-03-01T06:00:00+00:00', '2021-03-01T06:00:00+00:00', {}), ('manual__2021-03-02T06:00:00+00:00', '2021-03-02T06:00:00+00:00', {'rich': True}), ('manual__2021-03-05T06:00:00+00:00', '2021-03-05T06:00:00+00:00', {'fail': True})]
PICKLED = [('manual__2021-02-20T06:00:00+00:00', '2021-02-20T06:00:00+00:00', {'rich': True}), ('manual__2021-02-21T06:00:00+00:00', '2021-02-21T06:00:00+00:00', {})]


class Airflow:
    """One installation with a database."""

    def __init__(self, name, options, url):
        self.name, self.generation, self.work = name, GENERATIONS[name], os.path.abspath(options.work)
        self.venv = os.path.abspath(options.airflow_3) if name == '3.2' and options.airflow_3 else os.path.join(self.work, 'venv-' + name)
        # The script's first line breaks when the folder was moved; 1.10 is no module that runs.
        self.command = [os.path.join(self.venv, 'bin', 'airflow')] if name == '1.10' else [os.path.join(self.venv, 'bin', 'python'), '-m', 'airflow']
        self.uv, self.url, self.port = options.uv, url, free_port()
        self.home = os.path.join(self.work, 'home-%s-%d' % (name, os.getpid()))
        self.started = []

    def install(self):
        """Installs it as of its day, once."""
        if os.path.exists(os.path.join(self.venv, 'bin', 'airflow')):
            return
        if shutil.which(self.uv) is None:
            self.uv = os.path.join(self.work, 'uv', 'bin', 'uv')
        if not os.path.exists(self.uv) and shutil.which(self.uv) is None:
            call([sys.executable, '-m', 'venv', os.path.join(self.work, 'uv')])
            call([os.path.join(self.work, 'uv', 'bin', 'python'), '-m', 'pip', 'install', '--quiet', 'uv'])
        call([self.uv, 'venv', '--quiet', '--python', self.generation['python'], self.venv])
        dated = ['--exclude-newer', self.generation['date']] if self.generation['date'] else []
        call([self.uv, 'pip', 'install', '--quiet', '--python', os.path.join(self.venv, 'bin', 'python')] + dated + self.generation['pins'])

    def environment(self, pickling=False):
        settings = {
            'CORE__EXECUTOR': 'LocalExecutor', 'CORE__LOAD_EXAMPLES': 'False', 'CORE__DAGS_FOLDER': os.path.join(HERE, self.generation['dags']), 'CORE__PARALLELISM': '4', 'CORE__DAGS_ARE_PAUSED_AT_CREATION': 'False',
            'CORE__ENABLE_XCOM_PICKLING': str(pickling), 'CORE__ALLOWED_DESERIALIZATION_CLASSES': 'airflow.* warehouse.*', 'CORE__SQL_ALCHEMY_CONN': self.url, 'DATABASE__SQL_ALCHEMY_CONN': self.url, 'SCHEDULER__SCHEDULER_HEARTBEAT_SEC': '1',
            'CORE__EXECUTION_API_SERVER_URL': 'http://127.0.0.1:%d/execution/' % self.port, 'CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS': 'True', 'API__HOST': '127.0.0.1', 'API__PORT': str(self.port),
            'API__BASE_URL': 'http://127.0.0.1:%d' % self.port, 'API_AUTH__JWT_SECRET': 'a-secret-of-the-recording-and-nothing-else', 'USAGE_DATA_COLLECTION__ENABLED': 'False', 'SCHEDULER__MIN_FILE_PROCESS_INTERVAL': '5',
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith(('AIRFLOW', 'PYTHON'))}
        return dict(clean, AIRFLOW_HOME=self.home, PATH=os.path.join(self.venv, 'bin') + ':' + os.environ['PATH'], PYTHONDONTWRITEBYTECODE='1', PYTHONWARNINGS='ignore', **{'AIRFLOW__' + key: value for key, value in settings.items()})

    def airflow(self, *args):
        call(self.command + list(args), self.environment())

    def start(self, program, pickling=False):
        log = open(os.path.join(self.home, program + '.log'), 'a')
        self.started.append(subprocess.Popen(self.command + [program], env=self.environment(pickling), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True))

    def stop(self):
        """Ends what was started, each with its children."""
        for process in self.started:
            for sign, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
                try:
                    os.killpg(process.pid, sign)
                    process.wait(seconds)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    pass
        self.started = []

    def fill(self):
        """Everything that is recorded: real runs, and for 3.2 what the REST API and the ORM write."""
        self.install()
        os.makedirs(self.home, exist_ok=True)
        old = self.name == '1.10'
        self.airflow(*(['initdb'] if old else ['db', 'init'] if self.name in ('2.0', '2.2') else ['db', 'migrate']))
        if self.name == '3.2':
            self.airflow('dags', 'reserialize')
            self.play(PLAIN + [('manual__undated', None, {})])
            self.write_otherwise()
            return
        self.play(PLAIN, pickling=False)
        self.play(PICKLED, pickling=True)

    def play(self, runs, pickling=False):
        """Triggers runs and waits for their ends."""
        try:
            for program in ['api-server', 'scheduler', 'dag-processor'] if self.name == '3.2' else ['scheduler']:
                self.start(program, pickling)
            self.until("SELECT count(*) FROM dag WHERE dag_id IN ('xcom_kinds', 'xcom_other')%s" % (' AND is_active' if self.name != '3.2' else ''), '2')
            if self.name not in ('1.10',):
                self.until('SELECT count(*) FROM serialized_dag', '2')
            for run_id, date, conf in runs:
                self.trigger(run_id, date, conf)
            self.until("SELECT count(*) FROM dag_run WHERE state IN ('queued', 'running')", '0')
        finally:
            self.stop()

    def trigger(self, run_id, date, conf):
        if date is None:
            self.post('dags/xcom_kinds/dagRuns', {'dag_run_id': run_id, 'logical_date': None, 'conf': conf})
        elif self.name == '3.2':
            self.airflow('dags', 'trigger', '--run-id', run_id, '--logical-date', date, '--conf', json.dumps(conf), 'xcom_kinds')
        else:
            self.airflow(*((['trigger_dag'] if self.name == '1.10' else ['dags', 'trigger']) + ['-r', run_id, '-e', date, '-c', json.dumps(conf), 'xcom_kinds']))

    def write_otherwise(self):
        """XComs that no task wrote: by the REST API, which encodes twice, and by the model."""
        run_id = PLAIN[0][0]
        try:
            self.start('api-server')
            self.until_answering()
            for key, value in [('by_api_object', {'a': [1, 2]}), ('by_api_list', [1, 'two']), ('by_api_text', 'plain'), ('by_api_digits', '123'), ('by_api_number', 123), ('by_api_null', None)]:
                self.post('dags/xcom_kinds/dagRuns/%s/taskInstances/say_nothing/xcomEntries' % urllib.request.quote(run_id), {'key': key, 'value': value, 'map_index': -1})
        finally:
            self.stop()
        call([os.path.join(self.venv, 'bin', 'python'), '-c', BY_MODEL, run_id], self.environment())

    def post(self, path, body):
        request = urllib.request.Request('http://127.0.0.1:%d/api/v2/%s' % (self.port, path), json.dumps(body).encode(), {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + self.token()})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self):
        with urllib.request.urlopen('http://127.0.0.1:%d/auth/token' % self.port, timeout=30) as answer:
            return json.load(answer)['access_token']

    def until_answering(self):
        def answers():
            try:
                return urllib.request.urlopen('http://127.0.0.1:%d/api/v2/version' % self.port, timeout=5).status == 200
            except OSError:
                return False
        wait_for(answers, 'the API server')

    def until(self, statement, wanted):
        wait_for(lambda: self.ask(statement) == wanted, statement)

    def ask(self, statement):
        """The first column of a statement's first row, by the driver of this Airflow."""
        return call([os.path.join(self.venv, 'bin', 'python'), '-c', ASK, self.url.replace('+psycopg2', ''), statement]).strip()

    def clear(self):
        """Takes its logs away; after a failure they stay."""
        shutil.rmtree(self.home, ignore_errors=True)

    def expect(self, path):
        """Writes what this Airflow reads in the database."""
        os.makedirs(self.home, exist_ok=True)
        call([os.path.join(self.venv, 'bin', 'python'), os.path.join(HERE, 'expectations.py'), path], self.environment())


ASK = 'import psycopg2, sys; cursor = psycopg2.connect(sys.argv[1]).cursor(); cursor.execute(sys.argv[2]); print(cursor.fetchone()[0])'

BY_MODEL = """
import datetime, decimal, sys
from airflow.models.xcom import XComModel
for key, value in [('by_model_object', {'a': {'b': 1}}), ('by_model_text', 'plain'), ('by_model_decimal', decimal.Decimal('2.50')), ('by_model_tuple', (1, 2)), ('by_model_date', datetime.datetime(2021, 3, 1, tzinfo=datetime.timezone.utc))]:
    XComModel.set(key=key, value=value, dag_id='xcom_kinds', task_id='say_nothing', run_id=sys.argv[1])
"""


def wait_for(holds, what, seconds=300):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit('record: waited %d s in vain for: %s' % (seconds, what))
        time.sleep(0.5)


def call(command, environment=None):
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    if done.returncode != 0:
        raise SystemExit('record: %s ended with %d:\n%s' % (' '.join(command[:4]), done.returncode, done.stdout.decode('utf-8', 'replace')[-4000:]))
    return done.stdout.decode()


def psql(url, statement):
    return call([POSTGRES + '/psql', '-X', '-A', '-t', '-d', url.replace('+psycopg2', ''), '-c', statement]).strip()


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


class Postgres:
    """A PostgreSQL 15 for the time of the recording; as root it runs as nobody."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.user = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups'] if os.getuid() == 0 else []

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o777)
        data = os.path.join(self.folder, 'data')
        call(self.user + [POSTGRES + '/initdb', '-D', data, '-U', 'airflow', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'])
        log = open(os.path.join(self.folder, 'log'), 'a')
        self.process = subprocess.Popen(self.user + [POSTGRES + '/postgres', '-D', data, '-k', self.folder, '-p', str(self.port), '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200', '-c', 'fsync=off', '-c', 'timezone=UTC'],
                                        stdout=log, stderr=log, start_new_session=True, cwd='/')
        wait_for(lambda: subprocess.run([POSTGRES + '/pg_isready', '-q', '-h', '127.0.0.1', '-p', str(self.port)]).returncode == 0, 'PostgreSQL')
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name):
        return 'postgresql+psycopg2://airflow@127.0.0.1:%d/%s' % (self.port, name)

    def create(self, name, template='template0'):
        psql(self.url('postgres'), 'CREATE DATABASE "%s" TEMPLATE "%s"' % (name, template))


def dump(url, path, told):
    """Writes the tables that a reader can touch, with the DDL that Airflow gave them, as one text of plain statements."""
    present = [table for table in TABLES if psql(url, "SELECT to_regclass('public.%s') IS NOT NULL" % table) == 't']
    for statement in neutral(url):
        psql(url, statement)
    wanted = [word for table in present for word in ('-t', 'public.' + table)]
    text = call([POSTGRES + '/pg_dump', '--no-owner', '--no-privileges', '--inserts', '--rows-per-insert=50'] + wanted + ['-d', url.replace('+psycopg2', '')])
    lines = [line for line in text.split('\n') if not re.match(r"(--|SET |SELECT pg_catalog\.set_config|\\)", line)]
    text = re.sub(r'\n{2,}', '\n', '\n'.join(lines)).strip() + '\n'
    with open(path, 'w') as file:
        file.write('-- Apache Airflow %s: tables and rows as its own runs left them on PostgreSQL 15; recorded by test/compat/xcom-reader/record.py.\n' % told)
        file.write(without_outside_keys(text, present))


def neutral(url):
    """What tells of the machine that recorded is put in the chart's words, and keys to tables that are not dumped go."""
    yield "UPDATE task_instance SET hostname = 'airflow-worker-0', unixname = 'airflow'"
    yield "UPDATE dag SET fileloc = '/opt/airflow/dags/' || regexp_replace(fileloc, '^.*/', '')"
    if psql(url, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'dag' AND column_name = 'processor_subdir'") == '1':
        yield "UPDATE dag SET processor_subdir = '/opt/airflow/dags'"


def without_outside_keys(text, present):
    """Foreign keys only among the tables that are there."""
    def keep(match):
        return match.group(0) if match.group(1) in present else ''
    return re.sub(r'ALTER TABLE ONLY public\.\w+\n    ADD CONSTRAINT [^;]* FOREIGN KEY [^;]* REFERENCES public\.(\w+)\([^;]*;\n', keep, text)


def upgrade(options, server, fixtures):
    """The database of 2.11 as Airflow 3.2.1 migrates it: pickled rows are in _xcom_archive then."""
    server.create('upgraded', template='g211')
    newer = Airflow('3.2', options, server.url('upgraded'))
    newer.install()
    os.makedirs(newer.home, exist_ok=True)
    newer.airflow('db', 'migrate')
    path = os.path.join(fixtures, '3.0-upgraded.json')
    newer.expect(path)
    tell_archived(path, os.path.join(fixtures, '2.11.json'))
    dump(newer.url, os.path.join(fixtures, '3.0-upgraded.sql'), '2.11.0 upgraded by 3.2.1')
    newer.clear()


def tell_archived(path, before):
    """Gives the rows of _xcom_archive the values that the older Airflow read."""
    identity = lambda row: tuple(row[name] for name in ('dag_id', 'run_id', 'task_id', 'map_index', 'key'))
    with open(before) as file:
        values = {identity(row): row['value'] for row in json.load(file)['xcoms']}
    with open(path) as file:
        told = json.load(file)
    for row in told['xcoms']:
        if row['table'] == '_xcom_archive':
            row['value'] = values[identity(row)]
    with open(path, 'w') as file:
        json.dump(told, file, indent=1, sort_keys=True, ensure_ascii=False)
        file.write('\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--work', required=True, help='folder for installations, kept for the next time')
    parser.add_argument('--airflow-3', help='virtual environment with Airflow 3.2.1 and psycopg2, asyncpg; made in --work unless given')
    parser.add_argument('--uv', default='uv', help='the program uv, which installs as of a date; installed in --work when it is missing')
    parser.add_argument('--database', help='fills this database of one generation instead of recording: a URL of SQLAlchemy')
    parser.add_argument('--expectations', help='with --database: where to write what Airflow reads')
    parser.add_argument('generation', nargs='*', choices=[[]] + list(GENERATIONS), help='all unless said; 2.11 brings 3.0-upgraded')
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    if options.database:
        one = Airflow(options.generation[0], options, options.database)
        one.fill()
        one.expect(os.path.abspath(options.expectations))
        one.clear()
        return
    fixtures = os.path.abspath(FIXTURES)
    os.makedirs(fixtures, exist_ok=True)
    with Postgres(os.path.join(os.path.abspath(options.work), 'postgres-%d' % os.getpid())) as server:
        for name in options.generation or list(GENERATIONS):
            began = time.monotonic()
            database = 'g' + name.replace('.', '')
            server.create(database)
            one = Airflow(name, options, server.url(database))
            one.fill()
            one.expect(os.path.join(fixtures, name + '.json'))
            if name == '2.11':
                upgrade(options, server, fixtures)
            with open(os.path.join(fixtures, name + '.json')) as file:
                dump(one.url, os.path.join(fixtures, name + '.sql'), json.load(file)['airflow'])
            one.clear()
            print('%s recorded in %d s' % (name, time.monotonic() - began), flush=True)


if __name__ == '__main__':
    sys.exit(main())
