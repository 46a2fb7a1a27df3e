// Timetables against the answers recorded from Airflow's own classes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Timetable } from '#contract/dag.ts';
import type { RunType } from '#contract/states.ts';
import { findNextRunFault, type NextRunRow } from '../../test/oracle/next-run-rows.ts';
import { describeTimetable, findTimetableFault, listRuns, makeRunId, manualInterval, nextRun, type RunInfo } from './timetable.ts';

type Times = [intervalStart: number, intervalEnd: number, runAfter: number];
type NextRow = [
  timetable: number, now: number, last: [start: number, end: number] | null, start: number | null, end: number | null, catchup: boolean, run: Times | null,
];
interface Recorded {
  timetables: Timetable[];
  manual: [timetable: number, at: number, interval: [number, number] | null][];
  between: [timetable: number, from: number, to: number, runs: Times[]][];
  texts: [timetable: number, summary: string, description: string][];
  runIds: [runType: RunType, at: number, id: string][];
  rows: NextRow[];
}
const recorded = JSON.parse(readFileSync(new URL('../../test/oracle/timetables.json', import.meta.url), 'utf8')) as Recorded;

function get(number: number): Timetable {
  const timetable = recorded.timetables[number];
  assert(timetable !== undefined);
  return timetable;
}

function times(run: RunInfo | null): (number | null)[] | null {
  if (run !== null) assert.equal(run.logicalDate, run.intervalStart);
  return run === null ? null : [run.intervalStart, run.intervalEnd, run.runAfter];
}

describe('timetables against Airflow', () => {
  for (const [number, timetable] of recorded.timetables.entries()) {
    it(`next runs of ${JSON.stringify(timetable)}`, () => {
      const rows = recorded.rows.filter((row) => row[0] === number);
      assert(rows.length > 40);
      for (const [, now, last, start, end, catchup, run] of rows) {
        const lastRun = last === null ? null : { intervalStart: last[0], intervalEnd: last[1], runAfter: last[1] };
        const query = { now, last: lastRun, start, end, catchup };
        assert.deepEqual(times(nextRun(timetable, query)), run, JSON.stringify(query));
      }
    });
  }

  it('next runs of random timetables in all zones', () => {
    const { rows } = JSON.parse(readFileSync(new URL('../../test/oracle/random-timetables.json', import.meta.url), 'utf8')) as { rows: NextRunRow[] };
    assert(rows.length >= 5000 && rows.some((row) => row[6] === 'fails'));
    assert.deepEqual(rows.map(findNextRunFault).filter((fault) => fault !== null), []);
  });

  it('manual intervals', () => {
    assert(recorded.manual.length > 80);
    for (const [number, at, interval] of recorded.manual) {
      const ours = manualInterval(get(number), at);
      assert.deepEqual(ours === null ? null : [ours.start, ours.end], interval, `${JSON.stringify(get(number))} at ${at}`);
    }
  });

  it('runs between two dates', () => {
    assert(recorded.between.some(([, , , runs]) => runs.length === 6));
    for (const [number, from, to, runs] of recorded.between) {
      assert.deepEqual(listRuns(get(number), { from, to, limit: 6 }).map(times), runs, JSON.stringify(get(number)));
    }
  });

  it('texts, but for the words that Airflow makes of a cron', () => {
    for (const [number, summary, description] of recorded.texts) {
      const timetable = get(number);
      const ours = describeTimetable(timetable);
      const inner = timetable.kind === 'asset_or_time' ? timetable.timetable : timetable;
      const worded = inner.kind === 'cron' || inner.kind === 'cron_interval';
      assert.equal(ours.summary, summary);
      if (!worded) assert.equal(ours.description, description);
    }
  });

  it('run ids', () => {
    for (const [runType, at, id] of recorded.runIds) {
      assert.equal(makeRunId({ runType, runAfter: at, logicalDate: at, suffix: 'unused' }), id);
    }
  });
});

describe('timetable', () => {
  it('appends the suffix to the id of a run without a logical date', () => {
    const id = makeRunId({ runType: 'asset_triggered', runAfter: Date.UTC(2026, 0, 1), logicalDate: null, suffix: 'Ab3dE6gh' });
    assert.equal(id, 'asset_triggered__2026-01-01T00:00:00+00:00_Ab3dE6gh');
  });

  it('lists no more than asked and stops where time stands still', () => {
    const everyMinute: Timetable = { kind: 'cron', expressions: ['* * * * *'], timezone: 'UTC' };
    assert.equal(listRuns(everyMinute, { from: 0, to: 1e12, limit: 3 }).length, 3);
    assert.equal(listRuns({ kind: 'continuous' }, { from: 0, to: 1e12, limit: 100 }).length, 1);
    assert.equal(listRuns({ kind: 'once' }, { from: 0, to: 1e12, limit: 100 }).length, 1);
    assert.deepEqual(listRuns({ kind: 'none' }, { from: 0, to: 1e12, limit: 100 }), []);
  });

  it('leaves custom timetables to the user\'s Python', () => {
    const custom: Timetable = { kind: 'custom', class: 'plugin.calendar.Workdays', data: {} };
    assert.equal(nextRun(custom, { now: 0, last: null, start: 0, end: null, catchup: true }), null);
    assert.equal(manualInterval(custom, 0), null);
    assert.deepEqual(describeTimetable(custom), { summary: 'Workdays', description: '' });
    assert.equal(findTimetableFault(custom), null);
  });

  it('finds a schedule with years that has no past yet, and its end', () => {
    const once: Timetable = { kind: 'cron', expressions: ['0 0 1 1 * 0 2030'], timezone: 'UTC' };
    const query = { now: Date.UTC(2026, 0, 1), last: null, start: null, end: null, catchup: false };
    const due = Date.UTC(2030, 0, 1);
    assert.equal(nextRun(once, query)?.runAfter, due);
    assert.equal(nextRun(once, { ...query, now: due + 5, last: { intervalStart: due, intervalEnd: due, runAfter: due } }), null);
  });

  it('takes a run without an interval for none', () => {
    const daily: Timetable = { kind: 'cron', expressions: ['0 0 * * *'], timezone: 'UTC' };
    const query = { now: 86_400_000 * 2.5, start: 0, end: null, catchup: true };
    const last = { intervalStart: null, intervalEnd: null, runAfter: 5 };
    assert.deepEqual(nextRun(daily, { ...query, last }), nextRun(daily, { ...query, last: null }));
  });

  it('says what is wrong with a timetable', () => {
    const faults = (
      [
        { kind: 'cron', expressions: ['0 0 * * *', '61 * * * *'], timezone: 'UTC' },
        { kind: 'cron', expressions: ['0 0 * * *'], timezone: 'Mars/Base' },
        { kind: 'cron_interval', expression: 'x', timezone: 'UTC' },
        { kind: 'events', dates: ['2026-01-01T00:00:00Z', 'soon'] },
        { kind: 'asset_or_time', condition: {}, timetable: { kind: 'assets', condition: {} } },
        { kind: 'asset_or_time', condition: {}, timetable: { kind: 'cron', expressions: ['0 0 32 * *'], timezone: 'UTC' } },
        { kind: 'delta', seconds: 5 },
        { kind: 'cron', expressions: ['@daily'], timezone: '+01:00' },
      ] as const
    ).map((timetable) => findTimetableFault(structuredClone(timetable) as Timetable));
    assert.deepEqual(faults, [
      'minute "61": 61 is outside 0-59', '"Mars/Base" is not a time zone', 'a cron expression has 5 to 7 fields, not 1', '"soon" is not a date',
      'cannot nest asset timetables', 'day of month "32": 32 is outside 1-31', null, null,
    ]);
    assert.throws(() => nextRun({ kind: 'cron', expressions: ['x'], timezone: 'UTC' }, { now: 0, last: null, start: 0, end: null, catchup: true }), /unchecked/);
  });

  it('tells its own text of events from the user\'s', () => {
    const dates = ['2026-05-01T12:00:00+02:00', '2026-01-01T00:00:00+00:00'];
    const made = '2 events between 2026-01-01T00:00:00+00:00 and 2026-05-01T12:00:00+02:00';
    assert.deepEqual(describeTimetable({ kind: 'events', dates, description: made }), { summary: '2 events', description: made });
    assert.deepEqual(describeTimetable({ kind: 'events', dates, description: 'Cup' }), { summary: 'Cup', description: 'Cup' });
  });
});
