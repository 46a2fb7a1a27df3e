// Copies files and folders as they are: links as links, also those that lead nowhere; modes and times kept; sockets and pipes left out.
import { chmodSync, copyFileSync, lstatSync, lutimesSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { namesIn, onDisk } from './byte-paths.ts';

/** `copyMode` as in fs.copyFile; what `takes` refuses is left out with all below it. */
export interface CopyOptions { readonly copyMode?: number; readonly takes?: (path: string) => boolean }

/** Copies to a place that is free, with the folders above it. */
export function copyEntry(from: string, to: string, options: CopyOptions = {}): void {
  if (options.takes?.(from) === false) return;
  const [source, target] = [onDisk(from), onDisk(to)];
  const entry = lstatSync(source);
  if (entry.isSymbolicLink() || entry.isFile()) mkdirSync(onDisk(dirname(to)), { recursive: true });
  if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source, { encoding: 'buffer' }), target);
  else if (entry.isFile()) copyFileSync(source, target, options.copyMode ?? 0);
  else if (entry.isDirectory()) {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    for (const name of namesIn(from)) copyEntry(join(from, name), join(to, name), options);
    chmodSync(target, entry.mode & 0o7777);
  } else return;
  lutimesSync(target, entry.atime, entry.mtime);
}
