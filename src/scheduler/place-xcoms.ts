// Reported values on their way into a commit: their bytes go along, or are put outside PostgreSQL first and only their name goes.
import { createHash } from 'node:crypto';
import type { ExecutionReport } from '#contract/attempt.ts';
import type { PutMark, ValueStore } from '#contract/value-store.ts';
import type { XComWrite } from '#store/task-attempts.ts';
import { UNDECIDED_MS } from './sweep-values.ts';

/** A value with where its bytes are; `text` is the value as it was reported. */
export interface PlacedXCom extends Pick<XComWrite, 'key' | 'value' | 'sha256' | 'sizeBytes' | 'location' | 'mappedLength'> {
  readonly text: string;
}

/** Values whose bytes were put outside PostgreSQL, and when, by the database's clock. */
export interface Placed { readonly xcoms: readonly PlacedXCom[]; readonly atMs: number }

/** False when the sweep may soon take them for values that nobody will name: they are put again before their commit. */
export function isTrusted(placed: Placed, nowMs: number): boolean {
  return nowMs - placed.atMs < UNDECIDED_MS / 2;
}

/** Bytes in the commit itself. */
export function inlineXComs(report: ExecutionReport): PlacedXCom[] {
  return (report.xcoms ?? []).map(({ key, value: text, mapped_length: mappedLength }) => {
    const bytes = Buffer.from(text, 'utf8');
    return { key, text, mappedLength, value: bytes.toString('base64'), sha256: createHash('sha256').update(bytes).digest('base64'), sizeBytes: bytes.length, location: null };
  });
}

/**
 * Bytes outside, before the commit. The same report again puts the same bytes under the same names.
 * Throws `xcom_store_unavailable`.
 */
export async function placeXComs(store: ValueStore, report: ExecutionReport, how: { mark: PutMark; ttlSeconds: number | null }): Promise<Placed> {
  const placed = (report.xcoms ?? []).map(({ key, value: text, mapped_length: mappedLength }) => {
    const bytes = Buffer.from(text, 'utf8');
    const digest = createHash('sha256').update(bytes).digest();
    return { bytes, xcom: { key, text, mappedLength, value: null, sha256: digest.toString('base64'), sizeBytes: bytes.length, location: locationOf(report.execution_id, key, digest) } };
  });
  await store.putValues(placed.map(({ bytes, xcom }) => ({ location: xcom.location, bytes, ttlSeconds: how.ttlSeconds })), how.mark);
  return { xcoms: placed.map(({ xcom }) => xcom), atMs: how.mark.atMs };
}

/** Nobody else's name: one execution, one key, one content. Another execution, or other bytes of this one, have another. */
function locationOf(execution: string, key: string, digest: Buffer): string {
  return `${execution}/${createHash('sha256').update(key).update('\0').update(digest).digest('base64url')}`;
}
