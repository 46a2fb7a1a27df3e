// Trigger rules: from the counted states of a task instance's upstreams to run, wait, or a state to set.
import type { TriggerRule } from '#contract/dag.ts';

/** Direct upstream setup tasks, counted by state. They are part of the counts of all upstreams as well. */
export interface SetupCounts {
  readonly total: number;
  readonly success: number;
  readonly skipped: number;
  readonly failed: number;
  readonly upstreamFailed: number;
}

/** The relevant upstream task instances, mapped ones one by one, counted by state. What no state counts is unfinished. */
export interface UpstreamCounts extends SetupCounts {
  readonly removed: number;
  /** Only `all_done_setup_success` reads them. Absent means there are none. */
  readonly setups?: SetupCounts;
}

/** Why a verdict holds is made by `explainTriggerRule`, only when somebody asks. */
export type RuleVerdict =
  | { readonly kind: 'run' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'set'; readonly state: 'skipped' | 'upstream_failed' | 'removed' };

const RUN: RuleVerdict = Object.freeze({ kind: 'run' });
const WAIT: RuleVerdict = Object.freeze({ kind: 'wait' });
const SKIPPED: RuleVerdict = Object.freeze({ kind: 'set', state: 'skipped' });
const UPSTREAM_FAILED: RuleVerdict = Object.freeze({ kind: 'set', state: 'upstream_failed' });
const REMOVED: RuleVerdict = Object.freeze({ kind: 'set', state: 'removed' });

/**
 * Decides one task instance; `mapIndex` is -1 for one that is not mapped. Allocates nothing: verdicts are shared and frozen.
 * Source: Airflow 3.2.1 `TriggerRuleDep`; where it both sets a state and lets the instance pass, the state wins, as in its scheduler.
 */
export function evaluateTriggerRule(rule: TriggerRule, counts: UpstreamCounts, mapIndex: number): RuleVerdict {
  if (counts.total === 0 || rule === 'always') return RUN;
  return RULES[rule](counts, mapIndex);
}

/**
 * The verdict in words with its numbers, such as `all_success: 1 of 3 upstream succeeded, 2 unfinished`.
 * Made for messages, logs and the page of blocked tasks.
 */
export function explainTriggerRule(rule: TriggerRule, counts: UpstreamCounts, mapIndex: number): string {
  if (counts.total === 0) return `${rule}: no upstream`;
  const parts = [`${counts.success} of ${counts.total} upstream succeeded`];
  const others = [
    [counts.failed, 'failed'], [counts.upstreamFailed, 'upstream_failed'], [counts.skipped, 'skipped'],
    [counts.removed, 'removed'], [counts.total - finished(counts), 'unfinished'],
  ] as const;
  for (const [count, name] of others) if (count > 0) parts.push(`${count} ${name}`);
  const { setups } = counts;
  if (rule === 'all_done_setup_success' && setups !== undefined && setups.total > 0) parts.push(`${setups.success} of ${setups.total} setups succeeded`);
  const verdict = evaluateTriggerRule(rule, counts, mapIndex);
  if (verdict.kind === 'set' && verdict.state === 'removed') parts.push(`map index ${mapIndex} has no counterpart`);
  return `${rule}: ${parts.join(', ')}`;
}

type Rule = (counts: UpstreamCounts, mapIndex: number) => RuleVerdict;

const RULES: { readonly [rule in Exclude<TriggerRule, 'always'>]: Rule } = {
  all_success: allSuccess,
  all_failed: allFailed,
  all_done: (counts) => (finished(counts) >= counts.total ? RUN : WAIT),
  all_done_min_one_success: allDoneMinOneSuccess,
  all_done_setup_success: allDoneSetupSuccess,
  one_success: oneSuccess,
  one_failed: (counts) => firstOf(counts, counts.failed + counts.upstreamFailed),
  one_done: (counts) => firstOf(counts, counts.success + counts.failed),
  none_failed: noneFailed,
  none_failed_min_one_success: (counts, mapIndex) =>
    counts.failed + counts.upstreamFailed === 0 && counts.skipped === counts.total ? SKIPPED : noneFailed(counts, mapIndex),
  none_skipped: (counts) => (counts.skipped > 0 ? SKIPPED : finished(counts) >= counts.total ? RUN : WAIT),
  all_skipped: (counts) =>
    counts.success + counts.failed + counts.upstreamFailed > 0 ? SKIPPED : counts.skipped >= counts.total ? RUN : WAIT,
};

function finished(counts: UpstreamCounts): number {
  return counts.success + counts.skipped + counts.failed + counts.upstreamFailed + counts.removed;
}

/** Upstreams that a rule over all of them waits for. A mapped instance does not wait for those that the mapping no longer has. */
function awaited(counts: UpstreamCounts, mapIndex: number): number {
  return mapIndex >= 0 ? counts.total - counts.removed : counts.total;
}

function allSuccess(counts: UpstreamCounts, mapIndex: number): RuleVerdict {
  if (counts.failed + counts.upstreamFailed > 0) return UPSTREAM_FAILED;
  if (counts.skipped > 0) return SKIPPED;
  if (mapIndex >= 0 && counts.removed > 0 && counts.success > 0 && mapIndex >= counts.success) return REMOVED;
  return awaited(counts, mapIndex) <= counts.success ? RUN : WAIT;
}

function allFailed(counts: UpstreamCounts, mapIndex: number): RuleVerdict {
  if (counts.success + counts.skipped > 0) return SKIPPED;
  return awaited(counts, mapIndex) <= counts.failed + counts.upstreamFailed ? RUN : WAIT;
}

function noneFailed(counts: UpstreamCounts, mapIndex: number): RuleVerdict {
  if (counts.failed + counts.upstreamFailed > 0) return UPSTREAM_FAILED;
  return awaited(counts, mapIndex) <= counts.success + counts.skipped ? RUN : WAIT;
}

function allDoneMinOneSuccess(counts: UpstreamCounts): RuleVerdict {
  if (counts.skipped > 0) return SKIPPED;
  if (finished(counts) < counts.total) return WAIT;
  return counts.success > 0 ? RUN : UPSTREAM_FAILED;
}

function allDoneSetupSuccess(counts: UpstreamCounts): RuleVerdict {
  if (finished(counts) < counts.total) return WAIT;
  const { setups } = counts;
  if (setups === undefined || setups.total === 0) return RUN;
  if (setups.skipped >= setups.total) return SKIPPED;
  return setups.success > 0 ? RUN : UPSTREAM_FAILED;
}

function oneSuccess(counts: UpstreamCounts): RuleVerdict {
  if (counts.success > 0) return RUN;
  const done = finished(counts);
  if (done < counts.total) return WAIT;
  return counts.skipped === done ? SKIPPED : UPSTREAM_FAILED;
}

/** Runs at the first wanted upstream; skipped when all are done without one. */
function firstOf(counts: UpstreamCounts, wanted: number): RuleVerdict {
  if (wanted > 0) return RUN;
  return finished(counts) >= counts.total ? SKIPPED : WAIT;
}
