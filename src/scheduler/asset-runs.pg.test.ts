// Runs that assets trigger, on a real database: one run for the events that make a condition hold, each event taken once, whoever leads.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { WatchOrder } from '#contract/execution-api.ts';
import { makeUuidV7, type RunUuid, type TriggerId, type VersionId } from '#contract/ids.ts';
import { createReporter } from '#platform/report.ts';
import { createAssetRun, listAwaiting } from '#store/asset-queue.ts';
import { setPaused } from '#store/dags.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { addDag, dagOf, task } from '../../test/support/rows.ts';
import { createPartitionPass } from './create-partition-runs.ts';

const asset = (name: string, rest: object = {}): object => ({ __type: 'asset', name, uri: `s3://${name}`, group: 'asset', extra: {}, ...rest });
const outlet = (name: string): { name: string; uri: string } => ({ name, uri: `s3://${name}` });
const producer = (dagId: string, ...names: string[]): Dag => dagOf(dagId, [task(`make_${dagId}`, [], { outlets: names.map(outlet) })], { runtime: 'airflow' });
const consumer = (dagId: string, condition: object, more: Partial<Dag> = {}): Dag => dagOf(dagId, [task(`take_${dagId}`)], { timetable: { kind: 'assets', condition }, ...more });

const producerOf = (dagId: string, name: string): Dag => dagOf(dagId, [task(`make_${dagId}`, [], { outlets: [outlet(name)] })]);

/** One run of a producer, to its end. */
async function produce(engine: EngineUnderTest, dagId: string, events: { name: string; extra?: unknown; alias?: string }[], nth = 1): Promise<void> {
  await engine.trigger(dagId);
  await engine.finish(`make_${dagId}`, { asset_events: events.map(({ name, extra = {}, alias }) => ({ ...outlet(name), extra, ...(alias === undefined ? {} : { alias }) })) }, nth);
}

const runsOf = (engine: EngineUnderTest, dagId: string): Promise<Record<string, unknown>[]> => engine.rows("select * from dag_runs where dag_id = $1 and run_type = 'asset_triggered' order by run_after, id", [dagId]);
const consumedOf = async (engine: EngineUnderTest, run: unknown): Promise<unknown[]> => (await engine.rows('select e.extra from consumed_asset_events c join asset_events e on e.id = c.event_id where c.run = $1 order by e.id', [run])).map((row) => row['extra']);
const queued = async (engine: EngineUnderTest): Promise<unknown> => (await engine.one('select count(*)::int as n from queued_asset_events'))?.['n'];

describe('runs that assets trigger', () => {
  it('an event makes one run, without logical date and data interval, which names the event', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), consumer('c', asset('a'))]);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 1 } }]);
    const job = await engine.job('take_c');
    const [run, ...more] = await runsOf(engine, 'c');
    assert.equal(more.length, 0);
    const event = await engine.one('select at from asset_events');
    assert.deepEqual([run?.['logical_date'], run?.['data_interval_start'], run?.['data_interval_end'], run?.['triggered_by'], run?.['run_after']], [null, null, null, 'asset', event?.['at']]);
    assert.match(String(run?.['run_id']), /^asset_triggered__\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00_[0-9a-f]{8}$/);
    assert.deepEqual(await consumedOf(engine, run?.['id']), [{ n: 1 }]);
    assert.equal(await queued(engine), 0);
    await engine.report(job);
    await engine.untilRun(run?.['id'] as RunUuid, 'success');
  });

  it('runtimes without the Task SDK update what their tasks name', async () => {
    await using engine = await EngineUnderTest.open([dagOf('p', [task('make_p', [], { outlets: [outlet('a'), { name: 'al', alias: true }] })]), consumer('c', asset('a'))]);
    await engine.trigger('p');
    await engine.finish('make_p');
    await engine.job('take_c');
    assert.deepEqual(await engine.rows('select a.name, e.extra, e.source_task_id from asset_events e join assets a on a.id = e.asset_id'), [{ name: 'a', extra: {}, source_task_id: 'make_p' }]);
  });

  it('a condition of two waits for both, and takes every event of both', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), producer('q', 'b'), consumer('c', { __type: 'asset_all', objects: [asset('a'), asset('b')] }), consumer('any', { __type: 'asset_any', objects: [asset('a'), asset('b')] }, { max_active_runs: 9 })]);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 1 } }]);
    await engine.job('take_any');
    await produce(engine, 'p', [{ name: 'a', extra: { n: 2 } }], 2);
    await engine.job('take_any', 2);
    assert.deepEqual(await runsOf(engine, 'c'), []);
    await produce(engine, 'q', [{ name: 'b', extra: { n: 3 } }]);
    await engine.job('take_c');
    const runs = await runsOf(engine, 'c');
    assert.deepEqual(await consumedOf(engine, runs[0]?.['id']), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await engine.job('take_any', 3);
    const each = await Promise.all((await runsOf(engine, 'any')).map((run) => consumedOf(engine, run['id'])));
    assert.deepEqual(each, [[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
  });

  it('aliases and references count as the asset that they mean', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), consumer('by_alias', { __type: 'asset_alias', name: 'al' }), consumer('by_name', { __type: 'asset_ref', name: 'a' }), consumer('by_uri', { __type: 'asset_ref', uri: 's3://a' })]);
    await produce(engine, 'p', [{ name: 'a' }]);
    await engine.job('take_by_name');
    await engine.job('take_by_uri');
    assert.deepEqual(await runsOf(engine, 'by_alias'), []);
    await produce(engine, 'p', [{ name: 'dynamic', alias: 'al', extra: { n: 2 } }], 2);
    await engine.job('take_by_alias');
    assert.deepEqual(await consumedOf(engine, (await runsOf(engine, 'by_alias'))[0]?.['id']), [{ n: 2 }]);
  });

  it('events of a paused DAG make no run, but the next run names them; those from before the pause wait for its end', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), consumer('c', asset('a'), { is_paused_upon_creation: true })]);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 1 } }]);
    await setPaused(engine.database, ['c'], false);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 2 } }], 2);
    await engine.job('take_c');
    const runs = await runsOf(engine, 'c');
    assert.equal(runs.length, 1);
    assert.deepEqual(await consumedOf(engine, runs[0]?.['id']), [{ n: 1 }, { n: 2 }]);
  });

  it('at its max_active_runs a DAG gets none; what comes meanwhile makes one run, under another leader too', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), consumer('c', asset('a'), { max_active_runs: 1 })]);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 1 } }]);
    const first = await engine.job('take_c');
    await produce(engine, 'p', [{ name: 'a', extra: { n: 2 } }], 2);
    await produce(engine, 'p', [{ name: 'a', extra: { n: 3 } }], 3);
    await engine.kill();
    await engine.start();
    assert.equal(await queued(engine), 2);
    await engine.insist(first);
    await engine.job('take_c', 2);
    const runs = await runsOf(engine, 'c');
    assert.deepEqual(await Promise.all(runs.map((run) => consumedOf(engine, run['id']))), [[{ n: 1 }], [{ n: 2 }, { n: 3 }]]);
    assert.equal(await queued(engine), 0);
  });

  it('queued events make one run, however many try at once, and none under a former epoch', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), producer('q', 'a'), consumer('c', asset('a'), { max_active_runs: 1 })]);
    await produce(engine, 'p', [{ name: 'a' }]);
    await engine.job('take_c');
    await produce(engine, 'q', [{ name: 'a' }]);
    await engine.kill();
    const { pool, clock } = engine.database;
    // From here on the killed server's last pass, should it still be on its way, is of a former epoch.
    const epoch = Number((await engine.one('update leader set epoch = epoch + 1 returning epoch'))?.['epoch']);
    await pool.query('update dags set max_active_runs = 9');
    const [dag = assert.fail()] = await listAwaiting(pool, { limit: 10, only: null, after: '' });
    const attempt = (suffix: string, of: number): Promise<RunUuid | null> => createAssetRun(pool, of, { dag, runId: `asset_triggered__${suffix}`, nowMs: clock.nowMs() });
    assert.equal(await attempt('old', epoch - 1), null);
    assert.equal(await queued(engine), 1);
    const made = await Promise.all(['a', 'b', 'c', 'd'].map((suffix) => attempt(suffix, epoch)));
    assert.equal(made.filter((run) => run !== null).length, 1);
    assert.equal((await runsOf(engine, 'c')).length, 2);
    assert.deepEqual(await engine.rows('select event_id, count(*)::int as n from consumed_asset_events group by 1 having count(*) <> 1'), []);
  });

  it('DAGs that wait for more, however many, keep no other from its run', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), producer('q', 'c'), consumer('never', { __type: 'asset_all', objects: [asset('a'), asset('b')] }), consumer('z', asset('c'))]);
    await produce(engine, 'p', [{ name: 'a' }]);
    const { pool } = engine.database;
    const copies = ['dags', 'queued_asset_events'].map((table) => `insert into ${table} select (jsonb_populate_record(t, jsonb_build_object('dag_id', 'never' || nth))).* from ${table} t, generate_series(1, $1) nth where t.dag_id = 'never'`);
    for (const copy of copies) await pool.query(copy, [LIMITS.maxRunsPerPass]);
    await produce(engine, 'q', [{ name: 'c' }]);
    await engine.job('take_z');
    assert.equal(await queued(engine), LIMITS.maxRunsPerPass + 1, 'those that wait keep their events');
  });

  it('an asset or time schedule has both kinds of runs', async () => {
    await using engine = await EngineUnderTest.open([producer('p', 'a'), dagOf('c', [task('take_c')], { timetable: { kind: 'asset_or_time', condition: asset('a'), timetable: { kind: 'once' } } })]);
    await engine.rows("update dags set next_run_after = now() where dag_id = 'c' returning pg_notify('leoflow_dag', 'c')");
    await produce(engine, 'p', [{ name: 'a' }]);
    await engine.job('take_c', 2);
    assert.deepEqual((await engine.rows("select run_type from dag_runs where dag_id = 'c' order by run_type")).map((row) => row['run_type']), ['asset_triggered', 'scheduled']);
  });
});

describe('partitions of assets', () => {
  const partitioned = (dagId: string, ...objects: object[]): Dag => dagOf(dagId, [task(`take_${dagId}`)], { runtime: 'airflow', timetable: { kind: 'custom', class: 'airflow.timetables.simple.PartitionedAssetTimetable', data: { asset_condition: { __type: 'asset_all', objects } }, partitioned: true } });
  const producePart = async (engine: EngineUnderTest, dagId: string, key: string | null): Promise<void> => {
    const run = await engine.trigger(dagId, { afterMs: 60_000 });
    await engine.rows("update dag_runs set partition_key = $2, run_after = now() where id = $1 returning pg_notify('leoflow_run', id::text)", [run, key]);
    const nth = Number((await engine.one('select count(*)::int as n from dag_runs where dag_id = $1', [dagId]))?.['n']);
    await engine.finish(`make_${dagId}`, {}, nth);
  };
  /** The project's answer to the n-th question. */
  const reply = async (engine: EngineUnderTest, nth: number, value: unknown): Promise<unknown> => {
    // It is asked when it runs next as well.
    const questions = (): typeof engine.machine.calls => engine.machine.calls.filter(({ call }) => call.body.includes('"ask":"partition_keys"'));
    await engine.until(() => questions().length >= nth, `question ${nth}`);
    const { call, answer: give } = questions()[nth - 1] ?? assert.fail();
    give(JSON.stringify(value));
    return JSON.parse(call.body);
  };

  it('a key gets its run when all its assets have come, with their events; other keys wait', async () => {
    await using engine = await EngineUnderTest.open([producerOf('p', 'a'), producerOf('q', 'b'), partitioned('c', asset('a'), asset('b')), consumer('plain', asset('a'))]);
    await producePart(engine, 'p', '10:05');
    assert.deepEqual(await reply(engine, 1, { keys: ['10'] }), {
      ask: 'partition_keys', timetable: { __type: 'airflow.timetables.simple.PartitionedAssetTimetable', __var: { asset_condition: { __type: 'asset_all', objects: [asset('a'), asset('b')] } } }, asset: { name: 'a', uri: 's3://a' }, key: '10:05',
    });
    await producePart(engine, 'q', '11:30');
    await reply(engine, 2, { keys: ['11'] });
    // Nothing is told of what is only kept.
    const deadline = Date.now() + 8000;
    while ((await engine.rows('select 1 from partition_events')).length < 2) assert.ok(Date.now() < deadline, 'both are kept');
    assert.deepEqual(await runsOf(engine, 'c'), []);
    await engine.kill();
    await engine.start();
    await producePart(engine, 'q', '10:30');
    await reply(engine, 3, { keys: ['10'] });
    await engine.job('take_c');
    const runs = await runsOf(engine, 'c');
    assert.deepEqual(runs.map((run) => [run['partition_key'], run['triggered_by'], run['logical_date']]), [['10', 'asset', null]]);
    assert.equal((await consumedOf(engine, runs[0]?.['id'])).length, 2);
    assert.deepEqual(await engine.rows('select partition_key from partition_events'), [{ partition_key: '11' }]);
    assert.deepEqual(await runsOf(engine, 'plain'), [], 'events of partitions trigger no others');
  });

  it('one event may be of many keys; one that the mapper does not know is of none', async () => {
    await using engine = await EngineUnderTest.open([producerOf('p', 'a'), partitioned('c', asset('a'))]);
    await producePart(engine, 'p', 'bad');
    await reply(engine, 1, { error: { type: 'ValueError', message: 'no date', traceback: '…' } });
    await engine.until(() => engine.events.some((event) => event.event === 'failure' && event.error.includes('belongs to no key')), 'people are told');
    await producePart(engine, 'p', 'day');
    await reply(engine, 2, { keys: ['m', 'n', 'm'] });
    await engine.job('take_c', 2);
    assert.deepEqual((await runsOf(engine, 'c')).map((run) => String(run['partition_key'])).toSorted((a, b) => a.localeCompare(b)), ['m', 'n']);
    assert.equal(await queued(engine), 0);
  });

  it('a project that cannot be asked is asked once in a pass, and holds up no other however much has come for it', async () => {
    await using engine = await EngineUnderTest.open([producerOf('p', 'a'), partitioned('c', asset('a'))]);
    await producePart(engine, 'p', 'k0');
    await engine.until(() => engine.machine.calls.length > 0, 'the project is asked');
    await engine.kill();
    const { database, versions } = engine;
    const copy = "jsonb_build_object('id', 1000 + nth, 'partition_key', 'k' || nth)";
    await database.pool.query(`insert into asset_events overriding system value select (jsonb_populate_record(e, ${copy})).* from asset_events e, generate_series(1, $1) nth`, [LIMITS.maxRunsPerPass]);
    await database.pool.query("insert into queued_asset_events (dag_id, asset_id, event_id, at) select 'c', asset_id, id, at from asset_events where id > 1000");
    versions.set('d', (await addDag(database, partitioned('d', asset('a')))) as VersionId);
    await database.pool.query("insert into queued_asset_events (dag_id, asset_id, event_id, at) select 'd', asset_id, id, at from asset_events order by id desc limit 1");
    const asked: VersionId[] = [];
    const pass = createPartitionPass({
      database, clock: database.clock, epoch: Number((await engine.one('select epoch from leader'))?.['epoch']), reporter: createReporter('error', () => undefined), onCreated: () => undefined,
      dagOf: (version) => Promise.resolve(partitioned(version === versions.get('c') ? 'c' : 'd', asset('a'))),
      executor: {
        call: (version) => {
          asked.push(version);
          return version === versions.get('c') ? Promise.reject(new AppError('call_failed', 'its fork server is gone')) : Promise.resolve('{"keys":["x"]}');
        },
      },
    });
    assert.equal(await pass(null), 1);
    assert.deepEqual(asked, [versions.get('c'), versions.get('d')]);
    assert.deepEqual((await runsOf(engine, 'd')).map((run) => run['partition_key']), ['x']);
    assert.equal(await queued(engine), LIMITS.maxRunsPerPass + 1, 'what has come for the other stays');
  });
});

const WATCHER = { name: 'w', trigger: { classpath: 'm.T', kwargs: { path: '/x' } } };

describe('watchers of assets', () => {
  const never = new AbortController().signal;
  const watch = async (engine: EngineUnderTest, dagId: string, running: TriggerId[] = []): Promise<{ create: readonly WatchOrder[]; cancel: readonly TriggerId[] }> => {
    const { create, cancel } = await engine.scheduler.watchTriggers({ fork_server: engine.versions.get(dagId) ?? '', pid: 7, running }, never);
    return { create: create.map((order) => ('watches' in order ? order : assert.fail())), cancel };
  };

  it('the first unpaused DAG’s host runs the trigger, and every event is an event of the asset, told once or often', async () => {
    const condition = asset('a', { watchers: [WATCHER] });
    await using engine = await EngineUnderTest.open([consumer('c', condition, { max_active_runs: 9 }), consumer('d', condition, { max_active_runs: 9 })]);
    const { create: [order = assert.fail()] } = await watch(engine, 'c');
    assert.deepEqual({ ...order, id: '', token: '' }, { id: '', token: '', classpath: 'm.T', kwargs: '{"path":"/x"}', dag_id: 'c', watches: 'a' });
    assert.ok(!engine.machine.hosted.has(engine.versions.get('d') ?? assert.fail()));
    const event = { trigger_id: order.id, kind: 'event' as const, payload: '1.0', told_id: makeUuidV7(1) };
    assert.deepEqual(await engine.scheduler.takeTriggerEvents('f', [event, event]), [{ trigger_id: order.id, kind: 'recorded' }, { trigger_id: order.id, kind: 'recorded' }]);
    await engine.job('take_c');
    await engine.job('take_d');
    await engine.kill();
    await engine.start();
    await engine.scheduler.takeTriggerEvents('f', [event, { ...event, told_id: makeUuidV7(2) }]);
    await engine.job('take_c', 2);
    assert.deepEqual(await engine.rows('select extra::text from asset_events order by id'), [{ extra: '{"from_trigger":true,"payload":1.0}' }, { extra: '{"from_trigger":true,"payload":1.0}' }]);
    assert.deepEqual([(await runsOf(engine, 'c')).length, (await runsOf(engine, 'd')).length], [2, 2]);
    const caller = await engine.scheduler.identify(`${order.id}.${order.token}`);
    assert.deepEqual([caller.kind, caller.dagId, caller.versionId], ['callback', 'c', engine.versions.get('c')]);
  });

  it('an event that the database refuses is told and holds up no other', async () => {
    await using engine = await EngineUnderTest.open([consumer('c', asset('a', { watchers: [WATCHER] }), { max_active_runs: 9 })]);
    const { create: [order = assert.fail()] } = await watch(engine, 'c');
    const events = ['1', '"a\\u0000b"', '3', '4'].map((payload, n) => ({ trigger_id: order.id, kind: 'event' as const, payload, told_id: makeUuidV7(n) }));
    assert.deepEqual((await engine.scheduler.takeTriggerEvents('f', events)).map(({ kind }) => kind), ['recorded', 'stale', 'recorded', 'recorded']);
    assert.deepEqual((await engine.rows("select (extra -> 'payload')::text as payload from asset_events order by 1")).map((row) => row['payload']), ['1', '3', '4']);
    const [failure, ...more] = engine.events.flatMap((event) => (event.event === 'failure' && event.where.startsWith('watcher') ? [`${event.where}: ${event.error}`] : []));
    assert.match(failure ?? '', /^watcher of the asset a in c: what it brought could not be stored: .*Unicode/);
    assert.deepEqual(more, []);
  });

  it('a pause hands the trigger to the next DAG, or ends it; what it tells then is not wanted any more', async () => {
    const condition = asset('a', { watchers: [WATCHER] });
    await using engine = await EngineUnderTest.open([consumer('c', condition), consumer('d', condition)]);
    const { create: [order = assert.fail()] } = await watch(engine, 'c');
    const over = watch(engine, 'c', [order.id]);
    await setPaused(engine.database, ['c'], true);
    assert.deepEqual((await over).cancel, [order.id]);
    assert.deepEqual(await engine.scheduler.takeTriggerEvents('f', [{ trigger_id: order.id, kind: 'event', payload: '1', told_id: makeUuidV7(1) }]), [{ trigger_id: order.id, kind: 'stale' }]);
    assert.equal((await watch(engine, 'd')).create.length, 1);
    assert.equal((await engine.one('select count(*)::int as n from asset_events'))?.['n'], 0);
  });
});
