// Events of partitions that wait for a run of a DAG that is scheduled by partitions: which key of the DAG they belong to, and making its run, in one statement.
import type pg from 'pg';
import type { RunUuid, VersionId } from '#contract/ids.ts';
import type { QueuedAsset } from '#core/asset-condition.ts';
import { isoOf } from '#platform/clock.ts';

type Query = Pick<pg.Client, 'query'>;

/** Queued events of one asset and one of its partitions. */
export interface PartitionArrival {
  readonly dagId: string;
  readonly versionId: VersionId;
  readonly asset: Omit<QueuedAsset, 'aliases'>;
  readonly sourceKey: string;
  readonly eventIds: readonly number[];
}

// A limit of one keeps a lookup a lookup, as in `listAwaiting`.
const LIST_ARRIVALS = `/* store/partition-queue.listArrivals */
select q.dag_id, d.version_id, a.name, a.uri, a.active, e.partition_key, array_agg(q.event_id order by q.event_id) as events
from (select distinct r.dag_id from dag_asset_references r where r.tenant = 'default' and r.partitioned and ($2::text[] is null or r.dag_id = any($2)) and not r.dag_id = any($3::text[])) r
cross join lateral (select * from queued_asset_events w where w.tenant = 'default' and w.dag_id = r.dag_id order by w.asset_id, w.event_id limit $1) q
cross join lateral (select * from asset_events where id = q.event_id limit 1) e cross join lateral (select * from assets where id = q.asset_id limit 1) a
cross join lateral (select * from dags where tenant = 'default' and dag_id = q.dag_id limit 1) d
where e.partition_key is not null and not d.is_paused and not d.is_stale and d.version_id is not null
group by q.dag_id, d.version_id, a.name, a.uri, a.active, e.partition_key order by min(q.event_id) limit $1`;

/** What has come for DAGs that are scheduled by partitions and not paused, oldest first. @param of `only`: of these DAGs, else of all `except` those */
export async function listArrivals(client: Query, of: { readonly limit: number; readonly only: readonly string[] | null; readonly except: readonly string[] }): Promise<PartitionArrival[]> {
  const { rows } = await client.query(LIST_ARRIVALS, [of.limit, of.only, of.except]);
  return (rows as { dag_id: string; version_id: VersionId; name: string; uri: string; active: boolean; partition_key: string; events: number[] }[]).map((row) => ({
    dagId: row.dag_id, versionId: row.version_id, asset: { name: row.name, uri: row.uri, isActive: row.active }, sourceKey: row.partition_key, eventIds: row.events,
  }));
}

/** Assets that a partition of a DAG has events of, by its key. */
export async function listGathered(client: Query, of: { readonly dagId: string; readonly keys: readonly string[] }): Promise<ReadonlyMap<string, readonly QueuedAsset[]>> {
  const { rows } = await client.query(`/* store/partition-queue.listGathered */ select p.partition_key, json_agg(json_build_object('name', a.name, 'uri', a.uri, 'isActive', a.active, 'aliases', '[]'::json)) as assets
    from (select distinct partition_key, asset_id from partition_events where tenant = 'default' and dag_id = $1 and partition_key = any($2)) p join assets a on a.id = p.asset_id group by p.partition_key`, [of.dagId, of.keys]);
  return new Map((rows as { partition_key: string; assets: QueuedAsset[] }[]).map((row) => [row.partition_key, row.assets]));
}

/** Where arrived events belong. `run` when the key's condition holds with them. */
export interface PartitionPlace { readonly key: string; readonly run: { readonly id: RunUuid; readonly runId: string } | null }

const PLACE = `/* store/partition-queue.place */
with fence as (select 1 from leader where epoch = $1 for share),
dag as (select d.version_id from dags d, fence where d.tenant = 'default' and d.dag_id = $2 and d.version_id = $3 and not d.is_paused and not d.is_stale for key share of d),
places as (select x.key, x.id, x.run_id from json_to_recordset($4::json) as x(key text, id uuid, run_id text)),
taken as (delete from queued_asset_events q using dag where q.tenant = 'default' and q.dag_id = $2 and q.event_id = any($5::bigint[]) returning q.asset_id, q.event_id),
kept as (
  insert into partition_events (dag_id, partition_key, asset_id, event_id) select $2, p.key, t.asset_id, t.event_id from taken t cross join places p where p.id is null on conflict do nothing
), made as (
  insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, run_after, partition_key, triggered_by)
  select p.id, $2, p.run_id, 'asset_triggered', 'queued', dag.version_id, $6, p.key, 'asset' from places p cross join dag where p.id is not null and exists (select 1 from taken) returning id, partition_key
), gone as (
  delete from partition_events g using made where g.tenant = 'default' and g.dag_id = $2 and g.partition_key = any($7::text[]) and g.partition_key = made.partition_key returning made.id, g.event_id
), noted as (
  insert into consumed_asset_events (run, event_id) select id, event_id from gone union select made.id, t.event_id from made cross join taken t
), told as (select id, pg_notify('leoflow_run', id::text) from made)
select (select count(*)::int from taken) as taken, (select coalesce(array_agg(id), '{}') from told) as runs`;

/** Takes arrived events to the keys that they belong to, and makes the runs of those that are whole. Null: the DAG has changed, or this leader's term is over; nothing was taken. */
export async function placeArrival(client: Query, epoch: number, { arrival, places, nowMs }: { readonly arrival: PartitionArrival; readonly places: readonly PartitionPlace[]; readonly nowMs: number }): Promise<readonly RunUuid[] | null> {
  const rows = JSON.stringify(places.map(({ key, run }) => ({ key, id: run?.id ?? null, run_id: run?.runId ?? null })));
  const result = await client.query(PLACE, [epoch, arrival.dagId, arrival.versionId, rows, arrival.eventIds, isoOf(nowMs), places.flatMap(({ key, run }) => (run === null ? [] : [key]))]);
  const [row] = result.rows as { taken: number; runs: RunUuid[] }[];
  return row === undefined || row.taken === 0 ? null : row.runs;
}
