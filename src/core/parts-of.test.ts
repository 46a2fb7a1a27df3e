// Parts of bounded size: nothing is lost, nothing is too large unless it is alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partsOf } from './parts-of.ts';

test('items stay in order, in parts that keep both limits', () => {
  const limits = { maxItems: 3, maxBytes: 10, bytesOf: (size: number) => size };
  const cases: readonly [readonly number[], readonly (readonly number[])[]][] = [
    [[], []],
    [[1, 1, 1, 1], [[1, 1, 1], [1]]],
    [[5, 5, 1], [[5, 5], [1]]],
    [[20, 1, 9, 20], [[20], [1, 9], [20]]],
    [[0, 10, 0, 0], [[0, 10, 0], [0]]],
  ];
  for (const [items, parts] of cases) assert.deepEqual(partsOf(items, limits), parts);
});
