// Submodules of a tree: their git directories stand in the tree's own and go with it, with all that only they hold.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { findHiddenChanges } from './hidden-changes.ts';
import { splitPaths } from './byte-paths.ts';
import { git, gitEnvironment, splitNul, tryGit } from './git.ts';
import { idsIn, notHeldBy } from './loose-commits.ts';
import type { Repository, Tree } from './repository.ts';

/** What one of them holds that nothing else does. */
export interface SubmoduleFacts {
  readonly name: string;
  /** Its folder below the tree; null when it is not filled in. */
  readonly path: string | null;
  readonly hasFiles: boolean;
  readonly hasIgnored: boolean;
  readonly hasCommits: boolean;
  readonly hasStashes: boolean;
}

interface Level { readonly tree: Tree; readonly folder: string; readonly prefix: string; readonly ofPrimary: string }

/** All of them, those inside others too. */
export function examineSubmodules({ commonDir }: Repository, tree: Tree): Promise<readonly SubmoduleFacts[]> {
  return examineLevel({ tree, folder: join(tree.admin, 'modules'), prefix: '', ofPrimary: join(commonDir, 'modules') });
}

async function examineLevel({ tree, folder, prefix, ofPrimary }: Level): Promise<readonly SubmoduleFacts[]> {
  if (!existsSync(folder)) return [];
  const found = await Promise.all(readdirSync(folder).filter((name) => statSync(join(folder, name)).isDirectory()).map(async (name) => {
    const [gitDir, primary] = [join(folder, name), join(ofPrimary, name)];
    if (!existsSync(join(gitDir, 'HEAD'))) return examineLevel({ tree, folder: gitDir, prefix: `${prefix}${name}/`, ofPrimary: primary });
    const inner = await examineLevel({ tree, folder: join(gitDir, 'modules'), prefix: `${prefix}${name}/`, ofPrimary: join(primary, 'modules') });
    return [await examineOne(tree, { name: `${prefix}${name}`, gitDir, primary }), ...inner];
  }));
  return found.flat();
}

async function examineOne(tree: Tree, { name, gitDir, primary }: { readonly name: string; readonly gitDir: string; readonly primary: string }): Promise<SubmoduleFacts> {
  const asked = await tryGit(['config', '--file', join(gitDir, 'config'), '--get', 'core.worktree'], { cwd: gitDir });
  const dir = resolve(gitDir, asked.stdout.trimEnd());
  const isFilled = asked.status === 0 && existsSync(join(dir, '.git'));
  const [files, unsaved, stashed] = await Promise.all([isFilled ? filesOf(dir) : { changed: [], ignored: [] }, unsavedIn(gitDir, primary), stashedIn(gitDir)]);
  return {
    name, path: isFilled ? relative(tree.dir, dir) : null, hasFiles: files.changed.length > 0, hasIgnored: files.ignored.length > 0,
    hasCommits: unsaved.some((id) => !stashed.includes(id)), hasStashes: unsaved.some((id) => stashed.includes(id)),
  };
}

async function filesOf(dir: string): Promise<{ readonly changed: readonly string[]; readonly ignored: readonly string[] }> {
  const env = gitEnvironment();
  const [status, hidden] = await Promise.all([git(['status', '--porcelain', '-z', '--untracked-files=all', '--ignored=traditional', '--ignore-submodules=none'], { cwd: dir, env, encoding: 'latin1' }), findHiddenChanges(dir, env)]);
  const lines = splitPaths(status);
  return { changed: [...lines.filter((line) => !line.startsWith('!! ')), ...hidden], ignored: lines.filter((line) => line.startsWith('!! ')) };
}

/** Commits of its refs, reflogs and stash that neither its remotes nor the primary's submodule hold. */
async function unsavedIn(gitDir: string, primary: string): Promise<readonly string[]> {
  const refs = splitLines(await git(['--git-dir', gitDir, 'for-each-ref', '--format=%(objectname) %(refname)'], { cwd: gitDir })).filter((line) => !line.includes(' refs/remotes/')).map((line) => line.split(' ')[0] ?? '');
  const own = [...new Set([...refs, ...idsIn(gitDir)])];
  const kept = existsSync(join(primary, 'HEAD')) ? splitLines((await tryGit(['--git-dir', primary, 'for-each-ref', '--format=%(objectname)'], { cwd: primary })).stdout) : [];
  const head = existsSync(join(primary, 'HEAD')) ? splitLines((await tryGit(['--git-dir', primary, 'rev-parse', '--verify', '--quiet', 'HEAD'], { cwd: primary })).stdout) : [];
  return notHeldBy(own, ['--remotes', ...new Set([...kept, ...head])], gitDir);
}

async function stashedIn(gitDir: string): Promise<readonly string[]> {
  const log = join(gitDir, 'logs', 'refs', 'stash');
  const listed = await tryGit(['--git-dir', gitDir, 'rev-parse', '--verify', '--quiet', 'refs/stash'], { cwd: gitDir });
  return [...splitLines(listed.stdout), ...(existsSync(log) ? readFileSync(log, 'utf8') : '').split('\n').map((line) => line.split(' ')[1] ?? '')];
}

function splitLines(text: string): string[] {
  return splitNul(text.replaceAll('\n', '\0'));
}
