// Events that wait for a run: which DAGs have some, and making the run that takes them in one statement.
import type pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import { makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import type { QueuedAsset } from '#core/asset-condition.ts';
import { isoOf } from '#platform/clock.ts';

type Query = Pick<pg.Client, 'query'>;

/** A DAG with queued events that may have a run now. `newestAt` is epoch milliseconds. */
export interface AwaitingDag {
  readonly dagId: string;
  readonly versionId: VersionId;
  readonly newestAt: number;
  readonly assets: readonly (QueuedAsset & { readonly id: number })[];
}

// Of an asset whose schedule does not hold for long there are many rows: each pair of DAG and asset is looked up once, its rows are not counted.
// A limit of one keeps a lookup a lookup: whoever guesses hundreds of pairs would read whole tables for them.
const LIST_AWAITING = `/* store/asset-queue.listAwaiting */
with recursive pairs as (
  (select dag_id, asset_id from queued_asset_events where tenant = 'default' and dag_id > $3 order by dag_id, asset_id limit 1)
  union all
  select n.dag_id, n.asset_id from pairs p cross join lateral (
    select q.dag_id, q.asset_id from queued_asset_events q where q.tenant = 'default' and (q.dag_id, q.asset_id) > (p.dag_id, p.asset_id) order by q.dag_id, q.asset_id limit 1
  ) n
), awaiting as (
  select p.dag_id, max(newest.at) as newest, json_agg(json_build_object('id', a.id, 'name', a.name, 'uri', a.uri, 'isActive', a.active, 'aliases', (
    select coalesce(json_agg(al.name), '[]'::json) from asset_alias_assets x cross join lateral (select name from asset_aliases where id = x.alias_id limit 1) al where x.asset_id = a.id))) as assets
  from pairs p cross join lateral (select * from assets where id = p.asset_id limit 1) a cross join lateral (
    select q.at from queued_asset_events q where q.tenant = 'default' and q.dag_id = p.dag_id and q.asset_id = p.asset_id order by q.event_id desc limit 1
  ) newest where $2::text[] is null or p.dag_id = any($2) group by p.dag_id
)
select d.dag_id, d.version_id, w.newest, w.assets from awaiting w cross join lateral (select * from dags where tenant = 'default' and dag_id = w.dag_id limit 1) d cross join lateral (
  select count(*)::int as active from (select 1 from dag_runs r where r.tenant = d.tenant and r.dag_id = d.dag_id and not r.finished limit d.max_active_runs) unfinished
) own
where not d.is_paused and not d.is_stale and d.version_id is not null and own.active < d.max_active_runs
order by d.dag_id limit $1`;

/** DAGs with queued events that are not paused and not at their max_active_runs, by name. @param of `only`: of these, else of all; `after`: those behind this one, '' for the first */
export async function listAwaiting(client: Query, of: { readonly limit: number; readonly only: readonly string[] | null; readonly after: string }): Promise<AwaitingDag[]> {
  const { rows } = await client.query({ name: 'listAwaiting', text: LIST_AWAITING, values: [of.limit, of.only, of.after] });
  return (rows as { dag_id: string; version_id: VersionId; newest: Date; assets: AwaitingDag['assets'] }[]).map((row) => ({
    dagId: row.dag_id, versionId: row.version_id, newestAt: row.newest.getTime(), assets: row.assets,
  }));
}

// The events of the run are those that were queued, and what came besides since the run before: while the DAG was paused, and before it was there.
// Source: Airflow 3.2.1 `_create_dag_runs_asset_triggered`. The DAG is locked first, as a registration does. The leader hears its own notice: see `createDueRun`.
const CREATE_ASSET_RUN = `/* store/asset-queue.createAssetRun */
with fence as (select 1 from leader where epoch = $1 for share),
dag as (
  select d.version_id from dags d, fence where d.tenant = 'default' and d.dag_id = $2 and d.version_id = $3 and not d.is_paused and not d.is_stale
    and (select count(*) from unnest($4::bigint[]) as a(id) where exists (
      select 1 from queued_asset_events q where q.tenant = 'default' and q.dag_id = $2 and q.asset_id = a.id)) = cardinality($4::bigint[])
  for key share of d
), taken as (
  delete from queued_asset_events q using dag where q.tenant = 'default' and q.dag_id = $2 returning q.event_id
), made as (
  insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, run_after, triggered_by)
  select $5, $2, $6, 'asset_triggered', 'queued', dag.version_id, $7, 'asset' from dag where exists (select 1 from taken) returning id
), since as (
  select coalesce(max(r.run_after), '-infinity') as at from dag_runs r where r.tenant = 'default' and r.dag_id = $2 and r.run_type = 'asset_triggered' and r.run_after < $7
), awaited as (
  select r.asset_id, null as alias from dag_asset_references r where r.tenant = 'default' and r.dag_id = $2 and r.asset_id is not null
  union select x.asset_id, r.name from dag_asset_references r join asset_aliases al on al.tenant = r.tenant and al.name = r.name join asset_alias_assets x on x.alias_id = al.id
    where r.tenant = 'default' and r.dag_id = $2 and r.kind = 'alias'
), besides as (
  select distinct e.id from since cross join awaited w cross join lateral (
    select e.id, e.aliases from asset_events e where e.asset_id = w.asset_id and e.at > since.at and e.at <= $7 order by e.at desc, e.id desc limit $8
  ) e where w.alias is null or w.alias = any(e.aliases)
), noted as (
  insert into consumed_asset_events (run, event_id)
  select made.id, e.event_id from made cross join (
    (select event_id from taken order by event_id desc limit $8)
    union select b.id from besides b where not exists (select 1 from consumed_asset_events c join dag_runs r on r.id = c.run where c.event_id = b.id and r.tenant = 'default' and r.dag_id = $2)
  ) e
), told as (select id, pg_notify('leoflow_run', id::text) from made)
select id from told`;

/**
 * Makes the run for which these assets are queued, and takes all that is queued for its DAG. Null when somebody else was faster, the DAG has
 * changed, or this leader's term is over: nothing was taken then.
 */
export async function createAssetRun(client: Query, epoch: number, due: { readonly dag: AwaitingDag; readonly runId: string; readonly nowMs: number }): Promise<RunUuid | null> {
  const { dag } = due;
  // Without a name it is planned for this DAG: one plan for all would read the whole queue as soon as one DAG has most of it.
  const { rows } = await client.query({ text: CREATE_ASSET_RUN, values: [
    epoch, dag.dagId, dag.versionId, dag.assets.map(({ id }) => id), makeUuidV7<RunUuid>(due.nowMs), due.runId, isoOf(dag.newestAt), LIMITS.maxConsumedEvents,
  ] });
  return (rows as { id: RunUuid }[])[0]?.id ?? null;
}
