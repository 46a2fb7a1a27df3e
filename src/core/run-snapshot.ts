// A run in memory: where each task instance stands and how many stand where. Rows are the truth, this is their cache.
import type { ExecutionId, AttemptId, RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import type { SkipDecision } from '#contract/attempt.ts';
import { isFinished, type Cause, type RunState, type RunType, type TaskState } from '#contract/states.ts';
import type { Graph, GraphTask } from './graph.ts';

/** A wait for a trigger, kept until the execution that goes on after it has ended. JSON texts are in the Task SDK's serialization. It is replaced, never changed. */
export interface TriggerWait {
  /** Null until the plan that began the wait is taken over. */
  readonly id: TriggerId | null;
  /** The execution that deferred; null when the task deferred before any. */
  readonly executionId: ExecutionId | null;
  readonly classpath: string;
  readonly kwargs: string;
  readonly queue: string | null;
  readonly nextMethod: string;
  readonly nextKwargs: string;
  readonly createdAt: number;
  readonly timeoutAt: number | null;
  /** It is over: the next execution calls `nextMethod` with `nextKwargs`. */
  readonly isOver: boolean;
}

/** One task instance. Times are epoch milliseconds of the database's clock. */
export interface Instance {
  readonly task: GraphTask;
  mapIndex: number;
  state: TaskState;
  tryNumber: number;
  maxTries: number;
  infraFailures: number;
  attemptId: AttemptId | null;
  executionId: ExecutionId | null;
  wakeAt: number | null;
  /** First start of the current try. */
  startedAt: number | null;
  endedAt: number | null;
  skips: SkipDecision | null;
  cause: Cause | null;
  /** Why it was skipped or failed without running, for people. */
  reason: string | null;
  scheduledAt: number | null;
  hostname: string | null;
  pid: number | null;
  renderedMapIndex: string | null;
  /** Of a try that deferred. */
  wait: TriggerWait | null;
  /** Not a row yet: this plan creates it. */
  isNew: boolean;
}

/** All instances of one task, and counts of their states. */
export interface TaskProgress {
  readonly task: GraphTask;
  readonly instances: Map<number, Instance>;
  /** A mapped task whose length is not known yet has the single instance −1. */
  expanded: boolean;
  success: number;
  skipped: number;
  failed: number;
  upstreamFailed: number;
  removed: number;
  /** Lengths of pushed XComs that somebody maps over: key → map index → length (null: neither list nor dict). */
  readonly lengths: Map<string, Map<number, number | null>>;
}

/** A run in memory. Dates are epoch milliseconds, `logicalDate` null for runs without one; `tasks` has the graph’s order. */
export interface RunSnapshot {
  readonly id: RunUuid;
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly versionId: VersionId;
  readonly graph: Graph;
  readonly logicalDate: number | null;
  readonly runAfter: number;
  /** How often people had acted on it when it was read. */
  readonly actionNumber?: number;
  state: RunState;
  startDate: number | null;
  endDate: number | null;
  readonly tasks: readonly TaskProgress[];
  /** Instances not finished, and of these the ones that something will wake (scheduled, queued, running, waiting for a time). */
  unfinished: number;
  active: number;
  /** Tasks whose depends_on_past is not met, by task id; null when no task asks. */
  pastBlocked: ReadonlySet<string> | null;
  /** The DAG is paused: what is decided without running goes on, nothing begins. */
  isHeld: boolean;
}

/** States that will move without another task of the run finishing. */
export function isActive(state: TaskState): boolean {
  return state !== null && !isFinished(state);
}

/** The empty snapshot of a run: no instances yet. */
export function emptySnapshot(run: Omit<RunSnapshot, 'tasks' | 'unfinished' | 'active' | 'pastBlocked' | 'isHeld'>): RunSnapshot {
  const tasks = run.graph.tasks.map((task): TaskProgress => ({
    task, instances: new Map(), expanded: task.expands.length === 0,
    success: 0, skipped: 0, failed: 0, upstreamFailed: 0, removed: 0, lengths: new Map(),
  }));
  return { ...run, tasks, unfinished: 0, active: 0, pastBlocked: null, isHeld: false };
}

/** Adds an instance to its task and to the counts. */
export function addInstance(run: RunSnapshot, instance: Instance): void {
  const progress = progressOf(run, instance.task);
  progress.instances.set(instance.mapIndex, instance);
  if (instance.mapIndex >= 0) progress.expanded = true;
  count(run, instance, 1);
}

/** The one place that changes an instance's state in memory, so that the counts stay true. */
export function setState(run: RunSnapshot, instance: Instance, state: TaskState): void {
  count(run, instance, -1);
  instance.state = state;
  count(run, instance, 1);
}

/** True when no instance of the task will move by itself any more. */
export function isTaskFinished(run: RunSnapshot, task: GraphTask): boolean {
  const { instances, success, skipped, failed, upstreamFailed, removed } = progressOf(run, task);
  return success + skipped + failed + upstreamFailed + removed >= instances.size;
}

/** Progress of a task of this run. */
export function progressOf(run: RunSnapshot, task: GraphTask): TaskProgress {
  const progress = run.tasks[task.index];
  if (progress === undefined) throw new Error(`task ${task.id} is not of this run`);
  return progress;
}

function count(run: RunSnapshot, { task, state }: Instance, by: 1 | -1): void {
  if (isFinished(state)) countFinished(progressOf(run, task), state, by);
  else {
    run.unfinished += by;
    if (isActive(state)) run.active += by;
  }
}

function countFinished(progress: TaskProgress, state: TaskState, by: 1 | -1): void {
  switch (state) {
    case 'success': progress.success += by; break;
    case 'skipped': progress.skipped += by; break;
    case 'failed': progress.failed += by; break;
    case 'upstream_failed': progress.upstreamFailed += by; break;
    case 'removed': progress.removed += by; break;
    default: break;
  }
}

/** Records how long a pushed XCom is, when somebody maps over it. */
export function recordLength(run: RunSnapshot, instance: Pick<Instance, 'task' | 'mapIndex'>, xcom: { key: string; mappedLength: number | null }): void {
  if (!instance.task.mappedKeys.has(xcom.key)) return;
  const { lengths } = progressOf(run, instance.task);
  const byIndex = lengths.get(xcom.key) ?? new Map<number, number | null>();
  byIndex.set(instance.mapIndex, xcom.mappedLength);
  lengths.set(xcom.key, byIndex);
}

/** Forgets what an instance pushed: its next try starts without the values of the one before. */
export function forgetLengths(run: RunSnapshot, instance: Pick<Instance, 'task' | 'mapIndex'>): void {
  for (const byIndex of progressOf(run, instance.task).lengths.values()) byIndex.delete(instance.mapIndex);
}

/** Forgets the length of one value: it was deleted. */
export function forgetLength(run: RunSnapshot, instance: Pick<Instance, 'task' | 'mapIndex'>, key: string): void {
  progressOf(run, instance.task).lengths.get(key)?.delete(instance.mapIndex);
}

/** Length of a pushed XCom: of an unmapped task the value's own, of a mapped task the count of its pushed values. */
export function xcomLength(run: RunSnapshot, taskId: string, key: string): number | null {
  const progress = run.tasks[run.graph.byId.get(taskId) ?? -1];
  if (progress === undefined) return null;
  const lengths = progress.lengths.get(key);
  if (progress.task.expands.length === 0) return lengths?.get(-1) ?? null;
  if (lengths === undefined || progress.removed === 0) return lengths?.size ?? 0;
  return [...lengths.keys()].filter((index) => progress.instances.get(index)?.state !== 'removed').length;
}

/** Whether the run's logical date lies between the task's start and end, which are not beyond the DAG's. */
export function isOfItsTime({ graph, logicalDate }: RunSnapshot, { task }: GraphTask): boolean {
  if (logicalDate === null) return true;
  const given = (...texts: readonly (string | undefined)[]): number[] => texts.flatMap((text) => (text === undefined ? [] : [Date.parse(text)]));
  return given(task.start_date, graph.dag.start_date).every((start) => start <= logicalDate) && given(task.end_date, graph.dag.end_date).every((end) => logicalDate <= end);
}

/** A fresh instance of a task. */
export function newInstance(task: GraphTask, mapIndex: number): Instance {
  return {
    task, mapIndex, state: null, tryNumber: 0, maxTries: task.task.retries ?? 0, infraFailures: 0, attemptId: null, executionId: null,
    wakeAt: null, startedAt: null, endedAt: null, skips: null, cause: null, reason: null,
    scheduledAt: null, hostname: null, pid: null, renderedMapIndex: null, wait: null, isNew: true,
  };
}

/** Instance counts of the tasks that made this mapped instance's index; null when it is not mapped. */
export function upstreamLengths(snapshot: RunSnapshot, instance: Instance): Record<string, number> | null {
  if (instance.mapIndex < 0) return null;
  const lengths: Record<string, number> = { [instance.task.id]: snapshot.tasks[instance.task.index]?.instances.size ?? 0 };
  for (const index of instance.task.upstream) {
    const upstream = snapshot.tasks[index];
    if (upstream !== undefined && upstream.expanded) lengths[upstream.task.id] = upstream.instances.size;
  }
  return lengths;
}
