// Rows to snapshots, and instances back to rows.
import type { Graph } from '#core/graph.ts';
import { addInstance, emptySnapshot, type Instance, recordLength, type RunSnapshot } from '#core/run-snapshot.ts';
import { isFinished } from '#contract/states.ts';
import type { RunForPlanning } from '#store/dag-runs.ts';
import type { InstanceState } from '#store/task-attempts.ts';

/** A run in memory as its rows say. Instances of tasks that the version does not have are left out. */
export function buildSnapshot(graph: Graph, rows: RunForPlanning): RunSnapshot {
  const { run } = rows;
  const snapshot = emptySnapshot({
    id: run.id, dagId: run.dagId, runId: run.runId, runType: run.runType, versionId: run.versionId, graph, logicalDate: run.logicalDate, runAfter: run.runAfter,
    state: run.state, startDate: run.startDate, endDate: run.endDate, actionNumber: run.actionNumber,
  });
  for (const row of rows.instances) {
    const task = graph.tasks[graph.byId.get(row.taskId) ?? -1];
    if (task === undefined) continue;
    const { taskId: _, ...columns } = row;
    addInstance(snapshot, { ...columns, task, isNew: false });
  }
  for (const length of rows.lengths) {
    const task = graph.tasks[graph.byId.get(length.taskId) ?? -1];
    if (task !== undefined) recordLength(snapshot, { task, mapIndex: length.mapIndex }, { key: length.key, mappedLength: length.mappedLength });
  }
  return snapshot;
}

/** The columns of task_instances that an instance in memory stands for. */
export function instanceState(instance: Instance): InstanceState {
  return {
    mapIndex: instance.mapIndex, state: instance.state, finished: isFinished(instance.state), attemptId: instance.attemptId, executionId: instance.executionId,
    tryNumber: instance.tryNumber, maxTries: instance.maxTries, infraFailures: instance.infraFailures, scheduledAt: instance.scheduledAt, startDate: instance.startedAt,
    endDate: isFinished(instance.state) || instance.state === 'up_for_retry' ? instance.endedAt : null, wakeAt: instance.wakeAt,
    skips: instance.skips === null ? null : JSON.stringify(instance.skips), cause: instance.cause, reason: instance.reason, hostname: instance.hostname, pid: instance.pid,
    renderedMapIndex: instance.renderedMapIndex,
  };
}
