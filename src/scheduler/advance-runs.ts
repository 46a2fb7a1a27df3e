// What follows from what happened to a run: it is planned, its changes are queued for the next commit, and who may start is told.
import { makeUuidV7 } from '#contract/ids.ts';
import { listenersTold } from '#store/callbacks.ts';
import type { CallbackWrite, DeadlineWrite } from '#store/rare-parts.ts';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import { isFinished } from '#contract/states.ts';
import { beginPlan, type Origin, type Plan } from '#core/plan.ts';
import { markAll, settle, startRun, timeOutRun, wakeInstances } from '#core/plan-run.ts';
import { type Instance, isTaskFinished, type RunSnapshot } from '#core/run-snapshot.ts';
import { callLater } from '#platform/clock.ts';
import type { CommitQueue } from './commit-queue.ts';
import { keyOfCandidate } from './ending-executions.ts';
import type { EngineMemory, Entry } from './engine-memory.ts';
import { absorb } from './pending-run.ts';
import { callbacksOfRun } from './requested-callbacks.ts';
import { waitingTriggerOf } from './waiting-triggers.ts';

/** Who hears of what a plan brings. */
interface AdvanceHandlers {
  /** Somebody may start. */
  readonly onReady: () => void;
  /** A task at which the DAG's next run looks has ended, and it is written down. */
  readonly onPastMoved: (run: RunSnapshot) => void;
  /** Callbacks or deadlines are written down. */
  readonly onCallbacks: () => void;
}

/** One per term of leadership. */
export class AdvanceRuns {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #handlers: AdvanceHandlers;

  constructor(memory: EngineMemory, queue: CommitQueue, handlers: AdvanceHandlers) {
    this.#memory = memory;
    this.#queue = queue;
    this.#handlers = handlers;
  }

  /** Opens a plan at the database's time. */
  begin(entry: Entry): Plan {
    entry.run.isHeld = this.#memory.paused.has(entry.run.dagId);
    return beginPlan(entry.run, this.#memory.nowMs);
  }

  /** Settles a plan and takes what follows from it: rows to write, candidates, cancels, timers. */
  conclude(entry: Entry, plan: Plan): void {
    const { admission, limits } = this.#memory;
    settle(plan, limits);
    const { run } = entry;
    if (plan.changes.size > 0 || plan.runFrom !== null) absorb(this.#queue.pendingOf(run), plan, () => makeUuidV7(plan.now));
    for (const instance of plan.ready) admission.add({ run, instance });
    for (const instance of plan.cancels) this.#cancel(entry, instance);
    for (const [instance, origin] of plan.changes) this.#follow(entry, instance, origin);
    this.#report(entry, plan);
    this.#tellNextRun(run, plan);
    if (plan.runFrom !== null && (run.state === 'success' || run.state === 'failed')) this.#finishRun(entry, plan);
    if (plan.ready.length > 0 || admission.waiting > 0) this.#handlers.onReady();
  }

  #follow(entry: Entry, instance: Instance, origin: Origin): void {
    if (instance.wakeAt !== null) this.wakeAt(entry, instance.wakeAt);
    if (instance.wait !== origin.wait) this.#followWait(entry, instance, origin);
    // Its values of the try before go with the commit of this plan.
    if (instance.state === 'scheduled' && instance.tryNumber > 1) entry.values.forget({ taskId: instance.task.id, mapIndex: instance.mapIndex });
    if (!isFinished(instance.state)) return;
    this.#memory.admission.remove(instance);
    this.#memory.spans?.endTry(this.#queue.pendingOf(entry.run), instance, origin.state);
  }

  /** Its host hears of a wait when that is written down, and of its end as well. */
  #followWait(entry: Entry, instance: Instance, origin: Origin): void {
    const { admission, waiting, options } = this.#memory;
    const before = origin.wait?.id ?? null;
    const now = waitingTriggerOf(entry.run, instance, options.folders.logFile);
    if (now === null) admission.resume(instance);
    else admission.defer({ run: entry.run, instance });
    this.#queue.pendingOf(entry.run).waiters.push((result) => {
      if (result.kind !== 'moved') return;
      if (before !== null && before !== now?.id) waiting.remove(before);
      if (now !== null) waiting.add(now);
    });
  }

  /** Starts what max_active_runs, the pause switch and run_after allow, oldest first. */
  startQueued(dagId: string): void {
    const { paused, dags, nowMs, isComplete, unreadable } = this.#memory;
    const dag = dags.get(dagId);
    if (dag === undefined || paused.has(dagId) || !isComplete) return;
    const mayNot = (run: RunSnapshot): boolean => unreadable.has(run.id);
    for (let run = dag.next(mayNot); run !== null; run = dag.next(mayNot)) {
      const limit = run.graph.dag.max_active_runs ?? DAG_DEFAULTS.maxActiveRuns;
      if (limit > 0 && dag.running >= limit) return;
      const entry = this.#memory.entryOf(run);
      if (entry === null) return;
      if (run.runAfter > nowMs) return this.wakeAt(entry, run.runAfter);
      dag.begin(run);
      const plan = this.begin(entry);
      startRun(plan);
      // A person may have set it back while something of it waited for a time.
      const wakeAt = wakeInstances(plan);
      this.#tellListeners(run, 'started');
      this.conclude(entry, plan);
      if (wakeAt !== null) this.wakeAt(entry, wakeAt);
      this.watchTimeout(entry);
    }
  }

  /** Running runs of a DAG that was unpaused: what was held begins. */
  resume(dagId: string): void {
    for (const id of this.#memory.dags.get(dagId)?.ids() ?? []) {
      const entry = this.#memory.entries.get(id);
      if (entry?.run.state !== 'running' || !entry.run.isHeld) continue;
      const plan = this.begin(entry);
      markAll(plan);
      this.conclude(entry, plan);
    }
  }

  /** Looks at a run again at a time. */
  wakeAt(entry: Entry, at: number): void {
    if (entry.wakeAt !== null && entry.wakeAt <= at) return;
    entry.stopWake?.();
    entry.wakeAt = at;
    entry.stopWake = callLater(at - this.#memory.nowMs, () => this.#wake(entry));
  }

  #wake(entry: Entry): void {
    entry.wakeAt = null;
    if (this.#memory.entryOf(entry.run) !== entry) return;
    if (entry.run.state === 'queued') return this.startQueued(entry.run.dagId);
    const plan = this.begin(entry);
    const next = wakeInstances(plan);
    this.conclude(entry, plan);
    if (next !== null) this.wakeAt(entry, next);
  }

  /** Ends the run when its dagrun_timeout is over. */
  watchTimeout(entry: Entry): void {
    const seconds = entry.run.graph.dag.dagrun_timeout_seconds;
    if (seconds === undefined || entry.run.startDate === null) return;
    const due = entry.run.startDate + seconds * 1000;
    entry.stopTimeout = callLater(due - this.#memory.nowMs, () => {
      if (this.#memory.entryOf(entry.run) !== entry || entry.run.state !== 'running') return;
      // A timer holds 24 days at most, and the database's clock may have been set back.
      if (due > this.#memory.nowMs) return this.watchTimeout(entry);
      const plan = this.begin(entry);
      timeOutRun(plan);
      this.conclude(entry, plan);
    });
  }

  #finishRun(entry: Entry, plan: Plan): void {
    const { run } = entry;
    this.#followEnd(run, plan);
    this.#memory.spans?.endRun(this.#queue.pendingOf(run), entry.row);
    this.#queue.pendingOf(run).waiters.push((result) => {
      if (result.kind !== 'moved' || this.#memory.entryOf(run) !== entry) return;
      this.#memory.removeEntry(entry);
      this.#memory.admission.forgetRun(run);
      this.startQueued(run.dagId);
      this.#memory.options.onRunFinished(run);
    });
  }

  /** What its DAG wants to be told at its end, and what it need not be told any more. */
  #followEnd(run: RunSnapshot, { runEnd, now }: Plan): void {
    if (runEnd === null) return;
    this.#tellListeners(run, runEnd.reason);
    this.requestCallbacks(run, callbacksOfRun(run, runEnd, { at: now, makeId: () => makeUuidV7(now) }));
    if (runEnd.reason === 'success' && run.graph.dag.deadlines !== undefined) this.#queue.pendingOf(run).deadlinesMet.push({ run: run.id, at: run.endDate ?? now });
  }

  #tellListeners(run: RunSnapshot, msg: string): void {
    const at = this.#memory.nowMs;
    this.requestCallbacks(run, listenersTold(run.graph.dag, run, { msg, at, makeId: () => makeUuidV7(at) }));
  }

  /** Callbacks go with the run's next commit, and are made as soon as they are written down. */
  requestCallbacks(run: RunSnapshot, callbacks: readonly CallbackWrite[]): void {
    if (callbacks.length === 0) return;
    const pending = this.#queue.pendingOf(run);
    pending.callbacks.push(...callbacks);
    pending.waiters.push((result) => void (result.kind === 'moved' && this.#handlers.onCallbacks()));
  }

  /** Somebody else may have written callbacks down. */
  lookForCallbacks(): void {
    this.#handlers.onCallbacks();
  }

  /** The deadlines of a run that is new, written with its task instances. */
  addDeadlines(run: RunSnapshot, deadlines: readonly DeadlineWrite[]): void {
    const pending = this.#queue.pendingOf(run);
    pending.deadlines.push(...deadlines);
    pending.waiters.push((result) => void (result.kind === 'moved' && this.#handlers.onCallbacks()));
  }

  /** The next run may go on before this one has ended. */
  #tellNextRun(run: RunSnapshot, plan: Plan): void {
    if (run.graph.pastSources.size === 0) return;
    // Of a mapped task the last instance's end counts.
    const isAwaited = [...plan.changes.keys()].some((instance) => isFinished(instance.state) && run.graph.pastSources.has(instance.task.id) && isTaskFinished(run, instance.task));
    if (isAwaited) this.#queue.pendingOf(run).waiters.push((result) => void (result.kind === 'moved' && this.#handlers.onPastMoved(run)));
  }

  #cancel(entry: Entry, instance: Instance): void {
    const { executionId } = instance;
    if (executionId === null || !this.#memory.live.has(executionId)) return;
    const pending = this.#queue.pendingOf(entry.run);
    const live = this.#memory.closeLive(executionId, pending);
    if (live === null) return;
    this.#memory.spans?.endExecution(pending, instance, { open: live.open, id: executionId, state: 'cancelled', report: null });
    pending.ended.push({ id: executionId, state: 'cancelled', endedAt: this.#memory.nowMs, exitCode: null, signal: null, cause: 'cancelled' });
    pending.launches.push(() => this.#memory.ending.stop(executionId, keyOfCandidate(live.candidate)));
  }

  #report(entry: Entry, plan: Plan): void {
    const { reporter } = this.#memory.options;
    const { run } = entry;
    for (const [instance, origin] of plan.changes) {
      if (origin.state === instance.state) continue;
      const ms = isFinished(instance.state) && instance.startedAt !== null ? plan.now - instance.startedAt : null;
      reporter.report({ event: 'task.moved', dag_id: run.dagId, run_id: run.runId, task_id: instance.task.id, map_index: instance.mapIndex, from: origin.state, to: instance.state, cause: instance.cause, ms });
    }
    if (plan.runFrom !== null) reporter.report({ event: 'run.moved', dag_id: run.dagId, run_id: run.runId, to: run.state, ms: run.endDate === null || run.startDate === null ? null : run.endDate - run.startDate });
  }
}
