// The tables users and login_failures: accounts with their roles, and failed logins of the last minute.
import { sql } from 'kysely';
import type { Role } from '#contract/roles.ts';
import type { Database } from './database.ts';
import { TENANT } from './list-query.ts';

/** An account. */
interface UserRow {
  readonly username: string;
  /** PHC string of Argon2id. */
  readonly passwordHash: string;
  readonly role: Role;
}

/** One account; null when there is none. */
export async function findUser(database: Database, username: string): Promise<UserRow | null> {
  const row = await database.kysely.selectFrom('users').select(['username', 'password_hash', 'role']).where('tenant', '=', TENANT).where('username', '=', username).executeTakeFirst();
  return row === undefined ? null : { username: row.username, passwordHash: row.password_hash, role: row.role as Role };
}

/** Makes an account or replaces its password and role. @returns whether it was made */
export async function saveUser(database: Database, user: UserRow): Promise<{ kind: 'created' | 'changed' }> {
  const { rows } = await sql<{ created: boolean }>`/* store/users.saveUser */
    insert into users (tenant, username, password_hash, role) values (${TENANT}, ${user.username}, ${user.passwordHash}, ${user.role})
    on conflict (tenant, username) do update set password_hash = excluded.password_hash, role = excluded.role returning (xmax = 0) as created`.execute(database.kysely);
  return { kind: rows[0]?.created === true ? 'created' : 'changed' };
}

/**
 * Counts an attempt under each subject before its password is looked at, so that guesses sent at once count as well.
 * Forgets what is older than an hour. @returns its time, by which `forgetAttempt` finds it
 */
export async function recordAttempt(database: Database, subjects: readonly string[]): Promise<string> {
  const { rows } = await sql<{ at: string }>`/* store/users.recordAttempt */ with old as (delete from login_failures where at < now() - interval '1 hour')
    insert into login_failures (subject, at) select unnest(${subjects}::text[]), now() returning at::text`.execute(database.kysely);
  return rows[0]?.at ?? '';
}

/** Attempts of the last minute that were not forgotten: the most that one of the subjects has. */
export async function countAttempts(database: Database, subjects: readonly string[]): Promise<number> {
  const { rows } = await sql<{ most: number | null }>`/* store/users.countAttempts */
    select max(n)::int as most from (select count(*) as n from login_failures where subject = any(${subjects}::text[]) and at > now() - interval '1 minute' group by subject) s`.execute(database.kysely);
  return rows[0]?.most ?? 0;
}

/** Takes an attempt back: it succeeded, or was not looked at. */
export async function forgetAttempt(database: Database, subjects: readonly string[], at: string): Promise<void> {
  await sql`/* store/users.forgetAttempt */ delete from login_failures where subject = any(${subjects}::text[]) and at = ${at}::timestamptz`.execute(database.kysely);
}
