// GET …/taskInstances: the instances of a run, or of all (`~`).
import { Type as T } from '@sinclair/typebox';
import { optional, orderBy, page } from '#contract/airflow/fields.ts';
import { TaskInstanceCollectionResponse } from '#contract/airflow/task-instance.ts';
import type { Dag } from '#contract/dag.ts';
import { tasksInGroup } from '#core/tasks-in-group.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findRun } from '#store/dag-run-lists.ts';
import { findDag } from '#store/dags.ts';
import { listInstances } from '#store/task-instances.ts';
import { json, operation, RUN_PARAMS } from '../../operation.ts';
import { badRequest, dagNotFound, HttpProblem, notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';
import { INSTANCE_FILTERS, instanceFilter } from './instance-filter.ts';
import { renderInstances } from './render-instance.ts';

/** Airflow's `get_task_instances`. */
export const getTaskInstances = operation({
  params: RUN_PARAMS,
  query: T.Object({
    task_id: optional(T.String()), ...INSTANCE_FILTERS, task_display_name_pattern: optional(T.String()), task_group_id: optional(T.String()), dag_id_pattern: optional(T.String()),
    run_id_pattern: optional(T.String()), ...page, order_by: orderBy('map_index'),
  }),
  response: TaskInstanceCollectionResponse,
  async run({ params, query, services }) {
    const spec = await findSpecOfPath(services.database, params);
    const inGroup = query.task_group_id === null || params.dag_id === '~' ? null : tasksOfGroup(spec, query.task_group_id);
    const wanted = query.task_id === null ? inGroup : inGroup === null ? [query.task_id] : inGroup.filter((id) => id === query.task_id);
    const filter = {
      ...instanceFilter(query), dagIds: params.dag_id === '~' ? null : [params.dag_id], runIds: params.dag_run_id === '~' ? null : [params.dag_run_id], taskIds: wanted,
      taskPattern: query.task_display_name_pattern, dagIdPattern: query.dag_id_pattern, runIdPattern: query.run_id_pattern, nothing: query.executor.length > 0 || wanted?.length === 0,
    };
    const { rows, total } = await listInstances(services.database, filter, pageOf(query));
    return json(await renderInstances(services.database, rows, total));
  },
});

/** dag.json of the run's version, or of the DAG's current one. Throws Airflow's 400 and 404s. */
async function findSpecOfPath(database: Database, path: { dag_id: string; dag_run_id: string }): Promise<Dag | null> {
  if (path.dag_id === '~') {
    if (path.dag_run_id !== '~') throw badRequest('dag_id is required when dag_run_id is specified');
    return null;
  }
  if (path.dag_run_id === '~') {
    const dag = await findDag(database, path.dag_id);
    if (dag === null) throw dagNotFound(path.dag_id);
    return findKeptSpec(database, dag.versionId);
  }
  const run = await findRun(database, path.dag_id, path.dag_run_id);
  if (run === null) throw notFound(`DagRun with dag_id: \`${path.dag_id}\` and run_id: \`${path.dag_run_id}\` was not found`);
  return findKeptSpec(database, run.version.id);
}

/** Ids of the tasks in a group and the groups inside it. */
function tasksOfGroup(spec: Dag | null, groupId: string): string[] {
  const tasks = spec === null ? null : tasksInGroup(spec, groupId);
  if (tasks === null) throw new HttpProblem(404, { reason: 'not_found', message: `Task group ${groupId} not found` });
  return tasks;
}
