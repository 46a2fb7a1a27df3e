// Query and batch-body parameters that many lists share, as the store's filters take them.
import { RUN_STATES, RUN_TYPES, TASK_STATES } from '#contract/states.ts';
import type { Page, Range } from '#store/list-query.ts';
import { HttpProblem } from './problems.ts';

type Bounded<V> = { readonly [K in `${string}_${'gte' | 'gt' | 'lte' | 'lt'}`]?: V | null };

/** The four bounds of a time. */
export function timeBounds<N extends string>(query: { readonly [K in `${N}_${'gte' | 'gt' | 'lte' | 'lt'}`]: string | null }, name: N): Range<string> {
  const bounds: Bounded<string> = query;
  const at = (end: 'gte' | 'gt' | 'lte' | 'lt'): string | null => bounds[`${name}_${end}`] ?? null;
  return { gte: at('gte'), gt: at('gt'), lte: at('lte'), lt: at('lt') };
}

/** The four bounds of a number. */
export function numberBounds<N extends string>(query: { readonly [K in `${N}_${'gte' | 'gt' | 'lte' | 'lt'}`]: number | null }, name: N): Range<number> {
  const bounds: Bounded<number> = query;
  const at = (end: 'gte' | 'gt' | 'lte' | 'lt'): number | null => bounds[`${name}_${end}`] ?? null;
  return { gte: at('gte'), gt: at('gt'), lte: at('lte'), lt: at('lt') };
}

/** The page of a list. */
export function pageOf(query: { readonly limit: number; readonly offset: number; readonly order_by: readonly string[] }): Page {
  return { limit: query.limit, offset: query.offset, orderBy: query.order_by };
}

/** The page of a batch request; `fallback` orders when nothing is asked for. */
export function batchPageOf(body: { readonly page_limit: number; readonly page_offset: number; readonly order_by: string | null }, fallback: string): Page {
  return { limit: body.page_limit, offset: body.page_offset, orderBy: [body.order_by === null || body.order_by === '' ? fallback : body.order_by] };
}

function wordsOrNull(values: readonly string[], allowed: readonly string[], options: { what: string; none: readonly string[] }): (string | null)[] | null {
  if (values.length === 0) return null;
  return values.map((value) => {
    if (options.none.includes(value)) return null;
    if (!allowed.includes(value)) throw new HttpProblem(422, `Invalid value for ${options.what}. Valid values are ${allowed.join(', ')}`);
    return value;
  });
}

/** States of task instances; `none` and `no_status` ask for those without one. */
export const readTaskStates = (values: readonly string[]): (string | null)[] | null => wordsOrNull(values, TASK_STATES, { what: 'state', none: ['no_status', 'none'] });
/** States of runs. */
export const readRunStates = (values: readonly string[]): (string | null)[] | null => wordsOrNull(values, RUN_STATES, { what: 'state', none: ['none'] });
/** Types of runs. */
export const readRunTypes = (values: readonly string[]): string[] | null => wordsOrNull(values, RUN_TYPES, { what: 'run type', none: [] })?.flatMap((value) => (value === null ? [] : [value])) ?? null;

/** `~` in a path stands for all. */
export function orAll(value: string): string | null {
  return value === '~' ? null : value;
}
