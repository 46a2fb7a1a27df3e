// Checks a request's values against a schema and reads them, with the error list that FastAPI and pydantic answer.
import { Kind, OptionalKind, type TSchema } from '@sinclair/typebox';
import type { ValidationProblem } from './problems.ts';
import { parseDuration, parseInstant, renderDuration } from './instants.ts';

type Location = readonly (string | number)[];

/** Collects problems while a value is read. */
interface Reading {
  readonly problems: ValidationProblem[];
}

type Read = (schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }) => unknown;

/**
 * Reads `value` by `schema` with pydantic's leniency (numbers and booleans may be text). Defaults are filled in.
 * @param loc where the value stands: `['body']`, `['query']` or `['path']`
 */
export function readValue(schema: TSchema, value: unknown, loc: Location): { readonly value: unknown; readonly problems: readonly ValidationProblem[] } {
  const reading: Reading = { problems: [] };
  const read = readAny(schema, value, { reading, loc });
  return { value: read, problems: reading.problems };
}

const READERS: Readonly<Record<string, Read>> = {
  Object: readObject, Array: readArray, Tuple: readTuple, Union: readUnion, Record: readRecord, String: readText, Integer: readInteger, Number: readNumber, Boolean: readBoolean,
  Literal: readLiteral, Unsafe: readWord, Unknown: (_schema, value) => value,
};

function readAny(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  const reader = READERS[schema[Kind]];
  if (reader === undefined) throw new Error(`no reader for the schema kind ${schema[Kind]}`);
  return reader(schema, value, at);
}

interface Problem { readonly type: string; readonly msg: string; readonly ctx?: Readonly<Record<string, unknown>> }

function refuse(at: { reading: Reading; loc: Location }, input: unknown, problem: Problem): undefined {
  at.reading.problems.push({ type: problem.type, loc: at.loc, msg: problem.msg, input, ...(problem.ctx === undefined ? {} : { ctx: problem.ctx }) });
  return undefined;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readObject(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  if (!isPlainObject(value)) return refuse(at, value, { type: 'model_attributes_type', msg: 'Input should be a valid dictionary or object to extract fields from' });
  const properties = schema['properties'] as Record<string, TSchema>;
  const read: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const loc = [...at.loc, name];
    if (Object.hasOwn(value, name) && value[name] !== undefined) read[name] = readAny(property, value[name], { reading: at.reading, loc });
    else if ('default' in property) read[name] = property.default;
    else if (property[OptionalKind] === undefined) refuse({ reading: at.reading, loc }, at.loc[0] === 'body' ? value : null, { type: 'missing', msg: 'Field required' });
  }
  if (schema['additionalProperties'] === false) {
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(properties, name)) refuse({ reading: at.reading, loc: [...at.loc, name] }, value[name], { type: 'extra_forbidden', msg: 'Extra inputs are not permitted' });
    }
  }
  return read;
}

function readArray(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  // A repeatable query parameter that is given once arrives as its only value.
  const list = Array.isArray(value) ? value : at.loc[0] === 'query' ? [value] : null;
  if (list === null) return refuse(at, value, { type: 'list_type', msg: 'Input should be a valid list' });
  const { minItems } = schema as { minItems?: number };
  if (minItems !== undefined && list.length < minItems) {
    return refuse(at, value, { type: 'too_short', msg: `List should have at least ${minItems} item${minItems === 1 ? '' : 's'} after validation, not ${list.length}`, ctx: { field_type: 'List', min_length: minItems, actual_length: list.length } });
  }
  return list.map((item, index) => readAny(schema['items'] as TSchema, item, { reading: at.reading, loc: [...at.loc, index] }));
}

function readTuple(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  const items = schema['items'] as TSchema[];
  if (!Array.isArray(value)) return refuse(at, value, { type: 'tuple_type', msg: 'Input should be a valid tuple' });
  if (value.length > items.length) return refuse(at, value, { type: 'too_long', msg: `Tuple should have at most ${items.length} items after validation, not ${value.length}`, ctx: { field_type: 'Tuple', max_length: items.length, actual_length: value.length } });
  return items.map((item, index) => {
    const place = { reading: at.reading, loc: [...at.loc, index] };
    return index < value.length ? readAny(item, value[index], place) : refuse(place, value, { type: 'missing', msg: 'Field required' });
  });
}

/** Null when null is allowed, else the first member that takes the value; the problems of the first when none does, with `labels` those of all, each below its label. */
function readUnion(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  const members = schema['anyOf'] as TSchema[];
  if (value === null && members.some((member) => member[Kind] === 'Null')) return null;
  const tag = (schema['discriminator'] as { propertyName: string } | undefined)?.propertyName;
  if (tag !== undefined) return readTagged(members, value, { ...at, tag });
  const labels = schema['labels'] as string[] | undefined;
  const refused: ValidationProblem[] = [];
  for (const [index, member] of members.filter((each) => each[Kind] !== 'Null').entries()) {
    const reading: Reading = { problems: [] };
    const label = labels?.[index];
    const read = readAny(member, value, { reading, loc: label === undefined ? at.loc : [...at.loc, label] });
    if (reading.problems.length === 0) return read;
    if (refused.length === 0 || labels !== undefined) refused.push(...reading.problems);
  }
  at.reading.problems.push(...refused);
  return undefined;
}

/** The member that the value's tag names. */
function readTagged(members: readonly TSchema[], value: unknown, at: { reading: Reading; loc: Location; tag: string }): unknown {
  const given = isPlainObject(value) ? value[at.tag] : undefined;
  const word = typeof given === 'string' ? given : JSON.stringify(given);
  const tagOf = (member: TSchema): unknown => (member['properties'] as Record<string, TSchema>)[at.tag]?.['const'];
  const member = members.find((each) => tagOf(each) === given);
  if (member !== undefined) return readAny(member, value, { reading: at.reading, loc: [...at.loc, word] });
  const expected = members.map((each) => `'${String(tagOf(each))}'`).join(', ');
  if (given === undefined) return refuse(at, value, { type: 'union_tag_not_found', msg: `Unable to extract tag using discriminator '${at.tag}'`, ctx: { discriminator: `'${at.tag}'` } });
  return refuse(at, value, { type: 'union_tag_invalid', msg: `Input tag '${word}' found using '${at.tag}' does not match any of the expected tags: ${expected}`, ctx: { discriminator: `'${at.tag}'`, tag: word, expected_tags: expected } });
}

function readRecord(_schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  return isPlainObject(value) ? value : refuse(at, value, { type: 'dict_type', msg: 'Input should be a valid dictionary' });
}

function readText(schema: TSchema, given: unknown, at: { reading: Reading; loc: Location }): unknown {
  const value = lastOf(given, at);
  if (schema['format'] === 'duration') return readDuration(value, at);
  if (typeof value !== 'string') return refuse(at, value, { type: schema['format'] === 'date-time' ? 'datetime_type' : 'string_type', msg: schema['format'] === 'date-time' ? 'Input should be a valid datetime' : 'Input should be a valid string' });
  if (schema['format'] === 'date-time') return readInstant(schema, value, at);
  if (schema['format'] === 'uuid') return readUuid(value, at);
  const { minLength, maxLength, pattern } = schema as { minLength?: number; maxLength?: number; pattern?: string };
  // NOTE: U+0000 cannot be stored as text in PostgreSQL; refused here, it is a mistake of the caller and not of ours.
  if (value.includes('\0')) return refuse(at, value, { type: 'value_error', msg: 'Value error, text may not hold the character U+0000', ctx: { error: {} } });
  if (maxLength !== undefined && value.length > maxLength) return refuse(at, value, { type: 'string_too_long', msg: `String should have at most ${maxLength} characters`, ctx: { max_length: maxLength } });
  if (minLength !== undefined && value.length < minLength) return refuse(at, value, { type: 'string_too_short', msg: `String should have at least ${minLength} character${minLength === 1 ? '' : 's'}`, ctx: { min_length: minLength } });
  if (pattern !== undefined && !new RegExp(pattern).test(value)) return refuse(at, value, { type: 'string_pattern_mismatch', msg: `String should match pattern '${pattern}'`, ctx: { pattern } });
  return value;
}

function readInstant(schema: TSchema, value: string, at: { reading: Reading; loc: Location }): unknown {
  const instant = parseInstant(value);
  if (instant.kind === 'invalid') return refuse(at, value, { type: 'datetime_from_date_parsing', msg: `Input should be a valid datetime or date, ${instant.reason}`, ctx: { error: instant.reason } });
  if (schema['aware'] === true && !instant.hasOffset) return refuse(at, value, { type: 'timezone_aware', msg: 'Input should have timezone info' });
  return instant.text;
}

/** Hyphens, braces and `urn:uuid:` are as one likes; read, it is lower case with hyphens. */
function readUuid(value: string, at: { reading: Reading; loc: Location }): unknown {
  const digits = value.toLowerCase().replace(/^urn:uuid:|[{}]/g, '').replaceAll('-', '');
  if (/^[0-9a-f]{32}$/.test(digits)) return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const wrong = /[^0-9a-f-]/iu.exec(value);
  const error = wrong === null ? `invalid length: expected length 32 for simple format, found ${digits.length}`
    : `invalid character: expected an optional prefix of \`urn:uuid:\` followed by [0-9a-fA-F-], found \`${wrong[0]}\` at ${wrong.index + 1}`;
  return refuse(at, value, { type: 'uuid_parsing', msg: `Input should be a valid UUID, ${error}`, ctx: { error } });
}

/** ISO 8601 text, or seconds as a number; read, it is always text that `parseDuration` takes. */
function readDuration(value: unknown, at: { reading: Reading; loc: Location }): unknown {
  if (typeof value === 'number' && Number.isFinite(value)) return renderDuration(value);
  if (typeof value !== 'string') return refuse(at, value, { type: 'time_delta_type', msg: 'Input should be a valid timedelta' });
  if (parseDuration(value) === null) return refuse(at, value, { type: 'time_delta_parsing', msg: 'Input should be a valid timedelta, invalid duration', ctx: { error: 'invalid duration' } });
  return value;
}

/** FastAPI takes the last of a parameter that is given several times. */
function lastOf(value: unknown, at: { loc: Location }): unknown {
  return at.loc[0] === 'query' && Array.isArray(value) ? value.at(-1) : value;
}

function readInteger(schema: TSchema, given: unknown, at: { reading: Reading; loc: Location }): unknown {
  const value = lastOf(given, at);
  let read: number;
  if (typeof value === 'number') read = value;
  else if (typeof value === 'string') {
    if (!/^\s*[+-]?\d+(\.0+)?\s*$/.test(value)) return refuse(at, value, { type: 'int_parsing', msg: 'Input should be a valid integer, unable to parse string as an integer' });
    read = Number(value);
  } else return refuse(at, value, { type: 'int_type', msg: 'Input should be a valid integer' });
  if (!Number.isInteger(read)) return refuse(at, value, { type: 'int_from_float', msg: 'Input should be a valid integer, got a number with a fractional part' });
  // The columns are 32 bits wide; a larger number could only become an error of the database.
  if (Math.abs(read) > 2 ** 31 - 1) return refuse(at, value, { type: 'int_parsing_size', msg: 'Unable to parse input string as an integer, exceeded maximum size' });
  return readBounds(schema, { given: value, read }, at);
}

function readNumber(schema: TSchema, given: unknown, at: { reading: Reading; loc: Location }): unknown {
  const value = lastOf(given, at);
  if (typeof value === 'string') {
    const read = value.trim() === '' ? Number.NaN : Number(value);
    if (!Number.isFinite(read)) return refuse(at, value, { type: 'float_parsing', msg: 'Input should be a valid number, unable to parse string as a number' });
    return readBounds(schema, { given: value, read }, at);
  }
  if (typeof value !== 'number') return refuse(at, value, { type: 'float_type', msg: 'Input should be a valid number' });
  return readBounds(schema, { given: value, read: value }, at);
}

function readBounds(schema: TSchema, number: { given: unknown; read: number }, at: { reading: Reading; loc: Location }): unknown {
  const { minimum, exclusiveMinimum, maximum } = schema as { minimum?: number; exclusiveMinimum?: number; maximum?: number };
  if (minimum !== undefined && number.read < minimum) return refuse(at, number.given, { type: 'greater_than_equal', msg: `Input should be greater than or equal to ${minimum}`, ctx: { ge: minimum } });
  if (exclusiveMinimum !== undefined && number.read <= exclusiveMinimum) return refuse(at, number.given, { type: 'greater_than', msg: `Input should be greater than ${exclusiveMinimum}`, ctx: { gt: exclusiveMinimum } });
  if (maximum !== undefined && number.read > maximum) return refuse(at, number.given, { type: 'less_than_equal', msg: `Input should be less than or equal to ${maximum}`, ctx: { le: maximum } });
  return number.read;
}

const TRUE_WORDS = new Set(['true', '1', 't', 'y', 'yes', 'on']);
const FALSE_WORDS = new Set(['false', '0', 'f', 'n', 'no', 'off']);

function readBoolean(_schema: TSchema, given: unknown, at: { reading: Reading; loc: Location }): unknown {
  const value = lastOf(given, at);
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string' && typeof value !== 'number') return refuse(at, value, { type: 'bool_type', msg: 'Input should be a valid boolean' });
  const word = String(value).toLowerCase();
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  return refuse(at, value, { type: 'bool_parsing', msg: 'Input should be a valid boolean, unable to interpret input' });
}

function readLiteral(schema: TSchema, value: unknown, at: { reading: Reading; loc: Location }): unknown {
  // Python shows a member of an enumeration with its class.
  const expected = (schema['shownAs'] as string | undefined) ?? `'${String(schema['const'])}'`;
  return value === schema['const'] ? value : refuse(at, value, { type: 'literal_error', msg: `Input should be ${expected}`, ctx: { expected } });
}

/** One of some words: the schemas made by `words`. */
function readWord(schema: TSchema, given: unknown, at: { reading: Reading; loc: Location }): unknown {
  const value = lastOf(given, at);
  const allowed = schema['enum'] as string[];
  if (typeof value === 'string' && allowed.includes(value)) return value;
  const quoted = allowed.map((word) => `'${word}'`);
  const expected = quoted.length === 1 ? (quoted[0] ?? '') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
  return refuse(at, value, { type: 'enum', msg: `Input should be ${expected}`, ctx: { expected } });
}
