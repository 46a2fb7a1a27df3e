// Makes callbacks that were written down: each in a process of its version's environment, a few at once, oldest first, again when nobody answers.
import type { CallAnswer } from '#contract/attempt.ts';
import { type Config, LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import type { Executor } from '#executor/executor.ts';
import { ANSWER_GRACE_SECONDS } from '#executor/version-calls.ts';
import { callLater } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { type BeingMade, type Callback, type CallbackEnd, claimCallback, endCallback, findNextCallback } from '#store/callbacks.ts';
import type { Database } from '#store/database.ts';
import { findNextDeadline, missDeadlines } from '#store/deadlines.ts';
import { callOf } from './callback-calls.ts';

interface MakeCallbacksOptions {
  readonly config: Config;
  readonly database: Database;
  readonly epoch: number;
  readonly reporter: Reporter;
  readonly executor: Pick<Executor, 'call'>;
  readonly tokenOf: (id: string) => Promise<string>;
  readonly logFile: (execution: ExecutionId) => string;
}

/** What `leoflow.airflow_runtime.callbacks` answers: what each callback raised. */
interface Made { readonly errors: readonly { readonly type: string; readonly message: string }[] }

const MAX_ATTEMPTS = 3;
/** Before the second attempt; before the third four times as long. */
const AGAIN_SECONDS = 2;
const BACKSTOP_MS = 30_000;
const SOON_MS = 1000;
const MAX_ERROR_LENGTH = 4000;

/** One per term of leadership. */
export class MakeCallbacks {
  readonly #options: MakeCallbacksOptions;
  /** Those that this server is making. */
  readonly #making = new Map<string, VersionId>();
  #isClosed = false;
  #isLooking = false;
  #isPoked = false;
  #callOff: () => void = () => undefined;

  constructor(options: MakeCallbacksOptions) {
    this.#options = options;
  }

  /** How many are being made. */
  get count(): number {
    return this.#making.size;
  }

  /** None is begun any more. */
  close(): void {
    this.#isClosed = true;
    this.#callOff();
  }

  /** Something was written down, or this server leads now: looks as soon as it can. */
  poke(): void {
    this.#isPoked = true;
    if (!this.#isLooking && !this.#isClosed) void this.#look();
  }

  /** True while this server waits for its answer. */
  isMaking(id: string): boolean {
    return this.#making.has(id);
  }

  /** A process answers. It is written down before the process hears that it was heard: until then it tells it again, whoever leads. */
  async take(id: string, answer: CallAnswer): Promise<void> {
    await this.#end(id, answer.kind === 'done' ? endOf(answer.value) : { state: 'failed', error: `${answer.error.type}: ${answer.error.message}` });
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#callOff();
    let waitMs = SOON_MS;
    try {
      while (this.#isPoked && !this.#isClosed) {
        this.#isPoked = false;
        await this.#pass();
      }
      waitMs = await this.#untilNext();
    } catch (error) {
      this.#report('callbacks', error);
    } finally {
      this.#isLooking = false;
    }
    if (this.#isClosed) return;
    if (this.#isPoked) return void this.#look();
    this.#callOff = callLater(waitMs, () => this.poke());
  }

  async #pass(): Promise<void> {
    const { database: { pool }, epoch, config } = this.#options;
    if ((await missDeadlines(pool, epoch, LIMITS.maxDeadlinesPerPass)).looked === LIMITS.maxDeadlinesPerPass) this.#isPoked = true;
    const answerSeconds = config.LEOFLOW_CALLBACK_TIMEOUT_SECONDS + ANSWER_GRACE_SECONDS;
    while (this.#making.size < LIMITS.maxCallbacksAtOnce && !this.#isClosed) {
      const callback = await claimCallback(pool, epoch, { ...this.#beingMade(), answerSeconds });
      if (callback === null) return;
      this.#making.set(callback.id, callback.versionId);
      void this.#make(callback).catch((error: unknown) => this.#report('callback', error)).finally(() => {
        this.#making.delete(callback.id);
        this.poke();
      });
    }
  }

  #beingMade(): BeingMade {
    const versions = [...this.#making.values()];
    return { making: [...this.#making.keys()], busy: [...new Set(versions)].filter((id) => versions.filter((other) => other === id).length >= LIMITS.maxCallbacksPerVersion) };
  }

  /** With all hands full the end of one is what is waited for. */
  async #untilNext(): Promise<number> {
    const { pool, clock } = this.#options.database;
    const next = [await findNextDeadline(pool), this.#making.size < LIMITS.maxCallbacksAtOnce ? await findNextCallback(pool, this.#beingMade()) : null];
    return Math.max(0, Math.min(BACKSTOP_MS, ...next.flatMap((at) => (at === null ? [] : [at - clock.nowMs() + 1]))));
  }

  async #make(callback: Callback): Promise<void> {
    const end = callback.attempts > MAX_ATTEMPTS ? { state: 'failed' as const, error: `nobody answered in ${MAX_ATTEMPTS} attempts` } : await this.#attempt(callback);
    if (end !== null) await this.#end(callback.id, end);
  }

  /** Null: this server leads no more, and whoever does sees to it. */
  async #attempt(callback: Callback): Promise<CallbackEnd | null> {
    const { executor, database, tokenOf, logFile, config } = this.#options;
    try {
      const logOf = callback.logOf === null ? null : logFile(callback.logOf);
      const call = await callOf(database, callback, { token: await tokenOf(callback.id), logFile: logOf, timeoutSeconds: config.LEOFLOW_CALLBACK_TIMEOUT_SECONDS });
      if (call === null) return { state: 'failed', error: 'its run or its version was deleted' };
      return endOf(await executor.call(callback.versionId, call));
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'call_failed') {
        if (error instanceof AppError && error.code === 'not_leading') return null;
        this.#report('callback', error);
      }
      const told = errorText(error).slice(0, MAX_ERROR_LENGTH);
      return callback.attempts < MAX_ATTEMPTS ? { state: 'again', error: told, seconds: AGAIN_SECONDS * 4 ** (callback.attempts - 1) } : { state: 'failed', error: told };
    }
  }

  async #end(id: string, end: CallbackEnd): Promise<void> {
    const { database, epoch, reporter } = this.#options;
    const ended = await endCallback(database.pool, epoch, { id, end });
    if (ended === null) return;
    const { kind, dagId, runId, taskId, attempts } = ended;
    const told = { kind, dag_id: dagId, run_id: runId, task_id: taskId, attempts };
    if (end.state === 'done') reporter.report({ event: 'callback.done', ...told });
    else reporter.report({ event: 'callback.failed', ...told, again: end.state === 'again', error: end.error });
  }

  #report(where: string, error: unknown): void {
    if (!this.#isClosed) this.#options.reporter.report({ event: 'failure', where, error: errorText(error) });
  }
}

/** A callback that raises was made: it is not made again. */
function endOf(answer: string): CallbackEnd {
  const { errors } = JSON.parse(answer) as Made;
  if (errors.length === 0) return { state: 'done' };
  return { state: 'failed', error: errors.map(({ type, message }) => `${type}: ${message}`).join('; ').slice(0, MAX_ERROR_LENGTH).replaceAll('\u0000', '\uFFFD').toWellFormed() };
}
