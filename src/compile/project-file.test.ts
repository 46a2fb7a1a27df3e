// leoflow.yaml: what is wrong in it is said all at once, each with its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { parseProjectFile } from './project-file.ts';

const at = { path: 'leoflow.yaml', folder: '.' };

function refusalOf(text: string): string[] {
  try {
    parseProjectFile(text, at);
  } catch (error) {
    assert.ok(error instanceof AppError);
    return error.message.split('\n');
  }
  return assert.fail('it was taken');
}

test('every problem is named with line and column, and what was meant', () => {
  assert.deepEqual(refusalOf('ownr: x\nowner: 3\ndefaults:\n  retries: -1\n  env: 4\ntags: one\nruntime: airflw\n'), [
    'leoflow.yaml:1:1: the document: unknown key ownr (did you mean owner?)',
    'leoflow.yaml:2:8: owner: must be a text',
    'leoflow.yaml:4:12: defaults.retries: must be at least 0',
    'leoflow.yaml:5:8: defaults.env: must be a mapping',
    'leoflow.yaml:6:7: tags: must be a list',
    'leoflow.yaml:7:10: runtime: must be one of auto, leoflow, airflow (did you mean airflow?)',
  ]);
});

test('a key that is there twice, broken syntax and a second document are refused with their line', () => {
  assert.match(refusalOf('owner: a\nowner: b\n')[0] ?? '', /^leoflow\.yaml:2:1: Map keys must be unique/);
  assert.match(refusalOf('tags: [\n')[0] ?? '', /^leoflow\.yaml:\d+:\d+: /);
  assert.match(refusalOf('owner: a\n---\nowner: b\n')[0] ?? '', /^leoflow\.yaml:3:1: a second document/);
  assert.match(refusalOf('- a\n')[0] ?? '', /^leoflow\.yaml:1:1: the document: must be a mapping/);
});

test('aliases that multiply without end are refused', () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[index] ?? ''}`).join(', ')}]`)].join('\n');
  assert.match(refusalOf(bomb)[0] ?? '', /alias/i);
});

test('an empty file, comments and a BOM are no problem', () => {
  assert.deepEqual([parseProjectFile('', at).settings, parseProjectFile('# nothing\n', at).settings, parseProjectFile('\uFEFFowner: a\n', at).settings], [{}, {}, { owner: 'a' }]);
});

test('durations are seconds, or texts as in dag.yaml', () => {
  const { settings } = parseProjectFile('defaults: {retry_delay: 5m, execution_timeout: 90}\ndagrun_timeout: 1h30m\ntasks: {retry_delay: {max_retry_delay: 1h}}\n', at);
  assert.deepEqual(settings, { defaults: { retry_delay_seconds: 300, execution_timeout_seconds: 90 }, dagrun_timeout_seconds: 5400, tasks: { retry_delay: { max_retry_delay_seconds: 3600 } } });
  assert.match(refusalOf('defaults: {retry_delay: soon}\n')[0] ?? '', /^leoflow\.yaml:1:25: defaults\.retry_delay: /);
});
