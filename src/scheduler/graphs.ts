// Graphs of DAG versions, built once each: a version never changes.
import type { VersionId } from '#contract/ids.ts';
import { buildGraph, type Graph } from '#core/graph.ts';
import { findSpec } from '#store/dag-versions.ts';
import type { Database } from '#store/database.ts';

const MAX_KEPT = 2000;

/** One per server. */
export class Graphs {
  readonly #database: Database;
  readonly #kept = new Map<VersionId, Graph>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** The graph of a version; null when there is no such version. */
  async get(version: VersionId): Promise<Graph | null> {
    const known = this.#kept.get(version);
    if (known !== undefined) return known;
    const dag = await findSpec(this.#database, version);
    if (dag === null) return null;
    const graph = buildGraph(dag);
    this.#kept.set(version, graph);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break;
      this.#kept.delete(oldest);
    }
    return graph;
  }
}
