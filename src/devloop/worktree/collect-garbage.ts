// `leoflow worktree gc`: first what can be made again, then trees whose work is merged. Links are never followed.
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type CollectedGarbage, WORKTREE_DEFAULTS, type WorktreeFile, type WorktreeState } from '#contract/worktree.ts';
import { examineTree, gitOfTree, type TreeFacts } from './examine-tree.ts';
import { git, splitNul } from './git.ts';
import { fetchTargets, findMerge } from './merged.ts';
import { releaseStalePorts } from './ports.ts';
import { reasonsAgainst, removeTree } from './remove-tree.ts';
import type { Repository, Tree } from './repository.ts';
import { listStates } from './tree-state.ts';
import { readWorktreeFile } from './worktree-file.ts';

/** What a person asked for. */
export interface GarbageRequest { readonly dryRun: boolean; readonly fetches: boolean; readonly say: (text: string) => void }

/** Looks at every tree that `new` made. */
export async function collectGarbage(repository: Repository, request: GarbageRequest): Promise<readonly CollectedGarbage[]> {
  const ours = listStates(repository.trees.filter((tree) => !tree.isMissing));
  const file = repository.isBare ? WORKTREE_DEFAULTS : await readWorktreeFile(repository.primary);
  for (const remote of request.fetches ? await fetchTargets(repository, ours.map((one) => one.state)) : []) request.say(`${remote} does not answer: judged by what was fetched last\n`);
  const collected: CollectedGarbage[] = [];
  for (const { tree, state } of ours) {
    const tidying = { repository, tree, state, file, request };
    const facts = await examineTree(repository, tree, state);
    const left = await collectTree(tidying, facts);
    const isIdle = left.kind === 'kept' && facts.processes.length === 0;
    collected.push(...(isIdle ? await collectCaches(tidying, [...facts.edited, ...facts.nested, ...state.files.map((one) => one.path)]) : []), left);
  }
  if (!request.dryRun) releaseStalePorts(repository.commonDir);
  return collected.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
}

const ORDER: readonly CollectedGarbage['kind'][] = ['cache', 'tree', 'kept'];

interface Tidying { readonly repository: Repository; readonly tree: Tree; readonly state: WorktreeState; readonly file: WorktreeFile; readonly request: GarbageRequest }

/** Real folders with the name of a cache that git ignores, of a tree that nobody works in; none in which something of `kept` lies. */
async function collectCaches({ tree, file, request }: Tidying, kept: readonly string[]): Promise<CollectedGarbage[]> {
  const ignored = splitNul(await git(['ls-files', '-z', '--others', '--ignored', '--exclude-standard', '--directory'], { cwd: tree.dir, env: gitOfTree(tree.admin) }));
  return ignored.filter((path) => path.endsWith('/') && file.caches.includes(basename(path))).flatMap((path) => {
    const dir = join(tree.dir, path);
    if (!lstatSync(dir.replace(/\/$/, '')).isDirectory() || holdsRepository(dir, 2) || kept.some((one) => `${one}/`.startsWith(path) || path.startsWith(`${one}/`))) return [];
    const bytes = sizeOf(dir);
    if (!request.dryRun) rmSync(dir, { recursive: true, force: true });
    return [{ kind: 'cache' as const, dir: dir.replace(/\/$/, ''), branch: tree.branch, bytes, why: 'can be made again' }];
  });
}

/** Whether a repository begins here or a little below: nobody can make that again. */
function holdsRepository(dir: string, levels: number): boolean {
  const entries = readdirSync(dir, { withFileTypes: true });
  const names = new Set(entries.map((entry) => entry.name));
  if (names.has('.git') || (names.has('HEAD') && names.has('objects') && names.has('refs'))) return true;
  return levels > 0 && entries.some((entry) => entry.isDirectory() && holdsRepository(join(dir, entry.name), levels - 1));
}

async function collectTree({ repository, tree, state, request }: Tidying, facts: TreeFacts): Promise<CollectedGarbage> {
  const { dir, branch } = tree;
  const merge = await findMerge(repository, tree, state);
  const reasons = reasonsAgainst(tree, facts, merge);
  if (merge === null || reasons.length > 0) return { kind: 'kept', dir, branch, bytes: null, why: [...(merge === null ? ['not merged'] : []), ...reasons.map((reason) => reason.what)].join('; ') };
  const bytes = sizeOf(dir);
  if (request.dryRun) return { kind: 'tree', dir, branch, bytes, why: merge };
  try {
    await removeTree(repository, tree, { force: false, withIgnored: false, deleteBranch: false, say: request.say });
    return { kind: 'tree', dir, branch, bytes, why: merge };
  } catch (error) {
    return { kind: 'kept', dir, branch, bytes: null, why: error instanceof Error ? error.message : String(error) };
  }
}

/** Bytes on disk below a folder, links not followed. */
export function sizeOf(path: string): number {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  const own = (entry.blocks ?? 0) * 512;
  return entry.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), own) : own;
}
