// DELETE /dags/{dag_id}: a DAG with its versions, runs, values and logs.
import { errorText } from '#platform/report.ts';
import { deleteDag as deleteDagRows } from '#store/dags.ts';
import { DAG_PARAMS, empty, operation } from '../../operation.ts';
import { conflict, notFound } from '../../problems.ts';

/** Airflow's `delete_dag`; 409 while one of its task instances runs. */
export const deleteDag = operation({
  params: DAG_PARAMS,
  response: null,
  async run({ params, services }) {
    const deleted = await deleteDagRows(services.database, params.dag_id);
    if (deleted.kind === 'unknown') throw notFound(`Dag with id: ${params.dag_id} was not found`);
    if (deleted.kind === 'running') throw conflict(`Task instances of dag with id: '${params.dag_id}' are still running`);
    await services.logs.deleteLogs(deleted.executions).catch((error: unknown) => services.reporter.report({ event: 'failure', where: 'deleting logs', error: errorText(error) }));
    return empty;
  },
});
