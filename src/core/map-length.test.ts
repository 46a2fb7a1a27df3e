// Lengths of mappings, and which instances of two tasks of a mapped group belong together.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Expand } from '#contract/dag.ts';
import { dependentRange, expandedLength, relevantRange } from './map-length.ts';

describe('expanded length', () => {
  const literal = (length: number) => ({ kind: 'literal', length }) as const;
  const product = (...lengths: number[]) => ({ kind: 'product', arguments: Object.fromEntries(lengths.map((length, at) => [`a${at}`, literal(length)])) }) as const;

  it('multiplies over arguments and groups', () => {
    assert.equal(expandedLength([], () => null), 1);
    assert.equal(expandedLength([product(2, 3), product(4)], () => null), 24);
    assert.equal(expandedLength([product(2, 0)], () => null), 0);
  });

  it('is unknown as long as one part is', () => {
    const unknown: Expand = { kind: 'rows', rows: { kind: 'zip', of: [literal(2), { kind: 'xcom', task_id: 'a', key: 'k' }] } };
    assert.equal(expandedLength([product(2), unknown], () => null), null);
    assert.equal(expandedLength([product(2), unknown], (taskId, key) => (taskId === 'a' && key === 'k' ? 5 : null)), 4);
  });
});

describe('indexes that belong together', () => {
  // Airflow: index = map_index × ancestor_count // own_count, a range when the upstream is mapped further.
  it('go by the shared group', () => {
    assert.deepEqual(relevantRange(4, { upstream: 2, shared: 2, own: 6 }), { from: 1, to: 2 });
    assert.deepEqual(relevantRange(1, { upstream: 6, shared: 2, own: 2 }), { from: 3, to: 6 });
    assert.deepEqual(relevantRange(3, { upstream: 6, shared: 2, own: 4 }), { from: 3, to: 6 });
  });

  it('both directions say the same', () => {
    const size = fc.integer({ min: 1, max: 6 });
    fc.assert(fc.property(size, size, size, (shared, above, below) => {
      const counts = { upstream: shared * above, shared, own: shared * below };
      for (let up = 0; up < counts.upstream; up += 1) {
        const dependents = dependentRange(up, counts);
        for (let own = 0; own < counts.own; own += 1) {
          const relevant = relevantRange(own, counts);
          assert.equal(own >= dependents.from && own < dependents.to, up >= relevant.from && up < relevant.to, `${up} and ${own} of ${JSON.stringify(counts)}`);
        }
      }
    }));
  });
});
