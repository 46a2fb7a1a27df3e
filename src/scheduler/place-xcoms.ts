// Reported values on their way into a commit: their bytes go along, or are put outside PostgreSQL first and only their name goes.
import { createHash } from 'node:crypto';
import type { ReportedXCom } from '#contract/attempt.ts';
import type { PutMark, ValueStore } from '#contract/value-store.ts';
import { type Instance, recordLength } from '#core/run-snapshot.ts';
import type { XComWrite } from '#store/task-attempts.ts';
import type { Entry } from './engine-memory.ts';
import type { PendingRun } from './pending-run.ts';
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
export function inlineXComs(xcoms: readonly ReportedXCom[]): PlacedXCom[] {
  return xcoms.map(({ key, value: text, mapped_length: mappedLength }) => {
    const bytes = Buffer.from(text, 'utf8');
    return { key, text, mappedLength, value: bytes.toString('base64'), sha256: createHash('sha256').update(bytes).digest('base64'), sizeBytes: bytes.length, location: null };
  });
}

/**
 * Bytes outside, before the commit. The same values again put the same bytes under the same names.
 * Throws `xcom_store_unavailable`.
 * @param from `owner` is the execution or trigger that they come from
 */
export async function placeXComs(store: ValueStore, from: { owner: string; xcoms: readonly ReportedXCom[] }, how: { mark: PutMark; ttlSeconds: number | null }): Promise<Placed> {
  const placed = from.xcoms.map(({ key, value: text, mapped_length: mappedLength }) => {
    const bytes = Buffer.from(text, 'utf8');
    const digest = createHash('sha256').update(bytes).digest();
    return { bytes, xcom: { key, text, mappedLength, value: null, sha256: digest.toString('base64'), sizeBytes: bytes.length, location: locationOf(from.owner, key, digest) } };
  });
  await store.putValues(placed.map(({ bytes, xcom }) => ({ location: xcom.location, bytes, ttlSeconds: how.ttlSeconds })), how.mark);
  return { xcoms: placed.map(({ xcom }) => xcom), atMs: how.mark.atMs };
}

/** Puts values into the run's next commit, and what planner and downstream tasks need of them into memory. */
export function commitXComs(entry: Entry, pending: PendingRun, from: { instance: Instance; xcoms: readonly PlacedXCom[] }): void {
  const { instance } = from;
  for (const placed of from.xcoms) {
    const { text: _, ...xcom } = placed;
    pending.xcoms.push({ run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId ?? '', ttlSeconds: ttlOf(entry), ...xcom });
    rememberXCom(entry, instance, placed);
  }
}

/** What planner and downstream tasks need of a value. */
export function rememberXCom(entry: Entry, instance: Instance, { text, key, mappedLength }: Pick<PlacedXCom, 'text' | 'key' | 'mappedLength'>): void {
  recordLength(entry.run, instance, { key, mappedLength });
  // What expires is read where its time is known.
  if (ttlOf(entry) === null) entry.values.remember({ taskId: instance.task.id, key, mapIndex: instance.mapIndex }, text);
}

function ttlOf({ run }: Entry): number | null {
  return run.graph.dag.xcom?.ttl_seconds ?? null;
}

/** Nobody else's name: one execution, one key, one content. Another execution, or other bytes of this one, have another. */
function locationOf(execution: string, key: string, digest: Buffer): string {
  return `${execution}/${createHash('sha256').update(key).update('\0').update(digest).digest('base64url')}`;
}
