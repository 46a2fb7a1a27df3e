// Reports whose values lie outside PostgreSQL: nothing is recorded without its bytes, and no task runs again because they could not be kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { readEpoch } from '#store/leader.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { MemoryValues } from '../../test/support/memory-values.ts';
import { dagOf, task } from '../../test/support/rows.ts';
import { sweepValues } from './sweep-values.ts';

const CHAIN = dagOf('d', [task('a'), task('b', ['a'])]);
/** Longer than what travels with a job. */
const LONG = 'x'.repeat(20_000);

const hasCode = (code: string) => (error: unknown): boolean => error instanceof AppError && error.code === code;

test('a report is recorded only when its values are kept, and the task does not run again for it', async () => {
  const values = new MemoryValues();
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  const run = await engine.trigger('d');
  const job = await engine.job('a');
  values.isAway = true;
  for (let time = 0; time < 3; time += 1) await assert.rejects(engine.report(job, { xcoms: { return_value: LONG } }), hasCode('xcom_store_unavailable'));
  assert.equal((await engine.instance(run, 'a'))['state'], 'running');
  assert.equal((await engine.rows('select 1 from xcoms')).length, 0);
  values.isAway = false;
  assert.deepEqual(await engine.report(job, { xcoms: { return_value: LONG } }), { kind: 'recorded' });
  const next = await engine.job('b');
  assert.equal(await engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), JSON.stringify(LONG));
  await engine.report(next);
  await engine.untilRun(run, 'success');
  assert.deepEqual(engine.machine.jobs.map((spec) => spec.task_id), ['a', 'b']);
  assert.deepEqual(await engine.rows('select store, location is not null as is_outside, (select count(*)::int from xcom_values) as inside from xcoms'), [{ store: 'redis', is_outside: true, inside: 0 }]);
  assert.deepEqual([values.bytes.size, values.pending.size], [1, 0]);
});

test('a report without values needs no store', async () => {
  const values = new MemoryValues();
  values.isAway = true;
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  const run = await engine.trigger('d');
  await engine.finish('a');
  await engine.finish('b');
  await engine.untilRun(run, 'success');
});

test('a value that was lost between two tasks is xcom_lost, and a store that is away is not', async () => {
  const values = new MemoryValues();
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  await engine.trigger('d');
  await engine.finish('a', { xcoms: { return_value: LONG } });
  const next = await engine.job('b');
  const ask = (): Promise<string | null> => engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 });
  values.isAway = true;
  await assert.rejects(ask(), hasCode('xcom_store_unavailable'));
  values.isAway = false;
  values.bytes.clear();
  await assert.rejects(ask(), hasCode('xcom_lost'));
});

test('a value with a time to live is not kept in memory beside its row', async () => {
  const values = new MemoryValues();
  await using engine = await EngineUnderTest.open([{ ...CHAIN, xcom: { ttl_seconds: 60 } }], {}, values);
  await engine.trigger('d');
  await engine.finish('a', { xcoms: { return_value: 1 } });
  const next = await engine.job('b');
  await engine.rows("update xcoms set expires_at = clock_timestamp() - interval '1 s'");
  await assert.rejects(engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), hasCode('xcom_lost'));
});

test('what a dead execution left behind waits for the store, and keeps no take-over waiting', async () => {
  const values = new MemoryValues();
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  const run = await engine.trigger('d');
  const job = await engine.job('a');
  values.isAway = true;
  engine.leave(job, { xcoms: { return_value: 'kept' } });
  engine.executor.kill(job);
  await engine.kill();
  await engine.start();
  assert.equal((await engine.instance(run, 'a'))['state'], 'running');
  values.isAway = false;
  const next = await engine.job('b');
  assert.equal(await engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), '"kept"');
  assert.deepEqual(engine.machine.jobs.map((spec) => spec.task_id), ['a', 'b'], 'finished work is not done again');
});

test('a leader that dies after the commit and before its word about it: the value stays', async () => {
  const values = new MemoryValues();
  values.isDeaf = true;
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  await engine.trigger('d');
  await engine.finish('a', { xcoms: { return_value: LONG } });
  assert.equal(values.pending.size, 1);
  await engine.kill();
  await engine.start();
  const next = await engine.job('b');
  assert.equal(await engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), JSON.stringify(LONG));
});

test('a value whose commit was held up for long is put again before a row names it', async () => {
  const values = new MemoryValues();
  await using engine = await EngineUnderTest.open([CHAIN], {}, values);
  const { pool, clock } = engine.database;
  const run = await engine.trigger('d');
  const job = await engine.job('a');
  engine.leave(job, { xcoms: { return_value: LONG } });
  const blocker = await pool.connect();
  try {
    const put = values.putValues.bind(values);
    const isHeld = new Promise<void>((resolve) => {
      values.putValues = async (...given) => {
        values.putValues = put;
        await put(...given);
        // Its run is read again, and that takes longer than a mark is trusted.
        await blocker.query('begin; lock table task_instances in access exclusive mode');
        await pool.query("select pg_notify('leoflow_run', $1)", [run]);
        while ((await pool.query("select 1 from pg_locks where not granted and relation = 'task_instances'::regclass")).rowCount === 0);
        resolve();
      };
    });
    engine.executor.kill(job);
    await isHeld;
    clock.adjust(clock.nowMs() + 700_000, performance.now(), performance.now());
    await sweepValues({ database: engine.database, values, epoch: await readEpoch(pool) });
    assert.equal(values.bytes.size, 0, 'the sweep takes it for one that nobody will name');
  } finally {
    await blocker.query('commit');
    blocker.release();
  }
  const next = await engine.job('b');
  assert.equal(await engine.scheduler.findXCom(next.token, next.execution_id, { task_id: 'a', key: 'return_value', map_index: -1 }), JSON.stringify(LONG));
});
