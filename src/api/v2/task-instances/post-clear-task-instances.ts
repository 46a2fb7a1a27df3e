// POST /dags/{dag_id}/clearTaskInstances: task instances once more.
import { ClearTaskInstancesBody, TaskInstanceCollectionResponse } from '#contract/airflow/task-instance.ts';
import { buildGraph } from '#core/graph.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import { findRun, type RunListRow } from '#store/dag-run-lists.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { type InstanceSelection, selectInstancesFor } from '#store/run-selection.ts';
import { DAG_PARAMS, json, operation } from '../../operation.ts';
import { badRequest, conflict, contradiction, dagNotFound, notFound } from '../../problems.ts';
import { getDagWithSpec } from '../dags/find-dag.ts';
import { renderSelected } from './render-instance.ts';
import { clearedTasks, FAILED_STATES, type TaskMarker } from './select-tasks.ts';

/** Airflow's `post_clear_task_instances`: the affected instances, whether or not it was a dry run. */
export const postClearTaskInstances = operation({
  params: DAG_PARAMS,
  body: ClearTaskInstancesBody,
  response: TaskInstanceCollectionResponse,
  async run({ params, body, bodyKeys, services, person }) {
    refuseContradictions(body, bodyKeys);
    const { database } = services;
    const selection = await selectionOf(database, params.dag_id, body);
    const selected = await selectInstancesFor(database, selection);
    if (!body.dry_run) {
      const result = await applyAction(database, {
        ...NO_ACTION, clear: selected, resetRuns: body.reset_dag_runs, useLatestVersion: body.run_on_latest_version, refuseRunning: body.prevent_running_task, by: person.name,
      });
      if (result.kind === 'running') throw conflict("AirflowClearRunningTaskException: Disable 'prevent_running_task' to proceed, or wait until the task is not running, queued, or scheduled state.");
    }
    return json(await renderSelected(database, selected));
  },
});

/** NOTE: these answer 500 in Airflow 3.2.1, whose validator raises the wrong exception; 422 is what it means. */
function refuseContradictions(body: ClearTaskInstancesBody, given: ReadonlySet<string>): void {
  if (given.has('only_failed') && body.only_failed && body.only_running) throw contradiction('only_failed and only_running both are set to True', body);
  if (body.start_date !== null && body.end_date !== null && Date.parse(body.start_date) > Date.parse(body.end_date)) throw contradiction('end_date is sooner than start_date', body);
  if (body.dag_run_id !== null && (body.start_date !== null || body.end_date !== null)) throw contradiction('Exactly one of dag_run_id or (start_date and end_date) must be provided', body);
  if (body.task_ids?.length === 0) throw contradiction('task_ids list should have at least 1 element.', body);
}

async function selectionOf(database: Database, dagId: string, body: ClearTaskInstancesBody): Promise<InstanceSelection> {
  const { spec: current } = await getDagWithSpec(database, dagId);
  const run = body.dag_run_id === null ? null : await findRun(database, dagId, body.dag_run_id);
  if (body.dag_run_id !== null && run === null) throw notFound(`Dag Run id ${body.dag_run_id} not found in dag ${dagId}`);
  const spec = run === null ? current : await findKeptSpec(database, run.version.id);
  if (spec === null) throw dagNotFound(dagId);
  // only_failed is true unless it is said otherwise: with only_running alone, running is what is meant.
  const states = body.only_running ? ['running'] : body.only_failed ? [...FAILED_STATES] : null;
  return { dagId, ...whenOf(run, body), tasks: tasksOf(spec, body, run !== null), states };
}

/** One run, or the date range that `past` and `future` open. */
function whenOf(run: RunListRow | null, body: ClearTaskInstancesBody): Pick<InstanceSelection, 'runId' | 'from' | 'to'> {
  if (run !== null && !body.include_past && !body.include_future) return { runId: run.runId, from: null, to: null };
  if (run !== null && run.logicalDate === null) throw badRequest('Cannot use include_past or include_future with no logical_date(e.g. manually or asset-triggered).');
  const at = run === null ? null : (run.logicalDate?.toISOString() ?? null);
  return { runId: null, from: body.include_past ? null : (at ?? body.start_date), to: body.include_future ? null : (at ?? body.end_date) };
}

function tasksOf(spec: Parameters<typeof buildGraph>[0], body: ClearTaskInstancesBody, hasRun: boolean): InstanceSelection['tasks'] {
  if (body.task_ids === null) return null;
  const given = body.task_ids.map((each): TaskMarker => (typeof each === 'string' ? { taskId: each, mapIndex: null } : { taskId: each[0], mapIndex: each[1] }));
  const reach = { upstream: body.include_upstream, downstream: body.include_downstream };
  if (!reach.upstream && !reach.downstream) return split(given);
  const graph = buildGraph(spec);
  if (hasRun) return split(clearedTasks(graph, given, reach));
  // Without a run nobody can say which indexes belong together: whole tasks then.
  const named = new Set(given.map((each) => each.taskId));
  return split([...given, ...clearedTasks(graph, given.map((each) => ({ ...each, mapIndex: null })), reach).filter((each) => !named.has(each.taskId))]);
}

function split(markers: readonly TaskMarker[]): NonNullable<InstanceSelection['tasks']> {
  const whole = new Set(markers.filter((each) => each.mapIndex === null).map((each) => each.taskId));
  return {
    whole: [...whole],
    indexes: markers.flatMap((each) => (each.mapIndex === null || whole.has(each.taskId) ? [] : [{ taskId: each.taskId, mapIndex: each.mapIndex }])),
  };
}
