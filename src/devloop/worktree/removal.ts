// The removal itself, in steps that the next call can go on with when this one is killed: a mark in the tree's own folder, a new name, a last look, the end.
import { existsSync, lstatSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { readStatus, type TreeFacts } from './examine-tree.ts';
import { releasePorts } from './ports.ts';
import type { Tree } from './repository.ts';
import type { Rescued } from './rescue.ts';
import { isFull } from './system-errors.ts';
import { findState, privateFolder } from './tree-state.ts';

/** What was decided, kept until the end. `aside`: the name that the folder has meanwhile. */
export interface Removal {
  readonly aside: string;
  /** The last look found nothing new: what stands there goes. */
  readonly isDecided: boolean;
  readonly deletesBranch: boolean;
  readonly rescued: Rescued | null;
  readonly notes: readonly string[];
}

function markPath(admin: string): string {
  return join(privateFolder(admin), 'removing.json');
}

/** A removal that was begun and not ended; null when there is none. */
export function findRemoval(admin: string): Removal | null {
  try {
    return JSON.parse(readFileSync(markPath(admin), 'utf8')) as Removal;
  } catch {
    return null;
  }
}

/** What a killed removal left: decided, it is given back to be ended; else the folder gets its name again. */
export function resumeRemoval({ admin, dir }: Tree): Removal | null {
  const found = findRemoval(admin);
  if (found === null || found.isDecided) return found;
  if (existsSync(found.aside) && !existsSync(dir)) renameSync(found.aside, dir);
  rmSync(markPath(admin), { force: true });
  return null;
}

/** Puts the folder aside, where nobody writes, and looks once more: for names, and at what was written since the first look began. Throws `worktree_refused` when something came meanwhile: then it stands as before. */
export async function beginRemoval(tree: Tree, facts: TreeFacts, decided: Pick<Removal, 'deletesBranch' | 'rescued' | 'notes'>): Promise<Removal> {
  const { dir, admin } = tree;
  const removal = { ...decided, aside: join(dirname(dir), `.removing-${basename(admin).slice(0, 100)}-${process.pid}`), isDecided: false };
  keep(admin, removal);
  renameSync(dir, removal.aside);
  try {
    // Told where they are, git notes no new place; submodules would look for themselves at the old one.
    const now = await readStatus({ ...tree, dir: removal.aside }, { env: { GIT_DIR: admin, GIT_WORK_TREE: removal.aside }, submodules: 'none' });
    const submodules = new Set(facts.submodules.map((one) => one.path));
    const isOwn = (path: string): boolean => !submodules.has(path);
    const isSame = shown(now) === shown({ changed: facts.changed.filter(isOwn), untracked: facts.untracked });
    if (!isSame || wasWritten(removal.aside, facts)) throw new AppError('worktree_refused', `${dir} was changed while it was being removed`, { hint: 'Run the command again.' });
    keep(admin, { ...removal, isDecided: true });
  } catch (error) {
    renameSync(removal.aside, dir);
    rmSync(markPath(admin), { force: true });
    throw error;
  }
  return { ...removal, isDecided: true };
}

/** Whether a file that was saved, or would have been, was written after it was looked at. */
function wasWritten(aside: string, { changed, untracked, edited, hidden, since }: TreeFacts): boolean {
  return [...changed, ...untracked, ...edited, ...hidden].some((path) => (lstatSync(join(aside, path), { throwIfNoEntry: false })?.ctimeMs ?? 0) > since);
}

/** On a full disk a removal is what makes room: then it goes without the mark. */
function keep(admin: string, removal: Removal): void {
  try {
    writeFileAtomic(markPath(admin), JSON.stringify(removal));
  } catch (error) {
    if (!isFull(error)) throw error;
    rmSync(markPath(admin), { force: true });
  }
}

function shown({ changed, untracked }: Pick<TreeFacts, 'changed' | 'untracked'>): string {
  return JSON.stringify([changed, untracked]);
}

/** Links are taken away as links. The tree's own folder goes last: it holds the mark. */
export function takeAway(commonDir: string, { dir, admin }: Tree, { aside }: Removal): void {
  const state = findState(admin);
  for (const { how, path } of state?.files ?? []) if (how === 'memory' && lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(path);
  rmSync(aside, { recursive: true, force: true });
  releasePorts(commonDir, admin);
  if (state !== null) rmSync(state.temporary, { recursive: true, force: true });
  rmSync(admin, { recursive: true, force: true });
  for (const folder of [dirname(admin), dirname(dir)]) removeIfEmpty(folder);
}

/** A folder that others may use. */
export function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Something is in it, or it never was.
  }
}
