// GET …/taskInstances/{task_id}/explain: why an instance is not running, or how it came to its state. Not one of Airflow's operations.
import { TaskInstanceExplanation } from '#contract/airflow/task-instance.ts';
import { explainInstance } from '#store/instance-blockers.ts';
import { INSTANCE_PARAMS, json, MAP_INDEX_QUERY, operation } from '../../operation.ts';
import { getInstance } from './find-instance.ts';

/** Ours: `explain_task_instance`. */
export const explainTaskInstance = operation({
  params: INSTANCE_PARAMS, query: MAP_INDEX_QUERY, response: TaskInstanceExplanation,
  async run({ params, query, services }) {
    const row = await getInstance(services.database, params, query.map_index);
    return json({ state: row.state, reasons: await explainInstance(services.database, row) });
  },
});
