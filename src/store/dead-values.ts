// Bytes of XComs that lie outside PostgreSQL, seen from the rows: which names are dead, and which of them a row holds.
import type pg from 'pg';

const LIST = `/* store/dead-values.list */
select location from dead_values order by location limit $1`;
const FORGET = `/* store/dead-values.forget */
delete from dead_values where location = any($1::text[])`;
// By the run, which is the first column of the primary key.
const NAMED = `/* store/dead-values.named */
select location from xcoms where run = any($1::uuid[]) and location = any($2::text[])`;
// The row stays and says that the value expired; a value outside PostgreSQL is dropped by its store.
const EXPIRE = `/* store/dead-values.expire */
with over as (
  select run, task_id, key, map_index from xcoms where expires_at is not null and store = 'postgres' and expires_at < clock_timestamp() order by expires_at limit $1 for update skip locked
), marked as (
  update xcoms x set store = 'expired' from over o where x.run = o.run and x.task_id = o.task_id and x.key = o.key and x.map_index = o.map_index
), gone as (
  delete from xcom_values v using over o where v.run = o.run and v.task_id = o.task_id and v.key = o.key and v.map_index = o.map_index
)
select count(*)::int as n from over`;
const INSTALLATION = `/* store/dead-values.installation */
select installation from leader`;

/** Names whose rows were deleted or replaced; their bytes may go. At most `limit`. */
export async function listDeadValues(client: Pick<pg.Client, 'query'>, limit: number): Promise<string[]> {
  const { rows } = await client.query<{ location: string }>(LIST, [limit]);
  return rows.map((row) => row.location);
}

/** Their bytes are gone. */
export async function forgetDeadValues(client: Pick<pg.Client, 'query'>, locations: readonly string[]): Promise<void> {
  await client.query(FORGET, [locations]);
}

/** Those of the names that a committed row holds, of these runs. */
export async function listNamedValues(client: Pick<pg.Client, 'query'>, runs: readonly string[], locations: readonly string[]): Promise<Set<string>> {
  const { rows } = await client.query<{ location: string }>(NAMED, [runs, locations]);
  return new Set(rows.map((row) => row.location));
}

/** Deletes bytes in PostgreSQL whose time is over, at most `limit`. @returns of how many values */
export async function expireValues(client: Pick<pg.Client, 'query'>, limit: number): Promise<number> {
  return (await client.query<{ n: number }>(EXPIRE, [limit])).rows[0]?.n ?? 0;
}

/** Names this database among others that share a Redis. It stays the same in a restored copy, so a copy needs a Redis of its own. */
export async function readInstallation(client: Pick<pg.Client, 'query'>): Promise<string> {
  const { rows } = await client.query<{ installation: string }>(INSTALLATION);
  const [row] = rows;
  if (row === undefined) throw new Error('the table leader has no row');
  return row.installation;
}
