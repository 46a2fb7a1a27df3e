// The table variables: lists and changes, the values encrypted.
import { sql } from 'kysely';
import type { AppError } from '#contract/errors.ts';
import type { KeySource } from '#platform/key-file.ts';
import { type KeyRing, openOrThrow, type SecretPlace } from '#platform/secret-box.ts';
import { type Database, violatedConstraint } from './database.ts';
import { cappedLimit, type Column, isLike, type Listed, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';
import { openLeniently, sealFresh, withCurrentKey } from './secret-keys.ts';

/** A database and the keys of its secrets. */
export interface Vault {
  readonly database: Database;
  readonly keys: KeySource;
}

/** A variable, decrypted. Its value is null when its key was lost and given up. */
export interface Variable {
  readonly key: string;
  readonly value: string | null;
  readonly description: string | null;
}

/** A page of rows with secrets in them: `***` stands for what cannot be decrypted, which `unreadable` tells. */
export interface ListedSecrets<R> extends Listed<R> {
  readonly unreadable: readonly AppError[];
}

const column = (name: string): Column => sql.ref(`variables.${name}`);
const ORDER_KEYS: OrderKeys = { key: column('key'), id: column('id'), _val: column('value'), description: column('description'), is_encrypted: sql`true`, team_name: sql`null::text` };

/** Where the value of a variable is stored. */
export const variablePlace = (key: string): SecretPlace => ({ kind: 'variable', name: key, field: 'value' });

/** One variable; null when there is none. Throws `secret_key_missing` or `secret_unreadable` when it cannot be decrypted. */
export async function findVariable(vault: Vault, key: string): Promise<Variable | null> {
  const row = await selectVariables(vault.database).where('key', '=', key).executeTakeFirst();
  // The keys are read after the row: what it needs is in the file since before.
  return row === undefined ? null : fromRow(vault.keys.read(), row);
}

const selectVariables = (database: Database) => database.kysely.selectFrom('variables').select(['key', 'value', 'description']).where('tenant', '=', TENANT);

type Row = Awaited<ReturnType<ReturnType<typeof selectVariables>['executeTakeFirstOrThrow']>>;

function fromRow(ring: KeyRing, { key, value, description }: Row, open = openOrThrow): Variable {
  return { key, value: value === null ? null : open(ring, value, variablePlace(key)), description };
}

/** Variables of a page. */
export async function listVariables({ database, keys }: Vault, pattern: string | null, page: Page): Promise<ListedSecrets<Variable>> {
  let query = selectVariables(database).where((eb) => eb.and(isLike(column('key'), pattern)));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  const ring = keys.read();
  const { errors, open } = openLeniently();
  return { total: counted.total, rows: rows.map((row) => fromRow(ring, row, open)), unreadable: errors };
}

/** Keys of these that exist. */
export async function listVariableKeys({ database }: Vault, keys: readonly string[]): Promise<ReadonlySet<string>> {
  const rows = await database.kysely.selectFrom('variables').select('key').where('tenant', '=', TENANT).where(sql<boolean>`key = any(${keys}::text[])`).limit(Math.max(1, keys.length)).execute();
  return new Set(rows.map((row) => row.key));
}

/** Makes a variable. @returns false when there is one of this key. Throws `secret_key_missing` */
export async function createVariable({ database, keys }: Vault, variable: Variable): Promise<boolean> {
  try {
    await withCurrentKey(database, keys, (transaction, key) => transaction.insertInto('variables')
      .values({ key: variable.key, description: variable.description, value: sealFresh(key, variable.value ?? '', variablePlace(variable.key)) }).execute());
    return true;
  } catch (error) {
    if (violatedConstraint(error) === null) throw error;
    return false;
  }
}

/** Makes or replaces a variable. Throws `secret_key_missing`. */
export async function setVariable({ database, keys }: Vault, variable: Variable): Promise<void> {
  await withCurrentKey(database, keys, (transaction, key) => {
    const changed = { description: variable.description, value: sealFresh(key, variable.value ?? '', variablePlace(variable.key)) };
    return transaction.insertInto('variables').values({ key: variable.key, ...changed }).onConflict((conflict) => conflict.constraint('variables_key').doUpdateSet({ ...changed, updated_at: sql`clock_timestamp()` })).execute();
  });
}

/** Changes what is given of a variable, whether what it held can be decrypted or not. @returns it as lists show it; null when there is none. Throws `secret_key_missing` */
export async function updateVariable({ database, keys }: Vault, key: string, change: { readonly value?: string; readonly description?: string | null }): Promise<Variable | null> {
  const { value } = change;
  const row = await withCurrentKey(database, keys, (transaction, current) => transaction.updateTable('variables').set({
    updated_at: sql`clock_timestamp()`,
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(value === undefined ? {} : { value: sealFresh(current, value, variablePlace(key)) }),
  }).where('tenant', '=', TENANT).where('key', '=', key).returning(['key', 'value', 'description']).executeTakeFirst());
  return row === undefined ? null : fromRow(keys.read(), row, openLeniently().open);
}

/** Deletes a variable. @returns false when there was none */
export async function deleteVariable({ database }: Pick<Vault, 'database'>, key: string): Promise<boolean> {
  const gone = await database.kysely.deleteFrom('variables').where('tenant', '=', TENANT).where('key', '=', key).executeTakeFirst();
  return gone.numDeletedRows > 0n;
}
