// What every list of the API has in common: conditions on columns, an order that is total, a page.
import { type Expression, type RawBuilder, sql, type SqlBool } from 'kysely';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';

/** The tenant of every row until there are several. */
export const TENANT = 'default';

/** Which rows of a list, in which order. */
export interface Page {
  readonly limit: number;
  readonly offset: number;
  /** Keys as the caller gave them, `-key` for descending. */
  readonly orderBy: readonly string[];
}

/** A list's rows and how many there are before paging. */
export interface Listed<R> {
  readonly rows: readonly R[];
  readonly total: number;
}

/** Bounds; null leaves one open. */
export interface Range<V> {
  readonly gte: V | null;
  readonly gt: V | null;
  readonly lte: V | null;
  readonly lt: V | null;
}

/** A condition over the columns of a list. */
export type Condition = Expression<SqlBool>;
/** A column or an expression over columns. */
export type Column = RawBuilder<unknown>;

/** Columns by the names that `order_by` may use. */
export type OrderKeys = Readonly<Record<string, Column>>;

/** The page's row limit after the cap. */
export function cappedLimit(page: Pick<Page, 'limit'>): number {
  return Math.min(page.limit, LIMITS.pageLimit);
}

/** Conditions of the bounds that are given. */
export function inRange(column: Column, range: Range<string | number>): Condition[] {
  const conditions: Condition[] = [];
  if (range.gte !== null) conditions.push(sql<SqlBool>`${column} >= ${range.gte}`);
  if (range.gt !== null) conditions.push(sql<SqlBool>`${column} > ${range.gt}`);
  if (range.lte !== null) conditions.push(sql<SqlBool>`${column} <= ${range.lte}`);
  if (range.lt !== null) conditions.push(sql<SqlBool>`${column} < ${range.lt}`);
  return conditions;
}

/** `column = any(values)`; nothing when there are no values. A null among them asks for null. */
export function isAnyOf(column: Column, values: readonly (string | number | null)[] | null): Condition[] {
  if (values === null || values.length === 0) return [];
  const given = values.filter((value) => value !== null);
  const present = typeof given[0] === 'number' ? sql<SqlBool>`${column} = any(${given}::int[])` : sql<SqlBool>`${column} = any(${given}::text[])`;
  return [given.length === values.length ? present : sql<SqlBool>`(${present} or ${column} is null)`];
}

/** `column = value` when there is a value. */
export function isEqual(column: Column, value: string | number | boolean | null): Condition[] {
  return value === null ? [] : [sql<SqlBool>`${column} = ${value}`];
}

/** Airflow's patterns: ILIKE `%v%`, `~` for everything, `|` between alternatives. */
export function isLike(column: Column, pattern: string | null): Condition[] {
  if (pattern === null) return [];
  const terms = (pattern === '~' ? '%' : pattern).split('|').map((term) => term.trim()).filter((term) => term !== '');
  const patterns = (terms.length > 1 ? terms : [pattern === '~' ? '%' : pattern]).map((term) => `%${term}%`);
  return [sql<SqlBool>`${column} ilike any(${patterns}::text[])`];
}

interface OrderTerm { readonly column: Column; readonly direction: 'asc' | 'desc' }

const MAX_ORDER_KEYS = 10;

/** The order's terms with the tie-break at the end. Throws `usage` with Airflow's words on a key that is not allowed. */
export function orderTerms(orderBy: readonly string[], keys: OrderKeys, tieBreak: readonly Column[]): OrderTerm[] {
  if (orderBy.length > MAX_ORDER_KEYS) throw new AppError('usage', `Ordering with more than ${MAX_ORDER_KEYS} parameters is not allowed. Provided: [${orderBy.map((key) => `'${key}'`).join(', ')}]`, { hint: '' });
  const terms = orderBy.map((given): OrderTerm => {
    const name = given.replace(/^-+/, '');
    const column = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (column === undefined) throw new AppError('usage', `Ordering with '${name}' is disallowed or the attribute does not exist on the model`, { hint: '' });
    return { column, direction: given.startsWith('-') ? 'desc' : 'asc' };
  });
  const direction = terms[0]?.direction ?? 'asc';
  return [...terms, ...tieBreak.map((column) => ({ column, direction }))];
}

/** Seconds between two columns. */
export function secondsBetween(start: Column, end: Column): Column {
  return sql`extract(epoch from (${end} - ${start}))`;
}
