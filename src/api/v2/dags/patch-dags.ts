// PATCH /dags: pausing and unpausing the DAGs of a page of matches.
import { Type as T } from '@sinclair/typebox';
import { DAGCollectionResponse, DAGPatchBody } from '#contract/airflow/dag.ts';
import { many, page } from '#contract/airflow/fields.ts';
import { readSpecs } from '#store/dag-specs.ts';
import { listDags, setPaused } from '#store/dags.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { SELECTING, selectingFilter } from './dag-filter.ts';
import { refuseOtherMasks } from './patch-dag.ts';
import { renderDag } from './render-dag.ts';

/** Airflow's `patch_dags`. Without `dag_id_pattern` nothing matches; `~` is all. */
export const patchDags = operation({
  params: NO_PARAMS,
  query: T.Object({ update_mask: many(T.String()), ...page, ...SELECTING }),
  body: DAGPatchBody,
  response: DAGCollectionResponse,
  async run({ query, body, services }) {
    refuseOtherMasks(query.update_mask);
    const filter = { ...selectingFilter(query), nothing: query.dag_id_pattern === null };
    const { rows, total } = await listDags(services.database, filter, { limit: query.limit, offset: query.offset, orderBy: ['dag_id'] });
    await setPaused(services.database, rows.map((row) => row.dagId), body.is_paused);
    const specs = await readSpecs(services.database, rows.map((row) => row.versionId));
    return json({ dags: rows.map((row) => renderDag({ ...row, isPaused: body.is_paused }, specs.get(row.versionId ?? '') ?? null, services.signingKey)), total_entries: total });
  },
});
