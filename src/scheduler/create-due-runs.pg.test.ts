// Registering versions, and making due runs: once each, under the epoch in force, as far as max_active_runs allows.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { buildGraph } from '#core/graph.ts';
import { createReporter } from '#platform/report.ts';
import { nextRun } from '#core/timetable.ts';
import type { FindNextRun } from './ask-timetable.ts';
import { Schedule } from './create-due-runs.ts';
import { withDatabase } from '../../test/support/database.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { addDag, dagOf, task } from '../../test/support/rows.ts';
import type { Database } from '#store/database.ts';
import { findSpec, type NextRun, registerVersion } from '#store/dag-versions.ts';
import { createDueRun, findNextDue, listDueDags } from '#store/schedule.ts';
import type { Dag } from '#contract/dag.ts';

const HOUR = 3_600_000;
const NEVER = { summary: null, description: null };
const hourly = (more: Partial<Dag> = {}): Dag => dagOf('d', [task('a')], { timetable: { kind: 'cron', expressions: ['0 * * * *'], timezone: 'UTC' }, start_date: '2026-01-01T00:00:00Z', ...more });
const at = (ms: number): NextRun => ({ logicalDate: ms, intervalStart: ms, intervalEnd: ms, runAfter: ms });

async function register(database: Database, dag: Dag, next: NextRun | null = null) {
  return registerVersion(database, { dag, sources: [{ path: 'dag.py', content: Buffer.from('from airflow.sdk import dag\n') }], bundle: 'b', active: true, parseMs: null, next, timetable: NEVER });
}

const scheduled = async (database: Database): Promise<string[]> =>
  (await database.pool.query<{ run_id: string }>('select run_id from dag_runs order by run_after')).rows.map((row) => row.run_id.replace('scheduled__', '').slice(0, 16));

describe('versions', () => {
  it('the same content is the same version; another is the next; the first again rolls back to it', () => withDatabase(async (database) => {
    const first = await register(database, dagOf('d', [task('a')]));
    assert.deepEqual([first.number, first.created, first.changed], [1, true, true]);
    const same = await register(database, dagOf('d', [task('a')]));
    assert.deepEqual(same, { versionId: first.versionId, number: 1, created: false, changed: false });
    const second = await register(database, dagOf('d', [task('a'), task('b')]));
    assert.deepEqual([second.number, second.created, second.changed], [2, true, true]);
    const back = await register(database, dagOf('d', [task('a')]));
    assert.deepEqual(back, { versionId: first.versionId, number: 1, created: false, changed: true });
    assert.deepEqual((await database.pool.query('select version_id from dags')).rows, [{ version_id: first.versionId }]);
    assert.equal((await findSpec(database, second.versionId))?.tasks.length, 2, 'a pushed version stays');
  }));

  it('two servers that register the same at once make one version', () => withDatabase(async (database) => {
    const both = await Promise.all([1, 2, 3, 4].map(() => register(database, dagOf('d', [task('a')]))));
    assert.equal(new Set(both.map((one) => one.versionId)).size, 1);
    assert.equal(both.filter((one) => one.created).length, 1);
  }));

  it('a version keeps the planned date of the one before only when it is the same', () => withDatabase(async (database) => {
    const next = async (): Promise<number | undefined> => (await database.pool.query<{ next_run_after: Date | null }>('select next_run_after from dags')).rows[0]?.next_run_after?.getTime();
    await register(database, hourly(), at(HOUR));
    await register(database, hourly(), at(2 * HOUR));
    assert.equal(await next(), HOUR);
    await register(database, hourly({ catchup: true }), at(3 * HOUR));
    assert.equal(await next(), 3 * HOUR);
  }));
});

/** No timetable of a project is asked here. */
const findNextRun: FindNextRun = ({ dag }, query) => Promise.resolve(nextRun(dag.timetable, query));

const NO_ASSETS = { createAssetRuns: () => Promise.resolve(0), syncWatchers: () => Promise.resolve() };

/** A schedule on a clock of its own. */
function scheduleOf(database: Database, dag: Dag, more: { now: number; slots?: number; epoch?: number }) {
  const created: string[] = [];
  let now = more.now;
  const schedule = new Schedule({
    clock: { nowMs: () => now }, reporter: createReporter('error', () => undefined), slotsPerPass: more.slots ?? 100,
    listDue: (limit) => listDueDags(database.pool, limit), createDue: (due) => createDueRun(database.pool, more.epoch ?? 0, due), findNextDue: (after) => findNextDue(database.pool, after),
    dagOf: () => Promise.resolve(buildGraph(dag).dag), findNextRun, onCreated: (run) => created.push(run), ...NO_ASSETS,
  });
  return { schedule, created, moveTo: (ms: number) => void (now = ms) };
}

describe('due runs', () => {
  const start = Date.UTC(2026, 0, 1, 1);

  it('with catchup every slot is made once, in passes', () => withDatabase(async (database) => {
    const dag = hourly({ catchup: true, max_active_runs: 100 });
    await register(database, dag, at(start));
    const { schedule, created } = scheduleOf(database, dag, { now: start + 4 * HOUR + 1000, slots: 2 });
    // One pass makes two; the others follow by themselves.
    while (created.length < 5) await schedule.poke();
    await schedule.poke();
    schedule.close();
    assert.deepEqual(await scheduled(database), ['2026-01-01T01:00', '2026-01-01T02:00', '2026-01-01T03:00', '2026-01-01T04:00', '2026-01-01T05:00']);
    assert.equal(await findNextDue(database.pool, 0), start + 5 * HOUR);
  }));

  it('without catchup only the newest slot is made', () => withDatabase(async (database) => {
    const dag = hourly();
    await register(database, dag, at(start + 3 * HOUR));
    const { schedule } = scheduleOf(database, dag, { now: start + 9.5 * HOUR });
    await schedule.poke();
    await schedule.poke();
    schedule.close();
    const made = await scheduled(database);
    assert.equal(made.at(-1), '2026-01-01T10:00');
    assert.ok(made.length <= 2, made.join());
  }));

  it('max_active_runs holds it up, until one of them is finished', () => withDatabase(async (database) => {
    const dag = hourly({ catchup: true, max_active_runs: 2 });
    await register(database, dag, at(start));
    const { schedule, created } = scheduleOf(database, dag, { now: start + 5 * HOUR });
    await schedule.poke();
    assert.equal(created.length, 2);
    await schedule.poke();
    assert.equal(created.length, 2);
    await database.pool.query("update dag_runs set state = 'success', finished = true where id = $1", [created[0]]);
    schedule.onRunFinished('d');
    await schedule.poke();
    assert.equal(created.length, 3);
    schedule.close();
  }));

  it('nothing is made for a paused DAG, nor twice, nor by an epoch that is over', () => withDatabase(async (database) => {
    const dag = hourly();
    await register(database, dag, at(start));
    const [due] = await listDueDags(database.pool, LIMITS.maxRunsPerPass);
    assert.ok(due);
    const one = { dag: due, runId: 'scheduled__x', after: at(start + HOUR), nowMs: start };
    assert.deepEqual(await createDueRun(database.pool, 99, one), { kind: 'stale' });
    await database.pool.query('update dags set is_paused = true');
    assert.deepEqual(await listDueDags(database.pool, 10), []);
    assert.deepEqual(await createDueRun(database.pool, 0, one), { kind: 'stale' });
    await database.pool.query('update dags set is_paused = false');
    const results = await Promise.all([createDueRun(database.pool, 0, one), createDueRun(database.pool, 0, one)]);
    assert.deepEqual(results.map((result) => result.kind).sort(), ['created', 'stale']);
    await database.pool.query('update dags set next_run_after = $1', [new Date(start)]);
    assert.deepEqual(await createDueRun(database.pool, 0, one), { kind: 'exists' });
    assert.equal((await scheduled(database)).length, 1);
  }));

  it('a DAG without a version that can be read is left alone', () => withDatabase(async (database) => {
    await addDag(database, hourly());
    await database.pool.query("update dags set next_run_after = '2026-01-01'");
    const schedule = new Schedule({
      clock: { nowMs: () => start }, reporter: createReporter('error', () => undefined), slotsPerPass: 1, listDue: (limit) => listDueDags(database.pool, limit),
      createDue: () => assert.fail(), findNextDue: () => Promise.resolve(null), dagOf: () => Promise.resolve(null), findNextRun, onCreated: () => assert.fail(), ...NO_ASSETS,
    });
    await schedule.poke();
    schedule.close();
  }));
});

describe('many DAGs', () => {
  const start = Date.UTC(2026, 0, 1, 1);

  it('that wait for their own runs do not hide one that is due', () => withDatabase(async (database) => {
    const dag = hourly();
    await register(database, dag, at(start));
    await database.pool.query(`insert into dags (dag_id, display_name, fileloc, is_paused, version_id, next_run_after, next_logical_date, max_active_runs)
      select 'a' || n, 'x', 'x', false, version_id, timestamptz '2025-01-01Z', timestamptz '2025-01-01Z', 1 from dags, generate_series(1, 20) n where dag_id = 'd'`);
    await database.pool.query(`insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, logical_date, run_after, triggered_by)
      select gen_random_uuid(), dag_id, 'r', 'manual', 'queued', version_id, null, now(), 'cli' from dags where dag_id <> 'd'`);
    assert.deepEqual((await listDueDags(database.pool, 20)).map((due) => due.dagId), ['d']);
    await database.pool.query('delete from dag_runs');
    assert.deepEqual((await listDueDags(database.pool, 20, ['d', 'a3', 'nobody'])).map((due) => due.dagId), ['a3', 'd']);
  }));

  it('a run that ends while the schedule looks is not overlooked', { timeout: 10_000 }, () => withDatabase(async (database) => {
    const dag = hourly({ catchup: true, max_active_runs: 1 });
    await register(database, dag, at(start));
    await database.pool.query(`insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, logical_date, run_after, triggered_by)
      select gen_random_uuid(), 'd', 'r', 'manual', 'queued', version_id, null, now(), 'cli' from dags`);
    const created = Promise.withResolvers<unknown>();
    // The pass has counted the run; then it ends.
    let meanwhile = async (): Promise<void> => {
      meanwhile = () => Promise.resolve();
      await database.pool.query("update dag_runs set state = 'success', finished = true");
      schedule.onRunFinished('d');
    };
    const schedule: Schedule = new Schedule({
      clock: { nowMs: () => start + 5 * HOUR }, reporter: createReporter('error', () => undefined), slotsPerPass: 100,
      listDue: async (limit, only) => {
        const due = await listDueDags(database.pool, limit, only);
        await meanwhile();
        return due;
      },
      createDue: (due) => createDueRun(database.pool, 0, due), findNextDue: (after) => findNextDue(database.pool, after), dagOf: () => Promise.resolve(buildGraph(dag).dag), findNextRun, onCreated: created.resolve, ...NO_ASSETS,
    });
    await schedule.poke();
    await created.promise;
    schedule.close();
  }));
});

describe('a project that is asked for its own timetable', () => {
  it('and does not answer holds up no other DAG; its own run is made when it answers', { timeout: 10_000 }, () => withDatabase(async (database) => {
    const now = Date.parse('2026-01-10T05:00:00Z');
    const slow = dagOf('a_slow', [task('a')], { runtime: 'airflow', timetable: { kind: 'custom', class: 'm.T', data: {} } });
    for (const dag of [slow, hourly()]) await register(database, dag, at(now - HOUR));
    const answer = Promise.withResolvers<void>();
    const created: (() => void)[] = [];
    let asked = 0;
    const schedule: Schedule = new Schedule({
      clock: { nowMs: () => now }, reporter: createReporter('error', () => undefined), slotsPerPass: 100, listDue: (limit, only) => listDueDags(database.pool, limit, only),
      createDue: (due) => createDueRun(database.pool, 0, due), findNextDue: (after) => findNextDue(database.pool, after), dagOf: (version) => findSpec(database, version),
      findNextRun: async ({ dag }, query) => {
        if (dag.dag_id !== 'a_slow') return nextRun(dag.timetable, query);
        asked += 1;
        await answer.promise;
        return { ...at(now + HOUR) };
      },
      onCreated: () => created.shift()?.(), ...NO_ASSETS,
    });
    await schedule.poke();
    await schedule.poke();
    const withRuns = async (): Promise<string[]> => (await database.pool.query<{ dag_id: string }>('select distinct dag_id from dag_runs order by dag_id')).rows.map((row) => row.dag_id);
    assert.deepEqual([await withRuns(), asked], [['d'], 1]);
    const isCreated = new Promise<void>((resolve) => void created.push(resolve));
    answer.resolve();
    await isCreated;
    assert.deepEqual(await withRuns(), ['a_slow', 'd']);
    schedule.close();
  }));
});

describe('a leader', () => {
  const yearly: Partial<Dag> = { timetable: { kind: 'cron', expressions: ['0 0 1 1 *'], timezone: 'UTC' }, catchup: true, start_date: '2026-01-01T00:00:00Z' };

  /** The first slot of the DAG is due, and the leader looks. `lose`: the connection breaks after the run was committed and before that is told. */
  async function playDue(engine: EngineUnderTest, lose: boolean): Promise<() => boolean> {
    const { pool } = engine.database;
    const query = pool.query.bind(pool) as (...args: unknown[]) => Promise<unknown>;
    let wasLost = false;
    Object.assign(pool, { query: async (...args: unknown[]) => {
      const answer = await query(...args);
      if (!lose || wasLost || (args[0] as { name?: string }).name !== 'createDueRun') return answer;
      wasLost = true;
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    } });
    await query("update dags set next_run_after = '2026-01-01', next_logical_date = '2026-01-01', next_interval_start = '2026-01-01', next_interval_end = '2026-01-01' where dag_id = 's'");
    await query("select pg_notify('leoflow_dag', 'another')");
    return () => wasLost;
  }

  for (const lose of [true, false]) {
    it(lose ? 'starts a run that was committed, when the answer was lost' : 'starts the tasks of a due run once, though it hears of it twice', async () => {
      await using engine = await EngineUnderTest.open([dagOf('s', [task('t'), task('u', ['t'])], yearly)]);
      const wasLost = await playDue(engine, lose);
      await engine.finish('t');
      await engine.finish('u');
      await engine.untilRow(async () => (await engine.rows("select 1 from dag_runs where dag_id = 's' and state = 'success'")).length === 1, 'the run ends');
      assert.equal(wasLost(), lose);
      assert.deepEqual(engine.machine.jobs.map((job) => job.task_id), ['t', 'u']);
      assert.deepEqual(engine.machine.cancelled, []);
    });
  }
});
