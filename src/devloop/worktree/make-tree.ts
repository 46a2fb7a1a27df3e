// `leoflow worktree new`: a second working tree, with all that git leaves out. What fails half-way leaves nothing behind.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import type { MadeWorktree, WorktreeFile, WorktreeState } from '#contract/worktree.ts';
import { composeNameOf, databaseNameOf, folderNameOf } from '#core/worktree-names.ts';
import { isoOf, wallMs } from '#platform/clock.ts';
import { isAlive } from '#platform/exec.ts';
import { treeEnvironment } from './enter-tree.ts';
import { gitFailure, tryGit } from './git.ts';
import { linkMemory } from './memory-links.ts';
import { placeFiles } from './place-files.ts';
import { releasePorts, reservePorts } from './ports.ts';
import { persistConfig } from './persist-config.ts';
import { writePrivateConfig } from './private-config.ts';
import { findAdmin, findAdminByPointer, isInside, openRepository, realOf, remoteOf, type Repository, type Tree } from './repository.ts';
import { resolveStart, type Start } from './resolve-start.ts';
import { runSetup } from './setup-steps.ts';
import { fillSubmodules } from './submodules.ts';
import { findState, writeState } from './tree-state.ts';
import { readWorktreeFile } from './worktree-file.ts';

/** What a person asked for. Paths are relative to `cwd`. */
export interface NewTreeRequest {
  readonly cwd: string;
  readonly branch: string;
  readonly dir: string | undefined;
  readonly base: string | undefined;
  readonly fetches: boolean;
  readonly persists: boolean;
  readonly identity: Partial<WorktreeFile['identity']>;
  readonly approve: (commands: readonly string[]) => Promise<boolean>;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Makes the tree, or brings an existing one of the branch up to date. */
export async function makeTree(request: NewTreeRequest): Promise<MadeWorktree> {
  const found = await openRepository(request.cwd);
  const dir = realOf(resolve(request.cwd, request.dir ?? defaultDir(found, request.branch)));
  const repository = (await forgetInterrupted(found, dir)) ? await openRepository(found.commonDir) : found;
  const existing = checkPlace(repository, request.branch, dir);
  const file = repository.isBare ? null : await readWorktreeFile(repository.primary);
  const job = { request, repository, dir, file, existing };
  return existing === null ? create(job) : furnish(job, await reuse(repository, existing), existing.admin);
}

interface Job { readonly request: NewTreeRequest; readonly repository: Repository; readonly dir: string; readonly file: WorktreeFile | null; readonly existing: Tree | null }

/** Beside the repository, never inside it. */
function defaultDir({ primary }: Repository, branch: string): string {
  return join(dirname(primary), `${basename(primary).replace(/\.git$/, '')}.worktrees`, folderNameOf(branch));
}

function refuse(message: string, hint: string): never {
  throw new AppError('worktree_refused', message, { hint: `${hint} Nothing was changed.` });
}

/** The tree that stands there on that branch; null when the place is free. Throws `worktree_refused` for everything else. */
function checkPlace(repository: Repository, branch: string, dir: string): Tree | null {
  const there = repository.trees.find((tree) => realOf(tree.dir) === dir && !tree.isPrimary);
  const others = repository.trees.filter((tree) => tree !== there && !tree.isBare);
  const elsewhere = others.find((tree) => tree.branch === branch);
  if (elsewhere !== undefined) refuse(`${branch} is checked out in ${elsewhere.dir}`, elsewhere.isPrimary ? 'Switch the primary checkout to another branch, or choose another name.' : `Enter it: leoflow worktree shell ${branch}. Or remove it: leoflow worktree rm ${branch}.`);
  const around = others.find((tree) => isInside(dir, tree.dir));
  if (around !== undefined) refuse(`${dir} lies inside the working tree ${around.dir}`, 'Choose a folder beside it.');
  if (isInside(dir, repository.commonDir)) refuse(`${dir} lies inside the git directory`, 'Choose a folder beside it.');
  if (there === undefined) checkFree(dir);
  else checkTree(there, branch);
  return there ?? null;
}

function checkTree(there: Tree, branch: string): void {
  if (there.isMissing) refuse(`${there.dir} is known to git as the tree of ${there.branch ?? 'no branch'}, but the folder is gone`, 'If it was moved: git worktree repair NEW_PATH. If it was deleted: git worktree prune.');
  if (there.branch === null) refuse(`${there.dir} is a working tree without a branch (detached HEAD)`, `If it is yours: git -C '${there.dir}' switch ${branch}.`);
  if (there.branch !== branch) refuse(`${there.dir} is a working tree of ${there.branch ?? ''}`, 'Choose another DIR, or enter that one.');
}

function checkFree(dir: string): void {
  const entry = lstatSync(dir, { throwIfNoEntry: false });
  if (entry === undefined || (entry.isDirectory() && readdirSync(dir).length === 0)) return;
  refuse(`${dir} exists and is no working tree of this repository`, 'Choose another DIR, or move it away.');
}

const UNFINISHED: Readonly<Record<string, string>> = { 'rebase-merge': 'a rebase', 'rebase-apply': 'a rebase', MERGE_HEAD: 'a merge', CHERRY_PICK_HEAD: 'a cherry-pick', REVERT_HEAD: 'a revert', BISECT_LOG: 'a bisect' };

/** What git is in the middle of in a tree; null when it is not. */
export function unfinishedIn(admin: string): string | null {
  return Object.entries(UNFINISHED).find(([name]) => existsSync(join(admin, name)))?.[1] ?? null;
}

async function reuse(repository: Repository, tree: Tree): Promise<Start & { readonly reused: true }> {
  const unfinished = unfinishedIn(tree.admin);
  if (unfinished !== null) throw new AppError('worktree_refused', `${tree.dir} is in the middle of ${unfinished}`, { hint: 'Finish or abort it there, then run the command again.' });
  const state = findState(tree.admin);
  const commit = tree.commit ?? '';
  return { kind: 'attached', reused: true, commit, base: state?.base ?? { ref: `refs/heads/${tree.branch}`, commit }, remote: state?.remote ?? remoteOf(repository), target: state?.target ?? null, notes: [] };
}

interface Pending { readonly pid: number; readonly branch: string; readonly dir: string; readonly created: string | null }

function pendingPath(commonDir: string, dir: string): string {
  return join(commonDir, 'leoflow', 'making', createHash('sha256').update(dir).digest('hex').slice(0, 16));
}

/** What a killed `new` left in this folder is taken away, unless its checkout was whole: then it is a tree like any other. @returns whether there was something */
async function forgetInterrupted(repository: Repository, dir: string): Promise<boolean> {
  const path = pendingPath(repository.commonDir, dir);
  if (!existsSync(path)) return false;
  const pending = readPending(path);
  if (pending !== null && isAlive(pending.pid) && pending.pid !== process.pid) throw new AppError('worktree_refused', `${dir} is being made by process ${pending.pid}`, { hint: 'Wait for it, then run the command again.' });
  const admin = findAdmin(dir) ?? findAdminByPointer(dir, repository.commonDir);
  // Git locks a tree while it makes it.
  const isWhole = admin !== null && !existsSync(join(admin, 'locked'));
  if (pending === null || isWhole) rmSync(path, { force: true });
  else await takeBack(repository, pending);
  return true;
}

function readPending(path: string): Pending | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Pending;
  } catch {
    // Cut off while it was written: nothing had begun.
    return null;
  }
}

async function create(job: Job): Promise<MadeWorktree> {
  const { request, repository, dir } = job;
  const { branch } = request;
  const start = await resolveStart({ repository, branch, base: request.base, fetches: request.fetches, say: request.say, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const path = pendingPath(repository.commonDir, dir);
  const pending: Pending = { pid: process.pid, branch, dir, created: start.kind === 'attached' ? null : start.commit };
  mkdirSync(dirname(path), { recursive: true });
  claim(path, pending);
  try {
    const notes = await addTree(job, start);
    const admin = findAdmin(dir);
    if (admin === null) throw new AppError('git_failed', `git made no working tree in ${dir}`);
    return await furnish(job, { ...start, notes: [...start.notes, ...notes] }, admin);
  } catch (error) {
    // Somebody made the branch at the same moment, for another folder: it is theirs.
    const isTheirs = error instanceof AppError && /a branch named .* already exists/.test(error.message);
    await takeBack(repository, isTheirs ? { ...pending, created: null } : pending);
    throw error;
  }
}

function claim(path: string, pending: Pending): void {
  try {
    writeFileSync(path, JSON.stringify(pending), { flag: 'wx' });
  } catch (cause) {
    throw new AppError('worktree_refused', `${pending.dir} is being made by another process`, { cause, hint: 'Wait for it, then run the command again.' });
  }
}

/** The one call that costs time; tracking is ours, since git would write it into the settings that all trees share. */
async function addTree({ request, repository, dir }: Job, start: Start): Promise<readonly string[]> {
  const how = start.kind === 'attached' ? ['--', dir, request.branch] : ['--no-track', '-b', request.branch, '--', dir, start.commit];
  const cwd = repository.isBare ? repository.commonDir : repository.primary;
  const done = await tryGit(['worktree', 'add', ...how], { cwd, timeoutMs: 60 * 60_000, ...(request.signal === undefined ? {} : { signal: request.signal }), ...(repository.config.has('checkout.workers') ? {} : { config: { 'checkout.workers': '0' } }) });
  if (request.signal?.aborted === true) throw new AppError('interrupted', 'interrupted; nothing is left behind');
  if (done.status === 0) return [];
  // A hook that fails after a whole checkout is the repository's own matter, as it is for git.
  const admin = findAdmin(dir);
  if (admin !== null && existsSync(join(admin, 'index')) && !/^(fatal|error):/m.test(done.stderr)) return [`the hook post-checkout ended with ${done.status ?? done.signal ?? 'no code'}: ${done.stderr.trim().split('\n').at(-1) ?? ''}`];
  throw gitFailure(`the working tree ${dir} could not be made`, done);
}

/** Removes the tree and the branch that this attempt made, unless somebody has worked on them since. */
async function takeBack({ commonDir }: Repository, { branch, dir, created }: Pending): Promise<void> {
  const admin = findAdmin(dir) ?? findAdminByPointer(dir, commonDir);
  if (admin !== null && isInside(admin, commonDir)) {
    releasePorts(commonDir, admin);
    const state = findState(admin);
    for (const file of state?.files ?? []) if (file.how === 'memory') rmSync(file.path, { force: true });
    if (state !== null) rmSync(state.temporary, { recursive: true, force: true });
    await tryGit(['worktree', 'remove', '--force', '--force', '--', dir], { cwd: commonDir });
    if (existsSync(admin)) rmSync(admin, { recursive: true, force: true });
    rmSync(dir, { recursive: true, force: true });
  }
  removeIfEmpty(dir);
  removeIfEmpty(dirname(dir));
  const isElsewhere = created !== null && (await openRepository(commonDir)).trees.some((tree) => tree.branch === branch);
  if (created !== null && !isElsewhere) await tryGit(['update-ref', '-d', `refs/heads/${branch}`, created], { cwd: commonDir });
  rmSync(pendingPath(commonDir, dir), { force: true });
}

function removeIfEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Something is in it, or it never was.
  }
}

/** Everything beside the checkout. It may be done again: what is there stays. */
async function furnish(job: Job, start: Start & { readonly reused?: true }, admin: string): Promise<MadeWorktree> {
  const { request, repository, dir } = job;
  const before = findState(admin);
  const file = job.file ?? (await readWorktreeFile(dir));
  const key = createHash('sha256').update(`${repository.commonDir}\0${basename(admin)}`).digest('hex');
  const bare: WorktreeState = {
    version: 1, branch: request.branch, dir, primary: repository.primary, remote: start.remote, base: before?.base ?? start.base, target: start.target, made_at: before?.made_at ?? isoOf(wallMs()), files: before?.files ?? [],
    port: await reservePorts(repository.commonDir, admin), port_names: file.ports,
    compose_project: composeNameOf(nameOf(repository), request.branch, key.slice(0, 6)), database: databaseNameOf(nameOf(repository), request.branch, key.slice(0, 6)), temporary: ownTemporary(key.slice(0, 12)),
    identity: { ...file.identity, ...request.identity }, push: file.push, setup: 'none',
  };
  writeState(admin, bare);
  const placed = await placeFiles({ repository, dir, file, values: templateValues(bare), before: bare.files });
  const memory = linkMemory(file.memory.filter(() => !bare.files.some((one) => one.how === 'memory')), repository.primary, dir);
  const state = { ...bare, files: [...placed.files, ...memory.files] };
  writeState(admin, state);
  writePrivateConfig(repository, admin, state);
  const persisted = request.persists ? await persistConfig(repository, admin) : [];
  const unfilled = await fillSubmodules(dir, join(repository.commonDir, 'modules'));
  // From here on it is a person's tree: whatever ends the next steps, it stays.
  rmSync(pendingPath(repository.commonDir, dir), { force: true });
  const setup = await runSetup({ commonDir: repository.commonDir, dir, commands: file.setup, environment: treeEnvironment(admin, state), approve: request.approve, say: request.say, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const final: WorktreeState = { ...state, setup: setup.kind };
  if (setup.kind !== 'none') writeState(admin, final);
  const again = `leoflow worktree new ${request.branch}${request.dir === undefined ? '' : ` ${request.dir}`}`;
  const steps = setup.kind === 'failed' ? [`setup stopped: \`${setup.command}\` ${setup.why}; mend it and run \`${again}\` again`] : setup.kind === 'not approved' ? [`setup was not run: its ${file.setup.length} commands are not approved; read them in .leoflow/worktree.yaml, then: ${again} --approve`] : [];
  return { ...final, kind: start.reused === true ? 'reused' : start.kind, notes: [...start.notes, ...placed.notes, ...memory.notes, ...persisted, ...unfilled, ...steps] };
}

function nameOf({ primary }: Repository): string {
  return basename(primary).replace(/\.git$/, '');
}

/** A short path, since sockets are put there. */
function ownTemporary(key: string): string {
  const path = join(existsSync('/tmp') ? '/tmp' : tmpdir(), `wt-${process.getuid?.() ?? 0}-${key}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid } = lstatSync(path);
  if (!lstatSync(path).isDirectory() || (process.getuid !== undefined && uid !== process.getuid())) throw new AppError('worktree_refused', `${path} belongs to somebody else`, { hint: 'Remove it, or ask its owner to.' });
  return path;
}

function templateValues(state: WorktreeState): Record<string, string> {
  const ports = state.port === null ? {} : Object.fromEntries([['port', state.port], ...state.port_names.map((name, at) => [`ports.${name}`, (state.port ?? 0) + at])].map(([name, port]) => [name, String(port)]));
  return { name: folderNameOf(state.branch), branch: state.branch, dir: state.dir, primary: state.primary, database: state.database, compose: state.compose_project, tmp: state.temporary, ...ports };
}
