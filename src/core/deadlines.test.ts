// When a run has to be over, by each reference that the Task SDK knows.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deadlineAt, type DeadlineTimes, readDeadline } from './deadlines.ts';

const CALLBACK = { __classname__: 'airflow.sdk.definitions.callback.AsyncCallback', __version__: 0, __data__: { path: 'm.f', kwargs: {} } };
const encoded = (reference: object, interval: unknown = 60): object => ({ reference, interval, callback: CALLBACK });
const TIMES: DeadlineTimes = { now: 5_000_000, queuedAt: 1_000_000, logicalDate: 2_000_000, average: null };

function at(reference: object, times: Partial<DeadlineTimes> = {}): number | null {
  const alert = readDeadline(encoded(reference));
  assert.ok(alert);
  return deadlineAt(alert, { ...TIMES, ...times });
}

describe('a deadline', () => {
  it('counts from when the run was queued, from its logical date, or from a fixed time', () => {
    assert.equal(at({ reference_type: 'DagRunQueuedAtDeadline' }), 1_060_000);
    assert.equal(at({ reference_type: 'DagRunLogicalDateDeadline' }), 2_060_000);
    assert.equal(at({ reference_type: 'DagRunLogicalDateDeadline' }, { logicalDate: null }), null);
    assert.equal(at({ reference_type: 'FixedDatetimeDeadline', datetime: 3000.5 }), 3_060_500);
  });

  it('counts from the average of earlier runs, when these are enough', () => {
    const reference = { reference_type: 'AverageRuntimeDeadline', max_runs: 5, min_runs: 2 };
    assert.equal(at(reference, { average: { runs: 2, seconds: 30 } }), 5_090_000);
    assert.equal(at(reference, { average: { runs: 1, seconds: 30 } }), null);
    assert.equal(at(reference), null);
    assert.deepEqual(readDeadline(encoded({ reference_type: 'AverageRuntimeDeadline', max_runs: 4 }))?.reference, { type: 'AverageRuntimeDeadline', maxRuns: 4, minRuns: 4 });
  });

  it('may lie before its reference, and passes its callback on as it is', () => {
    const alert = readDeadline(encoded({ reference_type: 'DagRunQueuedAtDeadline' }, -30));
    assert.deepEqual([alert?.callback, alert === null ? null : deadlineAt(alert, TIMES)], [CALLBACK, 970_000]);
  });

  it('is none when it refers to a class of the project’s own, or to nothing', () => {
    for (const wrong of [encoded({ reference_type: 'MyDeadline', __class_path: 'm.MyDeadline' }), encoded({}), encoded({ reference_type: 'FixedDatetimeDeadline' }), encoded({ reference_type: 'DagRunQueuedAtDeadline' }, '60'), null, 1]) assert.equal(readDeadline(wrong), null);
  });
});
