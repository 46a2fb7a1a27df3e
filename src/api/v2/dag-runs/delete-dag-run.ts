// DELETE …/dagRuns/{dag_run_id}: a run with its task instances, values and logs.
import { errorText } from '#platform/report.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { empty, operation, RUN_PARAMS } from '../../operation.ts';
import { conflict } from '../../problems.ts';
import { getRun } from './find-run.ts';

/** Airflow's `delete_dag_run`; 409 while it runs. */
export const deleteDagRun = operation({
  params: RUN_PARAMS,
  response: null,
  async run({ params, services }) {
    const run = await getRun(services.database, params);
    const executions = await deleteRun(services.database, run.id);
    if (executions === null) throw conflict(`The DagRun with dag_id: \`${run.dagId}\` and run_id: \`${run.runId}\` cannot be deleted in running state`);
    await services.logs.deleteLogs(executions).catch((error: unknown) => services.reporter.report({ event: 'failure', where: 'deleting logs', error: errorText(error) }));
    return empty;
  },
});
