// Registering versions, and making due runs: once each, under the epoch in force, as far as max_active_runs allows.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { buildGraph } from '#core/graph.ts';
import { createReporter } from '#platform/report.ts';
import { Schedule } from './create-due-runs.ts';
import { withDatabase } from '../../test/support/database.ts';
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

/** A schedule on a clock of its own. */
function scheduleOf(database: Database, dag: Dag, more: { now: number; slots?: number; epoch?: number }) {
  const created: string[] = [];
  let now = more.now;
  const schedule = new Schedule({
    clock: { nowMs: () => now }, reporter: createReporter('error', () => undefined), slotsPerPass: more.slots ?? 100,
    listDue: (limit) => listDueDags(database.pool, limit), createDue: (due) => createDueRun(database.pool, more.epoch ?? 0, due), findNextDue: (after) => findNextDue(database.pool, after),
    dagOf: () => Promise.resolve(buildGraph(dag).dag), onCreated: (run) => created.push(run),
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
      createDue: () => assert.fail(), findNextDue: () => Promise.resolve(null), dagOf: () => Promise.resolve(null), onCreated: () => assert.fail(),
    });
    await schedule.poke();
    schedule.close();
  }));
});
