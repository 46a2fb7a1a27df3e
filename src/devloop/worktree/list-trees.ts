// What stands where: the trees of a repository, and who listens on which port.
import type { ListedWorktree, Listener } from '#contract/worktree.ts';
import { PORTS_PER_TREE } from '#contract/worktree.ts';
import { countUnpushed, readStatus } from './examine-tree.ts';
import { listReserved } from './ports.ts';
import { listListening, type ListeningSocket } from './processes.ts';
import { isInside, type Repository, type Tree } from './repository.ts';
import { basename } from 'node:path';
import { findState } from './tree-state.ts';

/** Every tree; of linked ones also what is not committed or pushed. */
export function listTrees(repository: Repository): Promise<readonly ListedWorktree[]> {
  return Promise.all(repository.trees.map(async (tree): Promise<ListedWorktree> => {
    const state = tree.isPrimary ? null : findState(tree.admin);
    const common = { branch: tree.branch, dir: tree.dir, commit: tree.commit, is_primary: tree.isPrimary, is_ours: state !== null, locked: tree.locked, missing: tree.isMissing, port: state?.port ?? null };
    if (tree.isPrimary || tree.isMissing) return { ...common, changed: null, untracked: null, unpushed: null };
    const [status, unpushed] = await Promise.all([readStatus(tree), countUnpushed(repository, tree)]);
    return { ...common, changed: status.changed.length, untracked: status.untracked.length, unpushed };
  }));
}

/** Listening sockets of this repository's trees, and of strangers on their ports; every one with `all`. */
export async function listListeners(repository: Repository, which: 'ours' | 'all'): Promise<readonly Listener[]> {
  const names = new Map(repository.trees.filter((tree) => !tree.isPrimary).map((tree) => [basename(tree.admin), tree]));
  const reserved = [...listReserved(repository.commonDir)].map(([first, name]) => ({ first, tree: names.get(name) }));
  const listeners = (await listListening()).map((socket) => describe(repository, socket, reserved));
  const shown = which === 'all' ? listeners : listeners.filter((one) => one.owner !== 'foreign' || one.reserved_for !== null);
  return [...new Map(shown.map((one) => [`${one.port} ${one.pid}`, one])).values()].sort((a, b) => a.port - b.port);
}

function describe(repository: Repository, { port, address, process: found }: ListeningSocket, reserved: readonly { readonly first: number; readonly tree: Tree | undefined }[]): Listener {
  const holder = reserved.find(({ first }) => port >= first && port < first + PORTS_PER_TREE)?.tree;
  const inside = found === null ? [] : repository.trees.filter((tree) => !tree.isBare && isInside(found.cwd, tree.dir));
  const owner = inside.sort((a, b) => b.dir.length - a.dir.length)[0];
  return { port, address, pid: found?.pid ?? null, command: found?.command ?? null, cwd: found?.cwd ?? null, owner: owner === undefined ? 'foreign' : owner.isPrimary ? 'primary' : (owner.branch ?? owner.dir), reserved_for: holder?.branch ?? null };
}
