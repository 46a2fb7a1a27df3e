// GET …/taskInstances/{task_id} and …/{map_index}: one task instance.
import { TaskInstanceResponse } from '#contract/airflow/task-instance.ts';
import { ANY_INSTANCE, findInstanceRow, findRenderedFields, type InstanceListRow, listInstances } from '#store/task-instances.ts';
import { type Answer, INSTANCE_PARAMS, json, MAPPED_PARAMS, operation, type Services } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { findTaskOf } from './find-instance.ts';
import { renderInstance } from './render-instance.ts';

/** Airflow's `get_task_instance`: 404 for a mapped one. */
export const getTaskInstance = operation({
  params: INSTANCE_PARAMS,
  response: TaskInstanceResponse,
  async run({ params, services }) {
    const row = await findInstanceRow(services.database, { dagId: params.dag_id, runId: params.dag_run_id, taskId: params.task_id, mapIndex: -1 });
    if (row !== null) return answer(services, row);
    const filter = { ...ANY_INSTANCE, dagIds: [params.dag_id], runIds: [params.dag_run_id], taskIds: [params.task_id] };
    const mapped = await listInstances(services.database, filter, { limit: 0, offset: 0, orderBy: [] });
    if (mapped.total > 0) throw notFound('Task instance is mapped, add the map_index value to the URL');
    throw notFound(`The Task Instance with dag_id: \`${params.dag_id}\`, run_id: \`${params.dag_run_id}\` and task_id: \`${params.task_id}\` was not found`);
  },
});

/** Airflow's `get_mapped_task_instance`. */
export const getMappedTaskInstance = operation({
  params: MAPPED_PARAMS,
  response: TaskInstanceResponse,
  async run({ params, services }) {
    const row = await findInstanceRow(services.database, { dagId: params.dag_id, runId: params.dag_run_id, taskId: params.task_id, mapIndex: params.map_index });
    if (row === null) throw notFound(`The Mapped Task Instance with dag_id: \`${params.dag_id}\`, run_id: \`${params.dag_run_id}\`, task_id: \`${params.task_id}\`, and map_index: \`${params.map_index}\` was not found`);
    return answer(services, row);
  },
});

async function answer(services: Services, row: InstanceListRow): Promise<Answer> {
  const fields = await findRenderedFields(services.database, row.attemptId);
  return json(renderInstance(row, await findTaskOf(services.database, row), fields));
}
