// Which timetables are decided here, what the others are asked, and what their answers mean.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { VersionCall } from '#contract/attempt.ts';
import type { Timetable } from '#contract/dag.ts';
import type { VersionId } from '#contract/ids.ts';
import { dagOf, task } from '../../test/support/rows.ts';
import { createFindNextRun, customPart } from './ask-timetable.ts';

const DAY = 86_400_000;
const id = '019a1b2c-3d4e-7f60-8123-456789abcdef' as VersionId;
const custom: Timetable = { kind: 'custom', class: 'plugins.workday.AfterWorkday', data: { holiday: 1 } };
const query = { now: 5 * DAY, last: { intervalStart: 3 * DAY, intervalEnd: 4 * DAY, runAfter: 4 * DAY }, start: DAY, end: null, catchup: true };

/** A project that answers so; what it was asked is kept. */
function project(answer: unknown): { asked: unknown[]; call: (version: VersionId, call: VersionCall) => Promise<string> } {
  const asked: unknown[] = [];
  return { asked, call: (_, call) => Promise.resolve(void asked.push(JSON.parse(call.body))).then(() => JSON.stringify(answer)) };
}

describe('asking a timetable', () => {
  test('only a custom one is asked, also inside asset_or_time', () => {
    assert.equal(customPart(custom), custom);
    assert.equal(customPart({ kind: 'asset_or_time', condition: {}, timetable: custom }), custom);
    assert.equal(customPart({ kind: 'once' }), null);
  });

  test('a timetable of our own is decided here', async () => {
    const { asked, call } = project(null);
    const next = await createFindNextRun({ call })({ id, dag: dagOf('d', [task('a')], { timetable: { kind: 'delta_interval', seconds: 86_400 } }) }, query);
    assert.deepEqual([next?.intervalStart, asked], [4 * DAY, []]);
  });

  test('the question carries the last run and the bounds, the answer becomes the run', async () => {
    const { asked, call } = project({ info: { run_after: '1970-01-06T00:00:00+00:00', data_interval: { start: '1970-01-05T00:00:00+00:00', end: '1970-01-06T00:00:00+00:00' }, logical_date: '1970-01-05T00:00:00+00:00', partition_key: null } });
    const next = await createFindNextRun({ call })({ id, dag: dagOf('d', [task('a')], { timetable: custom }) }, query);
    assert.deepEqual(next, { runAfter: 5 * DAY, logicalDate: 4 * DAY, intervalStart: 4 * DAY, intervalEnd: 5 * DAY });
    assert.deepEqual(asked, [{
      ask: 'next_dagrun_info', timetable: { __type: 'plugins.workday.AfterWorkday', __var: { holiday: 1 } },
      last: { run_after: '1970-01-05T00:00:00.000Z', data_interval: { start: '1970-01-04T00:00:00.000Z', end: '1970-01-05T00:00:00.000Z' }, logical_date: '1970-01-04T00:00:00.000Z', partition_key: null, partition_date: null },
      restriction: { earliest: '1970-01-02T00:00:00.000Z', latest: null, catchup: true },
    }]);
  });

  test('no further run is null, a failure of the project is told as its own', async () => {
    const dag = dagOf('d', [task('a')], { timetable: custom });
    assert.equal(await createFindNextRun(project({ info: null }))({ id, dag }, { ...query, last: null }), null);
    await assert.rejects(createFindNextRun(project({ error: { type: 'ZeroDivisionError', message: 'division by zero', traceback: '…' } }))({ id, dag }, query), /AfterWorkday of d: ZeroDivisionError/);
  });
});
