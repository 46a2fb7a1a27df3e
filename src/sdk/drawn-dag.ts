// A drawing as a graph: its tasks with the arguments that hold for them, their groups, and who comes before whom.
import type { Drawing } from '#contract/drawing.ts';
import { formOf } from '#contract/value-forms.ts';

/** What a drawing says of a task or group. */
export type Entry = Readonly<Record<string, unknown>>;

/** A group with the ids of its direct members. */
export interface GroupNode {
  readonly id: string;
  readonly entry: Entry;
  readonly parent: GroupNode | null;
  readonly members: string[];
}

/** A task; `entry` holds the defaults of its DAG and groups as well. */
export interface TaskNode {
  readonly id: string;
  readonly entry: Entry;
  readonly group: GroupNode | null;
  readonly upstream: Set<string>;
  readonly downstream: Set<string>;
}

/** The graph of one DAG. */
export interface DrawnGraph {
  readonly dagId: string;
  readonly drawing: Drawing;
  readonly tasks: ReadonlyMap<string, TaskNode>;
  readonly groups: ReadonlyMap<string, GroupNode>;
}

/** Reads a drawing that was checked when it was compiled. */
export function readDrawing(drawing: Drawing): DrawnGraph {
  const graph: MutableGraph = { dagId: drawing.dag_id ?? '', drawing, tasks: new Map(), groups: new Map() };
  collect(graph, drawing.tasks, { prefix: '', group: null, defaults: drawing.default_args ?? {} });
  for (const group of graph.groups.values()) {
    for (const before of [...afterOf(group.entry), ...referencesIn([group.entry['expand'], group.entry['expand_rows']])]) join(graph, before, group.id);
  }
  for (const task of graph.tasks.values()) {
    const { after: _, teardown, ...values } = task.entry;
    for (const before of [...afterOf(task.entry), ...referencesIn(values), ...(Array.isArray(teardown) ? teardown.map(String) : [])]) join(graph, before, task.id);
  }
  return graph;
}

interface Within { readonly prefix: string; readonly group: GroupNode | null; readonly defaults: Entry }

type MutableGraph = Omit<DrawnGraph, 'tasks' | 'groups'> & { readonly tasks: Map<string, TaskNode>; readonly groups: Map<string, GroupNode> };

function collect(graph: MutableGraph, entries: unknown, within: Within): void {
  const { tasks, groups } = graph;
  for (const [local, entry] of Object.entries(entries as Record<string, Entry>)) {
    const id = within.prefix + local;
    within.group?.members.push(id);
    if (!('tasks' in entry)) {
      tasks.set(id, { id, entry: { ...within.defaults, ...entry }, group: within.group, upstream: new Set(), downstream: new Set() });
      continue;
    }
    const group: GroupNode = { id, entry, parent: within.group, members: [] };
    groups.set(id, group);
    collect(graph, entry['tasks'], { prefix: entry['prefix_group_id'] === false ? within.prefix : `${id}.`, group, defaults: { ...within.defaults, ...(entry['default_args'] as Entry | undefined) } });
  }
}

function afterOf(entry: Entry): string[] {
  const after = (entry['after'] ?? []) as readonly (string | { readonly task: string })[];
  return after.map((one) => (typeof one === 'string' ? one : one.task));
}

/** Ids of the tasks whose results a value uses. */
export function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== 'object' || value === null) return [];
  const form = formOf(value);
  if (form === 'literal') return [];
  return form === 'xcom' ? [String((value as Entry)['xcom'])] : Object.values(value).flatMap(referencesIn);
}

function join(graph: DrawnGraph, before: string, after: string): void {
  for (const first of lastTasksOf(graph, before)) {
    for (const next of firstTasksOf(graph, after)) {
      if (first === next) continue;
      graph.tasks.get(first)?.downstream.add(next);
      graph.tasks.get(next)?.upstream.add(first);
    }
  }
}

function tasksWithin(graph: DrawnGraph, id: string): string[] {
  const group = graph.groups.get(id);
  return group === undefined ? [id] : group.members.flatMap((member) => tasksWithin(graph, member));
}

/** A task itself; of a group those of its tasks that none of them comes before. */
export function firstTasksOf(graph: DrawnGraph, id: string): string[] {
  const inside = new Set(tasksWithin(graph, id));
  return [...inside].filter((one) => ![...beforeWithin(graph, one)].some((before) => inside.has(before)));
}

function lastTasksOf(graph: DrawnGraph, id: string): string[] {
  const inside = tasksWithin(graph, id);
  if (!graph.groups.has(id)) return inside;
  const after = new Map(inside.map((one) => [one, new Set(inside.filter((next) => beforeWithin(graph, next).has(one)))]));
  const last = inside.filter((one) => after.get(one)?.size === 0);
  return [...new Set(last.flatMap((one) => (isTeardown(graph.tasks.get(one)) ? workBefore(graph, one, after) : [one])))];
}

/** The last tasks of a group before a teardown that ends it: teardowns do not count as its end. */
function workBefore(graph: DrawnGraph, teardown: string, after: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...beforeWithin(graph, teardown)].filter((one) => after.has(one)).flatMap((one) => {
    const task = graph.tasks.get(one);
    if (isTeardown(task)) return workBefore(graph, one, after);
    const others = [...(after.get(one) ?? [])].filter((next) => next !== teardown && !isTeardown(graph.tasks.get(next)));
    return task?.entry['setup'] === true || others.length > 0 ? [] : [one];
  });
}

/** What a task itself names as before it, groups taken apart: does not depend on the order in which edges are drawn. */
function beforeWithin(graph: DrawnGraph, id: string): Set<string> {
  const found = new Set<string>();
  const add = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    const { after: _, tasks: __, teardown, ...values } = entry;
    for (const before of [...afterOf(entry), ...referencesIn(values), ...(Array.isArray(teardown) ? teardown.map(String) : [])]) for (const task of tasksWithin(graph, before)) found.add(task);
  };
  const task = graph.tasks.get(id);
  add(task?.entry);
  for (let group = task?.group ?? null; group !== null; group = group.parent) add(group.entry);
  return found;
}

function isTeardown(task: TaskNode | undefined): boolean {
  return task !== undefined && (task.entry['teardown'] ?? false) !== false;
}

/** Ids of everything after a task, teardowns left out when `work` is asked for. */
export function everythingAfter(graph: DrawnGraph, id: string, which: 'all' | 'work' = 'all'): string[] {
  const found = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const after of graph.tasks.get(next)?.downstream ?? []) {
      if (!found.has(after)) open.push(after);
      found.add(after);
    }
  }
  return [...found].filter((one) => which === 'all' || !isTeardown(graph.tasks.get(one)));
}

/** Mapped groups around a task, the innermost first. */
export function mappedGroupsOf(task: TaskNode): GroupNode[] {
  const found: GroupNode[] = [];
  for (let { group } = task; group !== null; group = group.parent) if (isMapped(group.entry)) found.push(group);
  return found;
}

/** True for a task or group with one instance per element. */
export function isMapped(entry: Entry): boolean {
  return entry['expand'] !== undefined || entry['expand_rows'] !== undefined;
}

/** Ids of tasks whose results others are mapped over. */
export function mappedOver(graph: DrawnGraph): Set<string> {
  return new Set([...graph.tasks.values(), ...graph.groups.values()].flatMap(({ entry }) => referencesIn([entry['expand'], entry['expand_rows']])));
}

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Seconds of a duration: a number, or a text such as 1h30m. */
export function secondsOf(value: unknown, otherwise: number): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return otherwise;
  return [...value.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? 's'] ?? 1), 0);
}
