// XComs on a terminal: nothing that a task pushed moves the cursor; in files: nothing is taken for a formula.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PulledXCom, XComPull } from '#contract/xcom-reader.ts';
import { renderCsv, renderPull, renderRemarks } from './render-xcoms.ts';

const xcom = (more: Partial<PulledXCom>): PulledXCom => ({ dag_id: 'd', run_id: 'r', task_id: 't', map_index: -1, key: 'k', timestamp: null, storage: 'json', encoding: 'json', raw: '1', value: 1, decodeNotes: [], bytes: 1, cut: false, ...more });
const pull = (...xcoms: PulledXCom[]): XComPull => ({ source: { transport: 'exec', target: 'p' }, schema: '3.0', dag_id: 'd', runs: [], xcoms, truncated: false, hints: [] });
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;

test('control characters of ids, keys, values and notes are shown, not obeyed', () => {
  const evil = '\u001b[2J\u009b31m\u202eend\r\n';
  const evilPull = pull(xcom({ task_id: evil, key: evil, value: { [evil]: evil }, decodeNotes: [`$: ambiguous ${evil}`] }), xcom({ run_id: evil }));
  for (const text of [renderPull(evilPull, 'table'), renderRemarks(evilPull)]) assert.doesNotMatch(text, CONTROL);
  assert.match(renderPull(evilPull, 'table'), /\\u001b\[2J/);
  assert.equal(renderPull(evilPull, 'table').trimEnd().split('\n').length, 3, 'a row is a line');
});

test('a long value is cut in the table and whole in the files', () => {
  const long = xcom({ value: 'x'.repeat(500) });
  assert.ok(renderPull(pull(long), 'table').split('\n').every((line) => line.length < 130));
  assert.ok(renderPull(pull(long), 'csv').includes('x'.repeat(500)));
  assert.equal((JSON.parse(renderPull(pull(long), 'jsonl')) as PulledXCom).value, long.value);
});

test('numbers of a CSV are numbers', () => {
  assert.match(renderPull(pull(xcom({ value: -0.5 })), 'csv'), /,-0\.5\r\n$/);
});

test('CSV quotes what has to be quoted, and no cell is a formula', () => {
  assert.equal(renderCsv([['a,b', 'say "x"', 'line\nbreak', '=1+1', '-cmd', -1, null, true]]), '"a,b","say ""x""","line\nbreak",\'=1+1,\'-cmd,-1,,true\r\n');
});
