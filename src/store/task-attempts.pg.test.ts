// moveTask: all of a batch or nothing, only from the state named, only under the epoch in force.
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { makeUuidV7 } from '#contract/ids.ts';
import type { Database } from './database.ts';
import { testDatabase } from '../../test/support/database.ts';
import { addDag, addInstance, addRun, dagOf, task } from '../../test/support/rows.ts';
import { emptyBatch, type ExecutionStart, type InstanceMove, type InstanceState, type MoveBatch, moveTask, type NewInstance } from './task-attempts.ts';
import type { AssetEventWrite, TriggerWrite } from './rare-parts.ts';

let database: Database;
const EPOCH = 7;

before(async () => {
  database = await testDatabase();
  await addDag(database, dagOf('d', [task('a'), task('b')]));
  await database.pool.query('update leader set epoch = $1', [EPOCH]);
});

let runs = 0;
async function seed(): Promise<{ run: string; execution: string | null; attempt: string | null }> {
  runs += 1;
  const run = await addRun(database, { dagId: 'd', runId: `r${runs}` });
  return { run, ...(await addInstance(database, { run, taskId: 'a', state: 'running' })) };
}

function row(state: InstanceState['state'], more: Partial<InstanceState> = {}): InstanceState {
  return {
    mapIndex: -1, state, finished: state === 'success' || state === 'failed', attemptId: null, executionId: null, tryNumber: 1, maxTries: 0, infraFailures: 0, scheduledAt: null, startDate: null, endDate: null,
    wakeAt: null, skips: null, cause: null, reason: null, hostname: null, pid: null, renderedMapIndex: null, ...more,
  };
}

const move = (run: string, from: InstanceState['state'], execution: string | null, to: InstanceState): InstanceMove => ({ run, taskId: 'a', fromIndex: -1, fromState: from, fromExecution: execution, row: to });
const created = (run: string, taskId: string): NewInstance => ({ ...row(null), run, taskId, operator: 'X', pool: 'default_pool', poolSlots: 1, queue: 'default', priorityWeight: 1 });
const started = (run: string, id: string): ExecutionStart => ({ id, attemptId: makeUuidV7(0), run, state: 'running', executor: 'process', host: 'h', handle: 'f', pid: 1, tokenHash: Buffer.alloc(32).toString('base64'), startedAt: 0 });
const batch = (more: Partial<MoveBatch>): MoveBatch => ({ ...emptyBatch(), ...more });
const send = (more: Partial<MoveBatch>, epoch: number | null = EPOCH) => moveTask(database.pool, epoch, batch(more));

async function stateOf(run: string, taskId = 'a'): Promise<unknown> {
  return (await database.pool.query<{ state: string | null }>('select state from task_instances where run = $1 and task_id = $2', [run, taskId])).rows[0]?.state;
}

describe('moveTask', () => {
  it('moves what is as expected', async () => {
    const { run, execution } = await seed();
    assert.deepEqual(await send({ instances: [move(run, 'running', execution, row('success', { endDate: 5000 }))], ended: [{ id: execution ?? '', state: 'success', endedAt: 5000, exitCode: 0, signal: null, cause: null }] }), { kind: 'moved' });
    assert.equal(await stateOf(run), 'success');
    assert.deepEqual((await database.pool.query('select ended, extract(epoch from ended_at)::int as at from executions where id = $1', [execution])).rows, [{ ended: true, at: 5 }]);
  });

  it('a wrong state, a wrong execution or a wrong index writes nothing', async () => {
    const { run, execution } = await seed();
    for (const one of [move(run, 'scheduled', execution, row('failed')), move(run, 'running', null, row('failed')), move(run, 'running', makeUuidV7(0), row('failed')), { ...move(run, 'running', execution, row('failed')), fromIndex: 0 }]) {
      assert.deepEqual(await send({ instances: [one] }), { kind: 'stale' });
    }
    assert.equal(await stateOf(run), 'running');
  });

  it('nothing is a state like any other', async () => {
    const { run } = await seed();
    await addInstance(database, { run, taskId: 'b' });
    assert.deepEqual(await send({ instances: [{ ...move(run, null, null, row('scheduled')), taskId: 'b' }] }), { kind: 'moved' });
    assert.deepEqual(await send({ instances: [{ ...move(run, null, null, row('scheduled')), taskId: 'b' }] }), { kind: 'stale' });
  });

  it('one miss undoes everything else of the batch', async () => {
    const [good, bad] = [await seed(), await seed()];
    const id = makeUuidV7<string>(0);
    const result = await send({
      runs: [{ id: good.run, from: 'running', state: 'success', startDate: 0, endDate: 1 }], newInstances: [created(good.run, 'b')], started: [started(good.run, id)],
      instances: [move(good.run, 'running', good.execution, row('success')), move(bad.run, 'scheduled', null, row('running'))],
      xcoms: [{ run: good.run, taskId: 'a', mapIndex: -1, key: 'k', attemptId: good.attempt ?? '', value: '', sha256: '', sizeBytes: 0, mappedLength: null, location: null, ttlSeconds: null }],
      events: [{ run: good.run, taskId: 'a', mapIndex: -1, attemptId: null, executionId: null, from: 'running', to: 'success', at: 0, cause: null, detail: null }],
    });
    assert.deepEqual(result, { kind: 'stale' });
    assert.equal(await stateOf(good.run), 'running');
    for (const [table, column] of [['xcoms', 'run'], ['attempt_events', 'run']]) assert.equal((await database.pool.query(`select 1 from ${table} where ${column} = $1`, [good.run])).rowCount, 0, table);
    assert.equal((await database.pool.query('select 1 from executions where id = $1', [id])).rowCount, 0);
    assert.equal((await database.pool.query("select 1 from dag_runs where id = $1 and state = 'running'", [good.run])).rowCount, 1);
  });

  it('a closed execution is not closed again; a row that is there is not made again', async () => {
    const { run, execution } = await seed();
    const end = { id: execution ?? '', state: 'lost' as const, endedAt: 0, exitCode: null, signal: null, cause: 'lost' as const };
    assert.deepEqual(await send({ ended: [end] }), { kind: 'moved' });
    assert.deepEqual(await send({ ended: [end] }), { kind: 'stale' });
    assert.deepEqual(await send({ newInstances: [created(run, 'a')] }), { kind: 'stale' });
    const id = makeUuidV7<string>(0);
    assert.deepEqual(await send({ started: [started(run, id)] }), { kind: 'moved' });
    assert.deepEqual(await send({ started: [started(run, id)] }), { kind: 'stale' });
  });

  it('an epoch that is not in force writes nothing, older or newer; a person has none', async () => {
    const { run, execution } = await seed();
    for (const epoch of [EPOCH - 1, EPOCH + 1]) assert.deepEqual(await send({ instances: [move(run, 'running', execution, row('failed'))] }, epoch), { kind: 'stale' });
    assert.equal(await stateOf(run), 'running');
    assert.deepEqual(await send({ instances: [move(run, 'running', execution, row('failed'))] }, null), { kind: 'moved' });
  });

  it('a raise of the epoch waits for a write under the old one, and no write slips in behind it', async () => {
    const { run, execution } = await seed();
    const writer = await database.pool.connect();
    const raiser = await database.pool.connect();
    try {
      await writer.query('begin');
      assert.deepEqual(await moveTask(writer, EPOCH, batch({ instances: [move(run, 'running', execution, row('success'))] })), { kind: 'moved' });
      let isRaised = false;
      const raised = raiser.query('update leader set epoch = epoch + 1').then(() => void (isRaised = true));
      // Another statement's round trip: by then the raise would be through if it did not wait.
      await database.pool.query('select pg_sleep(0.05)');
      assert.equal(isRaised, false);
      await writer.query('commit');
      await raised;
      assert.deepEqual(await send({ instances: [move(run, 'success', null, row('failed'))] }), { kind: 'stale' });
    } finally {
      writer.release();
      raiser.release();
      await database.pool.query('update leader set epoch = $1', [EPOCH]);
    }
  });

  it('a value that PostgreSQL cannot hold is an error, not a miss', async () => {
    const { run, execution } = await seed();
    await assert.rejects(send({ instances: [move(run, 'running', execution, row('failed', { reason: 'a\u0000b' }))] }), (error: unknown) => error instanceof Error && 'code' in error && error.code === '22P05');
  });

  it('expansion turns row −1 into index 0 beside the new ones', async () => {
    const { run } = await seed();
    await addInstance(database, { run, taskId: 'b' });
    assert.deepEqual(await send({ instances: [{ run, taskId: 'b', fromIndex: -1, fromState: null, fromExecution: null, row: row(null, { mapIndex: 0 }) }], newInstances: [{ ...created(run, 'b'), mapIndex: 1 }, { ...created(run, 'b'), mapIndex: 2 }] }), { kind: 'moved' });
    assert.deepEqual((await database.pool.query("select map_index from task_instances where run = $1 and task_id = 'b' order by 1", [run])).rows, [{ map_index: 0 }, { map_index: 1 }, { map_index: 2 }]);
  });
});

describe('waits for triggers', () => {
  const wait = (run: string, id: string, attempt: string | null): TriggerWrite => ({
    id, run, taskId: 'a', mapIndex: -1, attemptId: attempt ?? '', executionId: null, classpath: 'm.T', kwargs: '{"n": 12345678901234567890}', nextMethod: 'go', nextKwargs: '{}', queue: null,
    resumed: false, timeoutAt: 9000, createdAt: 1000,
  });
  const stored = async (id: string): Promise<unknown> => (await database.pool.query('select kwargs, next_method, resumed, extract(epoch from timeout_at)::int as until from triggers where id = $1', [id])).rows[0];

  it('begin, are over once, and go', async () => {
    const { run, execution, attempt } = await seed();
    const id = makeUuidV7<string>(0);
    assert.deepEqual(await send({ instances: [move(run, 'running', execution, row('deferred'))], waits: [wait(run, id, attempt)] }), { kind: 'moved' });
    assert.deepEqual(await stored(id), { kwargs: '{"n": 12345678901234567890}', next_method: 'go', resumed: false, until: 9 });
    const event = { resumed: [{ id, nextMethod: 'go', nextKwargs: '{"event":1}' }] };
    assert.deepEqual(await send({ ...event, instances: [move(run, 'deferred', null, row('scheduled'))] }), { kind: 'moved' });
    assert.deepEqual(await send(event), { kind: 'stale' }, 'told again');
    assert.deepEqual(await send({ dropped: [{ id }] }, EPOCH - 1), { kind: 'stale' }, 'of a leader before');
    assert.deepEqual(await send({ dropped: [{ id }] }), { kind: 'moved' });
    assert.deepEqual(await send({ dropped: [{ id }] }), { kind: 'stale' });
  });

  it('an event whose instance has moved on changes nothing', async () => {
    const { run, attempt } = await seed();
    const id = makeUuidV7<string>(0);
    await send({ waits: [wait(run, id, attempt)] });
    assert.deepEqual(await send({ resumed: [{ id, nextMethod: 'x', nextKwargs: '{}' }], instances: [move(run, 'deferred', null, row('scheduled'))] }), { kind: 'stale' });
    assert.deepEqual(await stored(id), { kwargs: '{"n": 12345678901234567890}', next_method: 'go', resumed: false, until: 9 });
  });
});

describe('events of assets', () => {
  it('name assets that are there or become so, and the aliases that they came through', async () => {
    const { run } = await seed();
    const event = (name: string, more: Partial<AssetEventWrite> = {}): AssetEventWrite => ({ name, uri: `s3://${name}`, group: 'asset', extra: '{"n":1}', assetExtra: '{}', aliases: [], run, taskId: 'a', mapIndex: -1, tryNumber: 1, at: 5000, ...more });
    assert.deepEqual(await send({ assetEvents: [event('x'), event('x', { extra: '{"n":2}', aliases: ['one', 'two'] }), event('y', { assetExtra: '{"of":"y"}' })] }), { kind: 'moved' });
    assert.deepEqual(await send({ assetEvents: [event('y', { assetExtra: '{"of":"another"}' })] }), { kind: 'moved' });
    const { rows } = await database.pool.query(`select a.name, a.uri, a.extra as of, e.extra, e.aliases, e.source_dag_id, e.source_run_id, e.source_task_id from asset_events e join assets a on a.id = e.asset_id order by e.id`);
    const source = { source_dag_id: 'd', source_run_id: `r${runs}`, source_task_id: 'a' };
    assert.deepEqual(rows.sort((a: { name: string; extra: { n: number } }, b: { name: string; extra: { n: number } }) => a.name.localeCompare(b.name) || a.extra.n - b.extra.n), [
      { name: 'x', uri: 's3://x', of: {}, extra: { n: 1 }, aliases: [], ...source }, { name: 'x', uri: 's3://x', of: {}, extra: { n: 2 }, aliases: ['one', 'two'], ...source },
      { name: 'y', uri: 's3://y', of: { of: 'y' }, extra: { n: 1 }, aliases: [], ...source }, { name: 'y', uri: 's3://y', of: { of: 'y' }, extra: { n: 1 }, aliases: [], ...source },
    ]);
    const links = await database.pool.query('select l.name as alias, a.name from asset_alias_assets x join asset_aliases l on l.id = x.alias_id join assets a on a.id = x.asset_id order by l.name');
    assert.deepEqual(links.rows, [{ alias: 'one', name: 'x' }, { alias: 'two', name: 'x' }]);
  });

  it('a batch that misses registers none', async () => {
    const { run } = await seed();
    const missing = { name: 'z', uri: 'z', group: 'asset', extra: '{}', assetExtra: '{}', aliases: [], run, taskId: 'a', mapIndex: -1, tryNumber: 1, at: 0 };
    assert.deepEqual(await send({ assetEvents: [missing], instances: [move(run, 'scheduled', null, row('success'))] }), { kind: 'stale' });
    assert.deepEqual((await database.pool.query("select 1 from assets where name = 'z'")).rows, []);
  });
});
