// The table server_secrets: secrets that all servers of a database share, each made once.
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Database } from './database.ts';

/** The secret of this name; made from random bytes by whoever asks first. */
export async function readSecret(database: Database, name: string): Promise<Buffer> {
  // Two servers may both find nothing: the insert of one wins, and the read after it sees the winner's.
  await sql`/* store/server-secrets.make */ insert into server_secrets (name, value) values (${name}, ${randomBytes(64)}) on conflict (name) do nothing`.execute(database.kysely);
  const row = await database.kysely.selectFrom('server_secrets').select('value').where('name', '=', name).executeTakeFirstOrThrow();
  return row.value;
}
