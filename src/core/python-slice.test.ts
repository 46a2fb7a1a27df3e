// Every small slice of every short sequence, against walking it as Python's language reference says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stretchOf, takeOf } from './python-slice.ts';

/** The reference's words: items with index x = i + n·k, i ≤ x < j (or > j, backwards), after clamping. */
function walked(items: readonly string[], [start, stop, step]: readonly (number | null)[]): string[] {
  const k = step ?? 1;
  const n = items.length;
  const clamp = (index: number): number => { const at = index < 0 ? index + n : index; return k > 0 ? Math.min(Math.max(at, 0), n) : Math.min(Math.max(at, -1), n - 1); };
  const i = start === null || start === undefined ? (k > 0 ? 0 : n - 1) : clamp(start);
  const j = stop === null || stop === undefined ? (k > 0 ? n : -1) : clamp(stop);
  const taken: string[] = [];
  for (let at = i; k > 0 ? at < j : at > j; at += k) taken.push(items[at] ?? 'outside');
  return taken;
}

test('a stretch of the store and what is taken of it are the slice', () => {
  const bounds = [null, -7, -4, -3, -1, 0, 1, 2, 3, 5, 9];
  let cases = 0;
  for (const length of [0, 1, 3, 5]) {
    const items = [...'abcde'].slice(0, length);
    for (const start of bounds) for (const stop of bounds) for (const step of [null, 1, 2, 3, -1, -2, -5]) {
      const stretch = stretchOf({ start, stop, step }, length);
      const taken = takeOf(items.slice(stretch.offset, stretch.offset + stretch.limit), stretch);
      assert.deepEqual(taken, walked(items, [start, stop, step]), JSON.stringify({ length, start, stop, step, stretch }));
      assert.ok(stretch.offset >= 0 && stretch.offset + stretch.limit <= length, 'nothing outside is read');
      cases += 1;
    }
  }
  assert.equal(cases, 4 * 11 * 11 * 7);
});

test('a step of 0 is one of 1', () => assert.deepEqual(stretchOf({ start: null, stop: null, step: 0 }, 3), { offset: 0, limit: 3, every: 1, isReversed: false }));
