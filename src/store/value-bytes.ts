// The bytes behind rows of `xcoms`, wherever they lie, checked by their hash. What is recorded but not there is an error, never None.
import { createHash } from 'node:crypto';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { ValueReader } from '#contract/value-store.ts';
import { partsOf } from '#core/parts-of.ts';

/** What a reading selects of a row. `value` is null when its bytes lie elsewhere, or are gone. */
export interface ValueRow {
  readonly sha256: Buffer;
  readonly size_bytes: number;
  readonly location: string | null;
  readonly expired: boolean | null;
  readonly value: Buffer | null;
}

/**
 * The bytes of each row, in order.
 * Throws `xcom_lost` when one is gone, expired or not what was recorded, `xcom_store_unavailable` when nobody can say now, `invalid_config` when they lie in a store that is not set up.
 * @param nameOf the value's name for people
 */
export async function readBytes<R extends ValueRow>(values: ValueReader | null, rows: readonly R[], nameOf: (row: R) => string): Promise<Buffer[]> {
  const elsewhere = rows.some((row) => row.location !== null) ? await readElsewhere(values, rows) : null;
  return rows.map((row) => checked(row, row.location === null ? row.value : (elsewhere?.get(row.location) ?? null), nameOf));
}

async function readElsewhere(values: ValueReader | null, rows: readonly ValueRow[]): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  // What expired is not asked for.
  const asked = rows.flatMap(({ location, size_bytes: size, expired }) => (location === null || expired === true ? [] : [{ location, size }]));
  for (const part of partsOf(asked, { maxItems: LIMITS.maxValuesPerCall, maxBytes: LIMITS.maxValueReadBytes, bytesOf: ({ size }) => size })) {
    if (values === null) throw new AppError('invalid_config', 'the value lies in Redis, and LEOFLOW_REDIS_URL is not set', { hint: 'Set LEOFLOW_REDIS_URL to the Redis that holds the values of this database.' });
    const bytes = await values.readValues(part.map(({ location }) => location));
    for (const [at, { location }] of part.entries()) {
      const value = bytes[at] ?? null;
      if (value !== null) found.set(location, value);
    }
  }
  return found;
}

function checked<R extends ValueRow>(row: R, value: Buffer | null, nameOf: (row: R) => string): Buffer {
  if (row.expired === true) throw new AppError('xcom_lost', `the XCom ${nameOf(row)} expired`, { hint: 'Its DAG sets xcom.ttl_seconds; clear the producing task to make the value again.' });
  if (value === null) throw new AppError('xcom_lost', `the XCom ${nameOf(row)} is recorded but its value is gone`);
  if (!createHash('sha256').update(value).digest().equals(row.sha256)) throw new AppError('xcom_lost', `the XCom ${nameOf(row)} is not what was pushed`);
  return value;
}
