// The line of a leading server to the launcher: opened with its term, opened again when the launcher dies.
import type { FromLauncher, RunningForkServer, ToLauncher } from '#contract/attempt.ts';
import { settledWithin, sleep } from '#platform/clock.ts';
import { killProcess } from '#platform/exec.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { connectLauncher } from './launcher-link.ts';

const SHUTDOWN_MS = 5000;
const AGAIN_MS = 1000;

interface LineOptions {
  readonly home: string;
  readonly python: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly reporter: Reporter;
}

/** What its user hears. */
interface LineHandlers {
  /** The launcher is there. */
  readonly onHeard: () => void;
  readonly onMessage: (message: Exclude<FromLauncher, { op: 'hello' }>) => void;
  /** The launcher of this term died; another is asked for already. */
  readonly onLost: () => void;
  /** What a launcher that was asked for anew holds. */
  readonly onAgain: (forkServers: readonly RunningForkServer[]) => Promise<unknown>;
}

/** The line. Between terms it is closed. */
export class LauncherLine {
  readonly #options: LineOptions;
  readonly #handlers: LineHandlers;
  #link: LineSocket<ToLauncher> | null = null;
  #pid = 0;
  #untilClosed: Promise<void> = Promise.resolve();
  /** The attempt to reach a launcher that was begun last. */
  #connecting: Promise<unknown> = Promise.resolve();
  /** Of the term; null outside of one. */
  #epoch: number | null = null;
  /** A launcher that is only just starting when the server ends is wanted until it was told to end. */
  #isEnding = false;

  constructor(options: LineOptions, handlers: LineHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  get pid(): number {
    return this.#pid;
  }

  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Begins a term. @returns the fork servers that are there. Throws `not_leading`, `python_missing`, `invalid_config` */
  open(epoch: number): Promise<readonly RunningForkServer[]> {
    this.#epoch = epoch;
    const connected = this.#connect(epoch);
    this.#connecting = connected;
    return connected;
  }

  /** Settles with the attempt to reach a launcher that was begun last; throws when it failed. */
  async untilOpen(): Promise<void> {
    await this.#connecting;
  }

  /** @returns false when there is no launcher just now */
  send(message: ToLauncher): boolean {
    this.#link?.send(message);
    return this.#link !== null;
  }

  /** Stopped or stuck: a kill is the one order that it cannot miss. */
  kill(): void {
    killProcess(this.#pid, 'SIGKILL');
  }

  /** The term is over; the launcher and all below it go on. */
  close(): void {
    const link = this.#link;
    this.#epoch = null;
    this.#link = null;
    link?.close();
  }

  /** Ends the launcher and all below it, also one that is only just starting. @param stepDown ends the term @returns whether it is gone */
  async shutdown(epoch: number, stepDown: () => void): Promise<boolean> {
    let link = this.#link;
    // From here on its end is wanted: nothing is lost, nothing is started again.
    this.#link = null;
    this.#isEnding = true;
    stepDown();
    await this.#connecting.catch(() => undefined);
    link ??= this.#link;
    if (link === null) return false;
    link.send({ op: 'shutdown', epoch });
    let isGone = false;
    await settledWithin(this.#untilClosed.then(() => void (isGone = true)), SHUTDOWN_MS);
    link.close();
    return isGone;
  }

  async #connect(epoch: number): Promise<readonly RunningForkServer[]> {
    const { home, python, environment, reporter } = this.#options;
    const isOfTerm = (): boolean => this.#epoch === epoch;
    const hello = await connectLauncher({
      home, python, environment, epoch,
      isWanted: (wasSpawned) => isOfTerm() || (wasSpawned && this.#isEnding),
    }, {
      onLink: (link, untilClosed) => {
        this.#link = link;
        this.#untilClosed = untilClosed;
      },
      onMessage: (message) => {
        this.#handlers.onHeard();
        this.#handlers.onMessage(message);
      },
      onClose: (reason) => this.#onClose(epoch, reason),
    });
    this.#pid = hello.pid;
    this.#handlers.onHeard();
    reporter.report({ event: 'launcher.ready', pid: hello.pid, adopted: hello.fork_servers.length });
    return hello.fork_servers;
  }

  #onClose(epoch: number, reason: string): void {
    if (this.#epoch !== epoch || this.#link === null) return;
    this.#link = null;
    this.#options.reporter.report({ event: 'launcher.lost', reason });
    // First, so that whoever asks again waits for the new one.
    this.#connecting = this.#openAgain(epoch);
    this.#handlers.onLost();
  }

  async #openAgain(epoch: number): Promise<void> {
    while (this.#epoch === epoch) {
      try {
        await this.#handlers.onAgain(await this.#connect(epoch));
        return;
      } catch (error) {
        this.#options.reporter.report({ event: 'failure', where: 'launcher', error: errorText(error) });
        await sleep(AGAIN_MS);
      }
    }
  }
}
