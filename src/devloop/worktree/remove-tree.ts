// `leoflow worktree rm`: a tree goes only when nothing would be lost with it, or after what would be lost was saved.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { shellWord } from '#core/worktree-names.ts';
import type { SubmoduleFacts } from './examine-submodules.ts';
import { examineTree, type TreeFacts } from './examine-tree.ts';
import { tryGit } from './git.ts';
import { findMerge } from './merged.ts';
import { beginRemoval, type Removal, resumeRemoval, takeAway } from './removal.ts';
import { openRepository, type Repository, type Tree } from './repository.ts';
import { rescue, type Rescued } from './rescue.ts';
import { explained } from './system-errors.ts';
import { findState } from './tree-state.ts';

/** Why a tree stays, and the way out. `always`: force does not change it. */
export interface Reason { readonly what: string; readonly wayOut: string; readonly always?: true }

/** What a person asked for. */
export interface RemovalRequest { readonly force: boolean; readonly withIgnored: boolean; readonly deleteBranch: boolean; readonly say: (text: string) => void }

/** What was done. */
export interface Removed { readonly dir: string; readonly branch: string | null; readonly branchDeleted: string | null; readonly rescued: Rescued | null; readonly notes: readonly string[] }

/** Everything against a removal, at once. */
export function reasonsAgainst(tree: Tree, facts: TreeFacts, merge: string | null): readonly Reason[] {
  return [...reasonsInFiles(facts), ...reasonsInHistory(tree, facts, merge), ...reasonsOfUse(tree, facts)].filter((one): one is Reason => one !== false);
}

function reasonsInFiles({ changed, untracked, edited, hidden, nested }: TreeFacts): (Reason | false)[] {
  return [
    changed.length > 0 && { what: count(changed, 'changed file'), wayOut: 'commit them, or take them back with git restore' },
    untracked.length > 0 && { what: count(untracked, 'untracked file'), wayOut: 'commit, move or delete them' },
    edited.length > 0 && { what: `${count(edited, 'copied file')} changed since`, wayOut: 'take the changes over, or delete the copies' },
    hidden.length > 0 && { what: `${count(hidden, 'changed file')} marked to be overlooked`, wayOut: 'git update-index --no-assume-unchanged --no-skip-worktree there, then commit or restore them' },
    nested.length > 0 && { what: `${count(nested, 'repository')} inside it`, wayOut: 'remove or move each first: leoflow worktree rm for a working tree, mv for a repository; a submodule with its own .git folder: git submodule absorbgitdirs', always: true },
  ];
}

function reasonsInHistory({ branch, commit }: Tree, { unpushed, loose, stashes, submodules }: TreeFacts, merge: string | null): (Reason | false)[] {
  const those = (which: (one: SubmoduleFacts) => boolean): string[] => submodules.filter(which).map((one) => one.name);
  const [dirty, ahead, stashed] = [those((one) => one.hasFiles), those((one) => one.hasCommits), those((one) => one.hasStashes)];
  const wayOut = branch === null ? `git branch NAME ${commit ?? ''}, then push it` : `leoflow worktree exec ${branch} -- git push`;
  return [
    merge === null && (unpushed ?? 0) > 0 && { what: `${unpushed === 1 ? '1 commit' : `${unpushed} commits`} of ${branch ?? 'HEAD'} on no remote`, wayOut },
    branch === null && loose.includes(commit ?? '') && { what: 'its HEAD is detached, and no branch holds its commits', wayOut: 'git switch -c NAME there' },
    stashes.length > 0 && { what: count(stashes, 'stash entry'), wayOut: 'git stash branch NAME in the primary checkout, or git stash drop' },
    dirty.length > 0 && { what: `changed or untracked files in ${count(dirty, 'submodule')}`, wayOut: 'commit and push them there, or take them back' },
    ahead.length > 0 && { what: `commits of ${count(ahead, 'submodule')} on no remote`, wayOut: 'push them there; those that only its reflog knows: git log --reflog' },
    stashed.length > 0 && { what: `stash entries in ${count(stashed, 'submodule')}`, wayOut: 'git stash pop or git stash drop there' },
  ];
}

function reasonsOfUse({ locked, dir }: Tree, { unfinished, processes }: TreeFacts): (Reason | false)[] {
  const shown = processes.slice(0, 5);
  return [
    unfinished !== null && { what: `it is in the middle of ${unfinished}`, wayOut: 'finish or abort it there' },
    locked !== null && { what: `it is locked${locked === '' ? '' : ` (${locked})`}`, wayOut: `git worktree unlock ${shellWord(dir)}` },
    processes.length > 0 && { what: `${processes.length === 1 ? '1 process works' : `${processes.length} processes work`} in it: ${shown.map((one) => `${one.pid} ${one.command.slice(0, 40)}`).join(', ')}`, wayOut: `leave the folder, or end them: kill ${shown.map((one) => one.pid).join(' ')}`, always: true },
  ];
}

function count(things: readonly string[], name: string): string {
  const plural = name.endsWith('y') ? `${name.slice(0, -1)}ies` : `${name}s`;
  return `${things.length} ${things.length === 1 ? name : plural} (${things.slice(0, 3).join(', ')}${things.length > 3 ? ', …' : ''})`;
}

/** Removes a tree, or ends a removal that was killed. Throws `worktree_refused` with every reason. */
export async function removeTree(repository: Repository, tree: Tree, request: RemovalRequest): Promise<Removed> {
  try {
    const begun = resumeRemoval(tree);
    if (begun !== null) return await finish(repository, tree, begun);
    return await removeWhole(repository, { ...tree, isMissing: !existsSync(join(tree.dir, '.git')) }, request);
  } catch (error) {
    throw explained(error, tree.dir);
  }
}

async function removeWhole(repository: Repository, tree: Tree, request: RemovalRequest): Promise<Removed> {
  if (tree.isMissing) throw new AppError('worktree_refused', `the folder ${tree.dir} is gone already`, { hint: `If it was moved: git worktree repair NEW_PATH. If it was deleted: git worktree prune. Its branch ${tree.branch ?? ''} stays.` });
  const state = findState(tree.admin);
  const [facts, merge] = await Promise.all([examineTree(repository, tree, state), state === null ? null : findMerge(repository, tree, state)]);
  refuseFor(reasonsAgainst(tree, facts, merge), tree, request);
  const deletesBranch = tree.branch !== null && (request.deleteBranch || (merge !== null && state?.branch_made === true && state.branch === tree.branch));
  const rescued = await rescue({ repository, tree, facts, what: request.force ? 'all' : deletesBranch ? 'branch' : 'loose', withIgnored: request.withIgnored });
  if (rescued !== null) request.say(`saved in ${rescued.folder}\n`);
  const notes = merge === null || !deletesBranch ? [] : [`${tree.branch ?? ''}: ${merge}`];
  return finish(repository, tree, await beginRemoval(tree, facts, { deletesBranch, rescued, notes }));
}

/** From here on nothing of it is looked at any more: killed, the next call goes on. */
async function finish(repository: Repository, tree: Tree, begun: Removal): Promise<Removed> {
  const { deletesBranch, rescued, notes } = begun;
  const branchDeleted = deletesBranch ? await deleteBranch(repository, tree) : null;
  takeAway(repository.commonDir, tree, begun);
  return { dir: tree.dir, branch: tree.branch, branchDeleted, rescued, notes };
}

function refuseFor(all: readonly Reason[], tree: Tree, { force }: RemovalRequest): void {
  const reasons = all.filter((reason) => !force || reason.always === true);
  if (reasons.length === 0) return;
  const hint = force ? 'Force does not help here.' : 'Mend them, or --force: everything named is saved first, and how to get it back is printed.';
  throw new AppError('worktree_refused', `${tree.branch ?? tree.dir} is not removed:\n${reasons.map(({ what, wayOut }) => `  · ${what}\n      ${wayOut}`).join('\n')}`, { hint, details: reasons });
}

/** By its name and commit, so that one that moved meanwhile stays; the settings of the repository are not touched. */
async function deleteBranch({ commonDir }: Repository, { branch, commit, admin }: Tree): Promise<string | null> {
  const elsewhere = (await openRepository(commonDir)).trees.some((one) => one.branch === branch && one.admin !== admin);
  if (elsewhere || branch === null || commit === null) return null;
  const deleted = await tryGit(['update-ref', '-d', `refs/heads/${branch}`, commit], { cwd: commonDir });
  return deleted.status === 0 ? commit : null;
}
