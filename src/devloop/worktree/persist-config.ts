// On request only: a tree's private settings hold without its environment. That takes one setting which all trees share.
import { join } from 'node:path';
import { git } from './git.ts';
import { type Repository, settingOf } from './repository.ts';
import { privateFolder } from './tree-state.ts';

/** Turns on settings per tree (extensions.worktreeConfig), moving first what must then hold for the primary alone. @returns what was done */
export async function persistConfig(repository: Repository, admin: string): Promise<readonly string[]> {
  const { commonDir } = repository;
  const shared = join(commonDir, 'config');
  const own = join(admin, 'config.worktree');
  const notes: string[] = [];
  if (settingOf(repository, 'extensions.worktreeconfig') !== 'true') {
    // Git reads core.bare and core.worktree of the shared file for every tree once the extension is on.
    for (const name of ['core.bare', 'core.worktree'] as const) {
      const value = settingOf(repository, name);
      if (value === null || (name === 'core.bare' && value === 'false')) continue;
      await git(['config', '--file', join(commonDir, 'config.worktree'), name, value], { cwd: commonDir });
      await git(['config', '--file', shared, '--unset-all', name], { cwd: commonDir });
      notes.push(`${name} was moved from ${shared} to config.worktree beside it`);
    }
    await git(['config', '--file', shared, 'core.repositoryFormatVersion', '1'], { cwd: commonDir });
    await git(['config', '--file', shared, 'extensions.worktreeConfig', 'true'], { cwd: commonDir });
    notes.push(`${shared} was changed, which all trees share: extensions.worktreeConfig is on (back: git config --unset extensions.worktreeConfig)`);
  }
  const folder = privateFolder(admin);
  const held = new Set((await git(['config', '--file', own, '--default', '', '--get-all', 'include.path'], { cwd: commonDir }).catch(() => '')).split('\n'));
  for (const path of [join(folder, 'gitconfig'), join(folder, 'identity')]) if (!held.has(path)) await git(['config', '--file', own, '--add', 'include.path', path], { cwd: commonDir });
  return notes;
}
