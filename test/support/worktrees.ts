// A stage for working trees: a remote, a primary checkout, real git, and a home folder that nothing else reads.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { MadeWorktree } from '#contract/worktree.ts';
import { enterTree } from '#devloop/worktree/enter-tree.ts';
import { makeTree, type NewTreeRequest } from '#devloop/worktree/make-tree.ts';
import { findTree, openRepository } from '#devloop/worktree/repository.ts';
import { type RemovalRequest, type Removed, removeTree } from '#devloop/worktree/remove-tree.ts';

export interface Ended { readonly code: number | null; readonly out: string; readonly err: string }

/** Runs a program to its end. */
export function program(command: string, args: readonly string[], how: { cwd: string; env?: Readonly<Record<string, string>>; input?: string }): Ended {
  const done = spawnSync(command, [...args], { cwd: how.cwd, env: { ...(how.env ?? process.env) }, encoding: 'utf8', timeout: 30_000, input: how.input ?? '' });
  if (done.error !== undefined) throw done.error;
  return { code: done.status, out: done.stdout, err: done.stderr };
}

/** What git prints; fails loudly. */
export function git(cwd: string, ...args: readonly string[]): string {
  const { code, out, err } = program('git', args, { cwd });
  if (code !== 0) throw new Error(`git ${args.join(' ')} in ${cwd}: ${err}`);
  return out.trimEnd();
}

/** Writes a file, with the folders above it. */
export function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export interface Stage {
  readonly folder: string;
  readonly origin: string;
  readonly primary: string;
  make(branch: string, more?: Partial<NewTreeRequest>): Promise<MadeWorktree>;
  remove(branch: string, request?: Partial<RemovalRequest>): Promise<Removed>;
  /** Runs a program inside a tree's environment. */
  inside(branch: string, command: string, ...args: readonly string[]): Promise<Ended>;
  remote(): string;
}

/** Runs the test on a stage of its own. The process's environment is changed: one such test at a time, in a process of their own. */
export async function onStage(work: (stage: Stage) => Promise<void>, names: { primary?: string; setUp?: (primary: string) => void } = {}): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'wt ä-')));
  const home = join(folder, 'home');
  mkdirSync(home);
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('GIT_') || name.startsWith('XDG_')) delete process.env[name];
  Object.assign(process.env, { HOME: home, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: join(home, '.gitconfig') });
  writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = Primary\n\temail = primary@example.org\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n[protocol "file"]\n\tallow = always\n');
  const made: string[] = [];
  try {
    const origin = join(folder, 'origin.git');
    const primary = join(folder, names.primary ?? 'shop');
    git(folder, 'init', '--quiet', '--bare', origin);
    git(folder, 'clone', '--quiet', origin, '--', primary);
    write(join(primary, 'a.txt'), 'one\n');
    write(join(primary, '.gitignore'), '.venv/\n.env\nnode_modules/\n*.log\n');
    names.setUp?.(primary);
    git(primary, 'add', '.');
    git(primary, 'commit', '--quiet', '-m', 'first');
    git(primary, 'push', '--quiet', 'origin', 'main');
    await work({
      folder, origin, primary, remote: () => git(origin, 'for-each-ref', '--format=%(refname) %(objectname)'),
      make: async (branch, more = {}) => {
        const tree = await makeTree({ cwd: primary, branch, dir: undefined, base: undefined, fetches: true, persists: false, identity: {}, approve: () => Promise.resolve(false), say: () => undefined, ...more });
        made.push(tree.temporary);
        return tree;
      },
      remove: async (branch, request = {}) => {
        const repository = await openRepository(primary);
        return removeTree(repository, findTree(repository, branch, primary), { force: false, withIgnored: false, deleteBranch: false, say: () => undefined, ...request });
      },
      inside: async (branch, command, ...args) => {
        const { tree, environment } = await enterTree(primary, branch);
        return program(command, args, { cwd: tree.dir, env: environment });
      },
    });
  } finally {
    const states = globSync(['*/.git', '*/*', '*'].map((path) => `${path}/worktrees/*/leoflow/tree.json`), { cwd: folder }).map((path) => JSON.parse(readFileSync(join(folder, path), 'utf8')) as MadeWorktree);
    for (const path of [...made, ...states.map((state) => state.temporary)]) rmSync(path, { recursive: true, force: true });
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    rmSync(folder, { recursive: true, force: true });
  }
}

const OF_THE_PRIMARY = ['config', 'config.worktree', 'HEAD', 'index', 'FETCH_HEAD', 'ORIG_HEAD', 'logs/refs/stash', 'logs/HEAD', 'hooks', 'info/exclude', 'info/attributes', 'info/sparse-checkout', 'description', 'COMMIT_EDITMSG'];

/** One line for everything of a primary checkout that no command of ours may change: its working files and its own part of the git directory. */
export function fingerprint(primary: string): string {
  const isBare = !existsSync(join(primary, '.git'));
  const gitDir = isBare ? primary : join(primary, '.git');
  // By its value: git may keep a ref in a file of its own or with others.
  const stash = program('git', ['rev-parse', '--verify', '--quiet', 'refs/stash'], { cwd: primary }).out;
  const lines = [stash, ...(isBare ? [] : listEntries(primary)), ...OF_THE_PRIMARY.flatMap((name) => listEntries(join(gitDir, name)))];
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}

function listEntries(path: string): string[] {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return [];
  if (entry.isSymbolicLink()) return [`${path} -> ${readlinkSync(path)}`];
  if (entry.isDirectory()) return [`${path}/ ${entry.mode}`, ...(path.endsWith('/.git') ? [] : readdirSync(path).sort().flatMap((name) => listEntries(join(path, name))))];
  return [`${path} ${entry.mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`];
}
