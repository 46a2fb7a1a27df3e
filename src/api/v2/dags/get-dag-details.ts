// GET /dags/{dag_id}/details: one DAG with what its version says.
import { DAGDetailsResponse } from '#contract/airflow/dag.ts';
import { findVersion } from '#store/dag-version-lists.ts';
import { countActiveRuns } from '#store/dags.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { getDagWithSpec } from './find-dag.ts';
import { renderDagDetails } from './render-dag.ts';

/** Airflow's `get_dag_details`. */
export const getDagDetails = operation({
  params: DAG_PARAMS,
  response: DAGDetailsResponse,
  async run({ params, services }) {
    const { row, spec } = await getDagWithSpec(services.database, params.dag_id);
    const version = await findVersion(services.database, row.dagId, null);
    const activeRuns = await countActiveRuns(services.database, row.dagId);
    return json(renderDagDetails(row, { spec, version, activeRuns, key: services.signingKey }));
  },
});
