// What a dag.json says whatever language its file is written in: the same pipeline in three languages has one graph.
import type { Dag } from '#contract/dag.ts';

/**
 * The document without what merely says where code lives: `fileloc`, `runtime`, `sources`, `environment`, `python`, `image` and each
 * task's `body`. Tasks, groups and labels are sorted by id, since their order means nothing. Compare as canonical JSON.
 */
export function graphOf(dag: Dag): Record<string, unknown> {
  const { fileloc: _fileloc, runtime: _runtime, sources: _sources, environment: _environment, python: _python, image: _image, ...graph } = dag;
  return {
    ...graph,
    tasks: dag.tasks.map(({ body: _body, ...task }) => task).sort((a, b) => order(a.task_id, b.task_id)),
    ...(dag.task_groups === undefined ? {} : { task_groups: [...dag.task_groups].sort((a, b) => order(a.group_id, b.group_id)) }),
    ...(dag.edge_labels === undefined ? {} : { edge_labels: [...dag.edge_labels].sort((a, b) => order(a.from, b.from) || order(a.to, b.to)) }),
  };
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** JSON path of the first difference between two JSON values, `$` downward; null when there is none. */
export function firstDifference(a: unknown, b: unknown, path = '$'): string | null {
  if (Object.is(a, b)) return null;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return path;
    return a.map((item, index) => firstDifference(item, b[index], `${path}[${index}]`)).find((found) => found !== null) ?? null;
  }
  if (isRecord(a) && isRecord(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return keys.map((key) => firstDifference(a[key], b[key], `${path}.${key}`)).find((found) => found !== null) ?? null;
  }
  return path;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
