// GET /dags/{dag_id}/tasks and …/tasks/{task_id}: the tasks of a DAG's current version.
import { Type as T } from '@sinclair/typebox';
import { TaskCollectionResponse, TaskResponse } from '#contract/airflow/task.ts';
import { buildGraph } from '#core/graph.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { badRequest, notFound } from '../../problems.ts';
import { getDagWithSpec } from '../dags/find-dag.ts';
import { renderTask } from './render-task.ts';

const SORTABLE = [
  'task_id', 'task_display_name', 'owner', 'start_date', 'end_date', 'trigger_rule', 'depends_on_past', 'wait_for_downstream', 'retries', 'queue', 'pool', 'pool_slots',
  'execution_timeout', 'retry_delay', 'retry_exponential_backoff', 'priority_weight', 'weight_rule', 'ui_color', 'ui_fgcolor', 'operator_name',
] as const;

/** Airflow's `get_tasks`. */
export const getTasks = operation({
  params: DAG_PARAMS,
  query: T.Object({ order_by: T.String({ default: 'task_id' }) }),
  response: TaskCollectionResponse,
  async run({ params, query, services }) {
    const { spec } = await getDagWithSpec(services.database, params.dag_id);
    const name = query.order_by.replace(/^-+/, '');
    const key = SORTABLE.find((each) => each === name);
    if (key === undefined) throw badRequest(`Ordering with '${name}' is disallowed or the attribute does not exist on the model`);
    const graph = buildGraph(spec);
    const tasks = graph.tasks.map((task) => renderTask(graph, task)).sort((a, b) => compare(a[key], b[key]) || compare(a.task_id, b.task_id));
    return json({ tasks: query.order_by.startsWith('-') ? tasks.reverse() : tasks, total_entries: tasks.length });
  },
});

/** Missing values last; durations by their length. */
function compare(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const [left, right] = [comparable(a), comparable(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function comparable(value: unknown): string | number {
  if (typeof value === 'string' || typeof value === 'number') return value;
  if (typeof value === 'boolean') return Number(value);
  const delta = value as { days: number; seconds: number; microseconds: number };
  return delta.days * 86_400 + delta.seconds + delta.microseconds / 1e6;
}

/** Airflow's `get_task`. */
export const getTask = operation({
  params: T.Object({ dag_id: T.String(), task_id: T.String() }),
  response: TaskResponse,
  async run({ params, services }) {
    const graph = buildGraph((await getDagWithSpec(services.database, params.dag_id)).spec);
    const task = graph.tasks.find((each) => each.id === params.task_id);
    if (task === undefined) throw notFound(`Task with id ${params.task_id} was not found`);
    return json(renderTask(graph, task));
  },
});
