// Repositories and working trees that stand inside a tree and would go with it. Its own submodules are none of them.
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { onDisk, pathOf } from './byte-paths.ts';
import { git } from './git.ts';
import { isInside, type Repository, type Tree } from './repository.ts';

/** Paths below the tree; a registered tree also when its folder cannot be read. */
export async function findNested({ trees }: Repository, tree: Tree): Promise<readonly string[]> {
  const registered = trees.filter((one) => one !== tree && !one.isMissing && one.dir !== tree.dir && isInside(one.dir, tree.dir)).map((one) => relative(tree.dir, one.dir));
  const found = [...search(tree.dir, '', tree.admin)];
  const bare = found.filter(({ kind }) => kind === 'bare').map(({ path }) => path);
  const tracked = bare.length === 0 ? '' : await git(['--literal-pathspecs', 'ls-files', '-z', '--', ...bare.map((path) => join(path, 'HEAD'))], { cwd: tree.dir });
  // One that git tracks as files is a fixture, not a repository.
  return [...new Set([...registered, ...found.map(({ path }) => path).filter((path) => !tracked.split('\0').includes(join(path, 'HEAD')))])].sort();
}

interface Nested { readonly path: string; readonly kind: 'tree' | 'bare' }

function* search(root: string, below: string, admin: string): Generator<Nested> {
  const folder = join(root, below);
  const entries = readdirSync(onDisk(folder), { withFileTypes: true, encoding: 'buffer' }).map((entry) => ({ name: pathOf(entry.name), isFolder: entry.isDirectory() }));
  const names = new Set(entries.map((entry) => entry.name));
  if (below !== '' && names.has('.git') && isForeign(join(folder, '.git'), admin)) return yield { path: below, kind: 'tree' };
  if (below !== '' && names.has('HEAD') && names.has('objects') && names.has('refs')) return yield { path: below, kind: 'bare' };
  for (const { name, isFolder } of entries) if (isFolder && name !== '.git') yield* search(root, join(below, name), admin);
}

/** Whether it belongs to another repository than one below the tree's own folder of submodules. */
function isForeign(path: string, admin: string): boolean {
  if (lstatSync(path).isDirectory()) return existsSync(join(path, 'HEAD'));
  const target = /^gitdir: (.*)\n?$/.exec(lstatSync(path).isFile() ? readFileSync(path, 'utf8') : '')?.[1];
  return target !== undefined && !isInside(resolve(path, '..', target), join(admin, 'modules'));
}

/** Trees that were made inside this tree's submodules, wherever they stand: their repositories go with the tree. */
export function submoduleTrees(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'objects').flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name !== 'worktrees' || !existsSync(join(folder, 'HEAD'))) return submoduleTrees(path);
    return readdirSync(path).map((name) => join(path, name, 'gitdir')).filter((pointer) => existsSync(pointer)).map((pointer) => dirname(readFileSync(pointer, 'utf8').trimEnd()));
  });
}
