// One repository with its trees: where its git directory is, what is checked out where, and how it is set.
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { git, gitFailure, splitNul, tryGit } from './git.ts';

/** A tree as git knows it. `admin` is its own folder in the git directory; of the primary it is the git directory itself. */
export interface Tree {
  readonly dir: string;
  readonly admin: string;
  readonly commit: string | null;
  readonly branch: string | null;
  readonly isPrimary: boolean;
  readonly isBare: boolean;
  /** Why it is locked; empty without a reason; null when it is not. */
  readonly locked: string | null;
  readonly isMissing: boolean;
}

/** What every command begins with. */
export interface Repository {
  readonly commonDir: string;
  /** The primary checkout, or the folder of a bare repository. */
  readonly primary: string;
  readonly isBare: boolean;
  /** Git's settings as they hold in the primary, names in lower case as git prints them, all values in order. */
  readonly config: ReadonlyMap<string, readonly string[]>;
  readonly trees: readonly Tree[];
}

/** Looks at the repository around a folder. Throws `not_a_repository`. */
export async function openRepository(cwd: string): Promise<Repository> {
  const asked = await tryGit(['rev-parse', '--path-format=absolute', '--git-common-dir'], { cwd });
  if (asked.status !== 0) throw /not a git repository/.test(asked.stderr) ? new AppError('not_a_repository', `${cwd} is in no git repository`) : gitFailure('git rev-parse', asked);
  const commonDir = realpathSync(asked.stdout.replace(/\n$/, ''));
  const [listed, settings] = await Promise.all([git(['worktree', 'list', '--porcelain', '-z'], { cwd }), git(['--git-dir', commonDir, 'config', '--list', '-z'], { cwd: commonDir })]);
  const trees = parseTrees(listed, commonDir);
  const first = trees[0];
  const config = parseConfig(settings);
  // A submodule's checkout lies in another repository's: there is no place beside it that is nobody's.
  if (config.has('core.worktree') && commonDir.includes('/modules/')) throw new AppError('unsupported', `${cwd} is a submodule`, { hint: 'Make the tree in the repository that holds it: its submodules come along.' });
  if (first === undefined) throw new AppError('not_a_repository', `${cwd} is in no git repository`);
  // A bare repository inside a folder of trees (`project/.bare`) is named after that folder.
  const isHidden = first.isBare && basename(commonDir).startsWith('.');
  return { commonDir, primary: isHidden ? dirname(commonDir) : first.dir, isBare: first.isBare, config, trees };
}

function parseTrees(text: string, commonDir: string): Tree[] {
  return text.split('\0\0').filter((block) => block !== '').map((block, at) => {
    const fields = new Map(block.split('\0').filter((line) => line !== '').map((line) => [line.split(' ', 1)[0] ?? '', line.slice((line.split(' ', 1)[0] ?? '').length + 1)]));
    const dir = fields.get('worktree') ?? '';
    return {
      dir, admin: at === 0 ? commonDir : (findAdmin(dir) ?? findAdminByPointer(dir, commonDir) ?? join(commonDir, 'worktrees', basename(dir))), commit: fields.get('HEAD') ?? null, branch: fields.get('branch')?.replace(/^refs\/heads\//, '') ?? null,
      isPrimary: at === 0, isBare: fields.has('bare'), locked: fields.get('locked') ?? null, isMissing: at > 0 && !existsSync(join(dir, '.git')),
    };
  });
}

/** The folder of a linked tree in the git directory, by the file `.git` in the tree; null when that is no linked tree. */
export function findAdmin(dir: string): string | null {
  try {
    const path = /^gitdir: (.*)\n?$/.exec(readFileSync(join(dir, '.git'), 'utf8'))?.[1];
    if (path === undefined) return null;
    return realpathSync(isAbsolute(path) ? path : resolve(dir, path));
  } catch {
    return null;
  }
}

/** Of a tree whose folder is gone or cut off: the entry of the git directory that points to it. */
export function findAdminByPointer(dir: string, commonDir: string): string | null {
  const folder = join(commonDir, 'worktrees');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names.map((name) => join(folder, name)).find((admin) => {
    const pointer = join(admin, 'gitdir');
    return existsSync(pointer) && resolve(admin, readFileSync(pointer, 'utf8').trimEnd()) === join(dir, '.git');
  });
  return found ?? null;
}

function parseConfig(text: string): Map<string, string[]> {
  const config = new Map<string, string[]>();
  for (const entry of splitNul(text)) {
    const at = entry.indexOf('\n');
    const name = at < 0 ? entry : entry.slice(0, at);
    config.set(name, [...(config.get(name) ?? []), at < 0 ? 'true' : entry.slice(at + 1)]);
  }
  return config;
}

/** The value that holds: the last. */
export function settingOf({ config }: Pick<Repository, 'config'>, name: string): string | null {
  return config.get(name)?.at(-1) ?? null;
}

/** `origin`, else the only remote, else the one that checkout.defaultRemote names; null without any. */
export function remoteOf(repository: Repository): string | null {
  const names = [...new Set([...repository.config.keys()].flatMap((key) => /^remote\.(.+)\.url$/.exec(key)?.[1] ?? []))];
  const preferred = settingOf(repository, 'checkout.defaultremote') ?? 'origin';
  return names.includes(preferred) ? preferred : (names.length === 1 ? (names[0] ?? null) : null);
}

/** The tree of a branch, a folder or its name; without one, the linked tree around `cwd`. Throws `not_found`. */
export function findTree(repository: Repository, named: string | undefined, cwd: string): Tree {
  const linked = repository.trees.filter((tree) => !tree.isPrimary);
  const found = named === undefined ? linked.find((tree) => isInside(cwd, tree.dir))
    : (linked.find((tree) => tree.branch === named) ?? linked.find((tree) => samePath(tree.dir, resolve(cwd, named))) ?? linked.find((tree) => basename(tree.dir) === named));
  if (found !== undefined) return found;
  const known = linked.map((tree) => tree.branch ?? tree.dir);
  throw new AppError('not_found', named === undefined ? 'this folder is in no second working tree' : `no working tree of ${named}`, {
    hint: known.length === 0 ? 'There is none yet: leoflow worktree new BRANCH' : `Name one of: ${known.join(', ')}`,
  });
}

/** Whether a path is a folder or lies below it, links followed as far as the path exists. */
export function isInside(path: string, folder: string): boolean {
  const way = relative(realOf(folder), realOf(path));
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}

function samePath(a: string, b: string): boolean {
  return realOf(a) === realOf(b);
}

/** The real path, of the nearest part that exists when the whole does not. */
export function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(realOf(above), basename(path));
  }
}
