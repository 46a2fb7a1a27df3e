// Who among the processes below is heard of: the launcher and every fork server say every five seconds that they are there.
import { monotonicMs } from '#platform/clock.ts';

/** Looks come every second: a longer gap was this server's own. */
const OWN_PAUSE_MS = 5000;
/** Three signs of life. */
const SHORTEST_MS = 15_000;

/** When each was heard of last, by name. */
export class Silence {
  readonly #limitMs: number;
  readonly #heard = new Map<string, number>();
  #lookedAt = 0;

  constructor(limitSeconds: number) {
    this.#limitMs = Math.max(limitSeconds * 1000, SHORTEST_MS);
  }

  /** How long nobody may be silent. */
  get limitSeconds(): number {
    return this.#limitMs / 1000;
  }

  hear(who: string): void {
    this.#heard.set(who, monotonicMs());
  }

  forget(who: string): void {
    this.#heard.delete(who);
  }

  forgetAll(): void {
    this.#heard.clear();
  }

  /** Who has said nothing for too long. Each is told once; pauses of this server count for nobody. */
  take(): string[] {
    const now = monotonicMs();
    const gap = now - this.#lookedAt;
    const pauseMs = gap > OWN_PAUSE_MS ? gap : 0;
    this.#lookedAt = now;
    const silent: string[] = [];
    for (const [who, at] of this.#heard) {
      if (now - at - pauseMs <= this.#limitMs) this.#heard.set(who, Math.min(now, at + pauseMs));
      else silent.push(who);
    }
    for (const who of silent) this.#heard.delete(who);
    return silent;
  }
}
