// The six state payloads and the reports that they become.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { HttpProblem } from '../problems.ts';
import { readValue } from '../validate.ts';
import { reportOfState } from './report-of-state.ts';
import { TIStateUpdate } from './request-models.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const END = '2026-01-01T00:00:59Z';

function report(body: string): Omit<ExecutionReport, 'execution_id' | 'started_at'> {
  const read = readValue(TIStateUpdate, JSON.parse(body), ['body']);
  if (read.problems.length > 0) throw new HttpProblem(422, read.problems);
  const { execution_id: id, started_at: started, ...rest } = reportOfState(read.value as TIStateUpdate, {
    executionId: 'e' as ExecutionId, startedAt: '2026-01-01T00:00:00.000Z', nowMs: NOW, bodyText: body, assetOf: ({ name, uri }) => (name === 'known' ? { name, uri: 's3://known' } : uri === 's3://seen' ? { name: 'seen', uri } : null),
  });
  assert.deepEqual([id, started], ['e', '2026-01-01T00:00:00.000Z']);
  return rest;
}

test('ends go on as they are, a failure that is retried is told from one that is not', () => {
  assert.deepEqual(report(`{"state":"success","end_date":"${END}"}`), { ended_at: END, outcome: 'success' });
  assert.deepEqual(report(`{"state":"failed","end_date":"${END}","rendered_map_index":"a b"}`), { ended_at: END, outcome: 'failed', no_retry: true, rendered_map_index: 'a b' });
  assert.deepEqual(report(`{"state":"up_for_retry","end_date":"${END}","rendered_map_index":null}`), { ended_at: END, outcome: 'failed' });
  for (const state of ['skipped', 'removed', 'upstream_failed'] as const) assert.deepEqual(report(`{"state":"${state}","end_date":"${END}"}`), { ended_at: END, outcome: state });
});

test('a reschedule is seconds from now, never negative', () => {
  assert.deepEqual(report(`{"state":"up_for_reschedule","end_date":"${END}","reschedule_date":"2026-01-01T00:02:30.5+00:00"}`), { ended_at: END, outcome: 'up_for_reschedule', reschedule_in_seconds: 90.5 });
  assert.equal(report(`{"state":"up_for_reschedule","end_date":"${END}","reschedule_date":"2025-01-01T00:00:00Z"}`).reschedule_in_seconds, 0);
});

test('a deferral carries its arguments as they came', () => {
  const body = '{"state":"deferred","classpath":"a.B","trigger_kwargs":{"poll":5.0,"at":{"__classname__":"x","__data__":12345678901234567890}},"trigger_timeout":"P1DT1.5S","queue":null,"next_method":"done","next_kwargs":{"n":1.0}}';
  assert.deepEqual(report(body), {
    ended_at: '2026-01-01T00:01:00.000Z', outcome: 'deferred',
    deferral: { classpath: 'a.B', kwargs: '{"poll":5.0,"at":{"__classname__":"x","__data__":12345678901234567890}}', timeout_seconds: 86_401.5, next_method: 'done', next_kwargs: '{"n":1.0}', queue: null },
  });
  assert.deepEqual(report('{"state":"deferred","classpath":"a.B","trigger_kwargs":"gAAAAA","next_method":"m"}').deferral, { classpath: 'a.B', kwargs: '"gAAAAA"', timeout_seconds: null, next_method: 'm', next_kwargs: '{}', queue: null });
});

test('outlets become events, with what the task said of them', () => {
  const outlets = '[{"name":"a","uri":"s3://a","type":"Asset"},{"name":"a","uri":"s3://a","type":"Asset"},{"name":"b","uri":"s3://b","type":"Asset"},{"name":"al","type":"AssetAlias"},{"name":"known","type":"AssetNameRef"},{"uri":"s3://seen","type":"AssetUriRef"},{"name":"unknown","type":"AssetNameRef"}]';
  const events = '[{"dest_asset_key":{"name":"a","uri":"s3://a"},"extra":{"rows":1}},{"dest_asset_key":{"name":"a","uri":"s3://a"},"extra":{"rows":2}},{"dest_asset_key":{"name":"dyn","uri":"s3://dyn"},"extra":{"r":1},"dest_asset_extra":{"k":1},"source_alias_name":"al"},{"dest_asset_key":{"name":"dyn","uri":"s3://dyn"},"extra":{},"source_alias_name":"not an outlet"},{"extra":{}}]';
  assert.deepEqual(report(`{"state":"success","end_date":"${END}","task_outlets":${outlets},"outlet_events":${events}}`).asset_events, [
    { name: 'a', uri: 's3://a', extra: { rows: 2 } }, { name: 'b', uri: 's3://b', extra: {} }, { name: 'known', uri: 's3://known', extra: {} }, { name: 'seen', uri: 's3://seen', extra: {} },
    { name: 'dyn', uri: 's3://dyn', extra: { r: 1 }, alias: 'al', asset_extra: { k: 1 } },
  ]);
});

test('states that are no end are refused, and so is what no payload knows', () => {
  const refused = ['{}', '{"state":"queued"}', '{"state":"scheduled"}', '{"state":"restarting"}', '{"state":"running"}', '{"state":"deferred"}', `{"state":"failed","end_date":"${END}","x":1}`, '{"state":"success"}', `{"state":"success","end_date":"2026-01-01T00:00:00"}`, '[]'];
  for (const body of refused) assert.throws(() => report(body), HttpProblem, body);
  const [first] = readValue(TIStateUpdate, { state: 'banana', end_date: END }, ['body']).problems;
  assert.deepEqual(first, { type: 'enum', loc: ['body', '_terminal_', 'state'], msg: "Input should be 'failed', 'skipped', 'removed' or 'upstream_failed'", input: 'banana', ctx: { expected: "'failed', 'skipped', 'removed' or 'upstream_failed'" } });
});
