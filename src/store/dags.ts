// The table dags: lists, one DAG, pausing and deleting. Registration is in dag-versions.ts.
import { sql, type SqlBool } from 'kysely';
import type { RunState } from '#contract/states.ts';
import { forgetAssetsOf } from './asset-registration.ts';
import { type Database, translateDatabaseError } from './database.ts';
import { cappedLimit, type Column, type Condition, inRange, isAnyOf, isEqual, isLike, type Listed, type OrderKeys, orderTerms, type Page, type Range, TENANT } from './list-query.ts';
import { BELOW_RUN } from './run-deletion.ts';

/** A DAG without its version’s spec. */
export interface DagRow {
  readonly dagId: string;
  readonly displayName: string;
  readonly description: string | null;
  readonly fileloc: string;
  readonly bundle: string;
  readonly owners: readonly string[];
  readonly tags: readonly string[];
  readonly isPaused: boolean;
  readonly isStale: boolean;
  readonly versionId: string | null;
  readonly timetableSummary: string | null;
  readonly timetableDescription: string | null;
  readonly maxActiveRuns: number;
  readonly maxActiveTasks: number;
  readonly maxConsecutiveFailedRuns: number;
  readonly nextLogicalDate: Date | null;
  readonly nextIntervalStart: Date | null;
  readonly nextIntervalEnd: Date | null;
  readonly nextRunAfter: Date | null;
  readonly lastRegistered: Date;
  readonly parseMs: number | null;
  readonly hasImportErrors: boolean;
}

/** What DAGs must match; null and empty lists match all. */
export interface DagFilter {
  readonly tags: readonly string[];
  readonly tagsMode: 'any' | 'all';
  readonly owners: readonly string[];
  readonly dagIdPattern: string | null;
  readonly displayNamePattern: string | null;
  readonly excludeStale: boolean;
  readonly paused: boolean | null;
  readonly hasImportErrors: boolean | null;
  readonly lastRunState: RunState | null;
  readonly runStates: readonly (string | null)[];
  readonly runStart: Range<string>;
  readonly runEnd: Range<string>;
  readonly bundle: string | null;
  readonly hasAssetSchedule: boolean | null;
  /** Kinds of dag.json's timetable; empty for all. */
  readonly timetableKinds: readonly string[];
  /** A filter on something that no DAG of this version has (favourites, bundle versions): nothing matches. */
  readonly nothing: boolean;
}

const column = (name: string): Column => sql.ref(`dags.${name}`);
const IMPORT_ERRORS = sql<boolean>`exists (select 1 from import_errors e where e.tenant = dags.tenant and e.bundle = dags.bundle and e.filename = dags.fileloc)`;
const lastRun = (name: 'state' | 'start_date' | 'end_date'): Column =>
  sql`(select ${sql.ref(name)} from dag_runs r where r.tenant = dags.tenant and r.dag_id = dags.dag_id order by r.run_after desc, r.id desc limit 1)`;
const TIMETABLE_KIND = sql`(select v.spec -> 'timetable' ->> 'kind' from dag_versions v where v.id = dags.version_id)`;

const ORDER_KEYS: OrderKeys = {
  dag_id: column('dag_id'), dag_display_name: column('display_name'), next_dagrun: column('next_logical_date'),
  state: lastRun('state'), start_date: lastRun('start_date'), last_run_state: lastRun('state'), last_run_start_date: lastRun('start_date'),
};

/** DAGs of a page. Throws `usage` on an order key that is not allowed. */
export async function listDags(database: Database, filter: DagFilter, page: Page): Promise<Listed<DagRow>> {
  const conditions = dagConditions(filter);
  const order = orderTerms(page.orderBy, ORDER_KEYS, [column('dag_id')]);
  let query = selectDags(database).where((eb) => eb.and(conditions));
  for (const term of order) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  const counted = await database.kysely.selectFrom('dags').select((eb) => eb.fn.countAll<number>().as('total')).where('tenant', '=', TENANT).where((eb) => eb.and(conditions)).executeTakeFirstOrThrow();
  return { rows: rows.map(fromRow), total: counted.total };
}

function dagConditions(filter: DagFilter): Condition[] {
  const runConditions = [
    ...isAnyOf(sql.ref('r.state'), filter.runStates), ...inRange(sql.ref('r.start_date'), filter.runStart), ...inRange(sql.ref('r.end_date'), filter.runEnd),
  ];
  return [
    ...(filter.excludeStale ? [sql<SqlBool>`not dags.is_stale`] : []),
    ...isEqual(column('is_paused'), filter.paused),
    ...isLike(column('dag_id'), filter.dagIdPattern),
    ...isLike(column('display_name'), filter.displayNamePattern),
    ...isEqual(column('bundle'), filter.bundle),
    ...(filter.tags.length === 0 ? [] : [filter.tagsMode === 'all' ? sql<SqlBool>`dags.tags @> ${filter.tags}::text[]` : sql<SqlBool>`dags.tags && ${filter.tags}::text[]`]),
    ...(filter.owners.length === 0 ? [] : [sql<SqlBool>`dags.owners && ${filter.owners}::text[]`]),
    ...isEqual(IMPORT_ERRORS, filter.hasImportErrors),
    ...isEqual(lastRun('state'), filter.lastRunState),
    ...(runConditions.length === 0 ? [] : [sql<SqlBool>`exists (select 1 from (select * from dag_runs r where r.tenant = dags.tenant and r.dag_id = dags.dag_id order by r.run_after desc, r.id desc limit 1) r where ${sql.join(runConditions, sql` and `)})`]),
    ...(filter.hasAssetSchedule === null ? [] : [sql<SqlBool>`(${TIMETABLE_KIND} in ('assets', 'asset_or_time')) = ${filter.hasAssetSchedule}`]),
    ...isAnyOf(TIMETABLE_KIND, filter.timetableKinds),
    ...(filter.nothing ? [sql<SqlBool>`false`] : []),
  ];
}

/** One DAG; null when there is none. */
export async function findDag(database: Database, dagId: string): Promise<DagRow | null> {
  const row = await selectDags(database).where('dag_id', '=', dagId).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

function selectDags(database: Database) {
  return database.kysely.selectFrom('dags').selectAll('dags').select(IMPORT_ERRORS.as('has_import_errors')).where('tenant', '=', TENANT);
}

type RawDag = Awaited<ReturnType<ReturnType<typeof selectDags>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawDag): DagRow {
  return {
    dagId: row.dag_id, displayName: row.display_name, description: row.description, fileloc: row.fileloc, bundle: row.bundle, owners: row.owners, tags: row.tags,
    isPaused: row.is_paused, isStale: row.is_stale, versionId: row.version_id, timetableSummary: row.timetable_summary, timetableDescription: row.timetable_description,
    maxActiveRuns: row.max_active_runs, maxActiveTasks: row.max_active_tasks, maxConsecutiveFailedRuns: row.max_consecutive_failed_runs,
    nextLogicalDate: row.next_logical_date, nextIntervalStart: row.next_interval_start, nextIntervalEnd: row.next_interval_end, nextRunAfter: row.next_run_after,
    lastRegistered: row.last_registered, parseMs: row.parse_ms, hasImportErrors: row.has_import_errors,
  };
}

/** Pauses or unpauses DAGs and tells the leader of each. */
export async function setPaused(database: Database, dagIds: readonly string[], isPaused: boolean): Promise<void> {
  await sql`/* store/dags.setPaused */ with changed as (
      update dags set is_paused = ${isPaused} where tenant = ${TENANT} and dag_id = any(${dagIds}::text[]) returning dag_id
    ) select pg_notify('leoflow_dag', dag_id) from changed`.execute(database.kysely);
}

/** Runs of a DAG that are queued or running. */
export async function countActiveRuns(database: Database, dagId: string): Promise<number> {
  const row = await database.kysely.selectFrom('dag_runs').select((eb) => eb.fn.countAll<number>().as('total')).where('tenant', '=', TENANT).where('dag_id', '=', dagId).where('finished', '=', false).executeTakeFirstOrThrow();
  return row.total;
}

/** How deleting a DAG ended. */
type DeletedDag =
  /** With the ids of its executions, whose logs may go too. */
  | { readonly kind: 'deleted'; readonly executions: readonly string[] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'running' };

/** Deletes a DAG with its versions, runs and everything below them. Refused while a task instance runs. */
export async function deleteDag(database: Database, dagId: string): Promise<DeletedDag> {
  try {
    return await database.kysely.transaction().execute(async (trx) => {
      const dag = await trx.selectFrom('dags').select('dag_id').where('tenant', '=', TENANT).where('dag_id', '=', dagId).forUpdate().executeTakeFirst();
      if (dag === undefined) return { kind: 'unknown' };
      const runs = sql`(select id from dag_runs where tenant = ${TENANT} and dag_id = ${dagId})`;
      const running = await sql`/* store/dags.running */ select 1 from task_instances where run in ${runs} and state = 'running' limit 1`.execute(trx);
      if (running.rows.length > 0) return { kind: 'running' };
      const executions = await sql<{ id: string }>`/* store/dags.executions */ select id from executions where run in ${runs} order by id limit 1000000`.execute(trx);
      for (const table of BELOW_RUN) {
        await sql`/* store/dags.deleteBelow */ delete from ${sql.table(table)} where run in ${runs}`.execute(trx);
      }
      await trx.deleteFrom('dag_runs').where('tenant', '=', TENANT).where('dag_id', '=', dagId).execute();
      await forgetAssetsOf(trx, [dagId]);
      await trx.updateTable('dags').set({ version_id: null }).where('tenant', '=', TENANT).where('dag_id', '=', dagId).execute();
      await trx.deleteFrom('dag_versions').where('tenant', '=', TENANT).where('dag_id', '=', dagId).execute();
      await trx.deleteFrom('dags').where('tenant', '=', TENANT).where('dag_id', '=', dagId).execute();
      await sql`/* store/dags.tell */ select pg_notify('leoflow_dag', ${dagId})`.execute(trx);
      return { kind: 'deleted', executions: executions.rows.map((row) => row.id) };
    });
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** Distinct tags. */
export async function listTags(database: Database, pattern: string | null, page: Page): Promise<Listed<string>> {
  const tag = sql.ref('tag');
  const [term] = orderTerms(page.orderBy, { name: tag }, []);
  const like = isLike(tag, pattern);
  const where = like.length === 0 ? sql`true` : sql.join(like, sql` and `);
  const direction = term?.direction === 'desc' ? sql`desc` : sql`asc`;
  const { rows } = await sql<{ tag: string; total: number }>`/* store/dags.listTags */
    with found as (select distinct tag from dags, unnest(tags) as tag where tenant = ${TENANT} and ${where}), counted as (select count(*) as total from found)
    select page.tag, counted.total from counted left join (select tag from found order by tag ${direction} limit ${cappedLimit(page)} offset ${page.offset}) page on true
    order by page.tag ${direction}`.execute(database.kysely);
  return { rows: rows.flatMap((row) => (row.tag === null ? [] : [row.tag])), total: rows[0]?.total ?? 0 };
}

/** A DAG’s runs, counted by state. */
interface DagStats {
  readonly dagId: string;
  readonly displayName: string;
  readonly counts: Readonly<Record<string, number>>;
}

const MAX_STATS = 10_000;

/** Runs by state for each DAG that has any; at most 10,000 DAGs. */
export async function listDagStats(database: Database, dagIds: readonly string[]): Promise<readonly DagStats[]> {
  const { rows } = await sql<{ dag_id: string; display_name: string; counts: Record<string, number> }>`/* store/dags.listDagStats */
    select d.dag_id, d.display_name, json_object_agg(s.state, s.runs) as counts from dags d
    join (select dag_id, state, count(*)::int as runs from dag_runs where tenant = ${TENANT} and (${dagIds.length === 0} or dag_id = any(${dagIds}::text[])) group by dag_id, state) s using (dag_id)
    where d.tenant = ${TENANT} group by d.dag_id, d.display_name order by d.dag_id limit ${MAX_STATS}`.execute(database.kysely);
  return rows.map((row) => ({ dagId: row.dag_id, displayName: row.display_name, counts: row.counts }));
}
