// What only Redis can do wrong: it dies, hangs, is full, or is set up to forget. It must be loud, lose nothing that was taken, and mend by itself.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import type { Event } from '#contract/events.ts';
import type { PutMark } from '#contract/value-store.ts';
import { TestRedis, WITHOUT_REDIS } from '../../test/support/redis.ts';
import { examineRedis } from './examine-redis.ts';
import { openRedisValues, type RedisValues } from './redis-values.ts';

const MARK: PutMark = { epoch: 7, atMs: 1234.5, run: 'a-run' };
const LIMIT_MS = 20_000;
const isAway = (error: unknown): boolean => error instanceof AppError && error.code === 'xcom_store_unavailable';
const put = (values: RedisValues, location: string, bytes: Buffer | string = 'v'): Promise<void> => values.putValues([{ location, bytes: Buffer.from(bytes), ttlSeconds: null }], MARK);

/** A server, a store on it, and what the store reported. */
async function scene(settings: Readonly<Record<string, string>>, work: (of: { redis: TestRedis; values: RedisValues; events: Event[]; until: (name: string) => Promise<Event> }) => Promise<void>): Promise<void> {
  await using redis = await TestRedis.start(settings);
  const events: Event[] = [];
  let told: () => void = () => undefined;
  const values = await openRedisValues({ url: redis.url, installation: 'i', reporter: { report: (event) => { events.push(event); told(); } } });
  const until = (name: string): Promise<Event> => new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`never heard ${name}: ${JSON.stringify(events)}`)), LIMIT_MS);
    told = () => {
      const found = events.find((event) => `${event.event} ${'doing' in event ? event.doing : ''}`.trim() === name);
      if (found === undefined) return;
      clearTimeout(timer);
      resolve(found);
    };
    told();
  });
  try {
    assert.notEqual(await values.examine(), null);
    await work({ redis, values, events, until });
  } finally {
    await values.close();
  }
}

describe('Redis', { skip: WITHOUT_REDIS }, () => {
  it('keeps a value without expiry, or longer than its row says', () => scene({}, async ({ redis, values }) => {
    await values.putValues([{ location: 'e/1', bytes: Buffer.from('a'), ttlSeconds: null }, { location: 'e/2', bytes: Buffer.from('b'), ttlSeconds: 0.5 }], MARK);
    assert.equal(await redis.client.ttl('leoflow:i:xcom:e/1'), -1);
    const left = await redis.client.ttl('leoflow:i:xcom:e/2');
    assert.ok(left > 500 && left <= 601, String(left));
    assert.deepEqual((await values.listPending(10)).map(({ location, epoch, atMs, run }) => [location, epoch, atMs, run].join()).sort(), ['e/1,7,1234,a-run', 'e/2,7,1234,a-run']);
  }));

  it('that is killed is loud, and what it had taken is there when it is back', () => scene({}, async ({ redis, values, events, until }) => {
    await put(values, 'e/kept');
    await redis.kill();
    await until('xcom_store.unavailable connect');
    await assert.rejects(put(values, 'e/late'), isAway);
    await assert.rejects(values.readValues(['e/kept']), isAway);
    await redis.start();
    await until('xcom_store.available connect');
    assert.deepEqual((await values.readValues(['e/kept', 'e/late'])).map(String), ['v', 'null']);
    await put(values, 'e/late');
    const told = events.filter((event) => event.event.startsWith('xcom_store')).map((event) => `${event.event} ${'doing' in event ? event.doing : ''}`);
    assert.deepEqual(told.sort(), ['connect', 'read', 'write'].flatMap((doing) => [`xcom_store.available ${doing}`, `xcom_store.unavailable ${doing}`]).sort(), 'each once');
  }));

  it('that is full refuses loudly, keeps what it has, and takes values again when there is room', () => scene({ maxmemory: '6mb' }, async ({ redis, values, events, until }) => {
    const bytes = Buffer.alloc(256 * 1024, 7);
    let kept = 0;
    await assert.rejects(async () => {
      for (; kept < 100; kept += 1) await put(values, `e/${kept}`, bytes);
    }, (error: unknown) => isAway(error) && /OOM/.test(String(error)));
    assert.match(JSON.stringify(await until('xcom_store.unavailable write')), /OOM/);
    await assert.rejects(put(values, 'e/again', bytes), isAway);
    assert.equal(events.filter((event) => event.event === 'xcom_store.unavailable').length, 1, 'once');
    const names = Array.from({ length: kept }, (_, at) => `e/${at}`);
    assert.ok((await values.readValues(names)).every((value) => value?.equals(bytes) === true));
    assert.equal((await values.listPending(200)).length, kept, 'what was refused left no note');
    await redis.client.config('SET', 'maxmemory', '100mb');
    await put(values, 'e/again', bytes);
    await until('xcom_store.available write');
  }));

  it('with a policy that drops values is refused, also when it is set later, until it is mended', () => scene({}, async ({ redis, values, until }) => {
    await put(values, 'e/1');
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    assert.match((await values.examine())?.refusal ?? '', /allkeys-lru/);
    await assert.rejects(put(values, 'e/2'), isAway);
    await until('xcom_store.unavailable connect');
    assert.deepEqual((await values.readValues(['e/1'])).map(String), ['v']);
    await redis.client.config('SET', 'maxmemory-policy', 'noeviction');
    await put(values, 'e/2');
    await until('xcom_store.available connect');
  }));

  it('that may lose what it took is named once', () => scene({ appendonly: 'no', 'maxmemory-policy': 'volatile-lru' }, async ({ redis, values, events, until }) => {
    await values.examine();
    await redis.kill();
    await redis.start();
    await until('xcom_store.available connect');
    assert.equal(events.filter((event) => event.event === 'xcom_store.warning').length, 2);
  }));

  it('that hangs is given up after the time limit, and used again when it goes on', { timeout: 60_000 }, () => scene({}, async ({ redis, values }) => {
    redis.signal('SIGSTOP');
    const began = performance.now();
    try {
      await assert.rejects(put(values, 'e/1'), isAway);
      assert.ok(performance.now() - began < 15_000);
    } finally {
      redis.signal('SIGCONT');
    }
    for (;;) {
      try {
        await put(values, 'e/1');
        break;
      } catch (error) {
        assert.ok(isAway(error) && performance.now() - began < 40_000, String(error));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    assert.deepEqual((await values.readValues(['e/1'])).map(String), ['v']);
  }));

  it('with a password: its address shows up in no event and no error', async () => {
    await using redis = await TestRedis.start({ requirepass: 'right', port: '0' });
    const events: Event[] = [];
    const values = await openRedisValues({ url: `${redis.url}?password=wrong-secret`, installation: 'i', reporter: { report: (event) => void events.push(event) } });
    await values.examine();
    await assert.rejects(put(values, 'e/1'), (error: unknown) => isAway(error) && !String(error).includes('wrong-secret'));
    assert.doesNotMatch(JSON.stringify(events), /wrong-secret/);
    await values.close();
  });

  it('is looked at by doctor', async () => {
    await using redis = await TestRedis.start();
    assert.deepEqual(await examineRedis(redis.url), { refusal: null, warnings: [] });
    await redis.client.config('SET', 'maxmemory-policy', 'allkeys-random');
    assert.match((await examineRedis(redis.url)).refusal ?? '', /allkeys-random/);
    await redis.kill();
    assert.match((await examineRedis(redis.url)).refusal ?? '', /does not answer/);
  });
});

it('an address that is none is named', async () => {
  assert.match((await examineRedis('localhost:6379')).refusal ?? '', /neither redis:/);
});
