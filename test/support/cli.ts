// Runs the real command line as a child process, with a home folder of its own below the temporary folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '..', '..', 'bin', 'leoflow');

export interface CliResult { readonly code: number | null; readonly out: string; readonly err: string }

/** A folder that is removed by the returned function; others may enter it, as PostgreSQL must when we are root. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'lf-'));
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Environment of a command: nothing of the caller's settings, the home folder given. */
function environment(home: string, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LEOFLOW_') && name !== 'NODE_TEST_CONTEXT'));
  return { ...clean, LEOFLOW_HOME: home, ...more };
}

/** Runs a command to its end. */
export function leoflow(home: string, args: readonly string[], how: { env?: Record<string, string>; timeoutMs?: number; input?: string; cwd?: string } = {}): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = spawn(BIN, [...args], { env: environment(home, how.env ?? {}), stdio: ['pipe', 'pipe', 'pipe'], ...(how.cwd === undefined ? {} : { cwd: how.cwd }) });
    const text = collect(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), how.timeoutMs ?? 60_000);
    child.stdin?.end(how.input ?? '');
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...text() });
    });
  });
}

export interface Running {
  readonly child: ChildProcess;
  /** Resolves with the first line of either stream that holds the text. Rejects when the process ends before. */
  until(text: string): Promise<string>;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  read(): { out: string; err: string };
}

/** Starts a command that goes on. */
export function startLeoflow(home: string, args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(BIN, [...args], { env: environment(home, env), stdio: ['ignore', 'pipe', 'pipe'] });
  const read = collect(child);
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return {
    child, read,
    until: (text) => new Promise((resolve, reject) => {
      const look = (): void => {
        const { out, err } = read();
        const line = `${out}\n${err}`.split('\n').find((one) => one.includes(text));
        if (line !== undefined) resolve(line);
      };
      child.stdout?.on('data', look);
      child.stderr?.on('data', look);
      void ended.then((code) => reject(new Error(`ended with ${code} before "${text}":\n${read().out}\n${read().err}`)));
      look();
    }),
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

function collect(child: ChildProcess): () => { out: string; err: string } {
  const text = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => void (text.out += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => void (text.err += chunk));
  return () => ({ ...text });
}
