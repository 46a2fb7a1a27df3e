// Which tasks an action reaches beyond those that were named: up and down the graph, with the setups and teardowns they need.
import type { Graph } from '#core/graph.ts';

/** States that `only_failed` means. */
export const FAILED_STATES = ['failed', 'upstream_failed'] as const;

/** A task, or one index of it. */
export interface TaskMarker {
  readonly taskId: string;
  /** Null: all its instances. */
  readonly mapIndex: number | null;
}

/** Which ways along the graph an action goes. */
export interface Reach {
  readonly upstream: boolean;
  readonly downstream: boolean;
}

/** The markers given and what lies up- or downstream of them. Inside one mapped group the index goes along; elsewhere all instances count. */
export function relatedTasks(graph: Graph, markers: readonly TaskMarker[], reach: Reach): TaskMarker[] {
  const found = new Map<string, TaskMarker>();
  for (const marker of markers) found.set(keyOf(marker), marker);
  for (const direction of ['upstream', 'downstream'] as const) {
    if (!reach[direction]) continue;
    const stack = [...markers];
    const seen = new Set<string>();
    for (let marker = stack.pop(); marker !== undefined; marker = stack.pop()) {
      for (const next of neighbours(graph, marker, direction)) {
        if (seen.has(keyOf(next))) continue;
        seen.add(keyOf(next));
        found.set(keyOf(next), next);
        stack.push(next);
      }
    }
  }
  return [...found.values()];
}

function keyOf(marker: TaskMarker): string {
  return `${marker.taskId}\0${marker.mapIndex ?? ''}`;
}

function neighbours(graph: Graph, marker: TaskMarker, direction: 'upstream' | 'downstream'): TaskMarker[] {
  const task = graph.tasks[graph.byId.get(marker.taskId) ?? -1];
  if (task === undefined) return [];
  return task[direction].flatMap((index) => {
    const next = graph.tasks[index];
    if (next === undefined) return [];
    const isSameGroup = task.mappedGroups.length > 0 && task.mappedGroups[0] === next.mappedGroups[0];
    return [{ taskId: next.id, mapIndex: isSameGroup ? marker.mapIndex : null }];
  });
}

/** The setups that hold these tasks and those setups' teardowns: a task cannot run again without them. */
export function withScopes(graph: Graph, taskIds: Iterable<string>): Set<string> {
  const all = new Set(taskIds);
  for (const id of [...all]) {
    const task = graph.tasks[graph.byId.get(id) ?? -1];
    for (const setup of task?.setups ?? []) {
      const held = graph.tasks[setup];
      if (held === undefined) continue;
      all.add(held.id);
      for (const down of held.downstream) {
        const teardown = graph.tasks[down];
        if (teardown?.task.is_teardown === true) all.add(teardown.id);
      }
    }
  }
  return all;
}
