// The launcher from outside: starting one, and the first words on a connection to it.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FromLauncher, ToLauncher } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { callLater, monotonicMs, sleep } from '#platform/clock.ts';
import { startDaemon } from '#platform/exec.ts';
import { connectLines, type LineSocket } from '#platform/line-socket.ts';

/** A process that accepts a connection and says nothing for so long is stopped or stuck. */
export const GREETING_MS = 5000;
/** One that does not answer is killed by the next, which first makes sure in its turn. */
const LAUNCHER_START_MS = 3 * GREETING_MS;
/** Holds `leoflow`, the Python package. */
const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');

/** `isWanted` is asked before each attempt, with whether a launcher was started that nobody greeted yet. */
interface LauncherWanted {
  readonly home: string;
  readonly python: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly epoch: number;
  readonly isWanted: (wasSpawned: boolean) => boolean;
}

/** Greets the home folder's launcher, and starts one when there is none. @returns its hello. Throws `not_leading`, `python_missing`, `invalid_config`. */
export async function connectLauncher(wanted: LauncherWanted, handlers: LauncherHandlers): Promise<Extract<FromLauncher, { op: 'hello' }>> {
  const { home, epoch } = wanted;
  const path = launcherSocket(home);
  const deadline = monotonicMs() + LAUNCHER_START_MS;
  let wasSpawned = false;
  while (wanted.isWanted(wasSpawned)) {
    const hello = existsSync(path) ? await greetLauncher(path, epoch, handlers) : null;
    if (hello?.op === 'refused') throw new AppError('not_leading', `the launcher obeys epoch ${hello.epoch}, this server leads in ${epoch}`, { hint: 'Another server leads, or the database was replaced: then end the launcher that serves the home folder.' });
    if (hello !== null) return hello;
    if (monotonicMs() > deadline) throw new AppError('python_missing', `the launcher did not start within ${LAUNCHER_START_MS / 1000} s`, { hint: `See ${join(home, 'logs', 'launcher.log')}.` });
    if (!wasSpawned) {
      wasSpawned = true;
      await spawnLauncher(wanted);
    }
    await sleep(10);
  }
  throw new AppError('not_leading', 'this server does not lead any more');
}

/** Where a launcher may already listen. Throws `invalid_config` when the path is too long for a unix socket. */
export function launcherSocket(home: string): string {
  const path = join(home, 'run', 'launcher.sock');
  if (path.length > 100) throw new AppError('invalid_config', `the home folder's path is too long for a unix socket: ${path}`, { hint: 'Choose a shorter LEOFLOW_HOME.' });
  return path;
}

/** Starts a launcher that outlives this process; it listens a moment later. Throws `python_missing`. */
async function spawnLauncher({ home, python, environment }: { readonly home: string; readonly python: string; readonly environment: Readonly<Record<string, string>> }): Promise<void> {
  try {
    await startDaemon(python, ['-m', 'leoflow.agent.launcher', home], { env: { ...environment, PYTHONPATH: PYTHON_FOLDER }, cwd: home, logFile: join(home, 'logs', 'launcher.log') });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${python}`, { cause });
  }
}

interface LauncherHandlers {
  /** It said hello. `untilClosed` resolves with the connection's end, before `onClose`. */
  readonly onLink: (link: LineSocket<ToLauncher>, untilClosed: Promise<void>) => void;
  /** What follows the hello. `refused` may come at any time: a newer leader took over. */
  readonly onMessage: (message: Exclude<FromLauncher, { op: 'hello' }>) => void;
  /** The end of a connection that was greeted. */
  readonly onClose: (reason: string) => void;
}

/**
 * Says hello as the leader of this epoch. A launcher that is just being killed still accepts connections: only one that answered counts.
 * @returns the first answer, null when nobody answers in time
 */
export function greetLauncher(path: string, epoch: number, handlers: LauncherHandlers): Promise<Extract<FromLauncher, { op: 'hello' | 'refused' }> | null> {
  let closed: () => void = () => undefined;
  const untilClosed = new Promise<void>((done) => void (closed = done));
  return new Promise((resolve) => {
    let link: LineSocket<ToLauncher> | null = null;
    let state: 'waiting' | 'greeted' | 'over' = 'waiting';
    const giveUp = (answer: Extract<FromLauncher, { op: 'refused' }> | null): void => {
      if (state !== 'waiting') return;
      state = 'over';
      callOff();
      resolve(answer);
      link?.close();
    };
    const callOff = callLater(GREETING_MS, () => giveUp(null));
    const greet = (message: FromLauncher): void => {
      if (message.op === 'refused') return giveUp(message);
      if (message.op !== 'hello' || link === null) return;
      state = 'greeted';
      callOff();
      handlers.onLink(link, untilClosed);
      resolve(message);
    };
    connectLines<ToLauncher>(path, {
      onMessage: (raw) => {
        const message = raw as FromLauncher;
        if (state === 'waiting') greet(message);
        else if (state === 'greeted' && message.op !== 'hello') handlers.onMessage(message);
      },
      onClose: (reason) => {
        closed();
        if (state === 'greeted') handlers.onClose(reason);
        giveUp(null);
      },
    }).then((made) => {
      if (state !== 'waiting') return made.close();
      link = made;
      made.send({ op: 'hello', epoch });
    }, () => giveUp(null));
  });
}
