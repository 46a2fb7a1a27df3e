// An environment of `runtime: airflow` is built from our constraints, and Airflow starts in it.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { leoflow, temporaryFolder } from '../support/cli.ts';

const ASKS = 'from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.hitl import ApprovalOperator\nwith DAG("asks"):\n    ApprovalOperator(task_id="a", subject="?")\n';

describe('an environment with Airflow', () => {
  const place = temporaryFolder();
  after(() => place.remove());
  const project = (name: string, settings: string): string => {
    mkdirSync(join(place.path, name), { recursive: true });
    writeFileSync(join(place.path, name, 'asks.py'), ASKS);
    writeFileSync(join(place.path, name, 'leoflow.yaml'), settings);
    return join(place.path, name, 'asks.py');
  };
  const run = (...args: string[]): Promise<{ code: number | null; out: string; err: string }> => leoflow(join(place.path, 'home'), args, { timeoutMs: 400_000 });

  test('is built for a project that names a package of Airflow, once, and travels with the version', { timeout: 420_000 }, async () => {
    const compiled = await run('compile', project('one', 'dependencies: {python: [apache-airflow-providers-standard]}\n'));
    assert.equal(compiled.code, 0, compiled.err);
    const dag = JSON.parse(compiled.out) as Dag;
    assert.equal(dag.runtime, 'airflow');
    assert.deepEqual(dag.environment?.python?.requirements, ['apache-airflow-providers-standard', 'apache-airflow-core', 'apache-airflow-task-sdk']);
    assert.ok(dag.environment.python.constraints?.includes('apache-airflow-core==3.2.1'));
    assert.equal(dag.tasks[0]?.operator, 'ApprovalOperator');
    const again = await run('validate', project('two', 'runtime: airflow\ndependencies: {python: [apache-airflow-providers-standard]}\n'));
    assert.match(again.out, /^ok {2}asks .* runtime airflow$/m);
    assert.doesNotMatch(again.err, /building/);
    assert.equal(readdirSync(join(place.path, 'home', 'environments')).filter((name) => !name.includes('.')).length, 1);
  });

  test('is not built for a release that is not tested, nor for runtime leoflow', async () => {
    const old = await run('validate', project('old', 'dependencies:\n  python: [apache-airflow==2.11.0]\n'));
    assert.match(old.err, /leoflow\.yaml:2:3: apache-airflow==2\.11\.0: runtime airflow is tested with Airflow 3\.2\n {2}→ Pin apache-airflow==3\.2\.1, or say runtime: leoflow\./);
    const own = await run('validate', project('own', 'runtime: leoflow\n'));
    assert.match(own.err, /asks\.py:2: airflow\.providers\.standard\.operators\.hitl is not covered by runtime leoflow/);
  });
});
