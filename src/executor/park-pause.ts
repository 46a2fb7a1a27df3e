// How long no more children of one kind are asked for, after some that ended before they waited for work: each time twice as long.
import { monotonicMs } from '#platform/clock.ts';

const FIRST_MS = 100;
const LONGEST_MS = 30_000;

/** Of one fork server and one kind of children. */
export class ParkPause {
  #lengthMs = 0;
  #until = 0;

  /** A child ended before it parked. @returns the length of the pause that begins; null when one runs already */
  begin(): number | null {
    if (this.isOn()) return null;
    this.#lengthMs = Math.min(Math.max(FIRST_MS, this.#lengthMs * 2), LONGEST_MS);
    this.#until = monotonicMs() + this.#lengthMs;
    return this.#lengthMs;
  }

  isOn(): boolean {
    return monotonicMs() < this.#until;
  }

  /** True from a failure until a child parks: somebody has to ask again when the pause is over. */
  isPending(): boolean {
    return this.#lengthMs > 0;
  }

  /** A child parked. */
  end(): void {
    this.#lengthMs = 0;
    this.#until = 0;
  }
}
