// Runs that assets trigger cost what they take: beside 20,000 events, 5,000 runs that assets made and 3,000 DAGs that wait for them no statement reads what is over.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import { makeUuidV7 } from '#contract/ids.ts';
import type { Database } from '#store/database.ts';
import { EngineUnderTest } from '../support/engine.ts';
import { addDag, dagOf, task } from '../support/rows.ts';
import { capturePlans } from './captured-plans.ts';

const ASSETS = ['assets', 'asset_events', 'asset_aliases', 'asset_alias_assets', 'dag_asset_references', 'task_asset_references', 'queued_asset_events', 'consumed_asset_events', 'partition_events', 'asset_watchers', 'dags', 'dag_runs'];
/** Statements of the tables of assets; who reads them all, and why. */
const NAMES = /^store\/(asset-|partition-|rare-parts|task-attempts)/;
const READS_ALL: Readonly<Record<string, string>> = { 'store/asset-watchers.list': 'watchers of all DAGs, of which there are few' };
const MOST_ROWS = 60;

const named = (name: string, more: object = {}): object => ({ __type: 'asset', name, uri: `s3://${name}`, group: 'asset', extra: {}, ...more });
const waiting = (dagId: string, ...objects: object[]): Dag => dagOf(dagId, [task(`take_${dagId}`)], { timetable: { kind: 'assets', condition: { __type: 'asset_all', objects } }, max_active_runs: 9 });
const partitioned = dagOf('parts', [task('take_parts')], { runtime: 'airflow', timetable: { kind: 'custom', class: 'm.P', data: { asset_condition: named('a') }, partitioned: true } });
const watched = named('w', { watchers: [{ name: 'x', trigger: { classpath: 'm.T', kwargs: {} } }] });

/** Events that a DAG has taken, thousands that one whose condition never holds has queued, and thousands of DAGs that wait for other assets. */
async function fill(database: Database): Promise<void> {
  const client = await database.pool.connect();
  try {
    for (const text of ['set auto_explain.log_min_duration = -1', 'set session_replication_role = replica', 'set synchronous_commit = off',
      "insert into assets (name, uri, active) select 'other' || n, 's3://other' || n, true from generate_series(1, 3000) n",
      "insert into dags (dag_id, display_name, fileloc, is_paused, version_id) select 'd' || n, 'x', 'x', false, (select version_id from dags where dag_id = 'c') from generate_series(1, 3000) n",
      "insert into dag_asset_references (dag_id, kind, name, uri, asset_id) select 'd' || n, 'asset', 'other' || n, 's3://other' || n, (select id from assets where name = 'other' || n) from generate_series(1, 3000) n",
      "insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, run_after, triggered_by) select gen_random_uuid(), 'c', 'old' || n, 'asset_triggered', 'success', true, (select version_id from dags where dag_id = 'c'), timestamptz '2025-01-01Z' + n * interval '1 hour', 'asset' from generate_series(1, 5000) n",
      "insert into asset_events (asset_id, aliases, at) select (select id from assets where name = 'a'), array['al'], timestamptz '2025-01-01Z' + n * interval '15 minutes' from generate_series(1, 20000) n",
      "insert into consumed_asset_events (run, event_id) select r.id, e.id from dag_runs r join asset_events e on e.at = r.run_after where r.dag_id = 'c'",
      "insert into queued_asset_events (dag_id, asset_id, event_id, at) select 'never', asset_id, id, at from asset_events order by id limit 10000",
      "insert into partition_events (dag_id, partition_key, asset_id, event_id) select 'parts', 'k' || e.id, asset_id, id from asset_events e order by id limit 10000",
      'analyze', 'reset session_replication_role', 'reset synchronous_commit', 'set auto_explain.log_min_duration = 0']) await client.query(text);
  } finally {
    client.release();
  }
}

/** A run for a partition, whose event the project's mapper takes to a key of its own. */
async function playPartition(engine: EngineUnderTest): Promise<void> {
  const run = await engine.trigger('p', { afterMs: 60_000 });
  await engine.rows("update dag_runs set partition_key = 'k', run_after = now() where id = $1 returning pg_notify('leoflow_run', id::text)", [run]);
  await engine.finish('make', { asset_events: [{ name: 'a', uri: 's3://a', extra: {} }] }, 8);
  const question = (): (typeof engine.machine.calls)[number] | undefined => engine.machine.calls.find(({ call }) => call.body.includes('"ask":"partition_keys"'));
  await engine.until(() => question() !== undefined, 'the mapper is asked');
  question()?.answer('{"keys":["k7"]}');
  await engine.finish('take_parts');
}

describe('plans of assets', { timeout: 110_000 }, () => {
  const capture = capturePlans(ASSETS);
  after(() => capture.end());

  it('no statement reads the events and runs that are over', async (test) => {
    const producer = dagOf('p', [task('make', [], { outlets: [{ name: 'a', uri: 's3://a' }] })], { runtime: 'airflow' });
    await using engine = await EngineUnderTest.open([producer, waiting('c', named('a')), waiting('never', named('a'), named('b')), waiting('w', watched), waiting('l', { __type: 'asset_alias', name: 'al' }), waiting('n', { __type: 'asset_ref', name: 'a' }), partitioned]);
    await fill(engine.database);
    await engine.kill();
    capture.take();
    await engine.start();
    // More than five times: then PostgreSQL may go over to a plan that fits any value.
    for (let nth = 1; nth <= 7; nth += 1) {
      await engine.trigger('p');
      await engine.finish('make', { asset_events: [{ name: 'a', uri: 's3://a', extra: {} }, { name: 'new', uri: 's3://new', extra: {}, alias: 'al' }] }, nth);
      for (const dagId of ['c', 'l', 'n']) await engine.finish(`take_${dagId}`, {}, nth);
      await addDag(engine.database, { ...waiting('c', named('a')), description: String(nth) });
    }
    await playPartition(engine);
    const { create: [order = assert.fail()] } = await engine.scheduler.watchTriggers({ fork_server: engine.versions.get('w') ?? '', pid: 1, running: [] }, new AbortController().signal);
    await engine.scheduler.takeTriggerEvents('f', [{ trigger_id: order.id, kind: 'event', payload: '1', told_id: makeUuidV7(1) }]);
    await engine.finish('take_w');
    const plans = capture.take().filter(({ name }) => NAMES.test(name));
    const worst = new Map<string, (typeof plans)[number]>();
    for (const plan of plans) if (plan.rowsRead >= (worst.get(plan.name)?.rowsRead ?? 0)) worst.set(plan.name, plan);
    for (const [name, { rowsRead, pages }] of worst) test.diagnostic(`${name}: at most ${rowsRead} rows and ${pages} pages`);
    for (const name of ['store/asset-queue.listAwaiting', 'store/asset-queue.createAssetRun', 'store/asset-watchers.record', 'store/partition-queue.listArrivals', 'store/partition-queue.listGathered', 'store/partition-queue.place', 'store/asset-registration.activate']) assert.ok(worst.has(name), name);
    const wrong = plans.filter(({ name, rowsRead }) => READS_ALL[name] === undefined && rowsRead > MOST_ROWS);
    assert.deepEqual([...new Set(wrong.map(({ name, rowsRead, scanned, text }) => `${name}: ${rowsRead} rows, scans ${scanned.join(', ')}\n${text.slice(0, 200)}`))], []);
  });
});
