// What is known of a tree, kept in its own folder of the git directory: neither in the primary's settings nor among the tree's files.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WorktreeState } from '#contract/worktree.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import type { Tree } from './repository.ts';

/** Our folder of a tree. Git removes it together with the tree's own. */
export function privateFolder(admin: string): string {
  return join(admin, 'leoflow');
}

/** What `new` wrote; null for a tree that it did not make. */
export function findState(admin: string): WorktreeState | null {
  const path = join(privateFolder(admin), 'tree.json');
  if (!existsSync(path)) return null;
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as WorktreeState;
    return state.version === 1 ? state : null;
  } catch {
    return null;
  }
}

/** Keeps it. */
export function writeState(admin: string, state: WorktreeState): void {
  writeFileAtomic(join(privateFolder(admin), 'tree.json'), `${JSON.stringify(state, null, 2)}\n`);
}

/** The trees that `new` made, with what is known of them. */
export function listStates(trees: readonly Tree[]): readonly { readonly tree: Tree; readonly state: WorktreeState }[] {
  return trees.filter((tree) => !tree.isPrimary).flatMap((tree) => {
    const state = findState(tree.admin);
    return state === null ? [] : [{ tree, state }];
  });
}
