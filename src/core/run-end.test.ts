// Why a run has ended, in Airflow's words, and the instance that its DAG's callbacks are shown.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { Planner, product, task } from '../../test/support/planner.ts';

const BOTH: Partial<Dag> = { callbacks: ['success', 'failure'] };
const endOf = (p: Planner): unknown => [p.lastPlan.runEnd?.reason ?? null, p.lastPlan.runEnd?.relevant?.task.id ?? null];

describe('the end of a run', () => {
  it('by success names the instance that succeeded last', () => {
    const p = new Planner([task('a'), task('b'), task('c', ['a', 'b'], { trigger_rule: 'all_failed' })], BOTH);
    p.succeed('b');
    p.now += 10;
    assert.deepEqual(endOf(p), [null, null]);
    p.succeed('a');
    assert.deepEqual([endOf(p), p.state('c'), p.runState], [['success', 'a'], 'skipped', 'success']);
  });

  it('by a failure names the instance that failed last, of several at once the first', () => {
    const p = new Planner([task('a'), task('b'), task('c', ['a'])], BOTH);
    p.fail('a');
    p.fail('b');
    assert.deepEqual([endOf(p), p.runState], [['task_failure', 'a'], 'failed']);
  });

  it('by its time names the unfinished instance that began last', () => {
    const p = new Planner([task('a'), task('b')], { ...BOTH, dagrun_timeout_seconds: 1 });
    p.begin('a');
    p.get('a').startedAt = p.now;
    p.get('b').startedAt = p.now + 1;
    p.timeOut();
    assert.deepEqual([endOf(p), p.state('b'), p.runState], [['timed_out', 'b'], 'skipped', 'failed']);
  });

  it('names nobody where nobody would be told', () => {
    const p = new Planner([task('a')], { callbacks: ['failure'] });
    p.succeed('a');
    assert.deepEqual(endOf(p), ['success', null]);
    const mapped = new Planner([task('a', [], { expand: product(0) })], BOTH);
    assert.deepEqual([endOf(mapped), mapped.runState], [['success', null], 'success']);
  });
});
