// What a run does next: chains, joins, retries, branches, setups, failures and the run's own end.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertCounts, empty, Planner, task } from '../../test/support/planner.ts';

describe('order', () => {
  it('a chain runs one after the other', () => {
    const p = new Planner([task('a'), task('b', ['a']), task('c', ['b'])]);
    assert.deepEqual(p.ready, ['a']);
    assert.equal(p.get('a').tryNumber, 1);
    assert.equal(p.state('b'), null);
    p.succeed('a');
    assert.deepEqual(p.ready, ['b']);
    p.succeed('b').succeed('c');
    assert.equal(p.runState, 'success');
    assert.equal(p.run.endDate, p.now);
    assertCounts(p.run);
  });

  it('a fan goes out at once and comes together when all are done', () => {
    const p = new Planner([task('a'), ...['b', 'c', 'd'].map((id) => task(id, ['a'])), task('e', ['b', 'c', 'd'])]);
    p.succeed('a');
    assert.deepEqual(p.ready, ['b', 'c', 'd']);
    p.succeed(['b', 'c']);
    assert.equal(p.state('e'), null);
    p.succeed('d');
    assert.deepEqual(p.ready, ['e']);
  });

  it('a plan names where each instance stood before it', () => {
    const p = new Planner([task('a'), task('b', ['a'])]);
    p.begin('a').succeed('a');
    assert.deepEqual([...p.lastPlan.changes].map(([instance, origin]) => [instance.task.id, origin.state, instance.state]), [['a', 'running', 'success'], ['b', null, 'scheduled']]);
  });

  it('a chain of 10,000 empty tasks is done in one plan, without a process and without recursion', () => {
    const p = new Planner(Array.from({ length: 10_000 }, (_, at) => empty(`t${at}`, at === 0 ? [] : [`t${at - 1}`])));
    assert.equal(p.runState, 'success');
    assert.deepEqual(p.ready, []);
    assert.equal(p.get('t9999').tryNumber, 1);
    assert.equal(p.get('t9999').endedAt, p.now);
    assertCounts(p.run);
  });

  it('a run without tasks succeeds at once', () => assert.equal(new Planner([]).runState, 'success'));
});

describe('retries', () => {
  const flaky = (more: object): Planner => new Planner([task('a', [], { retries: 2, retry_delay_seconds: 10, ...more }), task('b', ['a'])]);

  it('a failed try waits for its delay, counts, and may still succeed', () => {
    const p = flaky({});
    p.fail('a');
    assert.equal(p.state('a'), 'up_for_retry');
    assert.equal(p.state('b'), null, 'a retry is no failure');
    assert.equal(p.advance(9_999), 1);
    assert.deepEqual(p.ready, []);
    assert.equal(p.advance(1), null);
    assert.deepEqual(p.ready, ['a']);
    assert.equal(p.get('a').tryNumber, 2);
    p.succeed('a').succeed('b');
    assert.equal(p.runState, 'success');
    assert.equal(p.get('a').cause, null);
  });

  it('the last try fails, and with it what needs it', () => {
    const p = flaky({});
    for (let tries = 0; tries < 3; tries += 1) {
      p.fail('a');
      p.advance(10_000);
    }
    assert.equal(p.state('a'), 'failed');
    assert.equal(p.state('b'), 'upstream_failed');
    assert.equal(p.runState, 'failed');
    assertCounts(p.run);
  });

  it('a backoff grows and is bounded', () => {
    const p = flaky({ retry_exponential_backoff: 2, max_retry_delay_seconds: 25 });
    const delays: number[] = [];
    for (let tries = 0; tries < 2; tries += 1) {
      p.fail('a');
      const wakeAt = p.get('a').wakeAt ?? 0;
      delays.push((wakeAt - p.now) / 1000);
      p.advance(wakeAt - p.now);
    }
    const [first = 0, second = 0] = delays;
    assert.ok(first >= 10 && first < 20, `${first}`);
    assert.ok(second >= 20 && second <= 25, `${second}`);
  });

  it('no_retry ends it whatever is left', () => {
    const p = flaky({});
    p.fail('a', { noRetry: true });
    assert.equal(p.state('a'), 'failed');
  });

  it('a cancelled execution is not tried again', () => {
    const p = flaky({});
    p.fail('a', { cause: 'cancelled' });
    assert.equal(p.state('a'), 'failed');
  });
});

describe('infrastructure failures', () => {
  it('keep the try, wait longer each time, and fall to the user’s retries when theirs are spent', () => {
    const p = new Planner([task('a', [], { retries: 1, retry_delay_seconds: 60 })]);
    const delays: number[] = [];
    for (let losses = 0; losses < 3; losses += 1) {
      p.fail('a', { cause: 'lost' });
      assert.equal(p.state('a'), 'scheduled');
      assert.equal(p.get('a').tryNumber, 1);
      delays.push((p.get('a').wakeAt ?? 0) - p.now);
      assert.deepEqual(p.ready, [], 'it waits');
      p.advance(delays.at(-1) ?? 0);
      assert.deepEqual(p.ready, ['a']);
    }
    assert.deepEqual(delays, [200, 400, 800]);
    p.fail('a', { cause: 'lost' });
    assert.equal(p.state('a'), 'up_for_retry');
    p.advance(60_000);
    assert.equal(p.get('a').tryNumber, 2);
    p.fail('a', { cause: 'node_lost' });
    assert.equal(p.state('a'), 'scheduled', 'a new try has its own');
    p.advance(200);
    p.succeed('a');
    assert.equal(p.runState, 'success');
  });

  it('keep the attempt and its first start', () => {
    const p = new Planner([task('a')]);
    const attempt = '0190' as NonNullable<ReturnType<Planner['get']>['attemptId']>;
    p.get('a').attemptId = attempt;
    p.begin('a');
    const first = p.now;
    p.now += 5000;
    p.fail('a', { cause: 'evicted' }).advance(200);
    assert.equal(p.get('a').attemptId, attempt);
    assert.equal(p.get('a').startedAt, first);
  });

  it('a task that allows none fails like any other', () => {
    const p = new Planner([task('a', [], { infra_retries: 0 })]);
    assert.equal(p.fail('a', { cause: 'lost' }).state('a'), 'failed');
  });

  it('a cause does not outlive the execution after it', () => {
    const p = new Planner([task('a'), task('b')]);
    p.fail('a', { cause: 'lost' }).advance(200);
    p.end('a', { kind: 'skipped' });
    assert.equal(p.get('a').cause, null);
  });
});

describe('reschedule', () => {
  it('is the same try, later', () => {
    const p = new Planner([task('a'), task('b', ['a'])]);
    p.begin('a');
    const first = p.get('a').startedAt;
    p.end('a', { kind: 'up_for_reschedule', afterMs: 60_000 });
    assert.equal(p.state('a'), 'up_for_reschedule');
    assert.equal(p.state('b'), null);
    p.advance(59_000);
    assert.deepEqual(p.ready, []);
    p.advance(1000);
    assert.deepEqual(p.ready, ['a']);
    assert.equal(p.get('a').tryNumber, 1);
    assert.equal(p.get('a').startedAt, first);
  });
});

describe('branches', () => {
  const branch = (rule: 'none_failed_min_one_success' | 'all_success'): Planner => new Planner([
    task('choose', [], { can_skip_downstream: true }), task('left', ['choose']), task('right', ['choose']), task('after_right', ['right']), task('join', ['left', 'after_right'], { trigger_rule: rule }),
  ]);

  it('what is not followed is skipped, and the join runs by its rule', () => {
    const p = branch('none_failed_min_one_success');
    p.succeed('choose', { skips: { followed: ['left'] } });
    assert.equal(p.state('right'), 'skipped');
    assert.equal(p.state('after_right'), 'skipped');
    assert.match(p.get('right').reason ?? '', /choose/);
    p.succeed('left');
    assert.deepEqual(p.ready, ['join']);
  });

  it('with all_success the skip goes on', () => {
    const p = branch('all_success');
    p.succeed('choose', { skips: { skipped: ['right'] } });
    assert.equal(p.state('join'), 'skipped');
    assert.equal(p.succeed('left').runState, 'success');
  });

  it('a cleared task that was not chosen is skipped again', () => {
    const p = branch('none_failed_min_one_success');
    p.succeed('choose', { skips: { followed: ['left'] } }).succeed('left').succeed('join');
    p.clear('right');
    assert.equal(p.state('right'), 'skipped');
    assert.equal(p.runState, 'success');
  });

  it('a short circuit skips everything below, whatever its rule, teardowns apart', () => {
    const p = new Planner([
      task('gate', [], { can_skip_downstream: true }), task('a', ['gate']), task('b', ['a'], { trigger_rule: 'all_done' }), task('elsewhere'), task('join', ['b', 'elsewhere'], { trigger_rule: 'always' }),
      task('clean', ['a'], { is_teardown: true, trigger_rule: 'all_done_setup_success' }),
    ]);
    p.begin('join');
    p.succeed('gate', { skips: { skipped: ['a'], all: true } });
    assert.deepEqual(['a', 'b', 'join'].map((id) => p.state(id)), ['skipped', 'skipped', 'running']);
    assert.deepEqual(p.ready, ['elsewhere', 'clean']);
  });
});

describe('setup and teardown', () => {
  const scoped = (more: object = {}): Planner => new Planner([
    task('up', [], { is_setup: true }), task('work', ['up']), task('more', ['work'], { trigger_rule: 'all_done' }),
    task('down', ['more', 'up'], { is_teardown: true, trigger_rule: 'all_done_setup_success', ...more }),
  ]);

  it('a teardown runs after failed work, and its own failure is no failure of the run', () => {
    const p = scoped();
    p.succeed('up').fail('work').succeed('more');
    assert.deepEqual(p.ready, ['down']);
    p.fail('down');
    assert.equal(p.runState, 'success', 'the leaf `more` succeeded');
  });

  it('a failed setup holds what is below it, whatever its rule, and its teardown', () => {
    const p = scoped();
    p.fail('up');
    assert.deepEqual(['work', 'more', 'down'].map((id) => p.state(id)), ['upstream_failed', 'upstream_failed', 'upstream_failed']);
    assert.equal(p.runState, 'failed');
  });

  it('a direct setup is judged by the trigger rule alone, as in Airflow', () => {
    const p = new Planner([task('up', [], { is_setup: true }), task('work', ['up'], { trigger_rule: 'all_done' }), task('down', ['work', 'up'], { is_teardown: true })]);
    p.fail('up');
    assert.deepEqual(p.ready, ['work']);
  });

  it('a teardown waits for everything between its setup and itself', () => {
    const p = new Planner([
      task('up', [], { is_setup: true }), task('slow', ['up']), task('quick', ['up']), task('late', ['slow']), task('down', ['quick', 'late', 'up'], { is_teardown: true, trigger_rule: 'one_success' }),
    ]);
    p.succeed('up').succeed('quick');
    assert.deepEqual(p.ready, ['slow'], 'its rule passes, its scope does not');
    p.succeed('slow');
    assert.deepEqual(p.ready, ['late']);
    p.succeed('late');
    assert.deepEqual(p.ready, ['down']);
  });

  it('a skipped setup skips', () => {
    const p = scoped();
    p.end('up', { kind: 'skipped' });
    assert.deepEqual(['work', 'more', 'down'].map((id) => p.state(id)), ['skipped', 'skipped', 'skipped']);
  });

  it('with on_failure_fail_dagrun the teardown decides the run', () => {
    const p = scoped({ on_failure_fail_dagrun: true });
    p.succeed('up').succeed('work').succeed('more').fail('down');
    assert.equal(p.runState, 'failed');
    const q = scoped({ on_failure_fail_dagrun: true });
    q.succeed('up').succeed('work').fail('more').succeed('down');
    assert.equal(q.runState, 'success', 'above such a teardown nothing is a leaf (Airflow’s is_effective_leaf)');
  });
});

describe('the run', () => {
  it('is decided by its leaves', () => {
    const p = new Planner([task('a'), task('b', ['a'], { trigger_rule: 'all_done' })]);
    p.fail('a').succeed('b');
    assert.equal(p.runState, 'success');
  });

  it('goes on while other tasks of a failed one may run', () => {
    const p = new Planner([task('a'), task('b')]);
    p.fail('a');
    assert.equal(p.runState, 'running');
    p.succeed('b');
    assert.equal(p.runState, 'failed');
  });

  it('fails when nothing can move it any more', () => {
    const p = new Planner([task('a'), task('b', ['a'])]);
    p.run.pastBlocked = null;
    p.begin('a');
    // As a person’s mark would leave it: `b` waits for an upstream that will never be of the state it needs.
    p.get('b').wakeAt = p.now + 1000;
    p.succeed('a');
    assert.equal(p.runState, 'failed');
    assert.equal(p.state('b'), null);
  });

  it('does not fail while an earlier run may still let it go, but only for tasks that depend on it', () => {
    const past = new Planner([task('a', [], { depends_on_past: true }), task('b')]);
    past.run.pastBlocked = new Set(['a']);
    past.clear('a');
    past.succeed('b');
    assert.equal(past.runState, 'running');
    const other = new Planner([task('a', [], { depends_on_past: true }), task('b'), task('c', ['b'])]);
    other.run.pastBlocked = new Set();
    other.get('c').wakeAt = other.now + 1000;
    other.succeed(['a', 'b']);
    assert.equal(other.runState, 'failed', 'what is left depends on no earlier run');
  });

  it('fail_fast stops the others, teardowns apart', () => {
    const p = new Planner([task('a'), task('b'), task('c', ['b']), task('d'), task('up', [], { is_setup: true }), task('down', ['up'], { is_teardown: true })], { fail_fast: true });
    p.succeed('up').begin('b').begin('down').succeed('d');
    p.fail('a');
    assert.deepEqual(['a', 'b', 'c', 'd', 'down'].map((id) => p.state(id)), ['failed', 'failed', 'skipped', 'success', 'running']);
    assert.deepEqual(p.cancelled, ['b']);
    p.succeed('down');
    assert.equal(p.runState, 'failed');
    assertCounts(p.run);
  });

  it('a retry does not stop the others under fail_fast', () => {
    const p = new Planner([task('a', [], { retries: 1 }), task('b')], { fail_fast: true });
    p.fail('a');
    assert.deepEqual(p.ready, ['b']);
  });

  it('over its time it fails: running ones are stopped, all that is unfinished is skipped', () => {
    const p = new Planner([task('a'), task('b'), task('c', ['a'])], { dagrun_timeout_seconds: 5 });
    p.begin('a').succeed('b');
    p.timeOut();
    assert.deepEqual(['a', 'b', 'c'].map((id) => p.state(id)), ['skipped', 'success', 'skipped']);
    assert.deepEqual(p.cancelled, ['a']);
    assert.equal(p.runState, 'failed');
    assertCounts(p.run);
  });

  it('a cleared task runs again with a new number, and what hangs on it', () => {
    const p = new Planner([task('a', [], { retries: 1 }), task('b', ['a'])]);
    p.succeed('a').succeed('b');
    p.clear('a', 'b');
    assert.deepEqual(p.ready, ['a']);
    assert.equal(p.get('a').tryNumber, 2);
    p.fail('a');
    assert.equal(p.state('a'), 'up_for_retry', 'it has its retries again');
  });
});
