// GET …/taskInstances/{task_id}/listMapped: the instances of a mapped task.
import { Type as T } from '@sinclair/typebox';
import { orderBy, page } from '#contract/airflow/fields.ts';
import { TaskInstanceCollectionResponse } from '#contract/airflow/task-instance.ts';
import { buildGraph } from '#core/graph.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findRun } from '#store/dag-run-lists.ts';
import { findDag } from '#store/dags.ts';
import { ANY_INSTANCE, listInstances } from '#store/task-instances.ts';
import { INSTANCE_PARAMS, json, operation } from '../../operation.ts';
import { dagNotFound, notFound } from '../../problems.ts';
import { pageOf } from '../../read-query.ts';
import type { InstancePath } from './find-instance.ts';
import { INSTANCE_FILTERS, instanceFilter } from './instance-filter.ts';
import { renderInstances } from './render-instance.ts';

/** Airflow's `get_mapped_task_instances`. */
export const getMappedTaskInstances = operation({
  params: INSTANCE_PARAMS,
  query: T.Object({ ...INSTANCE_FILTERS, ...page, order_by: orderBy('map_index') }),
  response: TaskInstanceCollectionResponse,
  async run({ params, query, services }) {
    const scope = { dagIds: [params.dag_id], runIds: [params.dag_run_id], taskIds: [params.task_id], mappedOnly: true };
    const all = await listInstances(services.database, { ...ANY_INSTANCE, ...scope }, { limit: 0, offset: 0, orderBy: [] });
    if (all.total === 0) await requireMapped(services.database, params);
    const { rows, total } = await listInstances(services.database, { ...instanceFilter(query), ...scope }, pageOf(query));
    return json(await renderInstances(services.database, rows, total));
  },
});

/** No instances may mean that the mapping is empty: a 404 only when the task is not mapped or not there. */
async function requireMapped(database: Database, path: InstancePath): Promise<void> {
  const run = await findRun(database, path.dag_id, path.dag_run_id);
  const versionId = run === null ? (await findDag(database, path.dag_id))?.versionId : run.version.id;
  const spec = versionId === undefined ? null : await findKeptSpec(database, versionId);
  if (spec === null) throw dagNotFound(path.dag_id);
  const task = buildGraph(spec).tasks.find((each) => each.id === path.task_id);
  if (task === undefined) throw notFound(`Task id ${path.task_id} not found`);
  if (task.expands.length === 0) throw notFound(`Task id ${path.task_id} is not mapped`);
}
