// What a case measures: figures with their target, all their rounds, and the floor or peer of the same run.

/** A bound on the figure itself, or on its ratio to the base. Exactly one of the two bounds is set. */
export interface Target {
  readonly of: 'value' | 'ratio';
  readonly atMost?: number;
  readonly atLeast?: number;
}

/** One line of the table. `rounds` and the base's are in `unit`; the figure is the median of its rounds. */
export interface Figure {
  readonly name: string;
  readonly unit: 's' | 'ms' | 'tasks/s' | 'moves/s' | 'MB' | '% of a core';
  readonly target: Target | null;
  readonly rounds: readonly number[];
  readonly base: { readonly name: string; readonly rounds: readonly number[] } | null;
}

/** What a case hands back: lines for the table, and text (Markdown) that explains them. */
export interface Measured {
  readonly figures: readonly Figure[];
  readonly details: readonly string[];
}

/** The middle one; the mean of the middle two of an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The value below which a share `q` of them lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Figure by base; null without a base. */
export function ratioOf(figure: Figure): number | null {
  return figure.base === null ? null : median(figure.rounds) / median(figure.base.rounds);
}

/** Whether the target holds; null when the figure has none. */
export function isMet(figure: Figure): boolean | null {
  const { target } = figure;
  if (target === null) return null;
  const value = target.of === 'value' ? median(figure.rounds) : ratioOf(figure);
  if (value === null || Number.isNaN(value)) return false;
  return value <= (target.atMost ?? Infinity) && value >= (target.atLeast ?? -Infinity);
}

/** Three digits that count: 1,234 · 12.3 · 1.23 · 0.123. */
export function renderNumber(value: number): string {
  if (Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** `≤ 3 ms`, `≥ 600 tasks/s`, `≤ 3 × its base`. */
export function renderTarget({ target, unit }: Figure): string {
  if (target === null) return '–';
  const [sign, bound] = target.atMost === undefined ? ['≥', target.atLeast ?? 0] : ['≤', target.atMost];
  return target.of === 'ratio' ? `${sign} ${bound} × base` : `${sign} ${bound.toLocaleString('en-US')} ${unit}`;
}
