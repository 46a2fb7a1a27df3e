// `moveTask`: the only writer of a task instance's state, with everything that belongs to the same moment in one statement.
import type pg from 'pg';
import type { Cause, ExecutionState, RunState, TaskState } from '#contract/states.ts';
import { isCoded } from './database.ts';
import { type AssetEventWrite, type CallbackWrite, type DeadlinesMet, type DeadlineWrite, RARE_PARTS, type TriggerWrite } from './rare-parts.ts';

/** A run's new state. `from` is the state it must be in. Times are epoch milliseconds. */
interface RunMove {
  readonly id: string;
  readonly from: RunState;
  readonly state: RunState;
  readonly startDate: number | null;
  readonly endDate: number | null;
  /** How often people had acted on the run when this was decided; null: no matter. What they cleared or marked since would be left in a run that is over. */
  readonly actionNumber?: number | null;
}

/** An instance's whole row after the move. `from…` is what the row must still hold. */
export interface InstanceMove {
  readonly run: string;
  readonly taskId: string;
  readonly fromIndex: number;
  readonly fromState: TaskState;
  readonly fromExecution: string | null;
  readonly row: InstanceState;
}

/** Times are epoch milliseconds, `skips` JSON text of a SkipDecision. `mapIndex` −1 means not mapped. */
export interface InstanceState {
  readonly mapIndex: number;
  readonly state: TaskState;
  readonly finished: boolean;
  readonly attemptId: string | null;
  readonly executionId: string | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly infraFailures: number;
  readonly scheduledAt: number | null;
  readonly startDate: number | null;
  readonly endDate: number | null;
  readonly wakeAt: number | null;
  readonly skips: string | null;
  readonly cause: Cause | null;
  readonly reason: string | null;
  readonly hostname: string | null;
  readonly pid: number | null;
  readonly renderedMapIndex: string | null;
}

/** A row that is not there yet; if it is, the batch is stale. */
export interface NewInstance extends InstanceState {
  readonly run: string;
  readonly taskId: string;
  readonly operator: string;
  readonly pool: string;
  readonly poolSlots: number;
  readonly queue: string;
  readonly priorityWeight: number;
}

/** One try. `error` and `renderedFields` are JSON text; null keeps what is stored. Times are epoch milliseconds. */
export interface AttemptWrite {
  readonly id: string;
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
  readonly state: TaskState;
  readonly startDate: number | null;
  readonly endDate: number | null;
  readonly scheduledAt: number | null;
  readonly cause: Cause | null;
  readonly error: string | null;
  readonly renderedFields: string | null;
  readonly hostname: string | null;
  readonly pid: number | null;
}

/** The row that must be durable before its process may begin. `handle` names the runtime object, `startedAt` is epoch milliseconds. */
export interface ExecutionStart {
  readonly id: string;
  readonly attemptId: string;
  readonly run: string;
  readonly state: ExecutionState;
  readonly executor: string;
  readonly host: string;
  readonly handle: string;
  readonly pid: number | null;
  /** SHA-256 of the token, base64. */
  readonly tokenHash: string;
  readonly startedAt: number;
}

/** Closes an execution once: if it is closed already, the batch is stale. `endedAt` is epoch milliseconds. */
export interface ExecutionEnd {
  readonly id: string;
  readonly state: ExecutionState;
  readonly endedAt: number;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly cause: Cause | null;
}

/** History for people; nothing is decided on it. `at` is epoch milliseconds. */
export interface AttemptEvent {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly attemptId: string | null;
  readonly executionId: string | null;
  readonly from: TaskState;
  readonly to: TaskState;
  readonly at: number;
  readonly cause: Cause | null;
  readonly detail: string | null;
}

/** Replaces the value of the same run, task, index and key. `mappedLength` is null unless the value is a list or a dict. Either `value` or `location` is given. */
export interface XComWrite {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly key: string;
  readonly attemptId: string;
  /** Base64 of the value's bytes; null when they lie outside PostgreSQL. */
  readonly value: string | null;
  /** Base64. */
  readonly sha256: string;
  /** Name of bytes that are outside PostgreSQL already, else null. */
  readonly location: string | null;
  /** Life of the value from its commit on; null: as long as its run. */
  readonly ttlSeconds: number | null;
  readonly sizeBytes: number;
  readonly mappedLength: number | null;
}

/** Everything that happens at one moment. All of it is stored, or nothing. */
export interface MoveBatch {
  readonly runs: RunMove[];
  readonly newInstances: NewInstance[];
  readonly instances: InstanceMove[];
  /** Tries by id: made when new, else brought up to date. */
  readonly attempts: AttemptWrite[];
  readonly started: ExecutionStart[];
  readonly ended: ExecutionEnd[];
  readonly events: AttemptEvent[];
  readonly xcoms: XComWrite[];
  /** Instances whose values of earlier tries go, because a new try starts. */
  readonly purge: { readonly run: string; readonly taskId: string; readonly mapIndex: number }[];
  readonly waits: TriggerWrite[];
  /** Waits that are over: each once, or the batch is stale. */
  readonly resumed: Pick<TriggerWrite, 'id' | 'nextMethod' | 'nextKwargs'>[];
  /** Waits that nobody needs any more; one that is gone already makes the batch stale. */
  readonly dropped: Pick<TriggerWrite, 'id'>[];
  readonly assetEvents: AssetEventWrite[];
  readonly callbacks: CallbackWrite[];
  readonly deadlines: DeadlineWrite[];
  readonly deadlinesMet: DeadlinesMet[];
}

/** An empty batch to fill. */
export function emptyBatch(): MoveBatch {
  return { runs: [], newInstances: [], instances: [], attempts: [], started: [], ended: [], events: [], xcoms: [], purge: [], waits: [], resumed: [], dropped: [], assetEvents: [], callbacks: [], deadlines: [], deadlinesMet: [] };
}

/** Nothing in between: a batch is written whole or not at all. */
export type MoveResult =
  | { readonly kind: 'moved' }
  /** A row no longer held what the batch expected, or the epoch is over: nothing was written. */
  | { readonly kind: 'stale' };

// NOTE: all-or-nothing is required. A downstream's start was planned on the success in the same batch, so a miss of one must
// undo the other: the last select divides by zero unless every count fits. json_to_recordset was as fast as unnest of as many arrays.
/** The parts of the batch statement; `@name` stands for the parameter of that name. */
const PARTS = {
  r: `/* store/task-attempts.moveTask */
  update dag_runs d set state = x.state, finished = x.state in ('success', 'failed'), start_date = to_timestamp(x.start_date / 1000), end_date = to_timestamp(x.end_date / 1000),
    epoch = coalesce(@epoch, epoch), last_decision = clock_timestamp(), updated_at = clock_timestamp()
  from json_to_recordset(@runs) as x(id uuid, from_state text, state text, start_date float8, end_date float8, action_number int), fence
  where d.id = x.id and d.state = x.from_state and d.action_number = coalesce(x.action_number, d.action_number) returning 1`,
  ni: `/* store/task-attempts.moveTask */
  insert into task_instances (run, task_id, map_index, state, finished, attempt_id, execution_id, try_number, max_tries, infra_failures, scheduled_at, queued_at,
    start_date, end_date, wake_at, skips, cause, reason, hostname, pid, rendered_map_index, operator, pool, pool_slots, queue, priority_weight)
  select x.run, x.task_id, x.map_index, x.state, x.finished, x.attempt_id, x.execution_id, x.try_number, x.max_tries, x.infra_failures, to_timestamp(x.scheduled_at / 1000),
    to_timestamp(x.scheduled_at / 1000), to_timestamp(x.start_date / 1000), to_timestamp(x.end_date / 1000), to_timestamp(x.wake_at / 1000), x.skips, x.cause, x.reason,
    x.hostname, x.pid, x.rendered_map_index, x.operator, x.pool, x.pool_slots, x.queue, x.priority_weight
  from json_to_recordset(@newInstances) as x(run uuid, task_id text, map_index int, state text, finished bool, attempt_id uuid, execution_id uuid, try_number int, max_tries int,
    infra_failures int, scheduled_at float8, start_date float8, end_date float8, wake_at float8, skips json, cause text, reason text, hostname text, pid int,
    rendered_map_index text, operator text, pool text, pool_slots int, queue text, priority_weight int), fence
  returning 1`,
  ti: `/* store/task-attempts.moveTask */
  update task_instances t set map_index = x.map_index, state = x.state, finished = x.finished, attempt_id = x.attempt_id, execution_id = x.execution_id,
    try_number = x.try_number, max_tries = x.max_tries, infra_failures = x.infra_failures, scheduled_at = to_timestamp(x.scheduled_at / 1000),
    queued_at = to_timestamp(x.scheduled_at / 1000), start_date = to_timestamp(x.start_date / 1000), end_date = to_timestamp(x.end_date / 1000),
    wake_at = to_timestamp(x.wake_at / 1000), skips = x.skips, cause = x.cause, reason = x.reason, hostname = x.hostname, pid = x.pid,
    rendered_map_index = x.rendered_map_index, updated_at = clock_timestamp()
  from json_to_recordset(@instances) as x(run uuid, task_id text, from_index int, from_state text, from_execution uuid, map_index int, state text, finished bool, attempt_id uuid,
    execution_id uuid, try_number int, max_tries int, infra_failures int, scheduled_at float8, start_date float8, end_date float8, wake_at float8, skips json, cause text,
    reason text, hostname text, pid int, rendered_map_index text), fence
  where t.run = x.run and t.task_id = x.task_id and t.map_index = x.from_index
    and t.state is not distinct from x.from_state and t.execution_id is not distinct from x.from_execution
  returning 1`,
  a: `/* store/task-attempts.moveTask */
  insert into task_attempts as old (id, run, task_id, map_index, try_number, state, start_date, end_date, scheduled_at, queued_at, cause, error, rendered_fields, hostname, pid)
  select x.id, x.run, x.task_id, x.map_index, x.try_number, x.state, to_timestamp(x.start_date / 1000), to_timestamp(x.end_date / 1000), to_timestamp(x.scheduled_at / 1000),
    to_timestamp(x.scheduled_at / 1000), x.cause, x.error, x.rendered_fields, x.hostname, x.pid
  from json_to_recordset(@attempts) as x(id uuid, run uuid, task_id text, map_index int, try_number int, state text, start_date float8, end_date float8, scheduled_at float8,
    cause text, error json, rendered_fields json, hostname text, pid int), fence
  on conflict (id) do update set state = excluded.state, start_date = excluded.start_date, end_date = excluded.end_date, cause = excluded.cause,
    error = coalesce(excluded.error, old.error), rendered_fields = coalesce(excluded.rendered_fields, old.rendered_fields), hostname = excluded.hostname, pid = excluded.pid
  returning 1`,
  es: `/* store/task-attempts.moveTask */
  insert into executions (id, attempt_id, run, state, executor, host, handle, pid, token_hash, started_at, heartbeat_at)
  select x.id, x.attempt_id, x.run, x.state, x.executor, x.host, x.handle, x.pid, decode(x.token_hash, 'base64'), to_timestamp(x.started_at / 1000), to_timestamp(x.started_at / 1000)
  from json_to_recordset(@started) as x(id uuid, attempt_id uuid, run uuid, state text, executor text, host text, handle text, pid int, token_hash text, started_at float8), fence
  returning 1`,
  ee: `/* store/task-attempts.moveTask */
  update executions e set state = x.state, ended = true, ended_at = to_timestamp(x.ended_at / 1000), exit_code = x.exit_code, signal = x.signal, cause = x.cause
  from json_to_recordset(@ended) as x(id uuid, state text, ended_at float8, exit_code int, signal int, cause text), fence
  where e.id = x.id and not e.ended returning 1`,
  ev: `/* store/task-attempts.moveTask */
  insert into attempt_events (run, task_id, map_index, attempt_id, execution_id, from_state, to_state, epoch, cause, detail, at)
  select x.run, x.task_id, x.map_index, x.attempt_id, x.execution_id, x.from_state, x.to_state, @epoch, x.cause, x.detail, to_timestamp(x.at / 1000)
  from json_to_recordset(@events) as x(run uuid, task_id text, map_index int, attempt_id uuid, execution_id uuid, from_state text, to_state text, cause text, detail text, at float8), fence
  returning 1`,
  xs: `/* store/task-attempts.moveTask */
  insert into xcoms (run, task_id, map_index, key, attempt_id, sha256, size_bytes, mapped_length, store, location, expires_at)
  select x.run, x.task_id, x.map_index, x.key, x.attempt_id, decode(x.sha256, 'base64'), x.size_bytes, x.mapped_length,
    case when x.location is null then 'postgres' else 'redis' end, x.location, clock_timestamp() + make_interval(secs => x.ttl)
  from json_to_recordset(@xcoms) as x(run uuid, task_id text, map_index int, key text, attempt_id uuid, sha256 text, size_bytes int, mapped_length int, location text, ttl float8), fence
  on conflict (run, task_id, key, map_index) do update set attempt_id = excluded.attempt_id, sha256 = excluded.sha256, size_bytes = excluded.size_bytes,
    mapped_length = excluded.mapped_length, store = excluded.store, location = excluded.location, expires_at = excluded.expires_at, created_at = clock_timestamp()
  returning 1`,
  xv: `/* store/task-attempts.moveTask */
  insert into xcom_values (run, task_id, map_index, key, value)
  select x.run, x.task_id, x.map_index, x.key, decode(x.value, 'base64')
  from json_to_recordset(@xcoms) as x(run uuid, task_id text, map_index int, key text, value text), fence where x.value is not null
  on conflict (run, task_id, key, map_index) do update set value = excluded.value
  returning 1`,
  px: `/* store/task-attempts.moveTask */
  delete from xcoms t using json_to_recordset(@purge) as x(run uuid, task_id text, map_index int), fence
  where t.run = x.run and t.task_id = x.task_id and t.map_index = x.map_index`,
  pv: `/* store/task-attempts.moveTask */
  delete from xcom_values t using json_to_recordset(@purge) as x(run uuid, task_id text, map_index int), fence
  where t.run = x.run and t.task_id = x.task_id and t.map_index = x.map_index`,
  ...RARE_PARTS,
} as const;

type Part = keyof typeof PARTS;
/** Parts whose rows must be as many as were asked for, with their parameter. */
const COUNTED: Partial<Record<Part, keyof MoveBatch>> = { r: 'runs', ni: 'newInstances', ti: 'instances', es: 'started', ee: 'ended', wb: 'waits', wr: 'resumed', wd: 'dropped', ae: 'assetEvents', cb: 'callbacks', dn: 'deadlines' };

interface Statement { readonly name: string; readonly text: string; readonly parameters: readonly (keyof MoveBatch)[] }

/** Puts parts together. Made once each, when this file is loaded. */
function statementOf(name: string, parts: readonly Part[]): Statement {
  const counts = parts.flatMap((part) => (COUNTED[part] === undefined ? [] : [`(select count(*) from ${part}) = json_array_length(@${COUNTED[part]})`]));
  const text = `/* store/task-attempts.moveTask */
with fence as (
  select 1 from leader where @epoch::bigint is null or epoch = @epoch for share
), ${parts.map((part) => `${part} as (${PARTS[part]}\n)`).join(', ')}
select 1 / (case when (select count(*) from fence) = 1 and ${counts.join(' and ')} then 1 else 0 end) as moved`;
  const parameters: (keyof MoveBatch)[] = [];
  const numbered = text.replace(/@(\w+)/g, (_, parameter: 'epoch' | keyof MoveBatch) => {
    if (parameter === 'epoch') return '$1';
    if (!parameters.includes(parameter)) parameters.push(parameter);
    return `$${parameters.indexOf(parameter) + 2}`;
  });
  return { name, text: numbered, parameters };
}

const WHOLE = statementOf('moveTask', ['r', 'ni', 'ti', 'a', 'es', 'ee', 'ev', 'xs', 'xv', 'px', 'pv']);
/** The most frequent batch: tasks end and others begin, and nothing else. Every part costs some 40 µs although it has no rows. */
const HOP = statementOf('moveTaskHop', ['ti', 'a', 'es', 'ee', 'ev', 'xs', 'xv']);
/** With waits for triggers, events of assets, callbacks and deadlines, which most runs never have. */
const EVERYTHING = statementOf('moveTaskAndMore', ['r', 'ni', 'ti', 'a', 'es', 'ee', 'ev', 'xs', 'xv', 'px', 'pv', 'wb', 'wr', 'wd', 'an', 'al', 'aa', 'ae', 'aq', 'cb', 'dn', 'dm']);

/** What only the statement with everything writes. */
const RARE = ['waits', 'resumed', 'dropped', 'assetEvents', 'callbacks', 'deadlines', 'deadlinesMet'] as const satisfies readonly (keyof MoveBatch)[];

function statementFor(batch: MoveBatch): Statement {
  if (RARE.some((part) => batch[part].length > 0)) return EVERYTHING;
  return batch.runs.length + batch.newInstances.length + batch.purge.length === 0 ? HOP : WHOLE;
}

/**
 * Writes a batch in one statement, one commit.
 * @param epoch the leader's fence; null for a person's action, which is held by the expected states alone
 */
export async function moveTask(client: Pick<pg.Client, 'query'>, epoch: number | null, batch: MoveBatch): Promise<MoveResult> {
  try {
    const { name, text, parameters } = statementFor(batch);
    await client.query({ name, text, values: [epoch, ...parameters.map((parameter) => JSON.stringify(PARAMETERS[parameter](batch)))] });
    return { kind: 'moved' };
  } catch (error) {
    if (isMiss(error)) return { kind: 'stale' };
    throw error;
  }
}

/** A count did not fit, a row that this batch makes is there already, or another writer won. */
function isMiss(error: unknown): boolean {
  return isCoded(error, 'division_by_zero', 'duplicate', 'conflict');
}

/** The rows of each parameter, as the statement's columns name them. */
const PARAMETERS: { readonly [K in keyof MoveBatch]: (batch: MoveBatch) => readonly unknown[] } = {
  runs: (batch) => batch.runs.map((x) => ({ id: x.id, from_state: x.from, state: x.state, start_date: x.startDate, end_date: x.endDate, action_number: x.actionNumber ?? null })),
  newInstances: (batch) => batch.newInstances.map((x) => ({
    run: x.run, task_id: x.taskId, ...instanceColumns(x), operator: x.operator, pool: x.pool, pool_slots: x.poolSlots, queue: x.queue, priority_weight: x.priorityWeight,
  })),
  instances: (batch) => batch.instances.map((x) => ({
    run: x.run, task_id: x.taskId, from_index: x.fromIndex, from_state: x.fromState, from_execution: x.fromExecution, ...instanceColumns(x.row),
  })),
  attempts: (batch) => batch.attempts.map((x) => ({
    id: x.id, run: x.run, task_id: x.taskId, map_index: x.mapIndex, try_number: x.tryNumber, state: x.state, start_date: x.startDate, end_date: x.endDate,
    scheduled_at: x.scheduledAt, cause: x.cause, error: parsed(x.error), rendered_fields: parsed(x.renderedFields), hostname: x.hostname, pid: x.pid,
  })),
  started: (batch) => batch.started.map((x) => ({
    id: x.id, attempt_id: x.attemptId, run: x.run, state: x.state, executor: x.executor, host: x.host, handle: x.handle, pid: x.pid, token_hash: x.tokenHash, started_at: x.startedAt,
  })),
  ended: (batch) => batch.ended.map((x) => ({ id: x.id, state: x.state, ended_at: x.endedAt, exit_code: x.exitCode, signal: x.signal, cause: x.cause })),
  events: (batch) => batch.events.map((x) => ({
    run: x.run, task_id: x.taskId, map_index: x.mapIndex, attempt_id: x.attemptId, execution_id: x.executionId, from_state: x.from, to_state: x.to, cause: x.cause, detail: x.detail, at: x.at,
  })),
  xcoms: (batch) => batch.xcoms.map((x) => ({
    run: x.run, task_id: x.taskId, map_index: x.mapIndex, key: x.key, attempt_id: x.attemptId, sha256: x.sha256, size_bytes: x.sizeBytes, mapped_length: x.mappedLength, value: x.value,
    ...(x.location === null ? {} : { location: x.location }), ...(x.ttlSeconds === null ? {} : { ttl: x.ttlSeconds }),
  })),
  purge: (batch) => batch.purge.map((x) => ({ run: x.run, task_id: x.taskId, map_index: x.mapIndex })),
  waits: (batch) => batch.waits.map((x) => ({
    id: x.id, run: x.run, task_id: x.taskId, map_index: x.mapIndex, attempt_id: x.attemptId, execution_id: x.executionId, classpath: x.classpath, kwargs: x.kwargs,
    next_method: x.nextMethod, next_kwargs: x.nextKwargs, queue: x.queue, resumed: x.resumed, timeout_at: x.timeoutAt, created_at: x.createdAt,
  })),
  resumed: (batch) => batch.resumed.map((x) => ({ id: x.id, next_method: x.nextMethod, next_kwargs: x.nextKwargs })),
  dropped: (batch) => batch.dropped.map((x) => ({ id: x.id })),
  assetEvents: (batch) => batch.assetEvents.map((x) => ({
    name: x.name, uri: x.uri, asset_group: x.group, extra: parsed(x.extra), asset_extra: parsed(x.assetExtra), aliases: x.aliases, run: x.run, task_id: x.taskId, map_index: x.mapIndex,
    try_number: x.tryNumber, at: x.at,
  })),
  callbacks: (batch) => batch.callbacks.map((x) => ({
    id: x.id, run: x.run, version_id: x.versionId, kind: x.kind, task_id: x.taskId, map_index: x.mapIndex, attempt_id: x.attemptId, execution_id: x.executionId, try_number: x.tryNumber,
    max_tries: x.maxTries, request: parsed(x.request), at: x.at,
  })),
  deadlines: (batch) => batch.deadlines.map((x) => ({
    id: x.id, run: x.run, reference: x.reference, interval_seconds: x.intervalSeconds, callback: parsed(x.callback), deadline_at: x.deadlineAt, at: x.at,
  })),
  deadlinesMet: (batch) => batch.deadlinesMet.map((x) => ({ run: x.run, at: x.at })),
};

function instanceColumns(x: InstanceState): Record<string, unknown> {
  return {
    map_index: x.mapIndex, state: x.state, finished: x.finished, attempt_id: x.attemptId, execution_id: x.executionId, try_number: x.tryNumber, max_tries: x.maxTries,
    infra_failures: x.infraFailures, scheduled_at: x.scheduledAt, start_date: x.startDate, end_date: x.endDate, wake_at: x.wakeAt, skips: parsed(x.skips), cause: x.cause,
    reason: x.reason, hostname: x.hostname, pid: x.pid, rendered_map_index: x.renderedMapIndex,
  };
}

/** JSON columns arrive as text and must not be quoted twice. */
function parsed(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}
