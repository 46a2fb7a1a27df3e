// Which tasks an action reaches beyond those that were named: up and down the graph, with the setups and teardowns they need.
import type { Graph, GraphTask } from '#core/graph.ts';

/** States that `only_failed` means. */
export const FAILED_STATES = ['failed', 'upstream_failed'] as const;

/** A task, or one index of it. */
export interface TaskMarker {
  readonly taskId: string;
  /** Null: all its instances. */
  readonly mapIndex: number | null;
}

type Direction = 'upstream' | 'downstream';

/** Which ways along the graph an action goes. */
export type Reach = Readonly<Record<Direction, boolean>>;

/** The markers given and what lies up- or downstream of them, nothing else. Inside one mapped group the index goes along; elsewhere all instances count. */
export function relatedTasks(graph: Graph, markers: readonly TaskMarker[], reach: Reach): TaskMarker[] {
  const found = new Map<string, TaskMarker>(markers.map((marker) => [keyOf(marker), marker]));
  for (const direction of ['upstream', 'downstream'] as const) {
    if (reach[direction]) walk(graph, markers, { direction, visit: (next) => void found.set(keyOf(next), next) });
  }
  return [...found.values()];
}

/**
 * What a clear reaches: as {@link relatedTasks}, and for each whole task the setups that hold it and their teardowns, since it cannot run again
 * without them. One direction after the other, each starting from all that is found (`find_relevant_relatives`, `partial_subset`, 3.2.1).
 */
export function clearedTasks(graph: Graph, markers: readonly TaskMarker[], reach: Reach): TaskMarker[] {
  const found = new Map<string, TaskMarker>(markers.map((marker) => [keyOf(marker), marker]));
  const add = (taskId: string): void => void found.set(keyOf({ taskId, mapIndex: null }), { taskId, mapIndex: null });
  for (const direction of ['upstream', 'downstream'] as const) {
    if (!reach[direction]) continue;
    const starts = [...found.values()];
    const whole = starts.filter((marker) => marker.mapIndex === null);
    walk(graph, starts, { direction, visit: (next) => {
      found.set(keyOf(next), next);
      if (next.mapIndex === null) whole.push(next);
    } });
    for (const { taskId } of whole) for (const id of scopeOf(graph, taskId, direction)) add(id);
  }
  return [...found.values()];
}

/** Setups and teardowns that come with a task. Upstream: each setup above it brings its teardowns; downstream: the setups that hold it come first. */
function scopeOf(graph: Graph, taskId: string, direction: Direction): string[] {
  const task = graph.tasks[graph.byId.get(taskId) ?? -1];
  if (task === undefined) return [];
  const { is_setup: isSetup, is_teardown: isTeardown } = task.task;
  const ofItself = isSetup === true ? teardownsOf(graph, task) : [];
  if (direction === 'upstream') return ofItself;
  if (isSetup === true || isTeardown === true) return [];
  return task.setups.flatMap((index) => {
    const setup = graph.tasks[index];
    return setup === undefined ? [] : [setup.id, ...teardownsOf(graph, setup)];
  });
}

function teardownsOf(graph: Graph, setup: GraphTask): string[] {
  return setup.downstream.flatMap((index) => (graph.tasks[index]?.task.is_teardown === true ? [graph.tasks[index].id] : []));
}

function walk(graph: Graph, starts: readonly TaskMarker[], how: { direction: Direction; visit: (marker: TaskMarker) => void }): void {
  const stack = [...starts];
  const seen = new Set<string>();
  for (let marker = stack.pop(); marker !== undefined; marker = stack.pop()) {
    for (const next of neighbours(graph, marker, how.direction)) {
      if (seen.has(keyOf(next))) continue;
      seen.add(keyOf(next));
      how.visit(next);
      stack.push(next);
    }
  }
}

function keyOf(marker: TaskMarker): string {
  return `${marker.taskId}\0${marker.mapIndex ?? ''}`;
}

function neighbours(graph: Graph, marker: TaskMarker, direction: Direction): TaskMarker[] {
  const task = graph.tasks[graph.byId.get(marker.taskId) ?? -1];
  if (task === undefined) return [];
  return task[direction].flatMap((index) => {
    const next = graph.tasks[index];
    if (next === undefined) return [];
    const isSameGroup = task.mappedGroups.length > 0 && task.mappedGroups[0] === next.mappedGroups[0];
    return [{ taskId: next.id, mapIndex: isSameGroup ? marker.mapIndex : null }];
  });
}
