// The table connections: lists and changes, passwords and extras encrypted.
import { sql, type Transaction } from 'kysely';
import type { ConnectionValue } from '#contract/attempt.ts';
import { type KeyRing, openOrThrow, type SecretKey, type SecretPlace } from '#platform/secret-box.ts';
import { type Database, violatedConstraint } from './database.ts';
import { cappedLimit, type Column, isLike, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';
import { openLeniently, sealFresh, withCurrentKey } from './secret-keys.ts';
import type { Tables } from './tables.ts';
import type { ListedSecrets, Vault } from './variables.ts';

/** A connection, decrypted; the type is always known. */
export interface Connection extends ConnectionValue {
  readonly conn_type: string;
}

const column = (name: string): Column => sql.ref(`connections.${name}`);
const ORDER_KEYS: OrderKeys = {
  conn_id: column('conn_id'), connection_id: column('conn_id'), conn_type: column('conn_type'), description: column('description'), host: column('host'), port: column('port'), id: column('id'), team_name: sql`null::text`,
};
const COLUMNS = ['conn_id', 'conn_type', 'description', 'host', 'schema', 'login', 'password', 'port', 'extra'] as const;

type Field = 'password' | 'extra';

/** Where a secret of a connection is stored. */
export const connectionPlace = (connId: string, field: Field): SecretPlace => ({ kind: 'connection', name: connId, field });

/** One connection; null when there is none. Throws `secret_key_missing` or `secret_unreadable` when a part of it cannot be decrypted. */
export async function findConnection(vault: Vault, connId: string): Promise<Connection | null> {
  const row = await selectConnections(vault.database).where('conn_id', '=', connId).executeTakeFirst();
  // The keys are read after the row: what it needs is in the file since before.
  return row === undefined ? null : fromRow(vault.keys.read(), row);
}

const selectConnections = (database: Pick<Database, 'kysely'>) => database.kysely.selectFrom('connections').select(COLUMNS).where('tenant', '=', TENANT);

/** Connections of a page. */
export async function listConnections({ database, keys }: Vault, pattern: string | null, page: Page): Promise<ListedSecrets<Connection>> {
  let query = selectConnections(database).where((eb) => eb.and(isLike(column('conn_id'), pattern)));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  const ring = keys.read();
  const { errors, open } = openLeniently();
  return { total: counted.total, rows: rows.map((row) => fromRow(ring, row, open)), unreadable: errors };
}

type Row = Pick<Connection, Exclude<(typeof COLUMNS)[number], Field>> & { readonly [F in Field]: Buffer | null };

function fromRow(ring: KeyRing, row: Row, open = openOrThrow): Connection {
  const opened = (field: Field): string | null => (row[field] === null ? null : open(ring, row[field], connectionPlace(row.conn_id, field)));
  return { ...row, password: opened('password'), extra: opened('extra') };
}

/** Ids of these that exist. */
export async function listConnectionIds({ database }: Vault, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await database.kysely.selectFrom('connections').select('conn_id').where('tenant', '=', TENANT).where(sql<boolean>`conn_id = any(${ids}::text[])`).limit(Math.max(1, ids.length)).execute();
  return new Set(rows.map((row) => row.conn_id));
}

/** A row's columns of a connection. */
function toRow(connection: Connection, key: SecretKey): Row {
  const { conn_id, conn_type, description, host, schema, login, port } = connection;
  return { conn_id, conn_type, description, host, schema, login, port, password: sealOrNull(key, connection.password, connectionPlace(conn_id, 'password')), extra: sealOrNull(key, connection.extra, connectionPlace(conn_id, 'extra')) };
}

const sealOrNull = (key: SecretKey, text: string | null, place: SecretPlace): Buffer | null => (text === null ? null : sealFresh(key, text, place));

/** Makes a connection. @returns false when there is one of this id. Throws `secret_key_missing` */
export async function createConnection({ database, keys }: Vault, connection: Connection): Promise<boolean> {
  try {
    await withCurrentKey(database, keys, (transaction, key) => transaction.insertInto('connections').values(toRow(connection, key)).execute());
    return true;
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
    return false;
  }
}

/** Makes or replaces a connection. Throws `secret_key_missing`. */
export async function setConnection({ database, keys }: Vault, connection: Connection): Promise<void> {
  await withCurrentKey(database, keys, (transaction, key) => {
    const row = toRow(connection, key);
    return transaction.insertInto('connections').values(row).onConflict((conflict) => conflict.constraint('connections_conn_id').doUpdateSet({ ...row, updated_at: sql`clock_timestamp()` })).execute();
  });
}

/** A stored connection whose secrets are decrypted only when they are asked for. */
export interface KnownConnection extends Omit<Connection, Field> {
  /** Throws `secret_key_missing` or `secret_unreadable`. */
  readonly reveal: (field: Field) => string | null;
}

/** What becomes of a connection: a secret that is absent stays as it is stored. */
export type ChangedConnection = Omit<Connection, Field> & { readonly [F in Field]?: string | null };

/** Changes a connection by what it is now, its row held meanwhile. @returns it as lists show it; null when there is none. Throws `secret_key_missing`, and what `change` throws */
export async function changeConnection({ database, keys }: Vault, connId: string, change: (known: KnownConnection) => ChangedConnection): Promise<Connection | null> {
  return withCurrentKey(database, keys, async (transaction: Transaction<Tables>, key) => {
    const row = await transaction.selectFrom('connections').select(COLUMNS).where('tenant', '=', TENANT).where('conn_id', '=', connId).forUpdate().executeTakeFirst();
    if (row === undefined) return null;
    const ring = keys.read();
    const { password, extra, ...plain } = row;
    const stored = { password, extra };
    const changed = change({ ...plain, reveal: (field) => (stored[field] === null ? null : openOrThrow(ring, stored[field], connectionPlace(connId, field))) });
    const next = (field: Field): Buffer | null => {
      const text = changed[field];
      return text === undefined ? stored[field] : sealOrNull(key, text, connectionPlace(connId, field));
    };
    const { conn_type, description, host, schema, login, port } = changed;
    const written: Row = { conn_id: connId, conn_type, description, host, schema, login, port, password: next('password'), extra: next('extra') };
    await transaction.updateTable('connections').set({ ...written, updated_at: sql`clock_timestamp()` }).where('tenant', '=', TENANT).where('conn_id', '=', connId).execute();
    return fromRow(ring, written, openLeniently().open);
  });
}

/** Deletes a connection. @returns false when there was none */
export async function deleteConnection({ database }: Pick<Vault, 'database'>, connId: string): Promise<boolean> {
  const gone = await database.kysely.deleteFrom('connections').where('tenant', '=', TENANT).where('conn_id', '=', connId).executeTakeFirst();
  return gone.numDeletedRows > 0n;
}
