// PostgreSQL on the virtual clock: every statement of the engine is executed for real, but when it arrives, whether it does, and whether its answer comes back is the world's.
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import { DatabaseClock } from '#platform/clock.ts';
import { connectionOptions, type Database } from '#store/database.ts';
import { type Leadership, raiseEpoch } from '#store/leader.ts';
import type { Tables } from '#store/tables.ts';
import { CHANNELS, type Listening, type NoticeHandlers } from '#store/notifications.ts';
import { migrate } from '#store/migrate.ts';
import type { Random } from './random.ts';
import type { Node, World } from './world.ts';

/** What may go wrong on the way to the database and back. Probabilities per call; times in milliseconds. */
export interface Weather {
  latencyMs: number;
  loseRequest: number;
  loseAnswer: number;
  /** A request that arrives long after its caller gave up. */
  delayRequest: number;
  /** A transaction that was committed, and its caller never hears of it. */
  loseCommit: number;
  /** A statement that PostgreSQL gives up: a deadlock, a lock that it waited for too long. */
  refuse: number;
}

/** Nothing goes wrong. */
export const FAIR: Weather = { latencyMs: 1, loseRequest: 0, loseAnswer: 0, delayRequest: 0, loseCommit: 0, refuse: 0 };

const SHADOW = `
create schema sim;
create table sim.notices (id bigserial primary key, channel text not null, payload text not null);
create function sim.clock_timestamp() returns timestamptz language sql stable as $$ select to_timestamp(current_setting('sim.now')::float8 / 1000) $$;
create function sim.now() returns timestamptz language sql stable as $$ select to_timestamp(current_setting('sim.now')::float8 / 1000) $$;
create function sim.statement_timestamp() returns timestamptz language sql stable as $$ select to_timestamp(current_setting('sim.now')::float8 / 1000) $$;
create function sim.pg_notify(text, text) returns void language sql volatile as $$ insert into sim.notices (channel, payload) values ($1, $2) $$;`;

/** Moves as they were committed: times of rows come from clocks that differ by the network's delay, and decide on no order. */
const WATCH = `
create table sim.moves (id bigserial primary key, tx bigint not null default txid_current(), at timestamptz not null default sim.now(), what text not null, run uuid, task_id text, map_index int, dag_id text, old text, new text);
create function sim.watch_run() returns trigger language plpgsql as $$ begin
  insert into sim.moves (what, run, dag_id, old, new) values ('run', new.id, new.dag_id, case when tg_op = 'UPDATE' then old.state end, new.state); return null; end $$;
create function sim.watch_instance() returns trigger language plpgsql as $$ begin
  insert into sim.moves (what, run, task_id, map_index, old, new) values ('instance', new.run, new.task_id, new.map_index, case when tg_op = 'UPDATE' then old.state end, new.state); return null; end $$;
create function sim.watch_dag() returns trigger language plpgsql as $$ begin
  insert into sim.moves (what, dag_id, old, new) values ('dag', new.dag_id, old.is_paused::text, new.is_paused::text); return null; end $$;
create trigger watch after update of is_paused on dags for each row execute function sim.watch_dag();
create trigger watch after insert or update of state on dag_runs for each row execute function sim.watch_run();
create trigger watch after insert or update of state on task_instances for each row execute function sim.watch_instance();`;

/** A migrated database whose functions of time and notification are the world's. Made once, emptied for each seed. */
export async function openRealDatabase(url: string): Promise<pg.Client> {
  const client = new pg.Client({ ...connectionOptions(url, 'leoflow-sim'), query_timeout: 0 });
  await client.connect();
  await client.query(SHADOW);
  await client.query(`do $$ begin execute format('alter database %I set search_path = sim, public, pg_catalog', current_database()); execute format('alter database %I set sim.now = 0', current_database()); end $$`);
  await client.end();
  await migrate(url);
  const real = new pg.Client({ ...connectionOptions(url, 'leoflow-sim'), query_timeout: 0 });
  await real.connect();
  await real.query(WATCH);
  await real.query('set synchronous_commit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off');
  return real;
}

/** Empties all tables but what the migrations put there. */
export async function emptyRealDatabase(real: pg.Client): Promise<void> {
  const { rows } = await real.query<{ name: string }>(`select quote_ident(table_name) as name from information_schema.tables where table_schema = 'sim' and table_type = 'BASE TABLE'
    and table_name not in ('schema_migrations', 'leader', 'pools', 'users', 'server_secrets')`);
  await real.query(`set session_replication_role = replica; ${rows.map(({ name }) => `delete from ${name};`).join(' ')} delete from pools where name <> 'default_pool'; update pools set slots = 128; update leader set epoch = 0, holder = null; set session_replication_role = origin`);
  await real.query('select setval(pg_get_serial_sequence(\'attempt_events\', \'id\'), 1, false)');
}

/** An error of the driver, with its code. */
class CodedError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** A server-side session: it ends with the database, with its client, and with the network between them. */
export interface Session { isOpen: boolean; readonly node: Node; onEnd: () => void }

type Statement = string | (pg.QueryConfig & { query_timeout?: number });
interface Waiter { readonly node: Node; readonly grant: () => void }

/** One database, its lock and its wires to every node. */
export class SimDatabase {
  readonly world: World;
  readonly #real: pg.Client;
  readonly #random: Random;
  weather: Weather = FAIR;
  isUp = true;
  readonly cutOff = new Set<Node>();
  /** Nodes whose listening connection is dead, and they do not know yet. */
  readonly deaf = new Set<Node>();
  #clockAt = -1;
  /** The session that holds the lock. */
  holder: Session | null = null;
  readonly #waiters: Waiter[] = [];
  readonly #listeners = new Map<Node, NoticeHandlers>();
  statements = 0;

  constructor(world: World, real: pg.Client, random: Random) {
    this.world = world;
    this.#real = real;
    this.#random = random;
  }

  /** What the store's functions take, as seen from a node. */
  connect(node: Node): Database {
    const pool = new SimPool(this, node) as unknown as pg.Pool;
    const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
    return { url: 'simulated', kysely, pool, clock: new DatabaseClock(), close: () => Promise.resolve() };
  }

  /** Executes at this virtual instant, whatever the weather: for oracles and for people's actions. */
  async execute<R extends pg.QueryResultRow>(text: Statement, values?: unknown[]): Promise<pg.QueryResult<R>> {
    return this.world.work(async () => {
      if (this.#clockAt !== this.world.now) {
        this.#clockAt = this.world.now;
        await this.#real.query({ name: 'simClock', text: "select set_config('sim.now', $1, false)", values: [String(this.world.now)] });
      }
      this.statements += 1;
      return typeof text === 'string' ? this.#real.query<R>(text, values) : this.#real.query<R>(text);
    });
  }

  /** Sends notices of what was committed. */
  async deliverNotices(): Promise<void> {
    const { rows } = await this.execute<{ channel: string; payload: string }>({ name: 'simNotices', text: 'with gone as (delete from sim.notices returning id, channel, payload) select channel, payload from gone order by id' });
    for (const { channel, payload } of rows) {
      const known = CHANNELS.find((one) => one === channel);
      for (const [node, handlers] of this.#listeners) {
        if (known === undefined || this.cutOff.has(node) || this.deaf.has(node)) continue;
        this.world.at(this.world.now + this.#latency(), () => {
          if (this.#listeners.get(node) === handlers) handlers.onNotice(known, payload);
        }, node);
      }
    }
  }

  /** One call over the wire: the request, its execution, its answer. */
  call<T>(node: Node, how: { session?: Session; timeoutMs: number }, work: () => Promise<T>): Promise<T> {
    const { world, weather } = this;
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const answer = (settle: () => void, delayMs: number): void => void world.at(world.now + delayMs, () => {
        if (isOver) return;
        isOver = true;
        settle();
      }, node);
      const isLate = this.#random.chance(weather.delayRequest);
      const travelMs = isLate ? this.#random.between(2000, 25_000) : this.#latency();
      const isLost = this.#random.chance(weather.loseRequest);
      const isAnswerLost = this.#random.chance(weather.loseAnswer);
      const refusal = this.drawRefusal();
      answer(() => reject(new Error('Query read timeout')), how.timeoutMs);
      world.at(world.now + travelMs, async () => {
        if (this.cutOff.has(node)) return;
        if (!this.isUp) return answer(() => reject(new CodedError('ECONNREFUSED', 'connect ECONNREFUSED')), this.#latency());
        if (how.session?.isOpen === false) return answer(() => reject(new Error('Connection terminated unexpectedly')), this.#latency());
        if (isLost) return answer(() => reject(new CodedError('ECONNRESET', 'read ECONNRESET')), this.#latency());
        if (refusal !== null) return answer(() => reject(refusal), this.#latency());
        try {
          const result = await work();
          if (this.cutOff.has(node)) return;
          if (isAnswerLost) answer(() => reject(new CodedError('ECONNRESET', 'read ECONNRESET')), this.#latency());
          else answer(() => resolve(result), this.#latency());
        } catch (error) {
          answer(() => reject(error instanceof Error ? error : new Error(String(error))), this.#latency());
        }
      }, null);
    });
  }

  /** A statement that PostgreSQL gives up: a deadlock, a lock that it waited for too long, a conflict, a request to end it. */
  drawRefusal(): CodedError | null {
    if (!this.#random.chance(this.weather.refuse)) return null;
    const code = this.#random.pick(['40P01', '55P03', '40001', '57014']);
    return new CodedError(code, `the statement was given up (${code})`);
  }

  /** Whether the answer to a commit that happened is lost. */
  losesCommit(): boolean {
    return this.#random.chance(this.weather.loseCommit);
  }

  #latency(): number {
    return this.weather.latencyMs * (0.3 + this.#random.next());
  }

  // ── the lock ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** As `awaitLeadership` of the store, with the lock kept by the world. */
  async awaitLeadership(node: Node, address: string, stop: AbortSignal): Promise<Leadership> {
    await this.call(node, { timeoutMs: 5000 }, () => Promise.resolve());
    const session: Session = { isOpen: true, node, onEnd: () => undefined };
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { node, grant: () => {
        callOff();
        this.holder = session;
        this.world.at(this.world.now + this.#latency(), resolve, node);
      } };
      const giveUp = (error: Error): void => {
        const place = this.#waiters.indexOf(waiter);
        if (place >= 0) this.#waiters.splice(place, 1);
        // It was granted, and nobody was there to hear it: the connection is closed.
        this.endSession(session);
        reject(error);
      };
      const callOff = this.world.after(30_000, () => giveUp(new Error('Query read timeout')));
      stop.addEventListener('abort', () => giveUp(new Error('Connection terminated')), { once: true });
      this.#waiters.push(waiter);
      this.#grantLock();
    });
    const lost = new AbortController();
    session.onEnd = () => void this.world.at(this.world.now + this.#latency(), () => lost.abort(), node);
    if (!session.isOpen) throw new Error('Connection terminated unexpectedly');
    const query = (text: Statement, values?: unknown[]): Promise<pg.QueryResult> => {
      const timeoutMs = (typeof text === 'string' ? undefined : text.query_timeout) ?? LIMITS.databaseTimeoutMs;
      return this.call(node, { session, timeoutMs }, () => this.executeAndTell(text, values));
    };
    const client = { query } as unknown as Leadership['client'];
    try {
      const epoch = await raiseEpoch(client, address);
      return { epoch, client, lost: lost.signal, resign: () => this.#resign(session) };
    } catch (error) {
      await this.#resign(session);
      throw error;
    }
  }

  /** A single statement, and the notices that it sent. */
  async executeAndTell<R extends pg.QueryResultRow>(text: Statement, values?: unknown[]): Promise<pg.QueryResult<R>> {
    const result = await this.execute<R>(text, values);
    if ((typeof text === 'string' ? text : text.text).includes('pg_notify')) await this.deliverNotices();
    return result;
  }

  #resign(session: Session): Promise<void> {
    this.world.at(this.world.now + this.#latency(), () => this.endSession(session), null);
    return Promise.resolve();
  }

  /** The server side of a session is over: its lock is free, and its client hears of it when it can. */
  endSession(session: Session): void {
    if (!session.isOpen) return;
    session.isOpen = false;
    if (!this.cutOff.has(session.node)) session.onEnd();
    if (this.holder === session) this.loseLock();
  }

  /** The lock is free although its session goes on, as behind a pooler or after a failover. */
  loseLock(): void {
    this.holder = null;
    this.world.at(this.world.now + 1, () => this.#grantLock(), null);
  }

  #grantLock(): void {
    if (this.holder !== null || !this.isUp) return;
    const place = this.#waiters.findIndex(({ node }) => node.isAlive && !this.cutOff.has(node));
    const [next] = place < 0 ? [] : this.#waiters.splice(place, 1);
    next?.grant();
  }

  /** A node died: what the kernel closes for it is closed a moment later. */
  forget(node: Node): void {
    this.#listeners.delete(node);
    this.world.at(this.world.now + 27, () => {
      if (this.holder?.node === node) this.endSession(this.holder);
    }, null);
  }

  /** The network to a node swallows everything; the server's own probes end its session some seconds later. */
  cut(node: Node): void {
    this.cutOff.add(node);
    const { holder } = this;
    if (holder?.node === node) this.world.at(this.world.now + 5000, () => {
      if (this.cutOff.has(node)) this.endSession(holder);
    }, null);
  }

  heal(node: Node): void {
    this.cutOff.delete(node);
    const handlers = this.#listeners.get(node);
    // Its listening connection is found dead and made anew.
    if (handlers !== undefined) this.world.at(this.world.now + this.#random.between(10, 10_000), () => {
      if (this.#listeners.get(node) === handlers) handlers.onGap();
    }, node);
  }

  /** Notices to a node go nowhere, until its probe finds the connection dead and it is made anew. */
  deafen(node: Node, ms: number): void {
    this.deaf.add(node);
    this.world.at(this.world.now + ms, () => this.undeafen(node), null);
  }

  undeafen(node: Node): void {
    if (!this.deaf.delete(node)) return;
    const handlers = this.#listeners.get(node);
    if (handlers !== undefined) this.world.at(this.world.now + this.#latency(), () => {
      if (this.#listeners.get(node) === handlers) handlers.onGap();
    }, node);
  }

  /** Refuses everybody; all sessions end. */
  goDown(): void {
    this.isUp = false;
    if (this.holder !== null) this.endSession(this.holder);
  }

  comeUp(): void {
    this.isUp = true;
    for (const [node, handlers] of this.#listeners) this.world.at(this.world.now + this.#random.between(20, 2000), () => {
      if (this.#listeners.get(node) === handlers) handlers.onGap();
    }, node);
    this.#grantLock();
  }

  // ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** As `listen` of the store. */
  listen(node: Node, handlers: NoticeHandlers): Listening {
    this.#listeners.set(node, handlers);
    this.world.at(this.world.now + this.#latency(), () => {
      if (this.#listeners.get(node) === handlers) handlers.onGap();
    }, node);
    return { stop: () => {
      if (this.#listeners.get(node) === handlers) this.#listeners.delete(node);
      return Promise.resolve();
    } };
  }
}

/** The part of a pool that the store and Kysely use. */
class SimPool {
  readonly #database: SimDatabase;
  readonly #node: Node;

  constructor(database: SimDatabase, node: Node) {
    this.#database = database;
    this.#node = node;
  }

  query(text: Statement, values?: unknown[]): Promise<pg.QueryResult> {
    return this.#database.call(this.#node, { timeoutMs: LIMITS.databaseTimeoutMs }, () => this.#database.executeAndTell(text, values));
  }

  connect(): Promise<SimPoolClient> {
    return Promise.resolve(new SimPoolClient(this.#database, this.#node));
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

/** One statement at a time travels like any other; a transaction happens at one instant: a statement of it may be given up, and the answer to its commit may be lost. */
class SimPoolClient {
  readonly #database: SimDatabase;
  readonly #node: Node;
  #release: (() => void) | null = null;

  constructor(database: SimDatabase, node: Node) {
    this.#database = database;
    this.#node = node;
  }

  async query(text: Statement, values?: unknown[]): Promise<pg.QueryResult> {
    const sql = (typeof text === 'string' ? text : text.text).trim().toLowerCase();
    if (this.#release !== null) {
      if (sql !== 'commit' && sql !== 'rollback') return this.#inTransaction(text, values);
      const result = await this.#database.execute(sql);
      if (sql === 'commit') await this.#database.deliverNotices();
      this.#release();
      this.#release = null;
      if (sql === 'commit' && this.#database.losesCommit()) throw new CodedError('ECONNRESET', 'read ECONNRESET');
      return result;
    }
    if (sql !== 'begin' && !sql.startsWith('start transaction')) return this.#database.call(this.#node, { timeoutMs: LIMITS.databaseTimeoutMs }, () => this.#database.executeAndTell(text, values));
    await this.#database.call(this.#node, { timeoutMs: LIMITS.databaseTimeoutMs }, () => Promise.resolve());
    this.#release = this.#database.world.hold();
    return this.#database.execute('begin');
  }

  #inTransaction(text: Statement, values?: unknown[]): Promise<pg.QueryResult> {
    const refusal = this.#database.drawRefusal();
    return refusal === null ? this.#database.execute(text, values) : Promise.reject(refusal);
  }

  release(): void {
    // Kysely and the store end their transactions before they give a connection back.
  }
}
