// Trace ids: the same for every leader, and of the form that others read.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionId, RunUuid } from '#contract/ids.ts';
import { spanIdOf, traceIdOf, traceparentOf } from './trace-ids.ts';

const RUN = '019a0f2c-7b1e-7c3d-8e4f-0123456789ab' as RunUuid;
const EXECUTION = '019a0f2c-7b20-7aaa-9bbb-ba9876543210' as ExecutionId;

test('a trace is named like its run, a span by kind and id', () => {
  assert.equal(traceIdOf(RUN), '019a0f2c7b1e7c3d8e4f0123456789ab');
  assert.match(spanIdOf('execution', EXECUTION), /^[0-9a-f]{16}$/);
  assert.equal(spanIdOf('execution', EXECUTION), spanIdOf('execution', EXECUTION));
  const kinds = ['run', 'try', 'execution', 'launch', 'user code', 'record'] as const;
  assert.equal(new Set(kinds.map((kind) => spanIdOf(kind, EXECUTION))).size, kinds.length);
});

test('user code goes on below its own span', () => {
  assert.equal(traceparentOf(RUN, EXECUTION), `00-${traceIdOf(RUN)}-${spanIdOf('user code', EXECUTION)}-01`);
});
