// What a fork server says, in the counts that this server keeps of it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { BodyRuntime, ExecutionSpec, ExitedChild } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { useTimeSource } from '#platform/clock.ts';
import { parkedSlot } from './process-slots.ts';
import { isPausing, newWarm, noteBegun, noteExited, noteRefused, parkChild, refill, type Warm } from './warm.ts';

const X = 'x' as ExecutionId;

function warmWith(sent: object[]): Warm {
  const warm = newWarm('f', 'v' as VersionId, 'starting');
  return Object.assign(warm, { state: 'ready', runtimes: new Set(['python']), link: { send: (message: object) => sent.push(message), close: () => undefined } } as const);
}

/** Runs with a clock that the test moves. */
function withClock(run: (move: (ms: number) => void) => void): void {
  let now = 1000;
  useTimeSource({ monotonicMs: () => now, wallMs: () => now, after: () => () => undefined });
  try {
    run((ms) => void (now += ms));
  } finally {
    useTimeSource(null);
  }
}

const ended = (pid: number, runtime: BodyRuntime = 'python'): ExitedChild => ({ pid, execution_id: null, status: -1, signal: 11, oom: false, runtime });

it('a child that never came is asked for again, after a pause', () => withClock((move) => {
  const sent: object[] = [];
  const warm = warmWith(sent);
  const wanted = { parked: { python: 2, node: 1 }, epoch: 3 };
  refill(warm, wanted);
  refill(warm, wanted);
  assert.deepEqual(sent, [{ op: 'park', epoch: 3, count: 2 }]);
  assert.deepEqual(noteExited(warm, ended(0)), { kind: 'never_came', pauseMs: 100 });
  assert.ok(isPausing(warm));
  refill(warm, wanted);
  assert.equal(sent.length, 1);
  move(100);
  refill(warm, wanted);
  assert.deepEqual(sent.slice(1), [{ op: 'park', epoch: 3, count: 1 }]);
}));

it('children that crash before they park are replaced ever more slowly, each kind for itself, until one parks', () => withClock((move) => {
  const sent: { runtime?: string }[] = [];
  const warm = warmWith(sent);
  warm.runtimes.add('node');
  const wanted = { parked: { python: 1, node: 1 }, epoch: 3 };
  for (let second = 0, pid = 100; second < 600; second += 1) {
    refill(warm, wanted);
    if (warm.expected.node > 0) noteExited(warm, ended((pid += 1), 'node'));
    move(1000);
  }
  const asked = sent.filter(({ runtime }) => runtime === 'node').length;
  assert.ok(asked > 15 && asked < 30, `${asked} children in ten minutes`);
  assert.ok(warm.endedEarly.size <= 5, `${warm.endedEarly.size} ends are remembered`);
  assert.equal(sent.length - asked, 1, 'Python’s are not held back');
  move(60_000);
  refill(warm, wanted);
  void parkChild(warm, { pid: 7, runtime: 'node', gone: new AbortController().signal });
  assert.ok(!isPausing(warm));
  warm.parked.node.length = 0;
  refill(warm, wanted);
  assert.equal(warm.expected.node, 1, 'one that parked ends the pause');
}));

it('children of one round that crash together are one failure', () => withClock(() => {
  const warm = warmWith([]);
  warm.expected.python = 3;
  const pauses = [7, 8, 9].map((pid) => noteExited(warm, ended(pid)));
  assert.deepEqual(pauses, [{ kind: 'never_came', pauseMs: 100 }, { kind: 'never_came', pauseMs: null }, { kind: 'never_came', pauseMs: null }]);
}));

it('children of each kind are kept apart, and only of kinds that the version needs', async () => {
  const sent: object[] = [];
  const warm = warmWith(sent);
  warm.runtimes.add('node');
  refill(warm, { parked: { python: 1, node: 2 }, epoch: 3 });
  assert.deepEqual(sent, [{ op: 'park', epoch: 3, count: 1 }, { op: 'park', epoch: 3, count: 2, runtime: 'node' }]);
  const gone = new AbortController();
  const given = parkChild(warm, { pid: 7, runtime: 'node', gone: gone.signal });
  assert.deepEqual([warm.parked.python.length, warm.parked.node.length, warm.expected.node], [0, 1, 1]);
  noteExited(warm, { pid: 8, execution_id: null, status: 1, signal: null, oom: false, runtime: 'node' });
  assert.deepEqual([warm.expected.python, warm.expected.node], [1, 0]);
  gone.abort();
  assert.equal(await given, null);
  assert.equal(warm.parked.node.length, 0);
});

it('an execution that is refused runs here no more; a refusal of something else names none', () => {
  const warm = warmWith([]);
  warm.running.add(X);
  assert.equal(noteRefused(warm, { op: 'refused', epoch: 1, reason: 'r' }), null);
  assert.equal(warm.running.size, 1);
  assert.equal(noteRefused(warm, { op: 'refused', epoch: 1, reason: 'r', execution_id: X }), X);
  assert.equal(warm.running.size, 0);
});

it('the end of a child that was bound is its execution’s loss, of one that began its exit', () => {
  const warm = warmWith([]);
  warm.running.add(X);
  warm.bound.set(7, X);
  assert.deepEqual(noteExited(warm, { pid: 7, execution_id: null, status: -1, signal: 9, oom: false }), { kind: 'unbegun', executionId: X });
  assert.deepEqual([warm.running.size, warm.bound.size], [0, 0]);
  noteBegun(warm, X, 8);
  assert.deepEqual(noteExited(warm, { pid: 8, execution_id: X, status: 0, signal: null, oom: false }), { kind: 'exited' });
  assert.equal(warm.running.size, 0);
});

it('a child that ends between the choice of it and its job loses the execution, whichever is told first: its exit or its connection', async () => {
  for (const isConnectionFirst of [true, false]) {
    const warm = warmWith([]);
    const gone = new AbortController();
    const given = parkChild(warm, { pid: 7, gone: gone.signal });
    const lost: ExecutionId[] = [];
    const child = warm.parked.python.shift() ?? assert.fail();
    const slot = parkedSlot(warm, child, { epoch: 1, isUsable: () => true, lose: (ids) => void lost.push(...ids), refill: () => undefined });
    if (isConnectionFirst) gone.abort();
    else assert.deepEqual(noteExited(warm, { pid: 7, execution_id: null, status: -1, signal: 9, oom: false }), { kind: 'parked' });
    slot.launch({ execution_id: X } as ExecutionSpec);
    assert.deepEqual([lost, warm.running.size, warm.bound.size], [[X], 0, 0]);
    gone.abort();
    assert.equal(await given, null);
  }
});

it('the end of a child that waited is no child that never came', () => {
  for (const isConnectionFirst of [true, false]) {
    const warm = warmWith([]);
    const gone = new AbortController();
    warm.expected.python = 2;
    void parkChild(warm, { pid: 7, gone: gone.signal });
    if (isConnectionFirst) gone.abort();
    noteExited(warm, { pid: 7, execution_id: null, status: -1, signal: 9, oom: false });
    assert.deepEqual([warm.expected.python, warm.parked.python.length, warm.came.size], [1, 0, 0]);
  }
});

it('a child whose end is told before it parks is given nothing', async () => {
  const warm = warmWith([]);
  warm.expected.python = 2;
  noteExited(warm, { pid: 7, execution_id: null, status: -1, signal: 9, oom: false });
  assert.equal(await parkChild(warm, { pid: 7, gone: new AbortController().signal }), null);
  assert.deepEqual([warm.expected.python, warm.parked.python.length], [1, 0]);
});

it('a child with the pid of one that ended long before is another', () => {
  let now = 1000;
  useTimeSource({ monotonicMs: () => now, wallMs: () => now, after: () => () => undefined });
  try {
    const warm = warmWith([]);
    warm.expected.python = 2;
    noteExited(warm, { pid: 7, execution_id: null, status: -1, signal: 9, oom: false });
    now += 60_000;
    void parkChild(warm, { pid: 7, gone: new AbortController().signal });
    assert.deepEqual([warm.expected.python, warm.parked.python.length, warm.endedEarly.size], [0, 1, 0]);
  } finally {
    useTimeSource(null);
  }
});
