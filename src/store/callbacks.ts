// The table callbacks: what was asked for in `moveTask` is begun, answered, or begun again by the leader of the moment.
import type pg from 'pg';
import type { Dag } from '#contract/dag.ts';
import type { TaskCaller } from '#contract/execution-api.ts';
import type { AttemptId, ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';
import type { RunState } from '#contract/states.ts';
import type { CallbackWrite } from './rare-parts.ts';

type Query = Pick<pg.Client, 'query'>;

/** A callback to be made. `attempts` counts this one. `request` is what its kind says besides. */
export interface Callback {
  readonly id: string;
  readonly run: RunUuid;
  readonly versionId: VersionId;
  readonly kind: 'dag' | 'task' | 'email' | 'listener' | 'deadline';
  readonly taskId: string | null;
  readonly mapIndex: number;
  readonly attemptId: AttemptId | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly request: Readonly<Record<string, unknown>>;
  readonly attempts: number;
  /** Whose log takes its lines: the execution that it is about, else the newest of its try or of the run; null when nothing ever ran. */
  readonly logOf: ExecutionId | null;
}

/**
 * What the listeners of a DAG's project are told of a run's new state; nothing when none listens to it. Source: Airflow 3.2.1 `DagRun.notify_dagrun_state_changed`.
 * @param how `msg`: Airflow's word for why; `at`: epoch milliseconds
 */
export function listenersTold(dag: Dag, run: { readonly id: string; readonly versionId: string; readonly state: RunState; readonly endDate: number | null }, how: { readonly msg: string; readonly at: number; readonly makeId: () => string }): CallbackWrite[] {
  const { id, versionId, state, endDate } = run;
  if (state === 'queued' || dag.run_listeners?.includes(state) !== true) return [];
  const request = JSON.stringify({ event: state, msg: how.msg, run_state: state, run_end_date: endDate });
  return [{ id: how.makeId(), run: id, versionId, kind: 'listener', request, at: how.at, taskId: null, mapIndex: -1, attemptId: null, executionId: null, tryNumber: 0, maxTries: 0 }];
}

interface RawCallback {
  id: string; run: RunUuid; version_id: VersionId; kind: Callback['kind']; task_id: string | null; map_index: number; attempt_id: AttemptId | null; try_number: number; max_tries: number;
  request: Record<string, unknown>; attempts: number; log_of: ExecutionId | null;
}

const LOG_OF = `coalesce(c.execution_id, (select e.id from executions e where e.attempt_id = c.attempt_id order by e.started_at desc limit 1),
  (select e.id from executions e where e.run = c.run order by e.started_at desc limit 1))`;

/** Listeners of one run hear of its moments one after the other. */
const IN_TURN = `(c.kind <> 'listener' or not exists (select 1 from callbacks o where o.run = c.run and o.kind = 'listener' and o.due_at is not null
  and (o.created_at, o.request->>'event' <> 'running') < (c.created_at, c.request->>'event' <> 'running')))`;

/** What a server is making already: callbacks, and versions of which no more are begun. */
export interface BeingMade { readonly making: readonly string[]; readonly busy: readonly VersionId[] }

const CLAIM = `/* store/callbacks.claim */
with fence as (
  select 1 from leader where epoch = $1 for share
), due as (
  select id from callbacks c, fence where due_at <= clock_timestamp() and not id = any($2::uuid[]) and not version_id = any($3::uuid[]) and ${IN_TURN} order by due_at, id limit 1 for update of c skip locked
)
update callbacks c set state = 'begun', attempts = attempts + 1, due_at = clock_timestamp() + make_interval(secs => $4) from due where c.id = due.id
returning c.id, c.run, c.version_id, c.kind, c.task_id, c.map_index, c.attempt_id, c.try_number, c.max_tries, c.request, c.attempts, ${LOG_OF} as log_of`;

/**
 * Takes the callback that is due for longest: one that nobody has begun, or whose answer did not come in time; null when there is none.
 * @param how `busy`: those of these versions wait; `answerSeconds`: after this time without an answer it is due again
 */
export async function claimCallback(client: Query, epoch: number, how: BeingMade & { readonly answerSeconds: number }): Promise<Callback | null> {
  const { rows } = await client.query({ name: 'claimCallback', text: CLAIM, values: [epoch, how.making, how.busy, how.answerSeconds] });
  const row = (rows as RawCallback[])[0];
  return row === undefined ? null : {
    id: row.id, run: row.run, versionId: row.version_id, kind: row.kind, taskId: row.task_id, mapIndex: row.map_index, attemptId: row.attempt_id, tryNumber: row.try_number,
    maxTries: row.max_tries, request: row.request, attempts: row.attempts, logOf: row.log_of,
  };
}

const NEXT = `/* store/callbacks.next */
select min(due_at) as at from callbacks c where due_at is not null and not id = any($1::uuid[]) and not version_id = any($2::uuid[]) and ${IN_TURN}`;

/** When the next callback is due besides these, epoch milliseconds; null when none waits. */
export async function findNextCallback(client: Query, { making, busy }: BeingMade = { making: [], busy: [] }): Promise<number | null> {
  const { rows } = await client.query({ name: 'findNextCallback', text: NEXT, values: [making, busy] });
  return (rows as { at: Date | null }[])[0]?.at?.getTime() ?? null;
}

/** How an attempt ended. `again`: after so many seconds. */
export type CallbackEnd = { readonly state: 'done' } | { readonly state: 'failed'; readonly error: string } | { readonly state: 'again'; readonly error: string; readonly seconds: number };

/** Names for people. */
export interface EndedCallback {
  readonly kind: string;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string | null;
  readonly attempts: number;
}

// The audit log says what became of it: nobody waits for it, and its run may be over for long.
const END = `/* store/callbacks.end */
with ended as (
  update callbacks c set state = case when $3 = 'again' then 'pending' else $3 end, error = $4, due_at = case when $3 = 'again' then clock_timestamp() + make_interval(secs => $5) end,
    ended_at = case when $3 = 'again' then null else clock_timestamp() end
  where c.id = $2 and c.state = 'begun' and exists (select 1 from leader where epoch = $1 for share) returning *
), told as (
  select c.*, r.dag_id, r.run_id from ended c join dag_runs r on r.id = c.run
), noted as (
  insert into audit_log (event, dag_id, task_id, run_id, map_index, try_number, extra)
  select case when $3 = 'again' then 'callback delayed' else 'callback ' || $3 end, dag_id, task_id, run_id, case when task_id is not null then map_index end, case when task_id is not null then try_number end,
    json_strip_nulls(json_build_object('kind', kind, 'attempts', attempts, 'error', $4::text, 'requested_at', created_at))::text
  from told
)
select kind, dag_id, run_id, task_id, attempts from told`;

/** Writes down how an attempt ended, with its line of the audit log. @returns null when it was over already, its run is gone, or another server leads */
export async function endCallback(client: Query, epoch: number, { id, end }: { readonly id: string; readonly end: CallbackEnd }): Promise<EndedCallback | null> {
  const { rows } = await client.query({ name: 'endCallback', text: END, values: [epoch, id, end.state, end.state === 'done' ? null : end.error, end.state === 'again' ? end.seconds : 0] });
  const row = (rows as { kind: string; dag_id: string; run_id: string; task_id: string | null; attempts: number }[])[0];
  return row === undefined ? null : { kind: row.kind, dagId: row.dag_id, runId: row.run_id, taskId: row.task_id, attempts: row.attempts };
}

const CALLER = `/* store/callbacks.caller */
select c.run, c.version_id, c.task_id, c.map_index, c.attempt_id, c.execution_id, r.dag_id, r.run_id from callbacks c join dag_runs r on r.id = c.run where c.id = $1 and c.state = 'begun'`;

interface RawCaller { run: RunUuid; version_id: VersionId; task_id: string | null; map_index: number; attempt_id: AttemptId | null; execution_id: ExecutionId | null; dag_id: string; run_id: string }

/** For whom a callback asks while it is made; null when it is not. One that is about no task instance is an instance of its own that nobody else is. */
export async function findCallbackCaller(client: Query, id: string): Promise<Omit<TaskCaller, 'kind' | 'isOpen'> | null> {
  const { rows } = await client.query(CALLER, [id]);
  const row = (rows as RawCaller[])[0];
  if (row === undefined) return null;
  return {
    run: row.run, versionId: row.version_id, dagId: row.dag_id, runId: row.run_id, taskId: row.task_id ?? '', mapIndex: row.map_index,
    attemptId: row.attempt_id ?? (id as AttemptId), executionId: row.execution_id ?? (id as ExecutionId),
  };
}

/** A callback about a task instance, for people. */
export interface ToldCallback {
  readonly kind: Callback['kind'];
  readonly state: 'pending' | 'begun' | 'done' | 'failed';
  readonly attempts: number;
  readonly error: string | null;
}

/** The newest callbacks about a task instance. */
export async function listCallbacksOf(client: Query, of: { readonly run: string; readonly taskId: string; readonly mapIndex: number }): Promise<ToldCallback[]> {
  const { rows } = await client.query(`/* store/callbacks.list */ select kind, state, attempts, error from callbacks where run = $1 and task_id = $2 and map_index = $3
    order by created_at desc, id desc limit 10`, [of.run, of.taskId, of.mapIndex]);
  return rows as ToldCallback[];
}
