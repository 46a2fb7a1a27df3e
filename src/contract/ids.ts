// The identifiers that cross a process, each made only by its parser.
import { randomFillSync } from 'node:crypto';

declare const brand: unique symbol;
type Branded<T extends string> = string & { readonly [brand]: T };

/** A UUIDv7 naming one row of `dag_runs`. */
export type RunUuid = Branded<'RunUuid'>;
/** A UUIDv7 naming one try of a task instance: Airflow's task-instance id. */
export type AttemptId = Branded<'AttemptId'>;
/** A UUIDv7 naming one launch of a try. Never reused. */
export type ExecutionId = Branded<'ExecutionId'>;
/** A UUIDv7 naming one wait for a trigger: made when an execution defers, gone when the wait is over. */
export type TriggerId = Branded<'TriggerId'>;
/** A UUID naming one immutable DAG version. */
export type VersionId = Branded<'VersionId'>;

/** DAG and task ids as Airflow allows them: 1–250 letters (of any script), digits, `_`, `-`, and dots for task groups. */
export const KEY_PATTERN = '^[\\p{L}\\p{M}\\p{N}_.-]{1,250}$';
/** Run ids as Airflow allows them (`[scheduler] allowed_run_id_pattern`). */
export const RUN_ID_PATTERN = '^[A-Za-z0-9_.~:+-]+$';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True when `text` is a lower-case UUID. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

const pool = Buffer.allocUnsafe(16 * 256);
let poolOffset = pool.length;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const hex = (byte: number): string => HEX[byte] ?? '00';

/**
 * A fresh UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, 74 random bits.
 * @param unixMs the time that the id carries; it orders rows, nothing decides on it
 */
export function makeUuidV7<T extends string>(unixMs: number): T {
  if (poolOffset >= pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  const o = poolOffset;
  poolOffset += 16;
  const r = (i: number): number => pool[o + i] ?? 0;
  const time = Math.floor(unixMs).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-${hex(0x70 | (r(6) & 0x0f))}${hex(r(7))}-${hex(0x80 | (r(8) & 0x3f))}${hex(r(9))}-${hex(r(10))}${hex(r(11))}${hex(r(12))}${hex(r(13))}${hex(r(14))}${hex(r(15))}` as T;
}
