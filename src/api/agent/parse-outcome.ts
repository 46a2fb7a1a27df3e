// What an execution left behind on the disk: its report, or the state that the Task SDK would have told.
import type { ExecutionReport } from '#contract/attempt.ts';
import { type ExecutionId, isUuid } from '#contract/ids.ts';
import { wallMs } from '#platform/clock.ts';
import { withEnding } from '../execution/ending.ts';
import { reportOfState } from '../execution/report-of-state.ts';
import { type TIStateUpdate as StateUpdate, TIStateUpdate } from '../execution/request-models.ts';
import { readValue } from '../validate.ts';
import { fieldsOf, invalid, parseReport, textOf } from './agent-messages.ts';

/** Reads a record of the file of outcomes. Throws when it is neither. An outlet that names its asset by reference is left out: nobody is asked here. */
export function parseOutcome(record: unknown): ExecutionReport {
  const fields = fieldsOf(record, 'an outcome');
  if (fields['state_update'] === undefined) return parseReport(record);
  const bodyText = textOf(fields['state_update'], 'a state', Number.POSITIVE_INFINITY);
  const { execution_id: id } = fields;
  if (typeof id !== 'string' || !isUuid(id)) throw invalid('an outcome without execution id');
  const read = readValue(TIStateUpdate, JSON.parse(bodyText), ['body']);
  if (read.problems.length > 0) throw invalid('a state that is none of the Task SDK');
  const report = reportOfState(read.value as StateUpdate, { executionId: id as ExecutionId, startedAt: textOf(fields['at'], 'a time', 40), nowMs: wallMs(), bodyText, assetOf: () => null });
  return withEnding(report, typeof fields['ending'] === 'string' ? fields['ending'] : undefined);
}
