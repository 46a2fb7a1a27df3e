// A planted secret: a connection’s password that tasks print, render, pass to a shell and raise. It is searched in everything that Leoflow writes, answers and runs; keys are rotated meanwhile.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openDatabase } from '#store/database.ts';
import { startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const PASSWORD = 'canary/pass@word:9f8e7d6c';
const EXTRA_TOKEN = 'canary-extra-token-5b4a';
const API_KEY = 'canary-variable-3c2d';
const AT_IMPORT = 'canary-at-import-1a0b';
/** How the passwords and tokens of a thousand connections begin. */
const MANY = ['canary-many-', 'canary-more-'];
const SECRETS = [PASSWORD, EXTRA_TOKEN, API_KEY, AT_IMPORT, ...MANY];
const FORMS = SECRETS.flatMap((secret) => [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64').slice(0, -4), Buffer.from(secret).toString('hex')]);
const URI = `postgres://etl:${encodeURIComponent(PASSWORD)}@db.example:5432/main?sslmode=require&access_token=${EXTRA_TOKEN}`;

describe('a planted secret', () => {
  const place = temporaryFolder();
  const [home, dags] = [join(place.path, 'home'), join(place.path, 'dags')];
  let lite: Running;
  let server = '';
  let runs = 0;

  before(async () => {
    mkdirSync(dags);
    for (const name of ['planted_secrets.py', 'thousand_connections.py']) copyFileSync(join(import.meta.dirname, 'dags', name), join(dags, name));
    writeFileSync(join(dags, 'at_import.py'), 'from airflow.sdk import DAG, BaseHook\nraise ValueError(BaseHook.get_connection("at_import").password)\n');
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], {
      LEOFLOW_VAR_GIVEN_OUTSIDE: 'from the server', AIRFLOW_CONN_GIVEN_OUTSIDE: 'http://outside.example', AIRFLOW_CONN_AT_IMPORT: `http://u:${AT_IMPORT}@h`,
    });
    server = (await lite.until('ready http')).replace('ready ', '').trim();
    for (const [args, input] of [[['connections', 'set', 'planted'], URI], [['variables', 'set', 'planted_api_key'], API_KEY]] as const) {
      const set = await leoflow(home, args, { input });
      assert.equal(set.code, 0, set.err);
    }
  });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  async function get(path: string): Promise<string> {
    const response = await fetch(`${server}/api/v2${path}`, { headers: { authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` } });
    return response.text();
  }

  /** Waits for what another process does; the deadline is generous because the machine may be busy. */
  async function until<R>(look: () => Promise<R | null>, what: string): Promise<R> {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      assert.ok(performance.now() < deadline, `${what}: not in time\n${lite.read().err.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function trigger(dag = 'planted_secrets'): Promise<{ id: string; folder: string }> {
    runs += 1;
    const folder = join(place.path, `run${runs}`);
    mkdirSync(folder);
    const made = await leoflow(home, ['runs', 'trigger', dag, '--conf', JSON.stringify({ folder }), '--json']);
    assert.equal(made.code, 0, made.err);
    return { id: (JSON.parse(made.out) as { dag_run_id: string }).dag_run_id, folder };
  }

  const pathOf = (id: string, dag = 'planted_secrets'): string => `/dags/${dag}/dagRuns/${encodeURIComponent(id)}`;

  async function end(run: { id: string; folder: string }): Promise<Map<string, string>> {
    writeFileSync(join(run.folder, 'looked'), '');
    await until(async () => (/"state":"(success|failed)"/.test(await get(pathOf(run.id))) ? true : null), 'the run ends');
    const { task_instances: instances } = JSON.parse(await get(`${pathOf(run.id)}/taskInstances`)) as { task_instances: { task_id: string; state: string }[] };
    return new Map(instances.map((one) => [one.task_id, one.state]));
  }

  const EXPECTED = { tell: 'success', hold: 'success', fail: 'failed', from_the_environment: 'success', shell: 'success' };

  test('nobody hears of it: no file, no answer, no row, no process, no log', async () => {
    const run = await trigger();
    await until(() => Promise.resolve(existsSync(join(run.folder, 'holding')) ? true : null), 'the task holds the password');
    assertClean('processes', processesOf(lite.child.pid ?? 0));
    const states = await end(run);
    assert.deepEqual(Object.fromEntries(states), EXPECTED);
    const answers = await answersOf(run.id, [...states.keys()]);
    await until(async () => ((await get('/importErrors')).includes('at_import.py') ? true : null), 'the import error is known');
    assert.match(await get('/importErrors'), /ValueError: \*\*\*/);
    for (const shown of ['the password is ***', 'outside.example from the server']) assert.ok(answers.includes(shown), shown);
    assertClean('answers', answers);
    assertClean('rows', await dumpTables());
    assertClean('log of the server', lite.read().out + lite.read().err);
    for (const file of filesBelow(home)) assertClean(file, readFileSync(file, 'latin1'));
  });

  test('keys are rotated under a running server, and it goes on', async () => {
    const run = await trigger();
    await until(() => Promise.resolve(existsSync(join(run.folder, 'holding')) ? true : null), 'the task holds the password');
    const rotated = await leoflow(home, ['keys', 'rotate', '--json']);
    assert.equal(rotated.code, 0, rotated.err);
    assert.equal((JSON.parse(rotated.out) as { reencrypted: number }).reencrypted, 3);
    assert.equal((await end(run)).get('hold'), 'success');
    const dropped = await leoflow(home, ['keys', 'rotate', '--drop-old', '--json']);
    assert.deepEqual([dropped.code, (JSON.parse(dropped.out) as { dropped: string[] }).dropped.length], [0, 1], dropped.err);
    const again = await trigger();
    const states = await end(again);
    assert.deepEqual(Object.fromEntries(states), EXPECTED);
    assert.equal((await leoflow(home, ['keys', 'check'])).code, 0);
    const shown = await leoflow(home, ['connections', 'get', 'planted', '--show-secrets', '--json']);
    assert.equal((JSON.parse(shown.out) as { password: string }).password, PASSWORD);
    assertClean('what the API shows', (await leoflow(home, ['connections', 'get', 'planted'])).out + (await leoflow(home, ['variables', 'list'])).out);
    const exported = await leoflow(home, ['connections', 'export', '--format', 'env']);
    assert.equal(exported.out.trim(), `planted=${URI}`);
  });

  test('a thousand connections are rotated twice while tasks read them: no task fails, and nobody hears of a secret', async () => {
    const connections = Array.from({ length: 1000 }, (_, n) => [`many_${n}`, { conn_type: 'postgres', host: 'db.example', login: 'etl', password: `canary-many-${n}`, extra: { token: `canary-more-${n}`, n } }]);
    const file = join(place.path, 'many.json');
    writeFileSync(file, JSON.stringify(Object.fromEntries(connections)));
    const imported = await leoflow(home, ['connections', 'import', file]);
    assert.equal(imported.out, '1000 of 1000 connections are set\n', imported.err);
    const run = await trigger('thousand_connections');
    const path = pathOf(run.id, 'thousand_connections');
    const reads = (): number[] => [0, 1].map((reader) => Number(readOrEmpty(join(run.folder, `reads_${reader}`))));
    const goOn = (from: readonly number[]): Promise<boolean> => until(async () => {
      assert.doesNotMatch(await get(path), /"state":"failed"/);
      return reads().every((count, reader) => count > (from[reader] ?? 0)) ? true : null;
    }, 'both tasks read on');
    await goOn([0, 0]);
    for (const rotation of [1, 2]) {
      const before = reads();
      const rotated = await leoflow(home, ['keys', 'rotate', '--json']);
      assert.equal(rotated.code, 0, rotated.err);
      assert.ok((JSON.parse(rotated.out) as { reencrypted: number }).reencrypted >= 2000, `rotation ${rotation}: ${rotated.out}`);
      assert.ok(reads().every((count, reader) => count > (before[reader] ?? 0)), `rotation ${rotation}: nobody read meanwhile`);
      await goOn(reads());
    }
    assertClean('processes', processesOf(lite.child.pid ?? 0));
    const dropped = await leoflow(home, ['keys', 'rotate', '--drop-old', '--json']);
    assert.equal((JSON.parse(dropped.out) as { dropped: string[] }).dropped.length, 2, dropped.err);
    writeFileSync(join(run.folder, 'enough'), '');
    await until(async () => (/"state":"(success|failed)"/.test(await get(path)) ? true : null), 'the run ends');
    const { task_instances: instances } = JSON.parse(await get(`${path}/taskInstances`)) as { task_instances: { map_index: number; state: string; try_number: number }[] };
    assert.deepEqual(new Set(instances.map(({ map_index: index, state, try_number: tries }) => `${index} ${state} ${tries}`)), new Set(['0 success 1', '1 success 1']));
    const logs = (await Promise.all([0, 1].map((index) => get(`${path}/taskInstances/read/logs/1?map_index=${index}`)))).join('\n');
    assert.equal(logs.split('the last password is *** postgres://etl:***@db.example').length, 3, logs);
    assertClean('logs', logs);
    const lists = await Promise.all(Array.from({ length: 10 }, (_, n) => get(`/connections?limit=100&offset=${n * 100}`)));
    assertClean('answers', [...lists, await get(path), await get('/connections/many_1'), await get('/eventLogs'), await get(`${path}/taskInstances/read/0/xcomEntries`), imported.err, dropped.out].join('\n'));
    assertClean('rows', await dumpTables());
    assertClean('log of the server', lite.read().out + lite.read().err);
    for (const one of filesBelow(home)) assertClean(one, readFileSync(one, 'latin1'));
  });

  async function answersOf(id: string, tasks: readonly string[]): Promise<string> {
    const run = pathOf(id);
    const ofTask = (task: string): string[] => ['', '/tries', '/tries/1', '/logs/1', '/dependencies', '/xcomEntries', '/explain'].map((part) => `${run}/taskInstances/${task}${part}`);
    const paths = [
      run, `${run}/taskInstances`, ...tasks.flatMap(ofTask), `${run}/taskInstances/from_the_environment/xcomEntries/return_value`, '/eventLogs', '/importErrors', '/connections', '/connections/planted', '/variables', '/variables/planted_api_key',
      '/dags', '/dags/planted_secrets', '/dags/planted_secrets/details', '/dags/planted_secrets/tasks', '/dags/planted_secrets/dagVersions', '/dagSources/planted_secrets', '/dagWarnings', '/monitor/health',
    ];
    return (await Promise.all(paths.map(get))).join('\n');
  }

  async function dumpTables(): Promise<string> {
    const running = await startEmbeddedPostgres(join(home, 'postgres'));
    const database = openDatabase(running.url);
    try {
      const { rows } = await database.pool.query<{ name: string }>("select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace");
      const texts = await Promise.all(rows.map(({ name }) => database.pool.query<{ text: string | null }>(`select string_agg(t::text, E'\\n') as text from "${name}" t`)));
      return texts.map((one) => one.rows[0]?.text ?? '').join('\n');
    } finally {
      await database.close();
    }
  }
});

function assertClean(where: string, text: string): void {
  for (const form of FORMS) assert.ok(!text.includes(form), `${where} holds ${form}: …${text.slice(Math.max(0, text.indexOf(form) - 200), text.indexOf(form))}`);
}

/** Command lines and environments of a process and all below it, but for what users put there: their shells, and what they gave the server itself. */
function processesOf(root: number): string {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const stat = readOrEmpty(`/proc/${name}/stat`);
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isBelow = (pid: number): boolean => pid === root || (parents.has(pid) && parents.get(pid) !== 0 && isBelow(parents.get(pid) ?? 0));
  const below = [...parents.keys()].filter(isBelow);
  assert.ok(below.length >= 4, `only ${below.length} processes`);
  return below.map(ownWordsOf).join('\n');
}

/** What a process was started with; nothing of a user’s shell. Its name is read last: a child is its parent until it becomes the shell. */
function ownWordsOf(pid: number): string {
  const words = `${readOrEmpty(`/proc/${pid}/cmdline`)}\n${readOrEmpty(`/proc/${pid}/environ`).replaceAll(/AIRFLOW_CONN_AT_IMPORT=[^\0]*/g, '')}`;
  const name = readOrEmpty(`/proc/${pid}/comm`).trim();
  return ['', 'sh', 'bash'].includes(name) ? '' : words;
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)).filter((path) => existsSync(path) && statSync(path).isFile() && statSync(path).size < 32 * 1024 * 1024);
}
