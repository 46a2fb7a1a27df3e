// Bulk requests of one kind of thing, with Airflow's answers: each action succeeds or is named among the errors.
import type { BulkActionResponse, BulkResponse } from '#contract/airflow/bulk.ts';
import { HttpProblem } from './problems.ts';

/** What a bulk request needs to know of its kind of thing. */
export interface BulkKind<E> {
  /** `variables` and `keys`, `connections` and `connection_ids`. */
  readonly words: readonly [things: string, ids: string];
  readonly idOf: (entity: E) => string;
  listKnown(ids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Makes it, or replaces the one that is there. */
  put(entity: E): Promise<void>;
  update(entity: E, mask: readonly string[]): Promise<void>;
  remove(id: string): Promise<void>;
}

/** One action as the request holds it. */
export type BulkAction<E> =
  | { readonly action: 'create'; readonly entities: readonly E[]; readonly action_on_existence: string }
  | { readonly action: 'update'; readonly entities: readonly E[]; readonly update_mask: readonly string[] | null; readonly action_on_non_existence: string }
  | { readonly action: 'delete'; readonly entities: readonly (string | E)[]; readonly action_on_non_existence: string };

interface Results { readonly success: string[]; readonly errors: Record<string, unknown>[] }

/** Carries the actions out in their order. */
export async function runBulk<E>(kind: BulkKind<E>, actions: readonly BulkAction<E>[]): Promise<BulkResponse> {
  const results: { [A in BulkAction<E>['action']]?: Results } = {};
  for (const action of actions) {
    const result = (results[action.action] ??= { success: [], errors: [] });
    try {
      await runAction(kind, action, result.success);
    } catch (error) {
      if (!(error instanceof HttpProblem)) throw error;
      result.errors.push({ error: error.detail, status_code: error.status });
    }
  }
  const of = (action: BulkAction<E>['action']): BulkActionResponse | null => results[action] ?? null;
  return { create: of('create'), update: of('update'), delete: of('delete') };
}

async function runAction<E>(kind: BulkKind<E>, action: BulkAction<E>, success: string[]): Promise<void> {
  const { words: [things, ids] } = kind;
  const named = action.entities.map((entity) => (typeof entity === 'string' ? entity : kind.idOf(entity)));
  const known = await kind.listKnown(named);
  if (action.action === 'create') {
    if (action.action_on_existence === 'fail' && known.size > 0) throw new HttpProblem(409, `The ${things} with these ${ids}: ${pythonSet(known)} already exist.`);
    for (const entity of action.entities) if (action.action_on_existence !== 'skip' || !known.has(kind.idOf(entity))) success.push(await done(kind.idOf(entity), kind.put(entity)));
    return;
  }
  const absent = new Set(named.filter((id) => !known.has(id)));
  if (action.action_on_non_existence === 'fail' && absent.size > 0) throw new HttpProblem(404, `The ${things} with these ${ids}: ${pythonSet(absent)} were not found.`);
  if (action.action === 'update') {
    for (const entity of action.entities) if (known.has(kind.idOf(entity))) success.push(await done(kind.idOf(entity), kind.update(entity, action.update_mask ?? [])));
    return;
  }
  for (const id of new Set(named)) if (known.has(id)) success.push(await done(id, kind.remove(id)));
}

async function done(id: string, work: Promise<void>): Promise<string> {
  await work;
  return id;
}

/** A set of names as Airflow's messages show it, in order. */
const pythonSet = (names: ReadonlySet<string>): string => `{${[...names].sort().map((name) => `'${name}'`).join(', ')}}`;
