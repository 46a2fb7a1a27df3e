// GET /dags/{dag_id}: one DAG.
import { DAGResponse } from '#contract/airflow/dag.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { getDagWithSpec } from './find-dag.ts';
import { renderDag } from './render-dag.ts';

/** Airflow's `get_dag`. */
export const getDag = operation({
  params: DAG_PARAMS,
  response: DAGResponse,
  async run({ params, services }) {
    const { row, spec } = await getDagWithSpec(services.database, params.dag_id);
    return json(renderDag(row, spec, services.signingKey));
  },
});
