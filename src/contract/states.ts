// The states of runs, task instances and executions, and what each group of states means (Airflow 3.2's words).

/** Every state a task instance can be stored in; `null` is Airflow's "no status". */
export const TASK_STATES = [
  'removed', 'scheduled', 'queued', 'running', 'success', 'restarting', 'failed',
  'up_for_retry', 'up_for_reschedule', 'upstream_failed', 'skipped', 'deferred',
] as const;
export type TaskState = (typeof TASK_STATES)[number] | null;

/** Airflow’s `State.finished`: the planner counts these as done for downstream tasks. */
const FINISHED_TASK_STATES = ['success', 'failed', 'skipped', 'upstream_failed', 'removed'] as const;
type FinishedTaskState = (typeof FINISHED_TASK_STATES)[number];

/** True when no further work will happen for a task instance in this state unless a person clears it. */
export function isFinished(state: TaskState): state is FinishedTaskState {
  return state !== null && (FINISHED_TASK_STATES as readonly string[]).includes(state);
}

/** Airflow’s DagRunState. The last two are final until a person clears the run. */
export const RUN_STATES = ['queued', 'running', 'success', 'failed'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Airflow’s DagRunType; a run id that nobody chose begins with it. */
export const RUN_TYPES = ['backfill', 'scheduled', 'manual', 'asset_triggered', 'asset_materialization'] as const;
export type RunType = (typeof RUN_TYPES)[number];

/** Airflow’s DagRunTriggeredByType, in the lower case that its API shows. */
export const TRIGGERED_BY = ['cli', 'operator', 'rest_api', 'ui', 'test', 'timetable', 'asset', 'backfill'] as const;
export type TriggeredBy = (typeof TRIGGERED_BY)[number];

const EXECUTION_STATES = [
  'created', 'launching', 'running', 'success', 'failed', 'skipped',
  'up_for_retry', 'up_for_reschedule', 'deferred', 'cancelled', 'lost',
] as const;
/** One launch of a try. `created` and `launching` hold no process yet (remote executors); the last four ended. */
export type ExecutionState = (typeof EXECUTION_STATES)[number];

/** Why an execution ended other than by success. Those in INFRA_CAUSES spend `infra_retries`, not the user's retries. */
export const CAUSES = [
  'user_error', 'timeout', 'oom', 'evicted', 'preempted', 'node_lost', 'image_pull', 'config', 'infra_start', 'cancelled', 'lost',
] as const;
export type Cause = (typeof CAUSES)[number];
/** Causes that are nobody’s code: such an execution is launched again within the same try. */
export const INFRA_CAUSES: ReadonlySet<Cause> = new Set<Cause>(['evicted', 'preempted', 'node_lost', 'image_pull', 'infra_start', 'lost']);
