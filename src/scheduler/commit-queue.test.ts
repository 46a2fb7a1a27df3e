// Group commit: what is decided meanwhile goes together, all of it or nothing, and one bad run does not undo the others.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import type { AttemptId, ExecutionId, RunUuid } from '#contract/ids.ts';
import type { Plan } from '#core/plan.ts';
import { newInstance, type RunSnapshot } from '#core/run-snapshot.ts';
import { createReporter } from '#platform/report.ts';
import type { MoveBatch, MoveResult } from '#store/task-attempts.ts';
import { Planner, task } from '../../test/support/planner.ts';
import { CommitQueue } from './commit-queue.ts';
import { absorb, type CommitResult, type PendingRun } from './pending-run.ts';

/** A queue whose commits a test ends by hand. */
function queueUnderTest() {
  const sent: { batch: MoveBatch; end: (result: MoveResult | Error) => void }[] = [];
  const notCommitted: [RunUuid, CommitResult][] = [];
  const broken: unknown[] = [];
  let look: () => void = () => undefined;
  const queue = new CommitQueue({
    send: (batch) => new Promise((resolve, reject) => {
      sent.push({ batch, end: (result) => (result instanceof Error ? reject(result) : resolve(result)) });
      look();
    }),
    reporter: createReporter('error', () => undefined), onNotCommitted: (run, result) => notCommitted.push([run, result]), onBroken: (error) => broken.push(error),
    isBroken: (error) => error instanceof Error && error.message === 'gone',
  });
  const untilSent = async (count: number): Promise<{ batch: MoveBatch; end: (result: MoveResult | Error) => void }> => {
    while (sent.length < count) await new Promise<void>((resolve) => void (look = resolve));
    return sent[count - 1] ?? assert.fail();
  };
  return { queue, sent, untilSent, notCommitted, broken };
}

function runOf(id: string): RunSnapshot {
  return { ...new Planner([task('a')]).run, id: id as RunUuid };
}

/** Adds a decision that is seen in the batch as an event. */
function decide(queue: CommitQueue, run: RunSnapshot, name = 'a'): { pending: PendingRun; results: CommitResult[]; done: Promise<CommitResult>; log: string[] } {
  const pending = queue.pendingOf(run);
  const results: CommitResult[] = [];
  const log: string[] = [];
  pending.events.push({ run: run.id, taskId: name, mapIndex: -1, attemptId: null, executionId: null, from: null, to: 'scheduled', at: 0, cause: null, detail: null });
  pending.launches.push(() => log.push('launch'));
  pending.releases.push(() => log.push('release'));
  const done = new Promise<CommitResult>((resolve) => pending.waiters.push((result) => {
    log.push('told');
    results.push(result);
    resolve(result);
  }));
  return { pending, results, done, log };
}

/** A decision that starts an execution. */
function start(queue: CommitQueue, id: string): ReturnType<typeof decide> {
  const decided = decide(queue, runOf(id));
  decided.pending.started.push({ id: 'e' as ExecutionId, attemptId: 'a' as AttemptId, run: id as RunUuid, state: 'running', executor: 'process', host: 'h', handle: 'f', pid: 1, tokenHash: '', startedAt: 0 });
  return decided;
}

const runsOf = (batch: MoveBatch): string[] => batch.events.map((event) => `${event.run}.${event.taskId}`);

describe('group commit', () => {
  it('decisions of one turn go together; those that come meanwhile make up the next', async () => {
    const { queue, untilSent, sent } = queueUnderTest();
    const [x, y] = [runOf('x'), runOf('y')];
    const first = decide(queue, x);
    decide(queue, y);
    const one = await untilSent(1);
    assert.deepEqual(runsOf(one.batch), ['x.a', 'y.a']);
    decide(queue, x, 'b');
    decide(queue, x, 'c');
    assert.equal(sent.length, 1, 'one at a time');
    one.end({ kind: 'moved' });
    assert.deepEqual(await first.done, { kind: 'moved' });
    const two = await untilSent(2);
    assert.deepEqual(runsOf(two.batch), ['x.b', 'x.c']);
    two.end({ kind: 'moved' });
    await queue.settled();
  });

  it('jobs go out before anybody is told', async () => {
    const { queue, untilSent } = queueUnderTest();
    const decided = decide(queue, runOf('x'));
    (await untilSent(1)).end({ kind: 'moved' });
    await decided.done;
    assert.deepEqual(decided.log, ['launch', 'told']);
  });

  it('a miss among several is split: only the stale run falls', async () => {
    const { queue, untilSent, notCommitted } = queueUnderTest();
    const [x, y] = [decide(queue, runOf('x')), decide(queue, runOf('y'))];
    (await untilSent(1)).end({ kind: 'stale' });
    const alone = await untilSent(2);
    assert.deepEqual(runsOf(alone.batch), ['x.a']);
    alone.end({ kind: 'stale' });
    (await untilSent(3)).end({ kind: 'moved' });
    assert.deepEqual([await x.done, await y.done], [{ kind: 'stale' }, { kind: 'moved' }]);
    assert.deepEqual([x.log, y.log], [['release', 'told'], ['launch', 'told']]);
    assert.deepEqual(notCommitted.map(([id]) => id), ['x']);
  });

  it('a miss undoes every start that may have taken the place of what did not end', async () => {
    const { queue, untilSent, notCommitted } = queueUnderTest();
    const [ends, starts, alsoStarts] = [decide(queue, runOf('ends')), start(queue, 'starts'), start(queue, 'alsoStarts')];
    const one = await untilSent(1);
    const [later, unconcerned] = [start(queue, 'later'), decide(queue, runOf('unconcerned'))];
    one.end({ kind: 'stale' });
    (await untilSent(2)).end({ kind: 'stale' });
    assert.deepEqual((await Promise.all([ends.done, starts.done, alsoStarts.done, later.done])).map((result) => result.kind), ['stale', 'stale', 'stale', 'stale']);
    assert.deepEqual(notCommitted.map(([id]) => id), ['ends', 'starts', 'alsoStarts', 'later']);
    const next = await untilSent(3);
    assert.deepEqual(runsOf(next.batch), ['unconcerned.a']);
    next.end({ kind: 'moved' });
    assert.equal((await unconcerned.done).kind, 'moved');
  });

  it('the only start of a batch goes out when everything beside it did', async () => {
    const { queue, untilSent, notCommitted } = queueUnderTest();
    const [starts, ends] = [start(queue, 'starts'), decide(queue, runOf('ends'))];
    (await untilSent(1)).end({ kind: 'stale' });
    const alone = await untilSent(2);
    assert.deepEqual(runsOf(alone.batch), ['ends.a']);
    alone.end({ kind: 'moved' });
    (await untilSent(3)).end({ kind: 'stale' });
    assert.deepEqual([(await ends.done).kind, (await starts.done).kind], ['moved', 'stale']);
    assert.deepEqual(notCommitted.map(([id]) => id), ['starts']);
  });

  it('a refused statement is told, and its run read again', async () => {
    const { queue, untilSent, notCommitted, broken } = queueUnderTest();
    const decided = decide(queue, runOf('x'));
    (await untilSent(1)).end(new Error('bad value'));
    assert.equal((await decided.done).kind, 'error');
    assert.deepEqual(notCommitted.map(([id, result]) => [id, result.kind]), [['x', 'error']]);
    assert.deepEqual(broken, []);
  });

  it('without a database nothing more is sent and everybody is told', async () => {
    const { queue, untilSent, broken, notCommitted, sent } = queueUnderTest();
    const first = decide(queue, runOf('x'));
    const one = await untilSent(1);
    const waiting = decide(queue, runOf('y'));
    one.end(new Error('gone'));
    assert.equal((await first.done).kind, 'error');
    assert.equal(broken.length, 1);
    queue.close(new Error('over'));
    assert.equal((await waiting.done).kind, 'error');
    await queue.settled();
    assert.deepEqual([sent.length, notCommitted.length], [1, 0]);
  });

  it('whoever decides after the end is told as well: nobody waits for a commit that never comes', async () => {
    const { queue, untilSent } = queueUnderTest();
    const first = decide(queue, runOf('x'));
    const one = await untilSent(1);
    one.end(new Error('gone'));
    await first.done;
    assert.deepEqual((await decide(queue, runOf('y')).done).kind, 'error');
  });

  it('discarding drops what is not sent and waits for what is', async () => {
    const { queue, untilSent, sent } = queueUnderTest();
    const run = runOf('x');
    const first = decide(queue, run);
    const one = await untilSent(1);
    const second = decide(queue, run, 'b');
    let isIdle = false;
    const discarded = queue.discard(run.id, { kind: 'stale' }).then(() => void (isIdle = true));
    assert.deepEqual(await second.done, { kind: 'stale' });
    assert.equal(isIdle, false);
    one.end({ kind: 'moved' });
    assert.deepEqual(await first.done, { kind: 'moved' });
    await discarded;
    assert.equal(sent.length, 1);
  });

  it('a batch has a size; a run is never cut', async () => {
    const { queue, untilSent } = queueUnderTest();
    const graph = new Planner([task('a')]).run.graph.tasks[0] ?? assert.fail();
    for (const id of ['x', 'y', 'z']) {
      const { pending } = decide(queue, runOf(id));
      for (let index = 0; index < LIMITS.maxBatchOperations * (id === 'z' ? 2 : 0.6); index += 1) pending.changes.set(newInstance(graph, index), { state: null, executionId: null, mapIndex: index, wait: null });
    }
    for (const [at, expected] of [['x.a'], ['y.a'], ['z.a']].entries()) {
      const one = await untilSent(at + 1);
      assert.deepEqual(runsOf(one.batch), expected);
      one.end({ kind: 'moved' });
    }
    await queue.settled();
  });

  it('changes of several plans to one instance are one row: the first origin, the last content', async () => {
    const { queue, untilSent } = queueUnderTest();
    const p = new Planner([task('a', [], { retries: 1, retry_delay_seconds: 0 })]);
    p.get('a').isNew = false;
    p.begin('a').fail('a');
    const failed: Plan = p.lastPlan;
    const makeId = <T extends string>() => 'f' as T;
    absorb(queue.pendingOf(p.run), failed, makeId);
    p.advance(0);
    absorb(queue.pendingOf(p.run), p.lastPlan, makeId);
    const { batch, end } = await untilSent(1);
    assert.deepEqual(batch.instances.map((row) => [row.fromState, row.row.state, row.row.tryNumber]), [['running', 'scheduled', 2]]);
    assert.deepEqual(batch.events.map((event) => [event.from, event.to]), [['running', 'up_for_retry'], ['up_for_retry', 'scheduled']]);
    assert.deepEqual(batch.purge.map((row) => row.taskId), ['a'], 'the values of the try before go');
    end({ kind: 'moved' });
    await queue.settled();
  });
});
