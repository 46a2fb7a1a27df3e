// The leader's lock and epoch: the lock makes one server fast, the epoch in every statement makes it safe.
import { hostname } from 'node:os';
import pg from 'pg';
import { AppError } from '#contract/errors.ts';
import { LIMITS } from '#contract/config.ts';
import { closeClient, connectionOptions, isCoded, isPoolBusy } from './database.ts';

/** The advisory lock that a leader's session holds: "LeoFlow" in ASCII, as the original had it. */
export const LEADER_LOCK = 0x4c656f466c6f77n;

/** One term. Its epoch is greater than any before and never used again. */
export interface Leadership {
  readonly epoch: number;
  /** The session that holds the lock; the leader's statements run on it too, so losing one is losing both. */
  readonly client: Pick<pg.Client, 'query'>;
  /** Aborts when the session ends. */
  readonly lost: AbortSignal;
  /** Gives the lock back. */
  resign(): Promise<void>;
}

/** A wait for the lock is begun anew after this time, so that a follower whose connection died silently finds out. */
const LOCK_WAIT_MS = 30_000;

/**
 * Waits for the lock on a connection of its own, then raises the epoch.
 * Rejects when the connection ends before (the caller tries again), and with `database_pooled` behind a transaction pooler.
 * @param address where this server's agents and people find it
 */
export async function awaitLeadership(url: string, address: string, stop: AbortSignal): Promise<Leadership> {
  const client = new pg.Client(leaseOptions(url));
  const lost = new AbortController();
  client.on('error', () => lost.abort());
  client.on('end', () => lost.abort());
  const cancel = (): void => void closeClient(client);
  stop.addEventListener('abort', cancel, { once: true });
  try {
    await client.connect();
    await refusePooler(client);
    await takeLock(client);
    const epoch = await raiseEpoch(client, address);
    // The batch statement joins JSON by key: estimates of 100 rows must not turn into scans. A stuck statement must not hold the fence.
    await client.query("/* store/leader.settings */ set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off; set lock_timeout = '2s'; set statement_timeout = '20s'");
    return { epoch, client, lost: lost.signal, resign: () => closeClient(client) };
  } catch (error) {
    await closeClient(client);
    throw error;
  } finally {
    stop.removeEventListener('abort', cancel);
  }
}

/** The lock is a lease: keepalives are answered by the kernel of a leader that is stopped, and by every proxy on the way, for ever. */
function leaseOptions(url: string): pg.ClientConfig {
  const options = connectionOptions(url, 'leoflow-leader');
  return { ...options, options: `${options.options ?? ''} -c idle_session_timeout=${LIMITS.leaderLeaseMs}` };
}

async function takeLock(client: pg.Client): Promise<void> {
  await client.query(`/* store/leader.wait */ set lock_timeout = ${LOCK_WAIT_MS}`);
  for (;;) {
    // The driver reads a time-out of the statement's own, which its types do not know.
    const statement = { text: '/* store/leader.lock */ select pg_advisory_lock($1)', values: [LEADER_LOCK], query_timeout: LOCK_WAIT_MS + LIMITS.leaderTimeoutMs };
    try {
      return void (await client.query(statement));
    } catch (error) {
      if (!isCoded(error, 'lock_timeout')) throw error;
    }
  }
}

/**
 * The next epoch, which fences out every leader before. It is at least the time in seconds: after a backup was restored it is also newer than the epochs
 * that were used since the backup, which leaders and fork servers of then may still hold.
 */
export async function raiseEpoch(client: Pick<pg.Client, 'query'>, address: string): Promise<number> {
  const { rows } = await client.query<{ epoch: string }>(
    '/* store/leader.raise */ update leader set epoch = greatest(epoch + 1, extract(epoch from clock_timestamp())::bigint), holder = $1, address = $2, since = clock_timestamp() returning epoch', [`${hostname()}:${process.pid}`, address]);
  return Number(rows[0]?.epoch);
}

/** Asks the leader's idle session for a sign of life. Rejects after `LIMITS.leaderTimeoutMs`: a network that swallows everything ends the term. */
export async function probeLeadership(client: Pick<pg.Client, 'query'>): Promise<void> {
  const statement = { text: '/* store/leader.probe */ select 1', query_timeout: LIMITS.leaderTimeoutMs };
  await client.query(statement);
}

/** True while nobody has raised the epoch since, and when no connection is free to ask: others being busy says nothing. Rejects like `probeLeadership`. */
export async function probeEpoch(pool: Pick<pg.Pool, 'query'>, epoch: number): Promise<boolean> {
  const statement = { text: '/* store/leader.probeEpoch */ select 1 from leader where epoch = $1', values: [epoch], query_timeout: LIMITS.leaderTimeoutMs };
  try {
    return (await pool.query(statement)).rowCount === 1;
  } catch (error) {
    if (isPoolBusy(error)) return true;
    throw error;
  }
}

/** Through a transaction pooler the session, and with it the lock, would be somebody else's at any moment. */
async function refusePooler(client: pg.Client): Promise<void> {
  const pids = new Set<number>();
  for (let probe = 0; probe < 3; probe += 1) {
    const { rows } = await client.query<{ pid: number }>('/* store/leader.pooler */ select pg_backend_pid() as pid');
    pids.add(rows[0]?.pid ?? 0);
  }
  if (pids.size > 1) throw new AppError('database_pooled', 'the database connection changes its server process between statements');
}

/** The epoch in force, to tell a lost epoch from a missed row. */
export async function readEpoch(client: Pick<pg.Client, 'query'>): Promise<number> {
  const { rows } = await client.query('/* store/leader.readEpoch */ select epoch from leader');
  return Number((rows[0] as { epoch?: unknown } | undefined)?.epoch);
}
