// One question to a timetable with Airflow's answer, and what ours says otherwise.
import type { Timetable } from '#contract/dag.ts';
import { nextRun } from '#core/timetable.ts';

/** Epoch ms. The run is [interval start, interval end, run after]; `fails` where Airflow stops at an assertion of its own. */
export type NextRunRow = [
  timetable: Timetable, now: number, last: [start: number, end: number] | null, start: number | null, end: number | null, catchup: boolean, run: [number, number, number] | null | 'fails',
];

/** Null when ours says the same; else one line with which the case is played again. */
export function findNextRunFault([timetable, now, last, start, end, catchup, run]: NextRunRow): string | null {
  const lastRun = last === null ? null : { intervalStart: last[0], intervalEnd: last[1], runAfter: last[1] };
  const found = nextRun(timetable, { now, last: lastRun, start, end, catchup });
  const ours = found === null ? null : [found.intervalStart, found.intervalEnd, found.runAfter];
  // An assertion is no answer to compare with; ours has one, which may be that there is no run (the end date).
  if (run === 'fails') return null;
  if (JSON.stringify(ours) === JSON.stringify(run) && (found?.logicalDate ?? null) === (found?.intervalStart ?? null)) return null;
  return `--case '${JSON.stringify([timetable, now, last, start, end, catchup])}': ours ${JSON.stringify(ours)}, Airflow ${JSON.stringify(run)}`;
}
