// The table asset_watchers as hosts need it, and the events that its triggers bring.
import type pg from 'pg';
import type { TriggerId, VersionId } from '#contract/ids.ts';
import { QUEUE_EVENTS } from './rare-parts.ts';

type Query = Pick<pg.Client, 'query'>;

/** A watcher and the version whose environment has its trigger's code. `kwargs` is JSON text in Airflow's serialization. */
export interface Watcher {
  readonly id: TriggerId;
  readonly dagId: string;
  readonly versionId: VersionId;
  readonly asset: string;
  readonly classpath: string;
  readonly kwargs: string;
}

const LIST = `/* store/asset-watchers.list */
select distinct on (w.asset_id, w.digest) w.id, w.dag_id, d.version_id, a.name as asset, w.classpath, w.kwargs
from asset_watchers w join assets a on a.id = w.asset_id join dags d on d.tenant = w.tenant and d.dag_id = w.dag_id
where not d.is_paused and not d.is_stale and d.version_id is not null and a.active order by w.asset_id, w.digest, w.dag_id limit $1`;

/** Watchers of unpaused DAGs. When several name the same trigger for the same asset, only the first of them runs it: each event comes once, as in Airflow. */
export async function listWatchers(client: Query, limit: number): Promise<Watcher[]> {
  const { rows } = await client.query(LIST, [limit]);
  return (rows as { id: TriggerId; dag_id: string; version_id: VersionId; asset: string; classpath: string; kwargs: string }[]).map((row) => ({
    id: row.id, dagId: row.dag_id, versionId: row.version_id, asset: row.asset, classpath: row.classpath, kwargs: row.kwargs,
  }));
}

/** What a watcher's trigger brought. `toldId` is its host's name for the event, `extra` JSON text. */
export interface WatchedEvent { readonly toldId: string; readonly watcher: TriggerId; readonly extra: string }

const RECORD = `/* store/asset-watchers.record */
with fence as (select 1 from leader where epoch = $1 for share),
ae as (
  insert into asset_events (asset_id, extra, at, told_id)
  select w.asset_id, x.extra, clock_timestamp(), x.told_id from json_to_recordset($2::json) as x(told_id uuid, watcher uuid, extra json) join asset_watchers w on w.id = x.watcher, fence
  on conflict (told_id) where told_id is not null do nothing returning id, asset_id, aliases, partition_key, at
), an as (select id, name, uri from assets where id in (select asset_id from ae)),
aq as (${QUEUE_EVENTS})
select (select count(*)::int from fence) as fenced, (select count(*)::int from ae) as events`;

/** Records events, each once however often it is told, and queues them for the DAGs that wait. Null: this leader's term is over, nothing was recorded. @returns how many were new */
export async function recordWatchedEvents(client: Query, epoch: number, events: readonly WatchedEvent[]): Promise<number | null> {
  // Put together as text: what is a float to Python stays one.
  const rows = `[${events.map(({ toldId, watcher, extra }) => `{"told_id":${JSON.stringify(toldId)},"watcher":${JSON.stringify(watcher)},"extra":${extra}}`).join(',')}]`;
  const result = await client.query(RECORD, [epoch, rows]);
  const [row] = result.rows as { fenced: number; events: number }[];
  return row === undefined || row.fenced === 0 ? null : row.events;
}
