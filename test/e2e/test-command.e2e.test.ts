// `leoflow test`: tasks tried out in a terminal, with given values, a debugger, and nothing kept.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const home = temporaryFolder();
const files = temporaryFolder();
after(() => {
  home.remove();
  files.remove();
});

const ETL = join(files.path, 'etl.py');
writeFileSync(ETL, `
from datetime import timedelta
from airflow.sdk import DAG, task, Param, Variable, BaseHook
from airflow.providers.standard.operators.bash import BashOperator

with DAG("etl", schedule=None, params={"n": Param(3, type="integer")}):
    @task
    def extract(params=None):
        print("extracting", params["n"])
        return list(range(params["n"]))

    @task(retries=1, retry_delay=timedelta(minutes=5))
    def double(x, ti=None):
        if x == 1 and ti.try_number == 1:
            raise ValueError("unlucky")
        return x * 2

    @task
    def secret():
        return [Variable.get("greeting"), BaseHook.get_connection("db").host]

    total = double.expand(x=extract())
    total >> BashOperator(task_id="say", bash_command="echo on {{ ds }}") >> secret()
`);

const inputs = ['--var', 'greeting=hello', '--conn', 'db=postgres://u:p@h.example:5432/x'];

describe('a whole DAG', () => {
  const temporary = join(files.path, 'temporary');
  mkdirSync(temporary);
  const how = { env: { TMPDIR: temporary } };

  test('runs task by task with retries and mapping, and shows what was printed and pushed', async () => {
    const done = await leoflow(home.path, ['test', ETL, '--date', '2026-01-31', ...inputs], how);
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /^extracting 3$/m);
    assert.match(done.out, /✗ double\[1\] {2}failed, another try follows .*ValueError: unlucky/);
    assert.match(done.out, /✓ double\[1\] {2}success .*try 2/);
    assert.match(done.out, /say\.return_value = "on 2026-01-31"/);
    assert.match(done.out, /secret\.return_value = \["hello","h\.example"\]/);
    assert.match(done.out, /^etl: success$/m);
    assert.match(done.err, /the wait of 5 min 0 s before the next try is left out/);
    assert.doesNotMatch(done.out, /python\/leoflow\//, 'frames of ours are no help to an author');
  });

  test('ends with 1 when the run failed', async () => {
    const done = await leoflow(home.path, ['test', ETL, '--date', '2026-01-31'], how);
    assert.equal(done.code, 1);
    assert.match(done.out, /✗ secret {2}failed/);
  });

  test('leaves nothing behind', () => {
    assert.deepEqual(readdirSync(temporary), []);
  });
});

describe('variables and connections', () => {
  const project = temporaryFolder();
  after(() => project.remove());
  writeFileSync(join(project.path, 'leoflow.yaml'), 'variables: [mine_*]\nconnections: [db]\n');
  writeFileSync(join(project.path, 'uses.py'), `
from airflow.sdk import DAG, task, Variable, BaseHook

with DAG("uses"):
    @task
    def change():
        Variable.set("mine_a", "new")
        Variable.delete("mine_b")
        return Variable.get("mine_a")

    @task
    def look():
        return [Variable.get("mine_a"), Variable.get("mine_b", default="gone"), BaseHook.get_connection("db").host]

    @task
    def reads_other():
        return Variable.get("other")

    @task
    def sets_other():
        Variable.set("other", "x")

    @task
    def connects():
        return BaseHook.get_connection("elsewhere").host

    change() >> look()
    reads_other()
    sets_other()
    connects()
`);

  test('changes are seen by the tasks that follow, and what leoflow.yaml does not name is refused as a server refuses it', async () => {
    const given = ['--var', 'mine_a=old', '--var', 'mine_b=old', '--var', 'other=o', '--conn', 'db=http://h', '--conn', 'elsewhere=http://e'];
    const done = await leoflow(home.path, ['test', join(project.path, 'uses.py'), ...given]);
    assert.match(done.out, /look\.return_value = \["new","gone","h"\]/, done.out + done.err);
    for (const task of ['reads_other', 'sets_other']) assert.match(done.out, new RegExp(`✗ ${task} .*the DAG uses may not use the variable other: variables in its leoflow.yaml do not name it`));
    assert.match(done.out, /✗ connects .*may not use the connection elsewhere: connections in its leoflow.yaml do not name it/);
    assert.equal(done.code, 1);
  });
});

describe('one task', () => {
  test('of a mapped one: every index, or one', async () => {
    const all = await leoflow(home.path, ['test', ETL, 'double', '--xcom', 'extract=[4,5]']);
    assert.deepEqual([...all.out.matchAll(/return_value = (\d+)/g)].map((match) => match[1]), ['8', '10']);
    const one = await leoflow(home.path, ['test', ETL, 'double', '--xcom', 'extract=[4,5]', '--map-index', '1']);
    assert.deepEqual([...one.out.matchAll(/return_value = (\d+)/g)].map((match) => match[1]), ['10']);
  });

  test('a value that is missing is named with how to give it', async () => {
    const done = await leoflow(home.path, ['test', ETL, 'double']);
    assert.equal(done.code, 65);
    assert.match(done.err, /mapped over extract\n.*--xcom 'extract=\[…\]'/);
  });

  test('values come from a file', async () => {
    const path = join(files.path, 'with.yaml');
    writeFileSync(path, 'params: {n: 2}\nvariables: {greeting: moin}\nconnections:\n  db: {conn_type: postgres, host: from-file}\n');
    const secret = await leoflow(home.path, ['test', ETL, 'secret', '--with', path]);
    assert.match(secret.out, /\["moin","from-file"\]/);
    assert.match((await leoflow(home.path, ['test', ETL, 'extract', '--with', path])).out, /^extracting 2$/m);
  });

  test('--debug stops in the function, with the keyboard', async () => {
    const done = await leoflow(home.path, ['test', ETL, 'double', '--xcom', 'extract=[7]', '--debug'], { input: 'p x + 100\nc\n' });
    assert.match(done.out, /\(Pdb\) 107/);
    assert.match(done.out, /return_value = 14/);
  });

  test('a secret that a task prints is masked as in a log', async () => {
    const path = join(files.path, 'prints.py');
    writeFileSync(path, 'from airflow.sdk import DAG, task, BaseHook\nwith DAG("prints", schedule=None):\n    @task\n    def show():\n        print("it is", BaseHook.get_connection("db").password)\n        raise ValueError(BaseHook.get_connection("db").password)\n    show()\n');
    const done = await leoflow(home.path, ['test', path, '--conn', 'db=postgres://u:planted-s3cret@h/x']);
    assert.match(done.out, /^it is \*\*\*$/m);
    assert.doesNotMatch(done.out + done.err, /planted-s3cret/);
  });

  test('a value for no task, and one that begins as JSON and is none, are refused', async () => {
    const [stranger, broken] = await Promise.all([leoflow(home.path, ['test', ETL, 'double', '--xcom', 'extrct=[1]']), leoflow(home.path, ['test', ETL, 'double', '--xcom', 'extract=[1,'])]);
    assert.match(stranger.err, /etl has no task extrct \(did you mean extract\?\)/);
    assert.match(broken.err, /--xcom …=\[1, is no JSON/);
  });

  test('a file of the project that is named as a module of Python’s own disturbs nobody', async () => {
    writeFileSync(join(files.path, 'json.py'), 'WORD = 1\n');
    writeFileSync(join(files.path, 'other.py'), 'from airflow.sdk import DAG, task\nwith DAG("other", schedule=None):\n    @task\n    def a(): return 1\n    a()\n');
    for (const command of ['test', 'run']) {
      const done = await leoflow(home.path, [command, join(files.path, 'other.py')]);
      assert.equal(done.code, 0, done.err);
    }
  });

  test('an unknown task, params that do not fit and an unknown key are refused', async () => {
    const [task, params] = await Promise.all([leoflow(home.path, ['test', ETL, 'doubel']), leoflow(home.path, ['test', ETL, 'extract', '--params', '{"n": "x"}'])]);
    assert.match(task.err, /no task doubel \(did you mean double\?\)/);
    assert.match(params.err, /Invalid input for param n/);
    const path = join(files.path, 'wrong.yaml');
    writeFileSync(path, 'xcom: {a: 1}\n');
    assert.match((await leoflow(home.path, ['test', ETL, 'extract', '--with', path])).err, /unknown key xcom\n.*xcoms/);
  });
});
