// `leoflow lite` over its API: register, trigger, save, break, remove, and an end that leaves nothing behind.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'demo');
const place = temporaryFolder();
const home = join(place.path, 'home');
const dags = join(place.path, 'dags');
let lite: Running;
let url = '';
let token = '';

async function api<R>(method: string, path: string, body?: unknown): Promise<{ status: number; body: R }> {
  const response = await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? null : JSON.parse(text)) as R };
}

/** Asks until the answer fits; the deadline is generous because the machine may be busy. */
async function until<R>(ask: () => Promise<R>, fits: (answer: R) => boolean): Promise<R> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function runToEnd(dagId: string): Promise<{ dag_run_id: string; state: string }> {
  const made = await api<{ dag_run_id: string }>('POST', `/api/v2/dags/${dagId}/dagRuns`, { logical_date: null });
  assert.equal(made.status, 200);
  const path = `/api/v2/dags/${dagId}/dagRuns/${encodeURIComponent(made.body.dag_run_id)}`;
  return (await until(() => api<{ dag_run_id: string; state: string }>('GET', path), (answer) => ['success', 'failed'].includes(answer.body.state))).body;
}

async function logIn(password: string): Promise<void> {
  const answer = await fetch(`${url}/auth/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: 'admin', password }) });
  assert.equal(answer.status, 201);
  token = ((await answer.json()) as { access_token: string }).access_token;
}

async function start(): Promise<void> {
  lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home]);
  url = (await lite.until('ready http')).replace('ready ', '').trim();
  await logIn(readFileSync(join(home, 'admin-password'), 'utf8').trim());
}

before(async () => {
  mkdirSync(dags);
  copyFileSync(join(EXAMPLES, 'branch_retry_join.py'), join(dags, 'branch_retry_join.py'));
  await start();
});
after(async () => {
  await lite.stop();
  place.remove();
});

describe('lite', () => {
  test('the password and the token are readable by their owner only', () => {
    for (const name of ['admin-password', 'token']) assert.equal(statSync(join(home, name)).mode & 0o777, 0o600);
  });

  test('a DAG is triggered over the API and finishes; its log and XComs are there', async () => {
    const run = await runToEnd('branch_retry_join');
    assert.equal(run.state, 'success');
    const path = `/api/v2/dags/branch_retry_join/dagRuns/${encodeURIComponent(run.dag_run_id)}/taskInstances`;
    const log = await api<{ content: { event: string }[] }>('GET', `${path}/flaky/logs/2`);
    assert.ok(log.body.content.some((message) => message.event === 'try 2'));
    const xcom = await api<{ value: string }>('GET', `${path}/flaky/xcomEntries/return_value`);
    assert.equal(xcom.body.value, 'succeeded on try 2');
    const tries = await api<{ task_instances: { try_number: number; state: string }[] }>('GET', `${path}/flaky/tries`);
    assert.deepEqual(tries.body.task_instances.map((one) => [one.try_number, one.state]), [[1, 'failed'], [2, 'success']]);
  });

  test('a saved file is a new version; a broken one leaves the old version in use and names file and line', async () => {
    const file = join(dags, 'branch_retry_join.py');
    const good = readFileSync(file, 'utf8');
    writeFileSync(file, good.replace('tags=["demo"]', 'tags=["demo", "saved"]'));
    type Versions = { dag_versions: { version_number: number }[]; total_entries: number };
    await until(() => api<Versions>('GET', '/api/v2/dags/branch_retry_join/dagVersions'), (answer) => answer.body.total_entries === 2);
    writeFileSync(file, `${good}\ndef broken(:\n`);
    type Errors = { import_errors: { filename: string; stack_trace: string }[] };
    const errors = await until(() => api<Errors>('GET', '/api/v2/importErrors'), (answer) => answer.body.import_errors.length === 1);
    assert.match(errors.body.import_errors[0]?.stack_trace ?? '', /branch_retry_join\.py:\d+:\d+: SyntaxError/);
    assert.equal((await runToEnd('branch_retry_join')).state, 'success');
    // The first content again: the same version, current again.
    writeFileSync(file, good);
    await until(() => api<Errors>('GET', '/api/v2/importErrors'), (answer) => answer.body.import_errors.length === 0);
    assert.equal((await api<Versions>('GET', '/api/v2/dags/branch_retry_join/dagVersions')).body.total_entries, 2);
  });

  test('a run goes on with the version that it began with, whatever is saved meanwhile', async () => {
    const gate = join(place.path, 'gate');
    const text = (answer: string): string => `import os, time\nfrom airflow.sdk import DAG, task\nwith DAG("swapped", schedule=None):\n    @task\n    def wait():\n        while not os.path.exists(${JSON.stringify(gate)}): time.sleep(0.02)\n    @task\n    def say(): return "${answer}"\n    wait() >> say()\n`;
    const path = '/api/v2/dags/swapped/dagRuns';
    const stateOf = (run: string, task: string) => () => api<{ state: string }>('GET', `${path}/${run}/taskInstances/${task}`);
    const said = async (run: string): Promise<unknown> => (await api<{ value: unknown }>('GET', `${path}/${run}/taskInstances/say/xcomEntries/return_value`)).body.value;
    writeFileSync(join(dags, 'swapped.py'), text('old'));
    await until(() => api('GET', '/api/v2/dags/swapped'), (answer) => answer.status === 200);
    await api('POST', path, { logical_date: null, dag_run_id: 'before' });
    await until(stateOf('before', 'wait'), (answer) => answer.body.state === 'running');
    writeFileSync(join(dags, 'swapped.py'), text('new'));
    await until(() => api<{ total_entries: number }>('GET', '/api/v2/dags/swapped/dagVersions'), (answer) => answer.body.total_entries === 2);
    await api('POST', path, { logical_date: null, dag_run_id: 'after' });
    writeFileSync(gate, '');
    for (const run of ['before', 'after']) await until(stateOf(run, 'say'), (answer) => answer.body.state === 'success');
    assert.deepEqual([await said('before'), await said('after')], ['old', 'new']);
    rmSync(join(dags, 'swapped.py'));
    await until(() => api<{ dags: { dag_id: string }[] }>('GET', '/api/v2/dags'), (answer) => !answer.body.dags.some((dag) => dag.dag_id === 'swapped'));
  });

  test('a new file appears, an imported module is watched, a removed file disappears', async () => {
    writeFileSync(join(dags, 'shared_part.py'), 'NAME = "first"\n');
    writeFileSync(join(dags, 'late.py'), 'from airflow.sdk import DAG\nfrom airflow.operators.empty import EmptyOperator\nfrom shared_part import NAME\nwith DAG("late", schedule=None):\n    EmptyOperator(task_id=NAME)\n');
    const task = (): Promise<{ status: number; body: { tasks?: { task_id: string }[] } }> => api('GET', '/api/v2/dags/late/tasks');
    await until(task, (answer) => answer.body.tasks?.[0]?.task_id === 'first');
    writeFileSync(join(dags, 'shared_part.py'), 'NAME = "second"\n');
    await until(task, (answer) => answer.body.tasks?.[0]?.task_id === 'second');
    rmSync(join(dags, 'late.py'));
    for (const id of ['below_one', 'below_two']) {
      // A folder that was removed and made anew, as git does it.
      rmSync(join(dags, 'below'), { recursive: true, force: true });
      mkdirSync(join(dags, 'below'));
      writeFileSync(join(dags, 'below', 'b.py'), `from airflow.sdk import DAG\nwith DAG("${id}", schedule=None): pass\n`);
      await until(() => api<{ dags: { dag_id: string }[] }>('GET', '/api/v2/dags'), (answer) => answer.body.dags.some((dag) => dag.dag_id === id));
    }
    rmSync(join(dags, 'below'), { recursive: true });
    type Dags = { dags: { dag_id: string }[] };
    await until(() => api<Dags>('GET', '/api/v2/dags'), (answer) => !answer.body.dags.some((dag) => dag.dag_id === 'late' || dag.dag_id === 'below_two'));
  });

  test('remote commands find it through the home folder', async () => {
    const listed = await leoflow(home, ['dags', 'list', '--json']);
    assert.deepEqual((JSON.parse(listed.out) as { dag_id: string }[]).map((dag) => dag.dag_id), ['branch_retry_join']);
    const explained = await leoflow(home, ['tasks', 'explain', 'branch_retry_join', 'latest', 'not_taken']);
    assert.match(explained.out, /not chosen by choose/);
  });

  test('a second one on the same home folder is refused, and a port in use too', async () => {
    const second = await leoflow(home, ['lite', dags, '--home', home]);
    assert.match(second.err, /runs in this home folder already/);
    assert.equal(second.code, 75);
    const other = temporaryFolder();
    const busy = await leoflow(other.path, ['lite', dags, '--port', new URL(url).port, '--home', other.path]);
    other.remove();
    assert.match(busy.err, /is in use/);
    assert.equal(busy.code, 69);
  });

  test('killed without warning, the next one takes over: running tasks are not lost', async () => {
    writeFileSync(join(dags, 'slow.py'), 'from airflow.sdk import DAG, task\nimport time\nwith DAG("slow", schedule=None):\n    @task\n    def wait():\n        time.sleep(3)\n        return "done"\n    wait()\n');
    await until(() => api('GET', '/api/v2/dags/slow'), (answer) => answer.status === 200);
    const made = await api<{ dag_run_id: string }>('POST', '/api/v2/dags/slow/dagRuns', { logical_date: null });
    const path = `/api/v2/dags/slow/dagRuns/${encodeURIComponent(made.body.dag_run_id)}`;
    await until(() => api<{ task_instances: { state: string }[] }>('GET', `${path}/taskInstances`), (answer) => answer.body.task_instances[0]?.state === 'running');
    await lite.stop('SIGKILL');
    await start();
    await until(() => api<{ state: string }>('GET', path), (answer) => answer.body.state === 'success');
    const tries = await api<{ task_instances: { try_number: number }[] }>('GET', `${path}/taskInstances/wait/tries`);
    assert.deepEqual(tries.body.task_instances.map((one) => one.try_number), [1]);
  });

  test('SIGTERM ends it within 10 s with nothing left running', async () => {
    const started = performance.now();
    assert.equal(await lite.stop(), 0);
    assert.ok(performance.now() - started < 10_000);
    assert.equal(existsSync(join(home, 'server.json')), false);
    const ps = readFileSync(join(home, 'postgres', 'data', 'PG_VERSION'), 'utf8');
    assert.ok(ps.length > 0);
    assert.equal(existsSync(join(home, 'postgres', 'data', 'postmaster.pid')), false);
    await start();
  });
});
