// The store of values in memory, with failures on demand: it passes the interface's conformance suite as Redis does.
import { AppError } from '#contract/errors.ts';
import type { PendingValue, PutMark, StoreExamination, ValueStore, ValueToPut } from '#contract/value-store.ts';

/** Outlives the servers of a test, as Redis does. */
export class MemoryValues implements ValueStore {
  readonly bytes = new Map<string, Buffer>();
  readonly pending = new Map<string, PendingValue>();
  /** It answers nothing. */
  isAway = false;
  /** Words about committed rows get lost, as when their sender dies. */
  isDeaf = false;
  #puts = 0;

  #check(): void {
    if (this.isAway) throw new AppError('xcom_store_unavailable', 'the store is away');
  }

  // Each call takes a turn of the loop, so that what others do in between is done in between.
  async putValues(values: readonly ValueToPut[], mark: PutMark): Promise<void> {
    await Promise.resolve();
    this.#check();
    for (const { location, bytes } of values) {
      this.#puts += 1;
      this.bytes.set(location, Buffer.from(bytes));
      this.pending.set(location, { ...mark, location, token: String(this.#puts) });
    }
  }

  async confirmValues(locations: readonly string[]): Promise<void> {
    await Promise.resolve();
    this.#check();
    if (!this.isDeaf) for (const location of locations) this.pending.delete(location);
  }

  async readValues(locations: readonly string[]): Promise<(Buffer | null)[]> {
    await Promise.resolve();
    this.#check();
    return locations.map((location) => this.bytes.get(location) ?? null);
  }

  async listPending(limit: number): Promise<PendingValue[]> {
    await Promise.resolve();
    this.#check();
    return [...this.pending.values()].slice(0, limit);
  }

  async discardPending(values: readonly PendingValue[]): Promise<void> {
    await Promise.resolve();
    this.#check();
    for (const { location, token } of values) {
      if (this.pending.get(location)?.token !== token) continue;
      this.pending.delete(location);
      this.bytes.delete(location);
    }
  }

  async removeValues(locations: readonly string[]): Promise<void> {
    await Promise.resolve();
    this.#check();
    for (const location of locations) {
      this.bytes.delete(location);
      this.pending.delete(location);
    }
  }

  examine(): Promise<StoreExamination | null> {
    return Promise.resolve(this.isAway ? null : { refusal: null, warnings: [] });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
