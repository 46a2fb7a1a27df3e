// Reading XComs for people: lists without values, and the bytes of one value.
import { sql } from 'kysely';
import type { ValueReader } from '#contract/value-store.ts';
import type { Database } from './database.ts';
import { cappedLimit, type Column, type Condition, inRange, isEqual, isLike, type Listed, type Page, type Range, TENANT } from './list-query.ts';
import { readBytes } from './value-bytes.ts';

/** An XCom without its value. */
export interface XComRow {
  readonly run: string;
  readonly key: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly dagId: string;
  readonly runId: string;
  readonly displayName: string;
  readonly versionId: string;
  readonly logicalDate: Date | null;
  readonly runAfter: Date;
  readonly createdAt: Date;
}

/** What XComs must match; null matches all. */
interface XComFilter {
  readonly dagId: string | null;
  readonly runId: string | null;
  readonly taskId: string | null;
  readonly key: string | null;
  readonly mapIndex: number | null;
  readonly keyPattern: string | null;
  readonly displayNamePattern: string | null;
  readonly runIdPattern: string | null;
  readonly taskIdPattern: string | null;
  readonly logicalDate: Range<string>;
  readonly runAfter: Range<string>;
}

const column = (name: string): Column => sql.ref(name);

/** XComs of a page in Airflow's fixed order: DAG, task, run, map index, key. */
export async function listXComs(database: Database, filter: XComFilter, page: Pick<Page, 'limit' | 'offset'>): Promise<Listed<XComRow>> {
  const conditions: Condition[] = [
    ...isEqual(column('r.dag_id'), filter.dagId), ...isEqual(column('r.run_id'), filter.runId), ...isEqual(column('x.task_id'), filter.taskId), ...isEqual(column('x.key'), filter.key),
    ...isEqual(column('x.map_index'), filter.mapIndex), ...isLike(column('x.key'), filter.keyPattern), ...isLike(column('d.display_name'), filter.displayNamePattern),
    ...isLike(column('r.run_id'), filter.runIdPattern), ...isLike(column('x.task_id'), filter.taskIdPattern), ...inRange(column('r.logical_date'), filter.logicalDate),
    ...inRange(column('r.run_after'), filter.runAfter),
  ];
  const query = selectXComs(database).where((eb) => eb.and(conditions));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  const limit = cappedLimit(page);
  const ordered = query.orderBy('r.dag_id').orderBy('x.task_id').orderBy('r.run_id').orderBy('x.map_index').orderBy('x.key');
  const rows = limit === 0 ? [] : await ordered.limit(limit).offset(page.offset).execute();
  return { rows: rows.map(fromRow), total: counted.total };
}

/** An XCom by the names in a path. */
export interface XComKey {
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly key: string;
}

/**
 * One XCom with its value's bytes, exactly as they were pushed; null when none was. Throws `xcom_lost` when it is recorded but its bytes are gone, expired or changed.
 * @param external where bytes outside PostgreSQL are read; null when there is no such place
 */
export async function findXCom(database: Database, key: XComKey, external: ValueReader | null): Promise<{ row: XComRow; value: Buffer } | null> {
  const found = await selectXComs(database)
    .leftJoin('xcom_values as y', (join) => join.onRef('y.run', '=', 'x.run').onRef('y.task_id', '=', 'x.task_id').onRef('y.map_index', '=', 'x.map_index').onRef('y.key', '=', 'x.key'))
    .select(['y.value', 'x.sha256', 'x.size_bytes', 'x.location', sql<boolean | null>`x.expires_at < clock_timestamp()`.as('expired')])
    .where('r.dag_id', '=', key.dagId).where('r.run_id', '=', key.runId).where('x.task_id', '=', key.taskId).where('x.map_index', '=', key.mapIndex).where('x.key', '=', key.key)
    .executeTakeFirst();
  if (found === undefined) return null;
  const [value] = await readBytes(external, [found], () => `${key.key} of task ${key.taskId} in run ${key.runId}`);
  return value === undefined ? null : { row: fromRow(found), value };
}

function selectXComs(database: Database) {
  return database.kysely.selectFrom('xcoms as x')
    .innerJoin('dag_runs as r', 'r.id', 'x.run')
    .innerJoin('dags as d', (join) => join.onRef('d.tenant', '=', 'r.tenant').onRef('d.dag_id', '=', 'r.dag_id'))
    .select(['x.run', 'x.key', 'x.task_id', 'x.map_index', 'x.created_at', 'r.dag_id', 'r.run_id', 'r.logical_date', 'r.run_after', 'r.version_id', 'd.display_name'])
    .where('r.tenant', '=', TENANT);
}

type RawXCom = Awaited<ReturnType<ReturnType<typeof selectXComs>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawXCom): XComRow {
  return {
    run: row.run, key: row.key, taskId: row.task_id, mapIndex: row.map_index, dagId: row.dag_id, runId: row.run_id, displayName: row.display_name, versionId: row.version_id,
    logicalDate: row.logical_date, runAfter: row.run_after, createdAt: row.created_at,
  };
}
