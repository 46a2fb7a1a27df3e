// Callbacks on a real database: asked for in the commit that causes them, made once, made again when nobody answers, taken over by the next leader.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import type { RunUuid } from '#contract/ids.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { EngineUnderTest, type FakeMachine } from '../../test/support/engine.ts';
import { task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const DONE = '{"errors": []}';
type Asked = FakeMachine['calls'][number];

/** The n-th call that was asked for. */
async function asked(engine: EngineUnderTest, nth = 1): Promise<Asked> {
  await engine.until(() => engine.machine.calls.length >= nth, `call ${nth}`);
  return engine.machine.calls[nth - 1] ?? assert.fail();
}

/** Its only request. */
function requestOf({ call }: Asked): Record<string, unknown> & { readonly context_from_server: { readonly dag_run: Record<string, unknown>; readonly last_ti: Record<string, unknown> | null } } {
  const requests = JSON.parse(call.body) as ReturnType<typeof requestOf>[];
  assert.equal(requests.length, 1);
  return requests[0] ?? assert.fail();
}

const statesOf = async (engine: EngineUnderTest): Promise<unknown[]> => (await engine.rows('select kind, state, attempts, error from callbacks order by created_at, id')).map(({ kind, state, attempts, error }) => [kind, state, attempts, error]);
const noted = async (engine: EngineUnderTest): Promise<unknown[]> => (await engine.rows("select event from audit_log where event like 'callback %' order by id")).map(({ event }) => event);
const ended = (engine: EngineUnderTest, count = 1): Promise<void> => engine.until(() => engine.count('callback.done') + engine.count('callback.failed') >= count, `${count} ended`);
/** What waits for its time is due now, and somebody looks. */
const hurry = async (engine: EngineUnderTest): Promise<void> => void (await engine.rows('update callbacks set due_at = clock_timestamp() where due_at is not null'));

const told = (more: Partial<Dag> = {}, taskMore: Parameters<typeof task>[2] = {}): Dag => dagOf('d', [task('a', [], taskMore), task('b', ['a'])], { callbacks: ['success', 'failure'], ...more });

async function succeed(dag: Dag): Promise<{ engine: EngineUnderTest; run: RunUuid }> {
  const engine = await EngineUnderTest.open([dag]);
  const run = await engine.trigger('d', { conf: { n: 1 } });
  await engine.finish('a');
  await engine.finish('b');
  await engine.untilRun(run, 'success');
  return { engine, run };
}

describe('a DAG’s callback', () => {
  it('is told the reason, the run and the last task that succeeded, and made once', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    const call = await asked(engine);
    assert.equal(call.versionId, engine.versions.get('d'));
    const { type, is_failure_callback, msg, bundle_name, filepath, context_from_server: { dag_run, last_ti } } = requestOf(call);
    assert.deepEqual({ type, is_failure_callback, msg, bundle_name, filepath }, { type: 'DagCallbackRequest', is_failure_callback: false, msg: 'success', bundle_name: 'leoflow', filepath: 'dag.py' });
    assert.deepEqual([dag_run['run_id'], dag_run['state'], dag_run['conf'], typeof dag_run['end_date'], last_ti?.['task_id'], last_ti?.['try_number']], ['manual__0', 'success', { n: 1 }, 'string', 'b', 1]);
    const b = await engine.job('b');
    assert.deepEqual([last_ti?.['id'], call.call.log_file, call.call.timeout_seconds], [b.attempt_id, b.log_file, 300]);
    call.answer(DONE);
    await ended(engine);
    await hurry(engine);
    assert.deepEqual([await statesOf(engine), await noted(engine), engine.machine.calls.length], [[['dag', 'done', 1, null]], ['callback done'], 1]);
  });

  it('is told of a failure, and of nothing that it has no callback for', async () => {
    const engine = await EngineUnderTest.open([told()]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    await engine.untilRun(run, 'failed');
    const { is_failure_callback, msg, context_from_server: { last_ti } } = requestOf(await asked(engine));
    assert.deepEqual([is_failure_callback, msg, last_ti?.['task_id']], [true, 'task_failure', 'a']);
    const other = await succeed(told({ callbacks: ['failure'] }));
    await using __ = other.engine;
    assert.deepEqual(await statesOf(other.engine), []);
  });

  it('asks under its own name while it is made, with the rights of its DAG, and not after that', async () => {
    const { engine, run } = await succeed(told());
    await using _ = engine;
    const call = await asked(engine);
    const caller = await engine.scheduler.identify(call.call.token ?? '');
    assert.deepEqual([caller.kind, caller.run, caller.dagId, caller.taskId, caller.versionId], ['callback', run, 'd', 'b', call.versionId]);
    await assert.rejects(engine.scheduler.identify(`${call.call.id}.other`), { code: 'unauthenticated' });
    call.answer(DONE);
    await ended(engine);
    await assert.rejects(engine.scheduler.identify(call.call.token ?? ''), { code: 'unauthenticated' });
  });

  it('that raises has failed, with what it raised, and is not made again', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    (await asked(engine)).answer('{"errors": [{"type": "ValueError", "message": "no \\u0000good"}]}');
    await ended(engine);
    await hurry(engine);
    assert.deepEqual([await statesOf(engine), await noted(engine)], [[['dag', 'failed', 1, 'ValueError: no \uFFFDgood']], ['callback failed']]);
  });

  it('whose process dies is made again, three times at most', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    for (const nth of [1, 2, 3]) {
      const call = await asked(engine, nth);
      assert.equal(call.call.id, engine.machine.calls[0]?.call.id);
      call.fail('its process ended (signal 9)');
      await ended(engine, nth);
      if (nth === 3) break;
      await engine.kill();
      await hurry(engine);
      await engine.start();
    }
    assert.deepEqual(await statesOf(engine), [['dag', 'failed', 3, 'its process ended (signal 9)']]);
    assert.deepEqual(await noted(engine), ['callback delayed', 'callback delayed', 'callback failed']);
  });

  it('is written down with the end of its run, or not at all', async () => {
    const engine = await EngineUnderTest.open([told()]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a');
    // Somebody acts on the run unheard: the leader's end of it misses, and with it the callback.
    await engine.rows('update dag_runs set action_number = action_number + 1 where id = $1', [run]);
    await engine.finish('b');
    await engine.untilRun(run, 'success');
    (await asked(engine)).answer(DONE);
    await ended(engine);
    assert.ok(engine.count('commit.stale') > 0);
    assert.equal((await statesOf(engine)).length, 1);
  });

  it('is made once more when a person clears its run and it ends again', async () => {
    const { engine, run } = await succeed(told());
    await using _ = engine;
    (await asked(engine)).answer(DONE);
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'b', mapIndex: -1 }], by: 'ann' });
    await engine.finish('b', { outcome: 'failed' }, 2);
    const { msg, context_from_server: { last_ti } } = requestOf(await asked(engine, 2));
    assert.deepEqual([msg, last_ti?.['task_id'], last_ti?.['try_number']], ['task_failure', 'b', 2]);
  });

  it('is not made for an end that a person gave the run, as in Airflow', async () => {
    const engine = await EngineUnderTest.open([told()]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.job('a');
    await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }], by: 'ann' });
    await engine.untilRun(run, 'failed');
    assert.deepEqual(await statesOf(engine), []);
  });

  it('is over before its process hears that it was heard', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    const call = await asked(engine);
    await engine.scheduler.answerCall(call.call.id, { kind: 'done', value: DONE });
    assert.deepEqual(await statesOf(engine), [['dag', 'done', 1, null]]);
    call.answer(DONE);
    await engine.scheduler.answerCall(call.call.id, { kind: 'failed', error: { type: 'E', message: 'late' } });
    assert.deepEqual([await statesOf(engine), await noted(engine)], [[['dag', 'done', 1, null]], ['callback done']]);
  });

  it('goes with its run', async () => {
    const { engine, run } = await succeed(told());
    await using _ = engine;
    await deleteRun(engine.database, run);
    assert.deepEqual(await statesOf(engine), []);
  });
});

describe('many callbacks', () => {
  it('of one version are made a few at once, and keep none of another waiting', async () => {
    const other = { ...told(), dag_id: 'e' };
    const engine = await EngineUnderTest.open([told({ max_active_runs: 10 }), other]);
    await using _ = engine;
    const fail = { outcome: 'failed' as const };
    for (const nth of [1, 2, 3, 4, 5, 6]) {
      await engine.trigger('d');
      await engine.finish('a', fail, nth);
    }
    await asked(engine, 4);
    await engine.trigger('e');
    await engine.finish('a', fail, 7);
    const versionOf = (dagId: string): unknown => engine.versions.get(dagId);
    assert.equal((await asked(engine, 5)).versionId, versionOf('e'));
    assert.deepEqual(engine.machine.calls.map(({ versionId }) => versionId), [...Array.from({ length: 4 }, () => versionOf('d')), versionOf('e')]);
    engine.machine.calls[0]?.answer(DONE);
    assert.equal((await asked(engine, 6)).versionId, versionOf('d'));
  });
});

describe('a change of leaders', () => {
  it('leaves a callback alone that is being made, and takes its answer', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    const call = await asked(engine);
    await engine.kill();
    await engine.start();
    await engine.scheduler.answerCall(call.call.id, { kind: 'done', value: DONE });
    await ended(engine);
    assert.deepEqual([await statesOf(engine), engine.machine.calls.length], [[['dag', 'done', 1, null]], 1]);
    await engine.scheduler.answerCall(call.call.id, { kind: 'done', value: DONE });
    assert.deepEqual(await noted(engine), ['callback done'], 'told once');
  });

  it('has a callback made again whose answer did not come in time', async () => {
    const { engine } = await succeed(told());
    await using _ = engine;
    await asked(engine);
    await engine.kill();
    await hurry(engine);
    await engine.start();
    (await asked(engine, 2)).answer(DONE);
    await ended(engine);
    assert.deepEqual(await statesOf(engine), [['dag', 'done', 2, null]]);
  });

  it('makes what was written down and not begun', async () => {
    const engine = await EngineUnderTest.open([told()]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a');
    const b = await engine.job('b');
    engine.leave(b);
    await engine.kill();
    engine.machine.running.clear();
    await engine.start();
    await engine.untilRun(run, 'success');
    (await asked(engine)).answer(DONE);
    await ended(engine);
    assert.deepEqual(await statesOf(engine), [['dag', 'done', 1, null]]);
  });
});

describe('a task’s callbacks', () => {
  const watched = { callbacks: ['retry' as const, 'failure' as const], emails: ['failure' as const], infra_retries: 0 };
  /** Those of one moment are made beside each other. */
  const typesOf = (engine: EngineUnderTest): string[] => engine.machine.calls.map((call) => [requestOf(call)['type'], requestOf(call)['task_callback_type'] ?? requestOf(call)['email_type']].join(' ')).sort((a, b) => a.localeCompare(b));

  it('are asked for when its process is gone: retry, then failure with its e-mail', async () => {
    const engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { ...watched, retries: 1, retry_delay_seconds: 0 })])]);
    await using _ = engine;
    const run = await engine.trigger('d');
    const first = await engine.job('a');
    engine.executor.kill(first);
    const retry = await asked(engine);
    const { ti, msg } = requestOf(retry) as unknown as { ti: Record<string, unknown>; msg: string };
    assert.deepEqual([ti['id'], ti['try_number'], msg, retry.call.log_file], [first.attempt_id, 1, 'its process was killed by SIGKILL', first.log_file]);
    engine.executor.kill(await engine.job('a', 2));
    await engine.untilRun(run, 'failed');
    await asked(engine, 3);
    assert.deepEqual(typesOf(engine), ['EmailRequest failure', 'TaskCallbackRequest failed', 'TaskCallbackRequest up_for_retry']);
  });

  it('are not asked for when it has reported, or goes on after an end that was not its own', async () => {
    const engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { ...watched, infra_retries: 1 })])]);
    await using _ = engine;
    const run = await engine.trigger('d');
    engine.executor.kill(await engine.job('a'));
    await engine.finish('a', { outcome: 'failed' }, 2);
    await engine.untilRun(run, 'failed');
    assert.deepEqual(await statesOf(engine), []);
  });

  it('are asked for when its supervisor says that nobody made them', async () => {
    const engine = await EngineUnderTest.open([dagOf('d', [task('a', [], watched)])]);
    await using _ = engine;
    await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed', without_callbacks: true });
    await asked(engine, 2);
    assert.deepEqual(typesOf(engine), ['EmailRequest failure', 'TaskCallbackRequest failed']);
  });
});

describe('a deadline', () => {
  const late = (reference: object, interval: number): object => ({ reference, interval, callback: { __data__: { path: 'm.late' } } });
  const QUEUED = { reference_type: 'DagRunQueuedAtDeadline' };
  const deadlines = async (engine: EngineUnderTest): Promise<unknown[]> => (await engine.rows('select reference, missed from deadlines order by deadline_at')).map(({ reference, missed }) => [reference, missed]);
  const openWith = (...alerts: object[]): Promise<EngineUnderTest> => EngineUnderTest.open([dagOf('d', [task('a')], { deadlines: alerts })]);

  it('that is missed is told once, in time and whatever the run does', async () => {
    const engine = await openWith(late(QUEUED, 0.2), late(QUEUED, 3600));
    await using _ = engine;
    await engine.trigger('d');
    const call = await asked(engine);
    const { type, callback, context } = requestOf(call) as unknown as { type: string; callback: unknown; context: { dag_run: Record<string, unknown>; deadline: Record<string, unknown> } };
    assert.deepEqual([type, callback, context.dag_run['dag_run_id'], typeof context.deadline['deadline_time']], ['DeadlineCallback', { __data__: { path: 'm.late' } }, 'manual__0', 'string']);
    call.answer(DONE);
    await ended(engine);
    assert.deepEqual([await statesOf(engine), await deadlines(engine)], [[['deadline', 'done', 1, null]], [['DagRunQueuedAtDeadline', true], ['DagRunQueuedAtDeadline', false]]]);
  });

  it('that is met goes, with the success of its run', async () => {
    const engine = await openWith(late(QUEUED, 3600));
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.job('a');
    assert.equal((await deadlines(engine)).length, 1);
    await engine.finish('a');
    await engine.untilRun(run, 'success');
    assert.deepEqual([await deadlines(engine), await statesOf(engine)], [[], []]);
  });

  it('of a run that has failed stays, and counts from when a person has queued it again', async () => {
    const engine = await openWith(late(QUEUED, 3600));
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    await engine.untilRun(run, 'failed');
    await engine.rows('update deadlines set deadline_at = deadline_at - interval \'10 minutes\'');
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    const row = await engine.one('select extract(epoch from d.deadline_at - r.queued_at)::float8 as seconds from deadlines d join dag_runs r on r.id = d.run');
    assert.equal(row?.['seconds'], 3600);
  });

  it('counts from the average of earlier runs, when there are enough', async () => {
    const engine = await openWith(late({ reference_type: 'AverageRuntimeDeadline', max_runs: 2, min_runs: 1 }, 3600));
    await using _ = engine;
    const first = await engine.trigger('d');
    await engine.finish('a');
    await engine.untilRun(first, 'success');
    assert.deepEqual(await deadlines(engine), [], 'nothing is known of a first run');
    await engine.rows("update dag_runs set start_date = end_date - interval '100 seconds' where id = $1", [first]);
    await engine.trigger('d');
    await engine.job('a', 2);
    const row = await engine.one('select extract(epoch from deadline_at - created_at)::float8 as seconds from deadlines');
    assert.equal(Math.round(Number(row?.['seconds'])), 3700);
  });

  it('is missed under the next leader when it passes while nobody leads', async () => {
    const engine = await openWith(late(QUEUED, 3600));
    await using _ = engine;
    await engine.trigger('d');
    await engine.job('a');
    await engine.kill();
    await engine.rows('update deadlines set deadline_at = clock_timestamp()');
    await engine.start();
    await asked(engine);
    assert.deepEqual(await deadlines(engine), [['DagRunQueuedAtDeadline', true]]);
  });
});

describe('listeners of runs', () => {
  const listened = (moments: NonNullable<Dag['run_listeners']>): Dag => dagOf('d', [task('a')], { run_listeners: moments });
  const eventOf = (call: Asked): unknown => {
    const { type, event, msg, dag_run: run } = requestOf(call) as unknown as { type: string; event: string; msg: string; dag_run: { state: string; end_date: string | null; queued_at: unknown } };
    return [type, event, msg, run.state, run.end_date !== null, typeof run.queued_at];
  };

  it('hear of a run’s beginning and end, one after the other', async () => {
    const engine = await EngineUnderTest.open([listened(['running', 'success'])]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a');
    await engine.untilRun(run, 'success');
    const first = await asked(engine);
    assert.deepEqual(eventOf(first), ['DagRunListener', 'running', 'started', 'running', false, 'string']);
    assert.deepEqual([engine.machine.calls.length, await statesOf(engine)], [1, [['listener', 'begun', 1, null], ['listener', 'pending', 0, null]]]);
    first.answer(DONE);
    const second = await asked(engine, 2);
    assert.deepEqual(eventOf(second), ['DagRunListener', 'success', 'success', 'success', true, 'string']);
    second.answer(DONE);
    await ended(engine, 2);
    assert.deepEqual(await statesOf(engine), [['listener', 'done', 1, null], ['listener', 'done', 1, null]]);
  });

  it('hear of why a run failed, and of nothing that nobody listens to', async () => {
    const engine = await EngineUnderTest.open([listened(['failed'])]);
    await using _ = engine;
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    await engine.untilRun(run, 'failed');
    assert.deepEqual(eventOf(await asked(engine)), ['DagRunListener', 'failed', 'task_failure', 'failed', true, 'string']);
    assert.equal((await statesOf(engine)).length, 1);
  });

  it('hear of an end that a person gives, without a word for why', async () => {
    const engine = await EngineUnderTest.open([listened(['running', 'success', 'failed'])]);
    await using _ = engine;
    const run = await engine.trigger('d');
    (await asked(engine)).answer(DONE);
    await ended(engine);
    await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }], by: 'ann' });
    assert.deepEqual(eventOf(await asked(engine, 2)), ['DagRunListener', 'failed', '', 'failed', true, 'string']);
  });
});
