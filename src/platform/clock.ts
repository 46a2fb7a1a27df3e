// The only reader of time. Decisions use the database's clock; durations use the monotonic one.

/** Where time comes from: the machine, or a simulation that moves its own. `after` calls once and gives a function that calls it off. */
export interface TimeSource {
  monotonicMs(): number;
  wallMs(): number;
  after(ms: number, run: () => void, how: { keepsAlive: boolean }): () => void;
}

const MACHINE: TimeSource = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(ms, run, { keepsAlive }) {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), 2 ** 31 - 1));
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

let time = MACHINE;

/** Puts all waiting and all reading of time of this process onto another source, null: back to the machine's. For simulations. */
export function useTimeSource(source: TimeSource | null): void {
  time = source ?? MACHINE;
}

/** Milliseconds of a clock that never jumps, for durations only. */
export function monotonicMs(): number {
  return time.monotonicMs();
}

/** This machine's wall clock, epoch milliseconds: for file names and tokens, never for a decision. */
export function wallMs(): number {
  return time.wallMs();
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

const QUICK_READING_MS = 100;

/** The database's clock, extrapolated with the monotonic one between two looks at it. */
export class DatabaseClock implements Clock {
  #offset = wallMs() - monotonicMs();

  /**
   * Takes a reading: the database said `databaseMs` between two monotonic times. One that was long on its way (a partition that healed, a process
   * that was stopped) only bounds what is known: taken as it is, it would move the clock by half of that way.
   */
  adjust(databaseMs: number, sentMs: number, receivedMs: number): void {
    const isQuick = receivedMs - sentMs <= QUICK_READING_MS;
    this.#offset = isQuick ? databaseMs - (sentMs + receivedMs) / 2 : Math.min(Math.max(this.#offset, databaseMs - receivedMs), databaseMs - sentMs);
  }

  nowMs(): number {
    return this.#offset + monotonicMs();
  }
}

/** Resolves after `ms`, at once when `signal` aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      callOff();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const callOff = time.after(ms, done, { keepsAlive: true });
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Calls `run` once after `ms` (capped to what a timer holds). @returns a function that calls it off */
export function callLater(ms: number, run: () => void): () => void {
  return time.after(ms, run, { keepsAlive: false });
}

/** Calls `run` every `ms` until called off. */
export function callEvery(ms: number, run: () => void): () => void {
  let callOff: () => void = () => undefined;
  const next = (): void => {
    callOff = time.after(ms, () => {
      next();
      run();
    }, { keepsAlive: false });
  };
  next();
  return () => callOff();
}

/** Waits until a promise is settled, but no longer than `ms`. Never rejects. */
export async function settledWithin(settled: Promise<unknown>, ms: number): Promise<void> {
  const waited = new AbortController();
  await Promise.race([settled.catch(() => undefined), sleep(ms, waited.signal)]);
  waited.abort();
}

/** Resolves when the signal aborts; never, if it never does. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
