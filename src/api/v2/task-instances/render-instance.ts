// A task instance and its tries as Airflow's clients read them.
import { createHash } from 'node:crypto';
import type { TaskInstanceHistoryResponse, TaskInstanceResponse } from '#contract/airflow/task-instance.ts';
import type { Dag, Task } from '#contract/dag.ts';
import type { Database } from '#store/database.ts';
import { readSpecs } from '#store/dag-specs.ts';
import { type InstanceListRow, listInstancesByKey } from '#store/task-instances.ts';
import type { TryRow } from '#store/task-tries.ts';
import { durationSeconds, renderInstant, renderInstantOrNull } from '../../instants.ts';
import { renderVersion } from '../dag-versions/render-version.ts';

/** A page of instances as the collection response, each with what its own version says of its task. */
export async function renderInstances(database: Database, rows: readonly InstanceListRow[], total: number): Promise<{ task_instances: TaskInstanceResponse[]; total_entries: number }> {
  const specs = await readSpecs(database, rows.map((row) => row.version.id));
  const tasks = new Map([...specs].map(([id, spec]) => [id, tasksById(spec)]));
  return { task_instances: rows.map((row) => renderInstance(row, tasks.get(row.version.id)?.get(row.taskId))), total_entries: total };
}

/** Instances that an action selected, as the collection response. */
export async function renderSelected(database: Database, selected: readonly { run: string; taskId: string; mapIndex: number }[]): Promise<{ task_instances: TaskInstanceResponse[]; total_entries: number }> {
  const rows = await listInstancesByKey(database, selected);
  return renderInstances(database, rows, selected.length);
}

function tasksById(spec: Dag): ReadonlyMap<string, Task> {
  return new Map(spec.tasks.map((task) => [task.task_id, task]));
}

/** @param task what the instance's version says of it; undefined when that version is gone */
export function renderInstance(row: InstanceListRow, task: Task | undefined, renderedFields: Readonly<Record<string, unknown>> = {}): TaskInstanceResponse {
  return {
    id: row.attemptId ?? idOf(row), ...sharedFields(row, task), state: row.state, try_number: row.tryNumber, start_date: renderInstantOrNull(row.startDate), end_date: renderInstantOrNull(row.endDate),
    duration: durationSeconds(row.startDate, row.endDate), hostname: row.hostname ?? '', pid: row.pid, queued_when: renderInstantOrNull(row.queuedAt),
    scheduled_when: renderInstantOrNull(row.scheduledAt), logical_date: renderInstantOrNull(row.logicalDate), run_after: renderInstant(row.runAfter), note: row.note,
    rendered_map_index: row.renderedMapIndex, rendered_fields: { ...renderedFields }, trigger: null, triggerer_job: null,
  };
}

/** One try: the instance's own fields with those of the try. */
export function renderTry(row: InstanceListRow, tried: TryRow, task: Task | undefined): TaskInstanceHistoryResponse {
  return {
    ...sharedFields(row, task), state: tried.state, try_number: tried.tryNumber, start_date: renderInstantOrNull(tried.startDate), end_date: renderInstantOrNull(tried.endDate),
    duration: durationSeconds(tried.startDate, tried.endDate), hostname: tried.hostname ?? '', pid: tried.pid, queued_when: renderInstantOrNull(tried.queuedAt),
    scheduled_when: renderInstantOrNull(tried.scheduledAt),
  };
}

type Shared = Omit<TaskInstanceHistoryResponse, 'state' | 'try_number' | 'start_date' | 'end_date' | 'duration' | 'hostname' | 'pid' | 'queued_when' | 'scheduled_when'>;

function sharedFields(row: InstanceListRow, task: Task | undefined): Shared {
  return {
    task_id: row.taskId, dag_id: row.dagId, dag_run_id: row.runId, map_index: row.mapIndex, max_tries: row.maxTries, task_display_name: task?.display_name ?? row.taskId,
    dag_display_name: row.version.displayName, unixname: null, pool: row.pool, pool_slots: row.poolSlots, queue: row.queue, priority_weight: row.priorityWeight,
    operator: row.operator, operator_name: task?.operator_name ?? task?.operator ?? row.operator, executor: task?.executor ?? null,
    executor_config: task?.executor_config === undefined ? '{}' : JSON.stringify(task.executor_config), dag_version: renderVersion(row.version),
  };
}

/** The id of an instance that has no try yet: made of what it is, so that it stays the same while nothing happens. */
function idOf(row: InstanceListRow): string {
  const hex = createHash('sha256').update(`${row.run}\0${row.taskId}\0${row.mapIndex}\0${row.tryNumber}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
