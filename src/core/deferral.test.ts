// What deferred tries wait for and what they go on with; texts of the Task SDK stay as they are.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Deferral, TriggerEvent } from '#contract/execution-api.ts';
import type { TriggerId } from '#contract/ids.ts';
import { assertCounts, Planner, task } from '../../test/support/planner.ts';
import { callAfter, defer, type NextCall, resume, TIMED_OUT } from './deferral.ts';
import { beginPlan, touch } from './plan.ts';
import { wakeInstances } from './plan-run.ts';

const DEFERRAL: Deferral = { classpath: 'm.T', kwargs: '{}', timeout_seconds: 60, next_method: 'go', next_kwargs: '{}' };
const id = '0190a0a0-0000-7000-8000-000000000001' as TriggerId;
const after = (nextKwargs: string, payload: string): unknown => callAfter({ nextMethod: 'go', nextKwargs }, { trigger_id: id, kind: 'event', payload });

describe('what follows an event', () => {
  it('is the method that the task asked for, with the event among its arguments', () => {
    assert.deepEqual(after('{}', '1'), { nextMethod: 'go', nextKwargs: '{"event":1}' });
    assert.deepEqual(after(' { } ', 'null'), { nextMethod: 'go', nextKwargs: ' {"event":null}' });
    assert.deepEqual(after('{"n": 12345678901234567890, "f": 1.0}\n', '{"m": 1e400}'), { nextMethod: 'go', nextKwargs: '{"n": 12345678901234567890, "f": 1.0,"event":{"m": 1e400}}' });
    assert.deepEqual(JSON.parse(callAfter({ nextMethod: 'go', nextKwargs: '{"event":"old"}' }, { trigger_id: id, kind: 'event', payload: '"new"' }).nextKwargs), { event: 'new' });
  });

  it('is a failure for a trigger that failed, with its traceback or at least its error', () => {
    const failed = (traceback: string[]): TriggerEvent & { kind: 'failed' } => ({ trigger_id: id, kind: 'failed', error: 'boom', traceback });
    assert.deepEqual(callAfter({ nextMethod: 'go', nextKwargs: '{}' }, failed(['a', 'b'])), { nextMethod: '__fail__', nextKwargs: '{"error":"Trigger failure","traceback":["a","b"]}' });
    assert.deepEqual(callAfter({ nextMethod: 'go', nextKwargs: '{}' }, failed([])), { nextMethod: '__fail__', nextKwargs: '{"error":"Trigger failure","traceback":["boom"]}' });
  });
});

describe('a deferred try', () => {
  const waiting = (deferral: Partial<Deferral> = {}): Planner => {
    const p = new Planner([task('a', [], { retries: 1 }), task('b', ['a'])]);
    const plan = beginPlan(p.run, p.now);
    touch(plan, p.get('a'));
    defer(plan, p.get('a'), { ...DEFERRAL, ...deferral });
    return p;
  };

  it('waits until its time-out, which no date is too small for', () => {
    assert.deepEqual([waiting().get('a').wakeAt, waiting().get('a').wait?.timeoutAt], [waiting().now + 60_000, waiting().now + 60_000]);
    assert.equal(waiting({ timeout_seconds: null }).get('a').wakeAt, null);
    assert.doesNotThrow(() => new Date(waiting({ timeout_seconds: 1e300 }).get('a').wakeAt ?? NaN).toISOString());
  });

  it('goes on as the same try, and not twice', () => {
    const p = waiting();
    const plan = beginPlan(p.run, p.now);
    resume(plan, p.get('a'), { nextMethod: 'go', nextKwargs: '{"event":1}' });
    assert.deepEqual([p.state('a'), p.get('a').tryNumber, p.get('a').wait?.isOver, p.get('a').wakeAt], ['scheduled', 1, true, null]);
    assert.deepEqual(plan.ready, [p.get('a')]);
    assert.equal(plan.changes.get(p.get('a'))?.wait?.isOver, false, 'the plan names the wait that it ends');
    assertCounts(p.run);
  });

  it('goes on in order to fail when its time is over, and tells when it is not', () => {
    const p = waiting();
    assert.equal(wakeInstances(beginPlan(p.run, p.now + 59_999)), p.now + 60_000);
    const plan = beginPlan(p.run, p.now + 60_000);
    assert.equal(wakeInstances(plan), null);
    assert.deepEqual([p.state('a'), p.get('a').wait?.nextMethod, p.get('a').wait?.nextKwargs], ['scheduled', TIMED_OUT.nextMethod, '{"error":"Trigger timeout"}']);
  });

  it('says what it waited for in vain, and what its trigger said', () => {
    const fail = (call: NextCall, kind: { cause?: 'oom' } = {}): string | null => {
      const p = waiting();
      resume(beginPlan(p.run, p.now), p.get('a'), call);
      p.end('a', { kind: 'failed', cause: kind.cause ?? 'user_error', noRetry: true, reason: 'TaskDeferralError: Trigger failure' });
      return p.get('a').reason;
    };
    assert.match(fail(TIMED_OUT) ?? '', /^it was deferred for longer than its timeout of 60 s, waiting for the trigger \S+$/);
    const failed = callAfter({ nextMethod: 'go', nextKwargs: '{}' }, { trigger_id: id, kind: 'failed', error: 'Trigger failure', traceback: ['Traceback …\n', 'ValueError: gone\n'] });
    assert.match(fail(failed) ?? '', /^its trigger \S+ failed: ValueError: gone$/);
    assert.equal(fail(failed, { cause: 'oom' }), 'TaskDeferralError: Trigger failure', 'its process died of something else');
    assert.equal(fail({ nextMethod: 'go', nextKwargs: '{}' }), 'TaskDeferralError: Trigger failure', 'it went on as it wished');
  });

  it('what it went on with is forgotten when the execution has ended, however it did', () => {
    const ends: ((p: Planner) => void)[] = [(p) => p.succeed('a'), (p) => p.fail('a')];
    for (const end of ends) {
      const p = waiting();
      resume(beginPlan(p.run, p.now), p.get('a'), { nextMethod: 'go', nextKwargs: '{}' });
      end(p);
      assert.equal(p.get('a').wait, null);
    }
  });
});
