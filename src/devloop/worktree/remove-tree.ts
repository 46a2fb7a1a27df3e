// `leoflow worktree rm`: a tree goes only when nothing would be lost with it, or after what would be lost was saved.
import { existsSync, lstatSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { WorktreeState } from '#contract/worktree.ts';
import { examineTree, gitOfTree, type TreeFacts } from './examine-tree.ts';
import { git, gitFailure, tryGit } from './git.ts';
import { findMerge } from './merged.ts';
import { releasePorts } from './ports.ts';
import { openRepository, type Repository, type Tree } from './repository.ts';
import { rescue, type Rescued } from './rescue.ts';
import { findState } from './tree-state.ts';

/** Why a tree stays, and the way out. `always`: force does not change it. */
export interface Reason { readonly what: string; readonly wayOut: string; readonly always?: true }

/** What a person asked for. */
export interface RemovalRequest { readonly force: boolean; readonly withIgnored: boolean; readonly deleteBranch: boolean }

/** What was done. */
export interface Removed { readonly dir: string; readonly branch: string | null; readonly branchDeleted: string | null; readonly rescued: Rescued | null; readonly notes: readonly string[] }

/** Everything against a removal, at once. */
export function reasonsAgainst(tree: Tree, facts: TreeFacts, merge: string | null): readonly Reason[] {
  return [...reasonsInFiles(facts), ...reasonsInHistory(tree, facts, merge), ...reasonsOfUse(tree, facts)].filter((one): one is Reason => one !== false);
}

function reasonsInFiles({ changed, untracked, edited }: TreeFacts): (Reason | false)[] {
  return [
    changed.length > 0 && { what: count(changed, 'changed file'), wayOut: 'commit them, or take them back with git restore' },
    untracked.length > 0 && { what: count(untracked, 'untracked file'), wayOut: 'commit, move or delete them' },
    edited.length > 0 && { what: `${count(edited, 'copied file')} changed since`, wayOut: 'take the changes over, or delete the copies' },
  ];
}

function reasonsInHistory({ branch, commit }: Tree, { unpushed, loose, stashes, submodules }: TreeFacts, merge: string | null): (Reason | false)[] {
  const wayOut = branch === null ? `git branch NAME ${commit ?? ''}, then push it` : `leoflow worktree exec ${branch} -- git push`;
  return [
    merge === null && (unpushed ?? 0) > 0 && { what: `${unpushed === 1 ? '1 commit' : `${unpushed} commits`} of ${branch ?? 'HEAD'} on no remote`, wayOut },
    branch === null && loose.includes(commit ?? '') && { what: 'its HEAD is detached, and no branch holds its commits', wayOut: 'git switch -c NAME there' },
    stashes.length > 0 && { what: count(stashes, 'stash entry'), wayOut: 'git stash branch NAME in the primary checkout, or git stash drop' },
    submodules.length > 0 && { what: `commits of ${count(submodules, 'submodule')} on no remote`, wayOut: 'push them there' },
  ];
}

function reasonsOfUse({ locked, dir }: Tree, { unfinished, processes }: TreeFacts): (Reason | false)[] {
  const shown = processes.slice(0, 5);
  return [
    unfinished !== null && { what: `it is in the middle of ${unfinished}`, wayOut: 'finish or abort it there' },
    locked !== null && { what: `it is locked${locked === '' ? '' : ` (${locked})`}`, wayOut: `git worktree unlock '${dir}'` },
    processes.length > 0 && { what: `${processes.length === 1 ? '1 process works' : `${processes.length} processes work`} in it: ${shown.map((one) => `${one.pid} ${one.command.slice(0, 40)}`).join(', ')}`, wayOut: `leave the folder, or end them: kill ${shown.map((one) => one.pid).join(' ')}`, always: true },
  ];
}

function count(things: readonly string[], name: string): string {
  const plural = name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`;
  return `${things.length} ${things.length === 1 ? name : plural} (${things.slice(0, 3).join(', ')}${things.length > 3 ? ', …' : ''})`;
}

/** Removes a tree. Throws `worktree_refused` with every reason. */
export async function removeTree(repository: Repository, tree: Tree, request: RemovalRequest): Promise<Removed> {
  if (tree.isMissing) throw new AppError('worktree_refused', `the folder ${tree.dir} is gone already`, { hint: `If it was moved: git worktree repair NEW_PATH. If it was deleted: git worktree prune. Its branch ${tree.branch ?? ''} stays.` });
  const state = findState(tree.admin);
  const [facts, merge] = await Promise.all([examineTree(repository, tree, state), state === null ? null : findMerge(repository, tree, state)]);
  refuseFor(reasonsAgainst(tree, facts, merge), tree, request);
  const deletesBranch = tree.branch !== null && (request.deleteBranch || merge !== null);
  const rescued = await rescue({ repository, tree, facts, what: request.force ? 'all' : deletesBranch ? 'branch' : 'loose', withIgnored: request.withIgnored });
  await takeAway({ repository, tree, state, isForced: request.force || existsSync(join(tree.admin, 'modules')) });
  const branchDeleted = deletesBranch ? await deleteBranch(repository, tree) : null;
  const notes = merge === null || !deletesBranch ? [] : [`${tree.branch ?? ''}: ${merge}`];
  return { dir: tree.dir, branch: tree.branch, branchDeleted, rescued, notes };
}

function refuseFor(all: readonly Reason[], tree: Tree, { force }: RemovalRequest): void {
  const reasons = all.filter((reason) => !force || reason.always === true);
  if (reasons.length === 0) return;
  const hint = force ? 'Force does not help here.' : 'Mend them, or --force: everything named is saved first, and how to get it back is printed.';
  throw new AppError('worktree_refused', `${tree.branch ?? tree.dir} is not removed:\n${reasons.map(({ what, wayOut }) => `  · ${what}\n      ${wayOut}`).join('\n')}`, { hint, details: reasons });
}

interface Leaving { readonly repository: Repository; readonly tree: Tree; readonly state: WorktreeState | null; readonly isForced: boolean }

/** Links are taken away as links. Without force git looks once more before it removes anything. */
async function takeAway({ repository, tree, state, isForced }: Leaving): Promise<void> {
  for (const { how, path } of state?.files ?? []) {
    const full = how === 'memory' ? path : join(tree.dir, path);
    if (lstatSync(full, { throwIfNoEntry: false })?.isSymbolicLink() === true) unlinkSync(full);
  }
  const done = await tryGit(['worktree', 'remove', ...(isForced ? ['--force', '--force'] : []), '--', tree.dir], { cwd: repository.commonDir, env: gitOfTree(tree.admin) });
  if (done.status !== 0) throw gitFailure(`${tree.dir} could not be removed`, done);
  releasePorts(repository.commonDir, tree.admin);
  if (state !== null) rmSync(state.temporary, { recursive: true, force: true });
  try {
    rmdirSync(dirname(tree.dir));
  } catch {
    // Other trees stand beside it.
  }
}

/** By its name and commit, so that one that moved meanwhile stays; the settings of the repository are not touched. */
async function deleteBranch({ commonDir }: Repository, { branch, commit }: Tree): Promise<string | null> {
  const elsewhere = (await openRepository(commonDir)).trees.some((tree) => tree.branch === branch);
  if (elsewhere || branch === null || commit === null) return null;
  await git(['update-ref', '-d', `refs/heads/${branch}`, commit], { cwd: commonDir });
  return commit;
}
