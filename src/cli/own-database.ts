// The database that commands of this machine work on without a server: the one of the settings, else the embedded one of the home folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '#platform/exec.ts';
import { type Database, openDatabase } from '#store/database.ts';
import { startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { migrate } from '#store/migrate.ts';
import type { LocalContext } from './local-context.ts';

/** The database of the settings, else the embedded one of the home folder, started for as long as it is needed. Migrated first. */
export async function withOwnDatabase<R>(context: Pick<LocalContext, 'readConfig' | 'homeOf'>, work: (database: Database) => Promise<R>): Promise<R> {
  const config = context.readConfig();
  const folder = join(context.homeOf(config), 'postgres');
  const wasRunning = isRunning(folder);
  const embedded = config.LEOFLOW_DATABASE_URL === null ? await startEmbeddedPostgres(folder) : null;
  const url = config.LEOFLOW_DATABASE_URL ?? embedded?.url ?? '';
  try {
    await migrate(url);
    const database = openDatabase(url);
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  } finally {
    // One that a server uses goes on.
    if (!wasRunning) await embedded?.stop();
  }
}

/** Whether a server of this folder is up: its process file may be left from one that was killed. */
function isRunning(folder: string): boolean {
  try {
    return isAlive(Number(readFileSync(join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]));
  } catch {
    return false;
  }
}
