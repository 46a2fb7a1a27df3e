// Cron schedules: from an expression in croniter's dialect to the instants at which it fires in a time zone, exactly as Airflow does.
import assert from 'node:assert/strict';
import { CRON_FIELD_RULES, type CronField, type CronFieldRule, parseCronField } from './cron-field.ts';
import { localToUtc, utcOffsetMs } from './zone.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const SECOND_MS = 1000;
/** croniter's bound: an expression without a date in this many years has none. */
const SEARCH_YEARS = 50;
const ALL_DAYS = 0x7fff_ffff;

/** For each value of a field: whether it is allowed, and the nearest allowed one above and below it (-1: none). */
interface Steps {
  readonly allowed: readonly boolean[];
  readonly above: readonly number[];
  readonly below: readonly number[];
  readonly least: number;
  readonly greatest: number;
}

/** Days of a month that satisfy both fields for days. Bit d-1 stands for day d. */
interface DayRule {
  readonly days: number;
  readonly lastDay: boolean;
  readonly nearestWeekday: number | null;
  /** By the weekday of the month's first day, Sunday 0. */
  readonly weekdays: readonly number[];
  /** Weekdays of which only the last in the month counts. */
  readonly lastWeekdays: readonly number[];
}

/** A parsed expression. Made by `parseCron` only. */
export interface Cron {
  /** The expression as written, a preset expanded. */
  readonly text: string;
  readonly resolutionMs: number;
  /** The hour field is a plain `*`: Airflow then counts elapsed time, not wall-clock time. */
  readonly everyHour: boolean;
  readonly minutes: Steps;
  readonly hours: Steps;
  readonly months: Steps;
  readonly seconds: Steps;
  readonly years: ReadonlySet<number> | null;
  /** A day counts when any rule has it. */
  readonly dayRules: readonly DayRule[];
  /** croniter finds no date at all when one of the rules alone has none (`#` or `W` beside the other day field). */
  readonly everyRuleNeeded: boolean;
}

/** Airflow's presets, by exact name; it shows the expression in their place. */
const AIRFLOW_PRESETS: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'], ['@daily', '0 0 * * *'], ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'], ['@quarterly', '0 0 1 */3 *'], ['@yearly', '0 0 1 1 *'],
]);
/** croniter's presets, in any case. */
const CRONITER_PRESETS: ReadonlyMap<string, string> = new Map([
  ['@midnight', '0 0 * * *'], ['@hourly', '0 * * * *'], ['@daily', '0 0 * * *'], ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'], ['@yearly', '0 0 1 1 *'], ['@annually', '0 0 1 1 *'],
]);

/**
 * Parses five fields, or six with seconds last, or seven with years after those; or a preset. Accepts what croniter accepts except its
 * hashed and random values. The message names the field at fault.
 */
export function parseCron(expression: string): { kind: 'ok'; cron: Cron } | { kind: 'invalid'; message: string } {
  const text = AIRFLOW_PRESETS.get(expression) ?? expression;
  const lower = text.toLowerCase();
  const texts = (CRONITER_PRESETS.get(lower) ?? lower).match(/[^ \t\n\r\f\v]+/g) ?? [];
  if (texts.length < 5 || texts.length > 7) return { kind: 'invalid', message: `a cron expression has 5 to 7 fields, not ${texts.length}` };
  const fields: CronField[] = [];
  for (const [index, rule] of FIELD_RULES.entries()) {
    const parsed = parseCronField(texts[index] ?? (rule === CRON_FIELD_RULES.second ? '0' : '*'), rule);
    if (parsed.kind === 'invalid') return parsed;
    fields.push(withFullAsStar(parsed.field, rule, texts));
  }
  if (mixesNth(fieldFor(fields, 'weekday'))) return { kind: 'invalid', message: `day of week "${texts[4]}": # and l do not mix with plain weekdays` };
  const hour = fieldFor(fields, 'hour');
  const year = fieldFor(fields, 'year');
  const cron: Cron = {
    text,
    resolutionMs: texts.length === 5 ? MINUTE_MS : SECOND_MS,
    everyHour: hour.star && hour.values.size === 0,
    minutes: stepsOf(fieldFor(fields, 'minute'), CRON_FIELD_RULES.minute),
    hours: stepsOf(hour, CRON_FIELD_RULES.hour),
    months: stepsOf(fieldFor(fields, 'month'), CRON_FIELD_RULES.month),
    seconds: stepsOf(fieldFor(fields, 'second'), CRON_FIELD_RULES.second),
    years: year.star ? null : year.values,
    ...dayRulesOf(fieldFor(fields, 'day'), fieldFor(fields, 'weekday')),
  };
  return { kind: 'ok', cron };
}

const FIELD_RULES: readonly CronFieldRule[] = Object.values(CRON_FIELD_RULES);

function fieldFor(fields: readonly CronField[], name: keyof typeof CRON_FIELD_RULES): CronField {
  const field = fields[FIELD_RULES.indexOf(CRON_FIELD_RULES[name])];
  assert(field !== undefined);
  return field;
}

/** croniter refuses plain weekdays beside `#` and `l` unless all seven are named. */
function mixesNth(weekday: CronField): boolean {
  const plain = [...weekday.values].some((value) => !weekday.nth.has(value));
  return weekday.nth.size > 0 && plain && weekday.values.size + Number(weekday.star) !== 7;
}

/**
 * croniter turns a field that lists all its values into `*`. For a field of days only if the other one has a `*` somewhere in its text:
 * this decides whether the two restrict each other or add up.
 */
function withFullAsStar(field: CronField, rule: CronFieldRule, texts: readonly string[]): CronField {
  const size = field.values.size + Number(field.star) + Number(field.last);
  if (size !== rule.max - rule.min + 1) return field;
  if (rule === CRON_FIELD_RULES.day && texts[4]?.includes('*') !== true) return field;
  if (rule === CRON_FIELD_RULES.weekday && texts[2]?.includes('*') !== true) return field;
  return { ...field, star: true, values: new Set(), last: false };
}

/** When both fields of days are restricted, a day needs to satisfy one of them; `#` and `w` are outside that bargain in croniter. */
function dayRulesOf(day: CronField, weekday: CronField): Pick<Cron, 'dayRules' | 'everyRuleNeeded'> {
  const anyDay = { days: ALL_DAYS, lastDay: false };
  const days = { days: day.star ? ALL_DAYS : bitsOf(day.values), lastDay: day.last && !day.star };
  const { nearestWeekday } = day;
  const anyWeekday = { weekdays: weekdayMasks([0, 1, 2, 3, 4, 5, 6]), lastWeekdays: [] };
  const nth = weekday.nth.size > 0;
  const weekdays = nth ? nthWeekdays(weekday) : weekday.star ? anyWeekday : { weekdays: weekdayMasks([...weekday.values]), lastWeekdays: [] };
  if (day.star || weekday.star) return { dayRules: [{ ...days, nearestWeekday, ...weekdays }], everyRuleNeeded: false };
  return {
    dayRules: [{ ...days, nearestWeekday, ...(nth ? weekdays : anyWeekday) }, { ...anyDay, nearestWeekday, ...weekdays }],
    everyRuleNeeded: nth || nearestWeekday !== null,
  };
}

function bitsOf(days: Iterable<number>): number {
  let bits = 0;
  for (const day of days) if (day <= 31) bits |= 1 << (day - 1);
  return bits;
}

/** For each weekday that a month may start with, the days that fall on one of the given weekdays. */
function weekdayMasks(weekdays: readonly number[]): number[] {
  return [0, 1, 2, 3, 4, 5, 6].map((first) => bitsOf(weekdays.flatMap((weekday) => [1, 2, 3, 4, 5].map((n) => nthDay(first, weekday, n)))));
}

function nthWeekdays(field: CronField): Pick<DayRule, 'weekdays' | 'lastWeekdays'> {
  const entries = [...field.nth];
  return {
    weekdays: [0, 1, 2, 3, 4, 5, 6].map((first) =>
      bitsOf(entries.flatMap(([weekday, nths]) => [...nths].filter((n) => n !== 'last').map((n) => nthDay(first, weekday, n)))),
    ),
    lastWeekdays: entries.filter(([, nths]) => nths.has('last')).map(([weekday]) => weekday),
  };
}

function nthDay(firstWeekday: number, weekday: number, n: number): number {
  return ((weekday - firstWeekday + 7) % 7) + 1 + 7 * (n - 1);
}

function stepsOf(field: CronField, rule: CronFieldRule): Steps {
  const allowed: boolean[] = [];
  const above: number[] = [];
  const below: number[] = [];
  for (let value = 0, nearest = -1; value <= rule.max; value += 1) {
    below[value] = nearest;
    allowed[value] = value >= rule.min && (field.star || field.values.has(value));
    if (allowed[value] === true) nearest = value;
  }
  for (let value: number = rule.max, nearest = -1; value >= 0; value -= 1) {
    above[value] = nearest;
    if (allowed[value] === true) nearest = value;
  }
  return { allowed, above, below, least: allowed.indexOf(true), greatest: allowed.lastIndexOf(true) };
}

/** The first fire (epoch ms) after an instant, or null when there is none in 50 years. Airflow's `CronMixin._get_next`. */
export function nextFire(cron: Cron, zone: string, afterMs: number): number | null {
  const local = afterMs + utcOffsetMs(zone, afterMs);
  const fire = searchAllRules(cron, local, searchUp);
  if (fire === null) return null;
  return cron.everyHour ? afterMs + (fire - local) : localToUtc(zone, fire);
}

/**
 * The last fire (epoch ms) before an instant, or null. Airflow's `CronMixin._get_prev`, also in this: where clocks change, the fire of an
 * earlier wall-clock time that was jumped over or repeated can lie after `beforeMs`.
 */
export function fireBefore(cron: Cron, zone: string, beforeMs: number): number | null {
  const local = beforeMs + utcOffsetMs(zone, beforeMs);
  const fire = searchAllRules(cron, local, searchDown);
  if (fire === null) return null;
  return cron.everyHour ? beforeMs - (local - fire) : localToUtc(zone, fire);
}

/** The last fire (epoch ms) at or before an instant, or null. Airflow's `CronMixin._align_to_prev`. */
export function previousFire(cron: Cron, zone: string, atOrBeforeMs: number): number | null {
  const fire = fireBefore(cron, zone, atOrBeforeMs);
  return fire !== null && nextFire(cron, zone, fire) === atOrBeforeMs ? atOrBeforeMs : fire;
}

/** The first fire (epoch ms) at or after an instant, or null. Airflow's `CronMixin._align_to_next`. */
export function fireAtOrAfter(cron: Cron, zone: string, atOrAfterMs: number): number | null {
  const fire = nextFire(cron, zone, atOrAfterMs);
  return fire !== null && fireBefore(cron, zone, fire) === atOrAfterMs ? atOrAfterMs : fire;
}

type Search = (cron: Cron, rules: readonly DayRule[], localMs: number) => number | null;

function searchAllRules(cron: Cron, localMs: number, search: Search): number | null {
  if (cron.everyRuleNeeded && cron.dayRules.some((rule) => search(cron, [rule], localMs) === null)) return null;
  return search(cron, cron.dayRules, localMs);
}

function searchUp(cron: Cron, rules: readonly DayRule[], localMs: number): number | null {
  const start = (Math.floor(localMs / cron.resolutionMs) + 1) * cron.resolutionMs;
  const startDay = Math.floor(start / DAY_MS);
  let { year, month, day } = dateOf(startDay);
  const lastYear = year + SEARCH_YEARS;
  let days = daysOfMonth(cron, rules, { year, month });
  if (((days >>> (day - 1)) & 1) === 1) {
    const time = timeFrom(cron, start - startDay * DAY_MS);
    if (time >= 0) return startDay * DAY_MS + time;
  }
  days = day === 31 ? 0 : (days >>> day) << day;
  while (days === 0) {
    month += 1;
    if (month > 12) [year, month] = [year + 1, 1];
    if (year > lastYear) return null;
    days = daysOfMonth(cron, rules, { year, month });
  }
  day = 32 - Math.clz32(days & -days);
  return dayNumber(year, month, day) * DAY_MS + msOf(cron.hours.least, cron.minutes.least, cron.seconds.least);
}

function searchDown(cron: Cron, rules: readonly DayRule[], localMs: number): number | null {
  const start = (Math.ceil(localMs / cron.resolutionMs) - 1) * cron.resolutionMs;
  const startDay = Math.floor(start / DAY_MS);
  let { year, month, day } = dateOf(startDay);
  const firstYear = year - SEARCH_YEARS;
  let days = daysOfMonth(cron, rules, { year, month });
  if (((days >>> (day - 1)) & 1) === 1) {
    const time = timeUpTo(cron, start - startDay * DAY_MS);
    if (time >= 0) return startDay * DAY_MS + time;
  }
  days &= (1 << (day - 1)) - 1;
  while (days === 0) {
    month -= 1;
    if (month < 1) [year, month] = [year - 1, 12];
    if (year < firstYear) return null;
    days = daysOfMonth(cron, rules, { year, month });
  }
  day = 32 - Math.clz32(days);
  return dayNumber(year, month, day) * DAY_MS + msOf(cron.hours.greatest, cron.minutes.greatest, cron.seconds.greatest);
}

/** The first allowed time of day at or after one (both ms since midnight), or -1. */
function timeFrom(cron: Cron, timeMs: number): number {
  const { hour, minute, second } = clockOf(timeMs);
  if (cron.hours.allowed[hour] === true) {
    if (cron.minutes.allowed[minute] === true) {
      const sooner = cron.seconds.allowed[second] === true ? second : at(cron.seconds.above, second);
      if (sooner >= 0) return msOf(hour, minute, sooner);
    }
    const later = at(cron.minutes.above, minute);
    if (later >= 0) return msOf(hour, later, cron.seconds.least);
  }
  const nextHour = at(cron.hours.above, hour);
  return nextHour < 0 ? -1 : msOf(nextHour, cron.minutes.least, cron.seconds.least);
}

/** The last allowed time of day at or before one (both ms since midnight), or -1. */
function timeUpTo(cron: Cron, timeMs: number): number {
  const { hour, minute, second } = clockOf(timeMs);
  if (cron.hours.allowed[hour] === true) {
    if (cron.minutes.allowed[minute] === true) {
      const later = cron.seconds.allowed[second] === true ? second : at(cron.seconds.below, second);
      if (later >= 0) return msOf(hour, minute, later);
    }
    const sooner = at(cron.minutes.below, minute);
    if (sooner >= 0) return msOf(hour, sooner, cron.seconds.greatest);
  }
  const earlierHour = at(cron.hours.below, hour);
  return earlierHour < 0 ? -1 : msOf(earlierHour, cron.minutes.greatest, cron.seconds.greatest);
}

function daysOfMonth(cron: Cron, rules: readonly DayRule[], { year, month }: { year: number; month: number }): number {
  if (cron.months.allowed[month] !== true || (cron.years !== null && !cron.years.has(year))) return 0;
  const first = weekdayOf(dayNumber(year, month, 1));
  const length = monthLength(year, month);
  let found = 0;
  for (const rule of rules) {
    let days = rule.lastDay ? rule.days | (1 << (length - 1)) : rule.days;
    if (rule.nearestWeekday !== null) days = 1 << (workdayNear(Math.min(rule.nearestWeekday, length), first, length) - 1);
    let weekdays = rule.weekdays[first] ?? 0;
    for (const weekday of rule.lastWeekdays) {
      const earliest = ((weekday - first + 7) % 7) + 1;
      weekdays |= 1 << (earliest + 7 * Math.floor((length - earliest) / 7) - 1);
    }
    found |= days & weekdays;
  }
  return found & (ALL_DAYS >>> (31 - length));
}

/** The Monday-to-Friday day nearest to a day of the month without leaving the month. */
function workdayNear(day: number, firstWeekday: number, length: number): number {
  const weekday = (firstWeekday + day - 1) % 7;
  if (weekday === 6) return day > 1 ? day - 1 : day + 2;
  if (weekday === 0) return day < length ? day + 1 : day - 2;
  return day;
}

function at(values: readonly number[], index: number): number {
  return values[index] ?? -1;
}

function msOf(hour: number, minute: number, second: number): number {
  return hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS;
}

function clockOf(timeMs: number): { hour: number; minute: number; second: number } {
  const seconds = Math.floor(timeMs / SECOND_MS);
  return { hour: Math.floor(seconds / 3600), minute: Math.floor(seconds / 60) % 60, second: seconds % 60 };
}

function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

function monthLength(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar: years are counted from March so that the leap day comes last. */
function dayNumber(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 719_469;
}

function dateOf(dayOfEpoch: number): { year: number; month: number; day: number } {
  let year = 1970 + Math.floor(dayOfEpoch / 365.2425);
  if (dayNumber(year + 1, 1, 1) <= dayOfEpoch) year += 1;
  else if (dayNumber(year, 1, 1) > dayOfEpoch) year -= 1;
  let month = Math.min(12, Math.floor((dayOfEpoch - dayNumber(year, 1, 1)) / 29) + 1);
  while (dayNumber(year, month, 1) > dayOfEpoch) month -= 1;
  return { year, month, day: dayOfEpoch - dayNumber(year, month, 1) + 1 };
}
