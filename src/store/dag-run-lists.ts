// Reading runs for people: lists with filters, and one run with its version. Creating and planning are in dag-runs.ts.
import { sql, type SqlBool } from 'kysely';
import type { RunState, RunType, TriggeredBy } from '#contract/states.ts';
import type { Database } from './database.ts';
import {
  cappedLimit, type Column, type Condition, inRange, isAnyOf, isLike, type Listed, type OrderKeys, orderTerms, type Page, type Range, secondsBetween, TENANT,
} from './list-query.ts';
import type { VersionRow } from './dag-version-lists.ts';

/** A run with its DAG’s name and its version. */
export interface RunListRow {
  readonly id: string;
  readonly dagId: string;
  readonly runId: string;
  readonly displayName: string;
  readonly runType: RunType;
  readonly state: RunState;
  readonly logicalDate: Date | null;
  readonly intervalStart: Date | null;
  readonly intervalEnd: Date | null;
  readonly runAfter: Date;
  readonly queuedAt: Date;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  readonly lastDecision: Date | null;
  readonly conf: unknown;
  readonly triggeredBy: TriggeredBy;
  readonly user: string | null;
  readonly note: string | null;
  readonly partitionKey: string | null;
  readonly version: VersionRow;
}

/** What runs must match; null and empty lists match all. */
export interface RunFilter {
  readonly dagIds: readonly string[] | null;
  readonly states: readonly (string | null)[] | null;
  readonly runTypes: readonly string[] | null;
  readonly versionNumbers: readonly number[] | null;
  readonly runAfter: Range<string>;
  readonly logicalDate: Range<string>;
  readonly startDate: Range<string>;
  readonly endDate: Range<string>;
  readonly updatedAt: Range<string>;
  readonly duration: Range<number>;
  readonly confContains: string | null;
  readonly runIdPattern: string | null;
  readonly dagIdPattern: string | null;
  readonly userPattern: string | null;
  readonly partitionKeyPattern: string | null;
  /** A filter that no run of this version can pass (bundle versions). */
  readonly nothing: boolean;
}

const NO_RANGE = { gte: null, gt: null, lte: null, lt: null } as const;

/** A filter that lets every run pass, to be narrowed. */
export const ANY_RUN: RunFilter = {
  dagIds: null, states: null, runTypes: null, versionNumbers: null, runAfter: NO_RANGE, logicalDate: NO_RANGE, startDate: NO_RANGE, endDate: NO_RANGE, updatedAt: NO_RANGE,
  duration: NO_RANGE, confContains: null, runIdPattern: null, dagIdPattern: null, userPattern: null, partitionKeyPattern: null, nothing: false,
};

const column = (name: string): Column => sql.ref(`r.${name}`);
const DURATION = secondsBetween(column('start_date'), column('end_date'));
const ORDER_KEYS: OrderKeys = {
  id: column('id'), state: column('state'), dag_id: column('dag_id'), run_id: column('run_id'), dag_run_id: column('run_id'), logical_date: column('logical_date'),
  run_after: column('run_after'), start_date: column('start_date'), end_date: column('end_date'), updated_at: column('updated_at'), conf: sql`r.conf::text`, duration: DURATION,
};

// `not finished` follows from the states and is what the partial index of unfinished runs asks for.
function runConditions(filter: RunFilter): Condition[] {
  return [
    ...isAnyOf(column('dag_id'), filter.dagIds), ...isAnyOf(column('state'), filter.states), ...isAnyOf(column('run_type'), filter.runTypes),
    ...(filter.states !== null && filter.states.length > 0 && filter.states.every((state) => state === 'queued' || state === 'running') ? [sql<SqlBool>`not r.finished`] : []),
    ...isAnyOf(sql.ref('v.number'), filter.versionNumbers),
    ...inRange(column('run_after'), filter.runAfter), ...inRange(column('logical_date'), filter.logicalDate), ...inRange(column('start_date'), filter.startDate),
    ...inRange(column('end_date'), filter.endDate), ...inRange(column('updated_at'), filter.updatedAt), ...inRange(DURATION, filter.duration),
    ...(filter.confContains === null || filter.confContains === '' ? [] : [sql<SqlBool>`strpos(r.conf::text, ${filter.confContains}) > 0`]),
    ...isLike(column('run_id'), filter.runIdPattern), ...isLike(column('dag_id'), filter.dagIdPattern), ...isLike(column('triggering_user'), filter.userPattern),
    ...isLike(column('partition_key'), filter.partitionKeyPattern),
    ...(filter.nothing ? [sql<SqlBool>`false`] : []),
  ];
}

/** Runs of a page. Throws `usage` on an order key that is not allowed. */
export async function listRuns(database: Database, filter: RunFilter, page: Page): Promise<Listed<RunListRow>> {
  const conditions = runConditions(filter);
  const order = orderTerms(page.orderBy, ORDER_KEYS, [column('id')]);
  let query = selectRuns(database).where((eb) => eb.and(conditions));
  const total = await countRuns(database, filter, conditions);
  for (const term of order) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total };
}

/** Without the joins that no condition needs: they are most of the work for a DAG with many runs. */
async function countRuns(database: Database, filter: RunFilter, conditions: readonly Condition[]): Promise<number> {
  const runs = database.kysely.selectFrom('dag_runs as r').select((eb) => eb.fn.countAll<number>().as('total')).where('r.tenant', '=', TENANT).where((eb) => eb.and([...conditions]));
  const query = (filter.versionNumbers?.length ?? 0) > 0 ? runs.innerJoin('dag_versions as v', 'v.id', 'r.version_id') : runs;
  return (await query.executeTakeFirstOrThrow()).total;
}

/** One run; null when there is none. */
export async function findRun(database: Database, dagId: string, runId: string): Promise<RunListRow | null> {
  const row = await selectRuns(database).where('r.dag_id', '=', dagId).where('r.run_id', '=', runId).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** Sets or clears a run's note. */
export async function setRunNote(database: Database, run: string, note: string | null): Promise<void> {
  await database.kysely.updateTable('dag_runs').set({ note }).where('id', '=', run).execute();
}

function selectRuns(database: Database) {
  return database.kysely.selectFrom('dag_runs as r')
    .innerJoin('dags as d', (join) => join.onRef('d.tenant', '=', 'r.tenant').onRef('d.dag_id', '=', 'r.dag_id'))
    .innerJoin('dag_versions as v', 'v.id', 'r.version_id')
    .select([
      'r.id', 'r.dag_id', 'r.run_id', 'd.display_name', 'r.run_type', 'r.state', 'r.logical_date', 'r.data_interval_start', 'r.data_interval_end', 'r.run_after', 'r.queued_at',
      'r.start_date', 'r.end_date', 'r.last_decision', 'r.conf', 'r.triggered_by', 'r.triggering_user', 'r.note', 'r.partition_key', 'd.bundle',
      'v.id as version_id', 'v.number as version_number', 'v.created_at as version_created_at',
    ])
    .where('r.tenant', '=', TENANT);
}

type RawRun = Awaited<ReturnType<ReturnType<typeof selectRuns>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawRun): RunListRow {
  return {
    id: row.id, dagId: row.dag_id, runId: row.run_id, displayName: row.display_name, runType: row.run_type as RunType, state: row.state as RunState,
    logicalDate: row.logical_date, intervalStart: row.data_interval_start, intervalEnd: row.data_interval_end, runAfter: row.run_after, queuedAt: row.queued_at,
    startDate: row.start_date, endDate: row.end_date, lastDecision: row.last_decision, conf: row.conf, triggeredBy: row.triggered_by as TriggeredBy,
    user: row.triggering_user, note: row.note, partitionKey: row.partition_key,
    version: { id: row.version_id, dagId: row.dag_id, number: row.version_number, displayName: row.display_name, bundle: row.bundle, createdAt: row.version_created_at },
  };
}
