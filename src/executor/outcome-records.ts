// The records in a file of outcomes. A record is a line: the execution's id, a space, its report.
import type { FileHandle } from 'node:fs/promises';

/** Where a report lies in its file. */
export interface Place { readonly start: number; readonly end: number }

const CHUNK_BYTES = 256 * 1024;
/** An execution's id and the space behind it are shorter. */
const HEAD_BYTES = 64;
const NEWLINE = 10;

/** Where each execution's reports lie, in the order in which they were written. One that was cut short is among them. */
export async function findRecords(file: FileHandle): Promise<Map<string, Place[]>> {
  const found = new Map<string, Place[]>();
  let line = { start: 0, head: '' };
  const endLine = (end: number): void => {
    const space = line.head.indexOf(' ');
    if (space > 0) {
      const id = line.head.slice(0, space);
      found.set(id, [...(found.get(id) ?? []), { start: line.start + space + 1, end }]);
    }
    line = { start: end + 1, head: '' };
  };
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let offset = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, offset);
    const chunk = buffer.subarray(0, bytesRead);
    for (let at = 0; at < bytesRead; ) {
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline < 0 ? bytesRead : newline;
      if (line.head.length < HEAD_BYTES) line.head += chunk.toString('latin1', at, Math.min(end, at + HEAD_BYTES - line.head.length));
      if (newline >= 0) endLine(offset + newline);
      at = end + 1;
    }
    offset += bytesRead;
    if (bytesRead > 0) continue;
    endLine(offset);
    return found;
  }
}
