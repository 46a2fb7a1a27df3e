// POST /dags/~/dagRuns/~/taskInstances/list: instances by a filter in the body.
import { Type as T } from '@sinclair/typebox';
import { TaskInstanceCollectionResponse, TaskInstancesBatchBody } from '#contract/airflow/task-instance.ts';
import { ANY_INSTANCE, listInstances } from '#store/task-instances.ts';
import { json, operation } from '../../operation.ts';
import { batchPageOf, numberBounds, timeBounds } from '../../read-query.ts';
import { renderInstances } from './render-instance.ts';

/** Airflow's `get_task_instances_batch`. */
export const getTaskInstancesBatch = operation({
  params: T.Object({ dag_id: T.Literal('~'), dag_run_id: T.Literal('~') }),
  body: TaskInstancesBatchBody,
  response: TaskInstanceCollectionResponse,
  async run({ body, services }) {
    const filter = {
      ...ANY_INSTANCE, dagIds: body.dag_ids, runIds: body.dag_run_ids, taskIds: body.task_ids, states: body.state, pools: body.pool, queues: body.queue,
      runAfter: timeBounds(body, 'run_after'), logicalDate: timeBounds(body, 'logical_date'), startDate: timeBounds(body, 'start_date'), endDate: timeBounds(body, 'end_date'),
      duration: numberBounds(body, 'duration'), nothing: (body.executor?.length ?? 0) > 0 || [body.dag_ids, body.dag_run_ids, body.task_ids].some((ids) => ids?.length === 0),
    };
    const { rows, total } = await listInstances(services.database, filter, batchPageOf(body, 'id'));
    return json(await renderInstances(services.database, rows, total));
  },
});
