// A plan: what one decision changes in a run, and which tasks it has to look at again.
import type { ExecutionId } from '#contract/ids.ts';
import type { RunState, TaskState } from '#contract/states.ts';
import { affectedIndexes } from './dependencies.ts';
import type { RunEnd } from './run-end.ts';
import { setState, type Instance, type RunSnapshot, type TriggerWait } from './run-snapshot.ts';

/** Where an instance stood before this plan; the compare-and-set of its move. */
export interface Origin {
  readonly state: TaskState;
  readonly executionId: ExecutionId | null;
  /** Its map index before: expansion turns row −1 into row 0. */
  readonly mapIndex: number;
  readonly wait: TriggerWait | null;
}

/** What one decision has changed so far. `now` is epoch milliseconds; `dirty` holds what must be looked at again: task index → map indexes. */
export interface Plan {
  readonly run: RunSnapshot;
  readonly now: number;
  /** Instances that this plan touched, with where they stood before. */
  readonly changes: Map<Instance, Origin>;
  /** Instances that may start now: state `scheduled`, try number counted. */
  readonly ready: Instance[];
  /** Running instances that must be stopped. */
  readonly cancels: Instance[];
  /** The run's state before, when this plan changed it. */
  runFrom: RunState | null;
  /** Set when this plan ends the run. */
  runEnd: RunEnd | null;
  readonly dirty: Map<number, Set<number> | 'all'>;
}

/** Limits of the installation; `infraRetryDelayMs` is the first wait and doubles each time. */
export interface PlanLimits {
  readonly maxMapLength: number;
  readonly infraRetries: number;
  readonly infraRetryDelayMs: number;
}

/** Opens a plan on a snapshot. @param now epoch milliseconds of the database's clock */
export function beginPlan(run: RunSnapshot, now: number): Plan {
  return { run, now, changes: new Map(), ready: [], cancels: [], runFrom: null, runEnd: null, dirty: new Map() };
}

/** Remembers where an instance stood before this plan first changed it. */
export function touch(plan: Plan, instance: Instance): void {
  if (!plan.changes.has(instance)) plan.changes.set(instance, originOf(instance));
}

/** Where an instance stands now. */
export function originOf({ state, executionId, mapIndex, wait }: Instance): Origin {
  return { state, executionId, mapIndex, wait };
}

/** All instances of a run. */
export function* instancesOf(run: RunSnapshot): Generator<Instance> {
  for (const progress of run.tasks) yield* progress.instances.values();
}

/** Gives an instance a state without further work, and marks what looks at it. */
export function finish(plan: Plan, instance: Instance, state: TaskState): void {
  setState(plan.run, instance, state);
  instance.wakeAt = null;
  instance.wait = null;
  if (instance.endedAt === null) instance.endedAt = plan.now;
  markDownstream(plan, instance);
}

/** Marks what looks at this instance; inside mapped groups only the indexes that belong to it. */
function markDownstream(plan: Plan, instance: Instance): void {
  for (const list of [instance.task.downstream, instance.task.watchers]) {
    for (const index of list) {
      const progress = plan.run.tasks[index];
      if (progress === undefined || plan.dirty.get(index) === 'all') continue;
      markIndexes(plan, index, affectedIndexes(plan.run, instance, progress));
    }
  }
}

function markIndexes(plan: Plan, task: number, indexes: { from: number; to: number } | 'all'): void {
  if (indexes === 'all') return void plan.dirty.set(task, 'all');
  const current = plan.dirty.get(task);
  if (current === 'all') return;
  const marked = current ?? new Set<number>();
  for (let index = indexes.from; index < indexes.to; index += 1) marked.add(index);
  plan.dirty.set(task, marked);
}
