// The PostgreSQL that executes a world's statements: a throwaway cluster of this process.
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startThrowawayPostgres } from '#store/embedded-postgres.ts';
import { openRealDatabase } from './sim-database.ts';

/** Runs with a connection to a migrated, shadowed database of its own. */
export async function withRealDatabase<R>(work: (real: pg.Client) => Promise<R>): Promise<R> {
  const base = join(tmpdir(), `leoflow-sim-postgres-${process.getuid?.() ?? 0}-${process.pid}`);
  mkdirSync(base, { recursive: true });
  // As root the server runs as another user, who must be able to walk to its folder.
  chmodSync(base, 0o711);
  const server = await startThrowawayPostgres(join(base, 'template'), mkdtempSync(join(base, 'c')));
  try {
    const admin = new pg.Client(server.url);
    await admin.connect();
    await admin.query('create database sim');
    await admin.end();
    const real = await openRealDatabase(server.url.replace('/leoflow?', '/sim?').replace('/postgres?', '/sim?'));
    try {
      return await work(real);
    } finally {
      await real.end();
    }
  } finally {
    await server.stop();
  }
}
