// A DAG version as Airflow's clients read it.
import type { DagVersionResponse } from '#contract/airflow/dag-version.ts';
import type { VersionRow } from '#store/dag-version-lists.ts';
import { renderInstant } from '../../instants.ts';

/** Rows to the response's fields. Bundles have no versions here: the version's own number is what counts. */
export function renderVersion(row: VersionRow): DagVersionResponse {
  return {
    id: row.id, version_number: row.number, dag_id: row.dagId, bundle_name: row.bundle, bundle_version: null, created_at: renderInstant(row.createdAt),
    dag_display_name: row.displayName, bundle_url: null,
  };
}
