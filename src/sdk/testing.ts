// What tests of a dag.ts import as 'leoflow/testing': tasks and DAGs run in this process, with values given by the test.
import type { TriggerRule } from '#contract/dag.ts';
import type { Drawing } from '#contract/drawing.ts';
import { evaluateTriggerRule, type SetupCounts } from '#core/trigger-rule.ts';
import type { Connection } from './context.ts';
import { everythingAfter, isMapped, mappedGroupsOf, readDrawing, type DrawnGraph, type TaskNode } from './drawn-dag.ts';
import { decodeValue } from './json-values.ts';
import { makeContext, paramValues } from './make-context.ts';
import { type DrawnDag, registry } from './registry.ts';
import { ResolveValues, type ValueSource } from './resolve-values.ts';
import { type BodyEnd, type BodyRun, PushedValues, runBody } from './run-body.ts';

/** What the run gives. `xcoms`: results by task id (of a mapped task the list), other keys as `task_id/key`. */
export interface Given {
  readonly xcoms?: Readonly<Record<string, unknown>>;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly conf?: Readonly<Record<string, unknown>>;
  /** The test's own record: `ctx.variable.set` changes it. */
  readonly variables?: Record<string, string>;
  readonly connections?: Readonly<Record<string, Partial<Connection>>>;
  readonly logical_date?: string | Date;
}

/** Of one task: `inputs` are its arguments as they are, instead of those that the drawing names. */
export interface TaskGiven extends Given {
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly map_index?: number;
  readonly try_number?: number;
}

/** One line of the log. */
export interface LogLine { readonly level: string; readonly event: string }

/** How a task ended. `result` is what those after it get; `error` what it threw. */
export interface TaskResult {
  readonly outcome: BodyEnd['outcome'];
  readonly result: unknown;
  readonly error: unknown;
  readonly xcoms: Readonly<Record<string, unknown>>;
  readonly log: readonly LogLine[];
  readonly skips: { readonly followed?: readonly string[]; readonly skipped?: readonly string[]; readonly all?: boolean } | null;
}

/** Runs one task in this process. Sensors look without waiting. Throws when the DAG has mistakes, or no such task with a function. */
export async function runTask(dag: DrawnDag, taskId: string, given: TaskGiven = {}): Promise<TaskResult> {
  return runInstance(dag, graphOf(dag), { taskId, given });
}

function graphOf(dag: DrawnDag): DrawnGraph {
  const [problem] = registry().problems;
  if (problem !== undefined) throw new Error(`the DAG cannot be drawn: ${problem.message}${problem.place === null ? '' : ` (${problem.place.file}:${problem.place.line}:${problem.place.column})`}`);
  return readDrawing(dag.drawing as unknown as Drawing);
}

async function runInstance(dag: DrawnDag, graph: DrawnGraph, { taskId, given }: { readonly taskId: string; readonly given: TaskGiven }): Promise<TaskResult> {
  const task = graph.tasks.get(taskId);
  const body = dag.functions.get(taskId);
  if (task === undefined || body === undefined) throw new Error(`the DAG ${dag.dag_id} has no task ${taskId} with a function of its own; it has ${[...dag.functions.keys()].join(', ')}`);
  const mapIndex = given.map_index ?? (hasInstances(task) ? 0 : -1);
  const log: LogLine[] = [];
  const pushed = new PushedValues();
  const source = sourceOf(given);
  const context = contextOf({ dag, graph, task, mapIndex }, given, { log, pushed, source });
  // Sensors look in a time of their own.
  let clock = 0;
  const end = await attempt(async () => {
    const values = given.inputs ?? (await new ResolveValues({ graph, task, mapIndex, params: context.params }, source).arguments());
    const run: BodyRun = {
      graph, task, mapIndex, body, given: values, context, pushed, maxBytes: Number.MAX_SAFE_INTEGER, firstStart: null,
      now: () => clock, wait: async (ms) => void (clock += ms + 1), note: (event) => void log.push({ level: 'info', event }),
    };
    return runBody(run);
  });
  const xcoms = Object.fromEntries([...pushed.texts].map(([key, text]) => [key, decodeValue(text)]));
  return { outcome: end.outcome, result: xcoms['return_value'] ?? null, error: end.outcome === 'failed' ? end.thrown : null, xcoms, log, skips: end.outcome === 'success' ? (end.skips ?? null) : null };
}

async function attempt(work: () => Promise<BodyEnd>): Promise<BodyEnd> {
  try {
    return await work();
  } catch (thrown) {
    return { outcome: 'failed', thrown, noRetry: false };
  }
}

function sourceOf({ xcoms = {} }: Given): ValueSource {
  const find = (taskId: string, key: string): unknown => (key === 'return_value' ? xcoms[taskId] : xcoms[`${taskId}/${key}`]);
  const textOf = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));
  return {
    findOne: (taskId, key, index) => Promise.resolve(textOf(index < 0 ? find(taskId, key) : (find(taskId, key) as readonly unknown[] | undefined)?.[index])),
    findAll: (taskId, key) => Promise.resolve(textOf(find(taskId, key))),
    findFunction: (reference) => {
      const wanted = registry().exports.find(({ name }) => name === reference.split('#')[1]);
      return Promise.resolve(wanted?.value as (value: unknown) => unknown);
    },
  };
}

function hasInstances(task: TaskNode): boolean {
  return isMapped(task.entry) || mappedGroupsOf(task).length > 0;
}

interface Instance { readonly dag: DrawnDag; readonly graph: DrawnGraph; readonly task: TaskNode; readonly mapIndex: number }

function contextOf({ dag, graph, task, mapIndex }: Instance, given: TaskGiven, to: { readonly log: LogLine[]; readonly pushed: PushedValues; readonly source: ValueSource }): BodyRun['context'] {
  const { variables = {}, connections = {} } = given;
  const conf = { ...given.conf, ...given.params };
  const date = given.logical_date === undefined ? null : new Date(given.logical_date).toISOString();
  return makeContext({
    dag_id: dag.dag_id, run_id: 'test', task_id: task.id, map_index: mapIndex, try_number: given.try_number ?? 1, max_tries: 0,
    logical_date: date, data_interval_start: date, data_interval_end: date, conf, params: paramValues(graph, task, conf),
  }, {
    signal: new AbortController().signal, pushed: to.pushed,
    writeLog: (level, event) => void to.log.push({ level, event }),
    findXCom: ({ task_id, key, index }) => (index === null ? to.source.findAll(task_id, key) : to.source.findOne(task_id, key, index)),
    useVariable: (request) => {
      const { op, key } = request;
      const before = variables[key] ?? null;
      if (op === 'set') variables[key] = request.value;
      if (op === 'delete') delete variables[key];
      return Promise.resolve(before);
    },
    findConnection: (connId) => {
      const found = connections[connId];
      const blank = { conn_id: connId, conn_type: null, description: null, host: null, login: null, password: null, schema: null, port: null };
      return Promise.resolve(found === undefined ? null : { ...blank, ...found, extra: found.extra === undefined ? null : JSON.stringify(found.extra) });
    },
    hasInstances: (taskId) => isMapped(graph.tasks.get(taskId)?.entry ?? {}),
  });
}

/** How a DAG ended: states of tasks by id (a mapped task's is its instances' worst), results, and what failed. */
export interface DagResult {
  readonly states: Readonly<Record<string, 'success' | 'failed' | 'skipped' | 'upstream_failed' | 'up_for_reschedule'>>;
  readonly results: Readonly<Record<string, unknown>>;
  readonly errors: Readonly<Record<string, unknown>>;
}
type State = DagResult['states'][string];

/**
 * Runs the tasks of a DAG one after the other, each after those before it, by their trigger rules. Tasks without a function of this
 * file are not run: they succeed with what `xcoms` gives them. Nothing is tried again, and a mapped group’s tasks wait for all instances.
 */
export async function runDag(dag: DrawnDag, given: Given = {}): Promise<DagResult> {
  const graph = graphOf(dag);
  const states: Record<string, State> = {};
  const results: Record<string, unknown> = { ...given.xcoms };
  const errors: Record<string, unknown> = {};
  const skipped = new Set<string>();
  const ended = new Map<string, readonly State[]>();
  for (const task of inOrder(graph)) {
    const state = skipped.has(task.id) ? 'skipped' : (verdict(graph, task, ended) ?? 'success');
    states[task.id] = state;
    ended.set(task.id, [state]);
    if (state !== 'success' || !dag.functions.has(task.id)) continue;
    const ends = await runInstances(dag, graph, { task, given: { ...given, xcoms: results } });
    const outcomes = ends.map(({ outcome }) => outcome);
    states[task.id] = worst(outcomes);
    ended.set(task.id, outcomes.length === 0 ? ['skipped'] : outcomes);
    results[task.id] = hasInstances(task) ? ends.map(({ result }) => result) : ends[0]?.result;
    for (const { error, skips, xcoms } of ends) {
      if (error !== null) errors[task.id] = error;
      for (const [key, value] of Object.entries(xcoms)) if (key !== 'return_value') results[`${task.id}/${key}`] = value;
      for (const id of skippedBy(graph, task, skips)) skipped.add(id);
    }
  }
  return { states, results, errors };
}

async function runInstances(dag: DrawnDag, graph: DrawnGraph, { task, given }: { readonly task: TaskNode; readonly given: Given }): Promise<TaskResult[]> {
  const values = new ResolveValues({ graph, task, mapIndex: -1, params: paramValues(graph, task, { ...given.conf, ...given.params }) }, sourceOf(given));
  const mapped = [...(isMapped(task.entry) ? [task.entry] : []), ...mappedGroupsOf(task).map(({ entry }) => entry)];
  if (mapped.length === 0) return [await runInstance(dag, graph, { taskId: task.id, given })];
  const lengths = await Promise.all(mapped.map((entry) => values.length(entry)));
  const ends: TaskResult[] = [];
  for (let index = 0; index < lengths.reduce((product, length) => product * length, 1); index += 1) ends.push(await runInstance(dag, graph, { taskId: task.id, given: { ...given, map_index: index } as TaskGiven }));
  return ends;
}

function worst(outcomes: readonly BodyEnd['outcome'][]): State {
  const order: readonly State[] = ['failed', 'up_for_reschedule', 'success'];
  return order.find((state) => outcomes.includes(state as BodyEnd['outcome'])) ?? 'skipped';
}

function skippedBy(graph: DrawnGraph, task: TaskNode, skips: TaskResult['skips']): readonly string[] {
  if (skips === null) return [];
  if (skips.followed !== undefined) return [...task.downstream].filter((id) => skips.followed?.includes(id) !== true);
  return skips.all === true ? everythingAfter(graph, task.id, 'work') : (skips.skipped ?? []);
}

/** Each task after those before it. Throws for a cycle. */
function inOrder(graph: DrawnGraph): TaskNode[] {
  const done = new Set<string>();
  const ordered: TaskNode[] = [];
  const left = [...graph.tasks.values()];
  while (left.length > 0) {
    const at = left.findIndex((task) => [...task.upstream].every((id) => done.has(id)));
    const [next] = at < 0 ? [] : left.splice(at, 1);
    if (next === undefined) throw new Error(`tasks wait for each other: ${left.map(({ id }) => id).join(', ')}`);
    done.add(next.id);
    ordered.push(next);
  }
  return ordered;
}

/** What the instances of a task count as for those after it. A sensor that would look again later counts as failed: nothing is tried again. */
type Ends = ReadonlyMap<string, readonly State[]>;

/** What a trigger rule makes of a task that does not run; null when it runs. */
function verdict(graph: DrawnGraph, task: TaskNode, ends: Ends): 'skipped' | 'upstream_failed' | null {
  const before = [...task.upstream];
  const setups = before.filter((id) => graph.tasks.get(id)?.entry['setup'] === true);
  const decided = evaluateTriggerRule(ruleOf(task), { ...countEnds(before, ends), removed: 0, setups: countEnds(setups, ends) }, -1);
  return decided.kind === 'set' && decided.state !== 'removed' ? decided.state : null;
}

function countEnds(ids: readonly string[], ends: Ends): SetupCounts {
  const states = ids.flatMap((id) => ends.get(id) ?? []);
  const count = (...wanted: readonly State[]): number => states.filter((state) => wanted.includes(state)).length;
  return { total: states.length, success: count('success'), skipped: count('skipped'), failed: count('failed', 'up_for_reschedule'), upstreamFailed: count('upstream_failed') };
}

function ruleOf({ entry }: TaskNode): TriggerRule {
  if ((entry['teardown'] ?? false) !== false) return 'all_done_setup_success';
  return (entry['trigger_rule'] as TriggerRule | undefined) ?? 'all_success';
}
