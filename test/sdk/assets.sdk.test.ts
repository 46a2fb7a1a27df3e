// Assets of a project under the real Task SDK: what tasks and watchers tell of them makes runs by itself, and these are told of it.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { processesOfFolder } from '../support/processes-of-folder.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

interface Run { readonly dag_run_id: string; readonly state: string; readonly run_type: string; readonly triggered_by: string; readonly logical_date: string | null; readonly data_interval_start: string | null; readonly partition_key: string | null }

/** In the folder. */
const DAGS = 11;

describe('assets of a project', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  const inbox = join(place.path, 'inbox');
  const environment = { LEOFLOW_PARKED_CHILDREN: '1' };
  let lite: Running;
  let call: (path: string, init?: { method?: string; body?: unknown }) => Promise<unknown>;

  async function start(): Promise<void> {
    lite = startLeoflow(home, ['lite', join(place.path, 'dags'), '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), ...environment });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    const authorization = `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}`;
    call = async (path, { method = 'GET', body } = {}) => (await fetch(`${url}/api/v2${path}`, { method, headers: { authorization, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })).json();
    while (((await call('/dags?limit=1')) as { total_entries: number }).total_entries < DAGS) await sleep(200);
  }

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    mkdirSync(inbox);
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'dags', 'assets'), dags, { recursive: true });
    const watched = join(dags, 'watched_dag.py');
    writeFileSync(watched, readFileSync(watched, 'utf8').replace('@INBOX@', inbox));
    await start();
  }, { timeout: 100_000 });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  const runsOf = async (dagId: string): Promise<Run[]> => ((await call(`/dags/${dagId}/dagRuns?order_by=run_after&limit=100`)) as { dag_runs: Run[] }).dag_runs;

  /** The first runs of a DAG, as soon as so many have succeeded. */
  async function ended(dagId: string, count: number): Promise<Run[]> {
    for (;;) {
      const runs = await runsOf(dagId);
      assert.deepEqual(runs.filter((run) => run.state === 'failed'), [], dagId);
      if (runs.filter((run) => run.state === 'success').length >= count) return runs;
      await sleep(200);
    }
  }

  async function produce(dagId: string, nth: number): Promise<void> {
    await call(`/dags/${dagId}/dagRuns`, { method: 'POST', body: { logical_date: null } });
    await ended(dagId, nth);
  }

  async function valueOf(dagId: string, run: Run | undefined, key = 'return_value'): Promise<unknown> {
    const task = dagId === 'made_of_two' ? 'made_of_two' : 'take';
    return ((await call(`/dags/${dagId}/dagRuns/${encodeURIComponent(run?.dag_run_id ?? '')}/taskInstances/${task}/xcomEntries/${key}?deserialize=true`)) as { value: unknown }).value;
  }

  test('a run of the consumer has the event of the producer, with its extra', { timeout: 100_000 }, async () => {
    await produce('make_one', 1);
    const [run, ...more] = await ended('take_one', 1);
    assert.equal(more.length, 0);
    assert.deepEqual([run?.run_type, run?.triggered_by, run?.logical_date, run?.data_interval_start], ['asset_triggered', 'asset', null, null]);
    assert.deepEqual(await valueOf('take_one', run), { one: [{ rows: 7 }] });
    assert.deepEqual(await valueOf('take_one', run, 'before'), [{ rows: 7 }]);
  });

  test('an alias triggers by the asset that the task added, and its events are read through the alias', { timeout: 100_000 }, async () => {
    await produce('make_found', 1);
    const [run] = await ended('take_found', 1);
    assert.deepEqual(await valueOf('take_found', run), { inlet: [{ rows: 9 }], found: [{ rows: 9 }], 's3://bucket/found': [{ rows: 9 }] });
  });

  test('a schedule of two assets waits for both; asset or time, and an asset made of one, do not', { timeout: 100_000 }, async () => {
    assert.deepEqual(await runsOf('take_both'), []);
    await produce('make_two', 1);
    const [both] = await ended('take_both', 1);
    assert.deepEqual(await valueOf('take_both', both), { one: [{ rows: 7 }], two: [{ rows: 8 }] });
    const orTime = await ended('take_or_time', 2);
    assert.deepEqual(orTime.map((run) => run.run_type).sort(), ['asset_triggered', 'scheduled']);
    assert.deepEqual(await valueOf('take_or_time', orTime.find((run) => run.run_type === 'asset_triggered')), { two: [{ rows: 8 }] });
    const [made] = await ended('made_of_two', 1);
    assert.equal(await valueOf('made_of_two', made), 'two');
  });

  test('a run by time is for a partition, and what it makes triggers a run for the key that the mapper names', { timeout: 100_000 }, async () => {
    const [planned] = await ended('make_part', 1);
    assert.deepEqual([planned?.partition_key, planned?.logical_date], ['2026-01-01T00:00:00', null]);
    assert.match(planned?.dag_run_id ?? '', /^scheduled__2026-01-01T00:00:00\+00:00__2026-01-01T00:00:00__[0-9a-f]{8}$/);
    const [first] = await ended('take_part', 1);
    assert.deepEqual([first?.partition_key, first?.run_type, await valueOf('take_part', first)], ['2026-01-01T00', 'asset_triggered', { of: '2026-01-01T00', events: 1 }]);
    await call('/dags/make_part/dagRuns', { method: 'POST', body: { logical_date: null, partition_key: '2026-03-04T05:06:07' } });
    assert.deepEqual((await ended('take_part', 2)).map((run) => run.partition_key), ['2026-01-01T00', '2026-03-04T05']);
  });

  test('a watcher brings every event once, goes on after it failed, and after its server or its host was killed', { timeout: 200_000 }, async () => {
    const files = async (): Promise<string[]> => {
      const runs = await runsOf('take_files');
      assert.deepEqual(runs.filter((run) => run.state === 'failed'), []);
      const values = await Promise.all(runs.filter((run) => run.state === 'success').map((run) => valueOf('take_files', run)));
      return (values as { from_trigger: boolean; payload: { file: string } }[][]).flatMap((events) => events.map(({ payload }) => payload.file)).sort();
    };
    const until = async (wanted: string[]): Promise<void> => {
      for (;;) {
        const seen = await files();
        assert.deepEqual(seen.filter((name, at) => seen.indexOf(name) !== at), []);
        if (seen.length >= wanted.length) return assert.deepEqual(seen, wanted);
        await sleep(300);
      }
    };
    const put = (...names: string[]): void => names.forEach((name) => writeFileSync(join(inbox, name), ''));
    put('a', 'b');
    await until(['a', 'b']);
    put('stumble');
    put('c');
    await until(['a', 'b', 'c']);
    put('c1', 'nul', 'nan');
    put('c2');
    await until(['a', 'b', 'c', 'c1', 'c2']);
    const failures = (): string[] => readFileSync(join(home, 'logs', 'server.log'), 'utf8').split('\n').filter((line) => line.includes('watcher of the asset inbox'));
    for (const wanted of [/RuntimeError: stumbled/, /its event cannot be stored as JSON/, /what it brought could not be stored: .*Unicode/]) while (!failures().some((line) => wanted.test(line))) await sleep(200);
    await lite.stop('SIGKILL');
    put('d');
    await start();
    put('e');
    await until(['a', 'b', 'c', 'c1', 'c2', 'd', 'e']);
    const hosts = processesOfFolder(home).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'lf-triggers\n');
    assert.equal(hosts.length, 1);
    for (const pid of hosts) process.kill(pid, 'SIGKILL');
    put('f');
    await until(['a', 'b', 'c', 'c1', 'c2', 'd', 'e', 'f']);
  });
});
