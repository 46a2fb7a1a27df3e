// What a run does next: outcomes in, state changes and ready instances out. Knows no clock and no database.
// It changes the snapshot it is given (a cache that is dropped when the commit of its changes fails) and nothing else.
import type { SkipDecision } from '#contract/attempt.ts';
import type { Deferral } from '#contract/execution-api.ts';
import { INFRA_CAUSES, isFinished, type Cause, type RunState } from '#contract/states.ts';
import { defer, resume, tellFailedWait, TIMED_OUT } from './deferral.ts';
import { affectedIndexes, dependencyVerdict, type Verdict } from './dependencies.ts';
import { reviseIndexes, tryExpand } from './expand-task.ts';
import { finish, instancesOf, type Plan, type PlanLimits, touch } from './plan.ts';
import { isRetryEligible, retryDelaySeconds } from './retry.ts';
import { describeEnd, type RunEnd } from './run-end.ts';
import { addInstance, forgetLengths, isActive, isOfItsTime, newInstance, setState, type Instance, type RunSnapshot, type TaskProgress } from './run-snapshot.ts';

/** How one execution ended. */
export type Outcome =
  | { readonly kind: 'success'; readonly skips: SkipDecision | null }
  | { readonly kind: 'skipped' | 'removed' | 'upstream_failed'; /** What the task said of it. */ readonly reason?: string }
  | { readonly kind: 'deferred'; readonly deferral: Deferral }
  | { readonly kind: 'failed'; readonly cause: Cause; readonly noRetry: boolean; readonly reason: string | null }
  | { readonly kind: 'up_for_reschedule'; readonly afterMs: number };

/** Creates the instances of a run that has none yet. Mapped tasks get row −1 until their length is known; a task that is not of the run's time gets none. */
export function createInstances(plan: Plan): void {
  for (const progress of plan.run.tasks) {
    if (progress.instances.size > 0 || !isOfItsTime(plan.run, progress.task)) continue;
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
      // Those that it pushed while it ran are there already.
      instance.skips = outcome.skips ?? instance.skips;
      instance.cause = null;
      finish(plan, instance, 'success');
      if (outcome.skips?.all === true) skipAllBelow(plan, instance);
      return;
    case 'skipped': case 'removed': case 'upstream_failed':
      instance.cause = null;
      instance.reason = outcome.reason ?? null;
      finish(plan, instance, outcome.kind);
      return;
    case 'deferred':
      instance.cause = null;
      defer(plan, instance, outcome.deferral);
      return;
    case 'up_for_reschedule':
      instance.cause = null;
      instance.wait = null;
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
  instance.reason = (outcome.cause === 'user_error' ? tellFailedWait(instance.wait) : null) ?? outcome.reason;
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
    instance.wait = null;
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
  const end = describeEnd(plan.run, 'timed_out');
  for (const instance of instancesOf(plan.run)) {
    if (isFinished(instance.state)) continue;
    if (instance.state === 'running') plan.cancels.push(instance);
    touch(plan, instance);
    instance.reason = `the run exceeded dagrun_timeout (${plan.run.graph.dag.dagrun_timeout_seconds} s)`;
    finish(plan, instance, 'skipped');
  }
  plan.dirty.clear();
  finishRun(plan, end);
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
  const { instances, task, expanded } = progress;
  if (!expanded && !tryExpand(plan, progress, limits)) return;
  // Outside mapped groups all instances see the same upstreams, so one "wait" answers for all of them.
  const alike = task.mappedGroups.length === 0;
  let isRevised = task.lengthSources.size === 0;
  for (const index of dirty.indexes === 'all' || !expanded ? instances.keys() : dirty.indexes) {
    const instance = instances.get(index);
    if (instance === undefined || !isStartable(instance, plan.now)) continue;
    const verdict = dependencyVerdict(plan.run, instance);
    if (verdict.kind === 'wait') {
      if (alike) return;
      continue;
    }
    if (verdict.kind === 'run' && !isRevised) {
      isRevised = true;
      reviseIndexes(plan, progress);
      if (instance.state === 'removed') continue;
    }
    if (verdict.kind === 'run' && plan.run.isHeld) continue;
    applyVerdict(plan, instance, verdict);
  }
}

/** States in which the rules decide; a waiting time must be over. */
function isStartable(instance: Instance, now: number): boolean {
  const { state } = instance;
  return (state === null || state === 'up_for_retry' || state === 'up_for_reschedule') && (instance.wakeAt === null || instance.wakeAt <= now);
}

function applyVerdict(plan: Plan, instance: Instance, verdict: Exclude<Verdict, { kind: 'wait' }>): void {
  touch(plan, instance);
  if (verdict.kind === 'set') {
    instance.reason = verdict.reason();
    finish(plan, instance, verdict.state);
    return;
  }
  if (instance.state !== 'up_for_reschedule') beginTry(plan, instance);
  instance.wakeAt = null;
  instance.executionId = null;
  instance.reason = null;
  instance.cause = null;
  if (instance.task.isEmpty) {
    instance.startedAt = plan.now;
    finish(plan, instance, 'success');
    return;
  }
  const { start_trigger: trigger } = instance.task.task;
  if (trigger !== undefined) {
    instance.startedAt ??= plan.now;
    defer(plan, instance, { ...trigger, timeout_seconds: trigger.timeout_seconds ?? null });
    return;
  }
  setState(plan.run, instance, 'scheduled');
  plan.ready.push(instance);
}

function beginTry(plan: Plan, instance: Instance): void {
  instance.tryNumber += 1;
  instance.attemptId = null;
  instance.startedAt = null;
  instance.endedAt = null;
  instance.infraFailures = 0;
  instance.skips = null;
  if (instance.tryNumber > 1) forgetLengths(plan.run, instance);
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
    const indexes = progress.expanded ? affectedIndexes(plan.run, instance, progress) : 'all';
    for (const below of progress.instances.values()) {
      if (below.state !== null || (indexes !== 'all' && (below.mapIndex < indexes.from || below.mapIndex >= indexes.to))) continue;
      touch(plan, below);
      below.reason = `skipped by ${instance.task.id}`;
      finish(plan, below, 'skipped');
    }
  }
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
    if (run.active > 0 || run.isHeld || (run.pastBlocked !== null && waitsForPast(run))) return;
    // Nothing runs, nothing will wake, nothing is ready: no event can move this run again.
    finishRun(plan, describeEnd(run, 'all_tasks_deadlocked'));
    return;
  }
  const failed = run.graph.leaves.some((index) => {
    const progress = run.tasks[index];
    return progress !== undefined && progress.failed + progress.upstreamFailed > 0;
  });
  finishRun(plan, describeEnd(run, failed ? 'task_failure' : 'success'));
}

/** An unfinished instance that an earlier run may still let go. */
function waitsForPast(run: RunSnapshot): boolean {
  for (const { task: { task }, instances } of run.tasks) {
    if (task.depends_on_past !== true && task.wait_for_downstream !== true) continue;
    for (const instance of instances.values()) if (!isFinished(instance.state)) return true;
  }
  return false;
}

function finishRun(plan: Plan, end: RunEnd): void {
  plan.runEnd = end;
  moveRun(plan, end.reason === 'success' ? 'success' : 'failed');
  plan.run.endDate = plan.now;
}

function moveRun(plan: Plan, state: RunState): void {
  plan.runFrom ??= plan.run.state;
  plan.run.state = state;
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
    } else if (instance.state === 'deferred') resume(plan, instance, TIMED_OUT);
    else {
      const { index } = instance.task;
      const current = plan.dirty.get(index);
      if (current === undefined) plan.dirty.set(index, new Set([instance.mapIndex]));
      else if (current !== 'all') current.add(instance.mapIndex);
    }
  }
  return next;
}
