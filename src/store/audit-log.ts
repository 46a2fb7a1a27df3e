// The table audit_log: who changed what, and when.
import { sql, type SqlBool } from 'kysely';
import type { Database } from './database.ts';
import { cappedLimit, type Column, type Condition, isAnyOf, isEqual, isLike, type Listed, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';

/** An entry to be written. */
interface AuditEntry {
  readonly event: string;
  readonly owner: string | null;
  readonly dagId: string | null;
  readonly taskId: string | null;
  readonly runId: string | null;
  readonly mapIndex: number | null;
  readonly tryNumber: number | null;
  /** JSON text, secrets masked. */
  readonly extra: string | null;
}

/** An entry as it is listed. */
export interface AuditRow extends AuditEntry {
  readonly id: number;
  readonly at: Date;
  readonly displayName: string | null;
  readonly logicalDate: Date | null;
}

/** What entries must match; null and empty lists match all. */
interface AuditFilter {
  readonly dagId: string | null;
  readonly taskId: string | null;
  readonly runId: string | null;
  readonly mapIndex: number | null;
  readonly tryNumber: number | null;
  readonly owner: string | null;
  readonly event: string | null;
  readonly excludedEvents: readonly string[];
  readonly includedEvents: readonly string[];
  readonly before: string | null;
  readonly after: string | null;
  readonly dagIdPattern: string | null;
  readonly taskIdPattern: string | null;
  readonly runIdPattern: string | null;
  readonly ownerPattern: string | null;
  readonly eventPattern: string | null;
}

/** Writes one entry. */
export async function recordAudit(database: Database, entry: AuditEntry): Promise<void> {
  await database.kysely.insertInto('audit_log').values({
    event: entry.event, owner: entry.owner, dag_id: entry.dagId, task_id: entry.taskId, run_id: entry.runId, map_index: entry.mapIndex, try_number: entry.tryNumber, extra: entry.extra,
  }).execute();
}

const column = (name: string): Column => sql.ref(`a.${name}`);
const LOGICAL_DATE = sql<Date | null>`(select r.logical_date from dag_runs r where r.tenant = a.tenant and r.dag_id = a.dag_id and r.run_id = a.run_id)`;
const ORDER_KEYS: OrderKeys = {
  id: column('id'), event_log_id: column('id'), dttm: column('at'), when: column('at'), dag_id: column('dag_id'), task_id: column('task_id'), run_id: column('run_id'),
  event: column('event'), logical_date: LOGICAL_DATE, owner: column('owner'), extra: column('extra'),
};

function auditConditions(filter: AuditFilter): Condition[] {
  return [
    ...isEqual(column('dag_id'), filter.dagId), ...isEqual(column('task_id'), filter.taskId), ...isEqual(column('run_id'), filter.runId), ...isEqual(column('map_index'), filter.mapIndex),
    ...isEqual(column('try_number'), filter.tryNumber), ...isEqual(column('owner'), filter.owner), ...isEqual(column('event'), filter.event),
    ...(filter.excludedEvents.length === 0 ? [] : [sql<SqlBool>`not a.event = any(${filter.excludedEvents}::text[])`]),
    ...isAnyOf(column('event'), filter.includedEvents),
    ...(filter.before === null ? [] : [sql<SqlBool>`a.at < ${filter.before}`]), ...(filter.after === null ? [] : [sql<SqlBool>`a.at > ${filter.after}`]),
    ...isLike(column('dag_id'), filter.dagIdPattern), ...isLike(column('task_id'), filter.taskIdPattern), ...isLike(column('run_id'), filter.runIdPattern),
    ...isLike(column('owner'), filter.ownerPattern), ...isLike(column('event'), filter.eventPattern),
  ];
}

/** Entries of a page. */
export async function listAudit(database: Database, filter: AuditFilter, page: Page): Promise<Listed<AuditRow>> {
  const conditions = auditConditions(filter);
  let query = selectAudit(database).where((eb) => eb.and(conditions));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total: counted.total };
}

/** One entry; null when there is none. */
export async function findAudit(database: Database, id: number): Promise<AuditRow | null> {
  const row = await selectAudit(database).where('a.id', '=', id).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

function selectAudit(database: Database) {
  return database.kysely.selectFrom('audit_log as a')
    .leftJoin('dags as d', (join) => join.onRef('d.tenant', '=', 'a.tenant').onRef('d.dag_id', '=', 'a.dag_id'))
    .selectAll('a').select(['d.display_name', LOGICAL_DATE.as('logical_date')]).where('a.tenant', '=', TENANT);
}

type RawAudit = Awaited<ReturnType<ReturnType<typeof selectAudit>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawAudit): AuditRow {
  return {
    id: row.id, at: row.at, event: row.event, owner: row.owner, dagId: row.dag_id, taskId: row.task_id, runId: row.run_id, mapIndex: row.map_index, tryNumber: row.try_number,
    extra: row.extra, displayName: row.display_name, logicalDate: row.logical_date,
  };
}
