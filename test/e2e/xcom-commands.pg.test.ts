// The XCom reader's other commands and ways in: watch, diff, table, doctor, profiles, port-forward, the REST API, the tool server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import type { XComPull } from '#contract/xcom-reader.ts';
import { testApi } from '../support/api.ts';
import { type CliResult, leoflow, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { type KubectlStandIn, prepareContainerPython, prepareKubectl, schedulerPod } from '../support/kubectl.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../support/rows.ts';
import { inDatabase, loadXComDatabase, makeSqliteXComDatabase, type XComDatabase } from '../support/xcom-databases.ts';
import { readSigningKey, signToken } from '#api/auth/tokens.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PROBE_PYTHON = join(ROOT, '.venv-probe', 'bin', 'python');
const folder = temporaryFolder();
const sqlite = join(folder.path, 'airflow.db');
let url = '';
let recorded: XComDatabase;
let kubectl: KubectlStandIn;

before(async () => {
  url = makeSqliteXComDatabase(sqlite).airflowUrl;
  recorded = await loadXComDatabase('3.2');
  const environment = { ...prepareContainerPython(join(folder.path, 'pod'), PROBE_PYTHON), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: recorded.airflowUrl };
  kubectl = prepareKubectl({ pods: [schedulerPod(environment)], services: { 'airflow-postgresql': { 5432: recorded.target } } }, { python: join(ROOT, '.venv', 'bin', 'python') });
});

after(() => {
  kubectl.remove();
  folder.remove();
});

const LOCAL = (): string[] => ['--transport', 'dsn', '--python', PROBE_PYTHON];
const xcom = (args: readonly string[], how: { env?: Record<string, string>; cwd?: string } = {}): Promise<CliResult> => leoflow(folder.path, ['xcom', ...args], { env: { LEOFLOW_READER_URL: url, XDG_CONFIG_HOME: join(folder.path, 'config'), ...how.env }, ...(how.cwd === undefined ? {} : { cwd: how.cwd }) });

function fine(done: CliResult): string {
  assert.equal(done.code, 0, done.err);
  return done.out;
}

describe('over runs', () => {
  const airflow = (): string[] => ['--kubectl', kubectl.program, '--dag-id', 'xcom_kinds'];
  const runs = (): string[] => recorded.recorded.runs.filter((run) => run.state === 'success' && run.logical_date !== null).map((run) => run.run_id);

  test('diff says what changed, value by value', async () => {
    const [newer = '', older = ''] = runs();
    await inDatabase(recorded.url, "update xcom set value = '0.95' where task_id = 'train' and key = 'auc' and run_id = $1", [newer]);
    const out = fine(await xcom(['diff', ...airflow(), '--task-id', 'train', older, newer]));
    assert.match(out, /~ train\.auc\n {4}\$ {2}0\.9\d+ → 0\.95 {2}\(\+0\.\d+\)\n/);
    const { differences } = JSON.parse(fine(await xcom(['diff', ...airflow(), '--task-id', 'train', '--json', older, newer]))) as { differences: { kind: string; key: string }[] };
    assert.ok(differences.every((one) => one.kind === 'changed') && differences.length > 0);
    assert.match(fine(await xcom(['diff', ...airflow(), newer, newer])), /no difference, \d+ are the same/);
    assert.equal((await xcom(['diff', ...airflow(), '--task-id', 'train', '--exit-code', older, newer])).code, 1);
    assert.equal((await xcom(['diff', ...airflow(), 'nope', newer])).code, 2);
  });

  test('a table over runs, over map indexes, as CSV and as a plot', async () => {
    const [newer = '', older = ''] = runs();
    const csv = fine(await xcom(['table', ...airflow(), '--task-id', 'train', '--key', 'auc', '--state', 'success', '--csv'])).trimEnd().split('\r\n');
    assert.equal(csv[0], 'run_id,train.auc');
    assert.deepEqual(csv.filter((line) => line.startsWith('manual__2021')).map((line) => line.split(',')[0]), [older, newer], 'old to new');
    const mapped = JSON.parse(fine(await xcom(['table', ...airflow(), '--run-id', newer, '--task-id', 'score', '--path', '.auc', '--json']))) as { pivot: string; rows: { label: string; cells: number[] }[] };
    assert.deepEqual([mapped.pivot, mapped.rows.map((row) => row.label)], ['map_index', mapped.rows.map((_, index) => String(index))]);
    assert.match(fine(await xcom(['table', ...airflow(), '--run-id', newer, '--task-id', 'score', '--path', '.auc', '--plot'])), /^score\.return_value\n0\.84 ┤ +●$/m);
  });
});

test('watch prints what is new until the run has ended', async () => {
  const database = new DatabaseSync(sqlite, { enableForeignKeyConstraints: false });
  database.exec("insert into dag_run (id, dag_id, run_id, run_type, state, logical_date, run_after) values (9, 'xcom_kinds', 'going_on', 'manual', 'running', '2022-01-01 00:00:00', '2022-01-01 00:00:00')");
  const add = (key: string, value: number): unknown => database.prepare("insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp) values (9, 'xcom_kinds', 'going_on', 'fit', -1, ?, ?, '2022-01-01 00:00:01')").run(key, String(value));
  add('loss', 3);
  const watching = startLeoflow(folder.path, ['xcom', 'pull', ...LOCAL(), '--dag-id', 'xcom_kinds', '--run-id', 'latest', '--key', '*', '--watch', '--interval', '1'], { LEOFLOW_READER_URL: url });
  const ended = once(watching.child, 'close');
  await watching.until('+ fit.loss  3');
  add('auc', 0.9);
  await watching.until('+ fit.auc  0.9');
  database.exec("update xcom set value = '2' where key = 'loss' and dag_run_id = 9");
  await watching.until('~ fit.loss  2');
  database.exec("update dag_run set state = 'failed' where id = 9");
  await watching.until('going_on ended: failed');
  assert.deepEqual((await ended) as unknown[], [0, null]);
  database.exec('delete from xcom where dag_run_id = 9; delete from dag_run where id = 9');
  database.close();
});

describe('where it reads', () => {
  test('flags win over the environment, that over a profile, that over leoflow.yaml', async () => {
    mkdirSync(join(folder.path, 'config', 'leoflow'), { recursive: true });
    mkdirSync(join(folder.path, 'project', '.git'), { recursive: true });
    writeFileSync(join(folder.path, 'project', 'leoflow.yaml'), 'xcom_reader: {namespace: of-the-project, selector: "a=project"}\n');
    writeFileSync(join(folder.path, 'config', 'leoflow', 'reader.yaml'), 'default: prod\nprofiles:\n  prod: {selector: a=profile}\n  old: {selector: a=old, timeout: 5}\n');
    const asked = async (args: readonly string[], env: Record<string, string> = {}): Promise<string> => (await xcom(['pull', '--dag-id', 'a', '--run-id', 'b', ...args], { cwd: join(folder.path, 'project'), env: { LEOFLOW_READER_KUBECTL: kubectl.program, ...env } })).err;
    assert.match(await asked([]), /no pod matches a=profile in namespace of-the-project/);
    assert.match(await asked(['--profile', 'old']), /no pod matches a=old in/);
    assert.match(await asked([], { LEOFLOW_READER_SELECTOR: 'a=environment' }), /no pod matches a=environment in/);
    assert.match(await asked(['--selector', 'a=flag', '--namespace', 'airflow'], { LEOFLOW_READER_SELECTOR: 'a=environment' }), /no pod matches a=flag in namespace airflow/);
    assert.match(await asked(['--profile', 'prodd']), /there is no profile prodd in .*did you mean prod/);
    writeFileSync(join(folder.path, 'config', 'leoflow', 'reader.yaml'), 'default: prod\nprofiles:\n  prod: {selektor: a=b, timeout: soon}\n');
    assert.match(await asked([]), /profiles\.prod\.selektor: no such key \(did you mean selector\??\)\n.*profiles\.prod\.timeout: expected a number of seconds/);
    writeFileSync(join(folder.path, 'config', 'leoflow', 'reader.yaml'), 'profiles:\n  there: {transport: api, server: "http://127.0.0.1:9", timeout: 2}\n');
    assert.match(await asked(['--profile', 'there']), /http:\/\/127\.0\.0\.1:9 does not answer/);
    assert.match(await asked(['--profile', 'there'], { LEOFLOW_READER_TRANSPORT: 'exec' }), /no pod matches/, 'the default can be asked for');
    writeFileSync(join(folder.path, 'config', 'leoflow', 'reader.yaml'), '');
    for (const said of ['kubectl: ./mine', 'transport: api', 'server: "http://x"', 'python: ./mine']) {
      writeFileSync(join(folder.path, 'project', 'leoflow.yaml'), `xcom_reader: {${said}}\n`);
      assert.match(await asked([]), /a project may not say this/, 'a repository chooses no program and no server');
    }
  });

  test('through a forwarded port, with the URL in the environment alone', async () => {
    const name = /\/([^/?]+)(\?|$)/.exec(recorded.airflowUrl)?.[1] ?? '';
    const who = /\/\/([^@]*)@/.exec(recorded.airflowUrl)?.[1] ?? '';
    const done = await xcom(['pull', '--kubectl', kubectl.program, '--transport', 'port-forward', '--forward-to', 'svc/airflow-postgresql:5432', '--python', PROBE_PYTHON, '--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'train', '--json'], { env: { LEOFLOW_READER_URL: `postgresql+psycopg2://${who}@db.internal:5432/${name}` } });
    const pull = JSON.parse(fine(done)) as XComPull;
    assert.deepEqual([pull.source.transport, pull.source.target], ['port-forward', `svc/airflow-postgresql:5432/${name}`]);
    assert.ok(!JSON.stringify(kubectl.readCalls()).includes('db.internal'));
  });

  test('through the REST API, with the same output', async () => {
    const api = await testApi();
    const server = await api.app.listen({ host: '127.0.0.1', port: 0 });
    const token = await signToken(await readSigningKey(api.database, { LEOFLOW_JWT_SECRET: null }), { name: 'ann', role: 'viewer' }, 600);
    await addDag(api.database, dagOf('etl', [task('extract')], {}));
    const run = await addRun(api.database, { dagId: 'etl', runId: 'r1', state: 'success' });
    await addInstance(api.database, { run, taskId: 'extract', state: 'success' });
    await addXCom(api.database, { run, taskId: 'extract', key: 'return_value', value: '{"n": 12345678901234567890}' });
    const ask = (...args: string[]): Promise<CliResult> => xcom(['pull', '--transport', 'api', '--server', server, '--dag-id', 'etl', '--json', ...args], { env: { LEOFLOW_READER_TOKEN: token } });
    const out = fine(await ask('--run-id', 'latest'));
    assert.match(out, /"value": \{\n +"n": 12345678901234567890\n/);
    assert.deepEqual((JSON.parse(out) as XComPull).xcoms.map((one) => [one.run_id, one.task_id, one.key, one.storage, one.encoding]), [['r1', 'extract', 'return_value', 'api', 'json']]);
    assert.match((await ask('--run-id', 'nope')).err, /has no run nope; its last ones are r1 \(success\)/);
    assert.match((await ask('--run-id', 'r1', '--key', 'nope')).err, /key nope was not pushed .*pushed were return_value/);
    assert.equal((await xcom(['pull', '--transport', 'api', '--server', server, '--dag-id', 'etl', '--run-id', 'r1'], { env: { LEOFLOW_READER_TOKEN: 'wrong' } })).code, 3);
    assert.equal((await xcom(['pull', '--transport', 'api', '--server', 'http://127.0.0.1:9', '--dag-id', 'etl', '--run-id', 'r1'])).code, 4);
    await api.app.close();
  });

  test('through the REST API of Airflow 2, with a password', async () => {
    const asked: string[] = [];
    const answers: Record<string, unknown> = {
      '/api/v1/dags/etl/dagRuns/r1': { dag_run_id: 'r1', state: 'success', run_type: 'manual', logical_date: '2024-01-01T00:00:00+00:00', start_date: null, end_date: null },
      '/api/v1/dags/etl/dagRuns/r1/taskInstances/~/xcomEntries': { xcom_entries: [{ key: 'return_value', task_id: 'extract', map_index: -1, timestamp: '2024-01-01T00:00:01+00:00' }, { key: 'note', task_id: 'extract', map_index: -1, timestamp: '2024-01-01T00:00:01+00:00' }], total_entries: 2 },
      '/api/v1/dags/etl/dagRuns/r1/taskInstances/extract/xcomEntries/return_value': { value: { rows: 3 } },
    };
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '', 'http://x').pathname;
      asked.push(`${path} ${request.headers.authorization ?? '-'}`);
      const answer = answers[path];
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const out = fine(await xcom(['pull', '--transport', 'api', '--server', `http://127.0.0.1:${port}`, '--dag-id', 'etl', '--run-id', 'r1', '--json'], { env: { LEOFLOW_READER_USER: 'ann', LEOFLOW_READER_PASSWORD: 'secret' } }));
    assert.deepEqual((JSON.parse(out) as XComPull).xcoms.map((one) => [one.task_id, one.key, one.value]), [['extract', 'return_value', { rows: 3 }]]);
    assert.ok(asked.at(-1)?.endsWith(`Basic ${Buffer.from('ann:secret').toString('base64')}`));
    server.close();
  });

  test('a transport that lacks something says what', async () => {
    for (const [args, message] of [[['--transport', 'dsn'], /needs a connection URL\n.*LEOFLOW_READER_URL/], [['--transport', 'api'], /needs an address/], [['--transport', 'port-forward'], /needs a target/]] as const) {
      const done = await xcom(['pull', '--dag-id', 'a', '--run-id', 'b', ...args], { env: { LEOFLOW_READER_URL: '' } });
      assert.deepEqual([done.code, message.test(done.err)], [2, true], done.err);
    }
  });
});

test('doctor, rbac, probe and explain', async () => {
  const doctor = fine(await xcom(['doctor', '--kubectl', kubectl.program]));
  assert.match(doctor, /^ok +cluster +you may create pods\/exec$/m);
  assert.match(doctor, /^warning +read-only +the role may write \(/m);
  assert.match(doctor, /^ok +schema +3\.0 on postgresql, connection from AIRFLOW__DATABASE__SQL_ALCHEMY_CONN$/m);
  assert.match(fine(await xcom(['rbac', '--namespace', 'flow', '--user', 'jane@example.com'])), /resources: \[pods\/exec\], verbs: \[create, get\]/);
  assert.match(fine(await xcom(['probe'])), /SET TRANSACTION READ ONLY/);
  const explained = fine(await xcom(['pull', '--kubectl', kubectl.program, '--dag-id', 'xcom_kinds', '--run-id', 'latest', '--explain']));
  assert.match(explained, /SELECT[\s\S]*LEFT JOIN xcom/);
  assert.ok(!explained.includes('xcom_kinds'), 'values are bound');
});

test('the script that needs only Python and kubectl says the same', async () => {
  const script = join(folder.path, 'xcom-pull.py');
  writeFileSync(script, fine(await xcom(['probe', '--standalone'])));
  const args = ['--kubectl', kubectl.program, '--dag-id', 'xcom_kinds', '--run-id', 'latest:success', '--task-id', 'extract', '--key', 'return_value', '--json'];
  const child = spawn(join(ROOT, '.venv', 'bin', 'python'), [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (out += text));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0);
  const ours = JSON.parse(fine(await xcom(['pull', ...args]))) as XComPull;
  assert.deepEqual((JSON.parse(out) as XComPull).xcoms, ours.xcoms);
});

test('agents get it as tools', async () => {
  const server = spawn(join(ROOT, 'bin', 'leoflow'), ['xcom', 'mcp', '--kubectl', kubectl.program], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, LEOFLOW_HOME: folder.path } });
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  const ask = async (id: number, method: string, params: unknown): Promise<Record<string, unknown>> => {
    server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    return (JSON.parse((await lines.next()).value ?? 'null') as { result: Record<string, unknown> }).result;
  };
  await ask(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } });
  server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
  const { tools } = (await ask(2, 'tools/list', {})) as unknown as { tools: { name: string; annotations: { readOnlyHint: boolean } }[] };
  assert.deepEqual(tools.map((tool) => [tool.name, tool.annotations.readOnlyHint]), [['xcom_pull', true], ['xcom_list_runs', true]]);
  const textOf = (result: Record<string, unknown>): string => (result['content'] as { text: string }[])[0]?.text ?? '';
  const pulled = JSON.parse(textOf(await ask(3, 'tools/call', { name: 'xcom_pull', arguments: { dag_id: 'xcom_kinds', run_id: 'latest:success', task_id: 'train', key: 'auc' } }))) as XComPull;
  assert.equal(pulled.xcoms.length, 1);
  assert.match(textOf(await ask(4, 'tools/call', { name: 'xcom_pull', arguments: { dag_id: 'xcom_kinds', run_id: 'manual__' } })), /several runs begin with manual__/);
  assert.equal((await ask(5, 'tools/call', { name: 'xcom_pull', arguments: {} }))['isError'], true);
  server.stdin.end();
  assert.deepEqual((await once(server, 'close')) as unknown[], [0, null]);
});
