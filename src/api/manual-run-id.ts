// Which ids a manual run may have.
import { RUN_ID_PATTERN } from '#contract/ids.ts';
import { RUN_TYPES } from '#contract/states.ts';

const ALWAYS_ALLOWED = /^(manual|scheduled|asset_triggered)__\d{4}-\d{2}-\d{2}T/;

/** What is wrong with an id, in Airflow's words; null when nothing is. A run of another type would find its own id taken. */
export function faultOfRunId(runId: string): string | null {
  const type = RUN_TYPES.find((other) => runId.startsWith(`${other}__`));
  if (type !== undefined && type !== 'manual') return `A manual DAG run cannot use ID '${runId}' since it is reserved for ${type} runs`;
  if (ALWAYS_ALLOWED.test(runId) || new RegExp(RUN_ID_PATTERN).test(runId)) return null;
  return `The run_id provided '${runId}' does not match regex pattern '${RUN_ID_PATTERN}' or '${ALWAYS_ALLOWED.source}'`;
}
