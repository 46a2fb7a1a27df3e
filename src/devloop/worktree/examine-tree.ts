// What stands in a tree that would be lost without it: changes, files, commits, processes.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { WorktreeState } from '#contract/worktree.ts';
import { git, gitEnvironment, splitNul, tryGit, withGitConfig } from './git.ts';
import { unfinishedIn } from './make-tree.ts';
import { digestOf, entryExists } from './place-files.ts';
import { privatePairs } from './private-config.ts';
import { listProcesses, type WorkingProcess } from './processes.ts';
import { isInside, type Repository, type Tree } from './repository.ts';

/** Paths are relative to the tree. */
export interface TreeFacts {
  readonly changed: readonly string[];
  readonly untracked: readonly string[];
  /** Files and folders that git ignores and that we did not put there. */
  readonly ignored: readonly string[];
  /** Copies of ours that were changed since. */
  readonly edited: readonly string[];
  /** Commits of HEAD that no remote has; null where there is no remote. */
  readonly unpushed: number | null;
  /** Tips that only this tree's own reflog holds, or its detached HEAD. */
  readonly loose: readonly string[];
  readonly stashes: readonly string[];
  readonly submodules: readonly string[];
  readonly processes: readonly WorkingProcess[];
  readonly unfinished: string | null;
}

/** The environment in which git sees a tree as its owner does. */
export function gitOfTree(admin: string): Record<string, string> {
  return withGitConfig(gitEnvironment(), privatePairs(admin));
}

/** Counts for a list: quick, one call of git each. */
export async function readStatus(tree: Tree): Promise<{ readonly changed: readonly string[]; readonly untracked: readonly string[]; readonly ignored: readonly string[] }> {
  const text = await git(['status', '--porcelain=v2', '-z', '--untracked-files=all', '--ignored=traditional', '--ignore-submodules=none'], { cwd: tree.dir, env: gitOfTree(tree.admin) });
  const found = { changed: [] as string[], untracked: [] as string[], ignored: [] as string[] };
  const entries = splitNul(text);
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
  const [status, unpushed, loose, stashes, submodules] = await Promise.all([
    readStatus(tree), countUnpushed(repository, tree), findLoose(repository, tree), listStashes(repository, tree.branch), examineSubmodules(join(tree.admin, 'modules'), ''),
  ]);
  // Last: those above worked in the tree themselves.
  const processes = await listProcesses();
  const ours = (state?.files ?? []).filter((file) => file.how !== 'memory');
  const isOurs = (path: string): boolean => ours.some((file) => path === file.path || path === `${file.path}/` || path.startsWith(`${file.path}/`));
  return {
    ...status, ignored: status.ignored.filter((path) => !isOurs(path)), unpushed, loose, stashes, submodules,
    edited: ours.flatMap(({ path, sha256 }) => (sha256 !== null && entryExists(join(tree.dir, path)) && digestOf(join(tree.dir, path)) !== sha256 ? [path] : [])),
    processes: processes.filter(({ cwd }) => isInside(cwd, tree.dir)), unfinished: unfinishedIn(tree.admin),
  };
}

/** Commits that the tree's own reflog and HEAD know, and no branch, tag or remote. */
async function findLoose({ commonDir }: Repository, { admin, commit }: Tree): Promise<readonly string[]> {
  const log = join(admin, 'logs', 'HEAD');
  const known = (existsSync(log) ? readFileSync(log, 'utf8') : '').split('\n').flatMap((line) => line.split(' ', 2)).filter((id) => /^[0-9a-f]{40,64}$/.test(id) && !/^0+$/.test(id));
  const ids = new Set([...known, ...(commit === null ? [] : [commit])]);
  if (ids.size === 0) return [];
  const loose = await git(['rev-list', '--ignore-missing', '--stdin', '--not', '--branches', '--remotes', '--tags'], { cwd: commonDir, input: `${[...ids].join('\n')}\n` });
  return loose.split('\n').filter((id) => ids.has(id));
}

/** Entries of the shared stash that were made on a branch, as `stash@{0}: WIP on …`. */
export async function listStashes({ commonDir }: Repository, branch: string | null): Promise<readonly string[]> {
  if (branch === null || !existsSync(join(commonDir, 'logs', 'refs', 'stash'))) return [];
  const listed = await tryGit(['reflog', 'show', '-z', '--format=%gd: %gs', 'refs/stash', '--'], { cwd: commonDir });
  return splitNul(listed.stdout).map((line) => line.trim()).filter((line) => line.includes(`: WIP on ${branch}: `) || line.includes(`: On ${branch}: `));
}

/** Submodules of a tree with commits that their remotes have not. Their changed files are told by `status`. */
async function examineSubmodules(folder: string, prefix: string): Promise<readonly string[]> {
  if (!existsSync(folder)) return [];
  const found = await Promise.all(readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory()).map(async (name) => {
    const path = join(folder, name);
    if (!existsSync(join(path, 'HEAD'))) return examineSubmodules(path, `${prefix}${name}/`);
    const counted = await tryGit(['--git-dir', path, 'rev-list', '--count', 'HEAD', '--branches', '--not', '--remotes', '--tags'], { cwd: path });
    const own = Number(counted.stdout) > 0 ? [`${prefix}${name}`] : [];
    return [...own, ...(await examineSubmodules(join(path, 'modules'), `${prefix}${name}/`))];
  }));
  return found.flat();
}
