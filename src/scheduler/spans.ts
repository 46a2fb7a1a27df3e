// Spans are made when something has ended and its end is committed, from times that are known anyway. Nobody asks: nothing is made.
import type { ExecutionReport } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';
import type { ExecutionSpan, SpanListener } from '#contract/spans.ts';
import { isFinished, type TaskState } from '#contract/states.ts';
import type { Candidate } from '#core/admission.ts';
import { ENDED_WITHOUT_REPORT } from '#core/process-end.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import type { Clock } from '#platform/clock.ts';
import type { RunRow } from '#store/dag-runs.ts';
import type { OpenExecution } from './engine-memory.ts';
import type { PendingRun } from './pending-run.ts';

/** A try that waits for the next one has ended before. */
const isOver = (state: TaskState): boolean => isFinished(state) || state === 'up_for_retry';

/** One per term of leadership. An end’s time is that of its commit, so that what it consists of lies within. */
export class Spans {
  readonly #listener: SpanListener;
  readonly #clock: Clock;

  constructor(listener: SpanListener, clock: Clock) {
    this.#listener = listener;
    this.#clock = clock;
  }

  /** A run ends with this commit. */
  endRun(pending: PendingRun, row: RunRow): void {
    const { state } = pending.run;
    afterCommit(pending, () => this.#tellRun(pending.run, { row, state }));
  }

  /** A run was ended by somebody else. */
  endForeignRun(run: RunSnapshot, row: RunRow): void {
    this.#tellRun(run, { row, state: run.state });
  }

  #tellRun(run: RunSnapshot, { row, state }: { row: RunRow; state: RunSnapshot['state'] }): void {
    const endMs = this.#clock.nowMs();
    this.#listener({ kind: 'run', run: run.id, dagId: run.dagId, runId: run.runId, runType: run.runType, state, startMs: row.queuedAt ?? run.startDate ?? endMs, endMs });
  }

  /** A try ends with this commit. @param from the state that its instance leaves */
  endTry(pending: PendingRun, instance: Instance, from: TaskState): void {
    const { state, attemptId } = instance;
    if (attemptId === null || !isOver(state) || isOver(from)) return;
    const { mapIndex, tryNumber, cause } = instance;
    const start = instance.scheduledAt ?? instance.startedAt;
    afterCommit(pending, () => {
      const endMs = this.#clock.nowMs();
      this.#listener({ kind: 'try', run: pending.run.id, attemptId, taskId: instance.task.id, mapIndex, tryNumber, state, cause, startMs: start ?? endMs, endMs });
    });
  }

  /** An execution ends with this commit, by its report or without one. */
  endExecution(pending: PendingRun, instance: Instance, end: { id: ExecutionId; open: OpenExecution; state: ExecutionSpan['state']; report: ExecutionReport | null }): void {
    const { attemptId, cause, startedAt } = instance;
    if (attemptId === null) return;
    const { id, open, state, report } = end;
    const isOwn = report !== null && report.error?.type !== ENDED_WITHOUT_REPORT;
    const reportedMs = isOwn ? this.#clock.nowMs() : null;
    afterCommit(pending, () => {
      const endMs = this.#clock.nowMs();
      const userCode = isOwn ? { startMs: Date.parse(report.started_at), endMs: Date.parse(report.ended_at) } : null;
      this.#listener({ kind: 'execution', run: pending.run.id, attemptId, executionId: id, state, cause, userCode, reportedMs, startMs: open.begunAt ?? startedAt ?? endMs, endMs });
    });
  }

  /** A person closed an execution while it ran. @param now the state that its instance was given: none when it was cleared */
  stop({ id, open }: { id: ExecutionId; open: OpenExecution | undefined }, { run, instance }: Candidate, now: TaskState): void {
    const { attemptId, mapIndex, tryNumber, startedAt } = instance;
    if (attemptId === null) return;
    const endMs = this.#clock.nowMs();
    this.#listener({ kind: 'execution', run: run.id, attemptId, executionId: id, state: 'cancelled', cause: 'cancelled', userCode: null, reportedMs: null, startMs: open?.begunAt ?? startedAt ?? endMs, endMs });
    const state = isFinished(now) ? now : 'failed';
    this.#listener({ kind: 'try', run: run.id, attemptId, taskId: instance.task.id, mapIndex, tryNumber, state, cause: 'cancelled', startMs: instance.scheduledAt ?? startedAt ?? endMs, endMs });
  }
}

function afterCommit(pending: PendingRun, tell: () => void): void {
  pending.waiters.push((result) => void (result.kind === 'moved' && tell()));
}
