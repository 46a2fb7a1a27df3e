// A seeded source of chance: the same seed, the same world.

/** Small fast counter-based generator (sfc32), good enough to draw faults with. */
export class Random {
  readonly #state: [number, number, number, number];

  /** @param seed any text; two texts give two unrelated sequences */
  constructor(seed: string) {
    let hash = 2166136261;
    const word = (): number => {
      for (let index = 0; index < seed.length; index += 1) hash = Math.imul(hash ^ seed.charCodeAt(index), 16777619);
      hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
      return hash >>> 0;
    };
    this.#state = [word(), word(), word(), 1];
    for (let index = 0; index < 12; index += 1) this.next();
  }

  /** A number in [0, 1). */
  next(): number {
    const state = this.#state;
    const sum = (state[0] + state[1] + state[3]) >>> 0;
    state[3] = (state[3] + 1) >>> 0;
    state[0] = state[1] ^ (state[1] >>> 9);
    state[1] = (state[2] + (state[2] << 3)) >>> 0;
    state[2] = (((state[2] << 21) | (state[2] >>> 11)) + sum) >>> 0;
    return sum / 4294967296;
  }

  /** A whole number in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}
