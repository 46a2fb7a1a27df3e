// Git, as this room calls it: in English, never asking, without the caller's own git directory, never touching an index that it only reads.
import { AppError, type ErrorCode } from '#contract/errors.ts';
import { sleep } from '#platform/clock.ts';
import { callerEnvironment } from '#platform/config.ts';
import { type Finished, run } from '#platform/exec.ts';

/** Where git works, and what it gets beside the caller's environment. `-c`-like settings stand in `config`. */
export interface GitOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly encoding?: 'utf8' | 'latin1';
  readonly onStart?: (pid: number) => void;
}

const LOCAL_MS = 10 * 60_000;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Variables by which a hook or an alias of git ties its children to one repository. */
const TIES = ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX', 'GIT_COMMON_DIR', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES', 'GIT_NAMESPACE', 'GIT_QUARANTINE_PATH'];

/** The caller's environment without what ties git to another repository. */
export function gitEnvironment(): Record<string, string> {
  const env = callerEnvironment();
  for (const name of TIES) delete env[name];
  return env;
}

/** Adds settings to an environment behind those that it holds already; each pair once. */
export function withGitConfig(env: Readonly<Record<string, string>>, pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const merged = { ...env };
  let count = Number(env['GIT_CONFIG_COUNT'] ?? '0') || 0;
  const held = new Set(Array.from({ length: count }, (_, at) => `${env[`GIT_CONFIG_KEY_${at}`] ?? ''}\n${env[`GIT_CONFIG_VALUE_${at}`] ?? ''}`));
  for (const [key, value] of pairs) {
    if (held.has(`${key}\n${value}`)) continue;
    merged[`GIT_CONFIG_KEY_${count}`] = key;
    merged[`GIT_CONFIG_VALUE_${count}`] = value;
    count += 1;
  }
  return { ...merged, GIT_CONFIG_COUNT: String(count) };
}

/**
 * Git writes the administrative folder of a new working tree file by file, under no lock: every other call of git that
 * lists the trees in that moment dies of the half-written one, before it has changed anything of the trees.
 */
function metHalfMadeTree(done: Finished): boolean {
  return done.status === 128 && /^fatal: .*worktrees\/[^/\n]+\/(commondir|gitdir|HEAD)/m.test(done.stderr);
}

const HALF_MADE_WAITS_MS = [10, 30, 100, 300, 1000];

/** Does it again, for a second and a half at most, as long as it meets a tree that somebody else is just making. */
export async function pastHalfMadeTrees(attempt: () => Promise<Finished>): Promise<Finished> {
  let done = await attempt();
  for (const wait of HALF_MADE_WAITS_MS) {
    if (!metHalfMadeTree(done)) break;
    await sleep(wait);
    done = await attempt();
  }
  return done;
}

/** Runs git to its end, whatever the end. Throws `git_missing` only. */
export function tryGit(args: readonly string[], options: GitOptions): Promise<Finished> {
  // A repeated `worktree add -b` would meet the branch of its first attempt: its caller repeats it.
  const adds = args[0] === 'worktree' && args[1] === 'add';
  return adds ? runGit(args, options) : pastHalfMadeTrees(() => runGit(args, options));
}

async function runGit(args: readonly string[], options: GitOptions): Promise<Finished> {
  const env = { ...withGitConfig(gitEnvironment(), Object.entries(options.config ?? {})), LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', ...options.env };
  try {
    return await run('git', args, {
      cwd: options.cwd, env, timeoutMs: options.timeoutMs ?? LOCAL_MS, maxOutputBytes: MAX_OUTPUT_BYTES,
      ...(options.input === undefined ? {} : { input: options.input }), ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.encoding === undefined ? {} : { encoding: options.encoding }), ...(options.onStart === undefined ? {} : { onStart: options.onStart }),
    });
  } catch (cause) {
    throw new AppError('git_missing', `git cannot be started in ${options.cwd}`, { cause });
  }
}

/** Runs git and gives what it printed. Throws `git_failed` with git's own words. */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const done = await tryGit(args, options);
  if (done.status !== 0) throw gitFailure(`git ${args.find((arg) => !arg.startsWith('-')) ?? ''}`, done);
  return done.stdout;
}

/** A failure in git's own words, with what to do where that is known. */
export function gitFailure(what: string, done: Finished, code: ErrorCode = 'git_failed'): AppError {
  const said = (done.stderr || done.stdout).split('\n').map((line) => line.trim()).filter((line) => line !== '' && !/^(Preparing worktree|hint:)/.test(line)).slice(-4).join('; ');
  const why = done.timedOut ? 'took too long' : said || `ended with ${done.status ?? done.signal ?? 'no word'}`;
  if (/dubious ownership/.test(done.stderr)) return new AppError('git_failed', `${what}: ${why.split(';')[0] ?? ''}`, { hint: 'The repository belongs to another user. If you trust it: git config --global --add safe.directory PATH' });
  if (/File name too long/.test(done.stderr)) return new AppError('worktree_refused', 'the name is too long for the file system', { cause: new Error(why), hint: 'Choose a shorter branch, or a shorter DIR.' });
  return new AppError(/No space left on device|Disk quota exceeded/.test(done.stderr) ? 'disk_full' : code, `${what}: ${why}`);
}

/** Entries of an output with -z. */
export function splitNul(text: string): string[] {
  return text.split('\0').filter((one) => one !== '');
}
