// Deferred tries on a real database: they wait without a process, go on once, and are called off when nobody wants them any more.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExecutionSpec } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { Deferral, TriggerEvent, TriggerOrder, TriggerOrders } from '#contract/execution-api.ts';
import type { RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import { setPaused } from '#store/dags.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { createPool } from '#store/pools.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { MemoryValues } from '../../test/support/memory-values.ts';
import { product, task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const DEFERRAL: Deferral = { classpath: 'm.T', kwargs: '{"n": 12345678901234567890}', timeout_seconds: null, next_method: 'go_on', next_kwargs: '{"big": 12345678901234567890}' };
const deferred = (more: Partial<Deferral> = {}): { outcome: 'deferred'; deferral: Deferral } => ({ outcome: 'deferred', deferral: { ...DEFERRAL, ...more } });
const never = new AbortController().signal;

function versionOf(engine: EngineUnderTest, dagId = 'd'): VersionId {
  return engine.versions.get(dagId) ?? assert.fail();
}

/** What a host of the DAG is told now that runs these. */
function watch(engine: EngineUnderTest, running: readonly TriggerId[] = [], gone = never): Promise<TriggerOrders> {
  return engine.scheduler.watchTriggers({ fork_server: versionOf(engine), pid: 7, running }, gone);
}

async function onlyOrder(engine: EngineUnderTest): Promise<TriggerOrder> {
  const { create } = await watch(engine);
  assert.equal(create.length, 1);
  return create.find((order) => 'task_id' in order) ?? assert.fail();
}

const tell = async (engine: EngineUnderTest, ...events: TriggerEvent[]): Promise<string[]> => (await engine.scheduler.takeTriggerEvents('f', events)).map(({ kind }) => kind);
const fired = (id: TriggerId, payload = '1'): TriggerEvent => ({ trigger_id: id, kind: 'event', payload });
const triggersLeft = async (engine: EngineUnderTest): Promise<unknown> => (await engine.one('select count(*)::int as n from triggers'))?.['n'];

async function deferOne(more: Partial<Deferral> = {}, taskMore: Parameters<typeof task>[2] = {}): Promise<{ engine: EngineUnderTest; run: RunUuid; first: ExecutionSpec; order: TriggerOrder }> {
  const engine = await EngineUnderTest.open([dagOf('d', [task('a', [], taskMore), task('b', ['a'])])]);
  const run = await engine.trigger('d');
  const first = await engine.finish('a', deferred(more));
  return { engine, run, first, order: await onlyOrder(engine) };
}

describe('a deferred try', () => {
  it('waits without a process, and goes on as the same try with the event, no digit lost', async () => {
    const { engine, run, first, order } = await deferOne();
    await using _ = engine;
    assert.deepEqual({ ...order, token: '', id: '' }, { id: '', token: '', classpath: 'm.T', kwargs: DEFERRAL.kwargs, dag_id: 'd', run_id: 'manual__0', task_id: 'a', map_index: -1, try_number: 1, attempt_id: first.attempt_id, log_file: first.log_file });
    assert.equal((await engine.instance(run, 'a'))['state'], 'deferred');
    assert.ok(engine.machine.hosted.has(versionOf(engine)));
    assert.deepEqual((await engine.rows('select state from executions where run = $1', [run])), [{ state: 'deferred' }]);
    assert.deepEqual(await tell(engine, fired(order.id, '{"x": 98765432109876543210}')), ['recorded']);
    const second = await engine.job('a', 2);
    assert.deepEqual([second.attempt_id, second.try_number, second.first_start], [first.attempt_id, 1, first.first_start]);
    assert.deepEqual(second.resume, { next_method: 'go_on', next_kwargs: '{"big": 12345678901234567890,"event":{"x": 98765432109876543210}}' });
    assert.equal(await triggersLeft(engine), 1, 'kept until the execution has ended');
    await engine.report(second);
    assert.equal(await triggersLeft(engine), 0);
    await engine.finish('b');
    await engine.untilRun(run, 'success');
  });

  it('goes on once: the event told again changes nothing, not even at the same moment', async () => {
    const { engine, order } = await deferOne();
    await using _ = engine;
    assert.deepEqual((await Promise.all([tell(engine, fired(order.id)), tell(engine, fired(order.id, '2'))])).flat().sort(), ['recorded', 'stale']);
    assert.deepEqual(await tell(engine, fired(order.id)), ['stale']);
    await engine.job('a', 2);
    assert.equal(engine.machine.jobs.filter((spec) => spec.task_id === 'a').length, 2);
    const { cancel } = await watch(engine, [order.id]);
    assert.deepEqual(cancel, [order.id]);
  });

  it('goes on after a leader died: the event is recorded once, whoever takes it', async () => {
    const { engine, order } = await deferOne();
    await using _ = engine;
    await engine.kill();
    await engine.start();
    assert.deepEqual(await watch(engine, [order.id], AbortSignal.abort()), { create: [], cancel: [], stop: false }, 'the host goes on with what it runs');
    assert.equal((await onlyOrder(engine)).token, order.token, 'every leader makes the same token');
    assert.equal((await engine.scheduler.identify(`${order.id}.${order.token}`)).kind, 'trigger');
    assert.deepEqual(await tell(engine, fired(order.id)), ['recorded']);
    await engine.kill();
    await engine.start();
    assert.deepEqual(await tell(engine, fired(order.id)), ['stale']);
    // Its process went on; what it resumes with is known to the next leader as well.
    const spec = await engine.job('a', 2);
    engine.executor.kill(spec);
    assert.deepEqual((await engine.job('a', 3)).resume, spec.resume, 'lost to infrastructure, it goes on from the same event');
  });

  it('may defer again', async () => {
    const { engine, order } = await deferOne();
    await using _ = engine;
    await tell(engine, fired(order.id));
    await engine.finish('a', deferred({ next_kwargs: '{ }' }), 2);
    const { create, cancel } = await watch(engine, [order.id]);
    assert.deepEqual([create.length, cancel], [1, [order.id]]);
    assert.equal(await triggersLeft(engine), 1);
    await tell(engine, fired(create[0]?.id ?? assert.fail(), '"two"'));
    assert.equal((await engine.job('a', 3)).resume?.next_kwargs, '{"event":"two"}');
  });

  it('that waits too long, or whose trigger fails, goes on in order to fail', async () => {
    const { engine, order } = await deferOne({ timeout_seconds: 0.05 });
    await using _ = engine;
    assert.deepEqual((await engine.job('a', 2)).resume, { next_method: '__fail__', next_kwargs: '{"error":"Trigger timeout"}' });
    assert.deepEqual(await tell(engine, fired(order.id)), ['stale']);
    await engine.finish('a', deferred(), 2);
    const { create } = await watch(engine);
    assert.deepEqual(await tell(engine, { trigger_id: create[0]?.id ?? assert.fail(), kind: 'failed', error: 'boom', traceback: ['one', 'two'] }), ['recorded']);
    assert.deepEqual((await engine.job('a', 3)).resume, { next_method: '__fail__', next_kwargs: '{"error":"Trigger failure","traceback":["one","two"]}' });
  });

  it('keeps its time-out over a change of leaders', async () => {
    const { engine } = await deferOne({ timeout_seconds: 0.5 });
    await using _ = engine;
    await engine.kill();
    await engine.start();
    assert.equal((await engine.job('a', 2)).resume?.next_method, '__fail__');
  });

  it('is ended by its trigger itself, with values and without retries', async () => {
    const { engine, run, order } = await deferOne({}, { retries: 3 });
    await using _ = engine;
    assert.deepEqual(await tell(engine, { trigger_id: order.id, kind: 'ended', state: 'success', xcoms: [{ key: 'return_value', value: '[1,2]' }] }), ['recorded']);
    await engine.finish('b');
    await engine.untilRun(run, 'success');
    assert.deepEqual(await engine.one('select mapped_length, size_bytes from xcoms where run = $1', [run]), { mapped_length: 2, size_bytes: 5 });
    const again = await engine.trigger('d');
    await engine.finish('a', deferred(), 2);
    const { create } = await watch(engine);
    assert.deepEqual(await tell(engine, { trigger_id: create[0]?.id ?? assert.fail(), kind: 'ended', state: 'failed', xcoms: [] }), ['recorded']);
    await engine.untilRun(again, 'failed');
    assert.equal(await triggersLeft(engine), 0);
  });

  it('is called off when it is cleared or marked, or its run is ended or deleted', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { dagrun_timeout_seconds: 100 })]);
    for (const [nth, act] of [
      (run: RunUuid) => applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' }),
      (run: RunUuid) => applyAction(engine.database, { ...NO_ACTION, mark: [{ run, taskId: 'a', mapIndex: -1, state: 'success' }], by: 'ann' }),
      (run: RunUuid) => applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }], by: 'ann' }),
      async (run: RunUuid) => {
        await setPaused(engine.database, ['d'], true);
        await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'queued' }], by: 'ann' });
        await deleteRun(engine.database, run);
      },
    ].entries()) {
      const run = await engine.trigger('d');
      await engine.finish('a', deferred(), engine.machine.jobs.length + 1);
      const { create: [order = assert.fail()] } = await watch(engine);
      const told = watch(engine, [order.id]);
      await act(run);
      assert.deepEqual((await told).cancel, [order.id], `action ${nth}`);
      assert.equal(await triggersLeft(engine), 0);
      assert.deepEqual(await tell(engine, fired(order.id)), ['stale']);
      await watch(engine, [], AbortSignal.abort());
      await assert.rejects(engine.scheduler.identify(`${order.id}.${order.token}`), (error) => error instanceof AppError && error.code === 'unauthenticated');
      if (nth === 0) await engine.finish('a', {}, engine.machine.jobs.length + (engine.machine.running.size === 0 ? 1 : 0));
    }
  });

  it('over its dagrun_timeout, or after a failure with fail_fast, it is skipped', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('c')], { fail_fast: true }), dagOf('e', [task('z')], { dagrun_timeout_seconds: 0.3 })]);
    const run = await engine.trigger('d');
    await engine.finish('a', deferred());
    const { create: [order = assert.fail()] } = await watch(engine);
    await engine.finish('c', { outcome: 'failed' });
    await engine.untilInstance(run, 'a', 'skipped');
    assert.deepEqual((await watch(engine, [order.id])).cancel, [order.id]);
    const late = await engine.trigger('e');
    await engine.finish('z', deferred());
    await engine.untilInstance(late, 'z', 'skipped');
    assert.equal(await triggersLeft(engine), 0);
  });

  it('a report of a deferral that says not what it waits for fails', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'deferred' });
    await engine.untilRun(run, 'failed');
  });

  it('a task may end itself as removed or upstream_failed', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b')])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'removed' });
    await engine.finish('b', { outcome: 'upstream_failed' });
    await engine.untilRun(run, 'failed');
    assert.deepEqual([(await engine.instance(run, 'a'))['state'], (await engine.instance(run, 'b'))['state']], ['removed', 'upstream_failed']);
    assert.deepEqual((await engine.rows('select e.state from executions e join task_attempts a on a.id = e.attempt_id where e.run = $1 order by a.task_id', [run])).map((row) => row['state']), ['skipped', 'failed']);
  });
});

describe('a task with a start_trigger', () => {
  const start = { classpath: 'm.S', kwargs: '{}', next_method: 'after', next_kwargs: '{}', timeout_seconds: 100 };

  it('defers before it starts a process: its try is counted, its first execution goes on', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { start_trigger: start })])]);
    const run = await engine.trigger('d');
    await engine.untilInstance(run, 'a', 'deferred');
    const row = await engine.instance(run, 'a');
    assert.deepEqual([row['try_number'], row['execution_id']], [1, null]);
    const order = await onlyOrder(engine);
    assert.deepEqual([order.attempt_id, order.log_file], [row['attempt_id'], undefined]);
    await tell(engine, fired(order.id));
    const spec = await engine.job('a');
    assert.deepEqual([spec.attempt_id, spec.try_number, spec.resume], [row['attempt_id'], 1, { next_method: 'after', next_kwargs: '{"event":1}' }]);
    await engine.report(spec);
    await engine.untilRun(run, 'success');
  });
});

describe('limits', () => {
  it('deferred instances count in pools that say so, and never for parallelism', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { pool: 'p' }), task('b', ['a'], { pool: 'p' }), task('c', [], { pool: 'p', priority_weight: -1 })])], { LEOFLOW_PARALLELISM: 1 });
    await createPool(engine.database, 'p', { slots: 1, description: null, includeDeferred: true });
    await engine.trigger('d');
    await engine.finish('a', deferred());
    const order = await onlyOrder(engine);
    assert.match((engine.scheduler.explain((await engine.one('select id from dag_runs'))?.['id'] as RunUuid, 'c', -1)) ?? '', /pool p 1\/1/);
    await tell(engine, fired(order.id));
    assert.equal((await engine.job('a', 2)).task_id, 'a');
  });

  it('a thousand events at once take few commits', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('m', [], { expand: product(1000), start_trigger: { classpath: 'm.S', kwargs: '{}', next_method: 'n', next_kwargs: '{}' } })], { max_active_tasks: 10 })]);
    const run = await engine.trigger('d');
    await engine.untilRow(async () => (await engine.one("select count(*)::int as n from task_instances where run = $1 and state = 'deferred'", [run]))?.['n'] === 1000, 'all wait');
    const { create } = await watch(engine);
    assert.equal(create.length, 1000);
    const before = engine.count('commit.done');
    const answers = await tell(engine, ...create.map(({ id }) => fired(id)));
    assert.ok(answers.every((kind) => kind === 'recorded'));
    assert.ok(engine.count('commit.done') - before <= 5, `${engine.count('commit.done') - before} commits`);
  });
});

describe('a trigger host', () => {
  it('is answered when something changes, and told to end when it serves nobody', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')]), dagOf('other', [task('a')])]);
    const run = await engine.trigger('d');
    const job = await engine.job('a');
    assert.deepEqual(await watch(engine), { create: [], cancel: [], stop: true });
    await engine.report(job, deferred());
    const order = await onlyOrder(engine);
    assert.deepEqual(await engine.scheduler.watchTriggers({ fork_server: versionOf(engine, 'other'), pid: 1, running: [] }, never), { create: [], cancel: [], stop: true }, 'orders go to hosts of the own version only');
    engine.machine.gone.add('unknown');
    assert.deepEqual(await engine.scheduler.watchTriggers({ fork_server: 'unknown', pid: 1, running: [order.id] }, never), { create: [], cancel: [order.id], stop: true });
    assert.match(engine.scheduler.explain(run, 'a', -1) ?? '', /process 7, is about to run it/);
    const gone = new AbortController();
    const waiting = watch(engine, [order.id], gone.signal);
    gone.abort();
    assert.deepEqual(await waiting, { create: [], cancel: [], stop: false });
    assert.match(engine.scheduler.explain(run, 'a', -1) ?? '', /process 7, runs it/);
    const told = assert.rejects(watch(engine, [order.id]), (error) => error instanceof AppError && error.code === 'not_leading');
    await engine.kill();
    await told;
    await engine.start();
  });

  it('values that a trigger ends with lie where all values lie', async () => {
    const values = new MemoryValues();
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])], {}, values);
    const run = await engine.trigger('d');
    await engine.finish('a', deferred());
    const order = await onlyOrder(engine);
    await tell(engine, { trigger_id: order.id, kind: 'ended', state: 'success', xcoms: [{ key: 'return_value', value: '"v"' }] });
    const b = await engine.job('b');
    assert.equal((await engine.one('select store from xcoms where run = $1', [run]))?.['store'], 'redis');
    assert.equal(await engine.scheduler.findXCom(b.token, b.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), '"v"');
  });
});
