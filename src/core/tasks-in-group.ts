// Which tasks stand in a task group, those of the groups inside it among them.
import type { Dag } from '#contract/dag.ts';

/** Ids of the tasks in a group and the groups inside it; null when the DAG has no such group. */
export function tasksInGroup(dag: Dag, groupId: string): string[] | null {
  const groups = dag.task_groups ?? [];
  if (!groups.some((group) => group.group_id === groupId)) return null;
  const inside = new Set([groupId]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const group of groups) {
      if (group.parent === undefined || !inside.has(group.parent) || inside.has(group.group_id)) continue;
      inside.add(group.group_id);
      grown = true;
    }
  }
  return dag.tasks.filter((task) => task.task_group !== undefined && inside.has(task.task_group)).map((task) => task.task_id);
}
