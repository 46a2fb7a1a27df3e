// What the tasks of the world know themselves, whatever the engine believes: when they began, ended, and what they were answered.
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { ExecutionId } from '#contract/ids.ts';

/** One execution as it really was. Times are virtual epoch milliseconds. */
export interface LedgerEntry {
  readonly id: ExecutionId;
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly attemptId: string;
  readonly startedAt: number;
  starts: number;
  finishedAt: number | null;
  outcome: string | null;
  /** Its outcome lay on the disk. */
  durable: string | null;
  /** A server said that it is recorded. */
  acknowledged: string | null;
  endedAt: number | null;
  wasCancelled: boolean;
}

/** A rule that was broken. */
export interface Violation { readonly rule: string; readonly detail: string }

/** Written by the machine only. */
export class Ledger {
  readonly entries = new Map<ExecutionId, LedgerEntry>();
  readonly violations: Violation[] = [];

  start(spec: ExecutionSpec, at: number): void {
    const known = this.entries.get(spec.execution_id);
    if (known !== undefined) {
      known.starts += 1;
      return;
    }
    this.entries.set(spec.execution_id, {
      id: spec.execution_id, run: spec.run.id, taskId: spec.task_id, mapIndex: spec.map_index, attemptId: spec.attempt_id, startedAt: at, starts: 1,
      finishedAt: null, outcome: null, durable: null, acknowledged: null, endedAt: null, wasCancelled: false,
    });
  }

  finish(spec: ExecutionSpec, outcome: string, at: number): void {
    const entry = this.entries.get(spec.execution_id);
    if (entry === undefined) return;
    entry.finishedAt = at;
    entry.outcome = outcome;
  }

  durable(id: ExecutionId, outcome: string): void {
    const entry = this.entries.get(id);
    if (entry !== undefined) entry.durable = outcome;
  }

  acknowledged(id: ExecutionId, outcome: string): void {
    const entry = this.entries.get(id);
    if (entry !== undefined) entry.acknowledged = outcome;
  }

  cancelled(id: ExecutionId): void {
    const entry = this.entries.get(id);
    if (entry !== undefined) entry.wasCancelled = true;
  }

  end(id: ExecutionId, at: number): void {
    const entry = this.entries.get(id);
    if (entry !== undefined) entry.endedAt = at;
  }

  /** Notes a broken rule, each text once. */
  accuse(rule: string, detail: string): void {
    if (!this.violations.some((one) => one.rule === rule && one.detail === detail)) this.violations.push({ rule, detail });
  }
}
