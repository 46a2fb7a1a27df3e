// Records of either kind become the same reports; what is neither is refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseOutcome } from './parse-outcome.ts';

const id = '019a1b2c-3d4e-7f60-8123-456789abcdef';
const at = '2026-01-01T00:00:00Z';

describe('outcomes left behind', () => {
  test('a report of our own', () => {
    assert.equal(parseOutcome({ execution_id: id, outcome: 'success', started_at: at, ended_at: at }).outcome, 'success');
  });

  test('a state of the Task SDK, its arguments as they were written', () => {
    const state = '{"state":"deferred","classpath":"a.B","trigger_kwargs":{"n":5.0},"trigger_timeout":null,"queue":null,"next_method":"go","next_kwargs":{}}';
    const report = parseOutcome({ execution_id: id, at, state_update: state });
    assert.deepEqual([report.execution_id, report.outcome, report.deferral?.kwargs], [id, 'deferred', '{"n":5.0}']);
    assert.deepEqual(parseOutcome({ execution_id: id, at, state_update: '{"state":"failed","end_date":"2026-01-01T00:00:01Z"}' }).no_retry, true);
  });

  test('an end with what its supervisor knew of it', () => {
    const state_update = '{"state":"failed","end_date":"2026-01-01T00:00:01Z"}';
    assert.equal(parseOutcome({ execution_id: id, at, state_update, ending: '{"process":{"status":7,"signal":null,"oom":false}}' }).without_callbacks, true);
    assert.equal(parseOutcome({ execution_id: id, at, state_update, ending: '{' }).error, undefined);
  });

  test('what is neither is refused', () => {
    for (const record of [null, {}, { execution_id: id, at, state_update: '{"state":"queued"}' }, { execution_id: 'x', at, state_update: '{"state":"success","end_date":"2026-01-01T00:00:01Z"}' }]) assert.throws(() => parseOutcome(record));
  });
});
