// GET …/dagRuns/{dag_run_id}: one run.
import { DAGRunResponse } from '#contract/airflow/dag-run.ts';
import { json, operation, RUN_PARAMS } from '../../operation.ts';
import { getRun } from './find-run.ts';
import { renderRun } from './render-run.ts';

/** Airflow's `get_dag_run`. */
export const getDagRun = operation({
  params: RUN_PARAMS,
  response: DAGRunResponse,
  run: async ({ params, services }) => json(renderRun(await getRun(services.database, params))),
});
