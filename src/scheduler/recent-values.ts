// Small XCom values of a running run, kept at hand so that a downstream gets them with its job instead of asking.

/** A value within its run; `mapIndex` is −1 when the task is not mapped. */
interface ValueName { readonly taskId: string; readonly key: string; readonly mapIndex: number }

const MAX_VALUE_CHARS = 16 * 1024;
const MAX_TOTAL_CHARS = 1024 * 1024;

/** A bounded memory of one run. What it does not hold is read from the store: forgetting is always right. */
export class RecentValues {
  readonly #values = new Map<string, string>();
  #size = 0;

  remember(name: ValueName, value: string): void {
    const id = nameOf(name);
    this.#drop(id);
    if (value.length > MAX_VALUE_CHARS) return;
    this.#values.set(id, value);
    this.#size += value.length;
    for (const oldest of this.#values.keys()) {
      if (this.#size <= MAX_TOTAL_CHARS) return;
      this.#drop(oldest);
    }
  }

  find(name: ValueName): string | null {
    return this.#values.get(nameOf(name)) ?? null;
  }

  /** Forgets all values of an instance: a new try of it starts. */
  forget(instance: Pick<ValueName, 'taskId' | 'mapIndex'>): void {
    const prefix = nameOf({ ...instance, key: '' });
    for (const id of this.#values.keys()) if (id.startsWith(prefix)) this.#drop(id);
  }

  #drop(id: string): void {
    const value = this.#values.get(id);
    if (value === undefined) return;
    this.#size -= value.length;
    this.#values.delete(id);
  }
}

function nameOf(name: ValueName): string {
  return `${name.taskId}/${name.mapIndex}/${name.key}`;
}
