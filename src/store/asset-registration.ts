// What a DAG's current version names of assets, written down with its registration: assets, aliases, references and watchers, and which assets are active.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Dag } from '#contract/dag.ts';
import { makeUuidV7 } from '#contract/ids.ts';
import { type ConditionParts, conditionOf, type NamedAsset, partsOfCondition } from '#core/asset-condition.ts';
import type { Database } from './database.ts';
import { TENANT } from './list-query.ts';

type Executor = Database['kysely'];

interface TaskReference { readonly task_id: string; readonly direction: 'inlet' | 'outlet'; readonly name: string; readonly uri: string }

interface Named {
  readonly assets: ReadonlyMap<string, Omit<NamedAsset, 'watchers'>>;
  readonly aliases: ReadonlyMap<string, string>;
  readonly tasks: readonly TaskReference[];
  readonly schedule: ConditionParts;
  readonly isPartitioned: boolean;
}

/** Two registrations never decide at the same time which asset of a name is active: "assets" in ASCII. */
const LOCK = 0x617373657473n;

/**
 * Makes what the DAG names known, and what its version before named no more its own. Part of the registration's transaction.
 * @param nowMs epoch milliseconds
 */
export async function registerAssets(trx: Executor, dag: Dag, nowMs: number): Promise<void> {
  const named = namedBy(dag);
  if (named.assets.size + named.aliases.size + named.schedule.names.length + named.schedule.uris.length > 0) {
    await lock(trx);
    await storeNamed(trx, named);
  } else if ((await referenced(trx, [dag.dag_id])).length === 0) return;
  else await lock(trx);
  if (conditionOf(dag.timetable) === null || (await changesKind(trx, dag.dag_id, named))) await dropQueued(trx, [dag.dag_id]);
  const before = await dropReferences(trx, [dag.dag_id]);
  await storeReferences(trx, dag.dag_id, named);
  await storeWatchers(trx, { dagId: dag.dag_id, named, nowMs });
  await activate(trx, [...before, ...(await referenced(trx, [dag.dag_id]))]);
}

/** The DAGs are gone, or their files are: their references go, and assets that nobody else names are not active any more. */
export async function forgetAssetsOf(trx: Executor, dagIds: readonly string[]): Promise<void> {
  if ((await referenced(trx, dagIds)).length === 0) return;
  await lock(trx);
  const before = await dropReferences(trx, dagIds);
  await trx.deleteFrom('asset_watchers').where('tenant', '=', TENANT).where('dag_id', 'in', [...dagIds]).execute();
  await dropQueued(trx, dagIds);
  await activate(trx, before);
}

async function dropQueued(trx: Executor, dagIds: readonly string[]): Promise<void> {
  for (const table of ['queued_asset_events', 'partition_events'] as const) await trx.deleteFrom(table).where('tenant', '=', TENANT).where('dag_id', 'in', [...dagIds]).execute();
}

/** True when it goes over to partitions, or back: events that were queued for the one are never taken for the other. */
async function changesKind(trx: Executor, dagId: string, { isPartitioned }: Named): Promise<boolean> {
  const other = await trx.selectFrom('dag_asset_references').select('dag_id').where('tenant', '=', TENANT).where('dag_id', '=', dagId).where('partitioned', '=', !isPartitioned).limit(1).executeTakeFirst();
  return other !== undefined;
}

async function lock(trx: Executor): Promise<void> {
  await sql`/* store/asset-registration.lock */ select pg_advisory_xact_lock(${String(LOCK)}::bigint)`.execute(trx);
}

function namedBy(dag: Dag): Named {
  const schedule = partsOfCondition(conditionOf(dag.timetable));
  const assets = new Map<string, Omit<NamedAsset, 'watchers'>>();
  const aliases = new Map(schedule.aliases.map(({ name, group }) => [name, group]));
  const tasks: TaskReference[] = [];
  for (const { task_id, inlets, outlets } of dag.tasks) {
    for (const [direction, list] of [['inlet', inlets], ['outlet', outlets]] as const) {
      for (const { name, uri, group = 'asset', extra = {}, alias } of list ?? []) {
        if (alias === true && name !== undefined) aliases.set(name, group);
        // A reference to an asset that is declared elsewhere has one of the two.
        if (alias === true || name === undefined || uri === undefined) continue;
        assets.set(keyOf({ name, uri }), { name, uri, group, extra });
        tasks.push({ task_id, direction, name, uri });
      }
    }
  }
  for (const { watchers: _watchers, ...asset } of schedule.assets) assets.set(keyOf(asset), asset);
  return { assets, aliases, tasks, schedule, isPartitioned: dag.timetable.kind === 'custom' && dag.timetable.partitioned === true };
}

function keyOf({ name, uri }: { readonly name: string; readonly uri: string }): string {
  return JSON.stringify([name, uri]);
}

async function storeNamed(trx: Executor, { assets, aliases }: Named): Promise<void> {
  const named = JSON.stringify([...assets.values()].map(({ group, ...asset }) => ({ ...asset, asset_group: group })));
  await sql`/* store/asset-registration.assets */ insert into assets (name, uri, asset_group, extra)
    select x.name, x.uri, x.asset_group, x.extra from json_to_recordset(${named}::json) as x(name text, uri text, asset_group text, extra json) order by x.name, x.uri
    on conflict (tenant, name, uri) do update set asset_group = excluded.asset_group, extra = excluded.extra, updated_at = clock_timestamp()`.execute(trx);
  const groups = JSON.stringify([...aliases].map(([name, alias_group]) => ({ name, alias_group })));
  await sql`/* store/asset-registration.aliases */ insert into asset_aliases (name, alias_group)
    select x.name, x.alias_group from json_to_recordset(${groups}::json) as x(name text, alias_group text) order by x.name
    on conflict (tenant, name) do update set alias_group = excluded.alias_group, updated_at = clock_timestamp()`.execute(trx);
}

/** @returns the assets that were referred to */
async function dropReferences(trx: Executor, dagIds: readonly string[]): Promise<number[]> {
  const { rows } = await sql<{ asset_id: number | null }>`/* store/asset-registration.drop */
    with of_tasks as (delete from task_asset_references where tenant = ${TENANT} and dag_id = any(${dagIds}::text[]) returning asset_id),
    of_schedules as (delete from dag_asset_references where tenant = ${TENANT} and dag_id = any(${dagIds}::text[]) returning asset_id)
    select asset_id from of_tasks union select asset_id from of_schedules`.execute(trx);
  return rows.flatMap((row) => row.asset_id ?? []);
}

/** Assets that these DAGs refer to; null stands for an alias, a name or a URI. */
async function referenced(trx: Executor, dagIds: readonly string[]): Promise<(number | null)[]> {
  const { rows } = await sql<{ asset_id: number | null }>`/* store/asset-registration.referenced */
    select asset_id from task_asset_references where tenant = ${TENANT} and dag_id = any(${dagIds}::text[])
    union select asset_id from dag_asset_references where tenant = ${TENANT} and dag_id = any(${dagIds}::text[])`.execute(trx);
  return rows.map((row) => row.asset_id);
}

async function storeReferences(trx: Executor, dagId: string, { tasks, schedule, isPartitioned }: Named): Promise<void> {
  await sql`/* store/asset-registration.ofTasks */ insert into task_asset_references (dag_id, task_id, direction, asset_id)
    select ${dagId}, x.task_id, x.direction, a.id from json_to_recordset(${JSON.stringify(tasks)}::json) as x(task_id text, direction text, name text, uri text)
    cross join lateral (select id from assets where tenant = ${TENANT} and name = x.name and uri = x.uri limit 1) a on conflict do nothing`.execute(trx);
  const references = JSON.stringify([
    ...schedule.assets.map(({ name, uri }) => ({ kind: 'asset', name, uri })), ...schedule.aliases.map(({ name }) => ({ kind: 'alias', name, uri: '' })),
    ...schedule.names.map((name) => ({ kind: 'name', name, uri: '' })), ...schedule.uris.map((uri) => ({ kind: 'uri', name: '', uri })),
  ]);
  await sql`/* store/asset-registration.ofSchedule */ insert into dag_asset_references (dag_id, kind, name, uri, asset_id, partitioned)
    select ${dagId}, x.kind, x.name, x.uri, a.id, ${isPartitioned} from json_to_recordset(${references}::json) as x(kind text, name text, uri text)
    left join lateral (select id from assets where x.kind = 'asset' and tenant = ${TENANT} and name = x.name and uri = x.uri limit 1) a on true on conflict do nothing`.execute(trx);
}

/** A watcher that stays the same keeps its id: its trigger runs on. */
async function storeWatchers(trx: Executor, of: { readonly dagId: string; readonly named: Named; readonly nowMs: number }): Promise<void> {
  const watchers = JSON.stringify(of.named.schedule.assets.flatMap(({ name: asset, uri, watchers: list }) => list.map((watcher) => {
    const kwargs = JSON.stringify(watcher.kwargs);
    return { id: makeUuidV7(of.nowMs), asset, uri, name: watcher.name, classpath: watcher.classpath, kwargs, digest: createHash('sha256').update(`${watcher.classpath} ${kwargs}`).digest('hex') };
  })));
  await sql`/* store/asset-registration.watchers */ with named as (
      select x.id, a.id as asset_id, x.name, x.classpath, x.kwargs, x.digest
      from json_to_recordset(${watchers}::json) as x(id uuid, asset text, uri text, name text, classpath text, kwargs text, digest text) cross join lateral (select id from assets where tenant = ${TENANT} and name = x.asset and uri = x.uri limit 1) a
    ), gone as (
      delete from asset_watchers w where w.tenant = ${TENANT} and w.dag_id = ${of.dagId} and not exists (select 1 from named n where n.asset_id = w.asset_id and n.digest = w.digest)
    )
    insert into asset_watchers (id, dag_id, asset_id, name, classpath, kwargs, digest) select id, ${of.dagId}, asset_id, name, classpath, kwargs, digest from named
    on conflict (tenant, dag_id, asset_id, digest) do update set name = excluded.name`.execute(trx);
}

/**
 * Of these assets those that nobody names are not active any more; then those that are named, and others of the same name or URI, are active unless
 * another is, the oldest first. Source: Airflow 3.2.1 `_update_asset_orphanage`.
 */
async function activate(trx: Executor, touched: readonly (number | null)[]): Promise<void> {
  const ids = touched.filter((id) => id !== null);
  await sql`/* store/asset-registration.orphan */ update assets a set active = false where a.id = any(${ids}::bigint[]) and a.active
    and not exists (select 1 from task_asset_references r where r.asset_id = a.id) and not exists (select 1 from dag_asset_references r where r.asset_id = a.id)`.execute(trx);
  await sql`/* store/asset-registration.activate */ with wanting as (
      select a.id, a.name, a.uri from assets a join assets t on t.tenant = a.tenant and (t.name = a.name or t.uri = a.uri)
      where t.id = any(${ids}::bigint[]) and a.tenant = ${TENANT} and not a.active
        and (exists (select 1 from task_asset_references r where r.asset_id = a.id) or exists (select 1 from dag_asset_references r where r.asset_id = a.id))
        and not exists (select 1 from assets o where o.tenant = a.tenant and o.active and (o.name = a.name or o.uri = a.uri))
    )
    update assets a set active = true from wanting w where a.id = w.id and not exists (select 1 from wanting o where o.id < w.id and (o.name = w.name or o.uri = w.uri))`.execute(trx);
}
