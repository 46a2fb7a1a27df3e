// GET …/dependencies, with and without a map index: what keeps an instance from being scheduled.
import { TaskDependencyCollectionResponse } from '#contract/airflow/task-instance.ts';
import { findBlockers } from '#store/instance-blockers.ts';
import { type Answer, INSTANCE_PARAMS, json, MAP_INDEX_QUERY, MAPPED_PARAMS, operation, type Services } from '../../operation.ts';
import { getInstance, type InstancePath } from './find-instance.ts';

/** Airflow's `get_task_instance_dependencies`. */
export const getTaskInstanceDependencies = operation({
  params: INSTANCE_PARAMS, query: MAP_INDEX_QUERY, response: TaskDependencyCollectionResponse,
  run: ({ params, query, services }) => answer(services, params, query.map_index),
});

/** Airflow's `get_task_instance_dependencies_by_map_index`. */
export const getTaskInstanceDependenciesByMapIndex = operation({
  params: MAPPED_PARAMS, response: TaskDependencyCollectionResponse,
  run: ({ params, services }) => answer(services, params, params.map_index),
});

/** Only instances that wait have any: others answer an empty list. */
async function answer(services: Services, path: InstancePath, mapIndex: number): Promise<Answer> {
  const row = await getInstance(services.database, path, mapIndex);
  const blockers = row.state === null || row.state === 'scheduled' ? await findBlockers(services.database, row) : [];
  const dependencies = blockers.map(({ name, reason }) => ({ name, reason })).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return json({ dependencies });
}
