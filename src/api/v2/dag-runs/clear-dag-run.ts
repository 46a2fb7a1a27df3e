// POST …/dagRuns/{dag_run_id}/clear: a run's task instances once more.
import { Type as T } from '@sinclair/typebox';
import { DAGRunClearBody, DAGRunResponse } from '#contract/airflow/dag-run.ts';
import { TaskInstanceCollectionResponse } from '#contract/airflow/task-instance.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { selectInstancesFor } from '#store/run-selection.ts';
import { json, operation, RUN_PARAMS } from '../../operation.ts';
import { renderSelected } from '../task-instances/render-instance.ts';
import { FAILED_STATES } from '../task-instances/select-tasks.ts';
import { getRun } from './find-run.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `clear_dag_run`: a dry run answers the instances, else the run. */
export const clearDagRun = operation({
  params: RUN_PARAMS,
  body: DAGRunClearBody,
  response: T.Union([TaskInstanceCollectionResponse, DAGRunResponse]),
  async run({ params, body, services, person }) {
    const run = await getRun(services.database, params);
    const selected = await selectInstancesFor(services.database, { dagId: run.dagId, runId: run.runId, from: null, to: null, tasks: null, states: body.only_failed ? FAILED_STATES : null });
    if (body.dry_run) return json(await renderSelected(services.database, selected));
    await applyAction(services.database, { ...NO_ACTION, clear: selected, useLatestVersion: body.run_on_latest_version, by: person.name });
    return json(renderRun(await getRun(services.database, params)));
  },
});
