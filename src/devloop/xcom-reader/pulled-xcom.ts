// A row as it is printed: decoded, with what it was and where it lay.
import type { ProbeRow, PulledXCom } from '#contract/xcom-reader.ts';
import { decodeValue, type Layers } from './decode-value.ts';

/** How rows are to be read. */
export interface Decoding { readonly dagId: string; readonly backend: string | null; readonly layers: Layers; readonly isApi: boolean; readonly keysOnly: boolean }

/** A row as it is printed: decoded, with what it was. */
export function pulledXCom(row: ProbeRow, how: Decoding): PulledXCom {
  const { run_id, task_id, map_index, key, timestamp } = row;
  const place = { dag_id: how.dagId, run_id, task_id, map_index, key, timestamp };
  const storage = row.resolved !== undefined ? 'objectstorage' : how.isApi ? 'api' : row.column;
  if (how.keysOnly) return { ...place, storage, encoding: 'absent', raw: null, value: null, decodeNotes: [], bytes: row.bytes, cut: false };
  if (row.data === null || row.bytes === null) return { ...place, storage, encoding: 'null', raw: null, value: null, decodeNotes: [], bytes: null, cut: false };
  const stored = storedOf(row, row.data, row.bytes);
  const decoded = decodeValue(stored, how.layers);
  return { ...place, storage, encoding: decoded.encoding, raw: rawText(stored.data), value: decoded.value, decodeNotes: [...notesOf(row, how.backend), ...decoded.notes].slice(0, 20), bytes: stored.bytes, cut: stored.cut };
}

function storedOf(row: ProbeRow, own: string, ownBytes: number): { column: 'json' | 'bytes'; data: Buffer; bytes: number | null; cut: boolean } {
  const fetched = row.resolved?.data ?? null;
  const data = Buffer.from(fetched ?? own, 'base64');
  if (fetched === null) return { column: row.column, data, bytes: ownBytes, cut: data.length < ownBytes };
  // Without a length it went on behind what was fetched.
  const bytes = row.resolved?.bytes ?? null;
  return { column: 'bytes', data, bytes, cut: bytes === null || data.length < bytes };
}

function notesOf(row: ProbeRow, backend: string | null): readonly string[] {
  if (row.resolved?.problem !== null && row.resolved?.problem !== undefined) return [`$: kept at ${row.resolved.url}, not fetched: ${row.resolved.problem}`];
  if (row.resolved !== undefined) return [`$: fetched from ${row.resolved.url}`];
  return backend === null ? [] : [`$: written by the XCom backend ${backend}; what it keeps elsewhere is shown as its reference`];
}

/** Text where the bytes are text, base64 where they are not. */
function rawText(data: Buffer): string {
  const text = data.toString('utf8');
  return Buffer.from(text, 'utf8').equals(data) ? text : data.toString('base64');
}
