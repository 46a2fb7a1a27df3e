// Forward-only migrations: the numbered files of sql/migrations, applied once each under a lock.
import { readdirSync, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { AppError } from '#contract/errors.ts';
import { connectionOptions, translateDatabaseError } from './database.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'sql', 'migrations');
const LOCK = 0x6c656f_66;

/** `name` is the file’s, with number; `sha256` of its text tells an edit after the fact. */
interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

/** The migrations of this version, in order. */
export function listMigrations(): Migration[] {
  return readdirSync(FOLDER).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort().map((name) => {
    const sql = readFileSync(join(FOLDER, name), 'utf8');
    return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
  });
}

/**
 * Applies what is missing. Several servers may call this at once: one applies, the others wait and find nothing to do.
 * Throws `database_unavailable`; `conflict` when the database was migrated by a newer version or a file was edited after it ran.
 * @returns names of the files applied now
 */
export async function migrate(url: string): Promise<string[]> {
  const client = new pg.Client({ ...connectionOptions(url, 'leoflow-migrate'), query_timeout: 0 });
  try {
    await client.connect();
    await client.query(`/* store/migrate.lock */ select pg_advisory_lock(${LOCK})`);
    await client.query('/* store/migrate.table */ create table if not exists schema_migrations (name text primary key, sha256 text not null, applied_at timestamptz not null default now())');
    const { rows } = await client.query<{ name: string; sha256: string }>('/* store/migrate.applied */ select name, sha256 from schema_migrations order by name');
    const missing = findMissing(listMigrations(), rows);
    for (const migration of missing) await apply(client, migration);
    return missing.map((migration) => migration.name);
  } catch (error) {
    throw translateDatabaseError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function findMissing(known: readonly Migration[], applied: readonly { name: string; sha256: string }[]): Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  for (const row of applied) {
    const migration = byName.get(row.name);
    if (migration === undefined) throw new AppError('conflict', `the database was migrated by a newer version (${row.name})`, { hint: 'Run that version, or restore a backup from before the upgrade.' });
    if (migration.sha256 !== row.sha256) throw new AppError('conflict', `${row.name} was changed after it had been applied`, { hint: 'Restore the file; put the change into a new migration.' });
  }
  const done = new Set(applied.map((row) => row.name));
  return known.filter((migration) => !done.has(migration.name));
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(migration.sql);
    await client.query('/* store/migrate.apply */ insert into schema_migrations (name, sha256) values ($1, $2)', [migration.name, migration.sha256]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
