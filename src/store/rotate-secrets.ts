// Re-encrypts stored secrets under the current key, a bounded batch at a time, while everybody reads and writes.
import { type RawBuilder, sql } from 'kysely';
import { AppError } from '#contract/errors.ts';
import type { KeySource } from '#platform/key-file.ts';
import { type KeyRing, keyIdOf, open, type SecretKey, type SecretPlace } from '#platform/secret-box.ts';
import { connectionPlace } from './connections.ts';
import type { Database } from './database.ts';
import { appointKey, sealFresh, withCurrentKey } from './secret-keys.ts';
import { variablePlace } from './variables.ts';

const BATCH = 200;

/** A column that holds secrets: its table, its row's name, and where its values are bound to. */
interface SealedColumn {
  readonly table: 'variables' | 'connections';
  readonly name: 'key' | 'conn_id';
  readonly field: 'value' | 'password' | 'extra';
  readonly place: (name: string) => SecretPlace;
}

const COLUMNS: readonly SealedColumn[] = [
  { table: 'variables', name: 'key', field: 'value', place: variablePlace },
  { table: 'connections', name: 'conn_id', field: 'password', place: (id) => connectionPlace(id, 'password') },
  { table: 'connections', name: 'conn_id', field: 'extra', place: (id) => connectionPlace(id, 'extra') },
];

/** A stored secret. */
interface Sealed { readonly id: number; readonly name: string; readonly sealed: Buffer }

/** A stored secret that no key of the ring opens. */
export interface Unreadable { readonly what: string; readonly keyId: string; readonly isDamaged: boolean }

interface Wanted { readonly afterId: number; readonly condition: RawBuilder<boolean> }

async function readBatch(database: Database, column: SealedColumn, { afterId, condition }: Wanted): Promise<readonly Sealed[]> {
  const field = sql.ref(column.field);
  const { rows } = await sql<Sealed>`/* store/rotate-secrets.readBatch */ select id, ${sql.ref(column.name)} as name, ${field} as sealed from ${sql.table(column.table)}
    where id > ${afterId} and ${field} is not null and ${condition} order by id limit ${BATCH}`.execute(database.kysely);
  return rows;
}

const keyIdColumn = (column: SealedColumn): RawBuilder<string> => sql<string>`encode(substring(${sql.ref(column.field)} from 2 for 8), 'hex')`;

async function* eachSealed(database: Database, column: SealedColumn, condition: RawBuilder<boolean>): AsyncGenerator<readonly Sealed[]> {
  for (let afterId = 0; ; ) {
    const batch = await readBatch(database, column, { afterId, condition });
    if (batch.length === 0) return;
    yield batch;
    afterId = batch.at(-1)?.id ?? afterId;
  }
}

/**
 * Brings every value under the current key. A value that somebody changes meanwhile is under it already, and stays as they wrote it.
 * @returns how many were re-encrypted, and which could not be read
 */
export async function reencrypt(database: Database, keys: KeySource): Promise<{ readonly done: number; readonly unreadable: readonly Unreadable[] }> {
  let done = 0;
  const unreadable: Unreadable[] = [];
  const current = await withCurrentKey(database, keys, (_transaction, key) => Promise.resolve(key));
  const ring = keys.read();
  for (const column of COLUMNS) {
    for await (const batch of eachSealed(database, column, sql<boolean>`${keyIdColumn(column)} <> ${current.id}`)) {
      const fresh = batch.flatMap((row) => renewed(ring, current, { column, row }) ?? []);
      unreadable.push(...batch.flatMap((row) => unreadableOf(ring, column, row) ?? []));
      if (fresh.length > 0) done += await replace(database, keys, { column, fresh });
    }
  }
  return { done, unreadable };
}

interface Renewed { readonly id: number; readonly before: Buffer; readonly after: Buffer }

function renewed(ring: KeyRing, key: SecretKey, { column, row }: { column: SealedColumn; row: Sealed }): Renewed | null {
  const place = column.place(row.name);
  const opened = open(ring, row.sealed, place);
  return opened.kind === 'opened' ? { id: row.id, before: row.sealed, after: sealFresh(key, opened.text, place) } : null;
}

/** One statement: each row only if it still holds what was read. */
async function replace(database: Database, keys: KeySource, { column, fresh }: { column: SealedColumn; fresh: readonly Renewed[] }): Promise<number> {
  const field = sql.ref(column.field);
  return withCurrentKey(database, keys, async (transaction) => {
    const { numAffectedRows } = await sql`/* store/rotate-secrets.replace */ update ${sql.table(column.table)} as t set ${field} = n.after
      from unnest(${fresh.map((one) => one.id)}::bigint[], ${fresh.map((one) => one.before)}::bytea[], ${fresh.map((one) => one.after)}::bytea[]) as n (id, before, after)
      where t.id = n.id and t.${field} = n.before`.execute(transaction);
    return Number(numAffectedRows ?? 0);
  });
}

function unreadableOf(ring: KeyRing, column: SealedColumn, row: Sealed): Unreadable | null {
  const opened = open(ring, row.sealed, column.place(row.name));
  if (opened.kind === 'opened') return null;
  const what = column.table === 'variables' ? `variable ${row.name}` : `${column.field} of connection ${row.name}`;
  return { what, keyId: keyIdOf(row.sealed), isDamaged: opened.kind === 'damaged' };
}

/** Every stored value that this ring cannot read. */
export async function listUnreadable(database: Database, ring: KeyRing): Promise<readonly Unreadable[]> {
  const found: Unreadable[] = [];
  for (const column of COLUMNS) {
    for await (const batch of eachSealed(database, column, sql<boolean>`true`)) found.push(...batch.flatMap((row) => unreadableOf(ring, column, row) ?? []));
  }
  return found;
}

/** Empties every value under a key that is lost, so that it can be set again; the rows and what is plain in them stay. @returns how many were emptied */
export async function forgetKey(database: Database, ring: KeyRing, keyId: string): Promise<number> {
  if (ring.keys.some((key) => key.id === keyId)) throw new AppError('conflict', `the key ${keyId} is not lost: this server has it`, { hint: 'Remove it with `leoflow keys rotate --drop-old` after a rotation.' });
  return database.kysely.transaction().execute(async (transaction) => {
    let emptied = 0;
    for (const column of COLUMNS) {
      const field = sql.ref(column.field);
      const { numAffectedRows } = await sql`/* store/rotate-secrets.forgetKey */ update ${sql.table(column.table)} set ${field} = null where ${keyIdColumn(column)} = ${keyId}`.execute(transaction);
      emptied += Number(numAffectedRows ?? 0);
    }
    await transaction.deleteFrom('secret_keys').where('key_id', '=', keyId).execute();
    await appointKey(transaction, ring.keys[0]);
    return emptied;
  });
}

const ROTATION_LOCK = 0x6c656f_73;

/** One rotation at a time. Throws `conflict` while another one is going on. */
export async function withRotationLock<R>(database: Database, work: () => Promise<R>): Promise<R> {
  return database.kysely.connection().execute(async (connection) => {
    const { rows } = await sql<{ taken: boolean }>`/* store/rotate-secrets.lock */ select pg_try_advisory_lock(${ROTATION_LOCK}) as taken`.execute(connection);
    if (rows[0]?.taken !== true) throw new AppError('conflict', 'another rotation of keys is going on', { hint: 'Wait until it is done.' });
    try {
      return await work();
    } finally {
      await sql`/* store/rotate-secrets.unlock */ select pg_advisory_unlock(${ROTATION_LOCK})`.execute(connection);
    }
  });
}
