// The table import_errors: DAG files that could not be compiled, one row per file.
import { sql } from 'kysely';
import type { Database } from './database.ts';
import { cappedLimit, type Column, isLike, type Listed, type OrderKeys, orderTerms, type Page, TENANT } from './list-query.ts';

/** A file that could not be compiled, and why. */
export interface ImportErrorRow {
  readonly id: number;
  readonly at: Date;
  readonly filename: string;
  readonly bundle: string;
  readonly stackTrace: string;
}

const column = (name: string): Column => sql.ref(name);
const ORDER_KEYS: OrderKeys = {
  id: column('id'), import_error_id: column('id'), timestamp: column('at'), filename: column('filename'), bundle_name: column('bundle'), stacktrace: column('stack_trace'),
};

/** Import errors of a page. */
export async function listImportErrors(database: Database, pattern: string | null, page: Page): Promise<Listed<ImportErrorRow>> {
  let query = database.kysely.selectFrom('import_errors').selectAll().where('tenant', '=', TENANT).where((eb) => eb.and(isLike(column('filename'), pattern)));
  const counted = await query.clearSelect().select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
  for (const term of orderTerms(page.orderBy, ORDER_KEYS, [column('id')])) query = query.orderBy(term.column, term.direction);
  const limit = cappedLimit(page);
  const rows = limit === 0 ? [] : await query.limit(limit).offset(page.offset).execute();
  return { rows: rows.map((row) => ({ id: row.id, at: row.at, filename: row.filename, bundle: row.bundle, stackTrace: row.stack_trace })), total: counted.total };
}

/** One import error; null when there is none. */
export async function findImportError(database: Database, id: number): Promise<ImportErrorRow | null> {
  const row = await database.kysely.selectFrom('import_errors').selectAll().where('tenant', '=', TENANT).where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : { id: row.id, at: row.at, filename: row.filename, bundle: row.bundle, stackTrace: row.stack_trace };
}

/** Records that a file could not be compiled; replaces what was recorded of it before. */
export async function saveImportError(database: Database, error: { bundle: string; filename: string; stackTrace: string }): Promise<void> {
  await sql`/* store/import-errors.save */ insert into import_errors (bundle, filename, stack_trace) values (${error.bundle}, ${error.filename}, ${error.stackTrace})
    on conflict (tenant, bundle, filename) do update set stack_trace = excluded.stack_trace, at = clock_timestamp()`.execute(database.kysely);
}

/** Forgets a file's error: it compiles again, or is gone. */
export async function clearImportError(database: Database, file: { bundle: string; filename: string }): Promise<void> {
  await database.kysely.deleteFrom('import_errors').where('tenant', '=', TENANT).where('bundle', '=', file.bundle).where('filename', '=', file.filename).execute();
}
