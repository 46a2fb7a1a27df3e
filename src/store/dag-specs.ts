// dag.json of versions, kept in memory: a version never changes, and most answers of the API need a word of it.
import type pg from 'pg';
import type { Dag } from '#contract/dag.ts';
import type { Database } from './database.ts';

const MAX_KEPT = 256;
const kept = new WeakMap<Database, Map<string, Dag>>();

type ReadRows = (versionIds: readonly string[]) => Promise<readonly { id: string; spec: unknown }[]>;

/** dag.json by version id, for those that exist. Keeps the last 256 that were asked for. */
export function readSpecs(database: Database, versionIds: Iterable<string | null>): Promise<ReadonlyMap<string, Dag>> {
  return readKept(database, versionIds, (missing) => database.kysely.selectFrom('dag_versions').select(['id', 'spec']).where('id', 'in', missing).execute());
}

const READ = '/* store/dag-specs.readSpecsOn */ select id, spec from dag_versions where id = any($1::uuid[])';

/** The same on a connection in hand: who holds one and waits for another from the same pool may wait for himself. */
export function readSpecsOn(database: Database, client: Pick<pg.ClientBase, 'query'>, versionIds: Iterable<string | null>): Promise<ReadonlyMap<string, Dag>> {
  return readKept(database, versionIds, async (missing) => (await client.query(READ, [missing])).rows as { id: string; spec: unknown }[]);
}

async function readKept(database: Database, versionIds: Iterable<string | null>, readRows: ReadRows): Promise<ReadonlyMap<string, Dag>> {
  const cache = kept.get(database) ?? new Map<string, Dag>();
  kept.set(database, cache);
  const found = new Map<string, Dag>();
  const missing: string[] = [];
  for (const id of new Set(versionIds)) {
    if (id === null) continue;
    const spec = cache.get(id);
    if (spec === undefined) missing.push(id);
    else found.set(id, spec);
  }
  if (missing.length > 0) {
    for (const row of await readRows(missing)) found.set(row.id, row.spec as Dag);
  }
  for (const [id, spec] of found) {
    cache.delete(id);
    cache.set(id, spec);
  }
  for (const oldest of cache.keys()) {
    if (cache.size <= MAX_KEPT) break;
    cache.delete(oldest);
  }
  return found;
}

/** dag.json of one version; null when it is gone. */
export async function findKeptSpec(database: Database, versionId: string | null): Promise<Dag | null> {
  if (versionId === null) return null;
  return (await readSpecs(database, [versionId])).get(versionId) ?? null;
}
