// How a drain decides when to end: on what it sees, in which order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, type Work } from './drain.ts';

const NEVER = new AbortController().signal;
const leading = (unfinished: number): Work => ({ standing: 'leading', unfinished });

/** Plays what a server is at each look; the last one stays. */
function play(works: readonly Work[], how: { seconds?: number; hurry?: AbortSignal; successor?: boolean } = {}): ReturnType<typeof drain> {
  const left = [...works];
  return drain({
    look: () => (left.length > 1 ? left.shift() : left[0]) ?? assert.fail(),
    hasSuccessor: () => Promise.resolve(how.successor === true),
  }, { seconds: how.seconds ?? 60, hurry: how.hurry ?? NEVER });
}

test('who does not lead has nothing to wait for', async () => assert.equal(await play([{ standing: 'follower', unfinished: 0 }], { successor: true }), 'not_leading'));
test('nothing runs', async () => assert.equal(await play([leading(0)]), 'idle'));
test('it waits for what runs', async () => assert.equal(await play([leading(2), leading(2), leading(1), leading(1), leading(0)]), 'idle'));
test('a successor gets what runs, and also what is only warm', async () => {
  assert.equal(await play([leading(3)], { successor: true }), 'handed_over');
  assert.equal(await play([leading(0)], { successor: true }), 'handed_over');
});
test('during a take-over nobody knows what runs: it is waited for, not called idle', async () => assert.equal(await play([{ standing: 'taking_over', unfinished: 0 }, leading(1), leading(1), leading(0)]), 'idle'));
test('the time is over', async () => assert.equal(await play([leading(1)], { seconds: 0 }), 'time_over'));
test('nobody wants to wait', async () => assert.equal(await play([leading(1)], { hurry: AbortSignal.abort() }), 'hurried'));
