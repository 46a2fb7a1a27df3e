// One run whole, as the terminal shows it: its instances, their last tries and its XComs.
import { sql } from 'kysely';
import type { RunUuid } from '#contract/ids.ts';
import type { RunState, TaskState } from '#contract/states.ts';
import type { Database } from './database.ts';

/** Times are epoch milliseconds; `instances` in order of task id and map index. */
export interface RunView {
  readonly state: RunState;
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly instances: readonly RunViewInstance[];
}

/** `attemptId` is the last try’s, by which its log is found; null before the first. `mapIndex` is −1 when not mapped. */
interface RunViewInstance {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly tryNumber: number;
  readonly attemptId: string | null;
  readonly startMs: number | null;
  readonly endMs: number | null;
  readonly reason: string | null;
}

const ms = (date: Date | null): number | null => date?.getTime() ?? null;

/** Reads a run's states; null when it is gone. At most 100,000 instances. */
export async function findRunView(database: Database, run: RunUuid): Promise<RunView | null> {
  const row = await database.kysely.selectFrom('dag_runs').select(['state', 'start_date', 'end_date']).where('id', '=', run).executeTakeFirst();
  if (row === undefined) return null;
  const instances = await database.kysely.selectFrom('task_instances')
    .select(['task_id', 'map_index', 'state', 'try_number', 'attempt_id', 'start_date', 'end_date', 'reason'])
    .where('run', '=', run).orderBy('task_id').orderBy('map_index').limit(100_000).execute();
  return {
    state: row.state as RunState, startMs: ms(row.start_date), endMs: ms(row.end_date),
    instances: instances.map((one) => ({
      taskId: one.task_id, mapIndex: one.map_index, state: one.state as TaskState, tryNumber: one.try_number, attemptId: one.attempt_id,
      startMs: ms(one.start_date), endMs: ms(one.end_date), reason: one.reason,
    })),
  };
}

/** A value as people see it, `(lost)` when only its record is left. `mapIndex` is −1 when the task is not mapped. */
interface RunViewXCom {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly key: string;
  /** JSON text, cut to 2,000 characters. */
  readonly text: string;
}

/** Values that the run's tasks pushed, without the engine's own bookkeeping keys. At most `limit`. */
export async function listRunXComs(database: Database, run: RunUuid, limit: number): Promise<RunViewXCom[]> {
  const { rows } = await sql<{ task_id: string; map_index: number; key: string; value: Buffer | null }>`/* store/run-view.xcoms */
    select x.task_id, x.map_index, x.key, substring(v.value from 1 for 8000) as value from xcoms x left join xcom_values v using (run, task_id, key, map_index)
    where x.run = ${run} and x.key <> 'skipmixin_key' order by x.created_at, x.task_id, x.map_index, x.key limit ${limit}`.execute(database.kysely);
  return rows.map((row) => ({ taskId: row.task_id, mapIndex: row.map_index, key: row.key, text: row.value === null ? '(lost)' : row.value.toString('utf8').slice(0, 2000).toWellFormed() }));
}
