// A redis-server of a test's own: on a socket in a folder of its own, ended by its process id, started again on the same data.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';

/** Why Redis tests cannot run here; false when they can. */
export const WITHOUT_REDIS: string | false = findServer() === null ? 'redis-server is missing: sudo apt-get install redis-server' : false;

function findServer(): string | null {
  try {
    return execFileSync('sh', ['-c', 'command -v redis-server'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

/** A server; `url` stays the same over its deaths. */
export class TestRedis implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lf-redis-'));
  readonly url = join(this.#folder, 's');
  readonly #settings: readonly string[];
  #child: ChildProcess | null = null;
  #client: Redis | null = null;

  private constructor(settings: Readonly<Record<string, string>>) {
    this.#settings = Object.entries({ appendonly: 'yes', appendfsync: 'always', save: '', 'maxmemory-policy': 'noeviction', ...settings }).flatMap(([name, value]) => [`--${name}`, value]);
  }

  /** @param settings of redis.conf; default: an append-only file, written with each command */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<TestRedis> {
    const redis = new TestRedis(settings);
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const child = spawn('redis-server', ['--port', '0', '--unixsocket', this.url, '--dir', this.#folder, ...this.#settings], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (/ready to accept connections/i.test(said)) resolve();
      });
      child.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${said}`)));
    });
    const { Redis: Client } = createRequire(import.meta.url)('ioredis') as { Redis: new (path: string) => Redis };
    this.#client = new Client(this.url);
    this.#client.on('error', () => undefined);
  }

  /** A connection of the test's own. */
  get client(): Redis {
    if (this.#client === null) throw new Error('it does not run');
    return this.#client;
  }

  /** SIGKILL: nothing is written any more. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#client?.disconnect();
    this.#client = null;
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  }

  /** SIGSTOP, SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
