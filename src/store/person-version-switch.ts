// Moving a cleared run to the DAG's current version: the tasks it did not have yet become instances of it.
import type pg from 'pg';
import { DAG_DEFAULTS, type Dag } from '#contract/dag.ts';
import { buildGraph } from '#core/graph.ts';
import type { MoveBatch } from './task-attempts.ts';

/** Pins the run to the version and adds an instance without a state for each task that has none. Instances of tasks that are gone stay as history. */
export async function addVersionSwitch(client: pg.PoolClient, batch: MoveBatch, to: { run: string; versionId: string; spec: Dag }): Promise<void> {
  await client.query('/* store/person-version-switch.pin */ update dag_runs set version_id = $2 where id = $1', [to.run, to.versionId]);
  const known = await client.query('/* store/person-version-switch.known */ select distinct task_id from task_instances where run = $1', [to.run]);
  const present = new Set((known.rows as { task_id: string }[]).map((row) => row.task_id));
  // A run without any instance gets all of them from the leader.
  if (present.size === 0) return;
  for (const { task, priorityWeight } of buildGraph(to.spec).tasks) {
    if (present.has(task.task_id)) continue;
    batch.newInstances.push({
      run: to.run, taskId: task.task_id, mapIndex: -1, state: null, finished: false, attemptId: null, executionId: null, tryNumber: 0, maxTries: task.retries ?? 0, infraFailures: 0,
      scheduledAt: null, startDate: null, endDate: null, wakeAt: null, skips: null, cause: null, reason: null, hostname: null, pid: null, renderedMapIndex: null,
      operator: task.operator, pool: task.pool ?? DAG_DEFAULTS.pool, poolSlots: task.pool_slots ?? DAG_DEFAULTS.poolSlots, queue: task.queue ?? DAG_DEFAULTS.queue, priorityWeight,
    });
  }
}
