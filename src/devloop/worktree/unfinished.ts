// What git is in the middle of in a tree.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const UNFINISHED: Readonly<Record<string, string>> = { 'rebase-merge': 'a rebase', 'rebase-apply': 'a rebase', MERGE_HEAD: 'a merge', CHERRY_PICK_HEAD: 'a cherry-pick', REVERT_HEAD: 'a revert', BISECT_LOG: 'a bisect' };

/** Its name; null when it is in the middle of nothing. */
export function unfinishedIn(admin: string): string | null {
  return Object.entries(UNFINISHED).find(([name]) => existsSync(join(admin, name)))?.[1] ?? null;
}
