// Airflow's PrevDagrunDep, case by case.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag, Task } from '#contract/dag.ts';
import { dagOf, task } from '../../test/support/rows.ts';
import { buildGraph } from './graph.ts';
import { blockedByPast, type PastRun, type PastState } from './past-dependencies.ts';

const DAY = Date.UTC(2026, 0, 1);

function blocked(tasks: readonly Task[], states: Record<string, PastState> | null, more: Partial<Dag> = {}): string[] {
  const past: PastRun | null = states === null ? null : { logicalDate: DAY, states: new Map(Object.entries(states)) };
  return [...blockedByPast(buildGraph(dagOf('d', [...tasks], more)), past)];
}

describe('depends_on_past', () => {
  const own = [task('a', [], { depends_on_past: true }), task('b', ['a'])];

  it('only what looks at the past is held back, by its own state there', () => {
    assert.deepEqual(blocked(own, { a: 'bad', b: 'bad' }), ['a']);
    assert.deepEqual(blocked(own, { a: 'good', b: 'bad' }), []);
  });

  it('the first run of all waits for nobody', () => assert.deepEqual(blocked(own, null), []));

  it('a task that is new to the DAG starts unless it says otherwise; one that was missing only in the run before does not', () => {
    assert.deepEqual(blocked(own, { a: 'new' }), []);
    assert.deepEqual(blocked([task('a', [], { depends_on_past: true, ignore_first_depends_on_past: false })], { a: 'new' }), ['a']);
    assert.deepEqual(blocked(own, { a: 'absent' }), ['a']);
  });

  it('with catchup a run before the task’s start does not count', () => {
    const since = [task('a', [], { depends_on_past: true, start_date: '2026-01-02T00:00:00Z' })];
    assert.deepEqual(blocked(since, { a: 'absent' }, { catchup: true }), []);
    assert.deepEqual(blocked(since, { a: 'absent' }), ['a']);
    assert.deepEqual(blocked([task('a', [], { depends_on_past: true })], { a: 'bad' }, { catchup: true, start_date: '2026-01-02T00:00:00Z' }), []);
  });
});

describe('wait_for_downstream', () => {
  const chain = [task('a', [], { wait_for_downstream: true }), task('b', ['a']), task('c', ['b'])];

  it('direct downstream tasks count as well, those further down do not', () => {
    assert.deepEqual(blocked(chain, { a: 'good', b: 'bad', c: 'good' }), ['a']);
    assert.deepEqual(blocked(chain, { a: 'good', b: 'good', c: 'bad' }), []);
    assert.deepEqual(blocked(chain, { a: 'bad', b: 'good' }), ['a']);
  });

  it('a downstream task that the run before had not is no obstacle', () => assert.deepEqual(blocked(chain, { a: 'good', b: 'absent' }), []));
});
