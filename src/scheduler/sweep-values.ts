// Bytes outside PostgreSQL follow their rows: those of deleted rows go, and those whose commit never came.
import { LIMITS } from '#contract/config.ts';
import type { PendingValue, ValueStore } from '#contract/value-store.ts';
import type { Database } from '#store/database.ts';
import { forgetDeadValues, listDeadValues, listNamedValues } from '#store/dead-values.ts';

/** What one sweep removed. */
export interface Swept { readonly dead: number; readonly orphans: number }

interface Parts { readonly database: Database; readonly values: ValueStore; readonly epoch: number }

/** A commit of this leader is decided long before: its statement has 20 s, and what was put longer than half of this ago is put again before it. */
export const UNDECIDED_MS = 600_000;

/**
 * One sweep. Repeating it, or two at once, is harmless.
 * @param parts `epoch` of the leader that sweeps
 */
export async function sweepValues(parts: Parts): Promise<Swept> {
  const dead = await removeDead(parts);
  // Also tells, once, what is wrong with how it is set up.
  await parts.values.examine();
  return { dead, orphans: await settlePending(parts) };
}

/** First the bytes, then the note: a crash in between does the first again. */
async function removeDead({ database, values }: Parts): Promise<number> {
  let removed = 0;
  for (;;) {
    const locations = await listDeadValues(database.pool, LIMITS.maxValuesPerCall);
    if (locations.length === 0) return removed;
    await values.removeValues(locations);
    await forgetDeadValues(database.pool, locations);
    removed += locations.length;
    if (locations.length < LIMITS.maxValuesPerCall) return removed;
  }
}

/**
 * Values that were put and never confirmed, of which nobody can commit the row any more: a leader of an older epoch is fenced, and its statements
 * ended before this epoch began, because they lock the row that the new epoch writes. The rows say which of them were committed.
 */
async function settlePending({ database, values, epoch }: Parts): Promise<number> {
  const now = database.clock.nowMs();
  const isDecided = (value: PendingValue): boolean => value.epoch < epoch || (value.epoch === epoch && now - value.atMs > UNDECIDED_MS);
  const decided = (await values.listPending(LIMITS.maxBatchOperations)).filter(isDecided);
  if (decided.length === 0) return 0;
  const runs = [...new Set(decided.map((value) => value.run))].filter((run) => run !== '');
  const named = await listNamedValues(database.pool, runs, decided.map((value) => value.location));
  await values.confirmValues([...named]);
  const orphans = decided.filter((value) => !named.has(value.location));
  await values.discardPending(orphans);
  return orphans.length;
}
