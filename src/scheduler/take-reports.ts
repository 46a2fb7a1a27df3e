// How executions end: by their own report, by what they left behind, or by the word of the executor. Each end is committed with what follows from it.
import { createHash } from 'node:crypto';
import type { ExecutionReport, ExitedChild, ReportAnswer } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { ExecutionId } from '#contract/ids.ts';
import { type Outcome, recordOutcome } from '#core/plan-run.ts';
import { type Instance, recordLength } from '#core/run-snapshot.ts';
import { errorText } from '#platform/report.ts';
import { isRefusal } from '#store/database.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { EngineMemory, Entry, Live } from './engine-memory.ts';
import { type CommitResult, recordMove } from './pending-run.ts';
import type { ReadRuns } from './read-runs.ts';

interface Ending { readonly cause: 'oom' | 'lost' | 'timeout' | 'user_error'; readonly message: string }

/** One per term of leadership. */
export class TakeReports {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  readonly #reads: ReadRuns;
  readonly #reporting = new Set<ExecutionId>();
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
   * Throws `not_leading` when the commit could not be made for reasons of ours: the agent asks again.
   */
  async report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    const { execution_id: id } = report;
    this.#refuseWhenOver();
    // Asked again while the first one is being committed: not a no, the answer is not known yet.
    if (this.#reporting.has(id)) throw new AppError('not_leading', 'this report is being recorded');
    this.#reporting.add(id);
    try {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await this.#reads.untilTried(id);
        this.#refuseWhenOver();
        const live = this.#memory.authenticate(id, token);
        if (live === null) return { kind: 'stale', state: null };
        const result = await this.#settle(live, report);
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

  #settle(live: Live, report: ExecutionReport): Promise<CommitResult> {
    const entry = this.#memory.entries.get(live.runId);
    if (entry === undefined) return Promise.resolve({ kind: 'stale' });
    const { instance } = live;
    const plan = this.#advance.begin(entry);
    const executionId = report.execution_id;
    const pending = this.#queue.pendingOf(entry.run);
    this.#memory.removeLive(executionId);
    instance.renderedMapIndex = report.rendered_map_index ?? instance.renderedMapIndex;
    this.#takeXComs(entry, instance, report);
    recordOutcome(plan, instance, { outcome: outcomeOf(report), limits: this.#memory.limits });
    pending.ended.push({
      id: executionId, state: instance.state === 'scheduled' ? 'lost' : report.outcome, endedAt: plan.now, exitCode: report.exit_code ?? null, signal: null, cause: instance.cause,
    });
    // Before the plan goes on: the try's row, its error and its rendered fields belong to this end.
    recordMove(pending, instance, {
      from: instance.state, at: plan.now, error: report.error === undefined ? null : JSON.stringify(report.error),
      renderedFields: report.rendered_fields === undefined ? null : JSON.stringify(report.rendered_fields),
    });
    if (report.log_gap !== undefined) this.#noteLogGap(entry, instance, { executionId, ...report.log_gap });
    const done = new Promise<CommitResult>((resolve) => pending.waiters.push((result) => {
      // Until its run is read again nobody knows whose it is.
      if (result.kind === 'moved') this.#memory.tokens.delete(executionId);
      else this.#memory.orphans.set(executionId, { run: live.runId, candidate: null });
      resolve(result);
    }));
    this.#advance.conclude(entry, plan);
    return done;
  }

  /** Lost log lines are never silent: the history of the instance says how many and why. */
  #noteLogGap(entry: Entry, instance: Instance, gap: { executionId: ExecutionId; bytes: number; reason: string }): void {
    this.#memory.options.reporter.report({ event: 'execution.log_gap', execution_id: gap.executionId, bytes: gap.bytes, reason: gap.reason });
    this.#queue.pendingOf(entry.run).events.push({
      run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId, executionId: gap.executionId, from: instance.state, to: instance.state,
      at: this.#memory.nowMs, cause: null, detail: `${gap.bytes} bytes of its log are missing: ${gap.reason}`,
    });
  }

  #takeXComs(entry: Entry, instance: Instance, report: ExecutionReport): void {
    const pending = this.#queue.pendingOf(entry.run);
    for (const xcom of report.xcoms ?? []) {
      const bytes = Buffer.from(xcom.value, 'utf8');
      pending.xcoms.push({
        run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, key: xcom.key, attemptId: instance.attemptId ?? '', value: bytes.toString('base64'),
        sha256: createHash('sha256').update(bytes).digest('base64'), sizeBytes: bytes.length, mappedLength: xcom.mapped_length,
      });
      recordLength(entry.run, instance, { key: xcom.key, mappedLength: xcom.mapped_length });
      entry.values.remember({ taskId: instance.task.id, key: xcom.key, mapIndex: instance.mapIndex }, xcom.value);
    }
  }

  /** A process ended. When it had reported, this is old news. */
  async onExited(child: ExitedChild): Promise<void> {
    const { execution_id: executionId } = child;
    if (executionId === null) return;
    await this.#onEnded(executionId, this.#endingOf(child));
    this.#memory.orphans.delete(executionId);
  }

  #endingOf(child: ExitedChild): Ending {
    if (child.execution_id !== null && this.#memory.live.get(child.execution_id)?.overdue === true) return { cause: 'timeout', message: 'it ignored its execution_timeout and was killed' };
    if (child.oom) return { cause: 'oom', message: 'killed by the kernel: out of memory' };
    if (child.signal !== null) return { cause: 'lost', message: `its process was killed by signal ${child.signal}` };
    return { cause: 'user_error', message: `its process ended with status ${child.status} without a report` };
  }

  /** Executions are gone with what ran them. */
  async onLost(executions: readonly ExecutionId[], reason: string): Promise<void> {
    await Promise.all(executions.map((executionId) => this.#onEnded(executionId, { cause: 'lost', message: reason })));
  }

  /** An execution without a process any more: what it left behind counts, else how it ended. */
  async #onEnded(executionId: ExecutionId, how: Ending): Promise<void> {
    const memory = this.#memory;
    await this.#reads.untilRead(executionId);
    if (memory.isClosed) return;
    if (!memory.live.has(executionId)) return void this.#early?.push(() => this.#onEnded(executionId, how));
    const left = await memory.options.outcomes.find(executionId);
    if (how.cause === 'lost' && left === null && memory.live.has(executionId)) memory.options.reporter.report({ event: 'execution.lost', execution_id: executionId, reason: how.message });
    const isRecorded = await this.#endUnreported(executionId, left ?? this.#failureOf(executionId, how));
    // Not before: a leader that dies in between leaves it to the next.
    if (isRecorded && left !== null) memory.options.outcomes.discard(executionId);
  }

  /** @returns whether its end is in the database */
  async #endUnreported(executionId: ExecutionId, first: ExecutionReport): Promise<boolean> {
    let report = first;
    while (!this.#memory.isClosed) {
      const live = this.#memory.live.get(executionId);
      if (live === undefined) return false;
      const result = await this.#settle(live, report);
      if (result.kind === 'moved') return true;
      // The database refuses what was left behind: the end itself still counts.
      if (result.kind === 'error' && isRefusal(result.error)) report = this.#failureOf(executionId, { cause: 'user_error', message: `its result could not be stored: ${errorText(result.error)}` });
      // The run is read again: if the execution is still its own, it ends once more.
      await this.#reads.untilRead(executionId);
    }
    return false;
  }

  #failureOf(executionId: ExecutionId, { cause, message }: Ending): ExecutionReport {
    const at = new Date(this.#memory.nowMs).toISOString();
    return { execution_id: executionId, outcome: 'failed', cause, error: { type: 'ExecutionEnded', message }, started_at: at, ended_at: at };
  }

  /** A take-over is complete: every unfinished run was read, and who is still unknown is closed. */
  async completeTakeOver(): Promise<void> {
    const early = this.#early ?? [];
    this.#early = null;
    for (const end of early) await end();
  }
}

function outcomeOf(report: ExecutionReport): Outcome {
  switch (report.outcome) {
    case 'success': return { kind: 'success', skips: report.skips ?? null };
    case 'skipped': return { kind: 'skipped' };
    case 'up_for_reschedule': return { kind: 'up_for_reschedule', afterMs: (report.reschedule_in_seconds ?? 60) * 1000 };
    case 'failed': return { kind: 'failed', cause: report.cause ?? 'user_error', noRetry: report.no_retry === true, reason: report.error === undefined ? null : `${report.error.type}: ${report.error.message}`.slice(0, 2000) };
  }
}
