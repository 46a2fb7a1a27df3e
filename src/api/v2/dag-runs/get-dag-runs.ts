// GET …/dagRuns: the runs of a DAG, or of all (`~`).
import { Type as T } from '@sinclair/typebox';
import { DAGRunCollectionResponse } from '#contract/airflow/dag-run.ts';
import { many, numberRange, optional, orderBy, page, timeRange } from '#contract/airflow/fields.ts';
import { ANY_RUN, listRuns, type RunFilter } from '#store/dag-run-lists.ts';
import { findDag } from '#store/dags.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { dagNotFound } from '../../problems.ts';
import { numberBounds, pageOf, readRunStates, readRunTypes, timeBounds } from '../../read-query.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `get_dag_runs`. */
export const getDagRuns = operation({
  params: DAG_PARAMS,
  query: T.Object({
    ...page, ...timeRange('run_after'), ...timeRange('logical_date'), ...timeRange('start_date'), ...timeRange('end_date'), ...numberRange('duration'), ...timeRange('updated_at'),
    conf_contains: optional(T.String()), run_type: many(T.String()), state: many(T.String()), dag_version: many(T.Integer()), bundle_version: optional(T.String()),
    order_by: orderBy('id'), run_id_pattern: optional(T.String()), triggering_user_name_pattern: optional(T.String()), dag_id_pattern: optional(T.String()),
    partition_key_pattern: optional(T.String()),
  }),
  response: DAGRunCollectionResponse,
  async run({ params, query, services }) {
    if (params.dag_id !== '~' && (await findDag(services.database, params.dag_id)) === null) throw dagNotFound(params.dag_id);
    const filter: RunFilter = {
      ...ANY_RUN, dagIds: params.dag_id === '~' ? null : [params.dag_id], states: readRunStates(query.state), runTypes: readRunTypes(query.run_type), versionNumbers: query.dag_version,
      runAfter: timeBounds(query, 'run_after'), logicalDate: timeBounds(query, 'logical_date'), startDate: timeBounds(query, 'start_date'), endDate: timeBounds(query, 'end_date'),
      updatedAt: timeBounds(query, 'updated_at'), duration: numberBounds(query, 'duration'), confContains: query.conf_contains, runIdPattern: query.run_id_pattern,
      dagIdPattern: query.dag_id_pattern, userPattern: query.triggering_user_name_pattern, partitionKeyPattern: query.partition_key_pattern, nothing: query.bundle_version !== null,
    };
    const { rows, total } = await listRuns(services.database, filter, pageOf(query));
    return json({ dag_runs: rows.map(renderRun), total_entries: total });
  },
});
