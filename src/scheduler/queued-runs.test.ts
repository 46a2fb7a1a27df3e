// Runs begin by the time from which they may run, and leaving costs no order.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunUuid } from '#contract/ids.ts';
import type { RunSnapshot } from '#core/run-snapshot.ts';
import { QueuedRuns } from './queued-runs.ts';

function run(id: string, runAfter: number): RunSnapshot {
  return { id: id as RunUuid, runAfter } as RunSnapshot;
}

describe('the waiting runs of a DAG', () => {
  it('begin in the order of run_after, then of their ids', () => {
    const runs = new QueuedRuns();
    for (const one of [run('c', 5), run('a', 5), run('d', 1), run('b', 9)]) runs.addQueued(one);
    const order: string[] = [];
    for (let next = runs.next(); next !== null; next = runs.next()) {
      order.push(next.id);
      runs.begin(next);
    }
    assert.deepEqual(order, ['d', 'a', 'c', 'b']);
    assert.equal(runs.running, 4);
  });

  it('are passed over when they may not begin', () => {
    const runs = new QueuedRuns();
    for (const one of [run('a', 1), run('b', 2), run('c', 3)]) runs.addQueued(one);
    const next = runs.next((one) => one.id === 'a');
    assert.equal(next?.id, 'b');
    runs.begin(run('b', 2));
    assert.equal(runs.next()?.id, 'a');
    assert.equal(runs.next(() => true), null);
    assert.equal(runs.running, 1);
  });

  it('leave whether they run or wait, and nobody else with them', () => {
    const runs = new QueuedRuns();
    const waiting = ['a', 'b', 'c', 'd', 'e'].map((id, index) => run(id, index % 2));
    for (const one of waiting) runs.addQueued(one);
    runs.begin(run('a', 0));
    runs.remove(run('c', 0));
    runs.remove(run('a', 0));
    runs.remove(run('unknown', 0));
    assert.equal(runs.running, 0);
    assert.deepEqual([...runs.ids()].sort(), ['b', 'd', 'e']);
    for (const one of waiting) runs.remove(one);
    assert.equal(runs.isEmpty, true);
  });
});
