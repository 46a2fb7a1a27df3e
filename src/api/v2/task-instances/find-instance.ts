// The task instance that a path names, with its task.
import type { Task } from '#contract/dag.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findInstanceRow, type InstanceListRow } from '#store/task-instances.ts';
import { notFound } from '../../problems.ts';

/** The part of a path that names a task of a run. */
export interface InstancePath {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly task_id: string;
}

/** Throws Airflow's 404 when there is no such instance. */
export async function getInstance(database: Database, path: InstancePath, mapIndex: number): Promise<InstanceListRow> {
  const row = await findInstanceRow(database, { dagId: path.dag_id, runId: path.dag_run_id, taskId: path.task_id, mapIndex });
  if (row === null) throw notFound(`The Task Instance with dag_id: \`${path.dag_id}\`, run_id: \`${path.dag_run_id}\`, task_id: \`${path.task_id}\` and map_index: \`${mapIndex}\` was not found`);
  return row;
}

/** What the instance's own version says of its task. */
export async function findTaskOf(database: Database, row: InstanceListRow): Promise<Task | undefined> {
  return (await findKeptSpec(database, row.version.id))?.tasks.find((task) => task.task_id === row.taskId);
}
