// Natural group commit: what is decided while one commit is in flight makes up the next. No timers, no waiting on the path.
import { LIMITS } from '#contract/config.ts';
import type { RunUuid } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { RunSnapshot } from '#core/run-snapshot.ts';
import { emptyBatch, type MoveBatch, type MoveResult } from '#store/task-attempts.ts';
import { type CommitResult, fillBatch, newPending, type PendingRun } from './pending-run.ts';

/** Where batches go, and who hears of those that did not get there. */
interface CommitQueueOptions {
  /** Sends one batch under this leader's epoch. */
  readonly send: (batch: MoveBatch) => Promise<MoveResult>;
  readonly reporter: Reporter;
  /** A run's commit did not happen, because its rows were not what memory believed or the statement failed: it must be read again. */
  readonly onNotCommitted: (run: RunUuid, result: CommitResult) => void;
  /** The database is away or leadership is over: nothing more can be written. */
  readonly onBroken: (error: unknown) => void;
  readonly isBroken: (error: unknown) => boolean;
}

/** One per term of leadership. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  #pending = new Map<RunUuid, PendingRun>();
  #inFlight = new Map<RunUuid, PendingRun>();
  #sentAt = 0;
  #flushing: Promise<void> = Promise.resolve();
  #scheduled = false;
  /** Why nothing is sent any more; null while this leader leads. */
  #closedBy: { readonly error: unknown } | null = null;
  readonly #idle = new Map<RunUuid, (() => void)[]>();

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** What the run's next commit will hold; it is sent as soon as the one in flight is done. */
  pendingOf(run: RunSnapshot): PendingRun {
    const found = this.#pending.get(run.id);
    if (found !== undefined) return found;
    const made = newPending(run);
    this.#pending.set(run.id, made);
    this.#schedule();
    return made;
  }

  /** Drops what is not sent yet (the run is read again) and resolves when nothing of it is in flight. */
  async discard(run: RunUuid, result: CommitResult): Promise<void> {
    const pending = this.#pending.get(run);
    this.#pending.delete(run);
    if (pending !== undefined) finish(pending, result);
    if (!this.#inFlight.has(run)) return;
    await new Promise<void>((resolve) => this.#idle.set(run, [...(this.#idle.get(run) ?? []), resolve]));
  }

  /** Nothing is sent any more; everybody who waits is told, and whoever comes later as well. */
  close(error: unknown): void {
    this.#closedBy ??= { error };
    this.#refuseWaiting();
  }

  #refuseWaiting(): void {
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of left) finish(pending, { kind: 'error', error: this.#closedBy?.error });
  }

  /** True when nothing is sent or waits to be sent. */
  get isIdle(): boolean {
    return this.#inFlight.size === 0 && this.#pending.size === 0;
  }

  /** How long the commit in flight has been, 0 without one. */
  get inFlightMs(): number {
    return this.#inFlight.size === 0 ? 0 : monotonicMs() - this.#sentAt;
  }

  /** Resolves when nothing is in flight. */
  settled(): Promise<void> {
    return this.#flushing;
  }

  #schedule(): void {
    if (this.#scheduled || (this.#inFlight.size > 0 && this.#closedBy === null)) return;
    this.#scheduled = true;
    // One turn of the loop: everything that arrived in this one is in the batch.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#closedBy !== null) this.#refuseWaiting();
      else if (this.#inFlight.size === 0 && this.#pending.size > 0) this.#flushing = this.#flush();
    });
  }

  async #flush(): Promise<void> {
    this.#inFlight = this.#takePart();
    this.#sentAt = monotonicMs();
    const runs = [...this.#inFlight.values()];
    await this.#sendAll(runs);
    this.#inFlight = new Map();
    for (const [run, resolvers] of [...this.#idle]) {
      this.#idle.delete(run);
      for (const resolve of resolvers) resolve();
    }
    if (this.#pending.size > 0) this.#schedule();
  }

  /** Whole runs up to the size of a batch, at least one; the others make up the next. */
  #takePart(): Map<RunUuid, PendingRun> {
    const part = new Map<RunUuid, PendingRun>();
    let operations = 0;
    for (const [id, pending] of this.#pending) {
      operations += pending.changes.size + pending.ended.length + 1;
      if (part.size > 0 && operations > LIMITS.maxBatchOperations) break;
      part.set(id, pending);
      this.#pending.delete(id);
    }
    return part;
  }

  /** All runs at once; when that misses, each for itself, so that one stale run does not undo the others. */
  async #sendAll(runs: readonly PendingRun[]): Promise<void> {
    const result = await this.#sendTogether(runs);
    if (result.kind === 'moved') return;
    if (runs.length === 1 || this.#closedBy !== null) for (const pending of runs) this.#miss(pending, result);
    else await this.#sendApart(runs, result);
    // Who was started meanwhile may have taken the place of one whose end was not written.
    for (const [id, pending] of [...this.#pending]) {
      if (pending.started.length === 0) continue;
      this.#pending.delete(id);
      this.#miss(pending, { kind: 'stale' });
    }
  }

  /** Runs that start nothing depend on no other. Of several that do, nobody knows whose places they took: they are read again. */
  async #sendApart(runs: readonly PendingRun[], because: CommitResult): Promise<void> {
    const starting = runs.filter((pending) => pending.started.length > 0);
    let isMissed = false;
    for (const pending of runs.filter((one) => one.started.length === 0)) isMissed = !(await this.#sendAlone(pending)) || isMissed;
    for (const pending of starting) {
      // A refused statement must be found: the others would meet it again and again.
      if (!isMissed && (starting.length === 1 || because.kind === 'error')) isMissed = !(await this.#sendAlone(pending));
      else this.#miss(pending, { kind: 'stale' });
    }
  }

  async #sendAlone(pending: PendingRun): Promise<boolean> {
    const result = this.#closedBy !== null ? { kind: 'stale' as const } : await this.#sendTogether([pending]);
    if (result.kind !== 'moved') this.#miss(pending, result);
    return result.kind === 'moved';
  }

  #miss(pending: PendingRun, result: CommitResult): void {
    finish(pending, result);
    if (this.#closedBy === null) this.#options.onNotCommitted(pending.run.id, result);
  }

  async #sendTogether(runs: readonly PendingRun[]): Promise<CommitResult> {
    const batch = emptyBatch();
    for (const pending of runs) fillBatch(batch, pending);
    const started = monotonicMs();
    const result = await this.#send(batch);
    const operations = batch.instances.length + batch.newInstances.length + batch.runs.length;
    if (result.kind === 'moved') {
      this.#options.reporter.report({ event: 'commit.done', operations, ms: monotonicMs() - started });
      for (const pending of runs) for (const launch of pending.launches) launch();
      for (const pending of runs) for (const waiter of pending.waiters) waiter(result);
    } else this.#options.reporter.report({ event: 'commit.stale', operations, run: runs.length === 1 ? (runs[0]?.run.id ?? null) : null });
    return result;
  }

  async #send(batch: MoveBatch): Promise<CommitResult> {
    try {
      return await this.#options.send(batch);
    } catch (error) {
      this.#options.reporter.report({ event: 'commit.failed', error: errorText(error) });
      if (this.#options.isBroken(error)) {
        this.close(error);
        this.#options.onBroken(error);
      }
      return { kind: 'error', error };
    }
  }
}

function finish(pending: PendingRun, result: CommitResult): void {
  for (const release of pending.releases) release();
  for (const waiter of pending.waiters) waiter(result);
}
