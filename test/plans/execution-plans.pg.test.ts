// What tasks ask of the Task Execution API costs what is asked for: beside 25,000 finished runs no statement reads a growing table from end to end, or more rows than it answers with.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createExecutionApi } from '#api/execution/serve-execution.ts';
import type { AttemptId, RunUuid, VersionId } from '#contract/ids.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { withDatabase } from '../support/database.ts';
import { callerOf, StandInService } from '../support/execution-service.ts';
import { NO_SECRETS } from '../support/no-secrets.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../support/rows.ts';
import { type CapturedPlan, capturePlans } from './captured-plans.ts';

const RUNS_OF_BIG = 5_000;
const MOST_ROWS = 60;
const OWN = '/xcoms/big/own/a';

/** One DAG with many runs by the hour, and many DAGs with 50 runs each. */
async function fill(database: Database): Promise<{ service: StandInService; attempt: string }> {
  const version = await addDag(database, dagOf('big', [task('a')]));
  const run = await addRun(database, { dagId: 'big', runId: 'own', logicalDate: '2026-06-01T00:00:00Z' });
  const { attempt } = await addInstance(database, { run, taskId: 'a', state: 'running' });
  for (let mapIndex = 0; mapIndex < 20; mapIndex += 1) await addXCom(database, { run, taskId: 'a', key: 'k', value: '1', mapIndex });
  const client = await database.pool.connect();
  try {
    for (const text of ['set auto_explain.log_min_duration = -1', 'set synchronous_commit = off', 'set session_replication_role = replica',
      "create temporary table d as select 'd' || n as dag_id, gen_random_uuid() as version from generate_series(1, 400) n",
      "insert into dags (dag_id, display_name, fileloc, version_id) select dag_id, 'x', 'x', version from d",
      `create temporary table h as select gen_random_uuid() as run, n, dag_id, version, gen_random_uuid() as attempt from d, generate_series(1, 50) n
        union all select gen_random_uuid(), n, 'big', '${version}'::uuid, gen_random_uuid() from generate_series(1, ${RUNS_OF_BIG}) n`,
      `insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, logical_date, run_after, end_date, triggered_by)
        select run, dag_id, 'r' || n, 'scheduled', 'success', true, version, timestamptz '2025-01-01Z' + n * interval '1 hour', timestamptz '2025-01-01Z' + n * interval '1 hour', timestamptz '2026-02-01Z', 'timetable' from h`,
      "insert into task_instances (run, task_id, state, finished, attempt_id, try_number) select run, 'a', 'success', true, attempt, 1 from h",
      "insert into task_attempts (id, run, task_id, map_index, try_number, state) select attempt, run, 'a', -1, 1, 'success' from h",
      "insert into executions (id, attempt_id, run, state, ended, executor) select gen_random_uuid(), attempt, run, 'success', true, 'process' from h",
      "insert into xcoms (run, task_id, map_index, key, sha256, size_bytes) select run, 'a', -1, 'return_value', sha256('1'), 1 from h",
      "insert into xcom_values (run, task_id, map_index, key, value) select run, 'a', -1, 'return_value', '1' from h",
      'analyze', 'reset session_replication_role', 'set auto_explain.log_min_duration = 0']) await client.query(text);
  } finally {
    client.release();
  }
  const service = new StandInService();
  service.callers.set('t', callerOf({ run: run as RunUuid, attemptId: attempt as AttemptId, dagId: 'big', runId: 'own', taskId: 'a', versionId: version as VersionId }));
  return { service, attempt: attempt ?? '' };
}

function questions(attempt: string): readonly (readonly [string, string])[] {
  return [
    [`PATCH /task-instances/${attempt}/run`, '{"state":"running","hostname":"h","unixname":"u","pid":1,"start_date":"2026-01-01T00:00:00Z"}'], [`PATCH /task-instances/${attempt}/state`, '{"state":"success","end_date":"2026-01-01T00:00:00Z"}'],
    [`GET /task-instances/${attempt}/previous-successful-dagrun`, ''], ['GET /task-instances/previous/big/a?logical_date=2026-06-01T00:00:00Z', ''], ['GET /task-instances/previous/big/a?logical_date=2026-06-01T00:00:00Z&state=success', ''],
    ['GET /task-instances/count?dag_id=big&run_ids=r7&task_ids=a&states=success', ''], ['GET /task-instances/states?dag_id=big&logical_dates=2025-01-02T00:00:00Z', ''], ['GET /task-instances/breadcrumbs?dag_id=big&run_id=r7', ''],
    [`GET /task-reschedules/${attempt}/start_date`, ''], ['GET /dag-runs/count?dag_id=big&run_ids=r7', ''], ['GET /dag-runs/previous?dag_id=big&logical_date=2026-06-01T00:00:00Z&state=success', ''], ['GET /dag-runs/big/r7', ''], ['GET /dag-runs/big/r7/state', ''],
    ['GET /dags/big', ''], [`GET ${OWN}/k?map_index=3`, ''], [`GET ${OWN}/k?offset=-1`, ''], [`GET ${OWN}/k/item/19`, ''], [`GET ${OWN}/k/slice?start=2&stop=4`, ''], [`HEAD ${OWN}/k`, ''], ['GET /xcoms/big/r7/a/return_value', ''],
    ['GET /assets/by-name?name=n', ''], [`GET /hitlDetails/${attempt}`, ''],
  ];
}

describe('questions of tasks beside 25,000 runs', { timeout: 60_000 }, () => {
  const capture = capturePlans();
  it('reads no table from end to end, and no more rows than are asked for', () => withDatabase(async (database) => {
    const { service, attempt } = await fill(database);
    const api = createExecutionApi({ service, database, values: null, secrets: NO_SECRETS, config: readConfig({}, {}), reporter: createReporter('error', () => undefined) });
    const wrong: string[] = [];
    // More than five times: then PostgreSQL may go over to a plan that fits any value.
    for (let round = 0; round < 7; round += 1) for (const [line, body] of questions(attempt)) {
      const [method = '', url = ''] = line.split(' ');
      const [path = '', query = ''] = url.split('?');
      capture.take();
      const { status } = await api.handle({ method, path, query, headers: { authorization: 'Bearer t' }, body: Buffer.from(body) });
      assert.ok(status < 500, `${line}: ${status}`);
      const plans: readonly CapturedPlan[] = capture.take();
      wrong.push(...plans.filter((plan) => plan.rowsRead > MOST_ROWS || plan.scanned.some((table) => table !== 'dags')).map((plan) => `${line}: ${plan.name} reads ${plan.rowsRead} rows, scans ${plan.scanned.join(', ')}`));
    }
    assert.deepEqual([...new Set(wrong)], []);
  }).finally(() => capture.end()));
});
