// What a run does next: outcomes in, state changes and ready instances out. Knows no clock and no database.
// It changes the snapshot it is given (a cache that is dropped when the commit of its changes fails) and nothing else.
import type { SkipDecision } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { INFRA_CAUSES, isFinished, type Cause, type RunState, type TaskState } from '#contract/states.ts';
import { dependencyVerdict } from './dependencies.ts';
import { expandedLength } from './map-length.ts';
import { isRetryEligible, retryDelaySeconds } from './retry.ts';
import { addInstance, isActive, newInstance, progressOf, setState, type Instance, type RunSnapshot, type TaskProgress } from './run-snapshot.ts';

/** Where an instance stood before this plan; the compare-and-set of its move. */
export interface Origin {
  readonly state: TaskState;
  readonly executionId: ExecutionId | null;
  /** Its map index before: expansion turns row −1 into row 0. */
  readonly mapIndex: number;
}

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
  readonly dirty: Map<number, Set<number> | 'all'>;
}

export interface PlanLimits {
  readonly maxMapLength: number;
  readonly infraRetries: number;
  readonly infraRetryDelayMs: number;
}

/** How one execution ended. */
export type Outcome =
  | { readonly kind: 'success'; readonly skips: SkipDecision | null }
  | { readonly kind: 'skipped' }
  | { readonly kind: 'failed'; readonly cause: Cause; readonly noRetry: boolean; readonly reason: string | null }
  | { readonly kind: 'up_for_reschedule'; readonly afterMs: number };

/** Opens a plan on a snapshot. @param now epoch milliseconds of the database's clock */
export function beginPlan(run: RunSnapshot, now: number): Plan {
  return { run, now, changes: new Map(), ready: [], cancels: [], runFrom: null, dirty: new Map() };
}

/** Creates the instances of a run that has none yet. Mapped tasks get row −1 until their length is known. */
export function createInstances(plan: Plan): void {
  for (const progress of plan.run.tasks) {
    if (progress.instances.size > 0) continue;
    const instance = newInstance(progress.task, -1);
    addInstance(plan.run, instance);
    touch(plan, instance);
  }
}

/** Starts a queued run: every task is looked at once. */
export function startRun(plan: Plan): void {
  moveRun(plan, 'running');
  plan.run.startDate ??= plan.now;
  plan.run.endDate = null;
  markAll(plan);
}

/** Every task is looked at again: after a take-over, a clear, or a change by somebody else. */
export function markAll(plan: Plan): void {
  for (const progress of plan.run.tasks) plan.dirty.set(progress.task.index, 'all');
}

/** Records how an execution ended and marks what depends on it. */
export function recordOutcome(plan: Plan, instance: Instance, ended: { outcome: Outcome; limits: PlanLimits }): void {
  const { outcome, limits } = ended;
  touch(plan, instance);
  instance.endedAt = plan.now;
  switch (outcome.kind) {
    case 'success':
      instance.skips = outcome.skips;
      instance.cause = null;
      finish(plan, instance, 'success');
      if (outcome.skips?.all === true) skipAllBelow(plan, instance);
      return;
    case 'skipped':
      finish(plan, instance, 'skipped');
      return;
    case 'up_for_reschedule':
      instance.wakeAt = plan.now + outcome.afterMs;
      setState(plan.run, instance, 'up_for_reschedule');
      return;
    case 'failed':
      recordFailure(plan, instance, { outcome, limits });
  }
}

function recordFailure(plan: Plan, instance: Instance, failed: { outcome: Extract<Outcome, { kind: 'failed' }>; limits: PlanLimits }): void {
  const { outcome, limits } = failed;
  instance.cause = outcome.cause;
  instance.reason = outcome.reason;
  const infraLimit = instance.task.task.infra_retries ?? limits.infraRetries;
  if (INFRA_CAUSES.has(outcome.cause) && instance.infraFailures < infraLimit) {
    // The same try is launched again: the user's retries are not spent.
    instance.wakeAt = plan.now + limits.infraRetryDelayMs * 2 ** instance.infraFailures;
    instance.infraFailures += 1;
    instance.executionId = null;
    setState(plan.run, instance, 'scheduled');
    return;
  }
  const { task } = instance.task;
  if (!outcome.noRetry && outcome.cause !== 'cancelled' && isRetryEligible(instance.tryNumber, instance.maxTries, task.retries ?? 0)) {
    const seconds = retryDelaySeconds({
      delaySeconds: task.retry_delay_seconds ?? 300, multiplier: task.retry_exponential_backoff ?? 0,
      maxDelaySeconds: task.max_retry_delay_seconds ?? null, tryNumber: instance.tryNumber,
      dagId: plan.run.dagId, taskId: task.task_id, logicalDate: plan.run.logicalDate === null ? null : new Date(plan.run.logicalDate).toISOString(),
    });
    instance.wakeAt = plan.now + seconds * 1000;
    setState(plan.run, instance, 'up_for_retry');
    return;
  }
  finish(plan, instance, 'failed');
  if (plan.run.graph.dag.fail_fast === true) stopOthers(plan);
}

/** Everything decided by outcomes so far: rules, expansions, then the run's own state. Call once per plan, last. */
export function settle(plan: Plan, limits: PlanLimits): void {
  if (plan.run.state === 'running') {
    for (let next = takeDirty(plan); next !== null; next = takeDirty(plan)) evaluateTask(plan, next, limits);
    decideRun(plan);
  }
}

/** A run over its dagrun_timeout: unfinished instances are skipped, running ones stopped, the run fails. */
export function timeOutRun(plan: Plan): void {
  for (const instance of instancesOf(plan.run)) {
    if (isFinished(instance.state)) continue;
    if (instance.state === 'running') plan.cancels.push(instance);
    touch(plan, instance);
    instance.reason = `the run exceeded dagrun_timeout (${plan.run.graph.dag.dagrun_timeout_seconds} s)`;
    finish(plan, instance, 'skipped');
  }
  plan.dirty.clear();
  finishRun(plan, 'failed');
}

function takeDirty(plan: Plan): { progress: TaskProgress; indexes: Set<number> | 'all' } | null {
  for (const [index, indexes] of plan.dirty) {
    plan.dirty.delete(index);
    const progress = plan.run.tasks[index];
    if (progress !== undefined) return { progress, indexes };
  }
  return null;
}

function evaluateTask(plan: Plan, dirty: { progress: TaskProgress; indexes: Set<number> | 'all' }, limits: PlanLimits): void {
  const { progress } = dirty;
  if (!progress.expanded && !tryExpand(plan, progress, limits)) return;
  const indexes = dirty.indexes === 'all' || !progress.expanded ? progress.instances.keys() : dirty.indexes;
  // Outside mapped groups all instances see the same upstreams, so one "wait" answers for all of them.
  const alike = progress.task.mappedGroups.length === 0;
  for (const index of [...indexes]) {
    const instance = progress.instances.get(index);
    if (instance === undefined || !isStartable(instance, plan.now)) continue;
    if (evaluateInstance(plan, instance) === 'wait' && alike) return;
  }
}

/** States in which the rules decide; a waiting time must be over. */
function isStartable(instance: Instance, now: number): boolean {
  const { state } = instance;
  return (state === null || state === 'up_for_retry' || state === 'up_for_reschedule') && (instance.wakeAt === null || instance.wakeAt <= now);
}

function evaluateInstance(plan: Plan, instance: Instance): 'wait' | 'done' {
  const verdict = dependencyVerdict(plan.run, instance);
  if (verdict.kind === 'wait') return 'wait';
  touch(plan, instance);
  if (verdict.kind === 'set') {
    instance.reason = verdict.reason();
    finish(plan, instance, verdict.state);
    return 'done';
  }
  if (instance.state !== 'up_for_reschedule') {
    instance.tryNumber += 1;
    instance.attemptId = null;
    instance.startedAt = null;
    instance.infraFailures = 0;
  }
  instance.wakeAt = null;
  instance.executionId = null;
  instance.reason = null;
  instance.cause = null;
  if (instance.task.isEmpty) {
    instance.startedAt = plan.now;
    instance.endedAt = plan.now;
    finish(plan, instance, 'success');
    return 'done';
  }
  setState(plan.run, instance, 'scheduled');
  plan.ready.push(instance);
  return 'done';
}

/** @returns true when the task has its instances now */
function tryExpand(plan: Plan, progress: TaskProgress, limits: PlanLimits): boolean {
  const { run } = plan;
  const instance = progress.instances.get(-1);
  if (instance === undefined || isFinished(instance.state)) return false;
  const length = expandedLength(progress.task.expands, (taskId, key) => xcomLength(run, taskId, key));
  const literal = progress.task.lengthSources.size === 0;
  if (!literal) {
    const verdict = dependencyVerdict(run, instance);
    if (verdict.kind === 'wait') return false;
    if (verdict.kind === 'set') return failUnexpanded(plan, instance, { state: verdict.state, reason: verdict.reason() });
    if (length === null) return failUnexpanded(plan, instance, { state: 'upstream_failed', reason: 'the value to map over is neither a list nor a dict, or was not pushed' });
  }
  if (length === null) return false;
  if (length === 0) return failUnexpanded(plan, instance, { state: 'skipped', reason: 'the list to map over is empty' });
  // Values at run time are limited where they are pushed; this holds for products of them.
  if (length > limits.maxMapLength * Math.max(1, progress.task.expands.length) * 1000) return failUnexpanded(plan, instance, { state: 'upstream_failed', reason: `${length} instances are more than the limit` });
  expand(plan, progress, length);
  return true;
}

function failUnexpanded(plan: Plan, instance: Instance, end: { state: 'skipped' | 'upstream_failed' | 'removed'; reason: string }): false {
  touch(plan, instance);
  instance.reason = end.reason;
  finish(plan, instance, end.state);
  return false;
}

/** Row −1 becomes index 0, the others are new. All indexes exist before any is scheduled. */
function expand(plan: Plan, progress: TaskProgress, length: number): void {
  const first = progress.instances.get(-1);
  if (first === undefined) return;
  touch(plan, first);
  progress.instances.delete(-1);
  first.mapIndex = 0;
  progress.instances.set(0, first);
  progress.expanded = true;
  for (let index = 1; index < length; index += 1) {
    const instance = newInstance(progress.task, index);
    addInstance(plan.run, instance);
    touch(plan, instance);
  }
  // Tasks of the same mapped group counted this one as one instance until now.
  markDownstream(plan, first, 'all');
}

/** Length of a pushed XCom: of an unmapped task the value's own, of a mapped task the count of its pushed values. */
export function xcomLength(run: RunSnapshot, taskId: string, key: string): number | null {
  const progress = run.tasks[run.graph.byId.get(taskId) ?? -1];
  if (progress === undefined) return null;
  const lengths = progress.lengths.get(key);
  if (progress.task.expands.length > 0) return lengths?.size ?? 0;
  return lengths?.get(-1) ?? null;
}

function finish(plan: Plan, instance: Instance, state: TaskState): void {
  setState(plan.run, instance, state);
  instance.wakeAt = null;
  if (instance.endedAt === null) instance.endedAt = plan.now;
  markDownstream(plan, instance, instance.mapIndex);
  // A teardown also waits for tasks that are not its direct upstream.
  if (plan.run.graph.tasks.some((task) => task.scope.length > 0)) {
    for (const task of plan.run.graph.tasks) if (task.scope.includes(instance.task.index)) plan.dirty.set(task.index, 'all');
  }
  if (instance.task.task.is_setup === true) {
    for (const task of plan.run.graph.tasks) if (task.setups.includes(instance.task.index)) plan.dirty.set(task.index, 'all');
  }
}

function markDownstream(plan: Plan, instance: Instance, index: number | 'all'): void {
  for (const down of instance.task.downstream) {
    const task = plan.run.graph.tasks[down];
    const current = plan.dirty.get(down);
    if (current === 'all' || task === undefined) continue;
    const sameShape = index !== 'all' && sameInstances(instance.task.mappedGroups, task.mappedGroups) && task.task.expand === undefined && instance.task.task.expand === undefined;
    if (!sameShape || task.mappedGroups.length === 0) plan.dirty.set(down, 'all');
    else if (current === undefined) plan.dirty.set(down, new Set([index]));
    else current.add(index);
  }
}

function sameInstances(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at]);
}

/** Short circuit with ignore_downstream_trigger_rules: everything below is skipped, teardowns apart. */
function skipAllBelow(plan: Plan, instance: Instance): void {
  const seen = new Set<number>();
  const stack = [...instance.task.downstream];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    const progress = plan.run.tasks[index];
    if (progress === undefined || progress.task.task.is_teardown === true) continue;
    stack.push(...progress.task.downstream);
    for (const below of progress.instances.values()) {
      if (below.state !== null || !sharesIndex(instance, below)) continue;
      touch(plan, below);
      below.reason = `skipped by ${instance.task.id}`;
      finish(plan, below, 'skipped');
    }
  }
}

function sharesIndex(a: Instance, b: Instance): boolean {
  const together = a.task.mappedGroups.length > 0 && sameInstances(a.task.mappedGroups, b.task.mappedGroups);
  return !together || a.mapIndex === b.mapIndex;
}

/** fail_fast: running instances are stopped and fail, the others are skipped; success, failed and teardowns are left alone. */
function stopOthers(plan: Plan): void {
  for (const instance of instancesOf(plan.run)) {
    if (instance.state === 'success' || instance.state === 'failed' || instance.task.task.is_teardown === true) continue;
    touch(plan, instance);
    instance.reason = 'fail_fast: another task of the run failed';
    if (instance.state === 'running') {
      plan.cancels.push(instance);
      instance.cause = 'cancelled';
      finish(plan, instance, 'failed');
    } else finish(plan, instance, 'skipped');
  }
  plan.ready.length = 0;
}

function decideRun(plan: Plan): void {
  const { run } = plan;
  if (run.unfinished > 0) {
    if (run.active > 0 || run.pastBlocked !== null) return;
    // Nothing runs, nothing will wake, nothing is ready: no event can move this run again.
    finishRun(plan, 'failed');
    return;
  }
  const failed = run.graph.leaves.some((index) => {
    const progress = run.tasks[index];
    return progress !== undefined && progress.failed + progress.upstreamFailed > 0;
  });
  finishRun(plan, failed ? 'failed' : 'success');
}

function finishRun(plan: Plan, state: RunState): void {
  moveRun(plan, state);
  plan.run.endDate = plan.now;
}

function moveRun(plan: Plan, state: RunState): void {
  plan.runFrom ??= plan.run.state;
  plan.run.state = state;
}

/** Remembers where an instance stood before this plan first changed it. */
export function touch(plan: Plan, instance: Instance): void {
  if (!plan.changes.has(instance)) plan.changes.set(instance, { state: instance.state, executionId: instance.executionId, mapIndex: instance.mapIndex });
}

/** All instances of a run. */
export function* instancesOf(run: RunSnapshot): Generator<Instance> {
  for (const progress of run.tasks) yield* progress.instances.values();
}

/** Marks instances whose waiting time is over. @returns the next waking time, null when none waits */
export function wakeInstances(plan: Plan): number | null {
  let next: number | null = null;
  for (const instance of instancesOf(plan.run)) {
    if (instance.wakeAt === null || !isActive(instance.state)) continue;
    if (instance.wakeAt > plan.now) {
      next = next === null ? instance.wakeAt : Math.min(next, instance.wakeAt);
      continue;
    }
    if (instance.state === 'scheduled') {
      touch(plan, instance);
      instance.wakeAt = null;
      plan.ready.push(instance);
    } else {
      const { index } = instance.task;
      const current = plan.dirty.get(index);
      if (current === undefined) plan.dirty.set(index, new Set([instance.mapIndex]));
      else if (current !== 'all') current.add(instance.mapIndex);
    }
  }
  return next;
}

/** Progress that explains a task to people. */
export function findInstance(run: RunSnapshot, taskId: string, mapIndex: number): Instance | null {
  const index = run.graph.byId.get(taskId);
  if (index === undefined) return null;
  const task = run.graph.tasks[index];
  return task === undefined ? null : (progressOf(run, task).instances.get(mapIndex) ?? null);
}
