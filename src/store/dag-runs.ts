// The table dag_runs: creating runs, and reading one whole for the planner.
import { sql } from 'kysely';
import type pg from 'pg';
import type { SkipDecision } from '#contract/attempt.ts';
import { type AttemptId, type ExecutionId, makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import type { Cause, RunState, RunType, TaskState, TriggeredBy } from '#contract/states.ts';
import type { PastRun, PastState } from '#core/past-dependencies.ts';
import type { TriggerWait } from '#core/run-snapshot.ts';
import { isoOf } from '#platform/clock.ts';
import { type Database, translateDatabaseError, violatedConstraint } from './database.ts';
import { listWaits, MAY_WAIT } from './triggers.ts';

/** Times are epoch milliseconds. */
interface NewRun {
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly logicalDate: number | null;
  readonly interval: { readonly start: number; readonly end: number } | null;
  readonly runAfter: number;
  readonly conf: unknown;
  readonly triggeredBy: TriggeredBy;
  readonly user: string | null;
  readonly note: string | null;
  readonly partitionKey?: string | null;
}

/** Times are epoch milliseconds. `isPaused` is the DAG’s switch, not the run’s. */
export interface RunRow {
  readonly id: RunUuid;
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly state: RunState;
  readonly versionId: VersionId;
  readonly logicalDate: number | null;
  readonly intervalStart: number | null;
  readonly intervalEnd: number | null;
  readonly runAfter: number;
  readonly queuedAt: number | null;
  readonly startDate: number | null;
  readonly endDate: number | null;
  readonly conf: unknown;
  readonly user: string | null;
  readonly isPaused: boolean;
  /** How often people acted on it: cleared, marked or gave it a state. */
  readonly actionNumber: number;
}

/** `duplicate` names the unique constraint that was hit (run id or logical date); `no_dag`: unknown, or without a version. */
type Created = { readonly kind: 'created'; readonly run: RunRow } | { readonly kind: 'duplicate'; readonly constraint: string } | { readonly kind: 'no_dag' };

/** Inserts a queued run of the DAG's current version and wakes the leader. */
export async function createRun(database: Database, run: NewRun): Promise<Created> {
  const id = makeUuidV7<RunUuid>(database.clock.nowMs());
  const iso = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : isoOf(ms));
  try {
    const { rows } = await sql<RawRun>`/* store/dag-runs.createRun */
      with made as (
        insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, logical_date, data_interval_start, data_interval_end, run_after, conf, triggered_by, triggering_user, note, partition_key)
        select ${id}::uuid, d.dag_id, ${run.runId}, ${run.runType}, 'queued', d.version_id, ${iso(run.logicalDate)}::timestamptz, ${iso(run.interval?.start)}::timestamptz,
          ${iso(run.interval?.end)}::timestamptz, ${isoOf(run.runAfter)}::timestamptz, ${JSON.stringify(run.conf ?? {})}::json, ${run.triggeredBy}, ${run.user}, ${run.note}, ${run.partitionKey ?? null}
        from dags d where d.tenant = 'default' and d.dag_id = ${run.dagId} and d.version_id is not null returning *
      ), told as (select pg_notify('leoflow_run', id::text) from made)
      select made.*, d.is_paused from made join dags d using (tenant, dag_id), told`.execute(database.kysely);
    const row = rows[0];
    return row === undefined ? { kind: 'no_dag' } : { kind: 'created', run: fromRow(row) };
  } catch (error) {
    const constraint = violatedConstraint(error);
    if (constraint !== null) return { kind: 'duplicate', constraint };
    throw translateDatabaseError(error);
  }
}

interface RawRun {
  id: string; dag_id: string; run_id: string; run_type: string; state: string; version_id: string; logical_date: Date | null; data_interval_start: Date | null;
  data_interval_end: Date | null; run_after: Date; queued_at: Date | null; start_date: Date | null; end_date: Date | null; conf: unknown; triggering_user: string | null; is_paused: boolean; action_number: number;
}

const time = (date: Date | null): number | null => (date === null ? null : date.getTime());

function fromRow(row: RawRun): RunRow {
  return {
    id: row.id as RunUuid, dagId: row.dag_id, runId: row.run_id, runType: row.run_type as RunType, state: row.state as RunState, versionId: row.version_id as VersionId,
    logicalDate: time(row.logical_date), intervalStart: time(row.data_interval_start), intervalEnd: time(row.data_interval_end), runAfter: row.run_after.getTime(),
    queuedAt: time(row.queued_at), startDate: time(row.start_date), endDate: time(row.end_date), conf: row.conf, user: row.triggering_user, isPaused: row.is_paused, actionNumber: row.action_number,
  };
}

/** What a snapshot is built from. */
export interface RunForPlanning {
  readonly run: RunRow;
  readonly instances: readonly PlannedInstance[];
  /** Lengths of XComs of this run. */
  readonly lengths: readonly { readonly taskId: string; readonly mapIndex: number; readonly key: string; readonly mappedLength: number | null }[];
}

/** A row of task_instances. Times are epoch milliseconds; `mapIndex` is −1 when not mapped or not expanded yet. */
interface PlannedInstance {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly infraFailures: number;
  readonly attemptId: AttemptId | null;
  readonly executionId: ExecutionId | null;
  readonly wakeAt: number | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly skips: SkipDecision | null;
  readonly cause: Cause | null;
  readonly reason: string | null;
  readonly scheduledAt: number | null;
  readonly hostname: string | null;
  readonly pid: number | null;
  readonly renderedMapIndex: string | null;
  readonly wait: TriggerWait | null;
}

type Query = Pick<pg.Client, 'query'>;

const READ_RUN = `/* store/dag-runs.readRun */
select r.*, d.is_paused from dag_runs r join dags d using (tenant, dag_id) where r.id = $1`;
const READ_INSTANCES = `/* store/dag-runs.readInstances */
select task_id, map_index, state, try_number, max_tries, infra_failures, attempt_id, execution_id, wake_at, start_date, end_date, skips, cause, reason, scheduled_at,
  hostname, pid, rendered_map_index from task_instances where run = $1 order by task_id, map_index`;
const READ_LENGTHS = `/* store/dag-runs.readLengths */
select task_id, map_index, key, mapped_length from xcoms where run = $1`;

/** Reads a run with its instances; null when there is none. Lengths only when something of the DAG is mapped. */
export async function findRunForPlanning(client: Query, id: RunUuid, want: { lengths: boolean }): Promise<RunForPlanning | null> {
  const runs = await client.query({ name: 'readRun', text: READ_RUN, values: [id] });
  const run = runs.rows[0] as RawRun | undefined;
  if (run === undefined) return null;
  const instances = await client.query({ name: 'readInstances', text: READ_INSTANCES, values: [id] });
  const lengths = want.lengths && instances.rows.length > 0 ? (await client.query({ name: 'readLengths', text: READ_LENGTHS, values: [id] })).rows : [];
  const rows = instances.rows as RawInstance[];
  const waits = rows.some((row) => row.state !== null && MAY_WAIT.has(row.state)) ? await listWaits(client, id) : [];
  const waitOf = new Map(waits.map(({ taskId, mapIndex, wait }) => [`${taskId}/${mapIndex}`, wait]));
  return {
    run: fromRow(run),
    instances: rows.map((row) => ({ ...instanceFromRow(row), wait: waitOf.get(`${row.task_id}/${row.map_index}`) ?? null })),
    lengths: (lengths as { task_id: string; map_index: number; key: string; mapped_length: number | null }[]).map((row) => ({ taskId: row.task_id, mapIndex: row.map_index, key: row.key, mappedLength: row.mapped_length })),
  };
}

interface RawInstance {
  task_id: string; map_index: number; state: string | null; try_number: number; max_tries: number; infra_failures: number; attempt_id: string | null; execution_id: string | null;
  wake_at: Date | null; start_date: Date | null; end_date: Date | null; skips: unknown; cause: string | null; reason: string | null; scheduled_at: Date | null;
  hostname: string | null; pid: number | null; rendered_map_index: string | null;
}

function instanceFromRow(row: RawInstance): Omit<PlannedInstance, 'wait'> {
  return {
    taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState, tryNumber: row.try_number, maxTries: row.max_tries, infraFailures: row.infra_failures,
    attemptId: row.attempt_id as AttemptId | null, executionId: row.execution_id as ExecutionId | null, wakeAt: time(row.wake_at), startedAt: time(row.start_date),
    endedAt: time(row.end_date), skips: row.skips as SkipDecision | null, cause: row.cause as Cause | null, reason: row.reason, scheduledAt: time(row.scheduled_at),
    hostname: row.hostname, pid: row.pid, renderedMapIndex: row.rendered_map_index,
  };
}

const LIST_UNFINISHED = `/* store/dag-runs.listUnfinished */
select id from dag_runs where not finished order by run_after, id`;

/** Ids of all runs that are not finished, oldest first: what a new leader reads. */
export async function listUnfinishedRuns(client: Query): Promise<RunUuid[]> {
  const { rows } = await client.query(LIST_UNFINISHED);
  return (rows as { id: RunUuid }[]).map((row) => row.id);
}

const LIST_QUEUED = `/* store/dag-runs.listQueued */
select id from dag_runs where not finished and tenant = 'default' and dag_id = $1 order by run_after, id`;

/** Unfinished runs of one DAG, oldest first. */
export async function listUnfinishedRunsOf(client: Query, dagId: string): Promise<RunUuid[]> {
  const { rows } = await client.query({ name: 'listQueued', text: LIST_QUEUED, values: [dagId] });
  return (rows as { id: RunUuid }[]).map((row) => row.id);
}

// Two searches of which one is switched off: each has an index of its own, under a generic plan too.
const PREVIOUS = `/* store/dag-runs.readPrevious */
with previous as (
  (select id, logical_date, epoch is null as is_unplanned from dag_runs where $3 and tenant = 'default' and dag_id = $1 and logical_date < $2 order by logical_date desc limit 1)
  union all
  (select id, logical_date, epoch is null from dag_runs where not $3 and tenant = 'default' and dag_id = $1 and logical_date < $2 and run_type = 'scheduled' order by logical_date desc limit 1)
)
select u.task_id, p.logical_date, case
  when p.is_unplanned then 'bad'
  when count(t.task_id) = 0 then 'absent'
  when bool_and(coalesce(t.state in ('success', 'skipped'), false)) then 'good'
  else 'bad' end as state
from previous p cross join unnest($4::text[]) as u(task_id) left join task_instances t on t.run = p.id and t.task_id = u.task_id
group by u.task_id, p.logical_date, p.is_unplanned`;

// Whether a task that the run before had not is new: asked only then, and of so many runs at most.
const EVER = `/* store/dag-runs.listEverPlanned */
select u.task_id from unnest($3::text[]) as u(task_id) where exists (
  select 1 from (select id from dag_runs where tenant = 'default' and dag_id = $1 and logical_date < $2 order by logical_date desc limit 1000) r
  join task_instances x on x.run = r.id and x.task_id = u.task_id)`;

/** How tasks stand in the run before (by logical date). Null when there is none. A run whose instances are not made yet has done nothing. */
export async function findPastRun(client: Query, run: { dagId: string; logicalDate: number; anyType: boolean; taskIds: readonly string[] }): Promise<PastRun | null> {
  const { rows } = await client.query({ name: 'readPrevious', text: PREVIOUS, values: [run.dagId, isoOf(run.logicalDate), run.anyType, run.taskIds] });
  const found = rows as { task_id: string; logical_date: Date; state: PastState }[];
  const first = found[0];
  if (first === undefined) return null;
  const states = new Map(found.map((row): [string, PastState] => [row.task_id, row.state]));
  const absent = found.flatMap((row) => (row.state === 'absent' ? [row.task_id] : []));
  if (absent.length > 0) {
    const { rows: ever } = await client.query({ name: 'listEverPlanned', text: EVER, values: [run.dagId, isoOf(run.logicalDate), absent] });
    const known = new Set((ever as { task_id: string }[]).map((row) => row.task_id));
    for (const id of absent) if (!known.has(id)) states.set(id, 'new');
  }
  return { logicalDate: first.logical_date.getTime(), states };
}
