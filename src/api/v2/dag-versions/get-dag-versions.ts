// GET …/dagVersions: the versions of a DAG, or of all (`~`).
import { Type as T } from '@sinclair/typebox';
import { DAGVersionCollectionResponse } from '#contract/airflow/dag-version.ts';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { listVersions } from '#store/dag-version-lists.ts';
import { findDag } from '#store/dags.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { dagNotFound } from '../../problems.ts';
import { orAll, pageOf } from '../../read-query.ts';
import { renderVersion } from './render-version.ts';

/** Airflow's `get_dag_versions`. */
export const getDagVersions = operation({
  params: DAG_PARAMS,
  query: T.Object({ ...page, version_number: optional(T.Integer()), bundle_name: optional(T.String()), bundle_version: optional(T.String()), order_by: orderBy('id') }),
  response: DAGVersionCollectionResponse,
  async run({ params, query, services }) {
    const dagId = orAll(params.dag_id);
    if (dagId !== null && (await findDag(services.database, dagId)) === null) throw dagNotFound(dagId);
    if (query.bundle_version !== null) return json({ dag_versions: [], total_entries: 0 });
    const { rows, total } = await listVersions(services.database, { dagId, number: query.version_number, bundle: query.bundle_name }, pageOf(query));
    return json({ dag_versions: rows.map(renderVersion), total_entries: total });
  },
});
