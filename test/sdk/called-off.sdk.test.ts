// A trigger that is called off looks up what it needs to cancel its remote job, and is given the time for that.
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLeoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';
import { Api } from './providers/played.ts';

const LIMIT_MS = 60_000;

describe('a trigger that is called off', { skip: withoutSdk }, () => {
  test('cancels its job, once, though nobody waits for it any more', { timeout: 3 * LIMIT_MS }, async () => {
    const place = temporaryFolder();
    const home = join(place.path, 'home');
    mkdirSync(home, { mode: 0o755 });
    const dags = join(place.path, 'dags');
    cpSync(join(import.meta.dirname, 'dags', 'called-off'), dags, { recursive: true });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    const lite = startLeoflow(home, ['lite', dags, '--port', '0', '--home', home], { LEOFLOW_PYTHON: sdkPython(), LEOFLOW_PARKED_CHILDREN: '1', CALLED_OFF_FOLDER: place.path });
    const notes = (): string => (existsSync(join(place.path, 'notes')) ? readFileSync(join(place.path, 'notes'), 'utf8') : '');
    const until = async (wanted: RegExp): Promise<void> => {
      for (const end = performance.now() + LIMIT_MS; !wanted.test(notes()); await sleep(50)) assert.ok(performance.now() < end, `${notes()}\n${lite.read().err.slice(-2000)}`);
    };
    try {
      const url = (await lite.until('ready http')).replace('ready ', '').trim();
      const api = new Api(url, readFileSync(join(home, 'token'), 'utf8').trim());
      await api.ask('POST', '/variables', { key: 'account', value: 'robot' });
      await api.ask('PATCH', '/dags/remote_job', { is_paused: false });
      const { dag_run_id: run } = await api.ask<{ dag_run_id: string }>('POST', '/dags/remote_job/dagRuns', { logical_date: null });
      await until(/^watched$/m);
      await api.ask('PATCH', `/dags/remote_job/dagRuns/${encodeURIComponent(run)}/taskInstances/job`, { new_state: 'failed' });
      await until(/^cancelled/m);
      assert.equal(notes(), 'watched\ncancelled as robot, the task is failed\n');
    } finally {
      await lite.stop();
      place.remove();
    }
  });
});
