// What an execution's report means for its run.
import type { ExecutionReport } from '#contract/attempt.ts';
import type { Outcome } from './plan-run.ts';

/** The outcome that a report tells; the reason of a failure is its error's text, at most 2,000 characters. */
export function outcomeOf(report: ExecutionReport): Outcome {
  switch (report.outcome) {
    case 'success': return { kind: 'success', skips: report.skips ?? null };
    case 'skipped': return { kind: 'skipped' };
    case 'up_for_reschedule': return { kind: 'up_for_reschedule', afterMs: (report.reschedule_in_seconds ?? 60) * 1000 };
    case 'failed': return { kind: 'failed', cause: report.cause ?? 'user_error', noRetry: report.no_retry === true, reason: report.error === undefined ? null : `${report.error.type}: ${report.error.message}`.slice(0, 2000).toWellFormed() };
  }
}
