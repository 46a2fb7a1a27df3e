// GET …/dagVersions/{version_number}: one version.
import { Type as T } from '@sinclair/typebox';
import { DagVersionResponse } from '#contract/airflow/dag-version.ts';
import { findVersion } from '#store/dag-version-lists.ts';
import { json, operation } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { renderVersion } from './render-version.ts';

/** Airflow's `get_dag_version`. */
export const getDagVersion = operation({
  params: T.Object({ dag_id: T.String(), version_number: T.Integer() }),
  response: DagVersionResponse,
  async run({ params, services }) {
    const row = await findVersion(services.database, params.dag_id, params.version_number);
    if (row === null) throw notFound(`The DagVersion with dag_id: \`${params.dag_id}\` and version_number: \`${params.version_number}\` was not found`);
    return json(renderVersion(row));
  },
});
