// Connections to PostgreSQL: one pool for rows and lists, and how a lost database is told apart from a mistake.
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { DatabaseClock, monotonicMs } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import type { Tables } from './tables.ts';

/** What every store function takes first. */
export interface Database {
  readonly url: string;
  readonly kysely: Kysely<Tables>;
  readonly pool: pg.Pool;
  readonly clock: DatabaseClock;
  close(): Promise<void>;
}

// bigint columns are counters far below 2^53; JSON columns stay text where they are passed through.
const types = new pg.TypeOverrides();
types.setTypeParser(20, Number);

/** Options of every connection: client-side limits, because a silent network never answers. */
export function connectionOptions(url: string, applicationName: string): pg.ClientConfig {
  return {
    connectionString: url, application_name: applicationName, types: types,
    query_timeout: LIMITS.databaseTimeoutMs, connectionTimeoutMillis: 5000, keepAlive: true, keepAliveInitialDelayMillis: 1000,
    options: '-c TimeZone=UTC -c tcp_user_timeout=3000 -c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=2',
  };
}

/**
 * A connection that is cut when a statement of it timed out here. The server still works on that statement, a rollback behind it times out as well, and the
 * transaction would stay open: what the next borrower writes would be acknowledged and never committed.
 */
class PooledClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    // The pool listens only while a connection is idle: without this, a server that goes away under a borrower would end the process. The statement fails anyhow.
    this.on('error', () => undefined);
    const ask = this.query.bind(this) as (...args: unknown[]) => unknown;
    const cut = (error: unknown): void => {
      if (!/Query read timeout/.test(errorText(error))) return;
      // The first refuses what still comes, such as a rollback; the second frees what the transaction holds.
      void this.end();
      this.connection.stream.destroy();
    };
    this.query = ((...args: unknown[]): unknown => {
      const answer = ask(...args);
      if (answer instanceof Promise) answer.catch(cut);
      return answer;
    }) as pg.Client['query'];
  }
}

/** Opens the pool. Connects lazily: `probeDatabase` says whether the database is there. */
export function openDatabase(url: string): Database {
  const pool = new pg.Pool({ ...connectionOptions(url, 'leoflow'), max: LIMITS.databaseConnections, idleTimeoutMillis: 30_000, Client: PooledClient });
  // An idle connection that the server closes is replaced on next use.
  pool.on('error', () => undefined);
  // Nobody gives back an open transaction, unless its rollback failed: one that is ended is not kept.
  pool.on('release', (_error, client) => {
    if (client.getTransactionStatus() !== 'I') void client.end();
  });
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return { url, kysely, pool, clock: new DatabaseClock(), close: () => kysely.destroy() };
}

/** Checks version and reachability and takes a reading of the database's clock. Throws `database_unavailable` or `database_too_old`. */
export async function probeDatabase(database: Database): Promise<void> {
  try {
    const sent = monotonicMs();
    const { rows } = await sql<{ version: number; now: number }>`/* store/database.probeDatabase */ select current_setting('server_version_num')::int as version, extract(epoch from clock_timestamp())::float8 * 1000 as now`.execute(database.kysely);
    const row = rows[0];
    if (row === undefined) return;
    database.clock.adjust(row.now, sent, monotonicMs());
    if (row.version < 150_000) throw new AppError('database_too_old', `PostgreSQL ${Math.floor(row.version / 10_000)} is too old`);
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

/** Codes that say "not reachable now": connection classes, shutdown, too many connections; and the driver's own words. */
const UNAVAILABLE = /^(08|57P0|53300|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)/;

/** True when the failure is the database being away rather than the statement being wrong. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'database_unavailable';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return UNAVAILABLE.test(code) || /Connection terminated|timeout (expired|exceeded)|Query read timeout|not queryable/i.test(errorText(error));
}

/** True when the same statement may well succeed in a moment: the database is away, or gave up on a lock, a deadlock or a time limit. */
export function isPassing(error: unknown): boolean {
  return isUnavailable(error) || (error instanceof Error && 'code' in error && ['40001', '40P01', '55P03', '57014'].includes(String(error.code)));
}

/** True when the database will refuse the same statement again, because of what is in it: data, limits, constraints. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(22|23|42|54)/.test(String(error.code));
}

/** A driver error as an AppError where it means something to people; others pass unchanged. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isUnavailable(error)) return error;
  return new AppError('database_unavailable', `the database does not answer (${errorText(error)})`, { cause: error });
}

/** The unique constraint that a statement violated, else null. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || error.code !== '23505') return null;
  return 'constraint' in error ? String(error.constraint) : '';
}
