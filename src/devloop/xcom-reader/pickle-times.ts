// Dates, times and zones of a described pickle in their usual text; null for what is no such thing, or holds nonsense.
import type { PyValue } from './pickle-machine.ts';
import { constructed, nameOf, numberOf, rawBytes, textOf } from './pickle-parts.ts';
import { offsetText } from './shown-value.ts';

const two = (value: number): string => String(value).padStart(2, '0');

/** Seconds east of UTC where they are known; the name as a note says it. */
interface Zone { readonly offset: number | null; readonly name: string }

const NAMED_ZONE = /^(zoneinfo\.ZoneInfo(\._unpickle)?|pendulum\.tz\.timezone\.Timezone(\._unpickle)?|pytz\._p|pytz\._UTC|dateutil\.tz\.tz\.tzutc)$/;

/** Seconds of a timedelta or a pendulum Duration. */
export function timedeltaSeconds(value: PyValue | undefined): number | null {
  if (value?.kind !== 'call' || !['datetime.timedelta', 'pendulum.duration.Duration'].includes(nameOf(value.callee) ?? '')) return null;
  const [days = 0, seconds = 0, micros = 0] = value.args.map(numberOf);
  return days === null || seconds === null || micros === null ? null : days * 86_400 + seconds + micros / 1e6;
}

const fixed = (seconds: number | null): Zone | null => (seconds === null ? null : { offset: seconds, name: seconds === 0 ? 'UTC' : offsetText(seconds) });

/** A zone, or `none` where there is none; null when it is something else. */
function zoneOf(value: PyValue | undefined): Zone | 'none' | null {
  if (value === undefined || (value.kind === 'plain' && value.value === null)) return 'none';
  if (value.kind !== 'call') return null;
  const made = constructed(value);
  const name = nameOf(made.callee) ?? '';
  if (name === 'datetime.timezone') return fixed(timedeltaSeconds(made.args[0]));
  if (name === 'pendulum.tz.timezone.FixedTimezone') return fixed(numberOf(made.args[0]));
  if (!NAMED_ZONE.test(name)) return null;
  const zone = textOf(made.args[0]) ?? 'UTC';
  return /^(Etc\/)?(UTC|GMT)$/.test(zone) ? { offset: 0, name: 'UTC' } : { offset: null, name: zone };
}

/** A zone's name or offset. */
export function zoneText(value: PyValue): string | null {
  const zone = zoneOf(value);
  return zone === null || zone === 'none' ? null : zone.name;
}

type Clock = readonly [hour: number, minute: number, second: number, micros: number];
type Day = readonly [year: number, month: number, day: number];

function clockText([hour, minute, second, micros]: Clock): string {
  return `${two(hour)}:${two(minute)}:${two(second)}${micros === 0 ? '' : `.${String(micros).padStart(6, '0')}`}`;
}

function dayText([year, month, day]: Day): string | null {
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month - 1, day);
  const isReal = year >= 1 && year <= 9999 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal ? `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}` : null;
}

const isClock = ([hour, minute, second, micros]: Clock): boolean => hour < 24 && minute < 60 && second < 60 && micros < 1_000_000;

/** The same instant in UTC. */
function inUtc(day: string, clock: Clock, offset: number): string {
  const whole = new Date(Date.parse(`${day}T${clockText([clock[0], clock[1], clock[2], 0])}Z`) - Math.round(offset * 1000)).toISOString();
  return `${whole.slice(0, 19)}${clock[3] === 0 ? '' : `.${String(clock[3]).padStart(6, '0')}`}+00:00`;
}

interface Moment { readonly day: Day; readonly clock: Clock; readonly zone: PyValue | undefined }

/** Ten bytes, as datetime pickles itself. */
function packedMoment(raw: Buffer, zone: PyValue | undefined): Moment {
  const byte = (at: number): number => raw.readUInt8(at);
  return { day: [raw.readUInt16BE(0), byte(2) & 0x7f, byte(3)], clock: [byte(4), byte(5), byte(6), raw.readUIntBE(7, 3)], zone };
}

/** Numbers one by one, as pendulum does. */
function listedMoment(args: readonly PyValue[]): Moment | null {
  const numbers = args.slice(0, 7).map(numberOf);
  if (numbers.length < 3 || numbers.includes(null)) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0] = numbers as number[];
  return { day: [year, month, day], clock: [hour, minute, second, micros], zone: args[7] };
}

function momentOf(args: readonly PyValue[]): Moment | null {
  const raw = rawBytes(args[0]);
  return raw?.length === 10 ? packedMoment(raw, args[1]) : listedMoment(args);
}

/** A datetime as ISO 8601: in UTC where its offset is known, `…[Zone]` where only a name is, without either where it has none. */
export function datetimeText(args: readonly PyValue[]): { readonly text: string; readonly zone: string | null } | null {
  const moment = momentOf(args);
  const day = moment === null ? null : dayText(moment.day);
  if (moment === null || day === null || !isClock(moment.clock)) return null;
  const zone = zoneOf(moment.zone);
  const local = `${day}T${clockText(moment.clock)}`;
  if (zone === null) return null;
  if (zone === 'none') return { text: local, zone: null };
  return { text: zone.offset === null ? `${local}[${zone.name}]` : inUtc(day, moment.clock, zone.offset), zone: zone.name };
}

/** A date as ISO 8601. */
export function dateText(args: readonly PyValue[]): string | null {
  const raw = rawBytes(args[0]);
  if (raw?.length === 4) return dayText([raw.readUInt16BE(0), raw[2] ?? 0, raw[3] ?? 0]);
  const [year, month, day] = args.map(numberOf);
  return typeof year === 'number' && typeof month === 'number' && typeof day === 'number' ? dayText([year, month, day]) : null;
}

/** A time of day, with its offset where it has one. */
export function timeText(args: readonly PyValue[]): string | null {
  const raw = rawBytes(args[0]);
  const zone = zoneOf(args[1]);
  if (raw?.length !== 6 || zone === null) return null;
  const [hour = 0, minute = 0, second = 0] = raw;
  const clock: Clock = [hour & 0x7f, minute, second, raw.readUIntBE(3, 3)];
  if (!isClock(clock)) return null;
  return `${clockText(clock)}${zone === 'none' ? '' : zone.offset === null ? `[${zone.name}]` : offsetText(zone.offset)}`;
}
