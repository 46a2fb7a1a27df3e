// Reading DAG versions for people: lists and one of them. Registration is in dag-versions.ts.
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { cappedLimit, type Column, type Condition, isEqual, type Listed, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';

/** A version without its spec. */
export interface VersionRow {
  readonly id: string;
  readonly dagId: string;
  readonly number: number;
  readonly displayName: string;
  readonly bundle: string;
  readonly createdAt: Date;
}

const column = (name: string): Column => sql.ref(name);
const ORDER_KEYS: OrderKeys = {
  id: column('dag_versions.id'), version_number: column('dag_versions.number'), bundle_name: column('dags.bundle'), bundle_version: sql`null::text`,
};

/** Versions of a DAG, or of all when `dagId` is null. */
export async function listVersions(database: Database, filter: { dagId: string | null; number: number | null; bundle: string | null }, page: Page): Promise<Listed<VersionRow>> {
  const conditions: Condition[] = [
    ...isEqual(column('dag_versions.dag_id'), filter.dagId), ...isEqual(column('dag_versions.number'), filter.number), ...isEqual(column('dags.bundle'), filter.bundle),
  ];
  let query = selectVersions(database).where((eb) => eb.and(conditions));
  const total = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('dag_versions.id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total: total.total };
}

/** One version by its number, the current one when no number is given; null when there is none. */
export async function findVersion(database: Database, dagId: string, number: number | null): Promise<VersionRow | null> {
  const query = selectVersions(database).where('dag_versions.dag_id', '=', dagId);
  const row = await (number === null ? query.whereRef('dags.version_id', '=', 'dag_versions.id') : query.where('dag_versions.number', '=', number)).executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

function selectVersions(database: Database) {
  return database.kysely.selectFrom('dag_versions')
    .innerJoin('dags', (join) => join.onRef('dags.tenant', '=', 'dag_versions.tenant').onRef('dags.dag_id', '=', 'dag_versions.dag_id'))
    .select(['dag_versions.id', 'dag_versions.dag_id', 'dag_versions.number', 'dag_versions.created_at', 'dags.display_name', 'dags.bundle'])
    .where('dag_versions.tenant', '=', TENANT);
}

type RawVersion = Awaited<ReturnType<ReturnType<typeof selectVersions>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawVersion): VersionRow {
  return { id: row.id, dagId: row.dag_id, number: row.number, displayName: row.display_name, bundle: row.bundle, createdAt: row.created_at };
}
