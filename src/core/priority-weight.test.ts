// Effective priority weights against a walk over every task's relatives.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { effectiveWeights, type WeightedTask } from './priority-weight.ts';

function walk(tasks: readonly WeightedTask[], index: number): number {
  const start = tasks[index];
  assert(start !== undefined);
  const seen = new Set([start]);
  if (start.rule === 'downstream' || start.rule === 'upstream') {
    for (const task of seen) {
      const related = tasks.filter((other) => (start.rule === 'upstream' ? task.dependsOn.includes(other.taskId) : other.dependsOn.includes(task.taskId)));
      for (const other of related) seen.add(other);
    }
  }
  return [...seen].reduce((sum, task) => sum + task.weight, 0);
}

const task = (taskId: string, dependsOn: string[], rule = 'downstream', weight = 1): WeightedTask => ({ taskId, dependsOn, weight, rule });

describe('effectiveWeights', () => {
  it('counts each relative of a diamond once', () => {
    const diamond = (rule: string): WeightedTask[] => [task('d', ['b', 'c'], rule, 1000), task('a', [], rule, 1), task('b', ['a'], rule, 10), task('c', ['a'], rule, 100)];
    assert.deepEqual(effectiveWeights(diamond('downstream')), [1000, 1111, 1010, 1100]);
    assert.deepEqual(effectiveWeights(diamond('upstream')), [1111, 1, 11, 101]);
    assert.deepEqual(effectiveWeights(diamond('absolute')), [1000, 1, 10, 100]);
    assert.deepEqual(effectiveWeights(diamond('my.package.Strategy')), [1000, 1, 10, 100]);
  });

  it('agrees with a walk on random graphs in any order, with mixed rules and weights of either sign', () => {
    const graph = fc.array(
      fc.record({ edges: fc.bigInt({ min: 0n, max: 2n ** 60n }), weight: fc.integer({ min: -50, max: 1000 }), rule: fc.constantFrom('downstream', 'upstream', 'absolute') }),
      { maxLength: 70 },
    );
    fc.assert(
      fc.property(graph, fc.boolean(), (nodes, reversed) => {
        const tasks = nodes.map(({ edges, weight, rule }, index) => ({
          taskId: `t${index}`, weight, rule,
          dependsOn: nodes.flatMap((_, parent) => (parent < index && (edges >> BigInt((parent * 7) % 60)) % 4n === 0n ? [`t${parent}`] : [])),
        }));
        if (reversed) tasks.reverse();
        assert.deepEqual(effectiveWeights(tasks), tasks.map((_, index) => walk(tasks, index)));
      }),
      { numRuns: 60 },
    );
  });

  it('does not walk every path of a DAG of 10,000 tasks', { timeout: 20_000 }, () => {
    const tasks = Array.from({ length: 10_000 }, (_, index) =>
      task(`t${index}`, [1, 17, 300].filter((back) => back <= index).map((back) => `t${index - back}`)),
    );
    const weights = effectiveWeights(tasks);
    assert.deepEqual([weights[0], weights[9999]], [10_000, 1]);
  });

  it('stays within the column', () => {
    assert.deepEqual(effectiveWeights([task('a', [], 'downstream', 2_147_483_647), task('b', ['a']), task('c', [], 'absolute', -3e9)]), [2_147_483_647, 1, -2_147_483_648]);
  });

  it('refuses what is no DAG', () => {
    assert.throws(() => effectiveWeights([task('a', ['b']), task('b', ['a'])]), /cycle/);
    assert.throws(() => effectiveWeights([task('a', ['x'])]), /not in the list/);
    assert.throws(() => effectiveWeights([task('a', []), task('a', [])]), /twice/);
    assert.deepEqual(effectiveWeights([]), []);
  });
});
