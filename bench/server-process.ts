// `leoflow server` as a process of its own, with its address, its CPU time and its end.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { signToken } from '#api/auth/tokens.ts';
import { userEnvironment } from '#platform/config.ts';
import type { Workbench } from './workbench.ts';

const CLI = join(import.meta.dirname, '..', 'src', 'main', 'cli.ts');
const START_MS = 60_000;
const JWT_SECRET = 'a key for benchmarks only, 32 letters and more';

/** A server that is ready and leads. `bootMs` is from its start as a process to the line that says ready. */
export interface ServerProcess {
  readonly pid: number;
  readonly url: string;
  readonly home: string;
  readonly bootMs: number;
  /** Ends it in an orderly way. */
  stop(): Promise<void>;
  /** Ends it at once, without a word. */
  kill(): Promise<void>;
}

/** What the server says on its standard output, line by line. */
export type Said = Readonly<Record<string, unknown>> & { readonly event?: string };

/** With `BENCH_PROFILE=folder` in the environment the server leaves a CPU profile there when it ends. */
function nodeOptions(): string[] {
  const folder = process.env['BENCH_PROFILE'];
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`];
}

/** Starts a server on a database. `environment` are further settings; `onSaid` hears its log. */
export async function startServer(bench: Workbench, how: { home: string; databaseUrl: string; environment?: Record<string, string>; untilLeading?: boolean; onSaid?: (said: Said) => void }): Promise<ServerProcess> {
  const home = join(bench.folder, how.home);
  mkdirSync(home, { recursive: true, mode: 0o711 });
  const env = { ...userEnvironment(), LEOFLOW_DATABASE_URL: how.databaseUrl, LEOFLOW_PYTHON: bench.python, LEOFLOW_JWT_SECRET: JWT_SECRET, LEOFLOW_PORT: '0', ...how.environment };
  const started = performance.now();
  const child = spawn(process.execPath, [...nodeOptions(), CLI, 'server', '--home', home], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  bench.defer(() => endChild(child, 'SIGTERM'));
  const { url, bootMs } = await untilReady(child, { started, untilLeading: how.untilLeading !== false, onSaid: how.onSaid ?? (() => undefined) });
  return { pid: child.pid ?? 0, url, home, bootMs, stop: () => endChild(child, 'SIGTERM'), kill: () => endChild(child, 'SIGKILL') };
}

function untilReady(child: ChildProcess, how: { started: number; untilLeading: boolean; onSaid: (said: Said) => void }): Promise<{ url: string; bootMs: number }> {
  return new Promise((resolve, reject) => {
    let errors = '';
    let url: string | null = null;
    let isLeading = !how.untilLeading;
    const fail = (why: string): void => reject(new Error(`the server ${why}: ${errors.slice(-2000)}`));
    const timer = setTimeout(() => fail('was not ready in time'), START_MS);
    child.stderr?.on('data', (chunk: Buffer) => void (errors += chunk.toString()));
    child.on('exit', () => fail('ended'));
    if (child.stdout === null) return fail('has no output');
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as Said;
      if (said.event === 'leader.ready') isLeading = true;
      if (said.event === 'server.ready') url = String(said['url']);
      if (url !== null && isLeading) {
        clearTimeout(timer);
        resolve({ url, bootMs: performance.now() - how.started });
      }
      how.onSaid(said);
    });
  });
}

async function endChild(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

/** Headers of an admin's request. */
export async function adminHeaders(): Promise<Record<string, string>> {
  return { Authorization: `Bearer ${await signToken(Buffer.from(JWT_SECRET), { name: 'admin', role: 'admin' }, 3600)}` };
}
