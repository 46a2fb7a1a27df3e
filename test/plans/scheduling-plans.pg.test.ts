// No query of the scheduling path reads history: every plan of a working engine, on an empty database and beside 50,000 finished runs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { setPaused } from '#store/dags.ts';
import type { Database } from '#store/database.ts';
import { recordHeartbeats } from '#store/executions.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../support/engine.ts';
import { product } from '../support/planner.ts';
import { addDag, dagOf, task } from '../support/rows.ts';
import { type CapturedPlan, capturePlans } from './captured-plans.ts';

const RUNS = 50_000;
const INSTANCES_PER_RUN = 4;
/** The oldest of them; behind them, searches for the last scheduled run stand before many others. */
const SCHEDULED = 20_000;
/** Files whose every statement the leader, its agents and people's actions on runs need. */
const FILES = ['dag-runs', 'executions', 'schedule', 'task-attempts', 'xcom-values', 'person-actions', 'person-version-switch', 'leader', 'dag-specs'];
/** Statements of those files that are not played, each with its reason. */
const NOT_PLAYED: Readonly<Record<string, string>> = {
  'store/leader.settings': 'has no plan', 'store/leader.wait': 'has no plan', 'store/leader.probe': 'reads no table', 'store/leader.pooler': 'reads no table', 'store/leader.lock': 'reads no table',
  'store/leader.probeEpoch': 'reads the one row of leader, and only when a commit takes long', 'store/leader.readEpoch': 'reads the one row of leader, and only when a commit was stale',
  'store/executions.listOf': 'the API asks for the log of one try', 'store/schedule.listPaused': 'nobody asks it while runs go on',
  'store/xcom-values.findPrior': 'a task asks for earlier runs, so it reads them', 'store/dag-specs.readSpecsOn': 'kept in memory after its first reading',
};
/** What may read finished rows, and how many at most: what it is for are runs that are over. */
const BOUNDED: Readonly<Record<string, number>> = { 'store/dag-runs.listEverPlanned': 2 * 1000 };
/** Rows that may differ by how the commits of a run were put together. */
const SLACK_ROWS = 8;

const DATE = (day: number): string => `2026-01-${String(day).padStart(2, '0')}T00:00:00Z`;
const work = dagOf('work', [task('a', [], { retries: 1, retry_delay_seconds: 0 }), task('m', ['a'], { expand: product('a') }), task('last', ['m'], { inputs: [{ task_id: 'a', key: 'return_value' }] })]);
const past = (catchup: boolean, more: readonly string[] = []): Dag => dagOf('past', ['p', ...more].map((id) => task(id, [], { depends_on_past: true })), { max_active_runs: 4, catchup });
const timed = dagOf('timed', [task('t')], { timetable: { kind: 'cron', expressions: ['* * * * *'], timezone: 'UTC' }, start_date: DATE(1), catchup: false });

/** Everything the leader does, one thing after the other. */
async function play(engine: EngineUnderTest): Promise<void> {
  const act = (action: Partial<typeof NO_ACTION>): Promise<unknown> => applyAction(engine.database, { ...NO_ACTION, by: 'ann', ...action });
  const run = await engine.trigger('work');
  await engine.finish('a', { outcome: 'failed' });
  await engine.finish('a', { xcoms: { return_value: [1, 2], other: 'x' } }, 2);
  await engine.finish('m[0]', { xcoms: { return_value: 1 } });
  await engine.finish('m[1]', { xcoms: { return_value: 2 } });
  const last = await engine.job('last');
  const ask = (more: object): Promise<unknown> => engine.scheduler.findXCom(last.token, last.execution_id, { task_id: 'm', key: 'return_value', map_index: null, ...more });
  assert.equal(await ask({}), '[1,2]');
  await ask({ run_id: last.run.run_id });
  await recordHeartbeats(engine.database.pool, [last.execution_id]);
  await engine.report(last);
  await engine.untilRun(run, 'success');
  // A person clears what is over, then what runs; the late report of the cleared execution is refused.
  await addDag(engine.database, { ...work, tasks: [...work.tasks, task('extra')] });
  await act({ clear: [{ run, taskId: 'last', mapIndex: -1 }], useLatestVersion: true });
  await engine.finish('extra');
  const cleared = await engine.job('last', 2);
  await act({ clear: [{ run, taskId: 'last', mapIndex: -1 }] });
  await engine.until(() => engine.machine.cancelled.includes(cleared.execution_id), 'the cleared execution is stopped');
  engine.executor.kill(cleared);
  assert.equal((await engine.report({ execution_id: cleared.execution_id, token: cleared.token })).kind, 'stale');
  // Take-over, with one execution that runs on and one that was cleared while nobody led.
  const held = await engine.job('last', 3);
  await engine.kill();
  await act({ clear: [{ run, taskId: 'last', mapIndex: -1 }] });
  await engine.start();
  await engine.until(() => engine.machine.cancelled.includes(held.execution_id), 'what was cleared meanwhile is stopped');
  engine.executor.kill(held);
  const again = await engine.job('last', 4);
  await engine.kill();
  await engine.start();
  await engine.insist(again);
  await engine.untilRun(run, 'success');
  await act({ mark: [{ run, taskId: 'last', mapIndex: -1, state: 'failed' }], runs: [{ id: run, state: 'failed' }] });
  await playPast(engine);
  await playSchedule(engine);
}

/** Runs that look at the one before, and at whether a task of theirs is new. */
async function playPast(engine: EngineUnderTest): Promise<void> {
  const first = await engine.trigger('past', { logicalDate: DATE(10) });
  await engine.finish('p');
  await engine.untilRun(first, 'success');
  await addDag(engine.database, past(false, ['fresh']));
  const second = await engine.trigger('past', { logicalDate: DATE(11) });
  await engine.finish('p', {}, 2);
  await engine.finish('fresh');
  await engine.untilRun(second, 'success');
  // With catchup only scheduled runs count, and there is none among thousands of others.
  await addDag(engine.database, past(true));
  const third = await engine.trigger('past', { logicalDate: DATE(12) });
  await engine.finish('p', {}, 3);
  await engine.untilRun(third, 'success');
}

/** The switch and the schedule of a DAG. */
async function playSchedule(engine: EngineUnderTest): Promise<void> {
  await setPaused(engine.database, ['timed'], true);
  await setPaused(engine.database, ['timed'], false);
  await engine.finish('t');
  await engine.database.pool.query('notify leoflow_pools');
}

/** 50,000 runs that are over, with all that belongs to them, before and beside those of `play`; most of them of its own DAGs. */
async function fillHistory(database: Database): Promise<void> {
  const client = await database.pool.connect();
  try {
    // Without foreign keys' checks and plans of this filling: it is not what is looked at.
    for (const text of ["set session_replication_role = replica", 'set auto_explain.log_min_duration = -1', 'set synchronous_commit = off',
      `create temporary table h as select gen_random_uuid() as run, n, (array['work', 'past', 'timed', 'done'])[1 + n % 4] as dag_id from generate_series(1, ${RUNS}) n`,
      `insert into dags (dag_id, display_name, fileloc, is_paused, version_id, next_run_after) select 'done' || case when n = 0 then '' else n::text end, 'x', 'x', n % 2 = 0, (select version_id from dags where dag_id = 'work'), clock_timestamp() + interval '1 day' from generate_series(0, 5000) n`,
      `insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, logical_date, run_after, start_date, end_date, triggered_by, epoch, last_decision)
        select h.run, dag_id, 'old__' || n, case when n <= ${SCHEDULED} then 'scheduled' else 'manual' end, 'success', true, d.version_id, timestamptz '2020-01-01Z' + n * interval '1 hour', timestamptz '2020-01-01Z' + n * interval '1 hour', now(), now(), 'rest_api', 1, now() from h join dags d using (dag_id)`,
      `create temporary table i as select run, case when k = 0 then 'p' else 'old' || k end as task_id, gen_random_uuid() as attempt, gen_random_uuid() as execution from h, generate_series(0, ${INSTANCES_PER_RUN - 1}) k`,
      "insert into task_instances (run, task_id, state, finished, attempt_id, try_number) select run, task_id, 'success', true, attempt, 1 from i",
      "insert into task_attempts (id, run, task_id, map_index, try_number, state) select attempt, run, task_id, -1, 1, 'success' from i",
      "insert into executions (id, attempt_id, run, state, ended, executor) select execution, attempt, run, 'success', true, 'process' from i",
      "insert into attempt_events (run, task_id, map_index, attempt_id, execution_id, from_state, to_state) select run, task_id, -1, attempt, execution, 'running', 'success' from i",
      "insert into xcoms (run, task_id, map_index, key, sha256, size_bytes) select run, task_id, -1, 'return_value', sha256('1'), 1 from i",
      "insert into xcom_values (run, task_id, map_index, key, value) select run, task_id, -1, 'return_value', '1' from i",
      'analyze', 'reset session_replication_role', 'set auto_explain.log_min_duration = 0', 'reset synchronous_commit']) await client.query(text);
  } finally {
    client.release();
  }
}

interface Seen { readonly times: number; readonly rows: number; readonly pages: number; readonly worst: CapturedPlan }

/** By statement, the execution that read most. */
function summarize(plans: readonly CapturedPlan[]): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const plan of plans) {
    const known = seen.get(plan.name);
    const worst = known === undefined || plan.rowsRead > known.rows ? plan : known.worst;
    seen.set(plan.name, { times: (known?.times ?? 0) + 1, rows: worst.rowsRead, pages: Math.max(plan.pages, known?.pages ?? 0), worst });
  }
  return seen;
}

/** Names of all statements of the scheduling path, from the sources. */
function listStatements(): string[] {
  return FILES.flatMap((file) => [...readFileSync(join(import.meta.dirname, '..', '..', 'src', 'store', `${file}.ts`), 'utf8').matchAll(/\/\* (store\/[\w.-]+) \*\//g)].map((match) => match[1] ?? ''));
}

async function observe(capture: ReturnType<typeof capturePlans>, fill: boolean): Promise<CapturedPlan[]> {
  await using engine = await EngineUnderTest.open([work, past(false), timed], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
  if (fill) await fillHistory(engine.database);
  // A plan that a session made before there was any history is not what a server has that comes up beside it.
  await engine.kill();
  capture.take();
  await engine.start();
  await play(engine);
  return capture.take();
}

describe('every plan of a working engine', { timeout: 110_000 }, () => {
  const capture = capturePlans();
  let plans: CapturedPlan[];
  let alone: Map<string, Seen>;
  let beside: Map<string, Seen>;
  before(async () => {
    alone = summarize(await observe(capture, false));
    plans = await observe(capture, true);
    beside = summarize(plans);
  });
  after(() => capture.end());

  it('no statement of the scheduling path was left out', (test) => {
    for (const [name, { times, rows, pages }] of [...beside].toSorted(([a], [b]) => a.localeCompare(b))) test.diagnostic(`${name}: ${times} times, at most ${rows} rows and ${pages} pages (${alone.get(name)?.rows ?? '–'} rows without history)`);
    assert.deepEqual(listStatements().filter((name) => !beside.has(name) && NOT_PLAYED[name] === undefined), [], 'not exercised');
    assert.deepEqual(Object.keys(NOT_PLAYED).filter((name) => !listStatements().includes(name)), [], 'exceptions of statements that are gone');
  });

  it('no table that grows is read from end to end', () => {
    const scans = [...new Set(plans.filter((plan) => plan.scanned.length > 0).map((plan) => `${plan.name} scans ${plan.scanned.join(', ')}`))];
    assert.deepEqual(scans, []);
  });

  it('rows read do not grow with history', () => {
    const grown = [...beside].filter(([name, { rows }]) => rows > (BOUNDED[name] ?? (alone.get(name)?.rows ?? 0) + SLACK_ROWS));
    assert.deepEqual(grown.map(([name, { rows, worst }]) => `${name}: ${rows} rows, ${alone.get(name)?.rows ?? 'not seen'} without history\n${worst.text.slice(0, 3000)}`), []);
  });
});
