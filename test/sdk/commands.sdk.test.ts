// What the commands do with a DAG of runtime airflow.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { leoflow, temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const FILE = `from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("by_sdk", schedule=None):
    BashOperator(task_id="say", bash_command="echo told by $LEOFLOW_EXECUTION_ID | cut -d- -f1 | sed 's/ by .*//'")

with DAG("too_long", schedule=None):
    BashOperator(task_id="sleep", bash_command="sleep 60")
    BashOperator.partial(task_id="each").expand(bash_command=["sleep 60"])
`;

describe('commands and the Task SDK', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  const folder = join(place.path, 'dags');
  const call = (...args: string[]) => leoflow(join(place.path, 'home'), args, { cwd: folder, env: { LEOFLOW_PYTHON: sdkPython() }, timeoutMs: 90_000 });

  before(() => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'leoflow.yaml'), 'runtime: airflow\ndefaults: {execution_timeout: 1s}\n');
    writeFileSync(join(folder, 'by_sdk.py'), FILE);
  });
  after(() => place.remove());

  test('run: on an engine that is thrown away', { timeout: 100_000 }, async () => {
    const done = await call('run', 'by_sdk.py', '--dag', 'by_sdk');
    assert.equal(done.code, 0, done.err);
    assert.match(done.out, /by_sdk: success/);
    assert.match(done.out, /say\.return_value = "told"/);
  });

  test('run: a time-out of leoflow.yaml ends the tasks, mapped or not', { timeout: 100_000 }, async () => {
    const done = await call('run', 'by_sdk.py', '--dag', 'too_long');
    assert.notEqual(done.code, 0);
    assert.equal((done.out + done.err).match(/AirflowTaskTimeout: Timeout, PID/g)?.length, 2, done.out + done.err);
  });

  test('test: says that it cannot, and what can', { timeout: 100_000 }, async () => {
    const done = await call('test', 'by_sdk.py', '--dag', 'by_sdk');
    assert.deepEqual([done.code, done.out], [69, '']);
    assert.match(done.err, /runtime airflow[^]*leoflow run by_sdk\.py --dag by_sdk/);
  });
});
