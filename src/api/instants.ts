// Instants at the edge of the API: reading what callers send, writing what Airflow's clients expect.

/** A text read as an instant, or why it is none. */
export type ParsedInstant =
  | { readonly kind: 'ok'; /** ISO 8601 with an offset, as precise as it was given. */ readonly text: string; readonly hasOffset: boolean }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Later instants have no ISO form of four digits, which PostgreSQL and Python read. */
const FIRST_OF_YEAR_10000 = Date.UTC(10_000, 0);
const SHAPE = /^(\d{4}-\d{2}-\d{2})(?:[T _](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

/** Reads ISO 8601; without an offset the text is UTC. */
export function parseInstant(value: string): ParsedInstant {
  // A `+` of an offset that was not percent-encoded arrives as a space.
  const match = SHAPE.exec(value.replace(/ (\d{2}:\d{2})$/, (all, offset: string, at: number) => (at > 10 ? `+${offset}` : all)));
  if (match === null) return { kind: 'invalid', reason: value.length < 10 ? 'input is too short' : 'invalid datetime separator, expected `T`, `t`, `_` or space' };
  const [, day = '', minutes = '00:00', seconds = '00', fraction, offset] = match;
  const zone = offset === undefined || /^z$/i.test(offset) ? 'Z' : normalOffset(offset);
  const text = `${day}T${minutes}:${seconds}${fraction === undefined ? '' : `.${fraction.slice(0, 6)}`}${zone}`;
  const ms = Date.parse(text);
  // The calendar's own check: JavaScript takes 30 February for 2 March.
  const isReal = !Number.isNaN(ms) && new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().startsWith(day) && Number(seconds) < 60 && !day.startsWith('0000') && ms < FIRST_OF_YEAR_10000;
  return isReal ? { kind: 'ok', text, hasOffset: offset !== undefined } : { kind: 'invalid', reason: 'day value is outside expected range' };
}

function normalOffset(offset: string): string {
  const digits = offset.slice(1).replace(':', '').padEnd(4, '0');
  return `${offset[0]}${digits.slice(0, 2)}:${digits.slice(2)}`;
}

/** UTC with `Z`; a fraction, in six digits, only when there is one. */
export function renderInstant(date: Date): string {
  const text = date.toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : `${text.slice(0, -1)}000Z`;
}

/** As `renderInstant`, null for null. */
export function renderInstantOrNull(date: Date | null): string | null {
  return date === null ? null : renderInstant(date);
}

/** Any ISO text as the API writes instants; null for nothing. */
export function renderInstantText(text: string | null | undefined): string | null {
  return text === null || text === undefined ? null : renderInstant(new Date(text));
}

/** Seconds between two instants; null while one is missing. */
export function durationSeconds(start: Date | null, end: Date | null): number | null {
  return start === null || end === null ? null : (end.getTime() - start.getTime()) / 1000;
}

const DURATION = /^([+-])?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+(?:[.,]\d+)?)D)?(T(?:(\d+(?:[.,]\d+)?)H)?(?:(\d+(?:[.,]\d+)?)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$/i;
const UNIT_SECONDS = [365 * 86_400, 30 * 86_400, 7 * 86_400, 86_400, 3600, 60, 1];

/** Seconds of an ISO 8601 duration as pydantic reads it (a year has 365 days, a month 30); null when it is none. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null || /[PT]$/i.test(text)) return null;
  const [, sign, years, months, weeks, days, , hours, minutes, seconds] = match;
  const total = [years, months, weeks, days, hours, minutes, seconds].reduce((sum, part, at) => sum + Number((part ?? '0').replace(',', '.')) * (UNIT_SECONDS[at] ?? 0), 0);
  return Math.round((sign === '-' ? -total : total) * 1e6) / 1e6;
}

/** Seconds as pydantic writes a duration: `PT1H30M`. */
export function renderDuration(seconds: number): string {
  if (seconds < 0) return `-${renderDuration(-seconds)}`;
  const days = Math.floor(seconds / 86_400);
  const hours = Math.floor((seconds % 86_400) / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = Math.round((seconds % 60) * 1e6) / 1e6;
  const time = `${hours > 0 ? `${hours}H` : ''}${minutes > 0 ? `${minutes}M` : ''}${rest > 0 ? `${rest}S` : ''}`;
  if (days === 0 && time === '') return 'PT0S';
  return `P${days > 0 ? `${days}D` : ''}${time === '' ? '' : `T${time}`}`;
}
