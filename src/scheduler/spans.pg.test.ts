// What is told for traces: each end once, after its commit, whoever brought it about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndedSpan } from '#contract/spans.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const wordsOf = (span: EndedSpan): string => (span.kind === 'try' ? `try ${span.taskId} ${span.tryNumber} ${span.state}` : `${span.kind} ${span.state}`);
const told = (engine: EngineUnderTest): string[] => engine.spans.map(wordsOf);
const SOON = { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 };

test('a try has all its executions below it, a retry is a try of its own, and parts lie within', async () => {
  await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0 })])], SOON);
  const run = await engine.trigger('d');
  const lost = await engine.job('a');
  engine.executor.kill(lost);
  await engine.finish('a', { outcome: 'failed' }, 2);
  await engine.finish('a', {}, 3);
  await engine.untilRun(run, 'success');
  assert.deepEqual(told(engine), ['execution lost', 'execution failed', 'try a 1 up_for_retry', 'execution success', 'try a 2 success', 'run success']);
  const [first, second, , , , root] = engine.spans;
  assert.ok(first?.kind === 'execution' && second?.kind === 'execution' && root !== undefined);
  assert.deepEqual([first.attemptId === second.attemptId, first.executionId, first.userCode, first.reportedMs], [true, lost.execution_id, null, null]);
  assert.ok(second.userCode !== null && second.reportedMs !== null && second.reportedMs <= second.endMs);
  for (const span of engine.spans) assert.ok(span.run === run && span.startMs <= span.endMs && span.startMs >= root.startMs && span.endMs <= root.endMs, wordsOf(span));
});

test('an empty task has a try without an execution, one that is skipped has neither', async () => {
  await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('empty', [], { body: { kind: 'empty' } }), task('b', ['a'])])]);
  const run = await engine.trigger('d');
  await engine.finish('a', { outcome: 'skipped' });
  await engine.untilRun(run, 'success');
  assert.deepEqual(told(engine), ['try empty 1 success', 'execution skipped', 'try a 1 skipped', 'run success']);
});

test('what the leader stops ends with the commit that says so', async () => {
  await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { dagrun_timeout_seconds: 0.3 })]);
  const run = await engine.trigger('d');
  await engine.job('a');
  await engine.untilRun(run, 'failed');
  await engine.until(() => engine.spans.length === 3, 'three ends');
  assert.deepEqual(told(engine).sort(), ['execution cancelled', 'run failed', 'try a 1 skipped']);
});

test('what a person clears, marks or ends is told once', async () => {
  await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
  const run = await engine.trigger('d');
  const a = { run, taskId: 'a', mapIndex: -1 };
  const cleared = await engine.job('a');
  await applyAction(engine.database, { ...NO_ACTION, clear: [a], by: 'ann' });
  await engine.until(() => engine.machine.cancelled.includes(cleared.execution_id), 'the cleared one is stopped');
  engine.executor.kill(cleared);
  await engine.job('a', 2);
  await applyAction(engine.database, { ...NO_ACTION, mark: [{ ...a, state: 'success' }], by: 'ann' });
  await engine.job('b');
  await applyAction(engine.database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }], by: 'ann' });
  await engine.until(() => told(engine).includes('run failed'), 'the run’s end');
  assert.deepEqual(told(engine), ['execution cancelled', 'try a 1 failed', 'execution cancelled', 'try a 2 success', 'execution cancelled', 'try b 1 failed', 'run failed']);
});
