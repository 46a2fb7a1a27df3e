// GET …/tries and …/tries/{task_try_number}, with and without a map index: the tries of an instance.
import { Type as T } from '@sinclair/typebox';
import { TaskInstanceHistoryCollectionResponse, TaskInstanceHistoryResponse } from '#contract/airflow/task-instance.ts';
import { listTries } from '#store/task-tries.ts';
import { type Answer, INSTANCE_PARAMS, json, MAP_INDEX_QUERY, MAPPED_PARAMS, operation, type Services } from '../../operation.ts';
import { notFound } from '../../problems.ts';
import { findTaskOf, getInstance, type InstancePath } from './find-instance.ts';
import { renderTry } from './render-instance.ts';

const TRY_PARAMS = T.Object({ ...INSTANCE_PARAMS.properties, task_try_number: T.Integer() });
const MAPPED_TRY_PARAMS = T.Object({ ...MAPPED_PARAMS.properties, task_try_number: T.Integer() });

/** Airflow's `get_task_instance_tries`. */
export const getTaskInstanceTries = operation({
  params: INSTANCE_PARAMS, query: MAP_INDEX_QUERY, response: TaskInstanceHistoryCollectionResponse,
  run: ({ params, query, services }) => answerTries(services, params, query.map_index),
});

/** Airflow's `get_mapped_task_instance_tries`. */
export const getMappedTaskInstanceTries = operation({
  params: MAPPED_PARAMS, response: TaskInstanceHistoryCollectionResponse,
  run: ({ params, services }) => answerTries(services, params, params.map_index),
});

/** Airflow's `get_task_instance_try_details`. */
export const getTaskInstanceTryDetails = operation({
  params: TRY_PARAMS, query: MAP_INDEX_QUERY, response: TaskInstanceHistoryResponse,
  run: ({ params, query, services }) => answerTry(services, params, query.map_index),
});

/** Airflow's `get_mapped_task_instance_try_details`. */
export const getMappedTaskInstanceTryDetails = operation({
  params: MAPPED_TRY_PARAMS, response: TaskInstanceHistoryResponse,
  run: ({ params, services }) => answerTry(services, params, params.map_index),
});

async function answerTries(services: Services, path: InstancePath, mapIndex: number): Promise<Answer> {
  const row = await getInstance(services.database, path, mapIndex);
  const task = await findTaskOf(services.database, row);
  const tries = (await listTries(services.database, row)).map((tried) => renderTry(row, tried, task));
  return json({ task_instances: tries, total_entries: tries.length });
}

async function answerTry(services: Services, path: InstancePath & { readonly task_try_number: number }, mapIndex: number): Promise<Answer> {
  const row = await getInstance(services.database, path, mapIndex);
  const tried = (await listTries(services.database, row)).findLast((each) => each.tryNumber === path.task_try_number);
  if (tried === undefined) {
    throw notFound(`The Task Instance with dag_id: \`${path.dag_id}\`, run_id: \`${path.dag_run_id}\`, task_id: \`${path.task_id}\`, try_number: \`${path.task_try_number}\` and map_index: \`${mapIndex}\` was not found`);
  }
  return json(renderTry(row, tried, await findTaskOf(services.database, row)));
}
