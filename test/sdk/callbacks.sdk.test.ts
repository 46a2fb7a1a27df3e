// Callbacks that no task's process makes, with the real Task SDK: of DAGs, of tasks whose process is gone, of deadlines. Each leaves a line in a file.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const LIMIT_MS = 90_000;

interface Entry { readonly event: string; readonly dag_id: string; readonly run_id: string; readonly task_id: string | null; readonly extra: string }
interface LogLine { readonly event: string; readonly logger?: string }

/** Takes every mail. @param mails what was sent, header and text */
async function startMailSink(mails: string[]): Promise<Server> {
  const server = createServer((socket) => {
    let [rest, mail]: [string, string | null] = ['', null];
    socket.on('error', () => undefined).write('220 sink\r\n');
    socket.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\r\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (mail !== null && line !== '.') mail += `${line}\n`;
        else if (mail !== null) {
          mails.push(mail);
          mail = null;
          socket.write('250 kept\r\n');
        } else if (line.toUpperCase() === 'DATA') {
          mail = '';
          socket.write('354 go on\r\n');
        } else socket.write(line.toUpperCase() === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe('callbacks', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const folder = join(place.path, 'notes');
  const runs = new Map<string, string>();
  const mails: string[] = [];
  let sink: Server;
  let lite: Running;
  let url = '';

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}/api/v2${path}`, { method, headers: { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}` }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as T;
  };
  const until = async <T>(what: string, find: () => Promise<T | null>): Promise<T> => {
    for (const end = Date.now() + LIMIT_MS; ; await sleep(200)) {
      const found = await find();
      if (found !== null) return found;
      assert.ok(Date.now() < end, `waited in vain: ${what}\n${lite.read().err.slice(-2000)}`);
    }
  };
  const pathOf = (dagId: string): string => `/dags/${dagId}/dagRuns/${encodeURIComponent(runs.get(dagId) ?? '')}`;
  const ended = (dagId: string): Promise<string> => until(`the end of ${dagId}`, async () => {
    const { state } = await call<{ state: string }>('GET', pathOf(dagId));
    return state === 'success' || state === 'failed' ? state : null;
  });
  /** What was written down of a DAG's callbacks that are over. */
  const told = (dagId: string, count: number, event = 'callback done'): Promise<Entry[]> => until(`${count} × ${event} of ${dagId}`, async () => {
    const { event_logs: entries } = await call<{ event_logs: Entry[] }>('GET', `/eventLogs?dag_id=${dagId}&event=${encodeURIComponent(event)}&limit=50`);
    return entries.length >= count ? entries : null;
  });
  const notes = (name: string): Record<string, unknown>[] => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>) : []);
  const logOf = async (dagId: string, taskId: string, tryNumber = 1): Promise<LogLine[]> => (await call<{ content: LogLine[] }>('GET', `${pathOf(dagId)}/taskInstances/${taskId}/logs/${tryNumber}?full_content=true`)).content;

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    mkdirSync(folder, { mode: 0o777 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'dags', 'callbacks'), dags, { recursive: true });
    lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], {
      LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1', LEOFLOW_INFRA_RETRIES: '0', LEOFLOW_CALLBACK_TIMEOUT_SECONDS: '6', CALLBACKS_FOLDER: folder,
    });
    url = (await lite.until('ready http')).replace('ready ', '').trim();
    sink = await startMailSink(mails);
    await call('POST', '/connections', { connection_id: 'smtp_default', conn_type: 'smtp', host: '127.0.0.1', port: (sink.address() as AddressInfo).port, extra: JSON.stringify({ disable_ssl: true, disable_tls: true, from_email: 'flow@example.com' }) });
    await call('POST', '/variables', { key: 'told', value: 'by the server' });
    for (const dagId of ['well', 'badly', 'killed', 'alone', 'triggered', 'missed', 'met', 'raises', 'hangs', 'dies']) {
      runs.set(dagId, (await call<{ dag_run_id: string }>('POST', `/dags/${dagId}/dagRuns`, { logical_date: null })).dag_run_id);
    }
  }, { timeout: 150_000 });
  after(async () => {
    await lite.stop();
    sink.close();
    place.remove();
  });

  test('a DAG is told of its success once, with the last task that succeeded and the rights of the DAG; its lines are in that task’s log', async () => {
    assert.equal(await ended('well'), 'success');
    await told('well', 1);
    const [note, ...more] = notes('well');
    assert.deepEqual([{ ...note, pid: 0 }, more], [{ reason: 'success', state: 'success', task: 'last', variable: 'by the server', pid: 0 }, []]);
    assert.ok((await logOf('well', 'last')).some(({ event }) => event === 'the DAG was told'));
  });

  test('a DAG is told of its failure; the task’s own process has made the task’s callback, and nobody makes it again', async () => {
    assert.equal(await ended('badly'), 'failed');
    await told('badly', 1);
    const [own, dag, ...more] = notes('badly');
    assert.deepEqual([own?.['what'], dag?.['reason'], dag?.['task'], more], ['failure', 'task_failure', 'fails', []]);
  });

  test('a task that is killed has its retry callback made, then its failure callback, and its author is written to as he wished', async () => {
    assert.equal(await ended('killed'), 'failed');
    await told('killed', 3);
    assert.deepEqual(notes('killed').map(({ what, attempt }) => [what, attempt]), [['retry', 1], ['failure', 2]]);
    assert.equal(mails.length, 1);
    assert.match(mails[0] ?? '', /^To: oncall@example.com$/m);
    assert.match(mails[0] ?? '', /Airflow alert: .*kills_itself/);
  });

  test('a task whose supervisor is killed has its failure callback made', async () => {
    assert.equal(await ended('alone'), 'failed');
    await told('alone', 1);
    assert.deepEqual(notes('alone').map(({ what, run }) => [what, run]), [['failure', runs.get('alone')]]);
  });

  test('a task that its trigger ends as failed has its failure callback made', async () => {
    assert.equal(await ended('triggered'), 'failed');
    await told('triggered', 1);
    assert.deepEqual(notes('triggered').map(({ what, task }) => [what, task]), [['failure', 'bad']]);
  });

  test('deadlines that are missed are told, coroutine or not; one that is met is not', async () => {
    await told('missed', 2);
    assert.deepEqual(notes('missed').map(({ what, run }) => [what, run]).sort(([a], [b]) => String(a).localeCompare(String(b))), [['async', runs.get('missed')], ['sync', runs.get('missed')]]);
    assert.equal(await ended('met'), 'success');
    assert.deepEqual(notes('met'), []);
  });

  test('a callback that raises has failed, and is not made again', async () => {
    const [entry] = await told('raises', 1, 'callback failed');
    assert.match(entry?.extra ?? '', /ValueError: no good/);
    assert.equal(notes('raises').length, 1);
    assert.ok((await logOf('raises', 'does_little')).some(({ event }) => event === 'Callback failed'));
  });

  test('a callback whose process dies is made again', async () => {
    await told('dies', 1);
    assert.equal(notes('dies').length, 2);
  });

  test('a callback that hangs is ended in time, and given up after three attempts', { timeout: LIMIT_MS }, async () => {
    const [entry] = await told('hangs', 1, 'callback failed');
    assert.match(entry?.extra ?? '', /its process ended/);
    assert.equal(notes('hangs').length, 3);
  });
});
