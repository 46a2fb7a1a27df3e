// What marking a task does: the instances that get the state, and the failed ones downstream that run again (contract §5.9).
import type { PatchTaskInstanceBody } from '#contract/airflow/task-instance.ts';
import { buildGraph } from '#core/graph.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import type { InstanceRef, MarkedState } from '#store/person-actions.ts';
import { selectInstancesFor } from '#store/run-selection.ts';
import { runNotFound } from '../../problems.ts';
import { findRun } from '#store/dag-run-lists.ts';
import type { InstancePath } from './find-instance.ts';
import { clearedTasks, FAILED_STATES, relatedTasks } from './select-tasks.ts';

/** What a mark changes. */
export interface MarkPlan {
  readonly mark: readonly (InstanceRef & { readonly state: MarkedState })[];
  readonly clear: readonly InstanceRef[];
}

/** Reads what there is and plans; changes nothing. */
export async function planMark(database: Database, at: { path: InstancePath; mapIndex: number | null; state: MarkedState; body: PatchTaskInstanceBody }): Promise<MarkPlan> {
  const { path, body, state } = at;
  const run = await findRun(database, path.dag_id, path.dag_run_id);
  const spec = run === null ? null : await findKeptSpec(database, run.version.id);
  if (run === null || spec === null) throw runNotFound(path.dag_id, path.dag_run_id);
  const graph = buildGraph(spec);
  const named = { taskId: path.task_id, mapIndex: at.mapIndex };
  const related = relatedTasks(graph, [{ ...named, mapIndex: null }], { upstream: body.include_upstream, downstream: body.include_downstream }).filter((each) => each.taskId !== path.task_id);
  const reachesRuns = (body.include_past || body.include_future) && run.logicalDate !== null;
  const date = run.logicalDate?.toISOString() ?? null;
  const when = reachesRuns ? { runId: null, from: body.include_past ? null : date, to: body.include_future ? null : date } : { runId: run.runId, from: null, to: null };
  const select = (tasks: { whole: string[]; indexes: { taskId: string; mapIndex: number }[] }, states: readonly string[] | null) => selectInstancesFor(database, { dagId: path.dag_id, ...when, tasks, states });
  const targets = await select({
    whole: [...related.map((each) => each.taskId), ...(at.mapIndex === null ? [path.task_id] : [])], indexes: at.mapIndex === null ? [] : [{ taskId: path.task_id, mapIndex: at.mapIndex }],
  }, null);
  const mark = targets.filter((instance) => instance.state !== state).map((instance) => ({ run: instance.run, taskId: instance.taskId, mapIndex: instance.mapIndex, state }));
  const below = clearedTasks(graph, [{ taskId: path.task_id, mapIndex: null }], { upstream: false, downstream: true }).map((each) => each.taskId).filter((id) => id !== path.task_id);
  const failed = below.length === 0 ? [] : await select({ whole: below, indexes: [] }, FAILED_STATES);
  const marked = new Set(mark.map(keyOf));
  return { mark, clear: failed.filter((instance) => !marked.has(keyOf(instance))) };
}

function keyOf(ref: InstanceRef): string {
  return `${ref.run}\0${ref.taskId}\0${ref.mapIndex}`;
}
