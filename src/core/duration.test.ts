// Durations as people write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationSeconds } from './duration.ts';

test('units add up, numbers are seconds', () => {
  const rows: readonly [number | string, number][] = [[5, 5], ['30s', 30], ['5m', 300], ['1h30m', 5400], ['1d', 86_400], ['2w', 1_209_600], ['250ms', 0.25], ['1.5h', 5400]];
  for (const [text, seconds] of rows) assert.equal(durationSeconds(text), seconds, String(text));
});
