// Task instances as tasks see them through the Task Execution API: counts, states, the one before, reschedules. Only task-attempts.ts moves their state.
import { sql, type SqlBool } from 'kysely';
import { LIMITS } from '#contract/config.ts';
import type { TaskState } from '#contract/states.ts';
import type { Database } from './database.ts';
import { conditionsOf, type RunsOfDag } from './execution-runs.ts';
import { type Condition, isAnyOf, isEqual, TENANT } from './list-query.ts';

/** Which task instances of a DAG; empty lists and null match all. */
export interface InstancesOfDag extends RunsOfDag {
  readonly taskIds: readonly string[];
  readonly mapIndex: number | null;
  /** Null among them asks for no state. */
  readonly states: readonly (string | null)[];
}

/** How many task instances match. */
export async function countTaskInstances(database: Database, filter: InstancesOfDag): Promise<number> {
  const counted = await selectInstances(database, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  return counted.total;
}

/** A task instance and how it stands. */
interface InstanceStanding { readonly runId: string; readonly taskId: string; readonly mapIndex: number; readonly state: TaskState }

/** The states of task instances in order of run, task and index, at most as many as a DAG may have tasks. */
export async function listTaskStates(database: Database, filter: InstancesOfDag): Promise<readonly InstanceStanding[]> {
  const rows = await selectInstances(database, filter).select(['r.run_id', 't.task_id', 't.map_index', 't.state'])
    .orderBy('r.run_after').orderBy('r.id').orderBy('t.task_id').orderBy('t.map_index').limit(LIMITS.maxDagTasks).execute();
  return rows.map((row) => ({ runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState }));
}

function selectInstances(database: Database, filter: InstancesOfDag) {
  const conditions: Condition[] = [
    ...conditionsOf(filter), ...isAnyOf(sql.ref('t.task_id'), filter.taskIds), ...isEqual(sql.ref('t.map_index'), filter.mapIndex), ...isAnyOf(sql.ref('t.state'), filter.states),
  ];
  return database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run').where((eb) => eb.and(conditions));
}

/** A task instance of an earlier run. */
export interface EarlierInstance extends InstanceStanding {
  readonly logicalDate: Date | null;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  readonly tryNumber: number;
}

/** Which instance is looked for: of a run before a logical date, when there is one, and of one state, when there is one. */
interface EarlierQuery { readonly dagId: string; readonly taskId: string; readonly mapIndex: number; readonly logicalDate: string | null; readonly state: string | null }

/** A task's instance in the newest run that has one; null when there is none. */
export async function findEarlierInstance(database: Database, query: EarlierQuery): Promise<EarlierInstance | null> {
  const conditions: Condition[] = [
    ...isEqual(sql.ref('t.state'), query.state), ...(query.logicalDate === null ? [] : [sql<SqlBool>`r.logical_date < ${new Date(query.logicalDate)}`]),
  ];
  const isBounded = query.logicalDate !== null;
  const row = await database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select(['r.run_id', 'r.logical_date', 't.task_id', 't.map_index', 't.state', 't.start_date', 't.end_date', 't.try_number'])
    .where('r.tenant', '=', TENANT).where('r.dag_id', '=', query.dagId).where('t.task_id', '=', query.taskId).where('t.map_index', '=', query.mapIndex).where((eb) => eb.and(conditions))
    // A run without a logical date is before none: only without a bound nulls have to be told where to stand, which no index does.
    .orderBy('r.logical_date', (order) => (isBounded ? order.desc() : order.desc().nullsLast())).orderBy('r.run_after', 'desc').limit(1).executeTakeFirst();
  if (row === undefined) return null;
  return {
    runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState, logicalDate: row.logical_date, startDate: row.start_date, endDate: row.end_date, tryNumber: row.try_number,
  };
}

/** A finished task instance, as an error of another task shows it. */
interface Breadcrumb { readonly taskId: string; readonly mapIndex: number; readonly state: TaskState; readonly operator: string | null; readonly startDate: Date | null; readonly endDate: Date | null }

/** The finished instances of a run in order of task and index. */
export async function listBreadcrumbs(database: Database, dagId: string, runId: string): Promise<readonly Breadcrumb[]> {
  const rows = await database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select(['t.task_id', 't.map_index', 't.state', 't.operator', 't.start_date', 't.end_date'])
    .where('r.tenant', '=', TENANT).where('r.dag_id', '=', dagId).where('r.run_id', '=', runId).where('t.finished', '=', true)
    .orderBy('t.task_id').orderBy('t.map_index').limit(LIMITS.maxDagTasks).execute();
  return rows.map((row) => ({ taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState, operator: row.operator, startDate: row.start_date, endDate: row.end_date }));
}

/** When the first execution of a try that ended in a reschedule had begun; null when none did. */
export async function findFirstReschedule(database: Database, attemptId: string): Promise<Date | null> {
  const row = await database.kysely.selectFrom('executions').select('started_at').where('attempt_id', '=', attemptId).where('state', '=', 'up_for_reschedule').orderBy('id').limit(1).executeTakeFirst();
  return row?.started_at ?? null;
}

/** When an execution began; null when it is gone. */
export async function findExecutionStart(database: Database, id: string): Promise<Date | null> {
  const row = await database.kysely.selectFrom('executions').select('started_at').where('id', '=', id).executeTakeFirst();
  return row?.started_at ?? null;
}
