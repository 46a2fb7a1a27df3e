// The commands that ask a server, against a real one on a real port.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { Command } from 'commander';
import { readSigningKey, signToken } from '#api/auth/tokens.ts';
import { AppError } from '#contract/errors.ts';
import { logFile } from '#logs/file-log-store.ts';
import { readConfig } from '#platform/config.ts';
import { testApi, type TestApi } from '../support/api.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../support/rows.ts';
import { authCommand } from '#cli/auth.ts';
import type { ReaderContext } from '#cli/open-reader.ts';
import type { CliContext } from '#cli/context.ts';
import { dagsCommand } from '#cli/dags.ts';
import { poolsCommand } from '#cli/pools.ts';
import { runsCommand } from '#cli/runs.ts';
import { tasksCommand } from '#cli/tasks.ts';
import { loadXComCommand } from '#cli/xcom.ts';

let api: TestApi;
const home = mkdtempSync(join(tmpdir(), 'leoflow-cli-'));
after(() => rmSync(home, { recursive: true, force: true }));

before(async () => {
  api = await testApi();
  const url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  writeFileSync(join(home, 'server.json'), JSON.stringify({ url }));
  const key = await readSigningKey(api.database, { LEOFLOW_JWT_SECRET: null });
  writeFileSync(join(home, 'token'), `${await signToken(key, { name: 'ann', role: 'admin' }, 600)}\n`);
  await addDag(api.database, dagOf('etl', [task('extract'), task('load', ['extract'])], { tags: ['nightly'] }));
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r1', state: 'failed' });
  const { execution } = await addInstance(api.database, { run, taskId: 'extract', state: 'failed' });
  await addInstance(api.database, { run, taskId: 'load', state: 'upstream_failed' });
  await addXCom(api.database, { run, taskId: 'extract', key: 'return_value', value: '{"n": 12345678901234567890}' });
  const file = logFile(api.home, execution ?? '');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '{"timestamp":"2026-01-01T12:00:02Z","level":"error","event":"no such table"}\nraw\n');
});

/** What only the reader of other Airflows uses. */
const notReading = { errIsTerminal: false, version: '0', exitWith: () => undefined };

interface Done { readonly out: string; readonly err: string }

/** Runs a command line in this process. */
async function run(line: readonly string[], more: { env?: Record<string, string>; overrides?: Partial<CliContext> } = {}): Promise<Done> {
  const written = { out: '', err: '' };
  const context: CliContext & ReaderContext = {
    ...notReading, readConfig: (overrides) => readConfig({ LEOFLOW_HOME: home, ...overrides }, more.env ?? {}), homeOf: (config) => config.LEOFLOW_HOME ?? home,
    out: (text) => void (written.out += text), err: (text) => void (written.err += text), outIsTerminal: false, coloured: false, stop: new AbortController().signal, ...more.overrides,
  };
  const program = new Command('leoflow').exitOverride();
  for (const command of [dagsCommand(context), runsCommand(context), tasksCommand(context), (await loadXComCommand([]))(context), poolsCommand(context), authCommand(context)]) program.addCommand(command);
  await program.parseAsync(['node', 'leoflow', ...line]);
  return written;
}

test('dags: list, show, pause, next, delete asks first', async () => {
  assert.match((await run(['dags', 'list'])).out, /^DAG +STATE +SCHEDULE +NEXT RUN +TAGS\netl +active +– +– +nightly\n$/);
  assert.deepEqual((JSON.parse((await run(['dags', 'list', '--json', '--tag', 'none'])).out)), []);
  assert.match((await run(['dags', 'show', 'etl'])).out, /^version +1$/m);
  assert.equal((await run(['dags', 'pause', 'etl'])).out, 'etl is paused\n');
  assert.equal((await run(['dags', 'unpause', 'etl'])).out, 'etl is active\n');
  assert.equal((await run(['dags', 'next', 'etl'])).out, 'etl has no next run: its schedule is none\n');
  await assert.rejects(run(['dags', 'delete', 'etl']), (error: unknown) => error instanceof AppError && error.code === 'usage' && error.hint.includes('--yes'));
});

test('runs: trigger, list, show, watch, clear, cancel', async () => {
  assert.match((await run(['runs', 'list', 'etl'])).out, /etl +r1 +failed +2026-01-01T00:00:01Z +59 s +ann/);
  assert.match((await run(['runs', 'show', 'etl', 'r1'])).out, /^duration +59 s$/m);
  await assert.rejects(run(['runs', 'watch', 'etl', 'r1']), (error: unknown) => error instanceof AppError && error.code === 'run_failed');
  const asked = await run(['runs', 'clear', 'etl', 'r1', '--failed']);
  assert.deepEqual([asked.out, asked.err], ['would clear 2 of r1: extract, load\n', 'add --yes to do it\n']);
  assert.equal((await run(['runs', 'clear', 'etl', 'r1', '--task', 'load', '--yes'])).out, 'cleared 1 of r1: load\n');
  assert.equal((await run(['runs', 'trigger', 'etl', '--run-id', 'mine', '--conf', '{"a": 1}'])).out, 'mine is queued\n');
  assert.equal((await run(['runs', 'cancel', 'etl', 'mine'])).out, 'mine is failed\n');
  assert.equal((await run(['runs', 'cancel', 'etl', 'mine'])).out, 'mine was finished already (failed): nothing changed\n');
  await addRun(api.database, { dagId: 'etl', runId: 'done', state: 'success' });
  assert.equal((await run(['runs', 'cancel', 'etl', 'done'])).out, 'done was finished already (success): nothing changed\n');
  assert.match((await run(['runs', 'show', 'etl', 'done'])).out, /^state +success$/m);
  await assert.rejects(run(['runs', 'trigger', 'etl', '--run-id', 'mine']), (error: unknown) => error instanceof AppError && error.code === 'conflict' && error.message.includes('already'));
  await assert.rejects(run(['runs', 'trigger', 'etl', '--conf', '{']), (error: unknown) => error instanceof AppError && error.code === 'invalid_json');
});

test('tasks: list, logs, explain', async () => {
  assert.match((await run(['tasks', 'list', 'etl', 'r1', '--state', 'failed'])).out, /^TASK +STATE +TRY +STARTED +DURATION\nextract +failed +1 +2026-01-01T00:00:02Z +3.5 s\n$/);
  assert.equal((await run(['tasks', 'logs', 'etl', 'r1', 'extract'])).out, '12:00:02 error no such table\nraw\n');
  assert.ok((await run(['tasks', 'logs', 'etl', 'r1', 'extract'], { overrides: { coloured: true } })).out.includes('\u001b[31merror\u001b[0m no such table'));
  assert.match((await run(['tasks', 'explain', 'etl', 'r1', 'load'])).out, /^load none\n {2}the run is queued\n {2}will be upstream_failed: extract failed \(all_success: 0 of 1 upstream succeeded, 1 failed\)\n$/);
});

test('tasks logs: the traceback of what failed, and the reason of what died without a word', async () => {
  const at = await addRun(api.database, { dagId: 'etl', runId: 'r2', state: 'failed' });
  const { execution } = await addInstance(api.database, { run: at, taskId: 'extract', state: 'failed' });
  await addInstance(api.database, { run: at, taskId: 'load', state: 'failed', reason: 'ExecutionEnded: the process was ended by SIGKILL' });
  const frames = Array.from({ length: 12 }, (_, index) => ({ filename: '/dags/etl.py', lineno: index + 1, name: `f${index}` }));
  const detail = [
    { exc_type: 'KeyError', exc_value: "'missing key'", is_cause: false, is_group: false, exceptions: [], exc_notes: ['seen twice'], frames },
    { exc_type: 'ValueError', exc_value: 'bad', is_cause: true, frames: [] },
  ];
  const file = logFile(api.home, execution ?? '');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ timestamp: '2026-01-01T12:00:02Z', level: 'error', event: 'Task failed with exception', error_detail: detail })}\n`);
  const shown = frames.slice(2).map((frame) => `  /dags/etl.py:${frame.lineno} in ${frame.name}\n`).join('');
  const logs = await run(['tasks', 'logs', 'etl', 'r2', 'extract']);
  assert.deepEqual([logs.out, logs.err], [`12:00:02 error Task failed with exception\nKeyError: 'missing key'\n  seen twice\n${shown}caused by ValueError: bad\n`, '']);
  const silent = await run(['tasks', 'logs', 'etl', 'r2', 'load']);
  assert.deepEqual([silent.out, silent.err], ['No logs available for this task.\n', 'ExecutionEnded: the process was ended by SIGKILL\n']);
});

test('tasks explain: a mapped task is summed up, with the way to one of its instances', async () => {
  await addDag(api.database, dagOf('wide', [task('each', [], { expand: { kind: 'product', arguments: { x: { kind: 'literal', length: 1002 } } } })], { max_active_tasks: 2 }));
  const at = await addRun(api.database, { dagId: 'wide', runId: 'r1' });
  for (const mapIndex of [0, 1]) await addInstance(api.database, { run: at, taskId: 'each', mapIndex, state: 'running' });
  await api.database.kysely.insertInto('task_instances').values(Array.from({ length: 1000 }, (_, index) => ({ run: at, task_id: 'each', map_index: index + 2, state: 'scheduled', pool: 'default_pool' }))).execute();
  assert.equal((await run(['tasks', 'explain', 'wide', 'r1', 'each'])).out,
    'each scheduled\n  1,002 instances: 1,000 scheduled, 2 running; scheduled ones wait for max_active_tasks 2/2\n  --map-index N tells of one of them\n');
  assert.equal((await run(['tasks', 'explain', 'wide', 'r1', 'each', '--map-index', '2'])).out, 'each[2] scheduled\n  max_active_tasks 2/2\n');
  assert.equal((await run(['tasks', 'explain', 'wide', 'r1', 'each[2]'])).out, 'each[2] scheduled\n  max_active_tasks 2/2\n', 'as tasks list names it');
  await assert.rejects(run(['tasks', 'explain', 'wide', 'r1', 'other']), (error: unknown) => error instanceof AppError && error.code === 'not_found');
});

test('xcom: list, and a value to the last digit', async () => {
  assert.match((await run(['xcom', 'list', 'etl', 'r1'])).out, /extract +return_value/);
  assert.equal((await run(['xcom', 'get', 'etl', 'r1', 'extract'])).out, '{"n": 12345678901234567890}\n');
  await assert.rejects(run(['xcom', 'get', 'etl', 'r1', 'extract', 'no']), (error: unknown) => error instanceof AppError && error.code === 'not_found');
});

test('pools: made, changed, listed, deleted', async () => {
  assert.equal((await run(['pools', 'set', 'db', '4'])).out, 'db has 4 slots\n');
  assert.equal((await run(['pools', 'set', 'db', '5', '--description', 'connections'])).out, 'db has 5 slots\n');
  assert.equal((await run(['pools', 'set', 'default_pool', '64'])).out, 'default_pool has 64 slots\n');
  assert.match((await run(['pools', 'list'])).out, /^db +5 +5 +0 +0 +0 +connections$/m);
  assert.equal((await run(['pools', 'delete', 'db'])).out, 'db is deleted\n');
  await assert.rejects(run(['pools', 'delete', 'default_pool']), /Default Pool can't be deleted/);
});

test('auth: an account is made and its token kept', async () => {
  const file = join(home, 'password');
  writeFileSync(file, 'correct horse\n');
  const env = { LEOFLOW_DATABASE_URL: api.database.url };
  assert.equal((await run(['auth', 'create-user', 'zoe', '--role', 'viewer', '--password-file', file], { env })).out, 'zoe can log in now (viewer)\n');
  assert.equal((await run(['auth', 'create-user', 'zoe', '--role', 'OP', '--password-file', file], { env })).out, 'zoe was changed (op)\n');
  await assert.rejects(run(['auth', 'create-user', 'zoe', '--role', 'king', '--password-file', file], { env }), /expected one of viewer, user, op, admin/);
  const kept = readFileSync(join(home, 'token'), 'utf8');
  const token = (await run(['auth', 'create-token', 'zoe', '--password-file', file, '--print'])).out;
  assert.equal(token.split('.').length, 3);
  assert.equal(readFileSync(join(home, 'token'), 'utf8'), kept);
  await run(['auth', 'create-token', 'zoe', '--password-file', file]);
  assert.notEqual(readFileSync(join(home, 'token'), 'utf8'), kept);
  writeFileSync(file, 'wrong\n');
  await assert.rejects(run(['auth', 'create-token', 'zoe', '--password-file', file]), (error: unknown) => error instanceof AppError && error.code === 'unauthenticated' && error.message === 'Invalid credentials');
});

test('a server that is not there, or not known, is named with the way out', async () => {
  const isUnreachable = (error: unknown): boolean => error instanceof AppError && error.code === 'server_unreachable';
  await assert.rejects(run(['dags', 'list', '--server', 'http://127.0.0.1:9']), isUnreachable);
  await assert.rejects(run(['dags', 'list'], { overrides: { homeOf: () => join(home, 'empty') } }), isUnreachable);
  await assert.rejects(run(['dags', 'list'], { env: { LEOFLOW_TOKEN: 'wrong' } }), (error: unknown) => error instanceof AppError && error.code === 'unauthenticated');
});

test('every command shows an example', async () => {
  const context: CliContext & ReaderContext = { ...notReading, readConfig, homeOf: () => home, out: () => undefined, err: () => undefined, outIsTerminal: false, coloured: false, stop: new AbortController().signal };
  for (const group of [dagsCommand, runsCommand, tasksCommand, await loadXComCommand([]), poolsCommand, authCommand].map((make) => make(context))) {
    assert.ok(group.description().length > 0);
    for (const command of group.commands) {
      let help = '';
      command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
      assert.match(help, /Example:\n {2}leoflow /, `${group.name()} ${command.name()}`);
    }
  }
});
