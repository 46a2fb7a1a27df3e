// A trial run takes the same way as any run: retries, branches, mapping, and what waits for a time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { Dag, Task } from '#contract/dag.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { TrialRun } from './trial-run.ts';

const limits = { maxMapLength: 1024, infraRetries: 3, infraRetryDelayMs: 200 };
const at = { execution_id: 'x' as ExecutionId, started_at: '', ended_at: '' };
const success: ExecutionReport = { ...at, outcome: 'success' };

function task(id: string, dependsOn: readonly string[] = [], more: Partial<Task> = {}): Task {
  return { task_id: id, operator: 'X', body: { kind: 'python', file: 'd.py', class: 'X' }, depends_on: [...dependsOn], ...more };
}

function trial(tasks: readonly Task[]): TrialRun {
  const dag: Dag = { schema_version: '1.0', dag_id: 'd', fileloc: 'd.py', runtime: 'leoflow', sources: [], timetable: { kind: 'none' }, tasks: [...tasks] };
  return new TrialRun({ dag, runId: 'r', logicalDate: null, now: 0, limits });
}

/** Runs to the end: each instance's report is asked for by its name. @returns the names in the order they began */
function play(run: TrialRun, reportOf: (name: string) => ExecutionReport): string[] {
  const order: string[] = [];
  for (let now = 1; run.state === 'running' && now < 1e9; now += 1) {
    const instance = run.begin(now);
    if (instance === null) {
      assert.ok(run.nextWake !== null, 'nothing may start and nothing waits');
      now = run.nextWake;
      run.wake(now);
      continue;
    }
    const name = instance.mapIndex < 0 ? instance.task.id : `${instance.task.id}[${instance.mapIndex}]`;
    order.push(`${name}#${instance.tryNumber}`);
    run.end(instance, reportOf(name), now);
  }
  return order;
}

test('branches skip, mapped tasks expand by what was pushed, and the run ends', () => {
  const run = trial([
    task('pick', [], { can_skip_downstream: true }), task('taken', ['pick']), task('left', ['pick']),
    task('each', ['taken'], { expand: { kind: 'product', arguments: { x: { kind: 'xcom', task_id: 'taken', key: 'return_value' } } } }),
  ]);
  const order = play(run, (name) => name === 'pick' ? { ...success, skips: { followed: ['taken'] } } : name === 'taken' ? { ...success, xcoms: [{ key: 'return_value', value: '[1,2]', mapped_length: 2 }] } : success);
  assert.deepEqual([order, run.state], [['pick#1', 'taken#1', 'each[0]#1', 'each[1]#1'], 'success']);
  assert.equal(run.instances.find((instance) => instance.task.id === 'left')?.state, 'skipped');
});

test('a failed try waits for its delay and is tried again; without tries left the run fails', () => {
  const run = trial([task('flaky', [], { retries: 1, retry_delay_seconds: 60 }), task('after', ['flaky'])]);
  const order = play(run, () => ({ ...at, outcome: 'failed' }));
  assert.deepEqual([order, run.state], [['flaky#1', 'flaky#2'], 'failed']);
  assert.equal(run.instances.find((instance) => instance.task.id === 'after')?.state, 'upstream_failed');
});
