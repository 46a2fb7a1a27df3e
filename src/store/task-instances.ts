// Reading task instances for people: lists with filters, one instance with its try's rendered fields. Only task-attempts.ts moves their state.
import { sql, type SqlBool } from 'kysely';
import type { TaskState } from '#contract/states.ts';
import type { Database } from './database.ts';
import {
  cappedLimit, type Column, type Condition, inRange, isAnyOf, isLike, type Listed, type OrderKeys, orderTerms, type Page, type Range, secondsBetween, TENANT,
} from './list-query.ts';
import type { VersionRow } from './dag-version-lists.ts';

/** A task instance with its run’s dates and version. */
export interface InstanceListRow {
  readonly run: string;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly attemptId: string | null;
  readonly executionId: string | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly operator: string | null;
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly priorityWeight: number;
  readonly scheduledAt: Date | null;
  readonly queuedAt: Date | null;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  readonly reason: string | null;
  readonly hostname: string | null;
  readonly pid: number | null;
  readonly note: string | null;
  readonly renderedMapIndex: string | null;
  readonly logicalDate: Date | null;
  readonly runAfter: Date;
  readonly version: VersionRow;
}

/** What instances must match; null and empty lists match all. */
export interface InstanceFilter {
  readonly dagIds: readonly string[] | null;
  readonly runIds: readonly string[] | null;
  readonly taskIds: readonly string[] | null;
  readonly states: readonly (string | null)[] | null;
  readonly pools: readonly string[] | null;
  readonly queues: readonly string[] | null;
  readonly operators: readonly string[] | null;
  readonly versionNumbers: readonly number[] | null;
  readonly tryNumbers: readonly number[] | null;
  readonly mapIndexes: readonly number[] | null;
  /** Only instances of an expanded mapping. */
  readonly mappedOnly: boolean;
  readonly runAfter: Range<string>;
  readonly logicalDate: Range<string>;
  readonly startDate: Range<string>;
  readonly endDate: Range<string>;
  readonly updatedAt: Range<string>;
  readonly duration: Range<number>;
  readonly taskPattern: string | null;
  readonly dagIdPattern: string | null;
  readonly runIdPattern: string | null;
  readonly poolPattern: string | null;
  readonly queuePattern: string | null;
  readonly operatorPattern: string | null;
  /** A filter that no instance of this version can pass (another executor). */
  readonly nothing: boolean;
}

const NO_RANGE = { gte: null, gt: null, lte: null, lt: null } as const;

/** A filter that lets every instance pass, to be narrowed. */
export const ANY_INSTANCE: InstanceFilter = {
  dagIds: null, runIds: null, taskIds: null, states: null, pools: null, queues: null, operators: null, versionNumbers: null, tryNumbers: null, mapIndexes: null, mappedOnly: false,
  runAfter: NO_RANGE, logicalDate: NO_RANGE, startDate: NO_RANGE, endDate: NO_RANGE, updatedAt: NO_RANGE, duration: NO_RANGE, taskPattern: null, dagIdPattern: null,
  runIdPattern: null, poolPattern: null, queuePattern: null, operatorPattern: null, nothing: false,
};

const column = (name: string): Column => sql.ref(`t.${name}`);
const ofRun = (name: string): Column => sql.ref(`r.${name}`);
const DURATION = secondsBetween(column('start_date'), column('end_date'));
const ORDER_KEYS: OrderKeys = {
  id: column('attempt_id'), state: column('state'), duration: DURATION, start_date: column('start_date'), end_date: column('end_date'), map_index: column('map_index'),
  try_number: column('try_number'), logical_date: ofRun('logical_date'), run_after: ofRun('run_after'), data_interval_start: ofRun('data_interval_start'),
  data_interval_end: ofRun('data_interval_end'), rendered_map_index: column('rendered_map_index'), operator: column('operator'),
};
const TIE_BREAK = [ofRun('run_after'), column('run'), column('task_id'), column('map_index')];

function instanceConditions(filter: InstanceFilter): Condition[] {
  return [
    ...isAnyOf(ofRun('dag_id'), filter.dagIds), ...isAnyOf(ofRun('run_id'), filter.runIds), ...isAnyOf(column('task_id'), filter.taskIds),
    ...isAnyOf(column('state'), filter.states), ...isAnyOf(column('pool'), filter.pools), ...isAnyOf(column('queue'), filter.queues),
    ...isAnyOf(column('operator'), filter.operators), ...isAnyOf(sql.ref('v.number'), filter.versionNumbers), ...isAnyOf(column('try_number'), filter.tryNumbers),
    ...isAnyOf(column('map_index'), filter.mapIndexes), ...(filter.mappedOnly ? [sql<SqlBool>`t.map_index >= 0`] : []),
    ...inRange(ofRun('run_after'), filter.runAfter), ...inRange(ofRun('logical_date'), filter.logicalDate), ...inRange(column('start_date'), filter.startDate),
    ...inRange(column('end_date'), filter.endDate), ...inRange(column('updated_at'), filter.updatedAt), ...inRange(DURATION, filter.duration),
    ...isLike(column('task_id'), filter.taskPattern), ...isLike(ofRun('dag_id'), filter.dagIdPattern), ...isLike(ofRun('run_id'), filter.runIdPattern),
    ...isLike(column('pool'), filter.poolPattern), ...isLike(column('queue'), filter.queuePattern), ...isLike(column('operator'), filter.operatorPattern),
    ...(filter.nothing ? [sql<SqlBool>`false`] : []),
  ];
}

/** Task instances of a page. Throws `usage` on an order key that is not allowed. */
export async function listInstances(database: Database, filter: InstanceFilter, page: Page): Promise<Listed<InstanceListRow>> {
  const conditions = instanceConditions(filter);
  const order = orderTerms(page.orderBy, ORDER_KEYS, TIE_BREAK);
  let query = selectInstances(database).where((eb) => eb.and(conditions));
  const total = await countInstances(database, filter, conditions);
  for (const term of order) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total };
}

/** Without the joins that no condition needs. */
async function countInstances(database: Database, filter: InstanceFilter, conditions: readonly Condition[]): Promise<number> {
  const instances = database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select((eb) => eb.fn.countAll<number>().as('total')).where('r.tenant', '=', TENANT).where((eb) => eb.and([...conditions]));
  const query = (filter.versionNumbers?.length ?? 0) > 0 ? instances.innerJoin('dag_versions as v', 'v.id', 'r.version_id') : instances;
  return (await query.executeTakeFirstOrThrow()).total;
}

/** A task instance by the names in a path. */
export interface InstanceKey {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

/** One task instance; null when there is none. */
export async function findInstanceRow(database: Database, key: InstanceKey): Promise<InstanceListRow | null> {
  const row = await selectInstances(database).where('r.dag_id', '=', key.dagId).where('r.run_id', '=', key.runId)
    .where('t.task_id', '=', key.taskId).where('t.map_index', '=', key.mapIndex).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

const MAX_BY_KEY = 10_000;

/** Task instances by run and key, in that order of run, task and index; at most 10,000. What a clear or mark answers with. */
export async function listInstancesByKey(database: Database, keys: readonly { run: string; taskId: string; mapIndex: number }[]): Promise<readonly InstanceListRow[]> {
  if (keys.length === 0) return [];
  const wanted = JSON.stringify(keys.slice(0, MAX_BY_KEY).map((key) => ({ run: key.run, task_id: key.taskId, map_index: key.mapIndex })));
  const rows = await selectInstances(database)
    .where(sql<SqlBool>`(t.run, t.task_id, t.map_index) in (select x.run, x.task_id, x.map_index from json_to_recordset(${wanted}::json) as x(run uuid, task_id text, map_index int))`)
    .orderBy('r.run_after').orderBy('t.run').orderBy('t.task_id').orderBy('t.map_index').limit(MAX_BY_KEY).execute();
  return rows.map(fromRow);
}

/** What a try rendered of its template fields, by its id. */
export async function findRenderedFields(database: Database, attemptId: string | null): Promise<Readonly<Record<string, unknown>>> {
  if (attemptId === null) return {};
  const row = await database.kysely.selectFrom('task_attempts').select('rendered_fields').where('id', '=', attemptId).executeTakeFirst();
  const fields = row?.rendered_fields;
  return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : {};
}

/** Sets or clears the notes of instances. */
export async function setInstanceNotes(database: Database, rows: readonly Pick<InstanceListRow, 'run' | 'taskId' | 'mapIndex'>[], note: string | null): Promise<void> {
  for (const row of rows) {
    await database.kysely.updateTable('task_instances').set({ note }).where('run', '=', row.run).where('task_id', '=', row.taskId).where('map_index', '=', row.mapIndex).execute();
  }
}

function selectInstances(database: Database) {
  return database.kysely.selectFrom('task_instances as t')
    .innerJoin('dag_runs as r', 'r.id', 't.run')
    .innerJoin('dags as d', (join) => join.onRef('d.tenant', '=', 'r.tenant').onRef('d.dag_id', '=', 'r.dag_id'))
    .innerJoin('dag_versions as v', 'v.id', 'r.version_id')
    .select([
      't.run', 'r.dag_id', 'r.run_id', 't.task_id', 't.map_index', 't.state', 't.attempt_id', 't.execution_id', 't.try_number', 't.max_tries', 't.operator', 't.pool', 't.pool_slots',
      't.queue', 't.priority_weight', 't.scheduled_at', 't.queued_at', 't.start_date', 't.end_date', 't.reason', 't.hostname', 't.pid', 't.note', 't.rendered_map_index',
      'r.logical_date', 'r.run_after', 'd.display_name', 'd.bundle', 'v.id as version_id', 'v.number as version_number', 'v.created_at as version_created_at',
    ])
    .where('r.tenant', '=', TENANT);
}

type RawInstance = Awaited<ReturnType<ReturnType<typeof selectInstances>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawInstance): InstanceListRow {
  return {
    run: row.run, dagId: row.dag_id, runId: row.run_id, taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState, attemptId: row.attempt_id,
    executionId: row.execution_id, tryNumber: row.try_number, maxTries: row.max_tries, operator: row.operator, pool: row.pool, poolSlots: row.pool_slots, queue: row.queue,
    priorityWeight: row.priority_weight, scheduledAt: row.scheduled_at, queuedAt: row.queued_at, startDate: row.start_date, endDate: row.end_date, reason: row.reason,
    hostname: row.hostname, pid: row.pid, note: row.note, renderedMapIndex: row.rendered_map_index, logicalDate: row.logical_date, runAfter: row.run_after,
    version: { id: row.version_id, dagId: row.dag_id, number: row.version_number, displayName: row.display_name, bundle: row.bundle, createdAt: row.version_created_at },
  };
}
