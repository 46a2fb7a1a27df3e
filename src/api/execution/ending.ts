// What our supervisor says beside a state of the Task SDK: the exception behind it, or how the task's process ended.
import type { ExecutionReport } from '#contract/attempt.ts';
import type { Cause } from '#contract/states.ts';
import { ENDED_WITHOUT_REPORT, tellProcessEnd } from '#core/process-end.ts';
import { fieldsOf, parseError } from '../agent/agent-messages.ts';

/** The header that brings it. Airflow's own supervisor has none. */
export const ENDING_HEADER = 'leoflow-ending';

/** What a task may say of itself; who else ended it is not for it to say. */
const TOLD_CAUSES = ['timeout', 'config'] as const satisfies readonly Cause[];

type Ending = Pick<ExecutionReport, 'error' | 'cause' | 'without_callbacks' | 'exit_code'>;

/** Adds it to the report of an end. What cannot be read is left out: the end itself counts. */
export function withEnding(report: ExecutionReport, text: string | undefined): ExecutionReport {
  if (text === undefined || (report.outcome !== 'failed' && report.outcome !== 'skipped')) return report;
  try {
    return { ...report, ...parseEnding(JSON.parse(text)) };
  } catch {
    return report;
  }
}

function parseEnding(value: unknown): Ending {
  const fields = fieldsOf(value, 'an ending');
  const error = fields['error'] === undefined ? {} : { error: parseError(fields['error']) };
  const cause = TOLD_CAUSES.find((each) => each === fields['cause']);
  return { ...(fields['process'] === undefined ? {} : endingOfProcess(fields['process'])), ...error, ...(cause === undefined ? {} : { cause }) };
}

/** It ended without a word: nobody has made its callbacks. */
function endingOfProcess(value: unknown): Ending {
  const { status, signal, oom } = fieldsOf(value, 'the end of a process');
  const end = { status: typeof status === 'number' ? status : 1, signal: typeof signal === 'number' ? signal : null, oom: oom === true };
  return {
    error: { type: ENDED_WITHOUT_REPORT, message: tellProcessEnd(end) }, without_callbacks: true, ...(end.oom ? { cause: 'oom' as const } : {}), ...(end.signal === null ? { exit_code: end.status } : {}),
  };
}
