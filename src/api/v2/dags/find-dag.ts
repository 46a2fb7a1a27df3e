// The DAG that a path names, with its current version's dag.json.
import type { Dag } from '#contract/dag.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { type DagRow, findDag } from '#store/dags.ts';
import { dagNotFound } from '../../problems.ts';

/** Throws Airflow's 404 when there is no such DAG, or none of its versions was ever registered. */
export async function getDagWithSpec(database: Database, dagId: string): Promise<{ row: DagRow; spec: Dag }> {
  const row = await findDag(database, dagId);
  const spec = row === null ? null : await findKeptSpec(database, row.versionId);
  if (row === null || spec === null) throw dagNotFound(dagId);
  return { row, spec };
}
