// Reading the tries of a task instance and the executions whose logs make up a try's log.
import type { ReportedError } from '#contract/attempt.ts';
import type { TaskState } from '#contract/states.ts';
import { ENDED_WITHOUT_REPORT } from '#core/process-end.ts';
import type { Database } from './database.ts';
import type { InstanceListRow } from './task-instances.ts';

/** One try of a task instance. */
export interface TryRow {
  readonly id: string;
  readonly tryNumber: number;
  readonly state: TaskState;
  readonly startDate: Date | null;
  readonly endDate: Date | null;
  readonly scheduledAt: Date | null;
  readonly queuedAt: Date | null;
  readonly hostname: string | null;
  readonly pid: number | null;
}

const MAX_TRIES_LISTED = 1_000;

/** All tries of an instance, oldest first, at most 1,000. One that was never scheduled, or was cleared, stands at the end as it is. */
export async function listTries(database: Database, instance: InstanceListRow): Promise<readonly TryRow[]> {
  const rows = await database.kysely.selectFrom('task_attempts')
    .select(['id', 'try_number', 'state', 'start_date', 'end_date', 'scheduled_at', 'queued_at', 'hostname', 'pid'])
    .where('run', '=', instance.run).where('task_id', '=', instance.taskId).where('map_index', '=', instance.mapIndex)
    .orderBy('try_number').orderBy('id').limit(MAX_TRIES_LISTED).execute();
  const tries = rows.map((row): TryRow => ({
    id: row.id, tryNumber: row.try_number, state: row.state as TaskState, startDate: row.start_date, endDate: row.end_date, scheduledAt: row.scheduled_at,
    queuedAt: row.queued_at, hostname: row.hostname, pid: row.pid,
  }));
  const isListed = instance.attemptId !== null && tries.some((row) => row.id === instance.attemptId);
  return isListed || instance.state === 'up_for_retry' ? tries : [...tries, currentTry(instance)];
}

function currentTry(instance: InstanceListRow): TryRow {
  const { tryNumber, state, startDate, endDate, scheduledAt, queuedAt, hostname, pid } = instance;
  return { id: instance.attemptId ?? '', tryNumber, state, startDate, endDate, scheduledAt, queuedAt, hostname, pid };
}

/** What ended tries whose processes could not write it: a DAG file that did not import (`isImport`), a process that died; the oldest first. */
export async function listUnwrittenEnds(database: Database, attemptIds: readonly string[]): Promise<readonly { readonly at: Date | null; readonly error: ReportedError; readonly isImport: boolean }[]> {
  const known = attemptIds.filter((id) => id !== '');
  if (known.length === 0) return [];
  const rows = await database.kysely.selectFrom('task_attempts').select(['error', 'end_date']).where('id', 'in', known).where('state', '=', 'failed').orderBy('id').limit(MAX_TRIES_LISTED).execute();
  return rows.flatMap(({ error: stored, end_date: at }) => {
    const error = stored as unknown as (ReportedError & { readonly during?: string }) | null;
    const isImport = error?.during === 'import';
    return error !== null && (isImport || error.type === ENDED_WITHOUT_REPORT) ? [{ at, error, isImport }] : [];
  });
}

/** Execution ids of these tries in order of launch, and whether one may still write. */
export async function listExecutions(database: Database, attemptIds: readonly string[]): Promise<{ ids: readonly string[]; isLive: boolean }> {
  const known = attemptIds.filter((id) => id !== '');
  if (known.length === 0) return { ids: [], isLive: false };
  const rows = await database.kysely.selectFrom('executions').select(['id', 'ended']).where('attempt_id', 'in', known).orderBy('id').limit(MAX_TRIES_LISTED).execute();
  return { ids: rows.map((row) => row.id), isLive: rows.some((row) => !row.ended) };
}
