// How executions end: by their own report, by what they left behind, or by the word of the executor. Each end is committed with what follows from it.
import type { ExecutionReport, ExitedChild, ReportAnswer } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { type ExecutionId, makeUuidV7 } from '#contract/ids.ts';
import { recordOutcome } from '#core/plan-run.ts';
import { ENDED_WITHOUT_REPORT, isFromOutside, tellProcessEnd } from '#core/process-end.ts';
import { executionStateOf, outcomeOf } from '#core/report-outcome.ts';
import type { Instance } from '#core/run-snapshot.ts';
import { sleep } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import { isRefusal } from '#store/database.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { EngineMemory, Entry, Live } from './engine-memory.ts';
import { type CommitResult, recordMove } from './pending-run.ts';
import { assetEventsOf } from './asset-events.ts';
import { commitXComs, inlineXComs, isTrusted, type Placed, type PlacedXCom, placeXComs } from './place-xcoms.ts';
import type { ReadRuns } from './read-runs.ts';
import { callbacksOfTask } from './requested-callbacks.ts';

interface Ending { readonly cause: 'oom' | 'lost' | 'timeout' | 'user_error'; readonly message: string }

/** What an execution left behind waits this long for a store of values that is away. */
const PLACE_AGAIN_MS = 1000;
/** A run that is about to be read is looked for again after this time. */
const READ_AGAIN_MS = 50;

/** One per term of leadership. */
export class TakeReports {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  readonly #reads: ReadRuns;
  readonly #reporting = new Set<ExecutionId>();
  /** Executions whose outcome waits for the store of values. */
  readonly #unplaced = new Set<ExecutionId>();
  /** Ends of executions that came before their runs were in memory; null when a take-over is complete. */
  #early: (() => Promise<void>)[] | null = [];

  constructor(memory: EngineMemory, queue: CommitQueue, followers: { advance: AdvanceRuns; reads: ReadRuns }) {
    this.#memory = memory;
    this.#queue = queue;
    this.#advance = followers.advance;
    this.#reads = followers.reads;
  }

  /**
   * Takes an execution's report: recorded, planned on and committed together with what follows from it.
   * Throws `not_leading` when the commit could not be made for reasons of ours, `xcom_store_unavailable` when its values cannot be kept: the agent asks again.
   */
  report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    return this.take(report, () => this.#memory.authenticate(report.execution_id, token));
  }

  /** The same for whoever is known already. @param find the execution as it is now; null when it is closed */
  async take(report: ExecutionReport, find: () => Live | null): Promise<ReportAnswer> {
    const { execution_id: id } = report;
    this.#refuseWhenOver();
    // Asked again while the first one is being committed: not a no, the answer is not known yet.
    if (this.#reporting.has(id)) throw new AppError('not_leading', 'this report is being recorded');
    this.#reporting.add(id);
    let placed: Placed | null = null;
    try {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await this.#reads.untilTried(id);
        this.#refuseWhenOver();
        const live = find();
        if (live === null) return { kind: 'stale', state: null };
        if (this.#isToPlace(report, placed)) {
          placed = await this.#place(live, report);
          // Its run may have been read again meanwhile.
          continue;
        }
        const result = await this.#settle(live, report, placed);
        if (result.kind === 'moved') return { kind: 'recorded' };
        if (result.kind === 'error') throw result.error;
      }
      throw new AppError('not_leading', 'the run keeps changing under this report');
    } finally {
      this.#reporting.delete(id);
    }
  }

  #refuseWhenOver(): void {
    if (this.#memory.isClosed) throw new AppError('not_leading', 'this server does not lead any more');
  }

  /** Its values go outside, and are not there yet, or have been for so long that they may not be there any more. */
  #isToPlace(report: ExecutionReport, placed: Placed | null): boolean {
    if (placed !== null) return !isTrusted(placed, this.#memory.nowMs);
    return this.#memory.options.values !== null && (report.xcoms?.length ?? 0) > 0;
  }

  /** Bytes are there before any commit can name them. Throws `xcom_store_unavailable`. */
  async #place(live: Live, report: ExecutionReport): Promise<Placed | null> {
    const { values } = this.#memory.options;
    if (values === null) return null;
    const ttlSeconds = this.#memory.entries.get(live.runId)?.run.graph.dag.xcom?.ttl_seconds ?? null;
    return placeXComs(values.store, { owner: report.execution_id, xcoms: report.xcoms ?? [] }, { ttlSeconds, mark: { epoch: values.epoch, atMs: this.#memory.nowMs, run: live.runId } });
  }

  /** The commit that names them is made. Without this word the sweep finds them. */
  #confirm(placed: readonly PlacedXCom[]): void {
    const locations = placed.flatMap((value) => value.location ?? []);
    if (locations.length > 0) this.#memory.options.values?.store.confirmValues(locations).catch(() => undefined);
  }

  /** @param placed values whose bytes are outside already; null: they go into the commit */
  #settle(live: Live, report: ExecutionReport, placed: Placed | null): Promise<CommitResult> {
    const entry = this.#memory.entries.get(live.runId);
    if (entry === undefined) return Promise.resolve({ kind: 'stale' });
    const { instance } = live;
    const plan = this.#advance.begin(entry);
    const executionId = report.execution_id;
    const pending = this.#queue.pendingOf(entry.run);
    this.#memory.closeLive(executionId, pending);
    instance.renderedMapIndex = report.rendered_map_index ?? instance.renderedMapIndex;
    commitXComs(entry, pending, { instance, xcoms: placed?.xcoms ?? inlineXComs(report.xcoms ?? []) });
    const assetEvents = assetEventsOf(report, { run: entry.run, instance, at: plan.now });
    pending.assetEvents.push(...assetEvents);
    if (assetEvents.length > 0) pending.waiters.push((result) => void (result.kind === 'moved' && this.#memory.options.onAssetEvents()));
    recordOutcome(plan, instance, { outcome: outcomeOf(report), limits: this.#memory.limits });
    const state = instance.state === 'scheduled' ? 'lost' : executionStateOf(report);
    this.#memory.spans?.endExecution(pending, instance, { open: live.open, id: executionId, state, report });
    if (instance.state === 'up_for_retry') this.#memory.spans?.endTry(pending, instance, 'running');
    pending.ended.push({
      id: executionId, state, endedAt: plan.now, exitCode: report.exit_code ?? null, signal: null, cause: instance.cause,
    });
    // Before the plan goes on: the try's row, its error and its rendered fields belong to this end.
    recordMove(pending, instance, {
      from: instance.state, at: plan.now, error: report.error === undefined ? null : JSON.stringify(report.error),
      renderedFields: report.rendered_fields === undefined ? null : JSON.stringify(report.rendered_fields),
    });
    this.#takeRest(entry, instance, { report, at: plan.now });
    if (placed !== null) pending.waiters.push((result) => void (result.kind === 'moved' && this.#confirm(placed.xcoms)));
    const done = new Promise<CommitResult>((resolve) => pending.waiters.push(resolve));
    this.#advance.conclude(entry, plan);
    return done;
  }

  /** What few reports bring. */
  #takeRest(entry: Entry, instance: Instance, { report, at }: { readonly report: ExecutionReport; readonly at: number }): void {
    const { run } = entry;
    const message = report.error?.message ?? null;
    if (report.without_callbacks === true) this.#advance.requestCallbacks(run, callbacksOfTask(run, instance, { at, message, makeId: () => makeUuidV7(at), withEmail: true }));
    if (report.log_gap !== undefined) this.#noteLogGap(entry, instance, { executionId: report.execution_id, ...report.log_gap });
  }

  /** Lost log lines are never silent: the history of the instance says how many and why. */
  #noteLogGap(entry: Entry, instance: Instance, gap: { executionId: ExecutionId; bytes: number; reason: string }): void {
    this.#memory.options.reporter.report({ event: 'execution.log_gap', execution_id: gap.executionId, bytes: gap.bytes, reason: gap.reason });
    this.#queue.pendingOf(entry.run).events.push({
      run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId, executionId: gap.executionId, from: instance.state, to: instance.state,
      at: this.#memory.nowMs, cause: null, detail: `${gap.bytes} bytes of its log are missing: ${gap.reason}`,
    });
  }

  /** A process ended. When it had reported, this is old news. */
  async onExited(child: ExitedChild): Promise<void> {
    const { execution_id: executionId } = child;
    if (executionId === null) return;
    await this.#onEnded(executionId, this.#endingOf(child));
  }

  #endingOf(child: ExitedChild): Ending {
    if (child.execution_id !== null && this.#memory.live.get(child.execution_id)?.open.isOverdue === true) return { cause: 'timeout', message: 'it ignored its execution_timeout and was killed' };
    return { cause: child.oom ? 'oom' : isFromOutside(child) ? 'lost' : 'user_error', message: tellProcessEnd(child) };
  }

  /** Executions are gone with what ran them. */
  async onLost(executions: readonly ExecutionId[], reason: string): Promise<void> {
    await Promise.all(executions.map((executionId) => this.#onEnded(executionId, { cause: 'lost', message: reason })));
  }

  /** An execution without a process any more: what it left behind counts, else how it ended. */
  async #onEnded(executionId: ExecutionId, how: Ending): Promise<void> {
    const memory = this.#memory;
    const live = await this.#findLive(executionId);
    if (memory.isClosed) return;
    if (live === null) return void this.#early?.push(() => this.#onEnded(executionId, how));
    const left = await this.#findLeft(executionId);
    if (how.cause === 'lost' && left === null && memory.live.has(executionId)) memory.options.reporter.report({ event: 'execution.lost', execution_id: executionId, reason: how.message });
    await this.#endUnreported(executionId, left ?? this.#failureOf(executionId, how));
  }

  /** The execution as soon as its run is in memory; null when it is closed or unknown, or nobody leads any more. */
  async #findLive(executionId: ExecutionId): Promise<Live | null> {
    const { live, orphans, closing } = this.#memory;
    for (;;) {
      await this.#reads.untilRead(executionId);
      const found = live.get(executionId);
      if (found !== undefined || this.#memory.isClosed || !orphans.has(executionId)) return found ?? null;
      // Its run is about to be read, or is read again since.
      await sleep(READ_AGAIN_MS, closing);
    }
  }

  /** Asked until the disk answers: finished work is not done again because nobody can read of it just now. */
  async #findLeft(executionId: ExecutionId): Promise<ExecutionReport | null> {
    const { options } = this.#memory;
    while ((await this.#findLive(executionId)) !== null) {
      try {
        return await options.outcomes.find(executionId);
      } catch (error) {
        options.reporter.report({ event: 'failure', where: 'find outcome', error: errorText(error) });
        await sleep(PLACE_AGAIN_MS, this.#memory.closing);
      }
    }
    return null;
  }

  async #endUnreported(executionId: ExecutionId, first: ExecutionReport): Promise<void> {
    let report = first;
    let placed: Placed | null = null;
    for (;;) {
      // Its run may have been read again: if the execution is still its own, it ends once more.
      const live = await this.#findLive(executionId);
      if (live === null) return;
      if (this.#isToPlace(report, placed)) {
        placed = await this.#place(live, report).catch(() => null);
        // Nobody waits here for a store that is away: a take-over would not end.
        if (placed === null) return this.#endLater(executionId, report);
        continue;
      }
      const result = await this.#settle(live, report, placed);
      if (result.kind === 'moved') return;
      // The database refuses what was left behind: the end itself still counts.
      if (result.kind === 'error' && isRefusal(result.error)) {
        report = this.#failureOf(executionId, { cause: 'user_error', message: `its result could not be stored: ${errorText(result.error)}` });
        placed = null;
      }
    }
  }

  /** It stays running meanwhile: finished work is not done again because its values cannot be kept right now. */
  #endLater(executionId: ExecutionId, left: ExecutionReport): void {
    if (this.#unplaced.has(executionId)) return;
    this.#unplaced.add(executionId);
    void sleep(PLACE_AGAIN_MS, this.#memory.closing).then(async () => {
      this.#unplaced.delete(executionId);
      await this.#endUnreported(executionId, left);
    });
  }

  #failureOf(executionId: ExecutionId, { cause, message }: Ending): ExecutionReport {
    const at = new Date(this.#memory.nowMs).toISOString();
    return { execution_id: executionId, outcome: 'failed', cause, without_callbacks: true, error: { type: ENDED_WITHOUT_REPORT, message }, started_at: at, ended_at: at };
  }

  /** A take-over is complete: every unfinished run was read, and who is still unknown is closed. */
  async completeTakeOver(): Promise<void> {
    const early = this.#early ?? [];
    this.#early = null;
    await Promise.all(early.map((end) => end()));
  }
}
