// The unfinished runs of one DAG: how many run, and which of the waiting ones is the next to begin.
import type { RunUuid } from '#contract/ids.ts';
import type { RunSnapshot } from '#core/run-snapshot.ts';

/** Waiting runs are kept in the order in which they begin, so that a run's end costs no scan of the others. */
export class QueuedRuns {
  readonly #running = new Set<RunUuid>();
  /** Last to begin first. */
  readonly #queued: RunSnapshot[] = [];

  get running(): number {
    return this.#running.size;
  }

  get isEmpty(): boolean {
    return this.#running.size === 0 && this.#queued.length === 0;
  }

  /** All of them, in no order. */
  *ids(): Generator<RunUuid> {
    yield* this.#running;
    for (const run of this.#queued) yield run.id;
  }

  addRunning(run: RunSnapshot): void {
    this.#running.add(run.id);
  }

  addQueued(run: RunSnapshot): void {
    this.#queued.splice(this.#placeOf(run), 0, run);
  }

  /** The run that begins next, without a change; null when none may. */
  next(mayNot: (run: RunSnapshot) => boolean = () => false): RunSnapshot | null {
    return this.#queued.findLast((run) => !mayNot(run)) ?? null;
  }

  /** The run counts as running from here on. */
  begin(run: RunSnapshot): void {
    this.remove(run);
    this.#running.add(run.id);
  }

  remove(run: RunSnapshot): void {
    if (this.#running.delete(run.id)) return;
    const place = this.#placeOf(run);
    if (this.#queued[place]?.id === run.id) this.#queued.splice(place, 1);
  }

  /** Where the run stands or would stand: the earlier it may begin, the further back. */
  #placeOf(run: RunSnapshot): number {
    let low = 0;
    let high = this.#queued.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#queued[middle];
      if (other !== undefined && isBefore(run, other)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** By the time from which they may run, then by id, which grows with the time of making. */
function isBefore(a: RunSnapshot, b: RunSnapshot): boolean {
  return a.runAfter === b.runAfter ? a.id < b.id : a.runAfter < b.runAfter;
}
