// Paths that are no UTF-8: a text holds their bytes as U+DC80 to U+DCFF, which no decoded text has, and gives them back for the file system.
import { isUtf8 } from 'node:buffer';
import { readdirSync } from 'node:fs';

const ESCAPED = 0xdc00;

/** A path as text, from its bytes. */
export function pathOf(bytes: Buffer): string {
  return isUtf8(bytes) ? bytes.toString('utf8') : [...bytes].map((byte) => String.fromCharCode(byte < 0x80 ? byte : ESCAPED + byte)).join('');
}

/** Entries of an output of git with -z that was read as `latin1`. */
export function splitPaths(latin1: string): string[] {
  return latin1.split('\0').filter((one) => one !== '').map((one) => pathOf(Buffer.from(one, 'latin1')));
}

/** The path as the file system takes it. */
export function onDisk(path: string): string | Buffer {
  return path.isWellFormed() ? path : bytesOf(path);
}

/** Its bytes. */
export function bytesOf(path: string): Buffer {
  return Buffer.concat(Array.from(path, (one) => (one.isWellFormed() ? Buffer.from(one, 'utf8') : Buffer.from([one.charCodeAt(0) - ESCAPED]))));
}

/** The names in a folder, sorted. */
export function namesIn(folder: string): string[] {
  return readdirSync(onDisk(folder), { encoding: 'buffer' }).map(pathOf).sort();
}
