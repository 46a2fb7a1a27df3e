// Whether one instance may run: past runs, skip memory, mapped upstreams, setups, then its trigger rule (contract §5.4).
import { isFinished } from '#contract/states.ts';
import type { GraphTask } from './graph.ts';
import { relevantRange } from './map-length.ts';
import { progressOf, type Instance, type RunSnapshot, type TaskProgress } from './run-snapshot.ts';
import { evaluateTriggerRule, explainTriggerRule, type UpstreamCounts } from './trigger-rule.ts';

export type Verdict =
  | { readonly kind: 'run' }
  | { readonly kind: 'wait'; readonly reason: () => string }
  | { readonly kind: 'set'; readonly state: 'skipped' | 'upstream_failed' | 'removed'; readonly reason: () => string };

const RUN: Verdict = Object.freeze({ kind: 'run' });

/** Decides one instance from the states around it. `reason` is text for people, made only when asked for. */
export function dependencyVerdict(run: RunSnapshot, instance: Instance): Verdict {
  const { task } = instance;
  if (run.pastBlocked?.has(task.id) === true) return { kind: 'wait', reason: () => 'depends_on_past: the task did not succeed in the previous run' };
  return skipMemory(run, instance) ?? mappedUpstreams(run, instance) ?? setupStates(run, task) ?? triggerRule(run, instance) ?? teardownScope(run, task) ?? RUN;
}

/** Airflow's NotPreviouslySkipped: a branch or short circuit upstream that did not choose this task. */
function skipMemory(run: RunSnapshot, instance: Instance): Verdict | null {
  for (const index of instance.task.upstream) {
    const upstream = run.tasks[index];
    if (upstream === undefined || upstream.task.task.can_skip_downstream !== true) continue;
    const parent = upstream.instances.get(sameGroup(upstream.task, instance.task) ? instance.mapIndex : -1) ?? upstream.instances.get(-1);
    if (parent === undefined || !isFinished(parent.state) || parent.skips === null) continue;
    const { followed, skipped } = parent.skips;
    const isSkipped = followed === undefined ? skipped?.includes(instance.task.id) === true : !followed.includes(instance.task.id);
    if (isSkipped) return { kind: 'set', state: 'skipped', reason: () => `not chosen by ${upstream.task.id}` };
  }
  return null;
}

/** Unexpanded instances that feed this task's expansion pass their failure or skip on. */
function mappedUpstreams(run: RunSnapshot, instance: Instance): Verdict | null {
  if (instance.mapIndex >= 0) return null;
  for (const index of instance.task.lengthSources) {
    const source = run.tasks[index]?.instances.get(-1);
    if (source === undefined || source.task.expands.length === 0) continue;
    const why = (): string => `${source.task.id}, which it maps over, is ${source.state}`;
    if (source.state === 'failed' || source.state === 'upstream_failed') return { kind: 'set', state: 'upstream_failed', reason: why };
    if (source.state === 'skipped') return { kind: 'set', state: 'skipped', reason: why };
  }
  return null;
}

/** Every setup that holds the task must have succeeded, whatever its trigger rule. Teardowns are judged by their own rule. */
function setupStates(run: RunSnapshot, task: GraphTask): Verdict | null {
  if (task.task.is_teardown === true) return null;
  for (const index of task.setups) {
    const setup = run.tasks[index];
    if (setup === undefined) continue;
    const total = setup.instances.size;
    if (setup.failed + setup.upstreamFailed > 0) return { kind: 'set', state: 'upstream_failed', reason: () => `its setup ${setup.task.id} failed` };
    if (setup.skipped > 0) return { kind: 'set', state: 'skipped', reason: () => `its setup ${setup.task.id} was skipped` };
    if (setup.success < total) return { kind: 'wait', reason: () => `waits for its setup ${setup.task.id}` };
  }
  return null;
}

function triggerRule(run: RunSnapshot, instance: Instance): Verdict | null {
  const { task, mapIndex } = instance;
  if (task.upstream.length === 0) return null;
  const counts = upstreamCounts(run, instance);
  const verdict = evaluateTriggerRule(task.rule, counts, mapIndex);
  if (verdict.kind === 'run') return null;
  const reason = (): string => explainTriggerRule(task.rule, counts, mapIndex);
  return verdict.kind === 'wait' ? { kind: 'wait', reason } : { kind: 'set', state: verdict.state, reason };
}

/** A teardown whose rule passes also waits for everything between its setups and itself. */
function teardownScope(run: RunSnapshot, task: GraphTask): Verdict | null {
  const open = task.scope.filter((index) => {
    const progress = run.tasks[index];
    return progress !== undefined && finishedCount(progress) < progress.instances.size;
  });
  if (open.length === 0) return null;
  return { kind: 'wait', reason: () => `waits for ${open.length} tasks between its setup and itself` };
}

function finishedCount(progress: TaskProgress): number {
  return progress.success + progress.skipped + progress.failed + progress.upstreamFailed + progress.removed;
}

function sameGroup(a: GraphTask, b: GraphTask): boolean {
  return a.mappedGroups.length > 0 && a.mappedGroups[0] === b.mappedGroups[0];
}

const ALL_INSTANCES_RULES = new Set(['one_success', 'one_failed', 'one_done']);

/** States of the upstream instances that matter to this one, counted. */
export function upstreamCounts(run: RunSnapshot, instance: Instance): UpstreamCounts {
  const sum = { total: 0, success: 0, skipped: 0, failed: 0, upstreamFailed: 0, removed: 0 };
  for (const index of instance.task.upstream) {
    const upstream = run.tasks[index];
    if (upstream === undefined) continue;
    if (countsByIndex(upstream, instance)) addRange(sum, run, { upstream, instance });
    else addAll(sum, upstream);
  }
  if (instance.task.directSetups.length === 0) return sum;
  const setups = { total: 0, success: 0, skipped: 0, failed: 0, upstreamFailed: 0, removed: 0 };
  for (const index of instance.task.directSetups) {
    const setup = run.tasks[index];
    if (setup !== undefined) addAll(setups, setup);
  }
  return { ...sum, setups };
}

function countsByIndex(upstream: TaskProgress, instance: Instance): boolean {
  if (instance.mapIndex < 0 || !upstream.expanded || !sameGroup(upstream.task, instance.task)) return false;
  return !ALL_INSTANCES_RULES.has(instance.task.rule) || instance.task.lengthSources.has(upstream.task.index);
}

type Sum = { total: number; success: number; skipped: number; failed: number; upstreamFailed: number; removed: number };

function addAll(sum: Sum, progress: TaskProgress): void {
  sum.total += progress.instances.size;
  sum.success += progress.success;
  sum.skipped += progress.skipped;
  sum.failed += progress.failed;
  sum.upstreamFailed += progress.upstreamFailed;
  sum.removed += progress.removed;
}

function addRange(sum: Sum, run: RunSnapshot, pair: { upstream: TaskProgress; instance: Instance }): void {
  const { upstream, instance } = pair;
  const own = progressOf(run, instance.task).instances.size;
  const shared = sharedCount(run, upstream.task, instance.task);
  const range = relevantRange(instance.mapIndex, { upstream: upstream.instances.size, shared, own });
  for (let index = range.from; index < range.to; index += 1) {
    sum.total += 1;
    const state = upstream.instances.get(index)?.state ?? null;
    if (state === 'success') sum.success += 1;
    else if (state === 'skipped') sum.skipped += 1;
    else if (state === 'failed') sum.failed += 1;
    else if (state === 'upstream_failed') sum.upstreamFailed += 1;
    else if (state === 'removed') sum.removed += 1;
  }
}

/** Instances of the mapped groups that both tasks are in: the smaller of the two counts holds it when one maps further. */
function sharedCount(run: RunSnapshot, a: GraphTask, b: GraphTask): number {
  const plainest = [a, b].find((task) => task.task.expand === undefined && task.mappedGroups.length === Math.min(a.mappedGroups.length, b.mappedGroups.length));
  if (plainest !== undefined) return progressOf(run, plainest).instances.size;
  return Math.min(progressOf(run, a).instances.size, progressOf(run, b).instances.size);
}
