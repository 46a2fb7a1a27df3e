// XComs that are written while their task runs, or just after: each in a statement of its own, as long as the try is still the instance's and the leader leads.
import type pg from 'pg';
import type { AttemptId } from '#contract/ids.ts';
import type { XComWrite } from './task-attempts.ts';

type Query = Pick<pg.Client, 'query'>;

/** Whose value it is, and by whose word it is written. */
interface Owner { readonly epoch: number; readonly run: string; readonly taskId: string; readonly mapIndex: number; readonly attemptId: AttemptId }

/** `stale`: another try has begun, or the run is gone. `not_leading`: another server leads. Nothing was written either way. */
export type PushResult = 'written' | 'stale' | 'not_leading';

// The shared locks make a new leader, and whoever clears the task, wait for the write or come before it.
const OWNER = `fence as (select 1 from leader where epoch = $1 for share),
owner as (select 1 from task_instances where run = $2 and task_id = $3 and map_index = $4 and attempt_id = $5 for share)`;
const COUNTS = '(select count(*)::int from fence) as leads, (select count(*)::int from owner) as owns';
const PUSH = `/* store/pushed-xcoms.push */
with ${OWNER}, x as (
  insert into xcoms (run, task_id, map_index, key, attempt_id, sha256, size_bytes, mapped_length, store, location, expires_at)
  select $2, $3, $4, $6, $5, decode($7, 'base64'), $8, $9, case when $10::text is null then 'postgres' else 'redis' end, $10, clock_timestamp() + make_interval(secs => $11) from fence, owner
  on conflict (run, task_id, key, map_index) do update set attempt_id = excluded.attempt_id, sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
    mapped_length = excluded.mapped_length, store = excluded.store, location = excluded.location, expires_at = excluded.expires_at, created_at = clock_timestamp()
), v as (
  insert into xcom_values (run, task_id, map_index, key, value) select $2, $3, $4, $6, decode($12, 'base64') from fence, owner where $12::text is not null
  on conflict (run, task_id, key, map_index) do update set value = excluded.value
)
select ${COUNTS}`;
const DELETE = `/* store/pushed-xcoms.delete */
with ${OWNER}, x as (
  delete from xcoms using fence, owner where run = $2 and task_id = $3 and map_index = $4 and key = $6
), v as (
  delete from xcom_values using fence, owner where run = $2 and task_id = $3 and map_index = $4 and key = $6
)
select ${COUNTS}`;

function ownerValues({ epoch, run, taskId, mapIndex, attemptId }: Owner): unknown[] {
  return [epoch, run, taskId, mapIndex, attemptId];
}

function resultOf(rows: unknown[]): PushResult {
  const [row] = rows as { leads: number; owns: number }[];
  if (row === undefined || row.leads === 0) return 'not_leading';
  return row.owns === 0 ? 'stale' : 'written';
}

/** Writes one value, which replaces the one of the same key. */
export async function pushXCom(client: Query, owner: Owner, xcom: Pick<XComWrite, 'key' | 'value' | 'sha256' | 'sizeBytes' | 'location' | 'mappedLength' | 'ttlSeconds'>): Promise<PushResult> {
  const values = [...ownerValues(owner), xcom.key, xcom.sha256, xcom.sizeBytes, xcom.mappedLength, xcom.location, xcom.ttlSeconds, xcom.value];
  return resultOf((await client.query({ name: 'pushXCom', text: PUSH, values })).rows);
}

/** Deletes one value, if there is one. */
export async function deletePushedXCom(client: Query, owner: Owner, key: string): Promise<PushResult> {
  return resultOf((await client.query({ name: 'deletePushedXCom', text: DELETE, values: [...ownerValues(owner), key] })).rows);
}
