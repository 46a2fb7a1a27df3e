// The Task Execution API's calls on a real database: who may ask, which process runs an execution, what it may change.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ExecutionSpec } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { TaskCaller } from '#contract/execution-api.ts';
import type { TriggerId } from '#contract/ids.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { MemoryValues } from '../../test/support/memory-values.ts';
import { task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const isCode = (code: AppError['code']) => (error: unknown): boolean => error instanceof AppError && error.code === code;
const me = { hostname: 'h', pid: 5 };
const began = { ...me, unixname: 'u' };

const callerOf = (engine: EngineUnderTest, spec: Pick<ExecutionSpec, 'execution_id' | 'token'>): Promise<TaskCaller> => engine.scheduler.identify(`${spec.execution_id}.${spec.token}`);
const xcom = (key: string, value: unknown, more: { taskId?: string; mapIndex?: number } = {}): Parameters<EngineUnderTest['scheduler']['pushXCom']>[1] => ({ taskId: 'a', mapIndex: -1, key, value: JSON.stringify(value), mappedLength: Array.isArray(value) ? value.length : null, ...more });

describe('who asks', () => {
  it('is known while it runs, for a while after its end, and to the next leader', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    assert.deepEqual(caller, { kind: 'execution', executionId: spec.execution_id, attemptId: spec.attempt_id, run, dagId: 'd', runId: 'manual__0', taskId: 'a', mapIndex: -1, versionId: engine.versions.get('d'), isOpen: true });
    for (const bearer of ['', 'x', `${spec.execution_id}.no`, `${spec.execution_id}`, `0190a0a0-0000-7000-8000-000000000001.${spec.token}`]) await assert.rejects(engine.scheduler.identify(bearer), isCode('unauthenticated'), bearer);
    await engine.kill();
    await engine.start();
    assert.deepEqual(await callerOf(engine, spec), caller);
    await engine.report(spec);
    assert.deepEqual(await callerOf(engine, spec), { ...caller, isOpen: false });
    await assert.rejects(engine.scheduler.identify(`${spec.execution_id}.no`), isCode('unauthenticated'));
    await engine.database.pool.query("update executions set ended_at = ended_at - interval '16 minutes'");
    await assert.rejects(callerOf(engine, spec), isCode('unauthenticated'));
  });
});

describe('the process of an execution', () => {
  it('begins once; the same one is answered again, by the next leader too', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 2 })])]);
    await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    const answer = { spec: { try_number: 1, max_tries: 2, may_retry: true }, rescheduleCount: 0 };
    assert.deepEqual(await engine.scheduler.begin(caller, began), answer);
    assert.deepEqual(await engine.scheduler.begin(caller, began), answer);
    assert.deepEqual(await engine.scheduler.begin(caller, { ...began, pid: 6 }), { kind: 'invalid_state', previousState: 'running' });
    await engine.kill();
    await engine.start();
    assert.deepEqual(await engine.scheduler.begin(caller, { ...began, unixname: 'v' }), { kind: 'invalid_state', previousState: 'running' });
    assert.deepEqual(await engine.scheduler.begin(caller, began), answer);
    await engine.report(spec, { outcome: 'up_for_reschedule', reschedule_in_seconds: 0 });
    assert.deepEqual(await engine.scheduler.begin(await callerOf(engine, spec), began).then((it) => 'kind' in it && it.kind), 'invalid_state');
    const again = await engine.job('a', 2);
    assert.deepEqual(await engine.scheduler.begin(await callerOf(engine, again), began), { ...answer, rescheduleCount: 1 });
  });

  it('is told by its heartbeat why it should end', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    assert.deepEqual(await engine.scheduler.heartbeat(caller, me), { kind: 'not_running', state: 'queued' }, 'nobody has begun it');
    await engine.scheduler.begin(caller, began);
    assert.deepEqual(await engine.scheduler.heartbeat(caller, me), { kind: 'alive' });
    assert.deepEqual(await engine.scheduler.heartbeat(caller, { hostname: 'h', pid: 6 }), { kind: 'running_elsewhere', ...me });
    await engine.kill();
    await engine.start();
    assert.deepEqual(await engine.scheduler.heartbeat(caller, me), { kind: 'alive' });
    engine.executor.kill(spec);
    const second = await engine.job('a', 2);
    assert.equal((await engine.scheduler.heartbeat(caller, me)).kind, 'running_elsewhere', 'the try goes on in another execution');
    await engine.report(second);
    assert.deepEqual(await engine.scheduler.heartbeat(caller, { hostname: 'h', pid: 6 }), { kind: 'running_elsewhere', ...me }, 'host and process come before the state');
    assert.deepEqual(await engine.scheduler.heartbeat(caller, me), { kind: 'not_running', state: 'success' });
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    assert.deepEqual(await engine.scheduler.heartbeat(caller, me), { kind: 'gone' });
  });

  it('reports its state like any other, late ones too', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    const report = { execution_id: spec.execution_id, outcome: 'success', started_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01T00:00:00Z', asset_events: [{ name: 'n', uri: 'u', extra: { x: 1 } }, { name: 'n', uri: 'u', extra: {}, alias: 'l' }, { name: 'n', uri: 'u', extra: {}, alias: 'k' }] } as const;
    await assert.rejects(engine.scheduler.reportState({ ...caller, executionId: '0190a0a0-0000-7000-8000-000000000001' as typeof caller.executionId }, report), isCode('forbidden'));
    assert.deepEqual(await engine.scheduler.reportState(caller, report), { kind: 'recorded' });
    assert.deepEqual(await engine.rows('select e.extra, e.aliases, e.source_try from asset_events e order by e.aliases'), [{ extra: { x: 1 }, aliases: [], source_try: 1 }, { extra: {}, aliases: ['l', 'k'], source_try: 1 }]);
    assert.deepEqual(await engine.scheduler.reportState(caller, { ...report, outcome: 'failed' }), { kind: 'stale', state: 'success' });
    assert.equal((await engine.one("select count(*)::int as n from attempt_events where run = $1 and detail = 'late report: failed'", [run]))?.['n'], 1);
    assert.equal((await engine.one('select count(*)::int as n from asset_events'))?.['n'], 2);
  });
});

describe('what it changes', () => {
  it('skips tasks of its run, but for those that run or have ended by success or failure', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('left', ['a']), task('right', ['a']), task('busy'), task('end', ['left', 'right'], { trigger_rule: 'none_failed_min_one_success' })])]);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    await engine.job('busy');
    const caller = await callerOf(engine, spec);
    await engine.scheduler.skipDownstream(caller, [{ taskId: 'right', mapIndex: -1 }, { taskId: 'busy', mapIndex: null }, { taskId: 'left', mapIndex: 3 }, { taskId: 'nobody', mapIndex: null }]);
    assert.deepEqual((await engine.rows('select task_id, state from task_instances where run = $1 order by task_id', [run])).map((row) => `${String(row['task_id'])} ${String(row['state'])}`), ['a running', 'busy running', 'end null', 'left null', 'right skipped']);
    await engine.report(spec);
    await engine.finish('left');
    await engine.finish('busy');
    await engine.finish('end');
    await engine.untilRun(run, 'success');
    await assert.rejects(engine.scheduler.skipDownstream(caller, [{ taskId: 'left', mapIndex: null }]), isCode('stale'));
  });

  it('the choice of a branch is remembered from its XCom, over a change of leaders', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { can_skip_downstream: true }), task('left', ['a']), task('right', ['a'])])]);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    await engine.scheduler.pushXCom(await callerOf(engine, spec), xcom('skipmixin_key', { followed: ['left'] }));
    await engine.kill();
    await engine.start();
    await engine.report(spec);
    await engine.finish('left');
    await engine.untilRun(run, 'success');
    assert.equal((await engine.instance(run, 'right'))['state'], 'skipped');
  });

  it('an XCom is there at once, for downstream tasks and the next leader', async () => {
    const expand = { kind: 'product', arguments: { x: { kind: 'xcom', task_id: 'a', key: 'return_value' } } } as const;
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('m', ['a'], { expand }), task('b', ['a'], { inputs: [{ task_id: 'a', key: 'return_value' }] })])]);
    await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    await engine.scheduler.pushXCom(caller, xcom('return_value', ['old']));
    await engine.scheduler.pushXCom(caller, xcom('return_value', [1, 2]));
    await engine.scheduler.pushXCom(caller, xcom('gone', 1));
    await engine.scheduler.deleteXCom(caller, { taskId: 'a', mapIndex: -1, key: 'gone' });
    assert.equal(await engine.scheduler.findXCom(spec.token, spec.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), '[1,2]');
    assert.equal(await engine.scheduler.findXCom(spec.token, spec.execution_id, { task_id: 'a', key: 'gone', map_index: -1 }), null);
    await engine.report(spec);
    assert.deepEqual((await engine.job('b')).xcoms, undefined, 'deleting forgets what is at hand');
    assert.equal((await engine.job('m[1]')).map_index, 1);
  });

  it('a value that is too large, another task’s or of a try that is over is refused; links may follow the report', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0 }), task('z')])], { LEOFLOW_XCOM_MAX_BYTES: 10 });
    const run = await engine.trigger('d');
    const first = await engine.job('a');
    const caller = await callerOf(engine, first);
    await assert.rejects(engine.scheduler.pushXCom(caller, xcom('k', 'x'.repeat(9))), isCode('xcom_too_large'));
    await assert.rejects(engine.scheduler.pushXCom(caller, xcom('k', 1, { taskId: 'z' })), isCode('forbidden'));
    await assert.rejects(engine.scheduler.pushXCom(caller, xcom('k', 1, { mapIndex: 2 })), isCode('forbidden'));
    await engine.report(first, { outcome: 'failed' });
    const second = await engine.job('a', 2);
    await assert.rejects(engine.scheduler.pushXCom(caller, xcom('k', 1)), isCode('stale'));
    const last = await callerOf(engine, second);
    await engine.report(second);
    const ended = await callerOf(engine, second);
    assert.equal(ended.isOpen, false);
    await engine.scheduler.pushXCom(ended, xcom('_link_X', 'u'));
    await engine.finish('z');
    await engine.untilRun(run, 'success');
    await engine.scheduler.pushXCom(last, xcom('_link_Y', 'v'));
    assert.deepEqual((await engine.rows('select key from xcoms where run = $1 order by key', [run])).map((row) => row['key']), ['_link_X', '_link_Y']);
  });

  it('values go where all values lie', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], {}, new MemoryValues());
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    await engine.scheduler.pushXCom(await callerOf(engine, spec), xcom('k', 'v'));
    assert.deepEqual(await engine.rows('select store, location is not null as named from xcoms where run = $1', [run]), [{ store: 'redis', named: true }]);
    await engine.scheduler.deleteXCom(await callerOf(engine, spec), { taskId: 'a', mapIndex: -1, key: 'k' });
    assert.equal((await engine.rows('select 1 from dead_values')).length, 1);
  });

  it('what it renders is kept with its try', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const caller = await callerOf(engine, spec);
    await engine.scheduler.setRenderedFields(caller, { bash_command: 'echo \u0000 1' });
    await engine.scheduler.setRenderedMapIndex(caller, 'one');
    await engine.report(spec);
    assert.deepEqual(await engine.one('select rendered_fields from task_attempts where run = $1', [run]), { rendered_fields: { bash_command: 'echo \uFFFD 1' } });
    assert.equal((await engine.instance(run, 'a'))['rendered_map_index'], 'one');
  });

  it('a trigger acts for its task, and neither begins nor reports', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { start_trigger: { classpath: 'm.S', kwargs: '{}', next_method: 'n', next_kwargs: '{}' } })])]);
    const run = await engine.trigger('d');
    await engine.untilInstance(run, 'a', 'deferred');
    const { create } = await engine.scheduler.watchTriggers({ fork_server: engine.versions.get('d') ?? '', pid: 1, running: [] }, new AbortController().signal);
    const order = create.find((one) => 'task_id' in one) ?? assert.fail();
    const caller = await engine.scheduler.identify(`${order.id}.${order.token}`);
    assert.deepEqual([caller.kind, caller.taskId, caller.attemptId, caller.isOpen], ['trigger', 'a', order.attempt_id, true]);
    await engine.scheduler.pushXCom(caller, xcom('k', 1));
    assert.deepEqual(await engine.scheduler.begin(caller, began), { kind: 'not_found' });
    await assert.rejects(engine.scheduler.reportState(caller, { execution_id: caller.executionId, outcome: 'success', started_at: '', ended_at: '' }), isCode('forbidden'));
    await assert.rejects(engine.scheduler.identify(`${order.id}.x`), isCode('unauthenticated'));
    await engine.scheduler.takeTriggerEvents('f', [{ trigger_id: order.id as TriggerId, kind: 'event', payload: '1' }]);
    await assert.rejects(engine.scheduler.identify(`${order.id}.${order.token}`), isCode('unauthenticated'), 'its token dies with it');
  });

  it('a trigger that is called off may look things up until its host has ended it, and is called off once', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { start_trigger: { classpath: 'm.S', kwargs: '{}', next_method: 'n', next_kwargs: '{}' } })])]);
    const run = await engine.trigger('d');
    await engine.untilInstance(run, 'a', 'deferred');
    const host = { fork_server: engine.versions.get('d') ?? '', pid: 1 };
    const { create: [order = assert.fail()] } = await engine.scheduler.watchTriggers({ ...host, running: [] }, new AbortController().signal);
    const asked = engine.scheduler.watchTriggers({ ...host, running: [order.id as TriggerId] }, new AbortController().signal);
    await applyAction(engine.database, { ...NO_ACTION, mark: [{ run, taskId: 'a', mapIndex: -1, state: 'failed' }], by: 'ann' });
    assert.deepEqual((await asked).cancel, [order.id]);
    const identify = (): Promise<TaskCaller> => engine.scheduler.identify(`${order.id}.${order.token}`);
    const { kind, taskId, isOpen } = await identify();
    assert.deepEqual([kind, taskId, isOpen], ['trigger', 'a', false]);
    assert.deepEqual(await engine.scheduler.watchTriggers({ ...host, running: [], ending: [order.id as TriggerId] }, AbortSignal.abort()), { create: [], cancel: [], stop: false });
    assert.equal((await identify()).isOpen, false, 'it cleans up');
    await engine.scheduler.watchTriggers({ ...host, running: [], ending: [] }, AbortSignal.abort());
    await assert.rejects(identify(), isCode('unauthenticated'));
  });
});
