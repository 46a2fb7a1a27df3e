// Bytes of XComs in Redis: written before the row that names them is committed, pending until it is, and never silently gone.
import type { ChainableCommander, Redis } from 'ioredis';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { PendingValue, PutMark, StoreExamination, ValueStore, ValueToPut } from '#contract/value-store.ts';
import { partsOf } from '#core/parts-of.ts';
import { sleep } from '#platform/clock.ts';
import type { Reporter } from '#platform/report.ts';
import { Alarm, faultText } from './alarm.ts';
import { examineInfo } from './examine-info.ts';

/** `installation` names the database whose rows name the values. */
interface RedisOptions {
  readonly url: string;
  readonly installation: string;
  readonly reporter: Pick<Reporter, 'report'>;
}

/** Redis drops an expired value this much later than the row says: the database's clock decides, and it starts at the commit. */
const EXPIRY_SLACK_SECONDS = 600;
/** Small values share a round trip; large ones go one after the other: 4,700 of 200 KB a second against 2,900 in one pipeline, measured. */
const PART_BYTES = 64 * 1024;
const PART_VALUES = 100;
const RECONNECT_MS = 500;

/** Removes a value only while this one put of it is pending: a late command must not meet a value that was put again or confirmed. */
const DISCARD = "if redis.call('hget', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('hdel', KEYS[1], ARGV[1]) return redis.call('unlink', KEYS[2]) end return 0";

/** Connects in the background; `examine` waits for it. Throws `invalid_config` when the address is none. The client is loaded here, nowhere else. */
export async function openRedisValues(options: RedisOptions): Promise<RedisValues> {
  if (!/^(rediss?:\/\/|\/)/.test(options.url)) throw new AppError('invalid_config', 'LEOFLOW_REDIS_URL is neither redis://, rediss:// nor the path of a socket');
  const { Redis: Client } = await import('ioredis');
  return new RedisValues(new Client(options.url, {
    connectionName: 'leoflow', enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0, connectTimeout: LIMITS.valueStoreTimeoutMs,
    socketTimeout: LIMITS.valueStoreTimeoutMs, keepAlive: 1000, retryStrategy: (times) => Math.min(times * 50, RECONNECT_MS),
    // A replica after a fail-over refuses writes: another connection may find the master.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }), options);
}

/** One per process. */
export class RedisValues implements ValueStore {
  readonly #redis: Redis;
  readonly #alarm: Alarm;
  readonly #reporter: Pick<Reporter, 'report'>;
  readonly #prefix: string;
  readonly #pending: string;
  #puts = 0;
  /** Why it must not be used; null when it may, or nobody knows yet. */
  #refusal: string | null = null;
  #told = '';
  #isClosing = false;

  constructor(redis: Redis, options: RedisOptions) {
    this.#redis = redis;
    this.#reporter = options.reporter;
    this.#alarm = new Alarm(options.reporter);
    this.#prefix = `leoflow:${options.installation}:xcom:`;
    this.#pending = `leoflow:${options.installation}:pending`;
    redis.on('error', (error: unknown) => this.#alarm.raise('connect', error));
    redis.on('close', () => this.#isClosing || this.#alarm.raise('connect', new Error('the connection ended')));
    redis.on('ready', () => void this.#look());
  }

  async putValues(values: readonly ValueToPut[], mark: PutMark): Promise<void> {
    // Asked again: it may have been mended meanwhile.
    if (this.#refusal !== null) await this.#look();
    if (this.#refusal !== null) throw unavailable(this.#refusal);
    await this.#try('write', async () => {
      for (const part of partsOf(values, { maxItems: PART_VALUES, maxBytes: PART_BYTES, bytesOf: ({ bytes }) => bytes.length })) {
        const transaction = this.#redis.multi();
        for (const value of part) this.#addPut(transaction, value, mark);
        await execute(transaction);
      }
    });
  }

  /** Both or neither: bytes without their note would be nobody's. */
  #addPut(transaction: ChainableCommander, { location, bytes, ttlSeconds }: ValueToPut, mark: PutMark): void {
    this.#puts += 1;
    transaction.hset(this.#pending, location, `${mark.epoch} ${Math.floor(mark.atMs)} ${mark.run} ${this.#puts}`);
    if (ttlSeconds === null) transaction.set(this.#prefix + location, bytes);
    else transaction.set(this.#prefix + location, bytes, 'EX', Math.ceil(ttlSeconds) + EXPIRY_SLACK_SECONDS);
  }

  async confirmValues(locations: readonly string[]): Promise<void> {
    if (locations.length > 0) await this.#try('write', () => this.#redis.hdel(this.#pending, ...locations));
  }

  async readValues(locations: readonly string[]): Promise<(Buffer | null)[]> {
    if (locations.length === 0) return [];
    return this.#try('read', () => this.#redis.mgetBuffer(...locations.map((location) => this.#prefix + location)));
  }

  async listPending(limit: number): Promise<PendingValue[]> {
    return this.#try('read', async () => {
      const found: PendingValue[] = [];
      let cursor = '0';
      do {
        const [next, fields] = await this.#redis.hscan(this.#pending, cursor, 'COUNT', LIMITS.maxValuesPerCall);
        for (let at = 0; at + 1 < fields.length; at += 2) found.push(parsePending(fields[at] ?? '', fields[at + 1] ?? ''));
        cursor = next;
      } while (cursor !== '0' && found.length < limit);
      return found.slice(0, limit);
    });
  }

  async discardPending(values: readonly PendingValue[]): Promise<void> {
    await this.#try('write', async () => {
      for (const { location, token } of values) await this.#redis.eval(DISCARD, 2, this.#pending, this.#prefix + location, location, token);
    });
  }

  async removeValues(locations: readonly string[]): Promise<void> {
    if (locations.length === 0) return;
    await this.#try('write', async () => {
      await this.#redis.unlink(...locations.map((location) => this.#prefix + location));
      await this.#redis.hdel(this.#pending, ...locations);
    });
  }

  async examine(): Promise<StoreExamination | null> {
    const stop = new AbortController();
    const ready = (): void => stop.abort();
    if (this.#redis.status !== 'ready') {
      this.#redis.once('ready', ready);
      await sleep(LIMITS.valueStoreTimeoutMs, stop.signal);
      this.#redis.off('ready', ready);
    }
    return this.#redis.status === 'ready' ? this.#look() : null;
  }

  close(): Promise<void> {
    this.#isClosing = true;
    this.#redis.disconnect();
    return Promise.resolve();
  }

  /** With each connection, and whenever asked: a Redis that was set up anew may be another one. */
  async #look(): Promise<StoreExamination | null> {
    const found = await this.#ask();
    if (found === null || this.#isClosing) return found;
    this.#refusal = found.refusal;
    if (found.refusal === null) this.#alarm.clear('connect');
    else this.#alarm.raise('connect', new Error(found.refusal));
    const told = found.warnings.join();
    if (told !== this.#told) for (const message of found.warnings) this.#reporter.report({ event: 'xcom_store.warning', message });
    this.#told = told;
    return found;
  }

  async #ask(): Promise<StoreExamination | null> {
    try {
      return examineInfo(await this.#redis.info());
    } catch (error) {
      // Who was cut off looks again with the next connection; who may not ask goes on without.
      return this.#redis.status === 'ready' ? { refusal: null, warnings: [`how Redis is set up is unknown: ${faultText(error)}`] } : null;
    }
  }

  async #try<R>(doing: 'read' | 'write', work: () => Promise<R>): Promise<R> {
    try {
      const result = await work();
      this.#alarm.clear(doing);
      return result;
    } catch (error) {
      if (!this.#isClosing) this.#alarm.raise(doing, error);
      throw unavailable(`Redis ${doing === 'read' ? 'does not give values back' : 'does not take values'}: ${faultText(error)}`, error);
    }
  }
}

async function execute(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error !== null) throw error;
}

function unavailable(message: string, cause?: unknown): AppError {
  return new AppError('xcom_store_unavailable', message, cause === undefined ? {} : { cause });
}

/** A note that nobody of ours wrote counts as one of epoch 0, which is long over. */
function parsePending(location: string, token: string): PendingValue {
  const [epoch = '', atMs = '', run = ''] = token.split(' ');
  return { location, token, epoch: Number(epoch) || 0, atMs: Number(atMs) || 0, run };
}
