// Params against conf: required ones, defaults, schemas, and keys that are no param.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConf } from './check-conf.ts';

const params = { day: { schema: { type: 'string', format: 'date' } }, count: { default: 3, schema: { type: 'integer', minimum: 1 } }, free: { default: null } };

test('a param without value and default is required', () => {
  assert.deepEqual(checkConf({ params }, {}), ['Invalid input for param day: No value passed and Param has no default value']);
});

test('the conf overrides the default and is held to the schema', () => {
  assert.deepEqual(checkConf({ params }, { day: '2026-01-31', count: 2, more: 'passes' }), []);
  assert.deepEqual(checkConf({ params }, { day: 'soon', count: 0 }), ['Invalid input for param day: value must match format "date"', 'Invalid input for param count: value must be >= 1']);
});

test('a DAG without params takes anything; a wrong schema refuses nothing', () => {
  assert.deepEqual(checkConf({}, { a: 1 }), []);
  assert.deepEqual(checkConf({ params: { a: { default: 1, schema: { type: 'nonsense' } } } }, {}), []);
});
