// Whether a branch's work is in the branch that it was for: by history, commit by commit, or as one squashed commit.
import type { WorktreeState } from '#contract/worktree.ts';
import { git, tryGit } from './git.ts';
import { type Repository, settingOf, type Tree } from './repository.ts';

/** How it is merged; null when it is not, or when nothing was ever committed on it. */
export async function findMerge({ commonDir }: Repository, tree: Tree, state: Pick<WorktreeState, 'base' | 'target'>): Promise<string | null> {
  const { commit } = tree;
  const { target } = state;
  if (commit === null || target === null || tree.branch === null || target === `refs/heads/${tree.branch}`) return null;
  const short = target.replace(/^refs\/(heads|remotes)\//, '');
  const [isAncestor, between] = await Promise.all([tryGit(['merge-base', '--is-ancestor', commit, target], { cwd: commonDir }), tryGit(['merge-base', commit, target], { cwd: commonDir })]);
  if (isAncestor.status === 0) return commit === state.base.commit ? null : `merged into ${short}`;
  const fork = between.stdout.trim();
  if (fork === '') return null;
  const picked = await tryGit(['cherry', target, commit, fork], { cwd: commonDir });
  if (picked.status === 0 && picked.stdout !== '' && !/^\+/m.test(picked.stdout)) return `its commits are in ${short}`;
  // One commit with all of the branch's changes, as a squash merge makes it, is looked for by its patch.
  const squashed = (await git(['commit-tree', `${commit}^{tree}`, '-p', fork, '-m', 'squashed'], { cwd: commonDir, env: NOBODY })).trim();
  const found = await tryGit(['cherry', target, squashed, fork], { cwd: commonDir });
  return found.status === 0 && found.stdout.startsWith('- ') ? `squash-merged into ${short}` : null;
}

/** Always the same commit, so that asking twice adds nothing. */
const NOBODY = { GIT_AUTHOR_NAME: 'leoflow', GIT_AUTHOR_EMAIL: 'leoflow', GIT_AUTHOR_DATE: '@0 +0000', GIT_COMMITTER_NAME: 'leoflow', GIT_COMMITTER_EMAIL: 'leoflow', GIT_COMMITTER_DATE: '@0 +0000' };

/** Fetches the branches that trees are to be merged into. @returns the remotes that did not answer */
export async function fetchTargets(repository: Repository, states: readonly Pick<WorktreeState, 'target' | 'remote'>[]): Promise<readonly string[]> {
  const wanted = new Map<string, Set<string>>();
  for (const { remote, target } of states) {
    if (remote === null || target === null || !target.startsWith(`refs/remotes/${remote}/`) || settingOf(repository, `remote.${remote}.url`) === null) continue;
    wanted.set(remote, (wanted.get(remote) ?? new Set()).add(target.slice(`refs/remotes/${remote}/`.length)));
  }
  const ended = await Promise.all([...wanted].map(async ([remote, branches]) => {
    const specs = [...branches].map((branch) => `+refs/heads/${branch}:refs/remotes/${remote}/${branch}`);
    const done = await tryGit(['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--no-prune', '--no-recurse-submodules', '--', remote, ...specs], { cwd: repository.commonDir });
    return done.status === 0 ? [] : [remote];
  }));
  return ended.flat();
}
