// Loud once: the first failure of a kind is reported, and when it works again.
import { monotonicMs } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';

type Doing = 'connect' | 'read' | 'write';

/** What fails right now, and since when. */
export class Alarm {
  readonly #since = new Map<Doing, number>();
  readonly #reporter: Pick<Reporter, 'report'>;

  constructor(reporter: Pick<Reporter, 'report'>) {
    this.#reporter = reporter;
  }

  /** It failed. Reported when it did not fail before. */
  raise(doing: Doing, error: unknown): void {
    if (this.#since.has(doing)) return;
    this.#since.set(doing, monotonicMs());
    this.#reporter.report({ event: 'xcom_store.unavailable', doing, error: faultText(error) });
  }

  /** It works. Reported when it had failed. */
  clear(doing: Doing): void {
    const since = this.#since.get(doing);
    if (since === undefined) return;
    this.#since.delete(doing);
    this.#reporter.report({ event: 'xcom_store.available', doing, down_ms: Math.round(monotonicMs() - since) });
  }
}

/** An error's text; of a transaction that was refused, the refusal of its command, which is the reason. */
export function faultText(error: unknown): string {
  const previous = error instanceof Error && 'previousErrors' in error && Array.isArray(error.previousErrors) ? (error.previousErrors as unknown[]) : [];
  const [first] = previous;
  if (first instanceof Error) return first.message;
  const text = errorText(error);
  // The client's words for "not connected" name its own option.
  return text.includes('enableOfflineQueue') ? 'not connected' : text;
}
