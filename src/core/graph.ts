// A DAG version as the planner walks it: indexes instead of ids, everything derivable derived once.
import { DAG_DEFAULTS, type Dag, type Expand, type MapSource, type Task, type TriggerRule } from '#contract/dag.ts';
import { effectiveWeights } from './priority-weight.ts';

/** One task with its neighbours by index into `Graph.tasks`. */
export interface GraphTask {
  readonly index: number;
  readonly id: string;
  readonly task: Task;
  readonly rule: TriggerRule;
  readonly upstream: readonly number[];
  readonly downstream: readonly number[];
  /** Completes without a process. */
  readonly isEmpty: boolean;
  /** Expands that make its instances: mapped groups from the outside in, then its own. Empty: one instance, map index −1. */
  readonly expands: readonly Expand[];
  /** Ids of its mapped groups, outermost first; two tasks share the common prefix. */
  readonly mappedGroups: readonly string[];
  /** Tasks whose XComs decide how many instances it has. */
  readonly lengthSources: ReadonlySet<number>;
  /** XCom keys of this task that others map over. */
  readonly mappedKeys: ReadonlySet<string>;
  /** Setups above it whose scope holds it: their teardown is reachable from it, or they have none. */
  readonly setups: readonly number[];
  /** Those that are no direct upstream. A direct one is an upstream like any other: the trigger rule judges it. */
  readonly indirectSetups: readonly number[];
  readonly directSetups: readonly number[];
  /** Teardowns only: tasks between its setups and itself. */
  readonly scope: readonly number[];
  /** Tasks that are not direct downstream and yet look at this one's state: by a setup, a teardown's scope, or a mapping over its XCom. */
  readonly watchers: readonly number[];
  /** Its own group is mapped (a group further out may be as well). */
  readonly isInMappedGroup: boolean;
  readonly priorityWeight: number;
}

/** A compiled DAG version. Immutable; shared by all runs of the version. */
export interface Graph {
  readonly dag: Dag;
  readonly tasks: readonly GraphTask[];
  readonly byId: ReadonlyMap<string, number>;
  /** Tasks that decide the run's state (contract §5.7). */
  readonly leaves: readonly number[];
  /** Ids of tasks whose states the same DAG's next run looks at: depends_on_past, wait_for_downstream. */
  readonly pastSources: ReadonlySet<string>;
}

/** Builds the graph of a checked dag.json. Throws when an upstream is unknown (`checkDag` refuses such a file before). */
export function buildGraph(dag: Dag): Graph {
  const byId = new Map(dag.tasks.map((task, index) => [task.task_id, index]));
  const upstream = dag.tasks.map((task) => task.depends_on.map((id) => indexOf(byId, id)));
  const downstream: number[][] = dag.tasks.map(() => []);
  upstream.forEach((ups, index) => ups.forEach((up) => downstream[up]?.push(index)));
  const weights = effectiveWeights(dag.tasks.map((task) => ({
    taskId: task.task_id, dependsOn: task.depends_on, weight: task.priority_weight ?? DAG_DEFAULTS.priorityWeight, rule: task.weight_rule ?? 'downstream',
  })));
  const groups = mappedGroupChains(dag);
  const expandsOf = (task: Task): Expand[] => [
    ...(groups.get(task.task_group ?? '') ?? []).map((group) => group.expand),
    ...(task.expand === undefined ? [] : [task.expand]),
  ];
  const mappedKeys = collectMappedKeys(dag, byId, expandsOf);
  const walk = { tasks: dag.tasks, upstream, downstream };
  const scopes = setupScopes(walk);
  const mappedGroups = new Set((dag.task_groups ?? []).flatMap((group) => (group.expand === undefined ? [] : [group.group_id])));
  const lengthSources = dag.tasks.map((task) => new Set(expandsOf(task).flatMap(sourceTasks).map((id) => indexOf(byId, id))));
  const indirect = (index: number): number[] => (scopes.setups[index] ?? []).filter((setup) => upstream[index]?.includes(setup) !== true);
  const watchers = collectWatchers({ downstream, watched: dag.tasks.map((_, index) => [...indirect(index), ...(scopes.between[index] ?? []), ...(lengthSources[index] ?? [])]) });
  const tasks = dag.tasks.map((task, index): GraphTask => ({
    index, id: task.task_id, task,
    rule: task.trigger_rule ?? 'all_success',
    upstream: upstream[index] ?? [],
    downstream: downstream[index] ?? [],
    isEmpty: task.body.kind === 'empty',
    expands: expandsOf(task),
    mappedGroups: (groups.get(task.task_group ?? '') ?? []).map((group) => group.id),
    lengthSources: lengthSources[index] ?? new Set(),
    mappedKeys: mappedKeys[index] ?? new Set(),
    setups: scopes.setups[index] ?? [],
    indirectSetups: indirect(index),
    directSetups: (upstream[index] ?? []).filter((up) => dag.tasks[up]?.is_setup === true),
    scope: scopes.between[index] ?? [],
    watchers: watchers[index] ?? [],
    isInMappedGroup: mappedGroups.has(task.task_group ?? ''),
    priorityWeight: weights[index] ?? 1,
  }));
  return { dag, tasks, byId, leaves: findLeaves(tasks), pastSources: collectPastSources(tasks) };
}

function collectPastSources(tasks: readonly GraphTask[]): Set<string> {
  const ids = new Set<string>();
  for (const { id, task, downstream } of tasks) {
    if (task.depends_on_past === true || task.wait_for_downstream === true) ids.add(id);
    if (task.wait_for_downstream === true) for (const index of downstream) ids.add(tasks[index]?.id ?? id);
  }
  return ids;
}

function indexOf(byId: ReadonlyMap<string, number>, id: string): number {
  const index = byId.get(id);
  if (index === undefined) throw new Error(`the graph names an unknown task ${id}`);
  return index;
}

/** For each group id: the mapped groups that hold its tasks, outermost first. */
function mappedGroupChains(dag: Dag): Map<string, { id: string; expand: Expand }[]> {
  const groups = new Map((dag.task_groups ?? []).map((group) => [group.group_id, group]));
  const chains = new Map<string, { id: string; expand: Expand }[]>();
  for (const start of groups.keys()) {
    const chain: { id: string; expand: Expand }[] = [];
    for (let id: string | undefined = start; id !== undefined; id = groups.get(id)?.parent) {
      const expand = groups.get(id)?.expand;
      if (expand !== undefined) chain.unshift({ id, expand });
      if (chain.length > groups.size) throw new Error(`task group ${start} is its own ancestor`);
    }
    chains.set(start, chain);
  }
  return chains;
}

/** Every MapSource of an expand, flattened to the XComs that it reads. */
export function xcomSources(expand: Expand): { task_id: string; key: string }[] {
  const roots = expand.kind === 'rows' ? [expand.rows] : Object.values(expand.arguments);
  const found: { task_id: string; key: string }[] = [];
  const visit = (source: MapSource): void => {
    if (source.kind === 'xcom') found.push(source);
    else if (source.kind === 'map') visit(source.of);
    else if (source.kind !== 'literal') source.of.forEach(visit);
  };
  roots.forEach(visit);
  return found;
}

function sourceTasks(expand: Expand): string[] {
  return xcomSources(expand).map((source) => source.task_id);
}

function collectMappedKeys(dag: Dag, byId: ReadonlyMap<string, number>, expandsOf: (task: Task) => Expand[]): Set<string>[] {
  const keys = dag.tasks.map(() => new Set<string>());
  for (const source of dag.tasks.flatMap(expandsOf).flatMap(xcomSources)) keys[indexOf(byId, source.task_id)]?.add(source.key);
  return keys;
}

interface Walk { readonly tasks: readonly Task[]; readonly upstream: readonly (readonly number[])[]; readonly downstream: readonly (readonly number[])[] }

/** Turns "this task looks at those" around, without what is direct downstream anyway. */
function collectWatchers(by: { downstream: readonly (readonly number[])[]; watched: readonly (readonly number[])[] }): number[][] {
  const watchers = by.watched.map(() => new Set<number>());
  by.watched.forEach((indexes, watcher) => indexes.forEach((index) => {
    if (by.downstream[index]?.includes(watcher) !== true) watchers[index]?.add(watcher);
  }));
  return watchers.map((set) => [...set]);
}

/** Setups that hold each task, and for each teardown the tasks of its scope. Only DAGs with setups pay for the closure. */
function setupScopes(walk: Walk): { setups: number[][]; between: number[][] } {
  const setups: number[][] = walk.tasks.map(() => []);
  const between: number[][] = walk.tasks.map(() => []);
  walk.tasks.forEach((task, setup) => {
    if (task.is_setup !== true) return;
    const below = reach(walk.downstream, setup);
    const teardowns = (walk.downstream[setup] ?? []).filter((down) => walk.tasks[down]?.is_teardown === true);
    const scope = new Set<number>();
    for (const teardown of teardowns) {
      const above = reach(walk.upstream, teardown);
      for (const index of below) {
        if (!above.has(index)) continue;
        scope.add(index);
        if (index !== setup) between[teardown]?.push(index);
      }
    }
    const holds = teardowns.length === 0 ? below : scope;
    for (const index of holds) if (walk.tasks[index]?.is_teardown !== true) setups[index]?.push(setup);
  });
  return { setups, between };
}

function reach(edges: readonly (readonly number[])[], start: number): Set<number> {
  const seen = new Set<number>();
  const stack = [...(edges[start] ?? [])];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    stack.push(...(edges[index] ?? []));
  }
  return seen;
}

/** Tasks below which only ignorable teardowns come, themselves no such; a DAG of teardowns only is judged by its plain leaves. Source: `DagRun._tis_for_dagrun_state`. */
function findLeaves(tasks: readonly GraphTask[]): number[] {
  const isIgnored = (index: number): boolean => tasks[index]?.task.is_teardown === true && tasks[index].task.on_failure_fail_dagrun !== true;
  const effective = tasks.filter((task) => !isIgnored(task.index) && task.downstream.every(isIgnored)).map((task) => task.index);
  return effective.length > 0 ? effective : tasks.filter((task) => task.downstream.length === 0).map((task) => task.index);
}
