// DAG versions: registering one, and reading what runs and fork servers need of it.
import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Dag } from '#contract/dag.ts';
import { makeUuidV7, type VersionId } from '#contract/ids.ts';
import { contentHash } from '#core/digest.ts';
import { isoOf } from '#platform/clock.ts';
import { forgetAssetsOf, registerAssets } from './asset-registration.ts';
import { type Database, translateDatabaseError } from './database.ts';

/** A file of a version. Stored once per content, whichever versions hold it. */
export interface SourceFile {
  /** As in `dag.sources`. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** `bundle` says where the DAG came from (a folder, a push); `parseMs` is null when nobody measured; `timetable` is its text for people. */
interface Registration {
  readonly dag: Dag;
  readonly sources: readonly SourceFile[];
  readonly bundle: string;
  /** A new DAG starts unpaused. A known one keeps what it is. */
  readonly active: boolean;
  readonly parseMs: number | null;
  /** First run of the schedule for a DAG (or version) that has none planned. Epoch milliseconds. */
  readonly next: NextRun | null;
  readonly timetable: { readonly summary: string | null; readonly description: string | null };
}

/** Epoch milliseconds. Dates are null for timetables without data interval or logical date. */
export interface NextRun {
  readonly logicalDate: number | null;
  readonly intervalStart: number | null;
  readonly intervalEnd: number | null;
  readonly runAfter: number;
  readonly partitionKey?: string;
}

/** Outcome of a registration; `number` counts versions of the DAG from 1. */
export interface Registered {
  readonly versionId: VersionId;
  readonly number: number;
  /** False when this content was registered before: the same content has the same id, pushing it again rolls back to it. */
  readonly created: boolean;
  /** The DAG was on another version until now. */
  readonly changed: boolean;
}

/** Stores a version (once per content) and makes it the DAG's current one. A version that was pushed never changes. */
export async function registerVersion(database: Database, registration: Registration): Promise<Registered> {
  const { dag } = registration;
  const hash = contentHash(dag);
  try {
    return await database.kysely.transaction().execute(async (trx) => {
      await storeSources(trx, registration.sources);
      const dagRow = dagColumns(registration);
      await sql`/* store/dag-versions.register */ insert into dags (dag_id, display_name, description, fileloc, bundle, owners, tags, is_paused, timetable_summary, timetable_description, max_active_runs, max_active_tasks, max_consecutive_failed_runs, parse_ms)
        values (${dag.dag_id}, ${dagRow.display_name}, ${dagRow.description}, ${dag.fileloc}, ${registration.bundle}, ${dagRow.owners}, ${dagRow.tags}, ${dag.is_paused_upon_creation ?? !registration.active},
          ${dagRow.summary}, ${dagRow.timetable}, ${dagRow.max_active_runs}, ${dagRow.max_active_tasks}, ${dagRow.max_failed}, ${registration.parseMs})
        on conflict (tenant, dag_id) do update set display_name = excluded.display_name, description = excluded.description, fileloc = excluded.fileloc, bundle = excluded.bundle,
          owners = excluded.owners, tags = excluded.tags, is_stale = false, timetable_summary = excluded.timetable_summary, timetable_description = excluded.timetable_description,
          max_active_runs = excluded.max_active_runs, max_active_tasks = excluded.max_active_tasks, max_consecutive_failed_runs = excluded.max_consecutive_failed_runs,
          parse_ms = excluded.parse_ms, last_registered = clock_timestamp()`.execute(trx);
      const before = await trx.selectFrom('dags').select('version_id').where('tenant', '=', 'default').where('dag_id', '=', dag.dag_id).forUpdate().executeTakeFirstOrThrow();
      const id = makeUuidV7<VersionId>(database.clock.nowMs());
      const { rows } = await sql<{ id: VersionId; number: number; created: boolean }>`/* store/dag-versions.version */
        with made as (
          insert into dag_versions (id, dag_id, number, hash, spec, runtime, image)
          select ${id}::uuid, ${dag.dag_id}, coalesce(max(number), 0) + 1, ${hash}, ${JSON.stringify(dag)}::json, ${dag.runtime}, ${dag.image ?? null}
          from dag_versions where tenant = 'default' and dag_id = ${dag.dag_id}
          on conflict (tenant, dag_id, hash) do nothing returning id, number
        )
        select id, number, true as created from made union all
        select id, number, false from dag_versions where tenant = 'default' and dag_id = ${dag.dag_id} and hash = ${hash} limit 1`.execute(trx);
      const version = rows[0];
      if (version === undefined) throw new Error('a version was neither made nor found');
      await registerAssets(trx, dag, database.clock.nowMs());
      await setCurrent(trx, { dagId: dag.dag_id, versionId: version.id, next: registration.next, changed: before.version_id !== version.id });
      return { versionId: version.id, number: version.number, created: version.created, changed: before.version_id !== version.id };
    });
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

type Executor = Database['kysely'];

/** What is there is not sent again, and the rest goes in one order: two DAGs that share files never wait for each other. */
async function storeSources(trx: Executor, sources: readonly SourceFile[]): Promise<void> {
  if (sources.length === 0) return;
  const contents = new Map(sources.map(({ content }) => [createHash('sha256').update(content).digest('hex'), content]));
  const known = await trx.selectFrom('dag_sources').select('sha256').where('sha256', 'in', [...contents.keys()]).execute();
  for (const { sha256 } of known) contents.delete(sha256);
  for (const [sha256, content] of [...contents].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await trx.insertInto('dag_sources').values({ sha256, content: Buffer.from(content) }).onConflict((oc) => oc.doNothing()).execute();
  }
}

function dagColumns({ dag, timetable }: Registration): Record<'display_name' | 'description' | 'summary' | 'timetable', string | null> & { owners: string[]; tags: string[]; max_active_runs: number; max_active_tasks: number; max_failed: number } {
  return {
    display_name: dag.display_name ?? dag.dag_id, description: dag.description ?? null, summary: timetable.summary, timetable: timetable.description,
    owners: dag.owners ?? ['airflow'], tags: [...(dag.tags ?? [])].sort(), max_active_runs: dag.max_active_runs ?? 16, max_active_tasks: dag.max_active_tasks ?? 16,
    max_failed: dag.max_consecutive_failed_dag_runs ?? 0,
  };
}

/** A changed version plans its schedule anew; the same one keeps what is planned. */
async function setCurrent(trx: Executor, current: { dagId: string; versionId: VersionId; next: NextRun | null; changed: boolean }): Promise<void> {
  const { next } = current;
  const iso = (ms: number | null | undefined): string | null => (ms === null || ms === undefined ? null : isoOf(ms));
  await sql`/* store/dag-versions.setCurrent */ update dags set version_id = ${current.versionId},
      next_logical_date = case when ${current.changed} then ${iso(next?.logicalDate)}::timestamptz else next_logical_date end,
      next_interval_start = case when ${current.changed} then ${iso(next?.intervalStart)}::timestamptz else next_interval_start end,
      next_interval_end = case when ${current.changed} then ${iso(next?.intervalEnd)}::timestamptz else next_interval_end end,
      next_run_after = case when ${current.changed} then ${iso(next?.runAfter)}::timestamptz else next_run_after end,
      next_partition_key = case when ${current.changed} then ${next?.partitionKey ?? null} else next_partition_key end
    where tenant = 'default' and dag_id = ${current.dagId}`.execute(trx);
  await sql`/* store/dag-versions.tell */ select pg_notify('leoflow_dag', ${current.dagId})`.execute(trx);
}

/** dag.json of a version; null when it is gone. */
export async function findSpec(database: Database, versionId: VersionId): Promise<Dag | null> {
  const row = await database.kysely.selectFrom('dag_versions').select('spec').where('id', '=', versionId).executeTakeFirst();
  return row === undefined ? null : (row.spec as Dag);
}

/** A version's source files with their content, in dag.json's order. */
export async function listSources(database: Database, dag: Dag): Promise<SourceFile[]> {
  const digests = dag.sources.map((source) => source.sha256);
  if (digests.length === 0) return [];
  const rows = await database.kysely.selectFrom('dag_sources').select(['sha256', 'content']).where('sha256', 'in', digests).execute();
  const bySha = new Map(rows.map((row) => [row.sha256, row.content]));
  return dag.sources.flatMap((source) => {
    const content = bySha.get(source.sha256);
    return content === undefined ? [] : [{ path: source.path, content }];
  });
}

/** The last scheduled run of a DAG, for planning the next. */
export async function findLastScheduled(database: Database, dagId: string): Promise<{ intervalStart: number; intervalEnd: number; runAfter: number } | null> {
  const row = await database.kysely.selectFrom('dag_runs').select(['data_interval_start', 'data_interval_end', 'run_after'])
    .where('tenant', '=', 'default').where('dag_id', '=', dagId)
    // Written out, not bound: only so the partial index is seen to fit.
    .where(sql<boolean>`run_type in ('scheduled', 'backfill')`)
    .orderBy('run_after', 'desc').limit(1).executeTakeFirst();
  if (row === undefined) return null;
  const start = row.data_interval_start ?? row.run_after;
  return { intervalStart: start.getTime(), intervalEnd: (row.data_interval_end ?? start).getTime(), runAfter: row.run_after.getTime() };
}

/** DAGs whose file is gone: no new runs, hidden from lists; what runs goes on and history stays. */
export async function markStale(database: Database, dagIds: readonly string[]): Promise<void> {
  if (dagIds.length === 0) return;
  await database.kysely.transaction().execute(async (trx) => {
    await trx.updateTable('dags').set({ is_stale: true }).where('tenant', '=', 'default').where('dag_id', 'in', [...dagIds]).execute();
    await forgetAssetsOf(trx, dagIds);
  });
}
