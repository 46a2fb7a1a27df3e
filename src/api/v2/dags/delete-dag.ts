// DELETE /dags/{dag_id}: a DAG with its versions, runs, values and logs.
import { deleteDag as deleteDagRows } from '#store/dags.ts';
import { DAG_PARAMS, empty, operation } from '../../operation.ts';
import { conflict, notFound } from '../../problems.ts';

/** Airflow's `delete_dag`; 409 while one of its task instances runs. */
export const deleteDag = operation({
  params: DAG_PARAMS,
  response: null,
  async run({ params, services }) {
    const { kind } = await deleteDagRows(services.database, params.dag_id);
    if (kind === 'unknown') throw notFound(`Dag with id: ${params.dag_id} was not found`);
    if (kind === 'running') throw conflict(`Task instances of dag with id: '${params.dag_id}' are still running`);
    return empty;
  },
});
