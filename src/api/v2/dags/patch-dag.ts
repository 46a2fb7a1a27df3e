// PATCH /dags/{dag_id}: pausing and unpausing one DAG.
import { Type as T } from '@sinclair/typebox';
import { DAGPatchBody, DAGResponse } from '#contract/airflow/dag.ts';
import { many } from '#contract/airflow/fields.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findDag, setPaused } from '#store/dags.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { badRequest, notFound } from '../../problems.ts';
import { renderDag } from './render-dag.ts';

/** Airflow's `patch_dag`. */
export const patchDag = operation({
  params: DAG_PARAMS,
  query: T.Object({ update_mask: many(T.String()) }),
  body: DAGPatchBody,
  response: DAGResponse,
  async run({ params, query, body, services }) {
    const row = await findDag(services.database, params.dag_id);
    if (row === null) throw notFound(`Dag with id: ${params.dag_id} was not found`);
    refuseOtherMasks(query.update_mask);
    await setPaused(services.database, [row.dagId], body.is_paused);
    return json(renderDag({ ...row, isPaused: body.is_paused }, await findKeptSpec(services.database, row.versionId), services.signingKey));
  },
});

/** Nothing else of a DAG can be changed through the API. */
export function refuseOtherMasks(mask: readonly string[]): void {
  if (mask.length > 0 && (mask.length !== 1 || mask[0] !== 'is_paused')) throw badRequest('Only `is_paused` field can be updated through the REST API');
}
