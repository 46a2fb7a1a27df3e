// What a killed `new` left: cleared away only when it provably holds nothing but what git itself put there; else it is somebody's, and stays.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { onDisk, splitPaths } from './byte-paths.ts';
import { git, gitEnvironment, tryGit } from './git.ts';
import { idsIn } from './loose-commits.ts';
import type { Making } from './making-mark.ts';
import { scratchFolder } from './scratch-folder.ts';

/** Git's own reason for the lock that it holds while it fills a tree. */
const GITS_LOCK = 'initializing';

/** Whether git's part had ended: then it is a tree like any other. */
export function isWhole(admin: string): boolean {
  const lock = join(admin, 'locked');
  return !existsSync(lock) || readFileSync(lock, 'utf8').trim() !== GITS_LOCK;
}

/** Throws `worktree_refused` when anything in it is not git's own. */
export async function refuseWork(admin: string, { dir, start, created }: Making): Promise<void> {
  const found = await findWork(admin, dir, start?.commit ?? created);
  if (found.length === 0) return;
  throw new AppError('worktree_refused', `${dir} was left half-made by a \`new\` that was killed, and holds what git did not put there: ${found.slice(0, 3).join(', ')}${found.length > 3 ? ', …' : ''}`, {
    hint: `Nothing was changed. To keep it as a tree: git worktree unlock '${dir}', then git -C '${dir}' reset. To start anew: move those files away. Then run the command again.`,
  });
}

async function findWork(admin: string, dir: string, commit: string | null): Promise<readonly string[]> {
  if (!existsSync(dir)) return [];
  if (!existsSync(join(dir, '.git'))) return readdirSync(dir);
  const env = { ...gitEnvironment(), GIT_DIR: admin, GIT_WORK_TREE: dir };
  const head = (await tryGit(['rev-parse', '--verify', '--quiet', 'HEAD'], { cwd: dir, env })).stdout.trim();
  if (commit === null || (head !== '' && head !== commit)) return [`its branch at ${head.slice(0, 9)}`];
  if (idsIn(admin).some((id) => id !== commit)) return ['commits in its reflog'];
  const staged = existsSync(join(admin, 'index')) ? splitPaths(await git(['diff-index', '--cached', '--name-only', '-z', commit], { cwd: dir, env, encoding: 'latin1' })) : [];
  return [...staged, ...(await filesBeside({ dir, commit, env }))];
}

interface Filled { readonly dir: string; readonly commit: string; readonly env: Readonly<Record<string, string>> }

/** Files that the commit does not have, or has otherwise. One that git was just writing is a beginning of its own. */
async function filesBeside({ dir, commit, env }: Filled): Promise<readonly string[]> {
  const folder = mkdtempSync(join(scratchFolder(), 'half-'));
  try {
    const plain = { cwd: dir, env: { ...env, GIT_INDEX_FILE: join(folder, 'index') }, encoding: 'latin1' } as const;
    await git(['read-tree', commit], plain);
    await tryGit(['update-index', '-q', '--refresh'], plain);
    const others = splitPaths(await git(['ls-files', '--others', '-z'], plain));
    const changed = splitPaths(await git(['diff-files', '--name-only', '--diff-filter=d', '-z'], plain));
    const foreign: string[] = [];
    for (const path of changed) {
      const whole = await tryGit(['cat-file', '--filters', `${commit}:${path}`], { cwd: dir, env, encoding: 'latin1' });
      if (whole.status !== 0 || !whole.stdout.startsWith(readFileSync(onDisk(join(dir, path)), 'latin1'))) foreign.push(path);
    }
    return [...others, ...foreign];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
