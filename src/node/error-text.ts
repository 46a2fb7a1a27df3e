// Errors as people and reports see them: type, message, stack without our own frames, and the shape of Airflow's logs.
import { dirname } from 'node:path';
import { inspect } from 'node:util';
import { placeOfFrame } from '#sdk/call-place.ts';
import type { Masking } from './masking.ts';

/** A name that the task made up may hold anything; these are facts. */
const STANDARD_TYPES: ReadonlySet<unknown> = new Set(['Error', 'AggregateError', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'AbortError', 'ImportError', 'TimeoutError']);
const MAX_TYPE_CHARS = 200;
const MAX_MESSAGE_CHARS = 4_096;
const MAX_TRACEBACK_CHARS = 32_768;
const MAX_CAUSES = 20;
const OURS = dirname(import.meta.dirname);

/** Now, in UTC with microseconds. */
export function momentText(): string {
  const micros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  return `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
}

/** What a report says of what was thrown: its texts without secrets, then cut. Anything may be thrown. */
export function reportedError(thrown: unknown, masking?: Masking): { type: string; message: string; traceback: string } {
  const shown = (text: string, limit: number): string => (masking?.mask(text) ?? text).slice(0, limit);
  if (!isError(thrown)) return { type: 'NonError', message: shown(`the task threw ${describe(thrown)} instead of an Error`, MAX_MESSAGE_CHARS), traceback: '' };
  return { type: STANDARD_TYPES.has(thrown.name) ? thrown.name : shown(String(thrown.name), MAX_TYPE_CHARS), message: shown(messageOf(thrown) || String(thrown.name), MAX_MESSAGE_CHARS), traceback: shown(traceback(thrown), MAX_TRACEBACK_CHARS) };
}

function isError(value: unknown): value is Error {
  // One of another realm (node:vm) is no instance of ours.
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

function messageOf(error: Error): string {
  try {
    return String(error.message);
  } catch {
    return '';
  }
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  // Texts are whole: half a secret would not be known as one.
  const text = inspect(value, { depth: 3, maxStringLength: null, maxArrayLength: 20 });
  return typeof value === 'object' ? `the object ${text}` : `the ${typeof value} ${text}`;
}

/** The stack with its causes, without frames of Node and of this program. */
function traceback(error: Error): string {
  return causesOf(error).map((one, at) => `${at === 0 ? '' : 'Caused by: '}${ownStack(one)}`).join('\n');
}

function ownStack(error: unknown): string {
  if (!isError(error)) return describe(error);
  const lines = String(error.stack ?? `${error.name}: ${messageOf(error)}`).split('\n');
  return lines.filter((line) => !/^\s+at /.test(line) || !(line.includes('node:internal') || line.includes(`${OURS}/`))).join('\n');
}

function causesOf(error: unknown): unknown[] {
  const found: unknown[] = [];
  for (let current = error; current !== undefined && current !== null && !found.includes(current) && found.length < MAX_CAUSES; current = isError(current) ? current.cause : undefined) found.push(current);
  return found;
}

/** An error, its causes and the members of an AggregateError, in the shape of Airflow's logs. */
export function errorDetail(error: unknown, { masking, depth = 0 }: { readonly masking?: Masking; readonly depth?: number } = {}): object[] {
  return causesOf(error).map((one, at) => {
    const members = one instanceof AggregateError && depth < 3 ? one.errors.slice(0, 10) : null;
    const { type, message } = reportedError(one, masking);
    const frames = (isError(one) ? String(one.stack ?? '') : '').split('\n').filter((line) => /^\s+at /.test(line) && !line.includes('node:internal') && !line.includes(`${OURS}/`)).slice(0, 30);
    return {
      exc_type: type, exc_value: message, exc_notes: [], syntax_error: null, is_cause: at > 0, is_group: members !== null,
      exceptions: (members ?? []).map((member: unknown) => errorDetail(member, { ...(masking === undefined ? {} : { masking }), depth: depth + 1 })),
      frames: frames.map((line) => frameOf(masking?.mask(line) ?? line)).filter((frame) => frame !== null).toReversed(),
    };
  });
}

function frameOf(line: string): { filename: string; lineno: number; name: string } | null {
  const place = placeOfFrame(line);
  if (place === null) return null;
  const [, name = '<module>'] = /^\s*at (?:async )?(.+?) \(/.exec(line) ?? [];
  return { filename: place.file, lineno: place.line, name };
}
