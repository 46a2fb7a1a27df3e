// What an execution's report means for its run, and for the row of the execution itself.
import type { ExecutionReport } from '#contract/attempt.ts';
import type { Outcome } from './plan-run.ts';

/** The outcome that a report tells; the reason of a failure is its error's text, at most 2,000 characters. */
export function outcomeOf(report: ExecutionReport): Outcome {
  switch (report.outcome) {
    case 'success': return { kind: 'success', skips: report.skips ?? null };
    case 'skipped': case 'removed': case 'upstream_failed': return { kind: report.outcome };
    case 'up_for_reschedule': return { kind: 'up_for_reschedule', afterMs: (report.reschedule_in_seconds ?? 60) * 1000 };
    case 'deferred': return report.deferral === undefined ? failure('it deferred, and did not say what it waits for') : { kind: 'deferred', deferral: report.deferral };
    case 'failed': return { kind: 'failed', cause: report.cause ?? 'user_error', noRetry: report.no_retry === true, reason: report.error === undefined ? null : `${report.error.type}: ${report.error.message}`.slice(0, 2000).toWellFormed() };
  }
}

function failure(reason: string): Outcome {
  return { kind: 'failed', cause: 'user_error', noRetry: false, reason };
}

/** How the execution itself ended: a task that gives its instance another state has done its own work. */
export function executionStateOf({ outcome }: Pick<ExecutionReport, 'outcome'>): 'success' | 'failed' | 'skipped' | 'up_for_reschedule' | 'deferred' {
  if (outcome === 'removed') return 'skipped';
  return outcome === 'upstream_failed' ? 'failed' : outcome;
}
