// Connections to PostgreSQL: one pool for rows and lists, and how a lost database is told apart from a mistake.
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import { DatabaseClock, monotonicMs, settledWithin } from '#platform/clock.ts';
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

const CLOSE_MS = 1000;

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

/** Closes a connection that is no pool's; one that does not answer is cut. */
export async function closeClient(client: pg.Client): Promise<void> {
  await settledWithin(client.end(), CLOSE_MS);
  client.connection.stream.destroy();
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

/** What codes say on which somebody decides: PostgreSQL's SQLSTATE, or the driver's own. */
const CODES = {
  /** Not reachable now: connection classes, shutdown, too many connections, and the network. */
  unavailable: /^(08|57P0|53300|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN)/,
  /** Lost against another writer: a serialization failure, a deadlock. */
  conflict: /^(40001|40P01)$/,
  lock_timeout: /^55P03$/,
  statement_timeout: /^57014$/,
  division_by_zero: /^22012$/,
  duplicate: /^23505$/,
  /** Data, limits, constraints: what is in the statement is refused again. Not a missing right or column: those may come back. */
  refused: /^(22|23|54)/,
} as const;

/** True when the failure's code says one of these. */
export function isCoded(error: unknown, ...meanings: (keyof typeof CODES)[]): boolean {
  return error instanceof Error && 'code' in error && meanings.some((meaning) => CODES[meaning].test(String(error.code)));
}

/** True when the failure is the database being away rather than the statement being wrong. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'database_unavailable';
  return isCoded(error, 'unavailable') || /Connection terminated|timeout (expired|exceeded)|Query read timeout|not queryable/i.test(errorText(error));
}

/** True when a pool had no connection to give, because all of them were in use; one that cannot connect fails with other words. */
export function isPoolBusy(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

/** True when the same statement may well succeed in a moment: the database is away, or gave up on a lock, a deadlock or a time limit. */
export function isPassing(error: unknown): boolean {
  return isUnavailable(error) || isCoded(error, 'conflict', 'lock_timeout', 'statement_timeout');
}

/** True when the database will refuse the same statement again, because of what is in it: data, limits, constraints. */
export function isRefusal(error: unknown): boolean {
  return isCoded(error, 'refused');
}

/** A driver error as an AppError where it means something to people; others pass unchanged. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof AppError || !isUnavailable(error)) return error;
  return new AppError('database_unavailable', `the database does not answer (${errorText(error)})`, { cause: error });
}

/** The unique constraint that a statement violated, else null. */
export function violatedConstraint(error: unknown): string | null {
  if (!(error instanceof Error) || !isCoded(error, 'duplicate')) return null;
  return 'constraint' in error ? String(error.constraint) : '';
}
