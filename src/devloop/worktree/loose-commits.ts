// Commits that only a tree's own folder of the git directory knows: its reflogs, its own refs, what an unfinished command put aside.
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { git } from './git.ts';

/** Files with one id, beside HEAD, that git writes into the folder of a tree. */
const HOLDERS = ['ORIG_HEAD', 'MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'REBASE_HEAD', 'BISECT_HEAD', 'MERGE_AUTOSTASH', 'rebase-merge/autostash', 'rebase-merge/orig-head', 'rebase-merge/amend', 'rebase-apply/autostash', 'rebase-apply/orig-head'];

/** Every id that stands in a git directory itself: in files, refs and reflogs. */
export function idsIn(gitDir: string): readonly string[] {
  const holders = ['HEAD', ...HOLDERS].map((name) => join(gitDir, name)).filter((path) => existsSync(path));
  const refs = filesBelow(join(gitDir, 'refs'));
  const logs = filesBelow(join(gitDir, 'logs'));
  const plain = [...holders, ...refs].flatMap((path) => readFileSync(path, 'utf8').split(/\s/));
  const logged = logs.flatMap((path) => readFileSync(path, 'utf8').split('\n').flatMap((line) => line.split(' ', 2)));
  return [...new Set([...plain, ...logged].filter((id) => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(id) && !/^0+$/.test(id)))];
}

function filesBelow(path: string): string[] {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return [];
  return entry.isDirectory() ? readdirSync(path).flatMap((name) => filesBelow(join(path, name))) : [path];
}

/** Which of them nothing else holds. @param held what is safe: kinds of refs as rev-list takes them, and ids */
export async function notHeldBy(ids: readonly string[], held: readonly string[], gitDir: string): Promise<readonly string[]> {
  if (ids.length === 0) return [];
  // A tag stands for its commit; an id that is gone already holds nothing.
  const known = await git(['--git-dir', gitDir, 'cat-file', '--batch-check=%(objectname) %(objecttype)'], { cwd: gitDir, input: ids.map((id) => `${id}^{commit}\n`).join('') });
  const commits = new Set(known.split('\n').filter((line) => line.endsWith(' commit')).map((line) => line.split(' ')[0] ?? ''));
  if (commits.size === 0) return [];
  const [kinds, safe] = [held.filter((one) => one.startsWith('--')), held.filter((one) => !one.startsWith('--'))];
  const unheld = await git(['--git-dir', gitDir, 'rev-list', '--ignore-missing', '--stdin', '--not', ...kinds], { cwd: gitDir, input: `${[...commits, ...safe.map((id) => `^${id}`)].join('\n')}\n` });
  return unheld.split('\n').filter((id) => commits.has(id));
}
