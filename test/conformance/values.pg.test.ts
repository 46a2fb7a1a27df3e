// The places of XCom bytes that need nothing but PostgreSQL: PostgreSQL itself, and the store in memory that tests use.
import { MemoryValues } from '../support/memory-values.ts';
import { valueConformance } from '../support/value-conformance.ts';

valueConformance('PostgreSQL', (database) => Promise.resolve({
  store: null,
  lose: async () => void (await database.pool.query('delete from xcom_values')),
  spoil: async () => void (await database.pool.query("update xcom_values set value = '2'")),
  count: async () => (await database.pool.query('select 1 from xcom_values')).rowCount ?? 0,
  [Symbol.asyncDispose]: () => Promise.resolve(),
}));

valueConformance('memory', () => {
  const store = new MemoryValues();
  return Promise.resolve({
    store,
    lose: () => Promise.resolve(store.bytes.clear()),
    spoil: () => Promise.resolve([...store.bytes.keys()].forEach((location) => store.bytes.set(location, Buffer.from('2')))),
    count: () => Promise.resolve(store.bytes.size),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
