// GET /dagWarnings: there are none, because a DAG that would be warned about is refused when it is registered.
import { Type as T } from '@sinclair/typebox';
import { DAG_WARNING_TYPES, DAGWarningCollectionResponse } from '#contract/airflow/dag.ts';
import { optional, orderBy, page, words } from '#contract/airflow/fields.ts';
import { json, NO_PARAMS, operation } from '../../operation.ts';

/** Airflow's `list_dag_warnings`. */
export const listDagWarnings = operation({
  params: NO_PARAMS,
  query: T.Object({ dag_id: optional(T.String()), warning_type: optional(words(DAG_WARNING_TYPES)), ...page, order_by: orderBy('dag_id') }),
  response: DAGWarningCollectionResponse,
  run: () => Promise.resolve(json({ dag_warnings: [], total_entries: 0 })),
});
