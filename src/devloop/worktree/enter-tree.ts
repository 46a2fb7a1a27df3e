// The environment of a tree: what makes its private settings hold, and its own ports and names.
import { mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { WorktreeState } from '#contract/worktree.ts';
import { portVariableOf } from '#core/worktree-names.ts';
import { gitEnvironment, withGitConfig } from './git.ts';
import { privatePairs, writePrivateConfig } from './private-config.ts';
import { findTree, openRepository, type Tree } from './repository.ts';
import { findState, privateFolder } from './tree-state.ts';

/** A tree that somebody goes into. */
export interface EnteredTree { readonly tree: Tree; readonly state: WorktreeState; readonly environment: Readonly<Record<string, string>> }

/** Finds a tree by branch, folder or the current folder, and brings its private settings up to date. Throws `not_found`. */
export async function enterTree(cwd: string, named: string | undefined): Promise<EnteredTree> {
  const repository = await openRepository(cwd);
  const tree = findTree(repository, named, cwd);
  const state = findState(tree.admin);
  if (tree.isMissing) throw new AppError('not_found', `the folder ${tree.dir} is gone`, { hint: 'Moved: git worktree repair NEW_PATH. Deleted: git worktree prune.' });
  if (state === null) throw new AppError('not_found', `${tree.dir} was made by git alone`, { hint: `Take it over: leoflow worktree new ${tree.branch ?? 'BRANCH'} '${tree.dir}'` });
  // `git worktree move` may have taken it elsewhere.
  const current = { ...state, dir: tree.dir };
  writePrivateConfig(repository, tree.admin, current);
  mkdirSync(current.temporary, { recursive: true, mode: 0o700 });
  return { tree, state: current, environment: treeEnvironment(tree.admin, current) };
}

/** Variables of a tree beside git's: what its programs are told. */
export function ownVariables(state: WorktreeState): Record<string, string> {
  const ports = state.port === null ? {} : Object.fromEntries([['PORT', state.port], ...state.port_names.map((name, at) => [portVariableOf(name), (state.port ?? 0) + at])].map(([name, port]) => [name, String(port)]));
  return {
    WORKTREE_BRANCH: state.branch, WORKTREE_DIR: state.dir, WORKTREE_PRIMARY: state.primary,
    COMPOSE_PROJECT_NAME: state.compose_project, DATABASE_NAME: state.database, TMPDIR: state.temporary, ...ports,
  };
}

/** The caller's environment with those of the tree. Entering twice changes nothing. */
export function treeEnvironment(admin: string, state: WorktreeState): Record<string, string> {
  const caller = gitEnvironment();
  const guard = join(privateFolder(admin), 'bin');
  const path = (caller['PATH'] ?? '').split(delimiter).filter((folder) => !/\/worktrees\/[^/]+\/leoflow\/bin$/.test(folder));
  return { ...withGitConfig(caller, privatePairs(admin)), ...ownVariables(state), PATH: [guard, ...path].join(delimiter) };
}

/** What of it differs from the caller's environment, for `eval`. */
export function changedVariables(environment: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  const caller = gitEnvironment();
  return Object.entries(environment).filter(([name, value]) => caller[name] !== value);
}
