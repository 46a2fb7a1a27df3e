// The only place that starts child processes. Never a shell; every child has bounded output and a time limit or an owner.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import type { Socket } from 'node:net';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { callLater, monotonicMs } from './clock.ts';

/** `status` is null when a signal ended the child; output is cut at the limit that ended it. */
export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
  /** The output limit was reached and the child ended for it. */
  readonly overflowed: boolean;
}

/** Without `env` a child inherits this process’s environment. What it waits for a processor does not count in `timeoutMs`. `maxOutputBytes` counts both streams together, 16 MiB by default; `input` is written to standard input. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxOutputBytes?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal;
  /** How standard output is read, UTF-8 by default; `latin1` keeps every byte. */
  readonly encoding?: 'utf8' | 'latin1';
  /** Hears the process id once the child runs. */
  readonly onStart?: (pid: number) => void;
  /** Hears both streams as they come. */
  readonly onOutput?: (text: string) => void;
}

/**
 * Runs a program to its end. Its whole process group is killed on time-out, on too much output and on abort.
 * Rejects only when the program cannot be started (ENOENT and the like).
 */
export function run(command: string, args: readonly string[], options: RunOptions): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { ...spawnOptions(options), stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'], detached: true });
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const limit = options.maxOutputBytes ?? 16 * 1024 * 1024;
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    let size = 0;
    let timedOut = false;
    let overflowed = false;
    // What left its group may hold the streams open: nobody waits for that.
    const kill = (): void => {
      killGroup(child.pid, 'SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const hasTimedOut = (): void => {
      timedOut = true;
      kill();
    };
    const callOff = callAfter(child.pid, options.timeoutMs, hasTimedOut);
    options.signal?.addEventListener('abort', kill, { once: true });
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => {
        size += chunk.length;
        options.onOutput?.(chunk.toString('utf8'));
        if (size <= limit) chunks[name].push(chunk);
        else if (!overflowed) {
          overflowed = true;
          kill();
        }
      });
    }
    child.on('error', (error) => {
      callOff();
      reject(error);
    });
    child.stdin?.on('error', () => undefined);
    if (options.input !== undefined) child.stdin?.end(options.input);
    child.on('close', (status, signal) => {
      callOff();
      options.signal?.removeEventListener('abort', kill);
      resolve({ status, signal, timedOut, overflowed, stdout: Buffer.concat(chunks.stdout).toString(options.encoding ?? 'utf8'), stderr: Buffer.concat(chunks.stderr).toString('utf8') });
    });
  });
}

/** Calls when a process has had so much time: on a busy machine that is later. @returns calls it off */
function callAfter(pid: number | undefined, ms: number, call: () => void): () => void {
  const since = monotonicMs();
  const look = (): void => {
    const left = ms - (monotonicMs() - since - waitedMs(pid));
    if (left <= 0) call();
    else callOff = callLater(left, look);
  };
  let callOff = callLater(ms, look);
  return () => callOff();
}

/** How long a process was ready to run and had no processor; 0 where the system does not say. Source: Linux, Documentation/scheduler/sched-stats.rst. */
function waitedMs(pid: number | undefined): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[1] ?? 0) / 1e6;
  } catch {
    return 0;
  }
}

/** A program that is talked to in lines. It ends with its standard input. */
export interface LineProgram {
  send(line: string): void;
  /** Ends its standard input. */
  end(): void;
  /** Asks it to end, for one that does not end with its standard input. */
  stop(): void;
  readonly ended: Promise<void>;
}

/** Starts a program; each whole line that it prints is handed on, its standard error is dropped. This process lives at least as long as it does: `end` it. Rejects when it cannot be started. */
export function startLineProgram(command: string, args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'> & { readonly onLine: (line: string) => void }): Promise<LineProgram> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { ...spawnOptions(options), stdio: ['pipe', 'pipe', 'ignore'] });
    let rest: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => {
      let from = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        options.onLine(Buffer.concat([...rest, chunk.subarray(from, end)]).toString('utf8'));
        rest = [];
        from = end + 1;
      }
      if (from < chunk.length) rest.push(chunk.subarray(from));
    });
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<void>((done) => child.on('close', () => done()));
    child.on('error', reject);
    child.on('spawn', () => resolve({ send: (line) => void child.stdin?.write(`${line}\n`), end: () => void child.stdin?.end(), stop: () => void child.kill('SIGTERM'), ended }));
  });
}

/** A program that is talked to in bytes, in both directions. */
export interface ByteProgram {
  write(data: string | Uint8Array): void;
  /** Ends its standard input. */
  end(): void;
  /** Kills its whole process group. */
  kill(): void;
  /** Leaves it to end by itself: it no longer keeps this process alive, and what it still says is not heard. */
  release(): void;
  /** Resolves when it ended and its streams are read. */
  readonly ended: Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null; readonly stderr: string }>;
}

/**
 * Starts a program whose standard output is handed on as it comes; of its standard error the last `maxErrorBytes` are kept.
 * Rejects when it cannot be started. Its owner ends it: `end` or `kill`.
 */
export function startByteProgram(command: string, args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'> & { readonly onBytes: (chunk: Buffer) => void; readonly maxErrorBytes: number }): Promise<ByteProgram> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { ...spawnOptions(options), stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    let stderr = Buffer.alloc(0);
    child.stdout?.on('data', options.onBytes);
    child.stderr?.on('data', (chunk: Buffer) => void (stderr = Buffer.concat([stderr, chunk]).subarray(-options.maxErrorBytes)));
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<Awaited<ByteProgram['ended']>>((done) => child.on('close', (status, signal) => done({ status, signal, stderr: stderr.toString('utf8') })));
    child.on('error', reject);
    const kill = (): void => {
      killGroup(child.pid, 'SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const release = (): void => {
      child.unref();
      for (const stream of [child.stdout, child.stderr, child.stdin]) (stream as Socket | null)?.unref();
    };
    child.on('spawn', () => resolve({ write: (data) => void child.stdin?.write(data), end: () => void child.stdin?.end(), kill, release, ended }));
  });
}

/**
 * Runs a program with this process's terminal as its own: its output is not read, and the keyboard is its. Rejects when it cannot be started.
 * @param options `output`: both of its streams go to that one of ours; without it each goes to its own
 */
export function runAttached(command: string, args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env' | 'signal'> & { readonly output?: 'stderr' }): Promise<Pick<Finished, 'status' | 'signal'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { ...spawnOptions(options), stdio: ['inherit', options.output === undefined ? 1 : 2, 2] });
    const end = (): void => void child.kill('SIGTERM');
    options.signal?.addEventListener('abort', end, { once: true });
    child.on('error', reject);
    child.on('close', (status, signal) => {
      options.signal?.removeEventListener('abort', end);
      resolve({ status, signal });
    });
  });
}

/**
 * Runs a program in this one's place on the terminal: keys such as Ctrl-C are for it alone, and a request to end is handed on to it. For what a person
 * works in (a shell), where `runAttached` is for a step of ours. Rejects when it cannot be started.
 */
export async function runInForeground(command: string, args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'>): Promise<Pick<Finished, 'status' | 'signal'>> {
  let child: ChildProcess | null = null;
  const restore = (['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
    const before = process.listeners(signal);
    process.removeAllListeners(signal);
    // The terminal gives the first two to the child itself.
    process.on(signal, () => void (signal === 'SIGTERM' || signal === 'SIGHUP' ? child?.kill(signal) : null));
    return () => {
      process.removeAllListeners(signal);
      for (const listener of before) process.on(signal, listener as () => void);
    };
  });
  try {
    return await new Promise((resolve, reject) => {
      child = spawn(command, [...args], { ...spawnOptions(options), stdio: 'inherit' });
      child.on('error', reject);
      child.on('close', (status, signal) => resolve({ status, signal }));
    });
  } finally {
    for (const undo of restore) undo();
  }
}

/** Ends this process by the signal that ended the program it ran, so that a caller sees the same end. */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Becomes another program: same process id, its exit code and its signals are its own. Never returns. `command` is a path. */
export function becomeProgram(command: string, args: readonly string[], env: Readonly<Record<string, string>>): never {
  if (process.execve === undefined) throw new Error('this platform cannot replace a process');
  return process.execve(command, [command, ...args], { ...env });
}

/** A child whose end is nobody’s duty to await; `kill` signals it alone, not its group. */
export interface Daemon {
  readonly pid: number;
  /** Resolves when it ends. */
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a program that outlives the call, its output appended to `logFile`. In a session of its own, so that it survives this process. */
export function startDaemon(command: string, args: readonly string[], options: Omit<RunOptions, 'timeoutMs'> & { logFile: string }): Promise<Daemon> {
  return new Promise((resolve, reject) => {
    const log = openSync(options.logFile, 'a', 0o600);
    const child = spawn(command, [...args], { ...spawnOptions(options), stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.on('error', reject);
    child.on('spawn', () => {
      child.unref();
      resolve(daemonOf(child));
    });
  });
}

function daemonOf(child: ChildProcess): Daemon {
  const ended = new Promise<{ status: number | null; signal: NodeJS.Signals | null }>((done) => child.on('exit', (status, signal) => done({ status, signal })));
  return { pid: child.pid ?? 0, ended, kill: (signal) => void child.kill(signal) };
}

function spawnOptions(options: Partial<RunOptions>): SpawnOptions {
  return {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: { ...options.env } }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  };
}

/** Signals a process group; a group that is gone is no error. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group ended by itself.
  }
}

/** True while a process of this id runs. One that ended and that nobody has reaped does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Signals one process; one that is gone is no error. */
export function killProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}
