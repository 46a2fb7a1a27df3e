// What a run's next commit will hold. Decisions made while a commit is in flight merge here, one row per instance.
import type { AttemptId, TriggerId } from '#contract/ids.ts';
import type { RunState } from '#contract/states.ts';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import type { Origin, Plan } from '#core/plan.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import type { AssetEventWrite, CallbackWrite, DeadlinesMet, DeadlineWrite } from '#store/rare-parts.ts';
import type { AttemptEvent, AttemptWrite, ExecutionEnd, ExecutionStart, MoveBatch, XComWrite } from '#store/task-attempts.ts';
import { instanceState } from './snapshots.ts';

/** How a commit went, for those who wait for it. */
export type CommitResult = { readonly kind: 'moved' } | { readonly kind: 'stale' } | { readonly kind: 'error'; readonly error: unknown };

/** Everything of one run that waits for the next commit, from however many plans. */
export interface PendingRun {
  readonly run: RunSnapshot;
  readonly changes: Map<Instance, Origin>;
  runFrom: RunState | null;
  readonly attempts: Map<AttemptId, AttemptWrite>;
  readonly started: ExecutionStart[];
  readonly ended: ExecutionEnd[];
  readonly events: AttemptEvent[];
  readonly xcoms: XComWrite[];
  readonly purge: Instance[];
  readonly assetEvents: AssetEventWrite[];
  readonly callbacks: CallbackWrite[];
  readonly deadlines: DeadlineWrite[];
  readonly deadlinesMet: DeadlinesMet[];
  /** Rows as they were at the first sending. */
  rows: Rows | null;
  /** Called first after the commit: jobs go out before anything else. */
  readonly launches: (() => void)[];
  /** Called when the commit did not happen: reserved places are given back. */
  readonly releases: (() => void)[];
  /** Called last, with how it went: reports are acknowledged. */
  readonly waiters: ((result: CommitResult) => void)[];
}

/** An empty one. */
export function newPending(run: RunSnapshot): PendingRun {
  return { run, changes: new Map(), runFrom: null, attempts: new Map(), started: [], ended: [], events: [], xcoms: [], purge: [], assetEvents: [], callbacks: [], deadlines: [], deadlinesMet: [], rows: null, launches: [], releases: [], waiters: [] };
}

/** Takes a plan's changes over: the first origin of an instance and its last content go into the commit. */
export function absorb(pending: PendingRun, plan: Plan, makeId: <T extends AttemptId | TriggerId>() => T): void {
  if (plan.runFrom !== null) pending.runFrom ??= plan.runFrom;
  for (const [instance, origin] of plan.changes) {
    if (!pending.changes.has(instance)) pending.changes.set(instance, origin);
    const begins = instance.state === 'scheduled' || instance.state === 'deferred' || (instance.task.isEmpty && instance.state === 'success');
    if (begins && instance.attemptId === null) {
      instance.attemptId = makeId<AttemptId>();
      instance.scheduledAt = plan.now;
      instance.pid = null;
      instance.hostname = null;
      if (instance.tryNumber > 1) pending.purge.push(instance);
    }
    if (instance.wait?.id === null) instance.wait = { ...instance.wait, id: makeId<TriggerId>() };
    recordMove(pending, instance, { from: origin.state, at: plan.now });
  }
}

/** Notes one state change: history, and the try's own row. */
export function recordMove(pending: PendingRun, instance: Instance, move: { from: Instance['state']; at: number; error?: string | null; renderedFields?: string | null }): void {
  if (move.from !== instance.state) {
    pending.events.push({
      run: pending.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId, executionId: instance.executionId,
      from: move.from, to: instance.state, at: move.at, cause: instance.cause, detail: instance.reason,
    });
  }
  if (instance.attemptId !== null) {
    const before = pending.attempts.get(instance.attemptId);
    pending.attempts.set(instance.attemptId, attemptWrite(pending.run, instance, { error: move.error ?? before?.error ?? null, renderedFields: move.renderedFields ?? before?.renderedFields ?? null }));
  }
}

function attemptWrite(run: RunSnapshot, instance: Instance, more: { error: string | null; renderedFields: string | null }): AttemptWrite {
  const row = instanceState(instance);
  return {
    id: instance.attemptId ?? '', run: run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, tryNumber: instance.tryNumber,
    // A try that ended with a retry ahead is a failed one; the instance's own row says that it waits.
    state: instance.state === 'up_for_retry' ? 'failed' : instance.state,
    startDate: row.startDate, endDate: row.endDate, scheduledAt: row.scheduledAt, cause: row.cause, hostname: row.hostname, pid: row.pid, ...more,
  };
}

/** Appends everything pending to a batch. The rows are made once, at the first sending: a second one must not see later decisions. */
export function fillBatch(batch: MoveBatch, pending: PendingRun): void {
  const rows = (pending.rows ??= makeRows(pending));
  batch.runs.push(...rows.runs);
  batch.newInstances.push(...rows.newInstances);
  batch.instances.push(...rows.instances);
  batch.attempts.push(...pending.attempts.values());
  batch.started.push(...pending.started);
  batch.ended.push(...pending.ended);
  batch.events.push(...pending.events);
  batch.xcoms.push(...pending.xcoms);
  batch.purge.push(...rows.purge);
  batch.waits.push(...rows.waits);
  batch.resumed.push(...rows.resumed);
  batch.dropped.push(...rows.dropped);
  batch.assetEvents.push(...pending.assetEvents);
  batch.callbacks.push(...pending.callbacks);
  batch.deadlines.push(...pending.deadlines);
  batch.deadlinesMet.push(...pending.deadlinesMet);
}

type Rows = Pick<MoveBatch, 'runs' | 'newInstances' | 'instances' | 'purge' | 'waits' | 'resumed' | 'dropped'>;

function makeRows(pending: PendingRun): Rows {
  const { run } = pending;
  const rows: Rows = { runs: [], newInstances: [], instances: [], purge: [], waits: [], resumed: [], dropped: [] };
  if (pending.runFrom !== null) rows.runs.push({ id: run.id, from: pending.runFrom, state: run.state, startDate: run.startDate, endDate: run.endDate, actionNumber: run.actionNumber ?? null });
  for (const [instance, origin] of pending.changes) {
    const { task } = instance.task;
    if (instance.wait !== origin.wait) moveWait(rows, { run, instance, origin });
    if (instance.isNew) {
      instance.isNew = false;
      rows.newInstances.push({
        ...instanceState(instance), run: run.id, taskId: task.task_id, operator: task.operator, pool: task.pool ?? DAG_DEFAULTS.pool, poolSlots: task.pool_slots ?? 1,
        queue: task.queue ?? DAG_DEFAULTS.queue, priorityWeight: instance.task.priorityWeight,
      });
    } else rows.instances.push({ run: run.id, taskId: instance.task.id, fromIndex: origin.mapIndex, fromState: origin.state, fromExecution: origin.executionId, row: instanceState(instance) });
  }
  for (const instance of pending.purge) rows.purge.push({ run: run.id, taskId: instance.task.id, mapIndex: instance.mapIndex });
  return rows;
}

/** A wait begins, is over, or goes: from where it stood at the last commit to where it stands now. */
function moveWait(rows: Rows, { run, instance, origin }: { run: RunSnapshot; instance: Instance; origin: Origin }): void {
  const before = origin.wait;
  const { wait } = instance;
  if (before !== null && before.id !== wait?.id) rows.dropped.push({ id: before.id ?? '' });
  if (wait === null) return;
  const { id, isOver: resumed, ...more } = wait;
  if (before?.id !== id) rows.waits.push({ id: id ?? '', run: run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId ?? '', resumed, ...more });
  else if (resumed && !before.isOver) rows.resumed.push({ id: id ?? '', nextMethod: wait.nextMethod, nextKwargs: wait.nextKwargs });
}
