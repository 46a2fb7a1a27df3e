// The run that a path names.
import type { Database } from '#store/database.ts';
import { findRun, type RunListRow } from '#store/dag-run-lists.ts';
import { runNotFound } from '../../problems.ts';

/** Throws Airflow's 404 when there is no such run. */
export async function getRun(database: Database, params: { readonly dag_id: string; readonly dag_run_id: string }): Promise<RunListRow> {
  const row = await findRun(database, params.dag_id, params.dag_run_id);
  if (row === null) throw runNotFound(params.dag_id, params.dag_run_id);
  return row;
}
