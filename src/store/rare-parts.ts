// Parts of the batch statement that few batches need: waits for triggers, events of assets, callbacks and deadlines.

/** A wait for a trigger begins. `resumed`: it is over, and `nextMethod` is what the next execution calls. Times are epoch milliseconds. */
export interface TriggerWrite {
  readonly id: string;
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly attemptId: string;
  readonly executionId: string | null;
  readonly classpath: string;
  readonly kwargs: string;
  readonly nextMethod: string;
  readonly nextKwargs: string;
  readonly queue: string | null;
  readonly resumed: boolean;
  readonly timeoutAt: number | null;
  readonly createdAt: number;
}

/** A task has updated an asset, through these aliases. `extra` and `assetExtra` are JSON text. `at` is epoch milliseconds. */
export interface AssetEventWrite {
  readonly name: string;
  readonly uri: string;
  readonly group: string;
  readonly extra: string;
  /** Of the asset itself, should it be new. */
  readonly assetExtra: string;
  readonly aliases: readonly string[];
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
  readonly at: number;
}

/** A callback to be made after this commit. `attemptId` and what follows say how its task instance stood; `request` is JSON text. `at` is epoch milliseconds. */
export interface CallbackWrite {
  readonly id: string;
  readonly run: string;
  readonly versionId: string;
  readonly kind: 'dag' | 'task' | 'email' | 'listener';
  readonly taskId: string | null;
  readonly mapIndex: number;
  readonly attemptId: string | null;
  readonly executionId: string | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly request: string;
  readonly at: number;
}

/** A deadline of a run that is new. `callback` is JSON text; times are epoch milliseconds. */
export interface DeadlineWrite {
  readonly id: string;
  readonly run: string;
  readonly reference: string;
  readonly intervalSeconds: number;
  readonly callback: string;
  readonly deadlineAt: number;
  readonly at: number;
}

/** A run that has succeeded: deadlines of this moment (epoch milliseconds) and later are met. */
export interface DeadlinesMet {
  readonly run: string;
  readonly at: number;
}

/**
 * Queues the events `ae` of the assets `an` for every DAG whose schedule refers to them and that is not paused; those of a partition for DAGs that
 * are scheduled by partitions, all others for all others. Source: Airflow 3.2.1 `AssetManager.register_asset_change`.
 */
export const QUEUE_EVENTS = `/* store/rare-parts.queueEvents */
  insert into queued_asset_events (dag_id, asset_id, event_id, at)
  select d.dag_id, ae.asset_id, ae.id, ae.at from ae join an on an.id = ae.asset_id cross join lateral (
    select r.dag_id, r.partitioned from dag_asset_references r where r.asset_id = ae.asset_id
    union select r.dag_id, r.partitioned from dag_asset_references r where r.tenant = 'default' and r.kind = 'alias' and r.name = any(ae.aliases)
    union select r.dag_id, r.partitioned from dag_asset_references r where r.tenant = 'default' and r.kind = 'name' and r.name = an.name
    union select r.dag_id, r.partitioned from dag_asset_references r where r.tenant = 'default' and r.kind = 'uri' and r.uri = an.uri
  ) r join dags d on d.tenant = 'default' and d.dag_id = r.dag_id and not d.is_paused and not d.is_stale
  where r.partitioned = (ae.partition_key is not null)
  on conflict do nothing`;

/** As the parts of `task-attempts.ts`, which puts them together. */
export const RARE_PARTS = {
  wb: `/* store/rare-parts.moveTask */
  insert into triggers (id, run, task_id, map_index, attempt_id, execution_id, classpath, kwargs, next_method, next_kwargs, queue, resumed, timeout_at, created_at)
  select x.id, x.run, x.task_id, x.map_index, x.attempt_id, x.execution_id, x.classpath, x.kwargs, x.next_method, x.next_kwargs, x.queue, x.resumed,
    to_timestamp(x.timeout_at / 1000), to_timestamp(x.created_at / 1000)
  from json_to_recordset(@waits) as x(id uuid, run uuid, task_id text, map_index int, attempt_id uuid, execution_id uuid, classpath text, kwargs text, next_method text,
    next_kwargs text, queue text, resumed bool, timeout_at float8, created_at float8), fence
  returning 1`,
  wr: `/* store/rare-parts.moveTask */
  update triggers t set resumed = true, next_method = x.next_method, next_kwargs = x.next_kwargs
  from json_to_recordset(@resumed) as x(id uuid, next_method text, next_kwargs text), fence
  where t.id = x.id and not t.resumed returning 1`,
  wd: `/* store/rare-parts.moveTask */
  delete from triggers t using json_to_recordset(@dropped) as x(id uuid), fence where t.id = x.id returning 1`,
  an: `/* store/rare-parts.moveTask */
  insert into assets (name, uri, asset_group, extra)
  select distinct on (x.name, x.uri) x.name, x.uri, x.asset_group, x.asset_extra
  from json_to_recordset(@assetEvents) as x(name text, uri text, asset_group text, asset_extra json), fence order by x.name, x.uri
  on conflict (tenant, name, uri) do update set updated_at = clock_timestamp() returning id, name, uri`,
  al: `/* store/rare-parts.moveTask */
  insert into asset_aliases (name)
  select distinct alias from json_to_recordset(@assetEvents) as x(aliases text[]), unnest(x.aliases) as alias, fence order by alias
  on conflict (tenant, name) do update set updated_at = clock_timestamp() returning id, name`,
  aa: `/* store/rare-parts.moveTask */
  insert into asset_alias_assets (alias_id, asset_id)
  select distinct al.id, an.id from json_to_recordset(@assetEvents) as x(name text, uri text, aliases text[]) join an on an.name = x.name and an.uri = x.uri
  join al on al.name = any(x.aliases) on conflict do nothing`,
  ae: `/* store/rare-parts.moveTask */
  insert into asset_events (asset_id, extra, aliases, source_dag_id, source_run_id, source_task_id, source_map_index, source_try, partition_key, at)
  select an.id, x.extra, x.aliases, d.dag_id, d.run_id, x.task_id, x.map_index, x.try_number, d.partition_key, to_timestamp(x.at / 1000)
  from json_to_recordset(@assetEvents) as x(name text, uri text, extra json, aliases text[], run uuid, task_id text, map_index int, try_number int, at float8)
  join an on an.name = x.name and an.uri = x.uri join dag_runs d on d.id = x.run
  returning id, asset_id, aliases, partition_key, at`,
  aq: QUEUE_EVENTS,
  cb: `/* store/rare-parts.moveTask */
  insert into callbacks (id, run, version_id, kind, task_id, map_index, attempt_id, execution_id, try_number, max_tries, request, due_at, created_at)
  select x.id, x.run, x.version_id, x.kind, x.task_id, x.map_index, x.attempt_id, x.execution_id, x.try_number, x.max_tries, x.request, clock_timestamp(), to_timestamp(x.at / 1000)
  from json_to_recordset(@callbacks) as x(id uuid, run uuid, version_id uuid, kind text, task_id text, map_index int, attempt_id uuid, execution_id uuid, try_number int, max_tries int,
    request json, at float8), fence
  returning 1`,
  dn: `/* store/rare-parts.moveTask */
  insert into deadlines (id, run, reference, interval_seconds, callback, deadline_at, created_at)
  select x.id, x.run, x.reference, x.interval_seconds, x.callback, to_timestamp(x.deadline_at / 1000), to_timestamp(x.at / 1000)
  from json_to_recordset(@deadlines) as x(id uuid, run uuid, reference text, interval_seconds float8, callback json, deadline_at float8, at float8), fence
  returning 1`,
  dm: `/* store/rare-parts.moveTask */
  delete from deadlines d using json_to_recordset(@deadlinesMet) as x(run uuid, at float8), fence
  where d.run = x.run and not d.missed and d.deadline_at >= to_timestamp(x.at / 1000)`,
} as const;
