// Deleting costs what is deleted: no statement behind the deletion of a run, a DAG or old history reads a growing table from end to end, foreign keys' own included.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deleteDag } from '#store/dags.ts';
import type { Database } from '#store/database.ts';
import { prune } from '#store/prune.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { withDatabase } from '../support/database.ts';
import { addDag, addRun, dagOf, task } from '../support/rows.ts';
import { type CapturedPlan, capturePlans } from './captured-plans.ts';

const DAGS = 400;
const RUNS_PER_DAG = 50;
/** It asks which runs are old, and looks at every DAG for its newest. */
const LOOKS_AT_ALL = 'store/prune.pick';

/** 20,000 runs that ended long ago, each with an instance, a try, two executions, an event and a value. */
async function fill(database: Database): Promise<void> {
  await addDag(database, dagOf('first', [task('a')]));
  await addRun(database, { dagId: 'first', runId: 'r', state: 'success' });
  const client = await database.pool.connect();
  try {
    for (const text of ['set auto_explain.log_min_duration = -1', 'set synchronous_commit = off', 'set session_replication_role = replica',
      `create temporary table d as select 'd' || n as dag_id, gen_random_uuid() as version from generate_series(1, ${DAGS}) n`,
      "insert into dag_versions (id, dag_id, number, hash, spec, runtime) select version, dag_id, 1, dag_id, '{\"sources\": []}', 'leoflow' from d",
      "insert into dags (dag_id, display_name, fileloc, version_id) select dag_id, 'x', 'x', version from d",
      `create temporary table h as select gen_random_uuid() as run, n, dag_id, version, gen_random_uuid() as attempt from d, generate_series(1, ${RUNS_PER_DAG}) n`,
      `insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, run_after, end_date, triggered_by)
        select run, dag_id, 'r' || n, 'manual', 'success', true, version, timestamptz '2020-01-01Z' + n * interval '1 hour', timestamptz '2020-02-01Z', 'rest_api' from h`,
      "insert into task_instances (run, task_id, state, finished, attempt_id, try_number) select run, 'a', 'success', true, attempt, 1 from h",
      "insert into task_attempts (id, run, task_id, map_index, try_number, state) select attempt, run, 'a', -1, 1, 'success' from h",
      "insert into executions (id, attempt_id, run, state, ended, executor) select gen_random_uuid(), attempt, run, 'success', true, 'process' from h, generate_series(1, 2)",
      "insert into attempt_events (run, task_id, map_index, attempt_id, from_state, to_state) select run, 'a', -1, attempt, 'running', 'success' from h",
      "insert into xcoms (run, task_id, map_index, key, sha256, size_bytes) select run, 'a', -1, 'return_value', sha256('1'), 1 from h",
      "insert into xcom_values (run, task_id, map_index, key, value) select run, 'a', -1, 'return_value', '1' from h",
      'analyze', 'reset session_replication_role', 'set auto_explain.log_min_duration = 0']) await client.query(text);
  } finally {
    client.release();
  }
}

const scans = (plans: readonly CapturedPlan[]): string[] => [...new Set(plans.filter((plan) => plan.scanned.length > 0 && plan.name !== LOOKS_AT_ALL).map((plan) => `${plan.name} scans ${plan.scanned.join(', ')}`))];

describe('deleting beside 20,000 runs', { timeout: 60_000 }, () => {
  const capture = capturePlans();
  const seen = new Map<string, readonly CapturedPlan[]>();
  before(() => withDatabase(async (database) => {
    await fill(database);
    const [run] = (await database.pool.query<{ id: string }>("select id from dag_runs where dag_id = 'd1' order by id limit 1")).rows;
    capture.take();
    for (const [what, act] of [
      ['a run', () => deleteRun(database, run?.id ?? assert.fail())],
      ['a DAG', () => deleteDag(database, 'd2')],
      ['history', () => prune(database, { endedBefore: Date.parse('2021-01-01T00:00:00Z'), keepRuns: 1, dagId: 'd3' })],
    ] as const) {
      await act();
      seen.set(what, capture.take());
    }
  }));
  after(() => capture.end());

  for (const [what, least] of [['a run', 8], ['a DAG', 14], ['history', 10]] as const) {
    it(`${what} scans nothing`, (test) => {
      const plans = seen.get(what) ?? [];
      test.diagnostic(`${plans.length} plans, ${plans.reduce((sum, plan) => sum + plan.rowsRead, 0)} rows`);
      assert.ok(plans.length >= least, `${plans.length} plans`);
      assert.deepEqual(scans(plans), []);
    });
  }
});
