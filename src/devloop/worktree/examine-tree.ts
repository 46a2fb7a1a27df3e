// What stands in a tree that would be lost without it: changes, files, commits, processes.
import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { PlacedFile, WorktreeState } from '#contract/worktree.ts';
import { splitPaths } from './byte-paths.ts';
import { digestOf } from './digest.ts';
import { examineSubmodules, type SubmoduleFacts } from './examine-submodules.ts';
import { git, gitEnvironment, splitNul, tryGit, withGitConfig } from './git.ts';
import { findHiddenChanges } from './hidden-changes.ts';
import { idsIn, notHeldBy } from './loose-commits.ts';
import { wallMs } from '#platform/clock.ts';
import { findNested, submoduleTrees } from './nested-repositories.ts';
import { entryExists } from './place-files.ts';
import { privatePairs } from './private-config.ts';
import { listProcesses, type WorkingProcess } from './processes.ts';
import { isInside, realOf, type Repository, type Tree } from './repository.ts';
import { unfinishedIn } from './unfinished.ts';

/** Paths are relative to the tree. */
export interface TreeFacts {
  readonly changed: readonly string[];
  readonly untracked: readonly string[];
  /** Files and folders that git ignores and that we did not put there. */
  readonly ignored: readonly string[];
  /** Copies of ours that were changed since, and links of ours that are none any more. */
  readonly edited: readonly string[];
  /** Changed files that git was told to overlook. */
  readonly hidden: readonly string[];
  /** Repositories and trees inside it. */
  readonly nested: readonly string[];
  /** When the look began, epoch milliseconds. */
  readonly since: number;
  /** Commits of HEAD that no remote has; null where there is no remote. */
  readonly unpushed: number | null;
  /** Commits that only this tree's own reflogs and refs hold, its detached HEAD, or a change put aside by an unfinished command. */
  readonly loose: readonly string[];
  readonly stashes: readonly string[];
  readonly submodules: readonly SubmoduleFacts[];
  readonly processes: readonly WorkingProcess[];
  readonly unfinished: string | null;
}

/** The environment in which git sees a tree as its owner does. */
export function gitOfTree(admin: string): Record<string, string> {
  return withGitConfig(gitEnvironment(), privatePairs(admin));
}

/** Counts for a list: quick, one call of git each. */
export async function readStatus(tree: Tree, how: { readonly env?: Readonly<Record<string, string>>; readonly submodules: 'all' | 'none' } = { submodules: 'all' }): Promise<{ readonly changed: readonly string[]; readonly untracked: readonly string[]; readonly ignored: readonly string[] }> {
  const text = await git(['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored=traditional', `--ignore-submodules=${how.submodules === 'all' ? 'none' : 'all'}`], { cwd: tree.dir, env: { ...gitOfTree(tree.admin), ...how.env }, encoding: 'latin1' });
  const found = { changed: [] as string[], untracked: [] as string[], ignored: [] as string[] };
  const entries = splitPaths(text);
  for (let at = 0; at < entries.length; at += 1) {
    const entry = entries[at] ?? '';
    const fields = entry.split(' ');
    if (entry.startsWith('? ')) found.untracked.push(entry.slice(2));
    else if (entry.startsWith('! ')) found.ignored.push(entry.slice(2));
    else found.changed.push(fields.slice({ 1: 8, 2: 9, u: 10 }[fields[0] ?? ''] ?? 8).join(' '));
    // The old name of what was renamed is an entry of its own.
    if (entry.startsWith('2 ')) at += 1;
  }
  return found;
}

/** Commits of a tree's HEAD that no remote has; null without a remote. */
export async function countUnpushed(repository: Repository, tree: Tree): Promise<number | null> {
  if (tree.commit === null || ![...repository.config.keys()].some((key) => /^remote\..+\.url$/.test(key))) return null;
  const counted = await tryGit(['rev-list', '--count', tree.commit, '--not', '--remotes'], { cwd: repository.commonDir });
  return counted.status === 0 ? Number(counted.stdout) : null;
}

/** Everything at once. */
export async function examineTree(repository: Repository, tree: Tree, state: WorktreeState | null): Promise<TreeFacts> {
  const since = wallMs();
  const [status, hidden, unpushed, loose, stashes, submodules, nested] = await Promise.all([
    readStatus(tree), findHiddenChanges(tree.dir, gitOfTree(tree.admin)), countUnpushed(repository, tree), findLoose(repository, tree), listStashes(repository, tree.branch),
    examineSubmodules(repository, tree), findNested(repository, tree),
  ]);
  // Last: those above worked in the tree themselves.
  const processes = await listProcesses();
  const ours = (state?.files ?? []).filter((file) => file.how !== 'memory');
  const isOurs = (path: string): boolean => ours.some((file) => path === file.path || path === `${file.path}/` || path.startsWith(`${file.path}/`));
  return {
    ...status, ignored: status.ignored.filter((path) => !isOurs(path)), hidden, unpushed, loose, stashes, submodules, nested: [...nested, ...submoduleTrees(join(tree.admin, 'modules'))], since,
    edited: ours.filter((file) => isEdited(file, tree.dir)).map((file) => file.path),
    processes: processes.filter(({ cwd }) => isInside(cwd, tree.dir)), unfinished: unfinishedIn(tree.admin),
  };
}

/** Whether what stands there is not what was put there. */
export function isEdited({ how, path, target, sha256 }: PlacedFile, dir: string): boolean {
  const full = join(dir, path);
  if (!entryExists(full)) return false;
  if (how === 'link') return !lstatSync(full).isSymbolicLink() || (readlinkSync(full) !== target && realOf(full) !== realOf(target));
  // Nothing is known of what was copied by an older version: then it is compared with the original.
  return digestOf(full) !== (sha256 ?? (entryExists(target) ? digestOf(target) : null));
}

/** Commits that only the tree's own folder knows, and no branch, tag or remote. */
async function findLoose({ commonDir }: Repository, { admin, commit }: Tree): Promise<readonly string[]> {
  const ids = [...new Set([...idsIn(admin), ...(commit === null || /^0+$/.test(commit) ? [] : [commit])])];
  return notHeldBy(ids, ['--branches', '--remotes', '--tags'], commonDir);
}

/** Entries of the shared stash that were made on a branch, as `stash@{0}: WIP on …`. */
export async function listStashes({ commonDir }: Repository, branch: string | null): Promise<readonly string[]> {
  if (branch === null || !existsSync(join(commonDir, 'logs', 'refs', 'stash'))) return [];
  const listed = await tryGit(['reflog', 'show', '-z', '--format=%gd: %gs', 'refs/stash', '--'], { cwd: commonDir });
  return splitNul(listed.stdout).map((line) => line.trim()).filter((line) => line.includes(`: WIP on ${branch}: `) || line.includes(`: On ${branch}: `));
}
