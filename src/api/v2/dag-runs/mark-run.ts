// A person sets a run's state.
import type { Database } from '#store/database.ts';
import type { RunListRow } from '#store/dag-run-lists.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';

/** A run, the state a person gives it, and who. */
export interface RunMark {
  readonly run: RunListRow;
  readonly state: 'queued' | 'success' | 'failed';
  readonly by: string;
}

/** `queued` touches the run alone. The others end its tasks as well. */
export async function markRun(database: Database, { run, state, by }: RunMark): Promise<void> {
  await applyAction(database, { ...NO_ACTION, runs: [{ id: run.id, state }], by });
}
