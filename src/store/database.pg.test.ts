// A connection whose state nobody knows never goes back into the pool: what the next borrower writes would be part of a stranger's open transaction.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addRun, dagOf, task } from '../../test/support/rows.ts';
import { createRun } from './dag-runs.ts';
import { type Database, openDatabase } from './database.ts';
import { applyAction, NO_ACTION } from './person-actions.ts';

/** The same database with one connection, whose statements time out soon. */
async function withImpatient(database: Database, work: (impatient: Database) => Promise<void>): Promise<void> {
  const impatient = openDatabase(database.url);
  Object.assign(impatient.pool.options, { query_timeout: 300, max: 1 });
  try {
    await work(impatient);
  } finally {
    await impatient.close();
  }
}

/** What the next borrower writes is there for everybody. */
async function assertWrites(database: Database, impatient: Database): Promise<void> {
  const made = await createRun(impatient, { dagId: 'd', runId: 'next', runType: 'manual', logicalDate: null, interval: null, runAfter: 0, conf: {}, triggeredBy: 'rest_api', user: null, note: null });
  assert.equal(made.kind, 'created');
  assert.equal((await database.pool.query("select 1 from dag_runs where run_id = 'next'")).rowCount, 1, 'a row that was acknowledged is committed');
}

/** Until no statement runs and nothing waits: the server has noticed that a connection is gone, or has ended its statement. */
async function untilQuiet(database: Database): Promise<void> {
  const busy = "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and state = 'active'";
  while (((await database.pool.query(busy)).rowCount ?? 0) > 0);
}

describe('a connection that timed out', () => {
  it('in a transaction is replaced', () => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('a')]));
    await withImpatient(database, async (impatient) => {
      await assert.rejects(impatient.kysely.transaction().execute((trx) => sql`select pg_sleep(1.2)`.execute(trx)), /Query read timeout|not queryable/);
      await untilQuiet(database);
      await assertWrites(database, impatient);
    });
  }));

  it('in an action of a person is replaced, and holds no lock', () => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('a')]));
    const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'success' });
    const holder = await database.pool.connect();
    await withImpatient(database, async (impatient) => {
      await holder.query('begin');
      await holder.query('select 1 from dag_runs where id = $1 for update', [run]);
      await assert.rejects(applyAction(impatient, { ...NO_ACTION, runs: [{ id: run, state: 'queued' }] }), { code: 'database_unavailable' });
      await holder.query('rollback');
      holder.release();
      await untilQuiet(database);
      await assertWrites(database, impatient);
      await database.pool.query('select 1 from dag_runs where id = $1 for update nowait', [run]);
    });
  }));

  it('whose rollback failed is replaced', () => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('a')]));
    await withImpatient(database, async (impatient) => {
      const first = await impatient.pool.connect();
      const query = first.query.bind(first) as (text: string) => Promise<unknown>;
      await query('begin');
      await assert.rejects(query('rollback to savepoint nowhere'));
      first.release();
      await assertWrites(database, impatient);
    });
  }));

  it('is no end of the process when the server ends it while it is borrowed', () => withDatabase(async (database) => {
    await withImpatient(database, async (impatient) => {
      const borrowed = await impatient.pool.connect();
      const ended = new Promise((resolve) => void borrowed.once('end', resolve));
      await database.pool.query("select pg_terminate_backend($1)", [(await borrowed.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid]);
      await ended;
      borrowed.release();
      assert.equal((await impatient.pool.query('select 1')).rowCount, 1);
    });
  }));
});
