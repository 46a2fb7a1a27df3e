// The example DAGs of the core and of the standard provider, unmodified, under the real Task SDK: parsed, run, and ended as in Airflow.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { OpenEngine } from '#cli/engine-port.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { readExamplesPage, renderExamplesPage } from '../compat/task-sdk/examples-page.ts';
import { compileExamples, runExamples } from '../compat/task-sdk/run-examples.ts';
import { temporaryFolder } from '../support/cli.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

const LIMIT_MS = 110_000;
/** DAGs named in LEOFLOW_TEST_ONLY, separated by commas, for work on one; else all. */
const ONLY = process.env['LEOFLOW_TEST_ONLY']?.split(',');

/** Without the Kubernetes library these two hold no DAG under Airflow either. */
const WITHOUT_DAG = /^core\/(example_\w*kubernetes_executor\.py): the file holds no DAG$/;

describe('example DAGs under the Task SDK', { skip: withoutSdk }, () => {
  const place = temporaryFolder();
  let engine: OpenEngine;
  let dags: CompiledDag[] = [];
  let problems: string[] = [];

  before(async () => {
    // A stock Airflow has this connection.
    process.env['AIRFLOW_CONN_FS_DEFAULT'] = '{"conn_type": "fs", "extra": {"path": "/"}}';
    const config = readConfig({ LEOFLOW_HOME: place.path, LEOFLOW_PARALLELISM: 16, LEOFLOW_PARKED_CHILDREN: 1, LEOFLOW_FORK_SERVER_IDLE_SECONDS: 10 }, {});
    engine = await openEngine({ config, home: join(place.path, 'home'), store: 'throwaway', python: sdkPython(), followsSchedules: false, writeLog: () => undefined });
    ({ dags, problems } = await compileExamples(join(place.path, 'examples'), { config, python: sdkPython() }));
  }, { timeout: 200_000 });
  after(async () => {
    await engine.stop({ endExecutions: true });
    place.remove();
  });

  test('every file is parsed', () => {
    assert.deepEqual(problems.filter((problem) => !WITHOUT_DAG.test(problem)), []);
    assert.ok(dags.length >= 92, `only ${dags.length} DAGs`);
  });

  test('every DAG ends as in Airflow', { timeout: 600_000 }, async (t) => {
    const rows = await runExamples(engine, dags.filter(({ dag }) => ONLY?.includes(dag.dag_id) !== false), LIMIT_MS);
    for (const row of rows) t.diagnostic(`${row.dagId}: ${row.run}, Airflow ${row.airflow}${row.apart === null ? '' : ` (not compared: ${row.apart})`}`);
    assert.deepEqual(rows.filter((row) => row.apart === null).flatMap((row) => row.differences.map((one) => `${row.dagId}: ${one}`)), []);
    if (ONLY !== undefined) return;
    const page = renderExamplesPage(rows, problems.flatMap((problem) => WITHOUT_DAG.exec(problem)?.[1] ?? []).sort((a, b) => a.localeCompare(b)));
    assert.equal(readExamplesPage(page), page, 'LEOFLOW_TEST_WRITE=1 writes docs/airflow-examples.md anew');
  });
});
