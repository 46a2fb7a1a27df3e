// XCom values as an execution asks for them: the bytes as they went in, or an error when they are gone.
import type pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import type { ValueReader } from '#contract/value-store.ts';
import { readBytes, type ValueRow } from './value-bytes.ts';

/** Which value an execution asks for; `run` is its own run’s UUID, used when `runId` is null. */
interface XComQuery {
  readonly run: string;
  readonly dagId: string;
  /** Another run of `dagId`; null for the execution's own. */
  readonly runId: string | null;
  readonly taskId: string;
  readonly key: string;
  /** Null: all instances, in order. */
  readonly mapIndex: number | null;
  /** Runs of the DAG up to this one's date count as well. */
  readonly withPriorRuns?: boolean;
}

const READ = `/* store/xcom-values.find */
select x.map_index, x.sha256, x.size_bytes, x.location, x.expires_at < clock_timestamp() as expired, v.value from xcoms x left join xcom_values v using (run, task_id, key, map_index)
where x.run = $1 and x.task_id = $2 and x.key = $3 and ($4::int is null or x.map_index = $4) order by x.map_index`;
// A run without a logical date stands where it could begin; of one index the newest value counts (`XComModel.get_many`).
const READ_PRIOR = `/* store/xcom-values.findPrior */
select x.map_index, x.sha256, x.size_bytes, x.location, x.expires_at < clock_timestamp() as expired, v.value
from dag_runs own join dag_runs r on r.tenant = own.tenant and r.dag_id = $5 and coalesce(r.logical_date, r.run_after) <= coalesce(own.logical_date, own.run_after)
join xcoms x on x.run = r.id left join xcom_values v on v.run = x.run and v.task_id = x.task_id and v.key = x.key and v.map_index = x.map_index
where own.id = $1 and x.task_id = $2 and x.key = $3 and ($4::int is null or x.map_index = $4) order by x.map_index, r.logical_date desc, x.created_at desc limit $6`;
const FIND_RUN = `/* store/xcom-values.findRun */
select id from dag_runs where tenant = 'default' and dag_id = $1 and run_id = $2`;

/**
 * JSON text of one value, or of a list of all instances' values; null when nothing was pushed.
 * Throws `xcom_lost` when a value is recorded but missing, expired or not what was recorded: never a silent None.
 * @param external where bytes outside PostgreSQL are read; null when there is no such place
 */
export async function findXComValue(client: Pick<pg.Client, 'query'>, query: XComQuery, external: ValueReader | null): Promise<string | null> {
  const run = query.runId === null ? query.run : await findRun(client, query.dagId, query.runId);
  if (run === null) return null;
  const named = [run, query.taskId, query.key, query.mapIndex];
  const { rows } = await client.query(query.withPriorRuns === true
    ? { name: 'findPriorXCom', text: READ_PRIOR, values: [...named, query.dagId, query.mapIndex === null ? LIMITS.maxDagTasks : 1] }
    : { name: 'findXCom', text: READ, values: named });
  const bytes = await readBytes(external, rows as (ValueRow & { map_index: number })[], (row) => `${query.taskId}[${row.map_index}].${query.key}`);
  const values = bytes.map((value) => value.toString('utf8'));
  if (query.mapIndex !== null) return values[0] ?? null;
  return values.length === 0 ? null : `[${values.join(',')}]`;
}

async function findRun(client: Pick<pg.Client, 'query'>, dagId: string, runId: string): Promise<string | null> {
  const { rows } = await client.query({ name: 'findXComRun', text: FIND_RUN, values: [dagId, runId] });
  return (rows as { id: string }[])[0]?.id ?? null;
}
