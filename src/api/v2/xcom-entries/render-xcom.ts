// An XCom, without its value, as Airflow's clients read it.
import type { XComResponse } from '#contract/airflow/xcom.ts';
import type { Dag } from '#contract/dag.ts';
import type { XComRow } from '#store/xcoms.ts';
import { renderInstant, renderInstantOrNull } from '../../instants.ts';

/** @param spec dag.json of the run's version */
export function renderXCom(row: XComRow, spec: Dag | undefined): XComResponse {
  return {
    key: row.key, timestamp: renderInstant(row.createdAt), logical_date: renderInstantOrNull(row.logicalDate), map_index: row.mapIndex, task_id: row.taskId, dag_id: row.dagId,
    run_id: row.runId, dag_display_name: row.displayName, task_display_name: spec?.tasks.find((task) => task.task_id === row.taskId)?.display_name ?? row.taskId,
    run_after: renderInstant(row.runAfter),
  };
}
