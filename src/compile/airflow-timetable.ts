// Airflow's timetables as ours. What the engine does not compute itself is `custom`: it is asked of the class, in the project's environment.
import type { Timetable } from '#contract/dag.ts';
import { type Json, listOf, objectOf, secondsOf, textOf, withoutUndefined, zoneOf } from './airflow-encoding.ts';

const AIRFLOW = 'airflow.timetables.';
/** Timetables of 3.2 whose runs are for a partition. */
const PARTITIONED: ReadonlySet<string> = new Set(['trigger.CronPartitionTimetable', 'simple.PartitionedAssetTimetable']);

const KNOWN: Readonly<Record<string, (data: Json) => Timetable | null>> = {
  'simple.NullTimetable': () => ({ kind: 'none' }),
  'simple.OnceTimetable': () => ({ kind: 'once' }),
  'simple.ContinuousTimetable': () => ({ kind: 'continuous' }),
  'trigger.CronTriggerTimetable': (data) => cron([data['expression']], data),
  'trigger.MultipleCronTriggerTimetable': (data) => cron(listOf(data['expressions']), data),
  'trigger.DeltaTriggerTimetable': (data) => withDelta(data, (seconds) => withoutUndefined({ kind: 'delta' as const, seconds, interval_seconds: positive(data['interval']) })),
  'interval.CronDataIntervalTimetable': (data) => ({ kind: 'cron_interval', expression: String(data['expression']), timezone: zoneOf(data['timezone']) }),
  'interval.DeltaDataIntervalTimetable': (data) => withDelta(data, (seconds) => ({ kind: 'delta_interval', seconds })),
  'events.EventsTimetable': (data) => withoutUndefined({
    kind: 'events' as const, dates: listOf(data['event_dates']).map(String), restrict_to_events: data['restrict_to_events'] === true ? true : undefined, description: textOf(data['description']),
  }),
  'simple.AssetTriggeredTimetable': (data) => ({ kind: 'assets', condition: data['asset_condition'] }),
  'assets.AssetOrTimeSchedule': (data) => ({ kind: 'asset_or_time', condition: data['asset_condition'], timetable: timetableOf(data['timetable']) }),
};

/** The timetable of a serialized DAG. */
export function timetableOf(encoded: unknown): Timetable {
  const { __type: type, __var: held } = objectOf(encoded);
  const name = String(type);
  const data = objectOf(held);
  const short = name.startsWith(AIRFLOW) ? name.slice(AIRFLOW.length) : '';
  // A delta of months or weekdays has no fixed length: Airflow's own class reckons with it.
  return KNOWN[short]?.(data) ?? { kind: 'custom', class: name, data, ...(PARTITIONED.has(short) ? { partitioned: true } : {}) };
}

function cron(expressions: readonly unknown[], data: Json): Timetable {
  const immediately = data['run_immediately'];
  return withoutUndefined({
    kind: 'cron' as const, expressions: expressions.map(String), timezone: zoneOf(data['timezone']), interval_seconds: positive(data['interval']),
    run_immediately: immediately === true || typeof immediately === 'number' ? immediately : undefined,
  });
}

function withDelta(data: Json, make: (seconds: number) => Timetable): Timetable | null {
  const seconds = secondsOf(data['delta']);
  return seconds === undefined ? null : make(seconds);
}

function positive(value: unknown): number | undefined {
  const seconds = secondsOf(value);
  return seconds === undefined || seconds === 0 ? undefined : seconds;
}
