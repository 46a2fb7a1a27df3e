// dag.json of versions, kept in memory: a version never changes, and most answers of the API need a word of it.
import type { Dag } from '#contract/dag.ts';
import type { Database } from './database.ts';

const MAX_KEPT = 256;
const kept = new WeakMap<Database, Map<string, Dag>>();

/** dag.json by version id, for those that exist. Keeps the last 256 that were asked for. */
export async function readSpecs(database: Database, versionIds: Iterable<string | null>): Promise<ReadonlyMap<string, Dag>> {
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
    const rows = await database.kysely.selectFrom('dag_versions').select(['id', 'spec']).where('id', 'in', missing).execute();
    for (const row of rows) found.set(row.id, row.spec as Dag);
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
