// One field of a cron expression, from its text in croniter's dialect to the set of its values.

/** What a field of a given place may hold. */
export interface CronFieldRule {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: ReadonlyMap<string, number>;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const NO_NAMES: ReadonlyMap<string, number> = new Map();

/** The fields in the order of the text. Seconds come after the weekday and may be followed by years, as croniter has it. */
export const CRON_FIELD_RULES = {
  minute: { name: 'minute', min: 0, max: 59, names: NO_NAMES },
  hour: { name: 'hour', min: 0, max: 23, names: NO_NAMES },
  day: { name: 'day of month', min: 1, max: 31, names: NO_NAMES },
  month: { name: 'month', min: 1, max: 12, names: new Map(MONTHS.map((name, index) => [name, index + 1])) },
  weekday: { name: 'day of week', min: 0, max: 6, names: new Map(WEEKDAYS.map((name, index) => [name, index])) },
  second: { name: 'second', min: 0, max: 59, names: NO_NAMES },
  year: { name: 'year', min: 1970, max: 2099, names: NO_NAMES },
} as const satisfies Record<string, CronFieldRule>;

/** The n-th weekday of a month, 1 to 5, or its last. */
export type Nth = number | 'last';

/** The values of one field. `star` may stand beside values: then the field allows everything. */
export interface CronField {
  star: boolean;
  readonly values: Set<number>;
  /** Day of month only: `l`, the month's last day. */
  last: boolean;
  /** Day of month only: `15w`, the working day nearest to the 15th. */
  nearestWeekday: number | null;
  /** Day of week only: `5#2`, the second Friday, and `l5`, the last Friday. The weekdays are in `values` too. */
  readonly nth: Map<number, Set<Nth>>;
}

/** Parses one field, in lower case. The message of a fault names the field. Source: croniter 7, `croniter._expand`. */
export function parseCronField(text: string, rule: CronFieldRule): { kind: 'ok'; field: CronField } | { kind: 'invalid'; message: string } {
  const field: CronField = { star: false, values: new Set(), last: false, nearestWeekday: null, nth: new Map() };
  const fault = addItems(text, rule, field);
  return fault === null ? { kind: 'ok', field } : { kind: 'invalid', message: `${rule.name} "${text}": ${fault}` };
}

function addItems(text: string, rule: CronFieldRule, field: CronField): string | null {
  if (text.includes('?')) {
    if (text !== '?') return '? stands alone';
    if (rule !== CRON_FIELD_RULES.day && rule !== CRON_FIELD_RULES.weekday) return '? is for the day of month and the day of week only';
    field.star = true;
    return null;
  }
  if (/^[hr](?:\(\d+-\d+\))?(?:\/\d+)?$/.test(text)) return 'hashed and random values (h, r) have no fixed schedule';
  const items = text.split(',');
  for (const item of items) {
    const fault = addItem(item, rule, field);
    if (fault !== null) return fault;
  }
  return field.nearestWeekday !== null && items.length > 1 ? 'w stands with a single day, not in a list' : null;
}

const WEEKDAY = WEEKDAYS.join('|');
const NTH_PATTERN = new RegExp(String.raw`^(?:(?<each>(?:${WEEKDAY})-(?:${WEEKDAY})|\w+)#|l)(?<digits>\d+)$`);

function addItem(item: string, rule: CronFieldRule, field: CronField): string | null {
  if (rule === CRON_FIELD_RULES.weekday) {
    const special = NTH_PATTERN.exec(item)?.groups;
    if (special !== undefined) return addNthWeekday(special['each'], special['digits'] ?? '', field);
  }
  if (rule === CRON_FIELD_RULES.day) {
    const nearest = /^(?:(\d+)w|w(\d+))$/.exec(item);
    if (nearest !== null) return addNearestWeekday(Number(nearest[1] ?? nearest[2]), field);
    if (item === 'l') {
      field.last = true;
      return null;
    }
  }
  if (item === '*') {
    field.star = true;
    return null;
  }
  const values = parseValues(item, rule);
  if (typeof values === 'string') return values;
  for (const value of values) field.values.add(value);
  return null;
}

function addNthWeekday(each: string | undefined, digits: string, field: CronField): string | null {
  const nth: Nth = each === undefined ? 'last' : Number(digits);
  if (nth !== 'last' && (nth < 1 || nth > 5)) return `#${digits} is not one of #1 to #5`;
  const weekdays = parseValues(each ?? digits, CRON_FIELD_RULES.weekday);
  if (typeof weekdays === 'string') return weekdays;
  for (const weekday of weekdays) {
    field.values.add(weekday);
    field.nth.set(weekday, (field.nth.get(weekday) ?? new Set<Nth>()).add(nth));
  }
  return null;
}

function addNearestWeekday(day: number, field: CronField): string | null {
  const { min, max } = CRON_FIELD_RULES.day;
  if (day < min || day > max) return `${day} is outside ${min}-${max}`;
  field.nearestWeekday = day;
  field.values.add(day);
  return null;
}

/** The values of `5`, `5-10`, `5-10/2`, a star with a step or `5/2`, each checked against the field's bounds; a text says what is wrong. */
function parseValues(item: string, rule: CronFieldRule): readonly number[] | string {
  const written = RANGE_PATTERN.exec(item.replace(/^\*(?=\/.)/, `${rule.min}-${rule.max}`));
  const range = written ?? RANGE_PATTERN.exec(item.replace(/^(.+)\/(.+)$/, `$1-${rule.max}/$2`));
  if (range !== null) return parseRange(range, rule, written === null ? 'start' : 'range');
  if (item === '') return 'empty item in a list';
  const value = parseValue(item, rule);
  return value === null ? unreadable(item) : (outside([value], rule) ?? [value]);
}

/** A `start` such as `59/15` goes from there to the field's greatest value; it may be that value, and then it is the only one. */
function parseRange(match: RegExpExecArray, rule: CronFieldRule, form: 'range' | 'start'): readonly number[] | string {
  const [, from = '', to = '', by = '1'] = match;
  const low = parseValue(from, rule);
  const high = rule === CRON_FIELD_RULES.day && to === 'l' ? rule.max : parseValue(to, rule);
  if (low === null || high === null) return unreadable(low === null ? from : to);
  const step = Number(by);
  if (step === 0) return 'a step of 0 never advances';
  const excess = outside([Math.max(low, high, rule.min)], rule);
  if (excess !== null) return excess;
  const values = low === high && form === 'start' ? [low] : expandRange({ low, high, step }, rule);
  return outside(values, rule) ?? values;
}

function unreadable(text: string): string {
  return `"${text}" is neither a number nor a name of this field`;
}

const RANGE_PATTERN = /^([^-]+)-([^-/]+)(?:\/(\d+))?$/;

function parseValue(text: string, rule: CronFieldRule): number | null {
  const value = /^\d+$/.test(text) ? Number(text) : (rule.names.get(text) ?? null);
  return value === 7 && rule === CRON_FIELD_RULES.weekday ? 0 : value;
}

function outside(values: readonly number[], rule: CronFieldRule): string | null {
  const wrong = values.find((value) => value < rule.min || value > rule.max);
  return wrong === undefined ? null : `${wrong} is outside ${rule.min}-${rule.max}`;
}

/** A range may wrap (`fri-mon`, `22-2`); two equal bounds mean the whole field. */
function expandRange(range: { low: number; high: number; step: number }, rule: CronFieldRule): number[] {
  const { step } = range;
  if (range.low === range.high) return count(rule.min, rule.max, step);
  if (range.low < range.high) return count(range.low, range.high, step);
  const first = count(range.low, rule.max, step);
  const top = first.at(-1) ?? rule.max;
  const left = rule.max - top;
  // croniter's own reckoning of how far the step reaches into the wrapped part, kept as it is.
  const skip = top - rule.min + step > rule.max - rule.min + 1 && left < step ? step - left : 0;
  return [...first, ...count(rule.min + skip, range.high, step)];
}

function count(from: number, to: number, step: number): number[] {
  const values = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}
