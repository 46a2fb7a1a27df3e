// What an execution's report means for its run, and for the row of the execution itself.
import type { ExecutionReport, ReportedError } from '#contract/attempt.ts';
import type { Cause } from '#contract/states.ts';
import type { Outcome } from './plan-run.ts';
import { ENDED_WITHOUT_REPORT } from './process-end.ts';

const MAX_REASON_CHARS = 2000;

/** The outcome that a report tells, with its reason. */
export function outcomeOf(report: ExecutionReport): Outcome {
  switch (report.outcome) {
    case 'success': return { kind: 'success', skips: report.skips ?? null };
    case 'skipped': return report.error === undefined ? { kind: 'skipped' } : { kind: 'skipped', reason: `it skipped itself: ${tellError({ error: { ...report.error, type: ENDED_WITHOUT_REPORT } })}` };
    case 'removed': case 'upstream_failed': return { kind: report.outcome };
    case 'up_for_reschedule': return { kind: 'up_for_reschedule', afterMs: (report.reschedule_in_seconds ?? 60) * 1000 };
    case 'deferred': return report.deferral === undefined ? failure('it deferred, and did not say what it waits for') : { kind: 'deferred', deferral: report.deferral };
    case 'failed': return { kind: 'failed', cause: report.cause ?? 'user_error', noRetry: report.no_retry === true, reason: report.error === undefined ? null : tellError({ error: report.error, cause: report.cause }) };
  }
}

/** `ValueError: no such order (daily.py:12)`, at most 2,000 characters. */
export function tellError({ error, cause }: { readonly error: ReportedError; readonly cause?: Cause | undefined }): string {
  const { type, message } = error;
  const place = error.place === undefined ? '' : ` (${error.place})`;
  const said = type === ENDED_WITHOUT_REPORT ? message : message === '' || message === type ? type : `${type}: ${message}`;
  const head = cause === 'config' && !message.includes('does not import') ? 'the DAG file does not import: ' : '';
  return `${head}${said.slice(0, MAX_REASON_CHARS - head.length - place.length)}${place}`.toWellFormed();
}

function failure(reason: string): Outcome {
  return { kind: 'failed', cause: 'user_error', noRetry: false, reason };
}

/** How the execution itself ended: a task that gives its instance another state has done its own work. */
export function executionStateOf({ outcome }: Pick<ExecutionReport, 'outcome'>): 'success' | 'failed' | 'skipped' | 'up_for_reschedule' | 'deferred' {
  if (outcome === 'removed') return 'skipped';
  return outcome === 'upstream_failed' ? 'failed' : outcome;
}
