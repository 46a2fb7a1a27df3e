// The only reader of time. Decisions use the database's clock; durations use the monotonic one.

/** Milliseconds of a clock that never jumps, for durations only. */
export function monotonicMs(): number {
  return performance.now();
}

/** This machine's wall clock, epoch milliseconds: for file names and tokens, never for a decision. */
export function wallMs(): number {
  return Date.now();
}

/** Epoch milliseconds as ISO 8601 with `Z`. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** ISO 8601 text or a `Date` as epoch milliseconds. Throws on anything that is no instant. */
export function msOf(instant: string | Date): number {
  const ms = instant instanceof Date ? instant.getTime() : Date.parse(instant);
  if (Number.isNaN(ms)) throw new RangeError(`not an instant: ${String(instant)}`);
  return ms;
}

/** A clock that decisions read. Production follows the database; tests move their own. */
export interface Clock {
  nowMs(): number;
}

/** The database's clock, extrapolated with the monotonic one between two looks at it. */
export class DatabaseClock implements Clock {
  #offset = Date.now() - performance.now();

  /** Takes a reading: the database said `databaseMs` between two monotonic times. */
  adjust(databaseMs: number, sentMs: number, receivedMs: number): void {
    this.#offset = databaseMs - (sentMs + receivedMs) / 2;
  }

  nowMs(): number {
    return this.#offset + performance.now();
  }
}

/** Resolves after `ms`, at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Calls `run` once after `ms` (capped to what a timer holds). @returns a function that calls it off */
export function callLater(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.min(Math.max(0, ms), 2 ** 31 - 1));
  timer.unref();
  return () => clearTimeout(timer);
}

/** Calls `run` every `ms` until called off. */
export function callEvery(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms);
  timer.unref();
  return () => clearInterval(timer);
}
