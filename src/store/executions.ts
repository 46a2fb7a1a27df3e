// The table executions as the leader reads it: what lives at take-over, and signs of life.
import type pg from 'pg';
import type { AttemptId, ExecutionId, RunUuid } from '#contract/ids.ts';

type Query = Pick<pg.Client, 'query'>;

/** An execution without an end. `handle` names its fork server; `tokenHash` is SHA-256, empty when none was recorded and then equal to no token. */
export interface LiveExecution {
  readonly id: ExecutionId;
  readonly attemptId: AttemptId;
  readonly run: RunUuid;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly host: string | null;
  readonly handle: string | null;
  readonly tokenHash: Buffer;
  /** Epoch milliseconds of the database's clock. */
  readonly startedAt: number;
  /** How long ago it was last heard of, by the database's clock. */
  readonly silentMs: number;
}

const LIST_LIVE = `/* store/executions.listLive */
with live as materialized (
  select id, attempt_id, run, host, handle, token_hash, started_at, extract(epoch from clock_timestamp() - heartbeat_at)::float8 * 1000 as silent_ms from executions where not ended
)
select live.*, coalesce(a.task_id, '') as task_id, coalesce(a.map_index, -1) as map_index from live left join task_attempts a on a.id = live.attempt_id order by live.id`;

/** Executions that nobody has closed: what a new leader asks its executors about. */
export async function listLiveExecutions(client: Query): Promise<LiveExecution[]> {
  const { rows } = await client.query(LIST_LIVE);
  return (rows as { id: ExecutionId; attempt_id: AttemptId; run: RunUuid; task_id: string; map_index: number; host: string | null; handle: string | null; token_hash: Buffer | null; started_at: Date | null; silent_ms: number | null }[]).map((row) => ({
    id: row.id, silentMs: row.silent_ms ?? 0, startedAt: row.started_at?.getTime() ?? Date.UTC(9999, 0), attemptId: row.attempt_id, run: row.run, taskId: row.task_id, mapIndex: row.map_index, host: row.host, handle: row.handle, tokenHash: row.token_hash ?? Buffer.alloc(0),
  }));
}

/** Whose executions these are, for those that were closed while they ran. */
export async function listInstancesOf(client: Query, ids: readonly ExecutionId[]): Promise<{ id: ExecutionId; run: RunUuid; taskId: string; mapIndex: number }[]> {
  if (ids.length === 0) return [];
  const { rows } = await client.query('/* store/executions.instances */ select e.id, e.run, a.task_id, a.map_index from executions e join task_attempts a on a.id = e.attempt_id where e.id = any($1::uuid[]) order by e.id', [ids]);
  return (rows as { id: ExecutionId; run: RunUuid; task_id: string; map_index: number }[]).map((row) => ({ id: row.id, run: row.run, taskId: row.task_id, mapIndex: row.map_index }));
}

/** Records that these executions were heard of now: for people, and for the next leader, who goes on counting from there. */
export async function recordHeartbeats(client: Query, ids: readonly ExecutionId[]): Promise<void> {
  if (ids.length > 0) await client.query('/* store/executions.heartbeat */ update executions set heartbeat_at = clock_timestamp() where id = any($1::uuid[]) and not ended', [ids]);
}

/** What a report is checked against when the leader has no such execution in memory. `state` is an execution’s, not its task’s. */
interface ClosedExecution {
  readonly tokenHash: Buffer;
  readonly isEnded: boolean;
  readonly state: string;
}

/** An execution by id, to answer a report of one that was closed. */
export async function findExecution(client: Query, id: string): Promise<ClosedExecution | null> {
  const { rows } = await client.query('/* store/executions.find */ select token_hash, ended, state from executions where id = $1', [id]);
  const row = (rows as { token_hash: Buffer | null; ended: boolean; state: string }[])[0];
  return row === undefined ? null : { tokenHash: row.token_hash ?? Buffer.alloc(0), isEnded: row.ended, state: row.state };
}

/** Keeps a late report of a closed execution as history. */
export async function recordLateReport(client: Query, id: string, outcome: string): Promise<void> {
  await client.query(`/* store/executions.late */ insert into attempt_events (run, task_id, map_index, attempt_id, execution_id, from_state, to_state, detail)
    select a.run, a.task_id, a.map_index, a.id, e.id, e.state, e.state, $2 from executions e join task_attempts a on a.id = e.attempt_id where e.id = $1`, [id, `late report: ${outcome}`]);
}

/** Executions of one try, oldest first: their logs make up the try's log. */
export async function listExecutionsOf(client: Query, attemptId: string): Promise<ExecutionId[]> {
  const { rows } = await client.query('/* store/executions.listOf */ select id from executions where attempt_id = $1 order by id limit 1000', [attemptId]);
  return (rows as { id: ExecutionId }[]).map((row) => row.id);
}
