// A person sets a run's state: what that does to its task instances (contract §5.9).
import type { Dag } from '#contract/dag.ts';
import { isFinished, type TaskState } from '#contract/states.ts';
import type { Database } from '#store/database.ts';
import { findKeptSpec } from '#store/dag-specs.ts';
import type { RunListRow } from '#store/dag-run-lists.ts';
import { applyAction, type MarkedState, NO_ACTION } from '#store/person-actions.ts';
import { selectInstancesFor, type SelectedInstance } from '#store/run-selection.ts';

/** A run, the state a person gives it, and who. */
export interface RunMark {
  readonly run: RunListRow;
  readonly state: 'queued' | 'success' | 'failed';
  readonly by: string;
}

/** `queued` touches the run alone. The others end its tasks, except unfinished teardowns: while one is pending the run goes on. */
export async function markRun(database: Database, mark: RunMark): Promise<void> {
  const { run, state, by } = mark;
  const runs = [{ id: run.id, state }];
  if (state === 'queued') {
    await applyAction(database, { ...NO_ACTION, runs, by });
    return;
  }
  const spec = await findKeptSpec(database, run.version.id);
  const instances = await selectInstancesFor(database, { dagId: run.dagId, runId: run.runId, from: null, to: null, tasks: null, states: null });
  const teardowns = teardownsOf(spec);
  const isPending = (instance: SelectedInstance): boolean => teardowns.has(instance.taskId) && !isFinished(instance.state);
  const changed = instances.filter((instance) => !isPending(instance)).flatMap((instance) => {
    const to = markFor(instance.state, state);
    return to === null ? [] : [{ run: instance.run, taskId: instance.taskId, mapIndex: instance.mapIndex, state: to }];
  });
  await applyAction(database, { ...NO_ACTION, mark: changed, runs: instances.some(isPending) ? [] : runs, by });
}

const IN_HAND: readonly TaskState[] = ['running', 'deferred', 'up_for_reschedule'];

function markFor(current: TaskState, run: 'success' | 'failed'): MarkedState | null {
  if (run === 'success') return current === 'success' ? null : 'success';
  if (isFinished(current)) return null;
  return IN_HAND.includes(current) ? 'failed' : 'skipped';
}

function teardownsOf(spec: Dag | null): ReadonlySet<string> {
  return new Set((spec?.tasks ?? []).filter((task) => task.is_teardown === true).map((task) => task.task_id));
}
