// The schedule's side of the table dags: which DAG is due, and making its run and its next date in one statement.
import type pg from 'pg';
import { makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import type { PoolLimit } from '#core/admission.ts';
import { isoOf } from '#platform/clock.ts';
import type { NextRun } from './dag-versions.ts';

type Query = Pick<pg.Client, 'query'>;

/** `activeRuns` counts unfinished runs except backfills, which have their own limit (Airflow’s rule). */
export interface DueDag {
  readonly dagId: string;
  readonly versionId: VersionId;
  readonly next: NextRun;
  readonly activeRuns: number;
  readonly maxActiveRuns: number;
}

// DAGs at their max_active_runs are always the ones that are due for longest: were they not left out here, 500 of them would hide all others.
const LIST_DUE = `/* store/schedule.listDue */
select d.dag_id, d.version_id, d.next_logical_date, d.next_interval_start, d.next_interval_end, d.next_run_after, d.next_partition_key, d.max_active_runs, own.active
from dags d cross join lateral (
  select count(*)::int as active from (select 1 from dag_runs r where r.tenant = d.tenant and r.dag_id = d.dag_id and not r.finished and r.run_type <> 'backfill' limit d.max_active_runs) unfinished
) own
where not d.is_paused and not d.is_stale and d.next_run_after <= statement_timestamp() and d.version_id is not null and own.active < d.max_active_runs
  and ($2::text[] is null or d.dag_id = any($2))
order by d.next_run_after, d.dag_id limit $1`;

/** DAGs whose next run is due and may be made now, earliest first. @param only of these, else of all */
export async function listDueDags(client: Query, limit: number, only: readonly string[] | null = null): Promise<DueDag[]> {
  const { rows } = await client.query({ name: 'listDue', text: LIST_DUE, values: [limit, only] });
  const ms = (date: unknown): number | null => (date instanceof Date ? date.getTime() : null);
  return (rows as Record<string, unknown>[]).map((row) => ({
    dagId: String(row['dag_id']), versionId: String(row['version_id']) as VersionId, activeRuns: Number(row['active']), maxActiveRuns: Number(row['max_active_runs']),
    next: {
      ...(typeof row['next_partition_key'] === 'string' ? { partitionKey: row['next_partition_key'] } : {}), logicalDate: ms(row['next_logical_date']), intervalStart: ms(row['next_interval_start']), intervalEnd: ms(row['next_interval_end']), runAfter: ms(row['next_run_after']) ?? 0,
    },
  }));
}

// The leader hears its own notice: when the answer to a commit is lost, nothing else would ever tell it of the run.
const CREATE_DUE = `/* store/schedule.createDueRun */
with fence as (select 1 from leader where epoch = $1 for share),
moved as (
  update dags d set next_logical_date = $4, next_interval_start = $5, next_interval_end = $6, next_run_after = $7, next_partition_key = $13 from fence
  where d.tenant = 'default' and d.dag_id = $2 and d.next_run_after = $3 and not d.is_paused returning d.version_id
), made as (
  insert into dag_runs (id, dag_id, run_id, run_type, state, version_id, logical_date, data_interval_start, data_interval_end, run_after, partition_key, triggered_by)
  select $8, $2, $9, 'scheduled', 'queued', moved.version_id, $10, $11, $12, $3, $14, 'timetable' from moved
  on conflict do nothing returning id
), told as (select id, pg_notify('leoflow_run', id::text) from made)
select (select count(*)::int from moved) as moved, (select id from told) as id`;

/** `exists` moved the plan on to the next date as well; `stale` changed nothing. */
export type DueResult = { readonly kind: 'created'; readonly id: RunUuid } | { readonly kind: 'exists' } | { readonly kind: 'stale' };

/** Makes the due run and plans the one after it. `exists`: a run of that date is there already; `stale`: somebody else was faster, or this leader's term is over. */
export async function createDueRun(client: Query, epoch: number, due: { dag: DueDag; runId: string; after: NextRun | null; nowMs: number }): Promise<DueResult> {
  const { dag, after } = due;
  const iso = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : isoOf(ms));
  const { rows } = await client.query({ name: 'createDueRun', text: CREATE_DUE, values: [
    epoch, dag.dagId, isoOf(dag.next.runAfter), iso(after?.logicalDate), iso(after?.intervalStart), iso(after?.intervalEnd), iso(after?.runAfter),
    makeUuidV7<RunUuid>(due.nowMs), due.runId, iso(dag.next.logicalDate), iso(dag.next.intervalStart), iso(dag.next.intervalEnd),
    after?.partitionKey ?? null, dag.next.partitionKey ?? null,
  ] });
  const row = (rows as { moved: number; id: RunUuid | null }[])[0];
  if (row === undefined || row.moved === 0) return { kind: 'stale' };
  return row.id === null ? { kind: 'exists' } : { kind: 'created', id: row.id };
}

const NEXT_DUE = `/* store/schedule.nextDue */
select min(next_run_after) as at from dags where not is_paused and not is_stale and next_run_after is not null and next_run_after > $1`;

/** When the earliest planned run after `afterMs` is due; null when nothing is planned. */
export async function findNextDue(client: Query, afterMs: number): Promise<number | null> {
  const { rows } = await client.query({ name: 'nextDue', text: NEXT_DUE, values: [isoOf(afterMs)] });
  const at = (rows as { at: Date | null }[])[0]?.at;
  return at?.getTime() ?? null;
}

/** Unpaused DAGs without a planned run whose timetable only the project's own code can answer for. */
export async function listUnplannedDags(client: Query): Promise<string[]> {
  const { rows } = await client.query(`/* store/schedule.listUnplanned */ select d.dag_id from dags d join dag_versions v on v.id = d.version_id
    where not d.is_paused and not d.is_stale and d.next_run_after is null and v.runtime = 'airflow'
      and (v.spec #>> '{timetable,kind}' = 'custom' or v.spec #>> '{timetable,timetable,kind}' = 'custom') order by d.dag_id`);
  return (rows as { dag_id: string }[]).map((row) => row.dag_id);
}

/** DAGs that are paused and have unfinished runs. Of the others a run's own row tells. */
export async function listPausedDags(client: Query): Promise<string[]> {
  const { rows } = await client.query(`/* store/schedule.listPaused */ select d.dag_id from (select distinct tenant, dag_id from dag_runs where not finished) r
    join dags d using (tenant, dag_id) where d.is_paused`);
  return (rows as { dag_id: string }[]).map((row) => row.dag_id);
}

/** Whether a DAG is paused; null when it is gone. */
export async function findPause(client: Query, dagId: string): Promise<boolean | null> {
  const { rows } = await client.query("/* store/schedule.findPause */ select is_paused from dags where tenant = 'default' and dag_id = $1", [dagId]);
  return (rows as { is_paused: boolean }[])[0]?.is_paused ?? null;
}

/** A DAG's current version and when its next run is planned (epoch ms); null when it has no version. */
export async function findPlan(client: Query, dagId: string): Promise<{ versionId: VersionId; nextRunAfter: number | null } | null> {
  const { rows } = await client.query("/* store/schedule.findPlan */ select version_id, next_run_after from dags where tenant = 'default' and dag_id = $1", [dagId]);
  const row = (rows as { version_id: VersionId | null; next_run_after: Date | null }[])[0];
  return row === undefined || row.version_id === null ? null : { versionId: row.version_id, nextRunAfter: row.next_run_after?.getTime() ?? null };
}

/** Plans the next run of a DAG anew, e.g. when it is unpaused after a long time. */
export async function planNext(client: Query, epoch: number, plan: { dagId: string; next: NextRun | null }): Promise<void> {
  const iso = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : isoOf(ms));
  await client.query(`/* store/schedule.planNext */ update dags set next_logical_date = $3, next_interval_start = $4, next_interval_end = $5, next_run_after = $6, next_partition_key = $7
    where tenant = 'default' and dag_id = $2 and exists (select 1 from leader where epoch = $1)`,
  [epoch, plan.dagId, iso(plan.next?.logicalDate), iso(plan.next?.intervalStart), iso(plan.next?.intervalEnd), iso(plan.next?.runAfter), plan.next?.partitionKey ?? null]);
}

/** Every pool by name. */
export async function readPools(client: Query): Promise<Map<string, PoolLimit>> {
  const { rows } = await client.query("/* store/schedule.pools */ select name, slots, include_deferred from pools where tenant = 'default'");
  return new Map((rows as { name: string; slots: number; include_deferred: boolean }[]).map((row) => [row.name, { slots: row.slots, includeDeferred: row.include_deferred }]));
}
