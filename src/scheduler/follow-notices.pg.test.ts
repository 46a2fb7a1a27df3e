// What others change reaches the leader whatever happens to the notice; and a leader leads although one run cannot be read.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { deleteDag, setPaused } from '#store/dags.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { addDag, dagOf, task } from '../../test/support/rows.ts';

const LIMIT_MS = 6000;

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; !(await holds()); await pass(10)) assert.ok(Date.now() < deadline, what);
}

type Ask = (...given: readonly unknown[]) => Promise<unknown>;

/** Delays the answer to the first statement of a name. @returns resolves when it was asked */
function delayFirst(engine: EngineUnderTest, name: string, ms: number): Promise<void> {
  const pool = engine.database.pool as unknown as { query: Ask };
  const real = pool.query.bind(pool);
  return new Promise((resolve) => {
    pool.query = async (...given) => {
      const [first] = given as [string | { name?: string; text: string }];
      const result = await real(...given);
      if (pool.query === real || !(typeof first === 'string' ? first : `${first.name ?? ''} ${first.text}`).includes(name)) return result;
      pool.query = real;
      resolve();
      await pass(ms);
      return result;
    };
  });
}

const stateOf = async (engine: EngineUnderTest, run: string): Promise<unknown> => (await engine.one('select state from dag_runs where id = $1', [run]))?.['state'];

describe('the pause switch', () => {
  it('is right when it is used while a run of the DAG is being read', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    await setPaused(engine.database, ['d'], true);
    await pass(100);
    const isRead = delayFirst(engine, 'readInstances', 300);
    await engine.trigger('d');
    await isRead;
    await setPaused(engine.database, ['d'], false);
    await engine.job('a');
  });

  it('is right when it is used twice in a row', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    await setPaused(engine.database, ['d'], true);
    await pass(100);
    const run = await engine.trigger('d');
    const isAsked = delayFirst(engine, 'schedule.findPause', 200);
    await setPaused(engine.database, ['d'], false);
    await isAsked;
    await setPaused(engine.database, ['d'], true);
    await pass(600);
    assert.deepEqual([await stateOf(engine, run), engine.machine.jobs.length], ['queued', 0]);
  });
});

describe('a deleted DAG', () => {
  it('leaves no run behind that would count when it is registered again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { max_active_runs: 1 })]);
    await setPaused(engine.database, ['d'], true);
    await pass(100);
    await engine.trigger('d');
    await eventually(() => engine.scheduler.counts?.runs === 1, 'the run is known');
    assert.equal((await deleteDag(engine.database, 'd')).kind, 'deleted');
    await eventually(() => engine.scheduler.counts?.runs === 0, 'the run is let go');
    await addDag(engine.database, dagOf('d', [task('a')], { max_active_runs: 1 }));
    await setPaused(engine.database, ['d'], false);
    await engine.trigger('d');
    await engine.finish('a');
  });
});

describe('a run that waits and cannot be read', () => {
  it('lets the runs behind it begin, and begins itself when it can be', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { max_active_runs: 1 })]);
    // The first begins before the others are there; of these the one that is bad is due first.
    const first = await engine.trigger('d');
    await engine.job('a');
    const [bad, last] = [await engine.trigger('d', { afterMs: -2000 }), await engine.trigger('d', { afterMs: -1000 })];
    await eventually(() => engine.scheduler.counts?.runs === 3, 'all are known');
    const [{ id: version } = {}] = await engine.rows("insert into dag_versions (id, dag_id, number, hash, spec, runtime) select gen_random_uuid(), dag_id, 99, 'x', jsonb_set(spec::jsonb, '{tasks,0,depends_on}', '[\"ghost\"]'), runtime from dag_versions returning id");
    const [{ version_id: own } = {}] = await engine.rows('select version_id from dag_runs where id = $1', [bad]);
    await engine.rows("with moved as (update dag_runs set version_id = $2 where id = $1 returning id) select pg_notify('leoflow_run', id::text) from moved", [bad, version]);
    await engine.until(() => engine.events.some((event) => event.event === 'failure' && event.where === 'load run'), 'it cannot be read');
    await engine.finish('a');
    await engine.untilRun(first, 'success');
    assert.equal((await engine.job('a', 2)).run.run_id, (await engine.one('select run_id from dag_runs where id = $1', [last]))?.['run_id']);
    await engine.rows('update dag_runs set version_id = $2 where id = $1', [bad, own]);
    await engine.finish('a', {}, 2);
    await engine.finish('a', {}, 3);
    await engine.untilRun(bad, 'success');
  });
});

describe('a run that is set back to queued', () => {
  it('still wakes what waits for its retry', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0.3 })])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'queued' }], by: 'ann' });
    await engine.job('a', 2);
  });
});

describe('a take-over', () => {
  it('what is cleared while it goes on starts anew when its process is gone', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    const isAsked = delayFirst(engine, 'executions.listLive', 200);
    const leads = engine.start();
    await isAsked;
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    await leads;
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'it is told to end');
    await pass(200);
    assert.equal(engine.machine.jobs.length, 1);
    engine.executor.kill(a);
    await engine.job('a', 2);
  });

  it('notices that it misses are made up for when it is complete, not before it knows what runs', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    const isAsked = delayFirst(engine, 'executions.listLive', 1500);
    const leads = engine.start();
    await isAsked;
    await engine.database.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leoflow-listen' and datname = current_database()");
    await leads;
    assert.deepEqual(await engine.insist(a), { kind: 'recorded' }, 'its token is known');
  });
});

describe('a gap of notices', () => {
  it('a run that was ended meanwhile is let go, and what runs of it is stopped', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.rows("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leoflow-listen' and datname = current_database()");
    await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }], by: 'ann' });
    await eventually(() => engine.machine.cancelled.includes(a.execution_id), 'the task is told to end');
    await eventually(() => engine.scheduler.counts?.runs === 0, 'the run is let go');
  });
});

describe('a take-over', () => {
  it('is complete although a run with a lost execution cannot be read', async () => {
    await using engine = await EngineUnderTest.open([dagOf('good', [task('g')]), dagOf('bad', [task('b')])]);
    const good = await engine.trigger('good');
    await engine.trigger('bad');
    const [g, b] = [await engine.job('g'), await engine.job('b')];
    const address = (): string => readFileSync(join(engine.home, 'run', 'agent.json'), 'utf8');
    const before = address();
    await engine.kill();
    engine.machine.running.delete(b.execution_id);
    await engine.rows("update dag_versions set spec = jsonb_set(spec::jsonb, '{tasks,0,depends_on}', '[\"ghost\"]') where dag_id = 'bad'");
    await engine.start();
    await eventually(() => address() !== before, 'executions are told where the leader is');
    assert.deepEqual(await engine.insist(g), { kind: 'recorded' });
    await engine.untilRun(good, 'success');
    await engine.rows("update dag_versions set spec = jsonb_set(spec::jsonb, '{tasks,0,depends_on}', '[]') where dag_id = 'bad'");
  });
});

describe('an execution that nobody hears of', () => {
  it('is told to end, and the next one starts when it is gone', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], { LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS: 0.1, LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await eventually(() => engine.machine.cancelled.includes(a.execution_id), 'it is told to end');
    await pass(300);
    assert.equal(engine.machine.jobs.length, 1, 'nothing starts beside it');
    engine.executor.kill(a);
    assert.deepEqual(await engine.insist(await engine.job('a', 2)), { kind: 'recorded' });
    await engine.untilRun(run, 'success');
  });

  it('is not the one that was running when this server’s clock was set', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { execution_timeout_seconds: 60 })])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const { clock } = engine.database;
    clock.adjust(clock.nowMs() + 7_200_000, performance.now(), performance.now());
    await pass(1300);
    assert.deepEqual([engine.machine.cancelled, engine.machine.jobs.length], [[], 1]);
    assert.deepEqual(await engine.insist(a), { kind: 'recorded' });
    await engine.untilRun(run, 'success');
  });

  it('execution_timeout counts from the start of the execution, also after its run was read again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('s', [], { execution_timeout_seconds: 2 }), task('o')])], { LEOFLOW_CANCEL_GRACE_SECONDS: 0 });
    const run = await engine.trigger('d');
    await engine.job('o');
    for (const poke of [1, 2]) {
      const job = await engine.job('s', poke);
      await pass(1200);
      await engine.report(job, { outcome: 'up_for_reschedule', reschedule_in_seconds: 0.05 });
    }
    const last = await engine.job('s', 3);
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'o', mapIndex: -1 }], by: 'ann' });
    await pass(1300);
    assert.equal(engine.machine.cancelled.includes(last.execution_id), false);
    await eventually(() => engine.machine.cancelled.includes(last.execution_id), 'it is killed for its own time');
  });
});

describe('a run that is deleted while it waits in line', () => {
  it('gives its place in the queue to the next', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const first = await engine.trigger('d', { afterMs: 800 });
    const second = await engine.trigger('d', { afterMs: 900 });
    while (engine.scheduler.counts?.runs !== 2) await engine.rows('select 1');
    await deleteRun(engine.database, first);
    await engine.finish('a');
    await engine.untilRun(second, 'success');
  });
});

describe('depends_on_past', () => {
  it('goes on when the run that held it is deleted', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { depends_on_past: true })])]);
    const first = await engine.trigger('d', { logicalDate: '2026-01-01T00:00:00Z' });
    await engine.finish('a', { outcome: 'failed' });
    await engine.untilRun(first, 'failed');
    const second = await engine.trigger('d', { logicalDate: '2026-01-02T00:00:00Z' });
    await engine.untilRun(second, 'running');
    await deleteRun(engine.database, first);
    await engine.finish('a', {}, 2);
    await engine.untilRun(second, 'success');
  });
});
