// XCom bytes in a real Redis pass the suite of all places.
import { after, before } from 'node:test';
import { readInstallation } from '#store/dead-values.ts';
import { openRedisValues } from '#xcom/redis-values.ts';
import { TestRedis, WITHOUT_REDIS } from '../support/redis.ts';
import { valueConformance } from '../support/value-conformance.ts';

let redis: TestRedis;
before(async () => {
  if (WITHOUT_REDIS === false) redis = await TestRedis.start();
});
after(() => redis?.[Symbol.asyncDispose]());

valueConformance('Redis', async (database) => {
  // Clones of one template: as with any copy, each must become an installation of its own.
  await database.pool.query('update leader set installation = gen_random_uuid()');
  const installation = await readInstallation(database.pool);
  const store = await openRedisValues({ url: redis.url, installation, reporter: { report: () => undefined } });
  await store.examine();
  const keys = (): Promise<string[]> => redis.client.keys(`leoflow:${installation}:xcom:*`);
  return {
    store,
    lose: async () => void (await redis.client.flushall()),
    spoil: async () => {
      for (const key of await keys()) await redis.client.set(key, '2');
    },
    count: async () => (await keys()).length,
    [Symbol.asyncDispose]: () => store.close(),
  };
}, WITHOUT_REDIS);
