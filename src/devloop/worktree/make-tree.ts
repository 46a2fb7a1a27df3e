// `leoflow worktree new`: a second working tree, with all that git leaves out. What fails half-way leaves nothing behind.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { type MadeWorktree, type PlacedFile, WORKTREE_DEFAULTS, type WorktreeFile, type WorktreeState } from '#contract/worktree.ts';
import { composeNameOf, databaseNameOf, folderNameOf } from '#core/worktree-names.ts';
import { isoOf, wallMs } from '#platform/clock.ts';
import { digestOf } from './digest.ts';
import { treeEnvironment } from './enter-tree.ts';
import { isEdited } from './examine-tree.ts';
import { gitFailure, pastHalfMadeTrees, tryGit } from './git.ts';
import { isWhole, refuseWork } from './interrupted.ts';
import { claim, findMaking, type Making, noteGit, refuseRunning, unmark } from './making-mark.ts';
import { linkMemory } from './memory-links.ts';
import { placeFiles } from './place-files.ts';
import { releasePorts, reservePorts } from './ports.ts';
import { persistConfig } from './persist-config.ts';
import { writePrivateConfig } from './private-config.ts';
import { findRemoval, removeIfEmpty } from './removal.ts';
import { findAdmin, findAdminByPointer, isInside, openRepository, realOf, remoteOf, type Repository, type Tree } from './repository.ts';
import { resolveStart, type Start } from './resolve-start.ts';
import { runSetup } from './setup-steps.ts';
import { fillSubmodules } from './submodules.ts';
import { explained } from './system-errors.ts';
import { findState, writeState } from './tree-state.ts';
import { unfinishedIn } from './unfinished.ts';
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
  try {
    return await makeOrUpdate(request);
  } catch (error) {
    throw explained(error, request.dir ?? request.branch);
  }
}

async function makeOrUpdate(request: NewTreeRequest): Promise<MadeWorktree> {
  const found = await openRepository(request.cwd);
  const dir = realOf(resolve(request.cwd, request.dir ?? defaultDir(found, request.branch)));
  const making = findMaking(found.commonDir, dir);
  if (making !== null) await clearInterrupted(found, making);
  // Cut off while it was written: nothing had begun.
  else unmark(found.commonDir, dir);
  const repository = making === null ? found : await openRepository(found.commonDir);
  const existing = checkPlace(repository, request.branch, dir);
  const file = repository.isBare ? null : await readWorktreeFile(repository.primary);
  const job = { request, repository, dir, file, existing };
  return existing === null ? create(job) : furnish(job, await reuse(repository, existing, making?.start ?? null), existing.admin);
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
  const cut = repository.trees.find((tree) => (tree === there || tree.branch === branch) && findRemoval(tree.admin) !== null && tree.isMissing);
  if (cut !== undefined) refuse(`the removal of ${cut.dir} was cut short`, `End it first: leoflow worktree rm ${cut.branch ?? `'${cut.dir}'`}.`);
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

async function reuse(repository: Repository, tree: Tree, begun: Start | null): Promise<Start & { readonly reused: true }> {
  const unfinished = unfinishedIn(tree.admin);
  if (unfinished !== null) throw new AppError('worktree_refused', `${tree.dir} is in the middle of ${unfinished}`, { hint: 'Finish or abort it there, then run the command again.' });
  const state = findState(tree.admin);
  const commit = tree.commit ?? '';
  const known = state ?? begun;
  return { kind: 'attached', reused: true, commit, base: known?.base ?? { ref: `refs/heads/${tree.branch}`, commit }, remote: known?.remote ?? remoteOf(repository), target: known?.target ?? null, notes: [] };
}

/** What a killed `new` left in this folder is taken away when only git put something there; whole, it is a tree like any other. */
async function clearInterrupted(repository: Repository, making: Making): Promise<void> {
  const { commonDir } = repository;
  refuseRunning(making);
  const admin = findAdmin(making.dir) ?? findAdminByPointer(making.dir, commonDir);
  if (admin !== null && isWhole(admin)) return unmark(commonDir, making.dir);
  if (admin !== null) await refuseWork(admin, making);
  await takeBack(repository, making);
}

async function create(job: Job): Promise<MadeWorktree> {
  const { request, repository, dir } = job;
  const { branch } = request;
  const start = await resolveStart({ repository, branch, base: request.base, fetches: request.fetches, say: request.say, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const making = claim(repository.commonDir, { branch, dir, created: start.kind === 'attached' ? null : start.commit, start });
  const made = await fill(job, making, start);
  try {
    return await furnish(job, { ...start, notes: [...start.notes, ...made.notes] }, made.admin);
  } catch (error) {
    // It stands, and somebody may work in it already: what is missing is made up for by the next call.
    unmark(repository.commonDir, dir);
    throw explained(error, dir, `The tree stands in ${dir}; afterwards run \`leoflow worktree new ${branch}\` again.`);
  }
}

/** Git's part: until it has ended, a failure takes everything back. */
async function fill(job: Job, making: Making, start: Start): Promise<{ readonly admin: string; readonly notes: readonly string[] }> {
  const { repository, dir } = job;
  try {
    const notes = await addTree(job, making, start);
    const admin = findAdmin(dir);
    if (admin === null) throw new AppError('git_failed', `git made no working tree in ${dir}`);
    return { admin, notes };
  } catch (error) {
    // Somebody made the branch at the same moment, for another folder: it is theirs.
    const isTheirs = error instanceof AppError && /a branch named .* already exists/.test(error.message);
    await takeBack(repository, isTheirs ? { ...making, created: null } : making);
    throw error;
  }
}

/** The one call that costs time; tracking is ours, since git would write it into the settings that all trees share. */
async function addTree({ request, repository, dir }: Job, making: Making, start: Start): Promise<readonly string[]> {
  const cwd = repository.isBare ? repository.commonDir : repository.primary;
  let attempts = 0;
  const done = await pastHalfMadeTrees(async () => {
    const isThere = start.kind === 'attached' || (attempts++ > 0 && (await tryGit(['rev-parse', '--verify', '--quiet', `refs/heads/${request.branch}`], { cwd })).stdout.trim() === start.commit);
    const how = isThere ? ['--', dir, request.branch] : ['--no-track', '-b', request.branch, '--', dir, start.commit];
    return tryGit(['worktree', 'add', ...how], { cwd, timeoutMs: 60 * 60_000, onStart: (pid) => noteGit(repository.commonDir, making, pid), ...(request.signal === undefined ? {} : { signal: request.signal }), ...(repository.config.has('checkout.workers') ? {} : { config: { 'checkout.workers': '0' } }) });
  });
  if (request.signal?.aborted === true) throw new AppError('interrupted', 'interrupted; nothing is left behind');
  if (done.status === 0) return [];
  // A hook that fails after a whole checkout is the repository's own matter, as it is for git.
  const admin = findAdmin(dir);
  if (admin !== null && existsSync(join(admin, 'index')) && !/^(fatal|error):/m.test(done.stderr)) return [`the hook post-checkout ended with ${done.status ?? done.signal ?? 'no code'}: ${done.stderr.trim().split('\n').at(-1) ?? ''}`];
  throw gitFailure(`the working tree ${dir} could not be made`, done);
}

/** Removes the tree and the branch that this attempt made, unless somebody has worked on them since. */
async function takeBack({ commonDir }: Repository, { branch, dir, created }: Making): Promise<void> {
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
  unmark(commonDir, dir);
}

/** Everything beside the checkout. It may be done again: what is there stays. */
async function furnish(job: Job, start: Start & { readonly reused?: true }, admin: string): Promise<MadeWorktree> {
  const { request, repository, dir } = job;
  const before = findState(admin);
  const file = job.file ?? (await ownFile(job, start));
  const key = createHash('sha256').update(`${repository.commonDir}\0${basename(admin)}`).digest('hex');
  const bare: WorktreeState = {
    version: 1, branch: request.branch, dir, primary: repository.primary, remote: start.remote, base: before?.base ?? start.base, target: start.target, made_at: before?.made_at ?? isoOf(wallMs()), files: before?.files ?? [],
    port: await reservePorts(repository.commonDir, admin), port_names: file.ports,
    compose_project: composeNameOf(nameOf(repository), request.branch, key.slice(0, 6)), database: databaseNameOf(nameOf(repository), request.branch, key.slice(0, 6)), temporary: ownTemporary(key.slice(0, 12)),
    identity: { ...file.identity, ...request.identity }, push: file.push, setup: 'none', branch_made: before?.branch_made ?? start.kind === 'created',
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
  unmark(repository.commonDir, dir);
  const asPlaced = file.setup.length === 0 ? [] : state.files.filter((one) => isUnedited(one, dir));
  const setup = await runSetup({ commonDir: repository.commonDir, dir, commands: file.setup, environment: treeEnvironment(admin, state), approve: request.approve, say: request.say, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const final: WorktreeState = { ...state, files: state.files.map((one) => (asPlaced.includes(one) ? placedAgain(one, dir) : one)), setup: setup.kind };
  if (setup.kind !== 'none') writeState(admin, final);
  return { ...final, kind: start.reused === true ? 'reused' : start.kind, notes: [...start.notes, ...placed.notes, ...memory.notes, ...persisted, ...unfilled, ...setupNotes(request, setup, file.setup.length)] };
}

/** Without a primary checkout the fresh default branch says it: never what somebody else's branch brings. */
async function ownFile({ request, dir }: Job, start: Start): Promise<WorktreeFile> {
  return start.kind === 'created' && request.base === undefined ? readWorktreeFile(dir) : WORKTREE_DEFAULTS;
}

function setupNotes({ branch, dir }: NewTreeRequest, setup: Awaited<ReturnType<typeof runSetup>>, count: number): readonly string[] {
  const again = `leoflow worktree new ${branch}${dir === undefined ? '' : ` ${dir}`}`;
  if (setup.kind === 'failed') return [`setup stopped: \`${setup.command}\` ${setup.why}; mend it and run \`${again}\` again`];
  return setup.kind === 'not approved' ? [`setup was not run: its ${count} commands are not approved; read them in .leoflow/worktree.yaml, then: ${again} --approve`] : [];
}

function isUnedited(file: PlacedFile, dir: string): boolean {
  return file.sha256 !== null && !isEdited(file, dir);
}

/** What set-up made of a copy is nobody's work. */
function placedAgain(file: PlacedFile, dir: string): PlacedFile {
  const path = join(dir, file.path);
  return { ...file, sha256: existsSync(path) ? digestOf(path) : file.sha256 };
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
