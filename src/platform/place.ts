// The name of a home folder on a machine, for rows that several servers share.
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { hostname } from 'node:os';

/** Host and a short hash of the folder's real path: the same for every server of this home, however the path is written. */
export function placeOf(home: string): string {
  return `${hostname()}#${createHash('sha256').update(realpathSync(home)).digest('hex').slice(0, 12)}`;
}
