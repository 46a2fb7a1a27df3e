// Python's slices of a sequence, as stretches that a store can read.

/** A slice as Python writes it: `[start:stop:step]`. */
export interface PythonSlice {
  readonly start: number | null;
  readonly stop: number | null;
  readonly step: number | null;
}

/** Items from `offset` on, `limit` of them; then every `every`th of these, from the last one backwards when `isReversed`. */
export interface Stretch {
  readonly offset: number;
  readonly limit: number;
  readonly every: number;
  readonly isReversed: boolean;
}

/** The stretch that a slice of a sequence of this length is. A step of 0 is taken for 1, as Airflow's server does. */
export function stretchOf(slice: PythonSlice, length: number): Stretch {
  const step = slice.step === null || slice.step === 0 ? 1 : slice.step;
  const lowest = step > 0 ? 0 : -1;
  const highest = step > 0 ? length : length - 1;
  const within = (index: number): number => (index < 0 ? Math.max(index + length, lowest) : Math.min(index, highest));
  const start = slice.start === null ? (step > 0 ? 0 : length - 1) : within(slice.start);
  const stop = slice.stop === null ? (step > 0 ? length : -1) : within(slice.stop);
  const limit = Math.max(0, step > 0 ? stop - start : start - stop);
  return { offset: limit === 0 ? 0 : step > 0 ? start : stop + 1, limit, every: Math.abs(step), isReversed: step < 0 };
}

/** Takes what a slice wants of the items of its stretch. */
export function takeOf<V>(items: readonly V[], stretch: Stretch): V[] {
  const ordered = stretch.isReversed ? items.toReversed() : items;
  return ordered.filter((_item, at) => at % stretch.every === 0);
}
