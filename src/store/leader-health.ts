// Whether some server leads now: the leader's session holds an advisory lock for as long as it lives.
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { LEADER_LOCK } from './leader.ts';

/** The lock as `pg_locks` shows it. */
const LOCK_UPPER = Number(LEADER_LOCK >> 32n);
const LOCK_LOWER = Number(LEADER_LOCK & 0xffff_ffffn);

/** How many servers wait to lead. */
export async function countWaiting(database: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`/* store/leader-health.countWaiting */ select count(*)::int as count from pg_locks
    where locktype = 'advisory' and not granted and classid = ${LOCK_UPPER}::oid and objid = ${LOCK_LOWER}::oid and database = (select oid from pg_database where datname = current_database())`.execute(database.kysely);
  return rows[0]?.count ?? 0;
}

/** True while a leader's session is alive. */
export async function isLed(database: Database): Promise<boolean> {
  const { rows } = await sql`/* store/leader-health.isLed */ select 1 from pg_locks
    where locktype = 'advisory' and granted and classid = ${LOCK_UPPER}::oid and objid = ${LOCK_LOWER}::oid and database = (select oid from pg_database where datname = current_database()) limit 1`.execute(database.kysely);
  return rows.length > 0;
}
