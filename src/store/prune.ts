// Retention: what is old is deleted in small parts, so that history costs nothing and a pruning never stands in the way of a run.
import { sql } from 'kysely';
import type { RunUuid } from '#contract/ids.ts';
import { isoOf } from '#platform/clock.ts';
import { type Database, translateDatabaseError } from './database.ts';
import { BELOW_RUN } from './run-deletion.ts';

/** What is kept. Times are epoch milliseconds. */
interface Retention {
  /** Runs that ended before this may go. */
  readonly endedBefore: number;
  /** The newest runs of each DAG stay however old they are, at least 1: schedules and depends_on_past look at the last one. */
  readonly keepRuns: number;
  /** Only this DAG; null for all. */
  readonly dagId: string | null;
  /** DAGs that are left alone, since they have a retention of their own. */
  readonly except?: readonly string[];
}

/** What went, or would go. */
interface Pruned { readonly runs: number; readonly executions: number; readonly versions: number; readonly auditEntries: number }

/** Runs deleted in one transaction: their rows are locked for some milliseconds. */
const RUNS_PER_PART = 200;
/** Executions and task instances deleted in one transaction, unless a single run has more: 200 runs of 10,000 tasks would take longer than a statement may. */
const ROWS_PER_PART = 20_000;

// A run that a later one may look back at (depends_on_past) stays until that one is finished.
const OLD_RUNS = (retention: Retention): ReturnType<typeof sql> => sql`
  from dag_runs r where r.finished and r.end_date < ${isoOf(retention.endedBefore)}::timestamptz and (${retention.dagId}::text is null or r.dag_id = ${retention.dagId}) and r.dag_id <> all(${[...(retention.except ?? [])]}::text[])
    and r.id not in (
      select k.id from dags d cross join lateral (select id from dag_runs n where n.tenant = d.tenant and n.dag_id = d.dag_id order by n.run_after desc, n.id desc limit ${retention.keepRuns}) k
      union all
      select k.id from dags d cross join lateral (select id from dag_runs n where n.tenant = d.tenant and n.dag_id = d.dag_id and n.logical_date is not null and n.run_type in ('scheduled', 'backfill') order by n.logical_date desc limit 1) k
    )
    and not exists (select 1 from dag_runs u where u.tenant = r.tenant and u.dag_id = r.dag_id and not u.finished and u.logical_date > r.logical_date)`;

/** DAGs whose current version says how long its runs are kept, in days; 0 keeps them. At most 10,000. */
export async function listOwnRetentions(database: Database): Promise<readonly { readonly dagId: string; readonly days: number }[]> {
  const { rows } = await sql<{ dag_id: string; days: number }>`/* store/prune.listOwnRetentions */ select d.dag_id, (v.spec ->> 'retention_days')::int as days
    from dags d join dag_versions v on v.id = d.version_id where v.spec ->> 'retention_days' is not null order by d.dag_id limit 10000`.execute(database.kysely);
  return rows.map((row) => ({ dagId: row.dag_id, days: row.days }));
}

/** How many runs would go. */
export async function countPrunableRuns(database: Database, retention: Retention): Promise<number> {
  const { rows } = await sql<{ n: number }>`/* store/prune.count */ select count(*)::int as n ${OLD_RUNS(retention)}`.execute(database.kysely);
  return rows[0]?.n ?? 0;
}

/**
 * Deletes runs that ended long ago with everything below them, then versions and sources that nothing names any more, and audit entries of the same age.
 * @param onPart hears of each part as it is committed: the executions whose logs may go. The next part waits for it
 */
export async function prune(database: Database, retention: Retention, onPart: (executions: readonly string[]) => void | Promise<void> = () => undefined): Promise<Pruned> {
  let executions = 0;
  let runs = 0;
  try {
    for (let isLast = false; !isLast; ) {
      const part = await pruneRuns(database, retention);
      isLast = part.isLast;
      runs += part.runs;
      executions += part.executions.length;
      await onPart(part.executions);
    }
    const versions = retention.dagId === null ? await pruneVersions(database, retention) : 0;
    const auditEntries = retention.dagId === null ? await pruneAuditLog(database, retention) : 0;
    return { runs, executions, versions, auditEntries };
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

async function pruneRuns(database: Database, retention: Retention): Promise<{ runs: number; executions: string[]; isLast: boolean }> {
  return database.kysely.transaction().execute(async (trx) => {
    // A run that somebody clears right now is skipped: it is not old any more.
    const { rows: found } = await sql<{ id: RunUuid }>`/* store/prune.pick */ select r.id ${OLD_RUNS(retention)} order by r.end_date, r.id limit ${RUNS_PER_PART} for update of r skip locked`.execute(trx);
    const picked = found.map((row) => row.id);
    if (picked.length === 0) return { runs: 0, executions: [], isLast: true };
    const { rows: sizes } = await sql<{ run: RunUuid; n: number }>`/* store/prune.sizes */ select run, count(*)::int as n from (
      select run from executions where run = any(${picked}::uuid[]) union all select run from task_instances where run = any(${picked}::uuid[])) below group by run`.execute(trx);
    const ids = firstRuns(picked, new Map(sizes.map((size) => [size.run, size.n])));
    const gone = await sql<{ id: string }>`/* store/prune.executions */ select id from executions where run = any(${ids}::uuid[])`.execute(trx);
    for (const table of BELOW_RUN) await sql`/* store/prune.below */ delete from ${sql.table(table)} where run = any(${ids}::uuid[])`.execute(trx);
    await sql`/* store/prune.runs */ delete from dag_runs where id = any(${ids}::uuid[])`.execute(trx);
    return { runs: ids.length, executions: gone.rows.map((row) => row.id), isLast: ids.length === picked.length && picked.length < RUNS_PER_PART };
  });
}

/** As many as fit into one part, at least one. */
function firstRuns(picked: readonly RunUuid[], sizes: ReadonlyMap<RunUuid, number>): RunUuid[] {
  let rows = 0;
  const tooMany = picked.findIndex((id, index) => {
    rows += sizes.get(id) ?? 0;
    return index > 0 && rows > ROWS_PER_PART;
  });
  return picked.slice(0, tooMany === -1 ? picked.length : tooMany);
}

/** Versions that no run and no DAG names, older than the bound; then sources that no version names. */
async function pruneVersions(database: Database, retention: Retention): Promise<number> {
  const before = isoOf(retention.endedBefore);
  const { rows } = await sql`/* store/prune.versions */ delete from dag_versions v where v.created_at < ${before}::timestamptz
    and not exists (select 1 from dag_runs r where r.version_id = v.id) and not exists (select 1 from dags d where d.version_id = v.id) returning v.id`.execute(database.kysely);
  await sql`/* store/prune.sources */ delete from dag_sources s where s.created_at < ${before}::timestamptz
    and not exists (select 1 from dag_versions v cross join lateral json_array_elements(v.spec -> 'sources') x where x ->> 'sha256' = s.sha256)`.execute(database.kysely);
  return rows.length;
}

async function pruneAuditLog(database: Database, retention: Retention): Promise<number> {
  const { numAffectedRows } = await sql`/* store/prune.auditLog */ delete from audit_log where at < ${isoOf(retention.endedBefore)}::timestamptz`.execute(database.kysely);
  return Number(numAffectedRows ?? 0);
}
