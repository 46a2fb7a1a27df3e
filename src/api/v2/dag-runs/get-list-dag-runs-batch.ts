// POST /dags/~/dagRuns/list: runs by a filter in the body.
import { Type as T } from '@sinclair/typebox';
import { DAGRunCollectionResponse, DAGRunsBatchBody } from '#contract/airflow/dag-run.ts';
import { ANY_RUN, listRuns } from '#store/dag-run-lists.ts';
import { json, operation } from '../../operation.ts';
import { batchPageOf, numberBounds, timeBounds } from '../../read-query.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `get_list_dag_runs_batch`. */
export const getListDagRunsBatch = operation({
  params: T.Object({ dag_id: T.Literal('~') }),
  body: DAGRunsBatchBody,
  response: DAGRunCollectionResponse,
  async run({ body, services }) {
    const filter = {
      ...ANY_RUN, dagIds: body.dag_ids, states: body.states, runAfter: timeBounds(body, 'run_after'), logicalDate: timeBounds(body, 'logical_date'),
      startDate: timeBounds(body, 'start_date'), endDate: timeBounds(body, 'end_date'), duration: numberBounds(body, 'duration'), confContains: body.conf_contains,
      nothing: body.dag_ids?.length === 0,
    };
    const { rows, total } = await listRuns(services.database, filter, batchPageOf(body, 'id'));
    return json({ dag_runs: rows.map(renderRun), total_entries: total });
  },
});
