// Whether one instance may run: past runs, skip memory, mapped upstreams, setups, then its trigger rule (contract §5.4).
import { isFinished } from '#contract/states.ts';
import type { GraphTask } from './graph.ts';
import { dependentRange, expandedLength, relevantRange } from './map-length.ts';
import { progressOf, xcomLength, type Instance, type RunSnapshot, type TaskProgress } from './run-snapshot.ts';
import { evaluateTriggerRule, explainTriggerRule, type UpstreamCounts } from './trigger-rule.ts';

/** `wait`: nothing to do until something around it changes; `set`: it ends in that state without running. */
export type Verdict =
  | { readonly kind: 'run' }
  | { readonly kind: 'wait'; readonly reason: () => string }
  | { readonly kind: 'set'; readonly state: 'skipped' | 'upstream_failed' | 'removed'; readonly reason: () => string };

const RUN: Verdict = Object.freeze({ kind: 'run' });

/** Decides one instance from the states around it. `reason` is text for people, made only when asked for. */
export function dependencyVerdict(run: RunSnapshot, instance: Instance): Verdict {
  const verdict = skipMemory(run, instance) ?? mappedUpstreams(run, instance) ?? setupStates(run, instance) ?? triggerRule(run, instance) ?? teardownScope(run, instance) ?? RUN;
  // The run before holds back who would run; who is skipped or has failed upstreams waits for nobody.
  if (verdict.kind === 'set' || run.pastBlocked?.has(instance.task.id) !== true) return verdict;
  return { kind: 'wait', reason: () => 'depends_on_past: the task did not succeed in the previous run' };
}

/** Airflow's NotPreviouslySkipped: a branch or short circuit upstream that did not choose this task. */
function skipMemory(run: RunSnapshot, instance: Instance): Verdict | null {
  for (const index of instance.task.upstream) {
    const upstream = run.tasks[index];
    if (upstream === undefined || upstream.task.task.can_skip_downstream !== true) continue;
    const parent = upstream.instances.get(instance.mapIndex) ?? upstream.instances.get(-1);
    if (parent === undefined || !isFinished(parent.state) || parent.skips === null) continue;
    const { followed, skipped } = parent.skips;
    const isSkipped = followed === undefined ? skipped?.includes(instance.task.id) === true : !followed.includes(instance.task.id);
    if (isSkipped) return { kind: 'set', state: 'skipped', reason: () => `not chosen by ${upstream.task.id}` };
  }
  return null;
}

/** What this task's expansion maps over passes its failure or skip on, whatever the trigger rule; of a mapped source only an unexpanded instance counts. */
function mappedUpstreams(run: RunSnapshot, instance: Instance): Verdict | null {
  for (const index of instance.task.lengthSources) {
    const source = run.tasks[index]?.instances.get(-1);
    if (source === undefined) continue;
    const why = (): string => `${source.task.id}, which it maps over, is ${source.state}`;
    if (source.state === 'failed' || source.state === 'upstream_failed') return { kind: 'set', state: 'upstream_failed', reason: why };
    if (source.state === 'skipped') return { kind: 'set', state: 'skipped', reason: why };
  }
  return null;
}

/** Every indirect setup that holds the task must have succeeded, whatever its trigger rule, except `always`. Teardowns are judged by their own rule. */
function setupStates(run: RunSnapshot, instance: Instance): Verdict | null {
  if (instance.task.task.is_teardown === true || instance.task.rule === 'always') return null;
  for (const index of instance.task.indirectSetups) {
    const setup = run.tasks[index];
    if (setup === undefined) continue;
    const counts = emptySum();
    addRelevant(counts, run, { upstream: setup, instance });
    if (counts.failed + counts.upstreamFailed > 0) return { kind: 'set', state: 'upstream_failed', reason: () => `its setup ${setup.task.id} failed` };
    if (counts.skipped > 0) return { kind: 'set', state: 'skipped', reason: () => `its setup ${setup.task.id} was skipped` };
    if (counts.success < counts.total - (instance.mapIndex >= 0 ? counts.removed : 0)) return { kind: 'wait', reason: () => `waits for its setup ${setup.task.id}` };
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
function teardownScope(run: RunSnapshot, instance: Instance): Verdict | null {
  let open = 0;
  for (const index of instance.task.scope) {
    const between = run.tasks[index];
    if (between === undefined) continue;
    const counts = emptySum();
    addRelevant(counts, run, { upstream: between, instance });
    if (counts.success + counts.skipped + counts.failed + counts.upstreamFailed + counts.removed < counts.total) open += 1;
  }
  return open === 0 ? null : { kind: 'wait', reason: () => `waits for ${open} tasks between its setup and itself` };
}

/** Rules that one upstream decides look at all instances of a mapped group, unless the upstream is what the group maps over. */
const ALL_INSTANCES_RULES = new Set(['one_success', 'one_failed', 'one_done']);

/** States of the upstream instances that matter to this one, counted. */
export function upstreamCounts(run: RunSnapshot, instance: Instance): UpstreamCounts {
  const sum = emptySum();
  for (const index of instance.task.upstream) {
    const upstream = run.tasks[index];
    if (upstream !== undefined) addRelevant(sum, run, { upstream, instance });
  }
  if (instance.task.directSetups.length === 0) return sum;
  const setups = emptySum();
  for (const index of instance.task.directSetups) {
    const setup = run.tasks[index];
    if (setup !== undefined) addRelevant(setups, run, { upstream: setup, instance });
  }
  return { ...sum, setups };
}

type Sum = { total: number; success: number; skipped: number; failed: number; upstreamFailed: number; removed: number };
type Pair = { readonly upstream: TaskProgress; readonly instance: Instance };

function emptySum(): Sum {
  return { total: 0, success: 0, skipped: 0, failed: 0, upstreamFailed: 0, removed: 0 };
}

function addRelevant(sum: Sum, run: RunSnapshot, pair: Pair): void {
  if (pair.instance.mapIndex >= 0 && pair.upstream.expanded && countsByIndex(pair.upstream.task, pair.instance.task)) addRange(sum, run, pair);
  else addAll(sum, pair.upstream);
}

function countsByIndex(upstream: GraphTask, task: GraphTask): boolean {
  if (sharedGroups(upstream, task) === 0) return false;
  return !task.isInMappedGroup || !ALL_INSTANCES_RULES.has(task.rule) || task.lengthSources.has(upstream.index);
}

/** How many mapped groups hold both tasks. */
function sharedGroups(a: GraphTask, b: GraphTask): number {
  let count = 0;
  while (count < a.mappedGroups.length && a.mappedGroups[count] === b.mappedGroups[count]) count += 1;
  return count;
}

/** Which instances of a task look at this one. */
export function affectedIndexes(run: RunSnapshot, instance: Instance, dependent: TaskProgress): { from: number; to: number } | 'all' {
  if (instance.mapIndex < 0 || !dependent.expanded || !countsByIndex(instance.task, dependent.task)) return 'all';
  const upstream = progressOf(run, instance.task);
  return dependentRange(instance.mapIndex, { upstream: upstream.instances.size, shared: sharedCount(run, { upstream, task: dependent.task }), own: dependent.instances.size });
}

function addAll(sum: Sum, progress: TaskProgress): void {
  // A task that is not of the run's time has no instance and is still waited for.
  sum.total += Math.max(1, progress.instances.size);
  sum.success += progress.success;
  sum.skipped += progress.skipped;
  sum.failed += progress.failed;
  sum.upstreamFailed += progress.upstreamFailed;
  sum.removed += progress.removed;
}

function addRange(sum: Sum, run: RunSnapshot, { upstream, instance }: Pair): void {
  const own = progressOf(run, instance.task).instances.size;
  const shared = sharedCount(run, { upstream, task: instance.task });
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

/** Instances that the mapped groups around both tasks make. */
function sharedCount(run: RunSnapshot, { upstream, task }: { upstream: TaskProgress; task: GraphTask }): number {
  const own = progressOf(run, task).instances.size;
  const groups = sharedGroups(upstream.task, task);
  if (upstream.task.expands.length === groups) return upstream.instances.size;
  if (task.expands.length === groups) return own;
  return expandedLength(task.expands.slice(0, groups), (taskId, key) => xcomLength(run, taskId, key)) ?? Math.min(upstream.instances.size, own);
}
