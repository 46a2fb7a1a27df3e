// Submodules of a new tree: those that the primary has, from the primary's own objects, without the network where these suffice.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { splitNul, tryGit } from './git.ts';

/** A working tree, and where the objects of the primary's submodules lie. */
interface Level { readonly dir: string; readonly modules: string; readonly depth: number }

const DEEPEST = 8;

/** Fills in the submodules. @returns what a person should know */
export async function fillSubmodules(dir: string, modules: string, depth = 0): Promise<readonly string[]> {
  if (depth > DEEPEST || !existsSync(join(dir, '.gitmodules')) || !existsSync(modules)) return [];
  const listed = await tryGit(['config', '-z', '-f', '.gitmodules', '--get-regexp', '^submodule\\..*\\.path$'], { cwd: dir });
  const found = splitNul(listed.stdout).flatMap((entry) => {
    const [, name, path] = /^submodule\.(.*)\.path\n([\s\S]*)$/.exec(entry) ?? [];
    return name === undefined || path === undefined || name.split('/').includes('..') ? [] : [{ name, path }];
  });
  const notes: string[] = [];
  for (const one of found) if (isRepository(join(modules, one.name))) notes.push(...(await fill({ dir, modules, depth }, one)));
  return notes;
}

async function fill({ dir, modules, depth }: Level, { name, path }: { readonly name: string; readonly path: string }): Promise<readonly string[]> {
  const source = join(modules, name);
  const inside = join(dir, path);
  if (existsSync(join(inside, '.git'))) return [];
  const url = (await tryGit(['config', '--get', 'remote.origin.url'], { cwd: source })).stdout.trimEnd();
  // The address stands in the primary's settings: for this one call it is the folder of its objects, by environment.
  const config = { [`submodule.${name}.url`]: source, [`submodule.${name}.active`]: 'true', 'protocol.file.allow': 'always' };
  const near = await tryGit(['submodule', 'update', '--quiet', '--', path], { cwd: dir, config });
  const settled = async (): Promise<void> => {
    if (url !== '' && existsSync(join(inside, '.git'))) await tryGit(['config', 'remote.origin.url', url], { cwd: inside });
  };
  await settled();
  if (near.status !== 0) {
    const far = await tryGit(['submodule', 'update', '--quiet', '--', path], { cwd: dir });
    if (far.status !== 0) return [`submodule ${path}: ${far.stderr.trim().split('\n').at(-1) ?? 'could not be filled in'}; later: git submodule update -- ${path}`];
  }
  return fillSubmodules(inside, join(source, 'modules'), depth + 1);
}

function isRepository(path: string): boolean {
  return existsSync(join(path, 'HEAD')) && statSync(path).isDirectory();
}
