// What a fork server says, in the counts that this server keeps of it.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { newWarm, noteBegun, noteExited, noteRefused, refill, type Warm } from './warm.ts';

const X = 'x' as ExecutionId;

function warmWith(sent: object[]): Warm {
  const warm = newWarm('f', 'v' as VersionId, 'starting');
  return Object.assign(warm, { state: 'ready', link: { send: (message: object) => sent.push(message), close: () => undefined } } as const);
}

it('a child that never came is asked for again', () => {
  const sent: object[] = [];
  const warm = warmWith(sent);
  refill(warm, { parked: 2, epoch: 3 });
  refill(warm, { parked: 2, epoch: 3 });
  assert.deepEqual(sent, [{ op: 'park', epoch: 3, count: 2 }]);
  assert.deepEqual(noteExited(warm, { pid: 0, execution_id: null, status: 1, signal: null, oom: false }), { kind: 'parked' });
  refill(warm, { parked: 2, epoch: 3 });
  assert.deepEqual(sent.slice(1), [{ op: 'park', epoch: 3, count: 1 }]);
});

it('an execution that is refused runs here no more; a refusal of something else names none', () => {
  const warm = warmWith([]);
  warm.running.add(X);
  assert.equal(noteRefused(warm, { op: 'refused', epoch: 1, reason: 'r', execution_id: null } as never), null);
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
