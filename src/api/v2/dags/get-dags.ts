// GET /dags: the DAGs that pass the filters.
import { Type as T } from '@sinclair/typebox';
import { DAGCollectionResponse } from '#contract/airflow/dag.ts';
import { orderBy, page } from '#contract/airflow/fields.ts';
import { readSpecs } from '#store/dag-specs.ts';
import { listDags } from '#store/dags.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { pageOf } from '../../read-query.ts';
import { LISTING, listingFilter, SELECTING } from './dag-filter.ts';
import { renderDag } from './render-dag.ts';

/** Airflow's `get_dags`. */
export const getDags = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, ...SELECTING, ...LISTING, order_by: orderBy('dag_id') }),
  response: DAGCollectionResponse,
  async run({ query, services }) {
    const { rows, total } = await listDags(services.database, listingFilter(query), pageOf(query));
    const specs = await readSpecs(services.database, rows.map((row) => row.versionId));
    return json({ dags: rows.map((row) => renderDag(row, specs.get(row.versionId ?? '') ?? null, services.signingKey)), total_entries: total });
  },
});
