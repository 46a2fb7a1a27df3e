// Mapped tasks get their instances: when the length is known, and anew when it has changed.
import { isFinished } from '#contract/states.ts';
import { dependencyVerdict } from './dependencies.ts';
import type { GraphTask } from './graph.ts';
import { expandedLength } from './map-length.ts';
import { finish, type Plan, type PlanLimits, touch } from './plan.ts';
import { addInstance, newInstance, xcomLength, type Instance, type RunSnapshot, type TaskProgress } from './run-snapshot.ts';

/** Makes a mapped task's instances if its length is known. @returns true when the task has them now */
export function tryExpand(plan: Plan, progress: TaskProgress, limits: PlanLimits): boolean {
  const { run } = plan;
  const instance = progress.instances.get(-1);
  if (instance === undefined || isFinished(instance.state)) return false;
  const length = expandedLength(progress.task.expands, (taskId, key) => xcomLength(run, taskId, key));
  if (progress.task.lengthSources.size > 0 && !isLengthFinal(run, progress.task)) {
    const verdict = dependencyVerdict(run, instance);
    if (verdict.kind === 'set') return failUnexpanded(plan, instance, { state: verdict.state, reason: verdict.reason() });
    if (verdict.kind === 'wait' || hasUnfinishedSource(run, progress.task)) return false;
    if (length === null) return failUnexpanded(plan, instance, { state: 'upstream_failed', reason: 'the value to map over is neither a list nor a dict, or was not pushed' });
  }
  if (length === null) return false;
  if (length === 0) return failUnexpanded(plan, instance, { state: 'skipped', reason: 'the list to map over is empty' });
  // Values at run time are limited where they are pushed; this holds for products of them.
  if (length > limits.maxMapLength * Math.max(1, progress.task.expands.length) * 1000) return failUnexpanded(plan, instance, { state: 'upstream_failed', reason: `${length} instances are more than the limit` });
  expand(plan, progress, length);
  return true;
}

/**
 * In a mapped group the indexes exist as soon as what is mapped over has succeeded: each goes its way without waiting for the
 * others' upstreams inside the group.
 */
function isLengthFinal(run: RunSnapshot, task: GraphTask): boolean {
  if (task.mappedGroups.length === 0) return false;
  for (const index of task.lengthSources) {
    const source = run.tasks[index];
    if (source === undefined || !source.expanded || source.success + source.removed < source.instances.size) return false;
  }
  return expandedLength(task.expands, (taskId, key) => xcomLength(run, taskId, key)) !== null;
}

function hasUnfinishedSource(run: RunSnapshot, task: GraphTask): boolean {
  for (const index of task.lengthSources) for (const instance of run.tasks[index]?.instances.values() ?? []) if (!isFinished(instance.state)) return true;
  return false;
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
  for (const index of [...progress.task.downstream, ...progress.task.watchers]) plan.dirty.set(index, 'all');
}

/** After a clear the value mapped over may have another length: missing indexes are made, those beyond it are removed. */
export function reviseIndexes(plan: Plan, progress: TaskProgress): void {
  const { run } = plan;
  const { task, instances } = progress;
  const length = expandedLength(task.expands, (taskId, key) => xcomLength(run, taskId, key));
  if (length === null || length === instances.size) return;
  for (let index = instances.size; index < length; index += 1) {
    const instance = newInstance(task, index);
    addInstance(run, instance);
    touch(plan, instance);
    plan.dirty.set(task.index, 'all');
  }
  for (const instance of instances.values()) {
    if (instance.mapIndex < length || instance.state === 'removed') continue;
    touch(plan, instance);
    if (instance.state === 'running') plan.cancels.push(instance);
    instance.reason = `the list to map over has ${length} values now`;
    finish(plan, instance, 'removed');
  }
}
