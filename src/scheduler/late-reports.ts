// Reports that come when their execution is closed, or not in memory yet.
import type { ExecutionReport, ReportAnswer } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { findExecution, recordLateReport } from '#store/executions.ts';
import { tokenFits } from './tokens.ts';

/** A report of a closed execution is kept as history. Throws `unauthenticated` for a wrong token, `not_leading` when the agent should ask again. */
export async function answerLate(to: { readonly database: Database; readonly reporter: Reporter }, token: string, report: ExecutionReport): Promise<ReportAnswer> {
  const { pool } = to.database;
  const closed = await findExecution(pool, report.execution_id);
  if (closed === null || !tokenFits(token, closed.tokenHash)) throw new AppError('unauthenticated', 'the token does not name this execution');
  // Its run could not be read yet: the agent asks again, nothing it did is lost.
  if (!closed.isEnded) throw new AppError('not_leading', 'the run of this execution is not in memory yet');
  to.reporter.report({ event: 'report.stale', execution_id: report.execution_id });
  await recordLateReport(pool, report.execution_id, report.outcome);
  return { kind: 'stale', state: null };
}
