// What became of the tries of an instance, in sentences: whether another follows, where the log is, and how those before ended.
import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { InstanceListRow } from './task-instances.ts';

const MAX_TOLD = 5;

/** Of an instance that failed: why no other try follows, and where its log is; nothing when it never began. */
export async function tellLastTry(database: Database, row: InstanceListRow): Promise<string[]> {
  if (row.attemptId === null || row.tryNumber === 0) return [];
  return [await tellWhetherAgain(database, row), tellLog(row)].flatMap((line) => line ?? []);
}

/** Where its last try's log is. */
export function tellLog({ dagId, runId, taskId, mapIndex, tryNumber }: InstanceListRow): string {
  const words = [dagId, runId, taskId].map((word) => (/^[\w.:+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`));
  return `its log: leoflow tasks logs ${words.join(' ')}${mapIndex < 0 ? '' : ` --map-index ${mapIndex}`} --try ${tryNumber}`;
}

/** `try 2 of 3`. */
export function ordinal({ tryNumber, maxTries }: InstanceListRow): string {
  return `try ${tryNumber} of ${Math.max(tryNumber, maxTries + 1)}`;
}

/** Null when somebody decided it. */
async function tellWhetherAgain(database: Database, row: InstanceListRow): Promise<string | null> {
  const attempt = await database.kysely.selectFrom('task_attempts').select('cause').where('id', '=', row.attemptId).executeTakeFirst();
  if (attempt?.cause === 'cancelled') return null;
  if (row.maxTries === 0) return 'it is not tried again: the task has no retries';
  return row.tryNumber > row.maxTries ? `it is not tried again: that was ${ordinal(row)}` : `it is not tried again although that was ${ordinal(row)}: a failure of this kind is final`;
}

/** `try 1 failed: KeyError: 'x' (daily.py:12)`: ends before the one that the instance stands at, the newest first. */
export async function tellEarlierTries(database: Database, row: InstanceListRow): Promise<string[]> {
  const ends = await database.kysely.selectFrom('attempt_events as e').innerJoin('task_attempts as a', 'a.id', 'e.attempt_id').select(['e.from_state', 'e.to_state', 'e.cause', 'e.detail', 'a.try_number'])
    .where('e.run', '=', row.run).where('e.task_id', '=', row.taskId).where('e.map_index', '=', row.mapIndex)
    .where(sql<boolean>`(e.to_state in ('failed', 'up_for_retry') or (e.from_state = 'running' and e.to_state = 'scheduled' and e.cause is not null))`)
    .orderBy('e.id', 'desc').limit(MAX_TOLD + 2).execute();
  // The newest is what it stands at.
  const earlier = row.state === 'failed' || row.state === 'up_for_retry' ? ends.slice(1) : ends;
  const told = earlier.slice(0, MAX_TOLD).map(({ to_state: to, cause, detail, try_number: number }) => `try ${number} ${to === 'scheduled' ? 'was begun again' : 'failed'}: ${detail ?? tellCause(cause)}`);
  return earlier.length > MAX_TOLD ? [...told, '… and others before'] : told;
}

const CAUSES: Readonly<Record<string, string>> = {
  user_error: 'its own code failed; the log of the try tells more', timeout: 'it ran longer than its execution_timeout', oom: 'it ran out of memory', cancelled: 'it was stopped', lost: 'its process was lost',
  config: 'its DAG file or its environment is not in order', infra_start: 'its process could not be started',
};

/** Why it ended, when nothing else is known. */
export function tellCause(cause: string | null): string {
  return cause === null ? 'nothing is known of its end' : (CAUSES[cause] ?? cause);
}
