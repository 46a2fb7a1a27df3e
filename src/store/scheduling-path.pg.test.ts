// What the leader asks again and again is answered from partial indexes: its cost must not grow with history.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { testDatabase } from '../../test/support/database.ts';
import { addDag, dagOf, task } from '../../test/support/rows.ts';
import { findPastRun, findRunForPlanning, listUnfinishedRuns, listUnfinishedRunsOf } from './dag-runs.ts';
import type { Database } from './database.ts';
import { listLiveExecutions } from './executions.ts';
import { findNextDue, listDueDags } from './schedule.ts';

const FINISHED = 20_000;
let database: Database;

before(async () => {
  database = await testDatabase();
  await addDag(database, dagOf('d', [task('a')]));
  await database.pool.query(`insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, logical_date, run_after, triggered_by)
    select gen_random_uuid(), 'd', 'scheduled__' || n, 'scheduled', case when n > $1 then 'running' else 'success' end, n <= $1, (select version_id from dags), timestamptz '2020-01-01Z' + n * interval '1 hour', timestamptz '2020-01-01Z' + n * interval '1 hour', 'timetable'
    from generate_series(1, $1 + 5) n`, [FINISHED]);
  await database.pool.query("insert into task_instances (run, task_id, state, finished) select id, 'a', 'success', true from dag_runs");
  await database.pool.query("insert into executions (id, attempt_id, run, state, ended, executor) select gen_random_uuid(), gen_random_uuid(), id, case when finished then 'success' else 'running' end, finished, 'process' from dag_runs");
  await database.pool.query(`insert into dags (dag_id, display_name, fileloc, is_paused, version_id, next_run_after)
    select 'other' || n, 'x', 'x', false, (select version_id from dags limit 1), clock_timestamp() + n * interval '1 minute' from generate_series(-5, 5000) n`);
  await database.pool.query('analyze');
});

type Query = Parameters<typeof listUnfinishedRuns>[0];

/** Runs a function of the store with a client that explains instead. @returns the plan of each statement */
async function explain(ask: (client: Query) => Promise<unknown>): Promise<string[]> {
  const plans: string[] = [];
  const client = {
    async query(query: string | { text: string; values?: unknown[] }, values: unknown[] = []) {
      const [text, given] = typeof query === 'string' ? [query, values] : [query.text, query.values ?? []];
      const explained = await database.pool.query<{ 'QUERY PLAN': string }>(`explain (analyze, buffers, timing off) ${text}`, given);
      plans.push(explained.rows.map((row) => row['QUERY PLAN']).join('\n'));
      return database.pool.query(text, given);
    },
  };
  await ask(client as unknown as Query);
  return plans;
}

function assertPlan(plan: string, index: string): void {
  assert.match(plan, new RegExp(`(Index|Bitmap|Index Only) .*${index}`), plan);
  assert.doesNotMatch(plan, /Seq Scan on (dag_runs|task_instances|executions|dags)\b/, plan);
  const [, hit, read] = /Buffers: shared hit=(\d+)(?: read=(\d+))?/.exec(plan) ?? [];
  assert.ok(Number(hit ?? 0) + Number(read ?? 0) < 200, `it touches too many pages:\n${plan}`);
}

describe('with 20,000 finished runs and 5,000 planned DAGs', () => {
  it('unfinished runs', async () => {
    const [plan = ''] = await explain((client) => listUnfinishedRuns(client));
    assertPlan(plan, 'dag_runs_unfinished');
    assert.equal((await listUnfinishedRuns(database.pool)).length, 5);
  });

  it('unfinished runs of one DAG', async () => assertPlan((await explain((client) => listUnfinishedRunsOf(client, 'd')))[0] ?? '', 'dag_runs_unfinished'));

  it('live executions', async () => {
    assertPlan((await explain((client) => listLiveExecutions(client)))[0] ?? '', 'executions_live');
    assert.equal((await listLiveExecutions(database.pool)).length, 5);
  });

  it('due DAGs, and only those', async () => {
    const [plan = ''] = await explain((client) => listDueDags(client, 500));
    assertPlan(plan, 'dags_due');
    assert.match(plan, /Index Cond: \(next_run_after <= statement_timestamp\(\)\)/, 'the date bounds the scan, not a filter behind it');
    assert.equal((await listDueDags(database.pool, 500)).length, 6);
  });

  it('the next due date', async () => assertPlan((await explain((client) => findNextDue(client, Date.now())))[0] ?? '', 'dags_due'));

  it('a run with all its instances', async () => {
    const [run] = await listUnfinishedRuns(database.pool);
    const plans = await explain((client) => findRunForPlanning(client, run ?? assert.fail(), { lengths: true }));
    assert.equal(plans.length, 3);
    assertPlan(plans[0] ?? '', 'dag_runs_pkey');
    assertPlan(plans[1] ?? '', 'task_instances_pkey');
  });

  it('the run before', async () => assertPlan((await explain((client) => findPastRun(client, { dagId: 'd', logicalDate: Date.UTC(2022, 0), anyType: true, taskIds: ['a'] })))[0] ?? '', 'dag_runs_logical_date'));
});
