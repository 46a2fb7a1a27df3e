// When runs are due: pure answers for every timetable of dag.json, the same as Airflow's own timetable classes give.
import type { Timetable } from '#contract/dag.ts';
import type { RunType } from '#contract/states.ts';
import { type Cron, fireAtOrAfter, fireBefore, nextFire, parseCron, previousFire } from './cron.ts';
import { isZone } from './zone.ts';

/** One run to be created; times are epoch ms. Runs of these timetables always have a data interval; others may not. */
export interface RunInfo {
  readonly logicalDate: number | null;
  readonly intervalStart: number | null;
  readonly intervalEnd: number | null;
  /** The run does not start before. */
  readonly runAfter: number;
  /** The partition that it is for, where the timetable names one. */
  readonly partitionKey?: string;
}

/** What bounds the next run; times are epoch ms. */
export interface NextRunQuery {
  readonly now: number;
  /** The newest scheduled or backfilled run; manual runs do not count. */
  readonly last: Pick<RunInfo, 'intervalStart' | 'intervalEnd' | 'runAfter'> | null;
  /** The DAG's start and end date, both inclusive. */
  readonly start: number | null;
  readonly end: number | null;
  readonly catchup: boolean;
}

type Kind<K extends Timetable['kind']> = Extract<Timetable, { kind: K }>;

/**
 * The next run by time, or null when there is none: asset timetables, a date after `end`, a cron date that never comes. Null also for
 * `custom`, which only the user's Python can answer. Throws on a timetable that `findTimetableFault` refuses.
 * Source: `next_dagrun_info` of each class in `airflow.timetables`, 3.2.1.
 */
export function nextRun(timetable: Timetable, query: NextRunQuery): RunInfo | null {
  switch (timetable.kind) {
    case 'once':
      return query.last === null ? atOrNull(query.start ?? query.now, query.end) : null;
    case 'continuous':
      return nextContinuous(query);
    case 'cron':
      return nextOfCrons(timetable, query);
    case 'delta':
      return nextTriggered({ steps: deltaSteps(timetable.seconds), intervalSeconds: timetable.interval_seconds ?? 0, firstRun: () => query.now }, query);
    case 'cron_interval':
      return nextInterval(cronSteps(timetable.expression, timetable.timezone), query);
    case 'delta_interval':
      return nextInterval(deltaSteps(timetable.seconds), query);
    case 'events':
      return nextEvent(timetable, query);
    case 'asset_or_time':
      return nextRun(timetable.timetable, query);
    case 'none':
    case 'assets':
    case 'custom':
      return null;
  }
}

/**
 * The data interval (epoch ms) of a run that a person gives a logical date; null for `custom` and for a cron date that never comes.
 * Source: `infer_manual_data_interval`.
 */
export function manualInterval(timetable: Timetable, logicalDateMs: number): { start: number; end: number } | null {
  switch (timetable.kind) {
    case 'cron':
    case 'delta':
      return { start: logicalDateMs - toMs(timetable.interval_seconds ?? 0), end: logicalDateMs };
    case 'cron_interval':
      return lastCompleteInterval(cronSteps(timetable.expression, timetable.timezone), logicalDateMs);
    case 'delta_interval':
      return { start: logicalDateMs - toMs(timetable.seconds), end: logicalDateMs };
    case 'events': {
      const at = manualEvent(timetable, logicalDateMs);
      return { start: at, end: at };
    }
    case 'asset_or_time':
      return manualInterval(timetable.timetable, logicalDateMs);
    case 'none':
    case 'once':
    case 'continuous':
    case 'assets':
      return { start: logicalDateMs, end: logicalDateMs };
    case 'custom':
      return null;
  }
}

/** The runs that the timetable has from `from` to `to` (epoch ms, inclusive), oldest first, at most `limit`: what a backfill creates. */
export function listRuns(timetable: Timetable, range: { from: number; to: number; limit: number }): RunInfo[] {
  const runs: RunInfo[] = [];
  let last: RunInfo | null = null;
  while (runs.length < range.limit) {
    const run: RunInfo | null = nextRun(timetable, { now: range.from, last, start: range.from, end: range.to, catchup: true });
    // A continuous timetable has no second date without a clock that goes on.
    if (run === null || (last !== null && run.runAfter <= last.runAfter)) break;
    runs.push(run);
    last = run;
  }
  return runs;
}

/** What is wrong with a timetable that has the right shape, or null: an expression, a zone, or a date that cannot be read. */
export function findTimetableFault(timetable: Timetable): string | null {
  switch (timetable.kind) {
    case 'cron':
      return findZoneFault(timetable.timezone) ?? timetable.expressions.map(findCronFault).find((fault) => fault !== null) ?? null;
    case 'cron_interval':
      return findZoneFault(timetable.timezone) ?? findCronFault(timetable.expression);
    case 'events': {
      const wrong = timetable.dates.find((date) => Number.isNaN(Date.parse(date)));
      return wrong === undefined ? null : `"${wrong}" is not a date`;
    }
    case 'asset_or_time':
      return timetable.timetable.kind === 'assets' ? 'cannot nest asset timetables' : findTimetableFault(timetable.timetable);
    default:
      return null;
  }
}

function findCronFault(expression: string): string | null {
  const parsed = parseCron(expression);
  return parsed.kind === 'ok' ? null : parsed.message;
}

function findZoneFault(zone: string): string | null {
  return isZone(zone) ? null : `"${zone}" is not a time zone`;
}

/** A run id in Airflow's form: `manual__2026-01-01T00:00:00+00:00`, and `_suffix` after that when the run has no logical date. */
export function makeRunId(run: { runType: RunType; runAfter: number; logicalDate: number | null; suffix: string }): string {
  const id = `${run.runType}__${renderIsoDate(run.runAfter)}`;
  return run.logicalDate === null ? `${id}_${run.suffix}` : id;
}

/** Epoch ms as Python's `isoformat` writes it in UTC: microseconds only when there are any. */
export function renderIsoDate(epochMs: number): string {
  const iso = new Date(epochMs).toISOString();
  const fraction = iso.slice(19, -1);
  return `${iso.slice(0, 19)}${fraction === '.000' ? '' : `${fraction}000`}+00:00`;
}

/**
 * The two texts by which pages and the API show a timetable: `summary` is the short one (`0 3 * * *`, `1 day, 0:00:00`, `None`). A cron
 * has no description here: Airflow makes words of it ("At 03:00"). Source: the properties of those names in `airflow.timetables`.
 */
export function describeTimetable(timetable: Timetable): { summary: string; description: string } {
  switch (timetable.kind) {
    case 'none':
      return { summary: 'None', description: 'Never, external triggers only' };
    case 'once':
      return { summary: '@once', description: 'Once, as soon as possible' };
    case 'continuous':
      return { summary: '@continuous', description: 'As frequently as possible, but only one run at a time.' };
    case 'assets':
      return { summary: 'Asset', description: 'Triggered by assets' };
    case 'cron':
      return { summary: timetable.expressions.map(renderCron).join(', '), description: '' };
    case 'cron_interval':
      return { summary: renderCron(timetable.expression), description: '' };
    case 'delta':
    case 'delta_interval':
      return { summary: renderDuration(timetable.seconds), description: '' };
    case 'events':
      return describeEvents(timetable.dates, timetable.description);
    case 'asset_or_time': {
      const inner = describeTimetable(timetable.timetable);
      return { summary: `Asset or ${inner.summary}`, description: `Triggered by assets or ${inner.description}` };
    }
    case 'custom':
      return { summary: timetable.class.slice(timetable.class.lastIndexOf('.') + 1), description: '' };
  }
}

const exact = (at: number): RunInfo => ({ logicalDate: at, intervalStart: at, intervalEnd: at, runAfter: at });
const over = (start: number, end: number): RunInfo => ({ logicalDate: start, intervalStart: start, intervalEnd: end, runAfter: end });
const toMs = (seconds: number): number => Math.round(seconds * 1000);

function atOrNull(at: number, end: number | null): RunInfo | null {
  return end !== null && at > end ? null : exact(at);
}

/** How a schedule moves along the time line; each answer is epoch ms, or null when there is no such date. */
interface Steps {
  readonly after: (at: number) => number | null;
  readonly before: (at: number) => number | null;
  /** The nearest scheduled time at or after, and at or before. A delta has no grid: it takes the time as it is. */
  readonly alignUp: (at: number) => number | null;
  readonly alignDown: (at: number) => number | null;
  /** Length of a delta; null for a cron. */
  readonly deltaMs: number | null;
}

function cronSteps(expression: string, zone: string): Steps {
  const cron = readCron(expression);
  return {
    after: (at) => nextFire(cron, zone, at),
    before: (at) => fireBefore(cron, zone, at),
    alignUp: (at) => fireAtOrAfter(cron, zone, at),
    alignDown: (at) => previousFire(cron, zone, at),
    deltaMs: null,
  };
}

function deltaSteps(seconds: number): Steps {
  const deltaMs = toMs(seconds);
  return { after: (at) => at + deltaMs, before: (at) => at - deltaMs, alignUp: (at) => at, alignDown: (at) => at, deltaMs };
}

const MAX_KNOWN_CRONS = 4096;
const knownCrons = new Map<string, Cron>();

function readCron(expression: string): Cron {
  const known = knownCrons.get(expression);
  if (known !== undefined) return known;
  const fresh = parseCron(expression);
  if (fresh.kind === 'invalid') throw new Error(`an unchecked cron expression reached the planner: ${fresh.message}`);
  if (knownCrons.size >= MAX_KNOWN_CRONS) knownCrons.clear();
  knownCrons.set(expression, fresh.cron);
  return fresh.cron;
}

function nextContinuous({ now, last, start, end }: NextRunQuery): RunInfo | null {
  const first = start ?? now;
  let run = over(first, Math.max(first, now));
  if (last !== null && last.intervalEnd !== null) {
    const elapsed = last.intervalEnd - (last.intervalStart ?? last.intervalEnd);
    run = last.intervalEnd > now ? over(first, first + elapsed) : over(last.intervalEnd, now);
  }
  return end !== null && run.runAfter > end ? null : run;
}

/** Without catch-up the newest run that is due counts, and when none is, the soonest; with catch-up the oldest. */
function nextOfCrons(timetable: Kind<'cron'>, query: NextRunQuery): RunInfo | null {
  let best: RunInfo | null = null;
  let bestRank = Infinity;
  for (const expression of timetable.expressions) {
    const steps = cronSteps(expression, timetable.timezone);
    const firstRun = (): number | null => firstCronRun(steps, timetable.run_immediately ?? false, query.now);
    const run = nextTriggered({ steps, intervalSeconds: timetable.interval_seconds ?? 0, firstRun }, query);
    const date = run?.logicalDate ?? Infinity;
    const rank = !query.catchup && date <= query.now ? -date : date;
    if (run !== null && rank < bestRank) [best, bestRank] = [run, rank];
  }
  return best;
}

function lastCompleteInterval(steps: Steps, at: number): { start: number; end: number } | null {
  const end = steps.alignDown(at);
  const start = end === null ? null : steps.before(end);
  return start === null || end === null ? null : { start, end };
}

interface Trigger {
  readonly steps: Steps;
  readonly intervalSeconds: number;
  /** When to run first if no start date says so. */
  readonly firstRun: () => number | null;
}

function nextTriggered({ steps, intervalSeconds, firstRun }: Trigger, query: NextRunQuery): RunInfo | null {
  const { now, start, end, catchup } = query;
  const lastEnd = query.last?.intervalEnd ?? null;
  const due: (number | null)[] = [];
  if (lastEnd !== null) due.push(steps.after(lastEnd));
  else if (start === null) due.push(firstRun());
  if (start !== null && (lastEnd === null || !catchup)) due.push(steps.alignUp(start));
  // A schedule with years may have no past.
  if (!catchup) due.push(steps.alignDown(now) ?? -Infinity);
  const found = due.filter((at) => at !== null);
  if (found.length < due.length) return null;
  const at = Math.max(...found);
  return end !== null && at > end ? null : over(at - toMs(intervalSeconds), at);
}

/** `true`: the newest past fire; seconds: that one if it is no older; otherwise if it is within a tenth of the gap, at least 5 minutes. */
function firstCronRun(steps: Steps, runImmediately: boolean | number, now: number): number | null {
  const past = steps.alignDown(now);
  const next = steps.alignUp(now);
  if (past === null || next === null || runImmediately === true) return past ?? next;
  const bufferMs = typeof runImmediately === 'number' ? toMs(runImmediately) : Math.max((next - past) / 10, 300_000);
  return now - past <= bufferMs ? past : next;
}

function nextInterval(steps: Steps, query: NextRunQuery): RunInfo | null {
  const { start, end, catchup } = query;
  const earliest = catchup ? (start === null ? null : steps.alignUp(start)) : skipToLatest(steps, query);
  const lastEnd = query.last?.intervalEnd ?? null;
  const resumed = lastEnd === null ? null : steps.alignDown(lastEnd);
  if ((earliest === null && resumed === null) || (start !== null && earliest === null)) return null;
  const from = Math.max(earliest ?? -Infinity, resumed ?? -Infinity);
  if (end !== null && from > end) return null;
  const to = steps.after(from);
  return to === null ? null : over(from, to);
}

/** Without catch-up: the start of the newest interval that is complete, unless the start date is later. */
function skipToLatest(steps: Steps, { now, start }: NextRunQuery): number | null {
  const first = start === null ? null : steps.alignUp(start);
  const newest = steps.deltaMs === null ? newestComplete(steps, now) : now - (now % steps.deltaMs) - steps.deltaMs;
  if (newest === null || first === null) return start === null ? newest : first;
  return Math.max(newest, first);
}

function newestComplete(steps: Steps, now: number): number | null {
  const start = steps.before(now);
  const end = start === null ? null : steps.after(start);
  return start !== null && end !== null && end > now ? steps.before(start) : start;
}

function nextEvent(timetable: Kind<'events'>, { now, last, start, end, catchup }: NextRunQuery): RunInfo | null {
  const earliest = catchup ? (start ?? -Infinity) : Math.max(start ?? now, now);
  const lastEnd = last?.intervalEnd ?? -Infinity;
  const at = eventDates(timetable).find((date) => date >= earliest && date > lastEnd);
  return at === undefined ? null : atOrNull(at, end);
}

/** Restricted to its events, a manual run is for the newest past one, or for the first of all. */
function manualEvent(timetable: Kind<'events'>, at: number): number {
  if (timetable.restrict_to_events !== true) return at;
  const dates = eventDates(timetable);
  return dates.findLast((date) => date <= at) ?? dates[0] ?? at;
}

function eventDates(timetable: Kind<'events'>): number[] {
  return timetable.dates.map((date) => Date.parse(date)).sort((a, b) => a - b);
}

function renderCron(expression: string): string {
  const parsed = parseCron(expression);
  return parsed.kind === 'ok' ? parsed.cron.text : expression;
}

/** Airflow stores the text it made itself as if the user had written it, so that text counts as none. */
function describeEvents(dates: readonly string[], description: string | undefined): { summary: string; description: string } {
  const sorted = dates.toSorted((a, b) => Date.parse(a) - Date.parse(b));
  const made = sorted.length === 0 ? 'No events' : `${sorted.length} events between ${sorted[0]} and ${sorted.at(-1)}`;
  if (description !== undefined && description !== made) return { summary: description, description };
  return { summary: `${sorted.length} events`, description: made };
}

/** A length of time as Python writes a timedelta: `1 day, 1:00:00.500000`. */
function renderDuration(seconds: number): string {
  const micros = Math.round(seconds * 1e6);
  const whole = Math.floor(micros / 1e6);
  const days = Math.floor(whole / 86_400);
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = `${Math.floor(whole / 3600) % 24}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  const fraction = micros % 1e6 === 0 ? '' : `.${String(micros % 1e6).padStart(6, '0')}`;
  return `${days === 0 ? '' : `${days} day${days === 1 ? '' : 's'}, `}${time}${fraction}`;
}
