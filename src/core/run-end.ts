// Why a run has ended, and the task instance that its DAG's callbacks are shown. Source: Airflow 3.2.1 `DagRun.update_state`, `SchedulerJobRunner._schedule_dag_run`.
import { isFinished } from '#contract/states.ts';
import type { Instance, RunSnapshot } from './run-snapshot.ts';

/** Airflow's words, `reason` in the context of a DAG's callback. */
export type RunEndReason = 'success' | 'task_failure' | 'all_tasks_deadlocked' | 'timed_out';

/** An end that the planner decided. `relevant` is null when Airflow names no instance, or nobody would see it. */
export interface RunEnd {
  readonly reason: RunEndReason;
  readonly relevant: Instance | null;
}

/** The end of a run. Of a run over its time it is asked before its instances are skipped. */
export function describeEnd(run: RunSnapshot, reason: RunEndReason): RunEnd {
  const name = reason === 'success' ? 'success' : 'failure';
  return { reason, relevant: run.graph.dag.callbacks?.includes(name) === true ? relevantInstance(run, reason) : null };
}

function relevantInstance(run: RunSnapshot, reason: RunEndReason): Instance | null {
  const all = run.tasks.flatMap((progress) => [...progress.instances.values()]);
  switch (reason) {
    case 'success': return latest(all.filter(({ state }) => state === 'success'), ({ endedAt }) => endedAt);
    case 'task_failure': return latest(all.filter(({ state }) => state === 'failed'), ({ endedAt }) => endedAt);
    case 'timed_out': return latest(all.filter(({ state }) => !isFinished(state)), ({ startedAt }) => startedAt);
    case 'all_tasks_deadlocked': return all.find((instance) => !isFinished(instance.state) && instance.task.upstream.some((index) => hasFinished(run, index))) ?? null;
  }
}

/** Of several with the same time the first, as Python's `max`. */
function latest(instances: readonly Instance[], timeOf: (instance: Instance) => number | null): Instance | null {
  const time = (instance: Instance): number => timeOf(instance) ?? Number.NEGATIVE_INFINITY;
  return instances.reduce<Instance | null>((found, instance) => (found === null || time(instance) > time(found) ? instance : found), null);
}

function hasFinished(run: RunSnapshot, index: number): boolean {
  return [...(run.tasks[index]?.instances.values() ?? [])].some(({ state }) => isFinished(state));
}
