// Globs, ranges and run choices mean what they say, whatever signs an id holds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactlyOf, isLike, likeExactly, likeOfGlob, parseMapIndex, parseRunChoice, runsOf } from './selection.ts';

test('an id matches itself alone, wildcards of LIKE in it included', () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', '%', '_', '!', '*', '?', '.', "'", '"', '\\', 'ü', '\n') }), fc.string({ unit: fc.constantFrom('a', '%', '_', '!', '*', '.', 'ü') }), (id, other) => {
    assert.ok(isLike(id, likeExactly(id)));
    assert.equal(exactlyOf(likeExactly(id)), id);
    assert.equal(exactlyOf(`${likeExactly(id)}%`), null);
    assert.equal(isLike(other, likeExactly(id)), other === id);
  }));
});

test('a glob is a glob', () => {
  const cases: [string, string, boolean][] = [['train_*', 'train_a', true], ['train_*', 'trainXa', false], ['*', '', true], ['t?st', 'test', true], ['t?st', 'tst', false], ['100%', '100%', true], ['100%', '1000', false], ['a*c', 'abbbc', true]];
  for (const [glob, text, want] of cases) assert.equal(isLike(text, likeOfGlob(glob)), want, `${glob} ${text}`);
});

test('map indexes are one, a range or all', () => {
  assert.deepEqual(parseMapIndex('3'), [3, 3]);
  assert.deepEqual(parseMapIndex('-1'), [-1, -1]);
  assert.deepEqual(parseMapIndex('0..9'), [0, 9]);
  assert.equal(parseMapIndex('*'), null);
  for (const wrong of ['', 'a', '9..0', '1..', '-2', '1;2', '1..9..2', '99999999999']) assert.throws(() => parseMapIndex(wrong), { code: 'reader_usage' }, wrong);
});

test('runs are the latest, the latest of a state, an id or its beginning', () => {
  assert.deepEqual(runsOf(parseRunChoice('latest'), 'exact'), { run_id: '%', state: null, limit: 1 });
  assert.deepEqual(parseRunChoice('latest:SUCCESS'), parseRunChoice('latest:success'));
  assert.deepEqual(runsOf(parseRunChoice('latest:success'), 'exact'), { run_id: '%', state: 'success', limit: 1 });
  assert.deepEqual(runsOf(parseRunChoice('manual__2026_01'), 'exact'), { run_id: 'manual!_!_2026!_01', state: null, limit: 1 });
  assert.deepEqual(runsOf(parseRunChoice('manual'), 'prefix'), { run_id: 'manual%', state: null, limit: 4 });
});
