// What the tasks of the world know themselves, whatever the engine believes: when they began, ended, and what they were answered.
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { ExecutionId, TriggerId } from '#contract/ids.ts';

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
  /** The trigger whose event it went on with. */
  readonly resumedBy: string | null;
}

/** A trigger as its hosts know it: how often they told its event, and how often a server said that it is recorded. */
export interface TriggerEntry { told: number; recorded: number }

/** A rule that was broken. */
export interface Violation { readonly rule: string; readonly detail: string }

/** Written by the machine only. */
export class Ledger {
  readonly entries = new Map<ExecutionId, LedgerEntry>();
  readonly violations: Violation[] = [];

  readonly triggers = new Map<TriggerId, TriggerEntry>();

  start(spec: ExecutionSpec, at: number, resumedBy: string | null = null): void {
    const known = this.entries.get(spec.execution_id);
    if (known !== undefined) {
      known.starts += 1;
      return;
    }
    this.entries.set(spec.execution_id, {
      id: spec.execution_id, run: spec.run.id, taskId: spec.task_id, mapIndex: spec.map_index, attemptId: spec.attempt_id, startedAt: at, starts: 1,
      finishedAt: null, outcome: null, durable: null, acknowledged: null, endedAt: null, wasCancelled: false, resumedBy,
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

  /** A trigger fired; a host may have died before anybody was told. */
  told(id: TriggerId): void {
    const entry = this.triggers.get(id) ?? { told: 0, recorded: 0 };
    entry.told += 1;
    this.triggers.set(id, entry);
  }

  answered(id: TriggerId, kind: 'recorded' | 'stale'): void {
    const entry = this.triggers.get(id);
    if (entry !== undefined && kind === 'recorded') entry.recorded += 1;
  }

  /** Notes a broken rule, each text once. */
  accuse(rule: string, detail: string): void {
    if (!this.violations.some((one) => one.rule === rule && one.detail === detail)) this.violations.push({ rule, detail });
  }
}
