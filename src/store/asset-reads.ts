// Reading assets and their events, as tasks see them through the Task Execution API.
import { sql, type SqlBool } from 'kysely';
import { LIMITS } from '#contract/config.ts';
import type { Database } from './database.ts';
import { type Condition, TENANT } from './list-query.ts';

/** An asset by what makes it this one; a name or a URI alone names the active one that has it. */
export type AssetNames = { readonly name: string; readonly uri: string } | { readonly name: string } | { readonly uri: string };

/** An asset. `extra` is JSON text. */
export interface AssetRow { readonly id: number; readonly name: string; readonly uri: string; readonly group: string; readonly extra: string }

function conditionsOf(names: AssetNames): Condition[] {
  return [...('name' in names ? [sql<SqlBool>`a.name = ${names.name}`] : []), ...('uri' in names ? [sql<SqlBool>`a.uri = ${names.uri}`] : [])];
}

/** An active asset; null when there is none. */
export async function findAsset(database: Database, names: AssetNames): Promise<AssetRow | null> {
  const row = await database.kysely.selectFrom('assets as a').select(['a.id', 'a.name', 'a.uri', 'a.asset_group', sql<string>`a.extra::text`.as('extra')])
    .where('a.tenant', '=', TENANT).where('a.active', '=', true).where((eb) => eb.and(conditionsOf(names))).limit(1).executeTakeFirst();
  return row === undefined ? null : { id: row.id, name: row.name, uri: row.uri, group: row.asset_group, extra: row.extra };
}

/** Of some assets those that are not active because another one is that has the same name or the same URI. */
export async function listConflicting(database: Database, assets: readonly { readonly name: string; readonly uri: string }[]): Promise<readonly { readonly name: string; readonly uri: string }[]> {
  const { rows } = await sql<{ name: string; uri: string }>`/* store/asset-reads.listConflicting */
    select x.name, x.uri from json_to_recordset(${JSON.stringify(assets)}::json) as x(name text, uri text)
    where exists (select 1 from assets o where o.tenant = ${TENANT} and o.active and (o.name = x.name) <> (o.uri = x.uri))
      and not exists (select 1 from assets own where own.tenant = ${TENANT} and own.active and own.name = x.name and own.uri = x.uri)
    order by x.name, x.uri limit ${LIMITS.maxDagTasks}`.execute(database.kysely);
  return rows;
}

/** Which events: of an asset or of an alias, between two times, both inclusive. */
export interface EventQuery {
  readonly of: { readonly asset: AssetNames } | { readonly alias: string };
  readonly after: string | null;
  readonly before: string | null;
  readonly isAscending: boolean;
  readonly limit: number | null;
}

/** A run that was made for an event. */
export interface CreatedRun {
  readonly run_id: string; readonly dag_id: string; readonly logical_date: string | null; readonly start_date: string | null; readonly end_date: string | null; readonly state: string;
  readonly data_interval_start: string | null; readonly data_interval_end: string | null; readonly partition_key: string | null; readonly run_after: string;
}

/** An event of an asset. `extra` is JSON text. */
export interface AssetEventRow {
  readonly id: number;
  readonly at: Date;
  readonly extra: string;
  readonly aliases: readonly string[];
  readonly asset: AssetRow;
  readonly source: { readonly dagId: string | null; readonly runId: string | null; readonly taskId: string | null; readonly mapIndex: number };
  readonly partitionKey: string | null;
  readonly createdRuns: readonly CreatedRun[];
}

/** Events in order of time; without a limit at most 10,000. */
export async function listAssetEvents(database: Database, query: EventQuery): Promise<readonly AssetEventRow[]> {
  const direction = query.isAscending ? 'asc' : 'desc';
  const conditions: Condition[] = [
    ...('asset' in query.of ? conditionsOf(query.of.asset) : [sql<SqlBool>`e.aliases @> array[${query.of.alias}]::text[]`]),
    ...(query.after === null ? [] : [sql<SqlBool>`e.at >= ${query.after}`]), ...(query.before === null ? [] : [sql<SqlBool>`e.at <= ${query.before}`]),
  ];
  const rows = await selectEvents(database).where((eb) => eb.and(conditions)).orderBy('e.at', direction).orderBy('e.id', direction).limit(Math.min(query.limit ?? MAX_EVENTS, MAX_EVENTS)).execute();
  return rows.map(fromRow);
}

/** The events that a run was made for, oldest first. */
export async function listConsumedEvents(database: Database, run: string): Promise<readonly AssetEventRow[]> {
  const rows = await selectEvents(database).innerJoin('consumed_asset_events as c', 'c.event_id', 'e.id').where('c.run', '=', run).orderBy('e.at').orderBy('e.id').limit(MAX_EVENTS).execute();
  return rows.map(fromRow);
}

const MAX_EVENTS = 10_000;
const CREATED = sql<CreatedRun[]>`(select coalesce(json_agg(json_build_object('run_id', r.run_id, 'dag_id', r.dag_id, 'logical_date', r.logical_date, 'start_date', r.start_date, 'end_date', r.end_date,
  'state', r.state, 'data_interval_start', r.data_interval_start, 'data_interval_end', r.data_interval_end, 'partition_key', r.partition_key, 'run_after', r.run_after) order by r.run_after, r.id), '[]'::json)
  from consumed_asset_events c join dag_runs r on r.id = c.run where c.event_id = e.id)`;

function selectEvents(database: Database) {
  return database.kysely.selectFrom('asset_events as e').innerJoin('assets as a', 'a.id', 'e.asset_id').where('a.tenant', '=', TENANT).select([
    'e.id', 'e.at', sql<string>`e.extra::text`.as('extra'), 'e.aliases', 'e.source_dag_id', 'e.source_run_id', 'e.source_task_id', 'e.source_map_index', 'e.partition_key',
    'a.id as asset_id', 'a.name', 'a.uri', 'a.asset_group', sql<string>`a.extra::text`.as('asset_extra'), CREATED.as('created'),
  ]);
}

type RawEvent = Awaited<ReturnType<ReturnType<typeof selectEvents>['executeTakeFirstOrThrow']>>;

function fromRow(row: RawEvent): AssetEventRow {
  return {
    id: row.id, at: row.at, extra: row.extra, aliases: row.aliases, asset: { id: row.asset_id, name: row.name, uri: row.uri, group: row.asset_group, extra: row.asset_extra },
    source: { dagId: row.source_dag_id, runId: row.source_run_id, taskId: row.source_task_id, mapIndex: row.source_map_index }, partitionKey: row.partition_key, createdRuns: row.created,
  };
}
