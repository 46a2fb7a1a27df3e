// Differences between two runs: all of them, and none that is not there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PulledXCom } from '#contract/xcom-reader.ts';
import { compareRuns } from './compare-runs.ts';

const xcom = (key: string, value: unknown, more: Partial<PulledXCom> = {}): PulledXCom => ({ dag_id: 'd', run_id: 'r', task_id: 't', map_index: -1, key, timestamp: null, storage: 'json', encoding: 'json', raw: '', value, decodeNotes: [], bytes: 1, cut: false, ...more });
const kinds = (before: PulledXCom[], after: PulledXCom[]): string[] => compareRuns(before, after).compared.map((one) => `${one.kind} ${one.key} ${one.differences.map(({ path, delta }) => `${path} ${delta}`).join(', ')}`.trim());

test('what is in one run only, and what changed within a value', () => {
  assert.deepEqual(kinds([xcom('a', 1), xcom('b', { x: [1, 2], y: 'same' })], [xcom('b', { x: [1, 3, 4], y: 'same' }), xcom('c', null)]), ['only_before a $ null', 'changed b $.x[1] 1, $.x[2] null', 'only_after c $ null']);
  assert.equal(compareRuns([xcom('a', { b: 1, c: 2 })], [xcom('a', { c: 2, b: 1 })]).same, 1, 'the order of keys is none');
});

test('keys that every object inherits are keys as any other', () => {
  for (const key of ['constructor', '__proto__', 'toString']) assert.deepEqual(kinds([xcom('a', { x: 1 })], [xcom('a', JSON.parse(`{"x": 1, "${key}": 1}`))]), [`changed a $.${key} null`]);
});

test('values that were cut and begin alike are not called the same', () => {
  const cut = { $bytes: 'eHg=' };
  assert.deepEqual(kinds([xcom('a', cut, { cut: true })], [xcom('a', cut, { cut: true })]), ['not_compared a']);
});
