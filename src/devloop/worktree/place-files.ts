// Puts into a tree what git does not: links to the primary's own, copies, filled-in templates. Nothing that git tracks or that is there already is touched.
import { chmodSync, constants, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type PlacedFile, type PlacedPath, WORKTREE_DEFAULTS, type WorktreeFile } from '#contract/worktree.ts';
import { fillIn, unknownPlaceholders } from '#core/worktree-names.ts';
import { onDisk } from './byte-paths.ts';
import { copyEntry } from './copy-entry.ts';
import { digestOf } from './digest.ts';
import { git, splitNul, tryGit } from './git.ts';
import { isInside, realOf, type Repository } from './repository.ts';

/** Where from, where to, and what templates are filled with. */
export interface Placing {
  readonly repository: Repository;
  readonly dir: string;
  readonly file: WorktreeFile;
  readonly values: Readonly<Record<string, string>>;
  /** What was put there before. */
  readonly before: readonly PlacedFile[];
}

type How = 'link' | 'copy' | 'reflink' | 'template' | 'secret' | 'include';
interface Wanted extends PlacedPath { readonly how: How; readonly isDeclared: boolean }

/** Puts everything there. @returns what is there now, and what a person should know */
export async function placeFiles(placing: Placing): Promise<{ readonly files: readonly PlacedFile[]; readonly notes: readonly string[] }> {
  const { repository: { isBare }, before } = placing;
  const wanted = isBare ? [] : [...declared(placing), ...(await included(placing))];
  const tracked = await trackedOf(placing.dir, wanted.map((one) => one.to));
  const notes: string[] = [];
  const files: PlacedFile[] = [];
  for (const one of wanted) {
    const known = before.find((file) => file.path === one.to && file.how === one.how && entryExists(join(placing.dir, one.to)));
    const placed = known ?? tryPlace(placing, one, tracked);
    if (typeof placed !== 'string') files.push(placed);
    else if (placed !== '') notes.push(placed);
  }
  return { files: [...files, ...before.filter((file) => file.how === 'memory')], notes };
}

/** Every wanted path with its patterns resolved in the primary. */
function declared({ repository, file }: Placing): Wanted[] {
  return (['link', 'copy', 'reflink', 'secret', 'template'] as const).flatMap((how) => file[how].flatMap((path) => {
    const isDeclared = file.link !== WORKTREE_DEFAULTS.link || how !== 'link';
    const found = /[*?]/.test(path.from) ? expand(repository.primary, path.from).map((from) => ({ from, to: from })) : [path];
    return found.map((one) => ({ ...one, how, isDeclared }));
  }));
}

/** Paths below a folder that match, with * and ? inside a name. */
function expand(folder: string, pattern: string): string[] {
  return pattern.split('/').reduce<string[]>((paths, part) => {
    if (!/[*?]/.test(part)) return paths.map((path) => join(path, part));
    const matches = new RegExp(`^${part.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);
    return paths.flatMap((path) => (isFolder(join(folder, path)) ? readdirSync(join(folder, path)).filter((name) => name !== '.git' && matches.test(name)).sort().map((name) => join(path, name)) : []));
  }, ['']);
}

/** Files that the primary's `.worktreeinclude` names and that git ignores: what a branch of somebody else says is not asked. What lies in a repository or tree of its own is none of them. */
async function included({ repository: { primary } }: Placing): Promise<Wanted[]> {
  const list = join(primary, '.worktreeinclude');
  if (!existsSync(list)) return [];
  const matching = splitNul(await git(['ls-files', '-z', '--others', '--ignored', `--exclude-from=${list}`], { cwd: primary })).filter((path) => !path.endsWith('/'));
  if (matching.length === 0) return [];
  const ignored = await tryGit(['check-ignore', '-z', '--stdin'], { cwd: primary, input: `${matching.join('\0')}\0` });
  return splitNul(ignored.stdout).map((path) => ({ from: path, to: path, how: 'include', isDeclared: true }));
}

async function trackedOf(dir: string, paths: readonly string[]): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  return splitNul(await git(['--literal-pathspecs', 'ls-files', '-z', '--', ...new Set(paths)], { cwd: dir }));
}

function tryPlace(placing: Placing, wanted: Wanted, tracked: readonly string[]): PlacedFile | string {
  try {
    return place(placing, wanted, tracked);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'EEXIST')) return `${wanted.how} ${wanted.to}: a folder of its path is a file`;
    throw error;
  }
}

interface Places { readonly from: string; readonly target: string }

/** @returns what was put there, or why not; empty when that is nothing to tell */
function place(placing: Placing, wanted: Wanted, tracked: readonly string[]): PlacedFile | string {
  const { repository: { primary }, dir } = placing;
  const { how, to } = wanted;
  const from = how === 'template' && !existsSync(join(primary, wanted.from)) ? join(dir, wanted.from) : join(primary, wanted.from);
  const target = join(dir, to);
  const refused = refusalOf(placing, wanted, { from, target }) ?? (tracked.some((path) => path === to || path.startsWith(`${to}/`)) ? declaredOnly(wanted, `${how} ${to}: git tracks it, so it was left alone`) : null);
  if (refused !== null) return refused;
  if (entryExists(target)) return how === 'link' && linksTo(target, from) ? { how, path: to, target: from, sha256: null } : `${how} ${to}: is there already, left as it is`;
  mkdirSync(dirname(target), { recursive: true });
  const trouble = PLACERS[how]({ from, target, placing, name: wanted.from });
  return trouble ?? { how, path: to, target: from, sha256: how === 'link' ? null : digestOf(target) };
}

/** What was only a default is not missed. */
const declaredOnly = ({ isDeclared }: Wanted, text: string): string => (isDeclared ? text : '');

/** Why a place is not used: nothing is there, or it leads elsewhere. A link may lead anywhere; what is copied is read. */
function refusalOf({ repository: { primary }, dir }: Placing, wanted: Wanted, { from, target }: Places): string | null {
  const { how, to } = wanted;
  if (!entryExists(from)) return declaredOnly(wanted, `${how} ${wanted.from}: there is none in ${primary}`);
  if (how !== 'link' && !isInside(from, primary) && !isInside(from, dir)) return `${how} ${wanted.from}: leads out of the repository, so it was left alone`;
  return isInside(realOf(dirname(target)), dir) ? null : `${how} ${to}: its folder is a link that leads out of the tree`;
}

interface Job { readonly from: string; readonly target: string; readonly placing: Placing; readonly name: string }

const PLACERS: Readonly<Record<How, (job: Job) => string | null>> = {
  link({ from, target }) {
    symlinkSync(from, target);
    return null;
  },
  copy: (job) => copyTree(job, 0),
  include: (job) => copyTree(job, constants.COPYFILE_FICLONE),
  reflink: (job) => copyTree(job, constants.COPYFILE_FICLONE),
  secret({ from, target, name }) {
    if (!statSync(from).isFile()) return `secret ${name}: is no file`;
    writeFileSync(target, readFileSync(from), { mode: 0o600, flag: 'wx' });
    chmodSync(target, 0o600);
    return null;
  },
  template({ from, target, name, placing: { values } }) {
    const text = readFileSync(from, 'utf8');
    const unknown = unknownPlaceholders(text, values);
    if (unknown.length > 0) {
      const line = text.slice(0, text.indexOf(text.split('{{').find((part) => part.trimStart().startsWith(unknown[0] ?? '')) ?? '')).split('\n').length;
      return `template ${name}:${line}: {{${unknown.join('}}, {{')}}} is not known, so it was not written; known are ${Object.keys(values).join(', ')}`;
    }
    writeFileSync(target, fillIn(text, values), { mode: statSync(from).mode & 0o777, flag: 'wx' });
    return null;
  },
};

/** Whole folders, but never a repository or a tree inside them: such a copy would claim to be the original. */
function copyTree({ from, target, placing }: Job, copyMode: number): string | null {
  const trees = new Set(placing.repository.trees.map((tree) => realOf(tree.dir)));
  // Under its own name it is whole: what a killed call began is thrown away by the next.
  const partial = join(dirname(target), `.${basename(target)}.leoflow-part`);
  rmSync(partial, { recursive: true, force: true });
  copyEntry(from, partial, { copyMode, takes: (source) => !lstatSync(onDisk(source)).isDirectory() || (!existsSync(onDisk(join(source, '.git'))) && !trees.has(realOf(source))) });
  if (!entryExists(partial)) return `copy ${from}: is a repository of its own, left out`;
  renameSync(partial, target);
  return null;
}

/** Whether something is there, be it a link that leads nowhere. */
export function entryExists(path: string): boolean {
  return lstatSync(onDisk(path), { throwIfNoEntry: false }) !== undefined;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function linksTo(path: string, target: string): boolean {
  return lstatSync(path).isSymbolicLink() && (readlinkSync(path) === target || (existsSync(path) && existsSync(target) && realpathSync(path) === realpathSync(target)));
}
