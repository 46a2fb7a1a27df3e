// Callbacks that a decision asks for: written in its commit, made afterwards.
import type { RunSnapshot, Instance } from '#core/run-snapshot.ts';
import type { RunEnd } from '#core/run-end.ts';
import type { CallbackWrite } from '#store/rare-parts.ts';

/** When it was decided (epoch milliseconds), and fresh ids. */
interface At { readonly at: number; readonly makeId: () => string }

/** What the DAG's own callbacks are told at the end of a run; nothing when it has none for such an end. */
export function callbacksOfRun(run: RunSnapshot, { reason, relevant }: RunEnd, at: At): CallbackWrite[] {
  const name = reason === 'success' ? 'success' : 'failure';
  if (run.graph.dag.callbacks?.includes(name) !== true) return [];
  const request = { is_failure_callback: name === 'failure', msg: reason, run_state: run.state, run_end_date: run.endDate };
  return [writeOf(run, relevant, { kind: 'dag', request, ...at })];
}

/**
 * What a task's callbacks are told whose process could not make them: it is gone, or its trigger has ended the task. Source: Airflow 3.2.1 `process_executor_events`.
 * @param how `withEmail`: its author is written to as well
 */
export function callbacksOfTask(run: RunSnapshot, instance: Instance, how: At & { readonly message: string | null; readonly withEmail: boolean }): CallbackWrite[] {
  const { state, task: { task } } = instance;
  if (state !== 'failed' && state !== 'up_for_retry') return [];
  const name = state === 'failed' ? 'failure' : 'retry';
  const calls = task.callbacks?.includes(name) === true ? [writeOf(run, instance, { ...how, kind: 'task', request: { task_callback_type: state, msg: how.message } })] : [];
  if (how.withEmail && task.emails?.includes(name) === true) calls.push(writeOf(run, instance, { ...how, kind: 'email', request: { email_type: name, msg: how.message } }));
  return calls;
}

function writeOf(run: RunSnapshot, instance: Instance | null, { kind, request, at, makeId }: At & { readonly kind: CallbackWrite['kind']; readonly request: object }): CallbackWrite {
  const id = makeId();
  return {
    id, run: run.id, versionId: run.versionId, kind, request: JSON.stringify(request), at, taskId: instance?.task.id ?? null, mapIndex: instance?.mapIndex ?? -1, attemptId: instance?.attemptId ?? null,
    executionId: instance?.executionId ?? null, tryNumber: instance?.tryNumber ?? 0, maxTries: instance?.maxTries ?? 0,
  };
}
