// Copies files and folders as they are: links as links, also those that lead nowhere; modes and times kept; sockets and pipes left out.
import { chmodSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** `copyMode` as in fs.copyFile; what `takes` refuses is left out with all below it. */
export interface CopyOptions { readonly copyMode?: number; readonly takes?: (path: string) => boolean }

/** Copies to a place that is free, with the folders above it. */
export function copyEntry(from: string, to: string, options: CopyOptions = {}): void {
  if (options.takes?.(from) === false) return;
  const entry = lstatSync(from);
  if (entry.isSymbolicLink() || entry.isFile()) mkdirSync(dirname(to), { recursive: true });
  if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (entry.isFile()) copyFileSync(from, to, options.copyMode ?? 0);
  else if (entry.isDirectory()) {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(from)) copyEntry(join(from, name), join(to, name), options);
    chmodSync(to, entry.mode & 0o7777);
  } else return;
  lutimesSync(to, entry.atime, entry.mtime);
}
