// What stands in a file, a link or a folder, as one value: two that are the same hold the same.
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, namesIn, onDisk } from './byte-paths.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Of a file its content, of a link where it leads, of a folder all that is in it; null of anything else. */
export function digestOf(path: string): string | null {
  const entry = lstatSync(onDisk(path));
  if (entry.isFile()) return digestOfFile(path);
  const hash = createHash('sha256');
  if (entry.isSymbolicLink()) return hash.update('link\0').update(readlinkSync(onDisk(path), { encoding: 'buffer' })).digest('hex');
  if (!entry.isDirectory()) return null;
  for (const name of namesIn(path)) {
    const inside = digestOf(join(path, name));
    // Sockets and pipes hold nothing.
    if (inside !== null) hash.update(bytesOf(name)).update(`\0${lstatSync(onDisk(join(path, name))).mode & 0o100 ? 'x' : '-'}${inside}\0`);
  }
  return hash.digest('hex');
}

function digestOfFile(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(onDisk(path), 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) hash.update(chunk.subarray(0, size));
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
