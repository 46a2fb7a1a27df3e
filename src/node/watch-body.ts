// Runs a body until the first word on its end: its own, a cancel, a time-out, an exit, an error that nobody caught, or nothing left to wait for.
import { getEventListeners } from 'node:events';
import type { BodyEnd } from '#sdk/run-body.ts';

/** How an execution ended. */
export type WatchedEnd = (BodyEnd & { readonly cause?: undefined; readonly exitCode?: undefined }) | (Extract<BodyEnd, { outcome: 'failed' }> & { readonly cause?: 'timeout' | 'cancelled'; readonly exitCode?: number });

/** After a cancel or a time-out a body that listens to its signal has this long to end, any other a moment. */
const CLEAN_UP_MS = 10_000;
const MOMENT_MS = 1_000;

/** Ends the body that called process.exit; the execution has its end already. */
class ProcessExit extends Error {
  override readonly name = 'ProcessExit';
}

const realExit = process.exit.bind(process);

/** Ends this process. */
export function exitProcess(status: number): never {
  return realExit(status);
}

/** While modules are imported: one that ends the process, or fails in the background, must not take the process with it. */
export function guardImports(): void {
  process.exit = (code) => {
    throw new ProcessExit(`the module called process.exit(${code ?? ''}) while it was imported`);
  };
  process.on('uncaughtException', noteOnly);
}

function noteOnly(error: unknown): void {
  process.stderr.write(`leoflow: an error in the background of an import: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
}

/** Runs `body` once. Never rejects. Afterwards errors that nobody caught are only noted. */
export async function watchBody(how: { readonly timeoutSeconds: number | null; readonly note: (event: string, error: unknown) => void }, body: (signal: AbortSignal) => Promise<BodyEnd>): Promise<WatchedEnd> {
  const watch = new Watch(how.note);
  if (how.timeoutSeconds !== null) watch.limit(how.timeoutSeconds);
  void Promise.resolve().then(() => body(watch.signal)).then((end) => watch.settle(end), (thrown: unknown) => watch.settle({ outcome: 'failed', thrown, noRetry: false }));
  return watch.end;
}

class Watch {
  readonly end: Promise<WatchedEnd>;
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  #resolve: (end: WatchedEnd) => void = () => undefined;
  #isOver = false;
  /** A cancel or a time-out: however the body ends now, this is its end. */
  #ending: WatchedEnd | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(note: (event: string, error: unknown) => void) {
    this.signal = this.#controller.signal;
    this.end = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    process.on('SIGTERM', () => this.#cancel());
    process.on('SIGINT', () => undefined);
    process.off('uncaughtException', noteOnly);
    process.on('uncaughtException', (error, origin) => {
      const event = origin === 'unhandledRejection' ? 'a promise was rejected and nobody caught it' : 'an error was thrown in the background and nobody caught it';
      if (this.#isOver || error instanceof ProcessExit) return void (error instanceof ProcessExit || note(event, error));
      this.settle({ outcome: 'failed', thrown: unhandled(event, error), noRetry: false });
    });
    process.exit = (code) => this.#exit(code);
    process.on('beforeExit', () => this.settle({
      outcome: 'failed', noRetry: false,
      thrown: named('NeverSettled', 'the task waits for a promise that nothing can settle any more: no timer, socket or program is left that could. Was a callback forgotten, or an await on something that never answers?'),
    }));
  }

  /** The first end counts. */
  settle(end: WatchedEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#resolve(this.#ending ?? end);
  }

  limit(seconds: number): void {
    this.#timer = setTimeout(() => {
      this.#abort({ outcome: 'failed', thrown: named('TaskTimeout', `the task ran longer than its execution_timeout of ${seconds} s`), noRetry: false, cause: 'timeout' });
    }, Math.min(seconds * 1000, 2 ** 31 - 1));
    // A body that waits for nothing else is told so at once.
    this.#timer.unref();
  }

  #cancel(): void {
    const end: WatchedEnd = { outcome: 'failed', thrown: named('TaskCancelled', 'the execution was cancelled'), noRetry: false, cause: 'cancelled' };
    if (this.#ending !== null) return this.settle(end);
    this.#abort(end);
  }

  /** Tells the body, and waits a moment for what it cleans up. */
  #abort(end: Extract<WatchedEnd, { outcome: 'failed' }>): void {
    if (this.#isOver || this.#ending !== null) return;
    this.#ending = end;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.settle(end), getEventListeners(this.signal, 'abort').length > 0 ? CLEAN_UP_MS : MOMENT_MS);
    this.#controller.abort(end.thrown);
  }

  #exit(code: string | number | null | undefined): never {
    const exitCode = Number(code ?? process.exitCode ?? 0);
    const error = new ProcessExit(`the task called process.exit(${code ?? ''})`);
    this.settle({ outcome: 'failed', thrown: error, noRetry: false, exitCode: Number.isInteger(exitCode) ? exitCode : 1 });
    throw error;
  }
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  error.stack = `${name}: ${message}`;
  return error;
}

/** Keeps what was thrown as the cause, whatever it is. */
function unhandled(event: string, thrown: unknown): Error {
  const error = new Error(`${event}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  error.name = thrown instanceof Error ? thrown.name : 'UnhandledRejection';
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

/** Kinds of what keeps this process from ending by itself, beside `before`. */
export function leakedResources(before: readonly string[]): string[] {
  const left = [...before];
  return process.getActiveResourcesInfo().filter((kind) => {
    const at = left.indexOf(kind);
    if (at >= 0) left.splice(at, 1);
    return at < 0 && kind !== 'Immediate' && kind !== 'TickObject';
  });
}
