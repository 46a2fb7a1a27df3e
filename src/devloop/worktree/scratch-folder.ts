// Where files stand for a moment: a shell of a removed tree may still name that tree's own folder.
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** The caller's folder for temporary files, else the machine's. */
export function scratchFolder(): string {
  return existsSync(tmpdir()) ? tmpdir() : '/tmp';
}
