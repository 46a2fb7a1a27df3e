// GET …/taskInstances/{task_id}/explain: why an instance is not running, or how it came to its state. Not one of Airflow's operations.
import { TaskInstanceExplanation } from '#contract/airflow/task-instance.ts';
import { explainInstance, explainMappedTask } from '#store/explain-instance.ts';
import { findInstanceRow } from '#store/task-instances.ts';
import { INSTANCE_PARAMS, json, MAP_INDEX_QUERY, operation } from '../../operation.ts';
import { getInstance } from './find-instance.ts';

/** Ours: `explain_task_instance`. */
export const explainTaskInstance = operation({
  params: INSTANCE_PARAMS, query: MAP_INDEX_QUERY, response: TaskInstanceExplanation,
  async run({ params, query, services }) {
    const key = { dagId: params.dag_id, runId: params.dag_run_id, taskId: params.task_id };
    if (query.map_index < 0 && (await findInstanceRow(services.database, { ...key, mapIndex: query.map_index })) === null) {
      const summary = await explainMappedTask(services.database, key);
      if (summary !== null) return json(summary);
    }
    const row = await getInstance(services.database, params, query.map_index);
    return json({ state: row.state, reasons: await explainInstance(services.database, row) });
  },
});
