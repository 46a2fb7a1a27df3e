// GET /dagTags: the tags that DAGs have.
import { Type as T } from '@sinclair/typebox';
import { DAGTagCollectionResponse } from '#contract/airflow/dag.ts';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { listTags } from '#store/dags.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';
import { pageOf } from '../../read-query.ts';

/** Airflow's `get_dag_tags`. */
export const getDagTags = operation({
  params: NO_PARAMS,
  query: T.Object({ ...page, order_by: orderBy('name'), tag_name_pattern: optional(T.String()) }),
  response: DAGTagCollectionResponse,
  async run({ query, services }) {
    const { rows, total } = await listTags(services.database, query.tag_name_pattern, pageOf(query));
    return json({ tags: rows, total_entries: total });
  },
});
