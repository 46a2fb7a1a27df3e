// Cluster policies at Airflow's own place, `config` below AIRFLOW_HOME: for the graph, and for tasks as they run.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { temporaryFolder } from '../support/cli.ts';
import { type Lite, startLite } from '../support/lite.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const FILES = {
  'dags/leoflow.yaml': 'runtime: airflow\n',
  'dags/owned.py': 'from airflow.sdk import dag, task\n\n\n@dag(schedule=None)\ndef owned():\n    @task\n    def tell(**context):\n        return context["task"].owner\n\n    tell()\n\n\nowned()\n',
  'airflow/config/airflow_local_settings.py': 'def task_policy(task):\n    task.owner = "policy"\n    task.retries = 7\n',
};

describe('cluster policies below AIRFLOW_HOME', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  let lite: Lite;

  before(async () => {
    for (const [path, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(place.path, path)), { recursive: true });
      writeFileSync(join(place.path, path), text);
    }
    lite = await startLite(join(place.path, 'home'), join(place.path, 'dags'), { LEOFLOW_PYTHON: sdkPython(), AIRFLOW_HOME: join(place.path, 'airflow') });
  }, { timeout: 100_000 });
  after(async () => {
    await lite.running.stop();
    place.remove();
  });

  test('show in the graph, and tasks see them', { timeout: 90_000 }, async () => {
    const { tasks } = await lite.call<{ tasks: { owner: string; retries: number }[] }>('GET', '/dags/owned/tasks');
    assert.deepEqual(tasks.map(({ owner, retries }) => [owner, retries]), [['policy', 7]]);
    const { path, state } = await lite.run('owned');
    assert.equal(state, 'success');
    assert.equal(await lite.returned(path, 'tell'), 'policy');
  });
});
