// Reading values by a schema: pydantic's leniency and its list of errors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TSchema, Type as T } from '@sinclair/typebox';
import { AwareInstant, Instant, many, optional, strict, words } from '#contract/airflow/fields.ts';
import { readValue } from './validate.ts';

const read = (schema: TSchema, value: unknown, place = 'body') => readValue(schema, value, [place]);
const refusal = (schema: TSchema, value: unknown, place = 'body'): unknown => read(schema, value, place).problems.map(({ type, msg }) => [type, msg]);

test('texts of numbers and booleans are read', () => {
  const cases = [
    [T.Integer(), '5', 5], [T.Integer(), '-1', -1], [T.Integer(), 5.0, 5], [T.Number(), '1.5', 1.5], [T.Boolean(), 'yes', true], [T.Boolean(), 'OFF', false], [T.Boolean(), 1, true],
    [optional(T.String()), null, null], [words(['a', 'b']), 'b', 'b'],
  ] as const;
  for (const [schema, given, wanted] of cases) assert.deepEqual(read(schema, given), { value: wanted, problems: [] });
});

test('what is wrong is named as pydantic names it', () => {
  const cases = [
    [T.Integer(), 'x', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
    [T.Integer(), 1.5, 'int_from_float', 'Input should be a valid integer, got a number with a fractional part'],
    [T.Integer(), null, 'int_type', 'Input should be a valid integer'],
    [T.Integer(), 2 ** 40, 'int_parsing_size', 'Unable to parse input string as an integer, exceeded maximum size'],
    [T.Integer({ minimum: 0 }), -1, 'greater_than_equal', 'Input should be greater than or equal to 0'],
    [T.Number({ exclusiveMinimum: 0 }), 0, 'greater_than', 'Input should be greater than 0'],
    [T.Number(), 'x', 'float_parsing', 'Input should be a valid number, unable to parse string as a number'],
    [T.Boolean(), 'maybe', 'bool_parsing', 'Input should be a valid boolean, unable to interpret input'],
    [T.Boolean(), {}, 'bool_type', 'Input should be a valid boolean'],
    [T.String(), 5, 'string_type', 'Input should be a valid string'],
    [T.String({ maxLength: 2 }), 'abc', 'string_too_long', 'String should have at most 2 characters'],
    [T.String({ minLength: 1 }), '', 'string_too_short', 'String should have at least 1 character'],
    [T.String({ pattern: '^a$' }), 'b', 'string_pattern_mismatch', "String should match pattern '^a$'"],
    [T.String(), 'a\0b', 'value_error', 'Value error, text may not hold the character U+0000'],
    [words(['a', 'b', 'c']), 'd', 'enum', "Input should be 'a', 'b' or 'c'"],
    [T.Literal('~'), 'x', 'literal_error', "Input should be '~'"],
    [AwareInstant, '2026-01-01T00:00:00', 'timezone_aware', 'Input should have timezone info'],
    [Instant, '2026', 'datetime_from_date_parsing', 'Input should be a valid datetime or date, input is too short'],
    [T.Array(T.String()), 'x', 'list_type', 'Input should be a valid list'],
    [T.Object({}), 'x', 'model_attributes_type', 'Input should be a valid dictionary or object to extract fields from'],
    [T.Record(T.String(), T.Unknown()), [], 'dict_type', 'Input should be a valid dictionary'],
    [optional(T.Integer()), 'x', 'int_parsing', 'Input should be a valid integer, unable to parse string as an integer'],
  ] as const;
  for (const [schema, value, type, msg] of cases) assert.deepEqual(refusal(schema, value), [[type, msg]]);
});

test('an object gets its defaults, and all its problems at once', () => {
  const schema = T.Object({ needed: T.String(), count: T.Integer({ default: 3 }), note: optional(T.String()), maybe: T.Optional(T.String()) }, strict);
  assert.deepEqual(read(schema, { needed: 'x' }), { value: { needed: 'x', count: 3, note: null }, problems: [] });
  const body = { count: 'x', other: 1 };
  assert.deepEqual(read(schema, body).problems, [
    { type: 'missing', loc: ['body', 'needed'], msg: 'Field required', input: body },
    { type: 'int_parsing', loc: ['body', 'count'], msg: 'Input should be a valid integer, unable to parse string as an integer', input: 'x' },
    { type: 'extra_forbidden', loc: ['body', 'other'], msg: 'Extra inputs are not permitted', input: 1 },
  ]);
});

test('keys of objects are their own', () => {
  const schema = T.Object({ a: optional(T.String()) }, strict);
  assert.deepEqual(refusal(schema, JSON.parse('{"__proto__": {"a": "x"}}')), [['extra_forbidden', 'Extra inputs are not permitted']]);
  assert.deepEqual(read(T.Object({ toString: optional(T.String()) }), {}).problems, []);
});

test('a query parameter may come once, often, or not at all', () => {
  const schema = T.Object({ state: many(T.String()), limit: T.Integer({ default: 50 }) });
  assert.deepEqual(read(schema, { state: 'a' }, 'query').value, { state: ['a'], limit: 50 });
  assert.deepEqual(read(schema, { state: ['a', 'b'], limit: ['1', '2'] }, 'query').value, { state: ['a', 'b'], limit: 2 });
});

test('a task or a task with an index', () => {
  const schema = T.Array(T.Union([T.String(), T.Tuple([T.String(), T.Integer()])]));
  assert.deepEqual(read(schema, ['a', ['b', 1]]), { value: ['a', ['b', 1]], problems: [] });
  assert.equal(read(schema, [['b']]).problems.length > 0, true);
  assert.equal(read(schema, [['b', 1, 2]]).problems.length > 0, true);
});

test('identifiers, durations and short lists are named as pydantic names them', () => {
  assert.deepEqual(read(T.String({ format: 'uuid' }), '0190A0A0-0000-7000-8000-00000000000F'), { value: '0190a0a0-0000-7000-8000-00000000000f', problems: [] });
  assert.deepEqual(refusal(T.String({ format: 'uuid' }), 'nouuid'), [['uuid_parsing', 'Input should be a valid UUID, invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `n` at 1']]);
  assert.deepEqual(read(T.String({ format: 'duration' }), 90), { value: 'PT1M30S', problems: [] });
  assert.deepEqual(refusal(T.String({ format: 'duration' }), 'bad'), [['time_delta_parsing', 'Input should be a valid timedelta, invalid duration']]);
  assert.deepEqual(refusal(T.Array(T.String(), { minItems: 1 }), []), [['too_short', 'List should have at least 1 item after validation, not 0']]);
});

test('a union with labels tells what is wrong with each member, below its label', () => {
  const schema = T.Union([T.String(), T.Tuple([T.String(), T.Integer()])], { labels: ['str', 'tuple[str, int]'] });
  assert.deepEqual(read(schema, ['a', '3']).value, ['a', 3]);
  assert.deepEqual(read(schema, ['d', 'x']).problems.map(({ loc, type }) => [loc, type]), [[['body', 'str'], 'string_type'], [['body', 'tuple[str, int]', 1], 'int_parsing']]);
});
