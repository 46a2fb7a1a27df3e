// The launcher from outside: starting one, and the first words on a connection to it.
import { join } from 'node:path';
import type { FromLauncher } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { startDaemon } from '#platform/exec.ts';
import { connectLines, type LineSocket } from '#platform/line-socket.ts';

/** Holds `leoflow`, the Python package. */
const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', 'python');

/** Where a launcher may already listen. Throws `invalid_config` when the path is too long for a unix socket. */
export function launcherSocket(home: string): string {
  const path = join(home, 'run', 'launcher.sock');
  if (path.length > 100) throw new AppError('invalid_config', `the home folder's path is too long for a unix socket: ${path}`, { hint: 'Choose a shorter LEOFLOW_HOME.' });
  return path;
}

/** Starts a launcher that outlives this process; it listens a moment later. Throws `python_missing`. */
export async function spawnLauncher({ home, python, environment }: { readonly home: string; readonly python: string; readonly environment: Readonly<Record<string, string>> }): Promise<void> {
  try {
    await startDaemon(python, ['-m', 'leoflow.agent.launcher', home], { env: { ...environment, PYTHONPATH: PYTHON_FOLDER }, cwd: home, logFile: join(home, 'logs', 'launcher.log') });
  } catch (cause) {
    throw new AppError('python_missing', `cannot start ${python}`, { cause });
  }
}

interface LauncherHandlers {
  /** It said hello. `untilClosed` resolves with the connection's end, before `onClose`. */
  readonly onLink: (link: LineSocket, untilClosed: Promise<void>) => void;
  /** What follows the hello. `refused` may come at any time: a newer leader took over. */
  readonly onMessage: (message: Exclude<FromLauncher, { op: 'hello' }>) => void;
  /** The end of a connection that was greeted. */
  readonly onClose: (reason: string) => void;
}

/**
 * Says hello as the leader of this epoch. A launcher that is just being killed still accepts connections: only one that answered counts.
 * @returns the first answer, null when nobody answers
 */
export function greetLauncher(path: string, epoch: number, handlers: LauncherHandlers): Promise<Extract<FromLauncher, { op: 'hello' | 'refused' }> | null> {
  let closed: () => void = () => undefined;
  const untilClosed = new Promise<void>((done) => void (closed = done));
  return new Promise((resolve) => {
    let link: LineSocket | null = null;
    let isGreeted = false;
    const greet = (message: FromLauncher): void => {
      if (message.op === 'hello' && link !== null) {
        isGreeted = true;
        handlers.onLink(link, untilClosed);
        resolve(message);
      } else if (message.op === 'refused') {
        resolve(message);
        link?.close();
      }
    };
    connectLines(path, {
      onMessage: (raw) => {
        const message = raw as FromLauncher;
        if (!isGreeted) greet(message);
        else if (message.op !== 'hello') handlers.onMessage(message);
      },
      onClose: (reason) => {
        resolve(null);
        closed();
        if (isGreeted) handlers.onClose(reason);
      },
    }).then((made) => {
      link = made;
      made.send({ op: 'hello', epoch });
    }, () => resolve(null));
  });
}
