// The programs of a scene as child processes: a server of ours, and the proxy between it and its database.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { userEnvironment } from '#platform/config.ts';
import type { ProxyMode } from './proxy.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LIMIT_MS = 60_000;

/** What runs the tasks of a proof: CHAOS_RUNTIME=airflow puts them under the real Task SDK. */
export const RUNTIME = process.env['CHAOS_RUNTIME'] === 'airflow' ? 'airflow' : 'leoflow';
const VENV = join(ROOT, RUNTIME === 'airflow' ? '.venv-airflow' : '.venv', 'bin', 'python');

/** The interpreter with what DAG files import. */
export const PYTHON = existsSync(VENV) ? VENV : 'python3';

/** A line of a program's output, with when it was read. */
export type Said = Readonly<Record<string, unknown>> & { readonly wall: number };

/** A child process that says JSON lines. */
export class Program {
  readonly child: ChildProcess;
  readonly said: Said[] = [];
  #errors = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], how: { env: NodeJS.ProcessEnv; logFile: string }) {
    this.child = spawn(process.execPath, [...args], { env: how.env, stdio: ['pipe', 'pipe', 'pipe'] });
    const log = createWriteStream(how.logFile, { flags: 'a' });
    this.child.stdin?.on('error', () => undefined);
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString();
      log.write(chunk);
    });
    if (this.child.stdout !== null) createInterface({ input: this.child.stdout }).on('line', (line) => {
      log.write(`${Date.now()} ${line}\n`);
      if (line.startsWith('{')) this.said.push({ ...(JSON.parse(line) as object), wall: Date.now() });
      for (const look of this.#watchers) look();
    });
    this.child.on('exit', () => {
      for (const look of this.#watchers) look();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves with the first line, from the `from`th on, that fits. */
  async until(fits: (line: Said) => boolean, what: string, from = 0): Promise<Said> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const look = (): void => {
        const line = this.said.slice(from).find(fits);
        if (line === undefined && this.isRunning) return;
        done();
        if (line === undefined) reject(new Error(`${this.child.spawnargs[1]} ended before: ${what}; ${this.#errors.slice(-1000)}`));
        else resolve(line);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`waited ${LIMIT_MS} ms for: ${what}; ${JSON.stringify(this.said.slice(-5))} ${this.#errors.slice(-1000)}`));
      }, LIMIT_MS);
      this.#watchers.add(look);
      look();
    });
  }

  /** Signals it and waits for its end. */
  async end(signal: NodeJS.Signals, limitMs = LIMIT_MS): Promise<void> {
    if (!this.isRunning) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    await ended;
    clearTimeout(timer);
  }
}

/** A proxy before the database. */
export class Proxy {
  readonly program: Program;
  #port = 0;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start(socketPath: string, logFile: string): Promise<Proxy> {
    const proxy = new Proxy(new Program([join(import.meta.dirname, 'proxy.ts'), socketPath], { env: userEnvironment(), logFile }));
    proxy.#port = Number((await proxy.program.until((line) => 'port' in line, 'the proxy listens'))['port']);
    return proxy;
  }

  urlOf(database: string): string {
    return `postgresql://leoflow@127.0.0.1:${this.#port}/${database}`;
  }

  /** Resolves when the mode is in force. */
  async set(mode: ProxyMode): Promise<void> {
    const from = this.program.said.length;
    this.program.child.stdin?.write(`${JSON.stringify(mode)}\n`);
    await this.program.until((line) => line['obeyed'] === mode.mode, `the proxy obeys ${mode.mode}`, from);
  }

  /** Resolves when an answer was lost. */
  untilLost(from: number): Promise<Said> {
    return this.program.until((line) => 'lost' in line, 'an answer is lost', from);
  }
}

/** `name` tells servers of a scene apart; `preload` is loaded before the server's own code. */
export interface ServerOptions {
  readonly name: string;
  readonly home: string;
  readonly databaseUrl: string;
  readonly ledger: string;
  readonly logFile: string;
  readonly preload?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** The real `leoflow server`. */
export function startServer(options: ServerOptions): Program {
  const env = {
    ...userEnvironment(), LEDGER: options.ledger, LEOFLOW_DATABASE_URL: options.databaseUrl, LEOFLOW_HOME: options.home, LEOFLOW_PYTHON: PYTHON, LEOFLOW_PORT: '0',
    LEOFLOW_PARALLELISM: '48', LEOFLOW_INFRA_RETRY_DELAY_SECONDS: '0.05', LEOFLOW_CANCEL_GRACE_SECONDS: '2', LEOFLOW_DAGS_ACTIVE: 'true', ...options.settings,
  };
  const preload = options.preload === undefined ? [] : ['--import', options.preload];
  return new Program([...preload, join(ROOT, 'src', 'main', 'cli.ts'), 'server'], { env, logFile: options.logFile });
}
