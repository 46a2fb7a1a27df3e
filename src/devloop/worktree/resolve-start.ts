// Where a tree begins: an existing branch, one that only the remote has, or a new one from a base that was fetched just now.
import { AppError } from '#contract/errors.ts';
import { git, tryGit } from './git.ts';
import { type Repository, remoteOf } from './repository.ts';

/** What a person asked for. `base`: a ref, `pr:123` or nothing. */
export interface StartRequest {
  readonly repository: Repository;
  readonly branch: string;
  readonly base: string | undefined;
  readonly fetches: boolean;
  readonly say: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** `commit`: where the tree's branch stands at first. `target`: the branch it will be merged into. */
export interface Start {
  readonly kind: 'created' | 'attached' | 'tracked';
  readonly commit: string;
  readonly base: { readonly ref: string; readonly commit: string };
  readonly remote: string | null;
  readonly target: string | null;
  readonly notes: readonly string[];
}

/** What the remote says of the refs that matter here. */
interface RemoteRefs { readonly defaultBranch: string | null; readonly ids: ReadonlyMap<string, string> }

const FETCH_MS = 30 * 60_000;

/** Asks the remote, fetches what is needed and decides. Throws `usage`, `remote_unreachable`, `worktree_refused` or `not_found`; nothing but remote-tracking refs was changed then. */
export async function resolveStart(request: StartRequest): Promise<Start> {
  const { repository, branch } = request;
  const remote = remoteOf(repository);
  const base = parseBase(request.base, remote);
  const cwd = repository.commonDir;
  const [checked, told, local] = await Promise.all([
    tryGit(['check-ref-format', '--branch', branch], { cwd }),
    remote !== null && request.fetches ? askRemote(request, remote, base) : null,
    readRefs(repository, [`refs/heads/${branch}`, ...(remote === null ? [] : [`refs/remotes/${remote}/`])]),
  ]);
  if (checked.status !== 0 || checked.stdout.trim() !== branch || branch === 'HEAD') throw new AppError('usage', `${branch} is no name for a branch`, { hint: 'See git check-ref-format: no spaces, no leading dash, no .., no trailing dot.' });
  const refs = { request, remote, base, local, told, defaultBranch: told?.defaultBranch ?? defaultBranchOf(local, remote) };
  if (told !== null && remote !== null) await fetchRefs(refs, told);
  return decide({ ...refs, local: told === null ? local : new Map([...local, ...trackingOf(told, remote)]) });
}

type Base = { readonly kind: 'default' } | { readonly kind: 'pull'; readonly number: string } | { readonly kind: 'ref'; readonly name: string; readonly branch: string };

function parseBase(text: string | undefined, remote: string | null): Base {
  if (text === undefined) return { kind: 'default' };
  const number = /^(?:pr|mr):(\d+)$/.exec(text)?.[1];
  if (number !== undefined) return { kind: 'pull', number };
  if (/^[a-z]+:/.test(text)) throw new AppError('usage', `${text}: expected pr:NUMBER or a ref`);
  const branch = text.replace(/^refs\/heads\//, '').replace(/^refs\/remotes\//, '');
  return { kind: 'ref', name: text, branch: remote !== null && branch.startsWith(`${remote}/`) ? branch.slice(remote.length + 1) : branch };
}

async function askRemote({ repository, branch, base: given, say, signal }: StartRequest, remote: string, base: Base): Promise<RemoteRefs> {
  say(`asking ${remote} …\n`);
  const wanted = base.kind === 'pull' ? [`refs/pull/${base.number}/head`, `refs/merge-requests/${base.number}/head`] : base.kind === 'ref' ? [`refs/heads/${base.branch}`] : [];
  const asked = await tryGit(['ls-remote', '--symref', '--', remote, 'HEAD', `refs/heads/${branch}`, ...wanted], { cwd: repository.commonDir, timeoutMs: FETCH_MS, ...(signal === undefined ? {} : { signal }) });
  if (asked.status !== 0) throw new AppError('remote_unreachable', `${remote} does not answer: ${asked.stderr.trim().split('\n')[0] ?? ''}`);
  const lines = asked.stdout.split('\n').filter((line) => line !== '').map((line) => line.split('\t'));
  const defaultBranch = lines.flatMap(([left = '', right]) => (right === 'HEAD' ? (/^ref: refs\/heads\/(.+)$/.exec(left)?.[1] ?? []) : []))[0] ?? null;
  const ids = new Map(lines.flatMap(([id = '', name = '']) => (id.startsWith('ref: ') ? [] : [[name, id] as const])));
  if (base.kind === 'pull' && !wanted.some((name) => ids.has(name))) throw new AppError('not_found', `${remote} has no pull or merge request ${base.number} (${given ?? ''})`, { hint: 'Check its number, and that this remote is where it was opened.' });
  return { defaultBranch, ids };
}

async function readRefs({ commonDir }: Repository, patterns: readonly string[]): Promise<Map<string, string>> {
  const text = await git(['for-each-ref', '--format=%(objectname) %(symref) %(refname)', ...patterns], { cwd: commonDir });
  return new Map(text.split('\n').filter((line) => line !== '').map((line) => {
    const [id = '', symref = '', name = ''] = line.split(' ');
    return [name, symref === '' ? id : symref];
  }));
}

function defaultBranchOf(local: ReadonlyMap<string, string>, remote: string | null): string | null {
  if (remote === null) return null;
  const head = local.get(`refs/remotes/${remote}/HEAD`)?.replace(`refs/remotes/${remote}/`, '');
  return head ?? ['main', 'master', 'trunk', 'develop'].find((name) => local.has(`refs/remotes/${remote}/${name}`)) ?? null;
}

interface Refs { readonly request: StartRequest; readonly remote: string | null; readonly base: Base; readonly local: ReadonlyMap<string, string>; readonly told: RemoteRefs | null; readonly defaultBranch: string | null }

/** Exactly the refs that are needed, and nothing when they are here already. */
async function fetchRefs({ request, remote, base, local, defaultBranch }: Refs, told: RemoteRefs): Promise<void> {
  const branches = [...told.ids.keys()].flatMap((name) => /^refs\/heads\/(.+)$/.exec(name)?.[1] ?? []);
  const names = [...new Set([...branches, ...(defaultBranch === null ? [] : [defaultBranch])])];
  const stale = names.filter((name) => {
    const id = told.ids.get(`refs/heads/${name}`) ?? (name === defaultBranch ? told.ids.get('HEAD') : undefined);
    return id !== undefined && local.get(`refs/remotes/${remote}/${name}`) !== id;
  });
  const pull = base.kind === 'pull' ? [...told.ids.keys()].filter((name) => /^refs\/(pull|merge-requests)\//.test(name)) : [];
  if (stale.length + pull.length === 0) return;
  request.say(`fetching ${[...stale, ...pull].join(', ')} …\n`);
  const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-gc', '--no-prune', '--no-recurse-submodules', '--', String(remote), ...stale.map((name) => `+refs/heads/${name}:refs/remotes/${remote}/${name}`), ...pull];
  const done = await tryGit(args, { cwd: request.repository.commonDir, timeoutMs: FETCH_MS, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  if (done.status !== 0) throw new AppError('remote_unreachable', `fetching from ${remote} failed: ${done.stderr.trim().split('\n').slice(0, 2).join('; ')}`);
}

/** The remote-tracking refs as they are after the fetch. */
function trackingOf(told: RemoteRefs, remote: string | null): [string, string][] {
  const branches = [...told.ids].flatMap(([name, id]): [string, string][] => (name.startsWith('refs/heads/') ? [[name.replace('refs/heads/', `refs/remotes/${remote}/`), id]] : []));
  const head = told.ids.get('HEAD');
  return told.defaultBranch === null || head === undefined ? branches : [...branches, [`refs/remotes/${remote}/${told.defaultBranch}`, head]];
}

async function decide(refs: Refs): Promise<Start> {
  const { request, remote, local } = refs;
  const primaryBranch = request.repository.trees[0]?.branch ?? null;
  const target = remote !== null && refs.defaultBranch !== null ? `refs/remotes/${remote}/${refs.defaultBranch}` : (primaryBranch === null ? null : `refs/heads/${primaryBranch}`);
  const own = local.get(`refs/heads/${request.branch}`);
  const theirs = remote === null ? undefined : local.get(`refs/remotes/${remote}/${request.branch}`);
  // What the remote no longer has is only a memory of it.
  const isGone = refs.told !== null && !refs.told.ids.has(`refs/heads/${request.branch}`);
  if (own !== undefined) {
    const notes = request.base === undefined ? [] : [`${request.branch} exists, so it was attached as it is; ${request.base} was not used`];
    return { kind: 'attached', commit: own, base: { ref: `refs/heads/${request.branch}`, commit: own }, remote, target, notes };
  }
  if (theirs !== undefined && !isGone) {
    if (request.base !== undefined) throw new AppError('worktree_refused', `${remote} already has a branch ${request.branch}`, { hint: `Leave ${request.base} out to work on that branch, or choose another name.` });
    return { kind: 'tracked', commit: theirs, base: { ref: `refs/remotes/${remote}/${request.branch}`, commit: theirs }, remote, target, notes: [] };
  }
  const { base, notes } = await resolveBase(refs);
  return { kind: 'created', commit: base.commit, base, remote, target, notes };
}

interface Found { readonly base: Start['base']; readonly notes: readonly string[] }

async function resolveBase(refs: Refs): Promise<Found> {
  const { remote, local, base } = refs;
  if (base.kind === 'pull') return pullBase(refs);
  const name = base.kind === 'ref' ? base.branch : refs.defaultBranch;
  const tracking = name === null || remote === null ? undefined : local.get(`refs/remotes/${remote}/${name}`);
  return tracking === undefined ? localBase(refs) : { base: { ref: `refs/remotes/${remote}/${name}`, commit: tracking }, notes: await noteOwnCommits(refs, name, tracking) };
}

function pullBase({ told, request }: Refs): Found {
  const found = [...(told?.ids ?? [])].find(([name]) => /^refs\/(pull|merge-requests)\//.test(name));
  if (found === undefined) throw new AppError('usage', `${request.base ?? ''} has to be asked from a remote`, { hint: 'Leave --no-fetch out, in a repository with a remote.' });
  return { base: { ref: found[0], commit: found[1] }, notes: [] };
}

/** Anything that git can resolve here; without a remote also the primary's own branch. */
async function localBase({ request, remote, told, base }: Refs): Promise<Found> {
  const isNamed = base.kind === 'ref';
  if (!isNamed && remote !== null) throw new AppError('not_found', `the default branch of ${remote} is not known here`, { hint: told === null ? 'Leave --no-fetch out, or name a BASE.' : `${remote} has no HEAD: name a BASE.` });
  const ref = isNamed ? base.name : (request.repository.trees[0]?.branch ?? 'HEAD');
  const found = await tryGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], { cwd: request.repository.commonDir });
  if (found.status === 0) return { base: { ref, commit: found.stdout.trim() }, notes: [] };
  if (isNamed) throw new AppError('not_found', `there is no ${ref}, neither here nor on ${remote ?? 'a remote'}`, { hint: 'Name a branch, a tag, a commit or pr:NUMBER.' });
  throw new AppError('not_found', 'this repository has no commit yet', { hint: 'Make a first commit.' });
}

/** A local branch of the same name may have more: it is said, not taken. */
async function noteOwnCommits({ request, local, remote }: Refs, name: string | null, tracking: string): Promise<readonly string[]> {
  const own = (await readRefs(request.repository, [`refs/heads/${name}`])).get(`refs/heads/${name}`) ?? local.get(`refs/heads/${name}`);
  if (own === undefined || own === tracking) return [];
  const count = await tryGit(['rev-list', '--count', `${tracking}..${own}`], { cwd: request.repository.commonDir });
  return Number(count.stdout) > 0 ? [`your local ${name} has ${count.stdout.trim()} commits that ${remote}/${name} has not: they are not in this tree`] : [];
}
