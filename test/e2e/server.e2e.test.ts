// The production role: an external database, migrate, an account, a push, a paused DAG, and a database that goes away.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { leoflow, type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples', 'demo');
const place = temporaryFolder();
const home = join(place.path, 'h');
const clientHome = join(place.path, 'c');
let database: EmbeddedPostgres;
let server: Running;
let env: Record<string, string> = {};
let url = '';

before(async () => {
  mkdirSync(home);
  mkdirSync(clientHome);
  database = await startEmbeddedPostgres(join(place.path, 'pg'));
  env = { LEOFLOW_DATABASE_URL: database.url };
});
after(async () => {
  await server?.stop();
  await database.stop();
  place.remove();
});

async function boot(): Promise<void> {
  server = startLeoflow(home, ['server', '--port', '0', '--home', home], env);
  const ready = JSON.parse(await server.until('"server.ready"')) as { url: string };
  url = ready.url;
}

const cli = (args: readonly string[], input?: string): ReturnType<typeof leoflow> => leoflow(clientHome, args, { env: { ...env, LEOFLOW_SERVER_URL: url }, ...(input === undefined ? {} : { input }) });

test('without a database it says what to set', async () => {
  const done = await leoflow(home, ['server', '--port', '0']);
  assert.equal(done.code, 64);
  assert.match(done.err, /LEOFLOW_DATABASE_URL/);
});

test('a database that is not there is named, without a stack trace', async () => {
  const done = await leoflow(home, ['server', '--port', '0'], { env: { LEOFLOW_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' } });
  assert.equal(done.code, 69);
  assert.match(done.err, /the database does not answer/);
  assert.doesNotMatch(done.err, /at .*\.ts:\d+/);
});

test('migrate, create-user, create-token, push, unpause, trigger, watch', async () => {
  assert.match((await leoflow(home, ['migrate'], { env })).out, /applied 0001_engine\.sql/);
  assert.match((await leoflow(home, ['migrate'], { env })).out, /up to date/);
  await boot();
  assert.equal((await cli(['auth', 'create-user', 'ann', '--role', 'op'], 'long enough\n')).code, 0);
  assert.equal((await cli(['dags', 'list'])).code, 77);
  assert.equal((await cli(['auth', 'create-token', 'ann'], 'long enough\n')).code, 0);
  const pushed = await cli(['push', EXAMPLES]);
  assert.match(pushed.out, /branch_retry_join {2}version 1/);
  assert.match((await cli(['push', EXAMPLES])).out, /branch_retry_join {2}version 1/, 'the same content is the same version');
  assert.match((await cli(['dags', 'list'])).out, /branch_retry_join\s+paused/);
  assert.equal((await cli(['dags', 'unpause', 'branch_retry_join'])).code, 0);
  assert.equal((await cli(['runs', 'trigger', 'branch_retry_join'])).code, 0);
  const watched = await cli(['runs', 'watch', 'branch_retry_join', 'latest']);
  assert.equal(watched.code, 0, watched.err);
});

test('an orderly stop ends with 0', async () => {
  assert.equal(await server.stop(), 0);
});

test('the database goes away in the middle of a run and comes back: nothing is lost or failed', async () => {
  await boot();
  const dags = join(place.path, 'dags');
  mkdirSync(dags);
  writeFileSync(join(dags, 'outage.py'), 'from airflow.sdk import DAG, task\nimport time\nwith DAG("outage", schedule=None, is_paused_upon_creation=False):\n    @task\n    def first():\n        time.sleep(2)\n        return "kept"\n    @task\n    def second(value): return value + " and used"\n    second(first())\n');
  assert.equal((await cli(['push', dags])).code, 0);
  assert.equal((await cli(['runs', 'trigger', 'outage'])).code, 0);
  await server.until('"fork_server.ready"');
  await database.stop();
  await server.until('"database.unavailable"');
  database = await startEmbeddedPostgres(join(place.path, 'pg'));
  await server.until('"database.available"');
  const watched = await cli(['runs', 'watch', 'outage', 'latest']);
  assert.equal(watched.code, 0, `${watched.out}\n${watched.err}`);
  assert.match((await cli(['xcom', 'get', 'outage', 'latest', 'second'])).out, /kept and used/);
  const tries = JSON.parse((await cli(['tasks', 'list', 'outage', 'latest', '--json'])).out) as { task_id: string; try_number: number }[];
  assert.deepEqual(tries.map((one) => one.try_number), [1, 1]);
});
