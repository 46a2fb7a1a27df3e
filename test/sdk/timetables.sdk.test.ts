// A timetable that only the project has: asked in its own environment, its runs are made when it says.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Running, startLeoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

interface Run { readonly dag_run_id: string; readonly state: string; readonly data_interval_start: string; readonly data_interval_end: string; readonly run_after: string }

describe('timetables of a project', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const home = join(place.path, 'home');
  let lite: Running;
  let get: <T>(path: string) => Promise<T>;

  before(async () => {
    mkdirSync(home, { mode: 0o755 });
    cpSync(join(import.meta.dirname, 'dags', 'timetable'), join(place.path, 'dags'), { recursive: true });
    lite = startLeoflow(home, ['lite', join(place.path, 'dags'), '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython() });
    const url = (await lite.until('ready http')).replace('ready ', '').trim();
    const authorization = `Bearer ${readFileSync(join(home, 'token'), 'utf8').trim()}`;
    get = async <T>(path: string): Promise<T> => (await fetch(`${url}/api/v2${path}`, { headers: { authorization } })).json() as Promise<T>;
  }, { timeout: 100_000 });
  after(async () => {
    await lite.stop();
    place.remove();
  });

  test('each run has the interval that the timetable gave it, and none comes twice', { timeout: 100_000 }, async () => {
    let runs: Run[] = [];
    while (runs.filter((run) => run.state === 'success').length < 3) {
      await sleep(500);
      runs = (await get<{ dag_runs: Run[] }>('/dags/every_two/dagRuns?order_by=run_after&limit=100')).dag_runs;
      assert.deepEqual(runs.filter((run) => run.state === 'failed'), []);
    }
    for (const run of runs) assert.equal(Date.parse(run.data_interval_end) - Date.parse(run.data_interval_start), 2000);
    assert.equal(new Set(runs.map((run) => run.run_after)).size, runs.length);
    const { xcom_entries: values } = await get<{ xcom_entries: { value?: string }[] }>(`/dags/every_two/dagRuns/${encodeURIComponent(runs[0]?.dag_run_id ?? '')}/taskInstances/tick/xcomEntries`);
    assert.equal(values.length, 1, 'the task was told its interval');
  });
});
