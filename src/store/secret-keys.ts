// The table secret_keys: which keys the rows of this database are under, and which one writes use.
import { randomBytes } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import { AppError } from '#contract/errors.ts';
import { MASK } from '#core/sensitive.ts';
import type { KeySource } from '#platform/key-file.ts';
import { type KeyRing, open, openOrThrow, seal, type SecretKey, type SecretPlace } from '#platform/secret-box.ts';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

/** What stands for a value that cannot be decrypted, and why. */
export interface Unopened {
  readonly errors: AppError[];
  readonly open: (ring: KeyRing, sealed: Buffer, place: SecretPlace) => string;
}

/** Opens what can be opened; `***` stands for the rest, whose failures are kept. */
export function openLeniently(): Unopened {
  const errors: AppError[] = [];
  return {
    errors,
    open(ring, sealed, place) {
      try {
        return openOrThrow(ring, sealed, place);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        errors.push(error);
        return MASK;
      }
    },
  };
}

const CHECK_TEXT = 'leoflow';
const NONCE_BYTES = 12;

const checkPlace = (keyId: string): SecretPlace => ({ kind: 'key', name: keyId, field: 'check_value' });

/** Encrypts with a fresh nonce. */
export function sealFresh(key: SecretKey, text: string, place: SecretPlace): Buffer {
  return seal(key, { text, place }, randomBytes(NONCE_BYTES));
}

/** What this database knows of keys. */
export interface KnownKeys {
  /** Null before the first secret was stored. */
  readonly current: string | null;
  /** Every key that rows may be under. */
  readonly all: readonly string[];
}

/** Reads the ids of the keys in use. */
export async function readKnownKeys(database: Database): Promise<KnownKeys> {
  const rows = await database.kysely.selectFrom('secret_keys').select(['key_id', 'is_current']).orderBy('created_at').limit(1000).execute();
  return { current: rows.find((row) => row.is_current)?.key_id ?? null, all: rows.map((row) => row.key_id) };
}

/**
 * Runs a write with the key that it has to encrypt with: the database's current one, held until the commit, so that no rotation overlooks what is being written.
 * Throws `secret_key_missing` when this server does not have it.
 */
export async function withCurrentKey<R>(database: Database, keys: Pick<KeySource, 'read'>, write: (transaction: Transaction<Tables>, key: SecretKey) => Promise<R>): Promise<R> {
  return database.kysely.transaction().execute(async (transaction) => {
    let current = await lockCurrent(transaction);
    if (current === null) {
      await introduce(transaction, keys.read().keys[0], true);
      current = await lockCurrent(transaction);
    }
    // Read only now: the key that became current while this waited is in the file since before.
    return write(transaction, held(keys.read(), current ?? ''));
  });
}

async function lockCurrent(transaction: Kysely<Tables>): Promise<string | null> {
  const row = await transaction.selectFrom('secret_keys').select('key_id').where('is_current', '=', true).forShare().executeTakeFirst();
  return row?.key_id ?? null;
}

function held(ring: KeyRing, keyId: string): SecretKey {
  const key = ring.keys.find((one) => one.id === keyId);
  if (key === undefined) throw new AppError('secret_key_missing', `this database’s secrets are encrypted with the key ${keyId}, which this server does not have: nothing was changed`);
  return key;
}

/** Writes a key down; whoever comes first decides. */
async function introduce(kysely: Kysely<Tables>, key: SecretKey, isCurrent: boolean): Promise<void> {
  await kysely.insertInto('secret_keys').values({ key_id: key.id, is_current: isCurrent, check_value: sealFresh(key, CHECK_TEXT, checkPlace(key.id)) }).onConflict((conflict) => conflict.doNothing()).execute();
}

/** Writes use this key from now on when there is none that they use: the one before was given up. */
export async function appointKey(transaction: Kysely<Tables>, key: SecretKey): Promise<void> {
  const current = await transaction.selectFrom('secret_keys').select('key_id').where('is_current', '=', true).executeTakeFirst();
  if (current !== undefined) return;
  await introduce(transaction, key, false);
  await transaction.updateTable('secret_keys').set({ is_current: true }).where('key_id', '=', key.id).execute();
}

/**
 * Makes the ring's first key the one that writes use; rows stay as they are until they are re-encrypted. Waits for writes under the key before.
 * Throws `secret_key_missing` when the ring lacks the key that is current now.
 */
export async function promoteFirstKey(database: Database, ring: KeyRing): Promise<void> {
  const [first] = ring.keys;
  await database.kysely.transaction().execute(async (transaction) => {
    const row = await transaction.selectFrom('secret_keys').select('key_id').where('is_current', '=', true).forUpdate().executeTakeFirst();
    if (row?.key_id === first.id) return;
    if (row !== undefined) held(ring, row.key_id);
    await introduce(transaction, first, false);
    await transaction.updateTable('secret_keys').set({ is_current: false }).where('is_current', '=', true).execute();
    // A key that was current before comes back as the newest: those after it were retired, not added.
    await transaction.updateTable('secret_keys').set({ is_current: true, created_at: sql`clock_timestamp()` }).where('key_id', '=', first.id).execute();
  });
}

/** Writes down that a key was added for the next rotation: nothing is encrypted with it yet. */
export async function announceKey(database: Database, key: SecretKey): Promise<void> {
  await introduce(database.kysely, key, false);
}

/** The key of this ring that was added for the next rotation; null when there is none. */
export async function findAddedKey(database: Database, ring: KeyRing): Promise<string | null> {
  const row = await newerThanCurrent(database).where('key_id', 'in', ring.keys.map((key) => key.id)).orderBy('created_at').limit(1).executeTakeFirst();
  return row?.key_id ?? null;
}

/** Retired keys are older than the one that took their place. */
const newerThanCurrent = ({ kysely }: Database) => kysely.selectFrom('secret_keys').select('key_id').where('is_current', '=', false)
  .where(sql<boolean>`created_at > coalesce((select created_at from secret_keys where is_current), '-infinity')`);

/**
 * What a server does when it starts: a first key that this database has never seen becomes current; one that was current before does not come back by itself.
 * @returns what is wrong with its ring, null when nothing is
 */
export async function greetKeys(database: Database, ring: KeyRing): Promise<string | null> {
  const known = await readKnownKeys(database);
  const wrong = await examineRing(database, ring);
  if (wrong === null && known.current !== null && !known.all.includes(ring.keys[0].id)) await promoteFirstKey(database, ring);
  return wrong;
}

/** Whether a ring can read everything in this database. @returns a sentence when it cannot */
export async function examineRing(database: Database, ring: KeyRing): Promise<string | null> {
  const rows = await database.kysely.selectFrom('secret_keys').select(['key_id', 'is_current', 'check_value']).orderBy('created_at').limit(1000).execute();
  const missing = rows.filter((row) => open(ring, row.check_value, checkPlace(row.key_id)).kind !== 'opened');
  const uses = await countUses(database);
  const hurting = missing.filter((row) => row.is_current || (uses.get(row.key_id) ?? 0) > 0);
  if (hurting.length === 0) return null;
  const named = hurting.map((row) => `${row.key_id} (${uses.get(row.key_id) ?? 0} values${row.is_current ? ', writes are refused' : ''})`);
  return `variables and connections need keys that this server does not have: ${named.join(', ')}`;
}

/** Number of stored values by the key they are under. */
export async function countUses(database: Database): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ key_id: string; uses: number }>`/* store/secret-keys.countUses */ select encode(substring(sealed from 2 for 8), 'hex') as key_id, count(*)::int as uses from (
      select value as sealed from variables union all select password from connections union all select extra from connections
    ) as stored where sealed is not null group by 1 limit 1000`.execute(database.kysely);
  return new Map(rows.map((row) => [row.key_id, row.uses]));
}

/** Forgets retired keys that no value is under. @returns their ids */
export async function dropUnusedKeys(database: Database): Promise<readonly string[]> {
  const uses = await countUses(database);
  const gone = await database.kysely.deleteFrom('secret_keys').where('is_current', '=', false).where('key_id', 'not in', newerThanCurrent(database))
    .$if(uses.size > 0, (query) => query.where('key_id', 'not in', [...uses.keys()])).returning('key_id').execute();
  return gone.map((row) => row.key_id);
}
