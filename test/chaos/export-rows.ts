// The engine's tables as one JSON file, for a reconciler that shares no code with it: plain SQL, no store function.
import { writeFileSync } from 'node:fs';
import type pg from 'pg';

const SECONDS = (column: string): string => `extract(epoch from ${column})::float8 as ${column}`;

const TABLES: Readonly<Record<string, string>> = {
  runs: 'select id, dag_id, run_id, state from dag_runs',
  instances: 'select run, task_id, map_index, state, try_number, execution_id, attempt_id, infra_failures, cause, reason from task_instances',
  attempts: 'select id, run, task_id, map_index, try_number, state from task_attempts',
  executions: `select id, attempt_id, run, state, ended, cause, handle, pid, ${SECONDS('created_at')}, ${SECONDS('started_at')}, ${SECONDS('ended_at')} from executions`,
  events: `select id, run, task_id, map_index, execution_id, from_state, to_state, epoch, detail, ${SECONDS('at')} from attempt_events order by id`,
  xcoms: "select x.run, x.task_id, x.map_index, x.key, encode(x.sha256, 'hex') as sha256, convert_from(v.value, 'UTF8') as value from xcoms x join xcom_values v using (run, task_id, map_index, key)",
};

/** What the harness itself reads of the rows. Times are epoch seconds. */
export interface Rows {
  readonly executions: readonly { readonly id: string; readonly state: string; readonly cause: string | null; readonly created_at: number }[];
  readonly events: readonly { readonly epoch: number | null; readonly at: number }[];
}

/** Writes every table that the reconciler reads. */
export async function exportRows(pool: pg.Pool, path: string): Promise<Rows> {
  const all: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(TABLES)) all[name] = (await pool.query(text)).rows;
  writeFileSync(path, JSON.stringify(all));
  return all as unknown as Rows;
}
