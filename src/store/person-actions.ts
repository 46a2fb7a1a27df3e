// What people do to runs and task instances: clear, mark, set a run's state, delete. Each action is one transaction that moves rows by moveTask and wakes the leader.
import type pg from 'pg';
import { LIMITS } from '#contract/config.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { makeUuidV7 } from '#contract/ids.ts';
import { isFinished, type RunState, type TaskState } from '#contract/states.ts';
import { listenersTold } from './callbacks.ts';
import { type Database, isCoded, translateDatabaseError } from './database.ts';
import { readSpecsOn } from './dag-specs.ts';
import { moveQueuedDeadlines } from './deadlines.ts';
import { addVersionSwitch } from './person-version-switch.ts';
import { emptyBatch, type InstanceState, type MoveBatch, moveTask } from './task-attempts.ts';
import { dropWaits, MAY_WAIT } from './triggers.ts';

/** A task instance by its key. */
export interface InstanceRef {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

/** States that a person may give. */
export type MarkedState = 'success' | 'failed' | 'skipped';

/** Everything one action changes. */
interface PersonAction {
  /** Instances that go back to no state, for a new try. */
  readonly clear: readonly InstanceRef[];
  readonly mark: readonly (InstanceRef & { readonly state: MarkedState })[];
  /**
   * Runs that get a state of their own. `queued` touches the run alone. An end also ends its task instances, all that there are at that moment,
   * except unfinished teardowns: while one is pending the run goes on (contract §5.9).
   */
  readonly runs: readonly { readonly id: string; readonly state: 'queued' | 'success' | 'failed' }[];
  /** Finished runs of cleared instances become queued. */
  readonly resetRuns: boolean;
  /** Cleared runs go on with the DAG's current version. */
  readonly useLatestVersion: boolean;
  /** Refuse when an instance to be cleared is running. */
  readonly refuseRunning: boolean;
  readonly by: string;
}

/** An action that changes nothing, to be filled. */
export const NO_ACTION: PersonAction = { clear: [], mark: [], runs: [], resetRuns: true, useLatestVersion: false, refuseRunning: false, by: '' };

/** How an action ended. */
type ActionResult =
  | { readonly kind: 'done' }
  /** `refuseRunning`, and this one runs. */
  | { readonly kind: 'running'; readonly taskId: string };

interface LockedRun { id: string; dag_id: string; state: string; version_id: string; current_version_id: string | null; start_date: Date | null; end_date: Date | null; epoch: number | null }

interface LockedInstance {
  run: string; task_id: string; map_index: number; state: string | null; attempt_id: string | null; execution_id: string | null; try_number: number; max_tries: number;
  scheduled_at: Date | null; start_date: Date | null; end_date: Date | null; skips: unknown; hostname: string | null; pid: number | null; rendered_map_index: string | null;
}

interface KnownAttempt { id: string; try_number: number; start_date: Date | null; scheduled_at: Date | null; hostname: string | null; pid: number | null }

/** What a transaction works on: rows locked, specs read, one moment. */
interface Scene {
  readonly action: PersonAction;
  readonly runs: ReadonlyMap<string, LockedRun>;
  readonly instances: ReadonlyMap<string, LockedInstance>;
  readonly attempts: ReadonlyMap<string, KnownAttempt>;
  readonly specs: ReadonlyMap<string, Dag>;
  readonly now: number;
}

const MAX_TRIES = 5;

/**
 * Carries an action out, all or nothing. Rows are locked first, so the leader's own moves either came before or find themselves stale.
 * Throws `conflict` when it lost against other writers five times.
 */
export async function applyAction(database: Database, action: PersonAction): Promise<ActionResult> {
  if (action.clear.length + action.mark.length > LIMITS.maxDagTasks) throw new AppError('too_large', `the action would change more than ${LIMITS.maxDagTasks} task instances`);
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    const client = await database.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await applyOnce(database, client, action);
      await client.query(result === null || result.kind === 'running' ? 'rollback' : 'commit');
      if (result !== null) return result;
    } catch (error) {
      await client.query('rollback').catch((reason: unknown) => void (broken = reason instanceof Error ? reason : new Error(String(reason))));
      if (!isCoded(error, 'conflict')) throw translateDatabaseError(error);
    } finally {
      client.release(broken);
    }
  }
  throw new AppError('conflict', 'other changes to the same run kept coming in between');
}

/** Null: stale, try again. */
async function applyOnce(database: Database, client: pg.PoolClient, action: PersonAction): Promise<ActionResult | null> {
  const scene = await lockScene(database, client, action);
  const ends = endsOfRuns(scene);
  if (action.refuseRunning) {
    const running = action.clear.map((ref) => scene.instances.get(keyOf(ref))).find((row) => row?.state === 'running');
    if (running !== undefined) return { kind: 'running', taskId: running.task_id };
  }
  const batch = emptyBatch();
  for (const ref of action.clear) clearInstance(scene, batch, ref);
  for (const ref of [...action.mark, ...ends.marks]) markInstance(scene, batch, ref);
  const touched = new Set(action.clear.map((ref) => ref.run));
  for (const run of scene.runs.values()) if (!ends.pending.has(run.id)) moveRun(scene, batch, { run, isCleared: touched.has(run.id) });
  if (action.useLatestVersion) for (const id of touched) await switchRun(scene, batch, { client, id });
  for (const part of splitBatch(batch)) if ((await moveTask(client, null, part)).kind === 'stale') return null;
  const ended = [...action.clear, ...action.mark, ...ends.marks].filter((ref) => MAY_WAIT.has(scene.instances.get(keyOf(ref))?.state ?? ''));
  if (ended.length > 0) await dropWaits(client, ended);
  await client.query(AFTER, [[...scene.runs.values()].map((run) => run.id), [...scene.runs.values()].map((run) => run.epoch), action.resetRuns ? [...touched] : [], queuedRuns(scene)]);
  if (action.resetRuns) await moveQueuedDeadlines(client, [...touched, ...queuedRuns(scene)]);
  await client.query('/* store/person-actions.tell */ select pg_notify(\'leoflow_run\', id::text) from unnest($1::uuid[]) as id', [[...scene.runs.keys()]]);
  return { kind: 'done' };
}

// The batch statement writes the caller's epoch, which a person has none of: null would say that the run's instances do not exist yet.
const AFTER = `/* store/person-actions.after */
update dag_runs d set epoch = x.epoch,
  action_number = action_number + 1,
  clear_number = clear_number + case when d.id = any($3::uuid[]) then 1 else 0 end,
  queued_at = case when d.id = any($3::uuid[]) or d.id = any($4::uuid[]) then clock_timestamp() else d.queued_at end,
  last_decision = case when d.id = any($3::uuid[]) then null else d.last_decision end,
  updated_at = clock_timestamp()
from unnest($1::uuid[], $2::bigint[]) as x(id, epoch) where d.id = x.id`;

const LOCK_RUNS = `/* store/person-actions.lockRuns */
select r.id, r.dag_id, r.state, r.version_id, d.version_id as current_version_id, r.start_date, r.end_date, r.epoch
from dag_runs r join dags d using (tenant, dag_id) where r.id = any($1::uuid[]) order by r.id for update of r`;
// One set of keys, not one condition or another: with an `or` PostgreSQL reads the whole table, 200,000 rows to clear one task.
const LOCK_INSTANCES = `/* store/person-actions.lockInstances */
select t.run, t.task_id, t.map_index, t.state, t.attempt_id, t.execution_id, t.try_number, t.max_tries, t.scheduled_at, t.start_date, t.end_date, t.skips, t.hostname, t.pid, t.rendered_map_index
from (
  select x.run, x.task_id, x.map_index from json_to_recordset($1) as x(run uuid, task_id text, map_index int)
  union select own.run, own.task_id, own.map_index from task_instances own where own.run = any($2::uuid[])
) wanted join task_instances t using (run, task_id, map_index)
order by t.run, t.task_id, t.map_index for update of t`;
const READ_ATTEMPTS = `/* store/person-actions.attempts */
select id, try_number, start_date, scheduled_at, hostname, pid from task_attempts where id = any($1::uuid[])`;

async function lockScene(database: Database, client: pg.PoolClient, action: PersonAction): Promise<Scene> {
  const refs = [...action.clear, ...action.mark];
  const runIds = [...new Set([...refs.map((ref) => ref.run), ...action.runs.map((run) => run.id)])];
  const runs = (await client.query(LOCK_RUNS, [runIds])).rows as LockedRun[];
  const ended = action.runs.flatMap((run) => (run.state === 'queued' ? [] : [run.id]));
  const instances = (await client.query(LOCK_INSTANCES, [JSON.stringify(refs.map((ref) => ({ run: ref.run, task_id: ref.taskId, map_index: ref.mapIndex }))), ended])).rows as LockedInstance[];
  const open = instances.flatMap((row) => (row.attempt_id === null || isFinished(row.state as TaskState) ? [] : [row.attempt_id]));
  const attempts = open.length === 0 ? [] : ((await client.query(READ_ATTEMPTS, [open])).rows as KnownAttempt[]);
  const specs = await readSpecsOn(database, client, runs.flatMap((run) => [run.version_id, ...(action.useLatestVersion ? [run.current_version_id] : [])]));
  return {
    action, specs, now: database.clock.nowMs(),
    runs: new Map(runs.map((run) => [run.id, run])),
    instances: new Map(instances.map((row) => [keyOf({ run: row.run, taskId: row.task_id, mapIndex: row.map_index }), row])),
    attempts: new Map(attempts.map((attempt) => [attempt.id, attempt])),
  };
}

function keyOf(ref: InstanceRef): string {
  return `${ref.run}\0${ref.taskId}\0${ref.mapIndex}`;
}

const ms = (date: Date | null): number | null => (date === null ? null : date.getTime());

/** The part of an instance that neither clearing nor marking changes. */
function kept(row: LockedInstance): Pick<InstanceState, 'mapIndex' | 'tryNumber' | 'renderedMapIndex'> {
  return { mapIndex: row.map_index, tryNumber: row.try_number, renderedMapIndex: row.rendered_map_index };
}

/** What the end of a run does to its instances, and runs that must go on for a teardown. Decided on locked rows: what starts meanwhile is either seen here or undone. */
function endsOfRuns(scene: Scene): { readonly marks: readonly (InstanceRef & { readonly state: MarkedState })[]; readonly pending: ReadonlySet<string> } {
  const marks: (InstanceRef & { readonly state: MarkedState })[] = [];
  const pending = new Set<string>();
  const named = new Set(scene.action.mark.map(keyOf));
  for (const { id, state } of scene.action.runs) {
    if (state === 'queued') continue;
    const teardowns = new Set(scene.specs.get(scene.runs.get(id)?.version_id ?? '')?.tasks.flatMap((task) => (task.is_teardown === true ? [task.task_id] : [])));
    for (const row of scene.instances.values()) {
      const ref = { run: row.run, taskId: row.task_id, mapIndex: row.map_index };
      const to = markFor(row.state as TaskState, state);
      if (row.run !== id || named.has(keyOf(ref))) continue;
      if (teardowns.has(row.task_id) && !isFinished(row.state as TaskState)) pending.add(id);
      else if (to !== null) marks.push({ ...ref, state: to });
    }
  }
  return { marks, pending };
}

const IN_HAND: readonly TaskState[] = ['running', 'deferred', 'up_for_reschedule'];

function markFor(current: TaskState, run: 'success' | 'failed'): MarkedState | null {
  if (run === 'success') return current === 'success' ? null : 'success';
  if (isFinished(current)) return null;
  return IN_HAND.includes(current) ? 'failed' : 'skipped';
}

function clearInstance(scene: Scene, batch: MoveBatch, ref: InstanceRef): void {
  const row = scene.instances.get(keyOf(ref));
  if (row === undefined) return;
  endRunning(scene, batch, { row, attemptState: 'failed', detail: `cleared by ${scene.action.by}` });
  const run = scene.runs.get(row.run);
  const spec = run === undefined ? undefined : scene.specs.get((scene.action.useLatestVersion ? run.current_version_id : run.version_id) ?? '');
  const task = spec?.tasks.find((each) => each.task_id === row.task_id);
  push(batch, row, {
    ...kept(row), state: null, finished: false, attemptId: null, executionId: null, infraFailures: 0, scheduledAt: null, startDate: null, endDate: null, wakeAt: null, skips: null,
    cause: null, reason: null, hostname: null, pid: null,
    // A task that the DAG no longer has keeps what it had (contract §5.9).
    maxTries: task === undefined ? Math.max(row.max_tries, row.try_number) : row.try_number + (task.retries ?? 0),
  });
  record(scene, batch, { row, to: null, detail: `cleared by ${scene.action.by}` });
}

function markInstance(scene: Scene, batch: MoveBatch, mark: InstanceRef & { readonly state: MarkedState }): void {
  const row = scene.instances.get(keyOf(mark));
  if (row === undefined || row.state === mark.state) return;
  const detail = `marked ${mark.state} by ${scene.action.by}`;
  endRunning(scene, batch, { row, attemptState: mark.state, detail });
  push(batch, row, {
    ...kept(row), state: mark.state, finished: true, attemptId: row.attempt_id, executionId: null, infraFailures: 0, scheduledAt: ms(row.scheduled_at),
    startDate: ms(row.start_date) ?? scene.now, endDate: scene.now, wakeAt: null, skips: row.skips === null ? null : JSON.stringify(row.skips), cause: null, reason: detail,
    hostname: row.hostname, pid: row.pid, maxTries: row.max_tries,
  });
  record(scene, batch, { row, to: mark.state, detail });
}

/** Closes the execution and the try of an instance that is not finished. Its process is stopped by the leader, which the notice wakes. */
function endRunning(scene: Scene, batch: MoveBatch, end: { row: LockedInstance; attemptState: MarkedState; detail: string }): void {
  const { row } = end;
  if (isFinished(row.state as TaskState)) return;
  // One that waits for its retry, or to be started again, names the execution before, which is closed.
  if (row.state === 'running' && row.execution_id !== null) batch.ended.push({ id: row.execution_id, state: 'cancelled', endedAt: scene.now, exitCode: null, signal: null, cause: 'cancelled' });
  const attempt = row.attempt_id === null ? undefined : scene.attempts.get(row.attempt_id);
  if (attempt === undefined) return;
  batch.attempts.push({
    id: attempt.id, run: row.run, taskId: row.task_id, mapIndex: row.map_index, tryNumber: attempt.try_number, state: end.attemptState, startDate: ms(attempt.start_date), endDate: scene.now,
    scheduledAt: ms(attempt.scheduled_at), cause: 'cancelled', error: null, renderedFields: null, hostname: attempt.hostname, pid: attempt.pid,
  });
}

function push(batch: MoveBatch, row: LockedInstance, to: InstanceState): void {
  batch.instances.push({ run: row.run, taskId: row.task_id, fromIndex: row.map_index, fromState: row.state as TaskState, fromExecution: row.execution_id, row: to });
}

function record(scene: Scene, batch: MoveBatch, move: { row: LockedInstance; to: TaskState; detail: string }): void {
  const { row } = move;
  batch.events.push({
    run: row.run, taskId: row.task_id, mapIndex: row.map_index, attemptId: row.attempt_id, executionId: row.execution_id, from: row.state as TaskState, to: move.to, at: scene.now,
    cause: null, detail: move.detail,
  });
}

/** A state of its own, else queued again when the run was finished and something of it was cleared. */
function moveRun(scene: Scene, batch: MoveBatch, at: { run: LockedRun; isCleared: boolean }): void {
  const { run } = at;
  const own = scene.action.runs.find((each) => each.id === run.id)?.state;
  const isFinishedRun = run.state === 'success' || run.state === 'failed';
  const state = own ?? (at.isCleared && scene.action.resetRuns && isFinishedRun ? 'queued' : null);
  if (state === null) return;
  const isEnd = state !== 'queued';
  const endDate = isEnd ? scene.now : null;
  batch.runs.push({ id: run.id, from: run.state as RunState, state, startDate: isEnd ? (ms(run.start_date) ?? scene.now) : null, endDate });
  const dag = scene.specs.get(run.version_id);
  // Airflow says no more of an end that a person gave.
  if (dag !== undefined) batch.callbacks.push(...listenersTold(dag, { id: run.id, versionId: run.version_id, state, endDate }, { msg: '', at: scene.now, makeId: () => makeUuidV7(scene.now) }));
}

function queuedRuns(scene: Scene): string[] {
  return scene.action.runs.filter((run) => run.state === 'queued').map((run) => run.id);
}

async function switchRun(scene: Scene, batch: MoveBatch, at: { client: pg.PoolClient; id: string }): Promise<void> {
  const run = scene.runs.get(at.id);
  const spec = run?.current_version_id === undefined || run.current_version_id === null ? undefined : scene.specs.get(run.current_version_id);
  if (run === undefined || spec === undefined || run.current_version_id === run.version_id) return;
  await addVersionSwitch(at.client, batch, { run: run.id, versionId: run.current_version_id ?? run.version_id, spec });
}

/** A batch in parts of the size that one statement takes. Runs move with the first. */
function splitBatch(batch: MoveBatch): MoveBatch[] {
  const size = LIMITS.maxBatchOperations;
  const longest = Math.max(batch.instances.length, batch.newInstances.length, batch.attempts.length, batch.ended.length, batch.events.length, 1);
  return Array.from({ length: Math.ceil(longest / size) }, (_, index) => {
    const slice = <R>(rows: readonly R[]): R[] => rows.slice(index * size, (index + 1) * size);
    return {
      ...emptyBatch(), runs: index === 0 ? batch.runs : [], callbacks: index === 0 ? batch.callbacks : [], instances: slice(batch.instances), newInstances: slice(batch.newInstances), attempts: slice(batch.attempts),
      ended: slice(batch.ended), events: slice(batch.events),
    };
  });
}
