// The deadlines of a run that is new: written with its task instances.
import { makeUuidV7, type RunUuid } from '#contract/ids.ts';
import type { Dag } from '#contract/dag.ts';
import { deadlineAt, readDeadline } from '#core/deadlines.ts';
import type { RunRow } from '#store/dag-runs.ts';
import type { DeadlineWrite } from '#store/rare-parts.ts';

/** How long a DAG's last runs took. */
export type ReadAverage = (dagId: string, maxRuns: number) => Promise<{ readonly runs: number; readonly seconds: number }>;

/** One row per deadline of the DAG; only those that count from an average look at earlier runs. */
export async function deadlinesOf(dag: Dag, run: RunRow, how: { readonly nowMs: number; readonly readAverage: ReadAverage }): Promise<DeadlineWrite[]> {
  const found: DeadlineWrite[] = [];
  for (const encoded of dag.deadlines ?? []) {
    const alert = readDeadline(encoded);
    if (alert === null) continue;
    const { reference, intervalSeconds, callback } = alert;
    const average = reference.type === 'AverageRuntimeDeadline' ? await how.readAverage(run.dagId, reference.maxRuns) : null;
    const at = deadlineAt(alert, { now: how.nowMs, queuedAt: run.queuedAt, logicalDate: run.logicalDate, average });
    if (at !== null) found.push({ id: makeUuidV7<RunUuid>(how.nowMs), run: run.id, reference: reference.type, intervalSeconds, callback: JSON.stringify(callback), deadlineAt: at, at: how.nowMs });
  }
  return found;
}
