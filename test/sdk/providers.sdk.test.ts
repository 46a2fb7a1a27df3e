// Operators, sensors and hooks of Airflow's providers, unmodified, against real services on this machine.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import pg from 'pg';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { WITHOUT_REDIS } from '../support/redis.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';
import { Api, type Played } from './providers/played.ts';
import { type Mail, Services } from './providers/services.ts';

/** A task's words when it leaves the rest to a trigger. */
const DEFERRED = /Pausing task as DEFERRED/;
const PATIENCE_MS = 20_000;
const DAGS = ['databases', 'redis', 'ftp', 'sftp', 'local_files', 'http', 'smtp', 's3', 'pythons', 'callbacks', 'mails', 'values', 'backend'];

describe('providers under the Task SDK', { skip: withoutSdk || WITHOUT_REDIS }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const folder = join(place.path, 'files');
  let lite: Running | undefined;
  let started: Services | undefined;
  let services: Services;
  let api: Api;
  let subscriber: Redis | undefined;
  const news: string[] = [];
  const played: Record<string, Promise<Played>> = {};
  const run = (dagId: string): Promise<Played> => played[dagId] ?? assert.fail(dagId);

  before(async () => {
    services = started = await Services.start(sdkPython(), folder);
    mkdirSync(home, { mode: 0o755 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'providers', 'dags'), dags, { recursive: true });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_FORK_SERVER_IDLE_SECONDS: '20', PROVIDERS_FOLDER: folder, ...projectSettings(services, place.path) });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    api = new Api(url, readFileSync(join(home, 'token'), 'utf8').trim());
    for (const connection of services.connections()) await api.ask('POST', '/connections', connection);
    await api.ask('POST', '/variables', { key: 'from_api', value: 'told to the API' });
    subscriber = services.redis.client.duplicate();
    subscriber.on('message', (_channel: string, message: string) => news.push(message));
    await subscriber.subscribe('news');
    for (const dagId of DAGS) played[dagId] = api.play(dagId);
    await Promise.allSettled(Object.values(played));
  }, { timeout: 240_000 });
  after(async () => {
    await lite?.stop();
    subscriber?.disconnect();
    await started?.stop();
    place.remove();
  });

  test('common.sql on PostgreSQL and SQLite', async () => {
    const one = await run('databases');
    assert.deepEqual(one.states, { ...succeeded(['create', 'insert', 'wait_row', 'check_columns', 'check_table', 'select', 'choose', 'hook', 'make_copy', 'transfer', 'count_copy']), never: 'skipped' }, one.state);
    assert.deepEqual(await rowsOf(services.databaseUrl, 'select id, item, paid::float from orders order by id'), [{ id: 1, item: 'chair', paid: 9.5 }, { id: 2, item: 'table', paid: 20 }, { id: 3, item: 'lamp', paid: 8 }]);
    // Rows are tuples, which Airflow stores as such.
    assert.deepEqual((await one.xcom('select') as { __data__: unknown }[]).map((row) => row.__data__), [[1, 'chair'], [2, 'table']]);
    assert.equal(await one.xcom('hook'), 37.5);
    assert.match(String((await one.rendered('create'))['sql']), /values \(1, 'chair', 9\.5\)/);
    assert.deepEqual((await one.xcom('count_copy') as { __data__: unknown }[]).map((row) => row.__data__), [[3]]);
    assert.match(await one.log('transfer'), DEFERRED);
    const shelf = new DatabaseSync(join(folder, 'shelf.db'), { readOnly: true });
    assert.deepEqual(shelf.prepare('select id, item from copied order by id').all().map((row) => ({ ...row })), [{ id: 1, item: 'chair' }, { id: 2, item: 'table' }, { id: 3, item: 'lamp' }]);
    shelf.close();
    assert.match(await one.log('hook'), /"the password is \*\*\*"/);
    assert.match(await one.log('select'), /Running statement: select id, item from orders/);
  });

  test('redis', async () => {
    const one = await run('redis');
    assert.deepEqual(one.states, succeeded(['remember', 'wait_key', 'publish']));
    assert.equal(await services.redis.client.get('stock'), '42');
    assert.deepEqual(news, [`${one.runId} has stock`]);
    assert.equal((await one.rendered('publish'))['message'], `${one.runId} has stock`);
    assert.match(await one.log('publish'), /Result of publishing 1/);
  });

  test('ftp', async () => {
    const one = await run('ftp');
    assert.deepEqual(one.states, succeeded(['write', 'put', 'name', 'wait']));
    assert.equal(readFileSync(join(folder, 'ftp', 'in_ftp', 'by_ftp.txt'), 'utf8'), 'sent as by_ftp.txt');
    assert.equal((await one.rendered('put'))['remote_filepath'], '/in_ftp/by_ftp.txt');
    assert.equal(await one.xcom('name'), '/in_ftp/by_ftp.txt');
  });

  test('sftp', async () => {
    const one = await run('sftp');
    assert.deepEqual(one.states, succeeded(['write', 'is_deferred', 'later', 'send', 'fetch', 'listing']));
    assert.equal(readFileSync(join(folder, 'sftp', 'out', 'by_sftp.txt'), 'utf8'), 'sent as by_sftp.txt');
    assert.equal(readFileSync(join(folder, 'fetched.txt'), 'utf8'), 'sent as by_sftp.txt');
    assert.deepEqual(await one.xcom('listing'), ['by_sftp.txt']);
    for (const taskId of ['later', 'fetch']) assert.match(await one.log(taskId), DEFERRED);
  });

  test('common.io and files of this machine', async () => {
    const one = await run('local_files');
    assert.deepEqual(one.states, succeeded(['is_deferred', 'drop', 'arrives', 'copy', 'locate', 'size']));
    const text = `for ${one.runId}`;
    assert.equal(readFileSync(join(folder, 'copied.txt'), 'utf8'), text);
    assert.equal(await one.xcom('size'), text.length);
    assert.equal(await one.xcom('drop'), text);
    assert.match(await one.log('arrives'), DEFERRED);
  });

  test('http', async () => {
    const one = await run('http');
    assert.deepEqual(one.states, succeeded(['ready', 'ready_deferred', 'greet', 'order', 'order_deferred', 'by_hook']));
    assert.deepEqual((await services.received()).orders.map(({ item }) => item).sort(), [`deferred ${one.runId}`, 'hello lamp']);
    assert.equal(await one.xcom('greet'), 'hello');
    assert.equal(await one.xcom('by_hook'), '/greeting/hook');
    assert.equal((await one.rendered('greet'))['endpoint'], 'greeting/http');
    assert.equal((await one.rendered('order'))['data'], '{"item": "hello lamp"}');
    assert.match(await one.log('greet'), /greeting.*hello/);
    for (const taskId of ['ready_deferred', 'order_deferred']) assert.match(await one.log(taskId), DEFERRED);
  });

  test('smtp', async () => {
    const one = await run('smtp');
    assert.deepEqual(one.states, succeeded(['email', 'notified', 'by_hook']));
    const mail = await sentTo('one@example.com', 1);
    assert.deepEqual(mail.map(({ from, to, subject, text }) => ({ from, to, subject, text: text.trim() })), [{ from: 'flow@example.com', to: ['one@example.com', 'two@example.com'], subject: 'smtp ran', text: `<b>${one.runId}</b>` }]);
    assert.match((await sentTo('boss@example.com', 1))[0]?.text ?? '', /well: TaskInstanceState\.SUCCESS/);
    assert.equal((await sentTo('hook@example.com', 1))[0]?.subject, 'by a hook');
    assert.equal((await one.rendered('email'))['html_content'], `<b>${one.runId}</b>`);
  });

  test('amazon S3', async () => {
    const one = await run('s3');
    assert.deepEqual(one.states, succeeded(['bucket', 'is_deferred', 'arrives', 'create', 'read', 'copy', 'upload', 'web', 'listing', 'to_ftp', 'delete', 'by_hook']));
    const text = `made by ${one.runId}`;
    assert.equal(await services.readObject('lake/kept/a.txt'), text);
    assert.equal(await services.readObject('lake/raw/a.txt'), null);
    assert.equal(await services.readObject('lake/web.json'), '{"greeting": "hello", "path": "/greeting/s3"}');
    assert.equal(readFileSync(join(folder, 'ftp', 'from_s3.txt'), 'utf8'), text);
    assert.equal(await one.xcom('read'), text);
    assert.deepEqual(await one.xcom('listing'), ['raw/a.txt', 'raw/self.py']);
    assert.deepEqual(await one.xcom('by_hook'), ['kept/a.txt', 'web.json']);
    assert.equal((await one.rendered('create'))['data'], text);
    assert.match(await one.log('arrives'), DEFERRED);
  });

  test('programs, interpreters, another DAG, links', async () => {
    const one = await run('pythons');
    assert.deepEqual(one.states, { ...succeeded(['bash', 'external', 'virtualenv', 'start', 'linked', 'settings']), skipped: 'skipped' });
    assert.equal(await one.xcom('bash'), 'last line');
    assert.match(await one.log('bash'), /"event":"from env of bash"/);
    assert.match(String((await one.rendered('bash'))['bash_command']), / of bash && /);
    assert.equal((await one.xcom('external') as { number: number }).number, 42);
    const apart = await one.xcom('virtualenv') as { number: number; prefix: string };
    assert.equal(apart.number, 8);
    assert.match(apart.prefix, /\/venv[^/]*$/);
    assert.deepEqual(await one.xcom('settings'), { backend: 'of the backend', api: 'told to the API', folder: 'files' });
    const { dag_runs: started } = await api.ask<{ dag_runs: { dag_run_id: string; state: string; conf: unknown }[] }>('GET', '/dags/started/dagRuns');
    assert.deepEqual(started.map(({ state, conf }) => ({ state, conf })), [{ state: 'success', conf: { by: one.runId } }]);
    assert.match(await one.log('start'), DEFERRED);
    assert.equal((await one.rendered('linked'))['page'], 'p2');
    // Links are made when the state has been told.
    assert.equal(await eventually(() => one.xcom('linked', '_link_PageLink')), 'https://pages.example/p2');
    assert.match(String(await eventually(() => one.xcom('start', '_link_TriggerDagRunLink'))), new RegExp(`/dags/started/runs/`));
  });

  test('callbacks of tasks are made once each, and a listener of a plugin hears of tasks', async () => {
    const one = await run('callbacks');
    assert.deepEqual(one.states, { succeeds: 'success', fails: 'failed', skips: 'skipped' });
    const wanted = ['execute fails 1', 'execute fails 2', 'execute skips 1', 'execute succeeds 1', 'failure fails 2', 'retry fails 1', 'skipped skips 1', 'success succeeds 1'];
    await eventually(() => assert.deepEqual(linesOf('callbacks'), wanted));
    const heard = ['failed callbacks fails 1', 'failed callbacks fails 2', 'running callbacks fails 1', 'running callbacks fails 2', 'running callbacks skips 1', 'running callbacks succeeds 1', 'success callbacks succeeds 1'];
    await eventually(() => assert.deepEqual(linesOf('heard').filter((line) => line.includes(' callbacks ')), heard));
  });

  test('a listener of a plugin hears of runs: of the moments that it listens to, in their order', async () => {
    const { runId } = await run('callbacks');
    await run('local_files');
    const ofOne = (): string[] => readFileSync(join(folder, 'heard_of_runs'), 'utf8').trim().split('\n').filter((line) => line.includes(` ${runId} `));
    const said = (moment: string, msg: string, hasEnded: string): string => `${moment} callbacks ${runId} ${msg} ${moment} manual ['fails', 'skips', 'succeeds'] {} ${hasEnded}`;
    await eventually(() => assert.deepEqual(ofOne(), [said('running', 'started', 'False'), said('failed', 'task_failure', 'True')]));
    assert.doesNotMatch(readFileSync(join(folder, 'heard_of_runs'), 'utf8'), /^success/m);
  });

  test('a failing task sends mails', async () => {
    assert.deepEqual((await run('mails')).states, { breaks: 'failed' });
    const mails = await sentTo('oncall@example.com', 2);
    assert.deepEqual(new Set(mails.map(({ text }) => /^Try .* out of .*<br>Exception:<br>a broken &lt;belt&gt;/.exec(text)?.[0])), new Set([1, 2].map((one) => `Try ${one} out of 2<br>Exception:<br>a broken &lt;belt&gt;`)));
    for (const mail of mails) assert.match(mail.subject, /^Airflow alert: .*task_id='breaks' dag_id='mails'/);
  });

  test('the XCom backend of the project keeps large values', async () => {
    const one = await run('values');
    assert.deepEqual(one.states, succeeded(['large', 'small', 'measure']));
    assert.deepEqual(await one.xcom('measure'), { length: 5000, few: 1 });
    assert.deepEqual(await one.xcom('small'), { few: 1 });
    const path = String(await one.xcom('large'));
    assert.ok(path.startsWith(`file://${join(folder, 'xcoms', 'values')}/`), path);
    assert.equal(readFileSync(path.slice('file://'.length), 'utf8'), JSON.stringify('x'.repeat(5000)));
  });

  test('the secrets backend of the project is asked, by tasks and by triggers', async () => {
    const one = await run('backend');
    assert.deepEqual(one.states, succeeded(['ask', 'tell', 'template']));
    assert.equal(await one.xcom('ask'), 42);
    assert.deepEqual(await one.xcom('tell'), { logins: [services.hiddenConnection()['login'], 'tester'], variable: 'told to the API' });
    assert.match(await one.log('ask'), /"the password is \*\*\*"/);
    assert.equal((await one.rendered('template'))['bash_command'], 'echo shown: ***');
    assert.match(await one.log('template'), /"event":"shown: \*\*\*"/);
    for (const connId of ['hidden', 'shop']) assert.match(await one.log('tell'), new RegExp(`the password of ${connId} is \\*\\*\\*`));
  });

  test('no log holds a password', async () => {
    for (const dagId of DAGS) {
      const text = await (await run(dagId)).everyLog();
      assert.ok(text.length > 0, dagId);
      for (const [name, secret] of Object.entries(services.secrets)) assert.ok(!text.includes(secret), `${dagId} shows the password of ${name}`);
    }
  });

  const linesOf = (file: string): string[] => readFileSync(join(folder, file), 'utf8').trim().split('\n').sort();
  /** The mails to somebody, as soon as there are so many. */
  const sentTo = (to: string, count: number): Promise<Mail[]> => eventually(async () => {
    const mails = (await services.received()).mails.filter((mail) => mail.to.includes(to));
    assert.equal(mails.length, count, `mails to ${to}`);
    return mails;
  });
});

/** Settings of Airflow that an operator gives to the server: an XCom backend and a secrets backend. */
function projectSettings(services: Services, place: string): Record<string, string> {
  const [connections, variables] = [join(place, 'connections.json'), join(place, 'variables.json')];
  const { connection_id: id, ...hidden } = services.hiddenConnection();
  writeFileSync(connections, JSON.stringify({ [id]: hidden }));
  writeFileSync(variables, JSON.stringify({ from_backend: 'of the backend' }));
  return {
    AIRFLOW__CORE__XCOM_BACKEND: 'airflow.providers.common.io.xcom.backend.XComObjectStorageBackend', AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: `file://${join(place, 'files', 'xcoms')}`,
    AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: '1000',
    AIRFLOW__SECRETS__BACKEND: 'airflow.secrets.local_filesystem.LocalFilesystemBackend',
    AIRFLOW__SECRETS__BACKEND_KWARGS: JSON.stringify({ connections_file_path: connections, variables_file_path: variables }),
  };
}

function succeeded(taskIds: readonly string[]): Record<string, string> {
  return Object.fromEntries(taskIds.map((id) => [id, 'success']));
}

async function rowsOf(url: string, query: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(query)).rows;
  } finally {
    await client.end();
  }
}

/** What follows a task's state comes from its process, after the state. */
async function eventually<T>(look: () => T | Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(50)) {
    try {
      return await look();
    } catch {
      // Not yet.
    }
  }
  return look();
}
