// What a person asks for, as what is asked of a database: runs, tasks, keys and map indexes.
import { AppError } from '#contract/errors.ts';
import type { Question } from './transport.ts';

/** LIKE's wildcards and its escape, which is `!`, taken as they are. */
export function likeExactly(text: string): string {
  return text.replace(/[!%_]/g, (sign) => `!${sign}`);
}

/** The text that alone is like a pattern; null when others are as well. */
export function exactlyOf(pattern: string): string | null {
  const rest = pattern.replace(/!(.)/gs, '');
  return /[%_]/.test(rest) ? null : pattern.replace(/!(.)/gs, '$1');
}

/** A glob (`*` any text, `?` one character) as a LIKE pattern. */
export function likeOfGlob(glob: string): string {
  return likeExactly(glob).replaceAll('*', '%').replaceAll('?', '_');
}

/** Whether a text is like a pattern, as the database says it. */
export function isLike(text: string, pattern: string): boolean {
  const source = pattern.replace(/!(.)|([%_])|[^!%_]/gsu, (whole, escaped: string | undefined, wild: string | undefined) => (wild === '%' ? '[^]*' : wild === '_' ? '[^]' : (escaped ?? whole).replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')));
  return new RegExp(`^${source}$`, 'u').test(text);
}

/** Which runs: `latest`, `latest:STATE`, an id, or the beginning of one. */
export type RunChoice =
  | { readonly kind: 'latest'; readonly state: string | null; readonly count: number }
  | { readonly kind: 'id'; readonly id: string };

/** Parses --run-id. */
export function parseRunChoice(text: string): RunChoice {
  const latest = /^latest(?::([a-z_]+))?$/i.exec(text);
  return latest === null ? { kind: 'id', id: text } : { kind: 'latest', state: latest[1]?.toLowerCase() ?? null, count: 1 };
}

/** The runs of a question: first exactly that id, then, when there is none, those that begin with it. */
export function runsOf(choice: RunChoice, how: 'exact' | 'prefix'): Question['runs'] {
  if (choice.kind === 'latest') return { run_id: '%', state: choice.state, limit: choice.count };
  const exact = likeExactly(choice.id);
  // Enough to know that a beginning is not unique, and to name some.
  return { run_id: how === 'exact' ? exact : `${exact}%`, state: null, limit: how === 'exact' ? 1 : 4 };
}

/** Parses --map-index: `3`, `-1`, `0..9`, or `*` for every one. Throws `reader_usage`. */
export function parseMapIndex(text: string): Question['map_index'] {
  if (text === '*') return null;
  const [, from, to] = /^(-?\d{1,9})(?:\.\.(\d{1,9}))?$/.exec(text) ?? [];
  if (from === undefined) throw new AppError('reader_usage', `--map-index ${text}: expected a number, a range such as 0..9, or *`);
  const range = [Number(from), Number(to ?? from)] as const;
  if (range[0] < -1 || range[1] < range[0]) throw new AppError('reader_usage', `--map-index ${text}: the range is empty`);
  return range;
}
