// The XComs of a mapped task as a sequence by map index: how many there are, and a stretch of them.
import { createHash } from 'node:crypto';
import { LIMITS } from '#contract/config.ts';
import type { ValueReader } from '#contract/value-store.ts';
import type { Database } from './database.ts';
import { readBytes, type ValueRow } from './value-bytes.ts';

/** The values that a task pushed under a key. */
export interface XComSequence {
  readonly run: string;
  readonly taskId: string;
  readonly key: string;
  /** Values of the DAG's runs up to this one's date count as well. */
  readonly withPriorRuns: boolean;
  /** JSON nulls do not count. */
  readonly skipsNulls: boolean;
}

const NULL_HASH = createHash('sha256').update('null').digest();
const OWN = 'runs as (select id, logical_date from dag_runs where id = $1)';
// A run without a logical date stands where it could begin. Apart from the own run: a choice of both in one statement reads all runs of the DAG for each value.
const PRIOR = `runs as (
  select r.id, r.logical_date from dag_runs own join dag_runs r on r.tenant = own.tenant and r.dag_id = own.dag_id and coalesce(r.logical_date, r.run_after) <= coalesce(own.logical_date, own.run_after)
  where own.id = $1
)`;
const COUNTED = `count(*)::int as total from runs r join xcoms x on x.run = r.id where x.task_id = $2 and x.key = $3 and (not $4 or x.sha256 <> $5)`;
// Bytes are read for the stretch only.
const VALUES = `p.map_index, p.sha256, p.size_bytes, p.location, p.expires_at < clock_timestamp() as expired, v.value
from (
  select x.*, r.logical_date from runs r join xcoms x on x.run = r.id where x.task_id = $2 and x.key = $3 and (not $4 or x.sha256 <> $5)
  order by x.map_index, r.logical_date desc, x.created_at desc offset $6 limit $7
) p left join xcom_values v on v.run = p.run and v.task_id = p.task_id and v.key = p.key and v.map_index = p.map_index
order by p.map_index, p.logical_date desc, p.created_at desc`;
const COUNT_OWN = `/* store/xcom-sequences.countOwn */ with ${OWN} select ${COUNTED}`;
const COUNT_PRIOR = `/* store/xcom-sequences.countPrior */ with ${PRIOR} select ${COUNTED}`;
const READ_OWN = `/* store/xcom-sequences.readOwn */ with ${OWN} select ${VALUES}`;
const READ_PRIOR = `/* store/xcom-sequences.readPrior */ with ${PRIOR} select ${VALUES}`;

function valuesOf(sequence: XComSequence): unknown[] {
  return [sequence.run, sequence.taskId, sequence.key, sequence.skipsNulls, NULL_HASH];
}

/** How many values there are. */
export async function countSequence(database: Database, sequence: XComSequence): Promise<number> {
  const { rows } = await database.pool.query(sequence.withPriorRuns ? { name: 'countPriorXComs', text: COUNT_PRIOR, values: valuesOf(sequence) } : { name: 'countXComs', text: COUNT_OWN, values: valuesOf(sequence) });
  return (rows as { total: number }[])[0]?.total ?? 0;
}

/**
 * JSON texts of the values from `offset` on, at most `limit` and at most as many as a DAG may have tasks. Throws as `readBytes` does.
 * @param external where bytes outside PostgreSQL are read; null when there is no such place
 */
export async function readSequence(database: Database, sequence: XComSequence, stretch: { readonly offset: number; readonly limit: number; readonly external: ValueReader | null }): Promise<string[]> {
  const values = [...valuesOf(sequence), stretch.offset, Math.min(stretch.limit, LIMITS.maxDagTasks)];
  const { rows } = await database.pool.query(sequence.withPriorRuns ? { name: 'readPriorXComs', text: READ_PRIOR, values } : { name: 'readXComs', text: READ_OWN, values });
  const bytes = await readBytes(stretch.external, rows as (ValueRow & { map_index: number })[], (row) => `${sequence.taskId}[${row.map_index}].${sequence.key}`);
  return bytes.map((value) => value.toString('utf8'));
}

const KEYS = `/* store/xcom-sequences.listKeys */
select distinct key from xcoms where run = $1 and task_id = $2 and ($3::int < 0 or map_index = $3) order by key limit $4`;

/** Keys of what an instance pushed; with a negative index of all instances of its task. */
export async function listPushedKeys(database: Database, instance: { readonly run: string; readonly taskId: string; readonly mapIndex: number }): Promise<string[]> {
  const { rows } = await database.pool.query({ name: 'listPushedKeys', text: KEYS, values: [instance.run, instance.taskId, instance.mapIndex, LIMITS.maxDagTasks] });
  return (rows as { key: string }[]).map((row) => row.key);
}
