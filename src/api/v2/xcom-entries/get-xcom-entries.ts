// GET …/xcomEntries: the XComs of a task, without their values; `~` for all of a level.
import { Type as T } from '@sinclair/typebox';
import { optional, page, timeRange } from '#contract/airflow/fields.ts';
import { XComCollectionResponse } from '#contract/airflow/xcom.ts';
import { readSpecs } from '#store/dag-specs.ts';
import { listXComs } from '#store/xcoms.ts';
import { INSTANCE_PARAMS, json, operation } from '../../operation.ts';
import { orAll, timeBounds } from '../../read-query.ts';
import { renderXCom } from './render-xcom.ts';

/** Airflow's `get_xcom_entries`. */
export const getXcomEntries = operation({
  params: INSTANCE_PARAMS,
  query: T.Object({
    xcom_key: optional(T.String()), map_index: optional(T.Integer({ minimum: -1 })), ...page, xcom_key_pattern: optional(T.String()), dag_display_name_pattern: optional(T.String()),
    run_id_pattern: optional(T.String()), task_id_pattern: optional(T.String()), map_index_filter: optional(T.Integer()), ...timeRange('logical_date'), ...timeRange('run_after'),
  }),
  response: XComCollectionResponse,
  async run({ params, query, services }) {
    const { rows, total } = await listXComs(services.database, {
      dagId: orAll(params.dag_id), runId: orAll(params.dag_run_id), taskId: orAll(params.task_id), key: query.xcom_key, mapIndex: query.map_index ?? query.map_index_filter,
      keyPattern: query.xcom_key_pattern, displayNamePattern: query.dag_display_name_pattern, runIdPattern: query.run_id_pattern, taskIdPattern: query.task_id_pattern,
      logicalDate: timeBounds(query, 'logical_date'), runAfter: timeBounds(query, 'run_after'),
    }, query);
    const specs = await readSpecs(services.database, rows.map((row) => row.versionId));
    return json({ xcom_entries: rows.map((row) => renderXCom(row, specs.get(row.versionId))), total_entries: total });
  },
});
