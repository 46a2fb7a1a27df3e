// What executions that speak the Task Execution API ask of their own rows: who they are, who runs them, and what they render.
import type pg from 'pg';
import type { TaskCaller, TaskProcess } from '#contract/execution-api.ts';
import type { AttemptId, ExecutionId } from '#contract/ids.ts';
import type { TaskState } from '#contract/states.ts';

type Query = Pick<pg.Client, 'query'>;

/** An execution by its rows. `endedMsAgo` is null while nobody has closed it. */
export interface KnownExecution extends Omit<TaskCaller, 'kind' | 'isOpen'> {
  readonly tokenHash: Buffer;
  readonly endedMsAgo: number | null;
}

const FIND = `/* store/task-calls.find */
select e.attempt_id, e.run, e.token_hash, case when e.ended then coalesce(extract(epoch from clock_timestamp() - e.ended_at)::float8 * 1000, 0) end as ended_ms_ago,
  a.task_id, a.map_index, r.dag_id, r.run_id, r.version_id
from executions e join task_attempts a on a.id = e.attempt_id join dag_runs r on r.id = e.run where e.id = $1`;

/** Whom an execution's id names; null when its run is gone. */
export async function findKnownExecution(client: Query, id: ExecutionId): Promise<KnownExecution | null> {
  const { rows } = await client.query({ name: 'findKnownExecution', text: FIND, values: [id] });
  const row = (rows as { attempt_id: AttemptId; run: TaskCaller['run']; token_hash: Buffer | null; ended_ms_ago: number | null; task_id: string; map_index: number; dag_id: string; run_id: string; version_id: TaskCaller['versionId'] }[])[0];
  if (row === undefined) return null;
  return {
    executionId: id, attemptId: row.attempt_id, run: row.run, dagId: row.dag_id, runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index, versionId: row.version_id,
    tokenHash: row.token_hash ?? Buffer.alloc(0), endedMsAgo: row.ended_ms_ago,
  };
}

const BEGIN = `/* store/task-calls.begin */
with begun as (
  update executions set process_host = $2, process_user = $3, process_pid = $4 where id = $1 and not ended
    and (process_pid is null or (process_host = $2 and process_user is not distinct from $3 and process_pid = $4)) returning attempt_id
)
select (select count(*)::int from begun) as begun, (select count(*)::int from executions o where o.attempt_id = (select attempt_id from begun) and o.state = 'up_for_reschedule') as reschedules`;

/** One process begins an execution, as often as it says so. @returns earlier executions of its try that were rescheduled; null when it is ended, or another process has begun it */
export async function beginExecution(client: Query, id: ExecutionId, process: TaskProcess & { readonly unixname: string }): Promise<number | null> {
  const { rows } = await client.query({ name: 'beginExecution', text: BEGIN, values: [id, process.hostname, process.unixname, process.pid] });
  const row = (rows as { begun: number; reschedules: number }[])[0];
  return row === undefined || row.begun === 0 ? null : row.reschedules;
}

/** Where an execution stands. `process` has begun it. The instance is null when its run is gone. */
export interface Standing {
  readonly process: TaskProcess | null;
  readonly isEnded: boolean;
  readonly instance: { readonly attemptId: AttemptId | null; readonly executionId: ExecutionId | null; readonly state: TaskState; readonly hostname: string | null; readonly pid: number | null } | null;
}

const STANDING = `/* store/task-calls.standing */
select e.process_host, e.process_pid, e.ended, t.run is not null as has_instance, t.attempt_id, t.execution_id, t.state, t.hostname, t.pid
from executions e join task_attempts a on a.id = e.attempt_id left join task_instances t on t.run = a.run and t.task_id = a.task_id and t.map_index = a.map_index where e.id = $1`;

/** Null when the execution's rows are gone. */
export async function findStanding(client: Query, id: ExecutionId): Promise<Standing | null> {
  const { rows } = await client.query({ name: 'findStanding', text: STANDING, values: [id] });
  const row = (rows as { process_host: string | null; process_pid: number | null; ended: boolean; has_instance: boolean; attempt_id: AttemptId | null; execution_id: ExecutionId | null; state: string | null; hostname: string | null; pid: number | null }[])[0];
  if (row === undefined) return null;
  return {
    process: row.process_host === null || row.process_pid === null ? null : { hostname: row.process_host, pid: row.process_pid }, isEnded: row.ended,
    instance: row.has_instance ? { attemptId: row.attempt_id, executionId: row.execution_id, state: row.state as TaskState, hostname: row.hostname, pid: row.pid } : null,
  };
}

/** What a try rendered of its template fields; JSON text. */
export async function setRenderedFields(client: Query, attemptId: AttemptId, fields: string): Promise<void> {
  await client.query('/* store/task-calls.setRenderedFields */ update task_attempts set rendered_fields = $2 where id = $1', [attemptId, fields]);
}
