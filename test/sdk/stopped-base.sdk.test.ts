// The base process, of which fork servers are copies, says nothing any more: what starts after it begins without it.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isAlive } from '#platform/exec.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type Lite, startLite } from '../support/lite.ts';
import { processesOf } from '../support/processes.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const dagNamed = (id: string): string => `from airflow.sdk import DAG, task

with DAG("${id}"):

    @task
    def one():
        return "${id}"

    one()
`;

describe('a base process that is stopped', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const dags = join(place.path, 'dags');
  let lite: Lite;

  before(async () => {
    const home = join(place.path, 'home');
    mkdirSync(home, { mode: 0o755 });
    mkdirSync(dags);
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    writeFileSync(join(dags, 'before_dag.py'), dagNamed('before'));
    lite = await startLite(home, dags, { LEOFLOW_PYTHON: sdkPython() });
  }, { timeout: 100_000 });
  after(async () => {
    await lite.running.stop();
    place.remove();
  });

  test('holds up no other version, and is ended', { timeout: 120_000 }, async () => {
    assert.equal((await lite.run('before')).state, 'success');
    const { bases: [base = 0] } = processesOf(join(place.path, 'home'));
    assert.ok(base > 0);
    process.kill(base, 'SIGSTOP');
    writeFileSync(join(dags, 'later_dag.py'), dagNamed('later'));
    await lite.until('the new DAG', async () => ((await lite.call<{ total_entries: number }>('GET', '/dags?dag_id_pattern=later')).total_entries > 0 ? true : null));
    const { path, state } = await lite.run('later');
    assert.deepEqual([state, await lite.returned(path, 'one')], ['success', 'later']);
    assert.equal(isAlive(base), false);
  });
});
