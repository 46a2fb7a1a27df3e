// The table triggers as it is read: the waits of a run for its planner, one for people.
import type pg from 'pg';
import type { ExecutionId, TriggerId } from '#contract/ids.ts';
import type { TriggerWait } from '#core/run-snapshot.ts';

type Query = Pick<pg.Client, 'query'>;

/** A wait with the instance that it belongs to. */
interface WaitOfInstance { readonly taskId: string; readonly mapIndex: number; readonly wait: TriggerWait }

/** States of a try that may wait for a trigger, or goes on after one: of no other a row is kept. */
export const MAY_WAIT: ReadonlySet<string> = new Set(['deferred', 'scheduled', 'queued', 'running']);

interface RawTrigger {
  id: TriggerId; task_id: string; map_index: number; execution_id: ExecutionId | null; classpath: string; kwargs: string; queue: string | null; next_method: string; next_kwargs: string;
  resumed: boolean; timeout_at: Date | null; created_at: Date;
}

const COLUMNS = 'id, task_id, map_index, execution_id, classpath, kwargs, queue, next_method, next_kwargs, resumed, timeout_at, created_at';
const LIST = `/* store/triggers.list */
select ${COLUMNS} from triggers where run = $1`;
const FIND = `/* store/triggers.find */
select ${COLUMNS}, host_pid, hosts from triggers where run = $1 and task_id = $2 and map_index = $3`;

/** Waits for triggers of one run, those included that are over and whose execution has not ended. */
export async function listWaits(client: Query, run: string): Promise<WaitOfInstance[]> {
  const { rows } = await client.query({ name: 'listWaits', text: LIST, values: [run] });
  return (rows as RawTrigger[]).map((row) => ({ taskId: row.task_id, mapIndex: row.map_index, wait: fromRow(row) }));
}

/** The wait of one instance, with the process that said last that it runs its trigger, and how many have said so; null when it waits for none. */
export async function findWait(client: Query, of: { run: string; taskId: string; mapIndex: number }): Promise<(TriggerWait & { readonly hostPid: number | null; readonly hosts: number }) | null> {
  const { rows } = await client.query(FIND, [of.run, of.taskId, of.mapIndex]);
  const [row] = rows as (RawTrigger & { host_pid: number | null; hosts: number })[];
  return row === undefined ? null : { ...fromRow(row), hostPid: row.host_pid, hosts: row.hosts };
}

/** A host said that it runs these. */
export async function noteHost(client: Query, ids: readonly TriggerId[], pid: number): Promise<void> {
  await client.query('/* store/triggers.noteHost */ update triggers set host_pid = $2, hosts = hosts + 1 where id = any($1::uuid[]) and host_pid is distinct from $2', [ids, pid]);
}

/** Nobody waits any more: what these instances had deferred to is gone. For people’s actions, whose leader is told. */
export async function dropWaits(client: Query, of: readonly { run: string; taskId: string; mapIndex: number }[]): Promise<void> {
  const keys = JSON.stringify(of.map((ref) => ({ run: ref.run, task_id: ref.taskId, map_index: ref.mapIndex })));
  await client.query(`/* store/triggers.drop */ delete from triggers t using json_to_recordset($1) as x(run uuid, task_id text, map_index int)
    where t.run = x.run and t.task_id = x.task_id and t.map_index = x.map_index`, [keys]);
}

function fromRow(row: RawTrigger): TriggerWait {
  return {
    id: row.id, executionId: row.execution_id, classpath: row.classpath, kwargs: row.kwargs, queue: row.queue, nextMethod: row.next_method, nextKwargs: row.next_kwargs,
    createdAt: row.created_at.getTime(), timeoutAt: row.timeout_at?.getTime() ?? null, isOver: row.resumed,
  };
}
