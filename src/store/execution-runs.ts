// Runs as tasks see them through the Task Execution API: one run, the run before, counts.
import { sql, type SqlBool } from 'kysely';
import type { RunState, RunType } from '#contract/states.ts';
import { type Database } from './database.ts';
import { type Condition, isAnyOf, TENANT } from './list-query.ts';

/** A run without what only the engine needs. */
export interface TaskRun {
  readonly id: string;
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly state: RunState;
  readonly logicalDate: Date | null;
  readonly intervalStart: Date | null;
  readonly intervalEnd: Date | null;
  readonly runAfter: Date;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  readonly queuedAt: Date | null;
  readonly lastDecision: Date | null;
  readonly triggeredBy: string | null;
  readonly clearNumber: number;
  /** JSON text. */
  readonly conf: string;
  readonly user: string | null;
  readonly partitionKey: string | null;
  readonly note: string | null;
}

/** The run of a UUID; null when it is gone. */
export async function findTaskRun(database: Database, id: string): Promise<TaskRun | null> {
  const row = await selectRuns(database).where('r.id', '=', id).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** A run by its names; null when there is none. */
export async function findNamedRun(database: Database, dagId: string, runId: string): Promise<TaskRun | null> {
  const row = await selectRuns(database).where('r.dag_id', '=', dagId).where('r.run_id', '=', runId).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** The newest run of a DAG with an earlier logical date, of any state or of one; null when there is none. */
export async function findRunBefore(database: Database, before: { readonly dagId: string; readonly logicalDate: string; readonly state: string | null }): Promise<TaskRun | null> {
  let query = selectRuns(database).where('r.dag_id', '=', before.dagId).where('r.logical_date', '<', new Date(before.logicalDate));
  if (before.state !== null) query = query.where('r.state', '=', before.state);
  const row = await query.orderBy('r.logical_date', 'desc').limit(1).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** Which runs of a DAG, or their task instances; empty lists match all. Logical dates are as precise as they are kept: milliseconds. */
export interface RunsOfDag {
  readonly dagId: string;
  readonly logicalDates: readonly string[];
  readonly runIds: readonly string[];
}

/** Conditions on `dag_runs as r`. */
export function conditionsOf(runs: RunsOfDag): Condition[] {
  const dates = runs.logicalDates.map((date) => new Date(date).toISOString());
  return [
    sql<SqlBool>`r.tenant = ${TENANT} and r.dag_id = ${runs.dagId}`, ...isAnyOf(sql.ref('r.run_id'), runs.runIds),
    ...(dates.length === 0 ? [] : [sql<SqlBool>`r.logical_date = any(${dates}::timestamptz[])`]),
  ];
}

/** How many runs match. */
export async function countTaskRuns(database: Database, runs: RunsOfDag, states: readonly string[]): Promise<number> {
  const counted = await database.kysely.selectFrom('dag_runs as r').select((eb) => eb.fn.countAll<number>().as('total'))
    .where((eb) => eb.and([...conditionsOf(runs), ...isAnyOf(sql.ref('r.state'), states)])).executeTakeFirstOrThrow();
  return counted.total;
}

function selectRuns(database: Database) {
  return database.kysely.selectFrom('dag_runs as r').select([
    'r.id', 'r.dag_id', 'r.run_id', 'r.run_type', 'r.state', 'r.logical_date', 'r.data_interval_start', 'r.data_interval_end', 'r.run_after', 'r.start_date', 'r.end_date', 'r.clear_number',
    'r.triggering_user', 'r.triggered_by', 'r.queued_at', 'r.last_decision', 'r.partition_key', 'r.note', sql<string>`r.conf::text`.as('conf'),
  ]).where('r.tenant', '=', TENANT);
}

type RawRun = Awaited<ReturnType<ReturnType<typeof selectRuns>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawRun): TaskRun {
  return {
    id: row.id, dagId: row.dag_id, runId: row.run_id, runType: row.run_type as RunType, state: row.state as RunState, logicalDate: row.logical_date, intervalStart: row.data_interval_start,
    intervalEnd: row.data_interval_end, runAfter: row.run_after, startDate: row.start_date, endDate: row.end_date, clearNumber: row.clear_number, queuedAt: row.queued_at, lastDecision: row.last_decision, triggeredBy: row.triggered_by, conf: row.conf, user: row.triggering_user,
    partitionKey: row.partition_key, note: row.note,
  };
}
