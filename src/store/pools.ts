// The table pools: lists with the use of their slots, and changes, each of which the leader is told.
import { sql } from 'kysely';
import { type Database, violatedConstraint } from './database.ts';
import { cappedLimit, type Condition, isEqual, isLike, type Listed, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';

/** A pool and the use of its slots. */
export interface PoolRow {
  readonly name: string;
  /** −1 is without limit. */
  readonly slots: number;
  readonly description: string | null;
  readonly includeDeferred: boolean;
  /** Slots held by instances of unfinished runs, by their state. */
  readonly running: number;
  readonly queued: number;
  readonly scheduled: number;
  readonly deferred: number;
}

const NAME = sql.ref('pools.name');
const ORDER_KEYS: OrderKeys = { id: NAME, pool: NAME, name: NAME };

/** Pools of a page. */
export async function listPools(database: Database, pattern: string | null, page: Page): Promise<Listed<PoolRow>> {
  return selectPools(database, isLike(NAME, pattern), page);
}

/** One pool; null when there is none. */
export async function findPool(database: Database, name: string): Promise<PoolRow | null> {
  const { rows } = await selectPools(database, isEqual(NAME, name), { limit: 1, offset: 0, orderBy: [] });
  return rows[0] ?? null;
}

const USE_STATES = ['running', 'queued', 'scheduled', 'deferred'] as const;

async function selectPools(database: Database, conditions: readonly Condition[], page: Page): Promise<Listed<PoolRow>> {
  const order = orderTerms(page.orderBy, ORDER_KEYS, [NAME]);
  let query = database.kysely.selectFrom('pools').selectAll().where('tenant', '=', TENANT).where((eb) => eb.and([...conditions]));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of order) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  const used = rows.length === 0 ? [] : await database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select(['t.pool', 't.state', (eb) => eb.fn.sum<number>('t.pool_slots').as('slots')])
    .where('r.tenant', '=', TENANT).where('r.finished', '=', false).where('t.finished', '=', false)
    .where('t.state', 'in', [...USE_STATES]).where('t.pool', 'in', rows.map((row) => row.name)).groupBy(['t.pool', 't.state']).execute();
  const slotsOf = (pool: string, state: (typeof USE_STATES)[number]): number => Number(used.find((row) => row.pool === pool && row.state === state)?.slots ?? 0);
  return {
    total: counted.total,
    rows: rows.map((row) => ({
      name: row.name, slots: row.slots, description: row.description, includeDeferred: row.include_deferred,
      running: slotsOf(row.name, 'running'), queued: slotsOf(row.name, 'queued'), scheduled: slotsOf(row.name, 'scheduled'), deferred: slotsOf(row.name, 'deferred'),
    })),
  };
}

/** What of a pool can be changed. */
interface PoolWrite {
  readonly slots: number;
  readonly description: string | null;
  readonly includeDeferred: boolean;
}

/** Makes a pool; `duplicate` when the name is taken. */
export async function createPool(database: Database, name: string, pool: PoolWrite): Promise<{ kind: 'created' } | { kind: 'duplicate'; constraint: string }> {
  try {
    await sql`/* store/pools.createPool */ with made as (
        insert into pools (name, slots, description, include_deferred) values (${name}, ${pool.slots}, ${pool.description}, ${pool.includeDeferred}) returning name
      ) select pg_notify('leoflow_pools', name) from made`.execute(database.kysely);
    return { kind: 'created' };
  } catch (error) {
    const constraint = violatedConstraint(error);
    if (constraint === null) throw error;
    return { kind: 'duplicate', constraint };
  }
}

/** Changes a pool that exists. */
export async function updatePool(database: Database, name: string, pool: PoolWrite): Promise<void> {
  await sql`/* store/pools.updatePool */ with changed as (
      update pools set slots = ${pool.slots}, description = ${pool.description}, include_deferred = ${pool.includeDeferred} where tenant = ${TENANT} and name = ${name} returning name
    ) select pg_notify('leoflow_pools', name) from changed`.execute(database.kysely);
}

/** Deletes a pool. @returns false when there was none */
export async function deletePool(database: Database, name: string): Promise<boolean> {
  const { rows } = await sql`/* store/pools.deletePool */ with gone as (
      delete from pools where tenant = ${TENANT} and name = ${name} returning name
    ) select pg_notify('leoflow_pools', name) from gone`.execute(database.kysely);
  return rows.length > 0;
}
