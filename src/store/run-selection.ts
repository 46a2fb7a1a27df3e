// Which runs and instances an action of a person is about.
import { sql, type SqlBool } from 'kysely';
import { LIMITS } from '#contract/config.ts';
import type { TaskState } from '#contract/states.ts';
import type { Database } from './database.ts';
import { type Condition, TENANT } from './list-query.ts';

/** A task instance and where it stands. */
interface SelectedInstance {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly state: TaskState;
}

/** Which task instances an action is about. */
export interface InstanceSelection {
  readonly dagId: string;
  /** One run; null for all of the date range. */
  readonly runId: string | null;
  /** Bounds of the logical date, both inclusive. */
  readonly from: string | null;
  readonly to: string | null;
  /** Whole tasks and single indexes; null for everything. */
  readonly tasks: { readonly whole: readonly string[]; readonly indexes: readonly { readonly taskId: string; readonly mapIndex: number }[] } | null;
  /** Only these states; null for any. */
  readonly states: readonly string[] | null;
}

/** The instances selected, in order of run, task and index; one more than the most a person may change at once, so that too many shows. */
export async function selectInstancesFor(database: Database, selection: InstanceSelection): Promise<readonly SelectedInstance[]> {
  const { tasks } = selection;
  const conditions: Condition[] = [
    ...(selection.runId === null ? [] : [sql<SqlBool>`r.run_id = ${selection.runId}`]),
    ...(selection.from === null ? [] : [sql<SqlBool>`r.logical_date >= ${selection.from}`]),
    ...(selection.to === null ? [] : [sql<SqlBool>`r.logical_date <= ${selection.to}`]),
    ...(selection.states === null ? [] : [sql<SqlBool>`t.state = any(${selection.states}::text[])`]),
    ...(tasks === null ? [] : [sql<SqlBool>`(t.task_id = any(${tasks.whole}::text[]) or (t.task_id, t.map_index) in (
      select x.task_id, x.map_index from json_to_recordset(${JSON.stringify(tasks.indexes.map((each) => ({ task_id: each.taskId, map_index: each.mapIndex })))}::json) as x(task_id text, map_index int)))`]),
  ];
  const rows = await database.kysely.selectFrom('task_instances as t').innerJoin('dag_runs as r', 'r.id', 't.run')
    .select(['t.run', 't.task_id', 't.map_index', 't.state']).where('r.tenant', '=', TENANT).where('r.dag_id', '=', selection.dagId).where((eb) => eb.and(conditions))
    .orderBy('r.run_after').orderBy('t.run').orderBy('t.task_id').orderBy('t.map_index').limit(LIMITS.maxDagTasks + 1).execute();
  return rows.map((row) => ({ run: row.run, taskId: row.task_id, mapIndex: row.map_index, state: row.state as TaskState }));
}
