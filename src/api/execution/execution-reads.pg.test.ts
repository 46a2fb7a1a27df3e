// What tasks are answered from the database: runs, task instances, XComs, assets, questions.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { AttemptId, RunUuid, VersionId } from '#contract/ids.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { testDatabase } from '../../../test/support/database.ts';
import { type Asking, callerOf, StandInService } from '../../../test/support/execution-service.ts';
import { NO_SECRETS } from '../../../test/support/no-secrets.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../../../test/support/rows.ts';
import { createExecutionApi } from './serve-execution.ts';

const service = new StandInService();
let database: Database;
let run: string;
let attempt: string;

async function ask(line: string, how: Asking = {}): Promise<{ readonly status: number; readonly json: unknown; readonly text: string | null; readonly headers: Readonly<Record<string, string>> }> {
  const api = createExecutionApi({ service, database, values: null, secrets: NO_SECRETS, config: readConfig({}, {}), reporter: createReporter('error', () => undefined) });
  const [method = '', url = ''] = line.split(' ');
  const [path = '', query = ''] = url.split('?');
  const body = how.raw ?? (how.body === undefined ? '' : JSON.stringify(how.body));
  const answer = await api.handle({ method, path, query, headers: { authorization: `Bearer ${how.bearer ?? 'e.token'}`, ...how.headers }, body: Buffer.from(body) });
  return { ...answer, text: answer.body, json: answer.body === null ? null : JSON.parse(answer.body) };
}

const answer = async (line: string, how: Asking = {}): Promise<unknown> => { const { status, json, text } = await ask(line, how); assert.ok(status < 300, `${line}: ${status} ${text ?? ''}`); return json; };
const refused = async (line: string, how: Asking = {}): Promise<unknown> => { const { status, json } = await ask(line, how); return [status, (json as { detail: unknown } | null)?.detail]; };
const OLD = { headers: { 'airflow-api-version': '2025-11-05' } };

describe('reads of the Task Execution API', () => {
  before(async () => {
    database = await testDatabase();
    const version = await addDag(database, dagOf('etl', [task('a'), task('g.m', ['a'], { task_group: 'g' }), task('outlet', [], { outlets: [{ name: 'x', uri: 's3://x' }, { name: 'free', uri: 's3://free' }, { name: 'al', alias: true }] })], {
      task_groups: [{ group_id: 'g' }], tags: ['b', 'a'], owners: ['ann', 'bob'],
    }));
    await addDag(database, dagOf('other', [task('only')]));
    const dates = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'];
    const runs: string[] = [];
    for (const [at, logicalDate] of dates.entries()) runs.push(await addRun(database, { dagId: 'etl', runId: `r${at}`, logicalDate, state: at === 0 ? 'success' : at === 1 ? 'failed' : 'running', conf: { at } }));
    run = runs[2] ?? '';
    await database.pool.query("update dag_runs set conf = '{\"ratio\": 1.0, \"big\": 12345678901234567890}', note = 'by hand', partition_key = 'p', clear_number = 2, data_interval_start = '2026-01-02T00:00:00Z' where id = $1", [run]);
    const own = await addInstance(database, { run, taskId: 'a', state: 'running' });
    attempt = own.attempt ?? '';
    await addInstance(database, { run: runs[0] ?? '', taskId: 'a', state: 'success' });
    await addInstance(database, { run: runs[1] ?? '', taskId: 'a', state: 'failed' });
    for (const mapIndex of [0, 1]) await addInstance(database, { run, taskId: 'g.m', mapIndex, ...(mapIndex === 0 ? { state: 'success' as const } : {}) });
    const caller = callerOf({ attemptId: attempt as AttemptId, run: run as RunUuid, dagId: 'etl', runId: 'r2', taskId: 'a', versionId: version as VersionId });
    service.callers.set('e.token', caller);
    service.callers.set('outlet.token', { ...caller, taskId: 'outlet' });
  });

  test('a task that begins gets its run, strictly, and what stands in numbers', async () => {
    await addXCom(database, { run, taskId: 'a', key: 'old', value: '1' });
    service.begun = { spec: { try_number: 2, max_tries: 3, may_retry: true }, rescheduleCount: 4 };
    const enter = { body: { state: 'running', hostname: 'h', unixname: 'u', pid: 7, start_date: '2026-01-01T00:00:00Z' } };
    const dagRun = {
      dag_id: 'etl', run_id: 'r2', logical_date: '2026-01-03T00:00:00Z', data_interval_start: '2026-01-02T00:00:00Z', data_interval_end: null, run_after: '2026-01-03T00:00:00Z', start_date: '2026-01-01T00:00:01Z', end_date: null,
      clear_number: 2, run_type: 'manual', state: 'running', conf: { ratio: 1, big: Number('12345678901234567890') }, triggering_user_name: 'ann', consumed_asset_events: [], partition_key: 'p', note: 'by hand',
    };
    const rest = { task_reschedule_count: 4, max_tries: 3, variables: [], connections: [], xcom_keys_to_clear: ['old'], should_retry: true };
    const { json, text } = await ask(`PATCH /task-instances/${attempt}/run`, enter);
    assert.deepEqual(json, { dag_run: dagRun, ...rest });
    assert.match(text ?? '', /"conf":\{"ratio":1\.0,"big":12345678901234567890\}/);
    const { partition_key: _key, note: _note, ...oldRun } = dagRun;
    assert.deepEqual(await answer(`PATCH /task-instances/${attempt}/run`, { ...enter, ...OLD }), { dag_run: oldRun, ...rest, upstream_map_indexes: null });
    service.begun = { spec: { try_number: 1, max_tries: 0, may_retry: false, resume: { next_method: 'done', next_kwargs: '{"event":{"n":1.0}}' } }, rescheduleCount: 0 };
    const resumed = await ask(`PATCH /task-instances/${attempt}/run`, enter);
    assert.deepEqual({ ...(resumed.json as object), dag_run: null }, { dag_run: null, task_reschedule_count: 0, max_tries: 0, variables: [], connections: [], xcom_keys_to_clear: [], should_retry: false, next_method: 'done', next_kwargs: { event: { n: 1 } } });
    assert.match(resumed.text ?? '', /"next_kwargs":\{"event":\{"n":1\.0\}\}/);
    const old = (await answer(`PATCH /task-instances/${attempt}/run`, { ...enter, ...OLD })) as { next_kwargs: unknown };
    assert.deepEqual(old.next_kwargs, { __type: 'dict', __var: { event: { __type: 'dict', __var: { n: 1 } } } });
  });

  test('a state becomes a report with the time when its execution began; one that comes too late is told where the task stands', async () => {
    service.calls.length = 0;
    const began = await database.pool.query<{ id: string; started_at: Date }>("update executions set started_at = '2026-01-03T00:00:05Z' where attempt_id = $1 returning id, started_at", [attempt]);
    const executionId = began.rows[0]?.id ?? '';
    service.callers.set('run.token', { ...(service.callers.get('e.token') ?? callerOf()), executionId: executionId as never });
    const success = { body: { state: 'success', end_date: '2026-01-03T00:00:09Z' }, bearer: 'run.token' };
    assert.equal((await ask(`PATCH /task-instances/${attempt}/state`, success)).status, 204);
    assert.deepEqual(service.calls, [['report', { execution_id: executionId, started_at: '2026-01-03T00:00:05.000Z', ended_at: '2026-01-03T00:00:09Z', outcome: 'success' }]]);
    service.reportAnswer = { kind: 'stale', state: 'failed' };
    assert.deepEqual(await refused(`PATCH /task-instances/${attempt}/state`, success), [409, { reason: 'invalid_state', message: 'TI was not in the running state so it cannot be updated', previous_state: 'failed' }]);
  });

  test('runs are found, counted, and the one before is told', async () => {
    assert.deepEqual(await answer('GET /dag-runs/etl/r0/state'), { state: 'success' });
    assert.equal(((await answer('GET /dag-runs/etl/r2')) as { note: string }).note, 'by hand');
    assert.equal(await answer('GET /dag-runs/count?dag_id=etl'), 3);
    assert.equal(await answer('GET /dag-runs/count?dag_id=etl&states=success&states=failed&logical_dates=2026-01-01T00:00:00.000400Z&logical_dates=2026-01-02T01:00:00%2B01:00'), 2);
    assert.equal(await answer('GET /dag-runs/count?dag_id=etl&run_ids=r0&run_ids=nope'), 1);
    const before = async (more: string): Promise<unknown> => ((await answer(`GET /dag-runs/previous?dag_id=etl&logical_date=2026-01-03T00:00:00Z${more}`)) as { run_id: string } | null)?.run_id;
    assert.deepEqual([await before(''), await before('&state=success'), await before('&state=queued')], ['r1', 'r0', undefined]);
    const old = (await answer('GET /dag-runs/etl/previous?logical_date=2026-01-03T00:00:00Z', OLD)) as Record<string, unknown>;
    assert.deepEqual([old['run_id'], 'note' in old, 'partition_key' in old], ['r1', false, false]);
    const typeOf = async (line: string, how: Asking = {}): Promise<unknown> => ((await answer(line, how)) as { run_type: string }).run_type;
    await database.pool.query("update dag_runs set run_type = 'asset_materialization' where dag_id = 'etl' and run_id = 'r1'");
    assert.deepEqual([await typeOf('GET /dag-runs/etl/r1'), await typeOf('GET /dag-runs/etl/previous?logical_date=2026-01-03T00:00:00Z', OLD)], ['asset_materialization', 'manual'], 'an older client ends at a type that it does not know');
    await database.pool.query("update dag_runs set run_type = 'manual' where dag_id = 'etl' and run_id = 'r1'");
    const gone = { reason: 'not_found', message: "Dag run with dag_id 'etl' and run_id 'nope' was not found" };
    assert.deepEqual([await refused('GET /dag-runs/etl/nope'), await refused('GET /dag-runs/etl/nope/state')], [[404, gone], [404, gone]]);
    assert.deepEqual(await answer(`GET /task-instances/${attempt}/previous-successful-dagrun`), { data_interval_start: null, data_interval_end: null, start_date: '2026-01-01T00:00:01Z', end_date: '2026-01-01T00:01:00Z' });
  });

  test('task instances are counted by task, group, state and date, and their states told by run', async () => {
    const count = (query: string): Promise<unknown> => answer(`GET /task-instances/count?dag_id=etl${query}`);
    assert.deepEqual(await Promise.all(['', '&task_ids=a', '&task_group_id=g', '&task_group_id=g&task_ids=a', '&states=null', '&states=null&states=success', '&map_index=1', '&run_ids=r2&states=running', '&logical_dates=2026-01-02T00:00:00Z'].map(count)), [5, 3, 2, 0, 1, 3, 1, 1, 1]);
    assert.deepEqual(await answer('GET /task-instances/states?dag_id=etl&run_ids=r2&run_ids=r0'), { task_states: { r0: { a: 'success' }, r2: { a: 'running', 'g.m_0': 'success', 'g.m_1': null } } });
    assert.deepEqual(await answer('GET /task-instances/states?dag_id=etl&task_group_id=g'), { task_states: { r2: { 'g.m_0': 'success', 'g.m_1': null } } });
    assert.deepEqual(await answer('GET /task-instances/states?dag_id=none'), { task_states: {} });
    assert.deepEqual(await refused('GET /task-instances/count?dag_id=etl&task_group_id=no'), [404, { reason: 'not_found', message: 'Task group no not found in DAG etl' }]);
    assert.deepEqual(await refused('GET /task-instances/count?dag_id=no&task_group_id=g'), [404, { reason: 'not_found', message: 'The Dag with ID: `no` was not found' }]);
  });

  test('the instance before, breadcrumbs, and when reschedules began', async () => {
    assert.deepEqual(await answer('GET /task-instances/previous/etl/a?logical_date=2026-01-03T00:00:00Z&state=success'), {
      task_id: 'a', dag_id: 'etl', run_id: 'r0', logical_date: '2026-01-01T00:00:00Z', start_date: '2026-01-01T00:00:02Z', end_date: '2026-01-01T00:00:05.500000Z', state: 'success', try_number: 1, map_index: -1, duration: 3.5,
    });
    assert.equal(((await answer('GET /task-instances/previous/etl/a')) as { run_id: string }).run_id, 'r2');
    assert.equal(await answer('GET /task-instances/previous/etl/a?map_index=3'), null);
    assert.deepEqual(await answer('GET /task-instances/breadcrumbs?dag_id=etl&run_id=r2'), { breadcrumbs: [{ task_id: 'g.m', map_index: 0, state: 'success', operator: 'PythonOperator', duration: 3.5 }] });
    assert.equal(await answer(`GET /task-reschedules/${attempt}/start_date?try_number=1`), null);
    await database.kysely.insertInto('executions').values(['00', '01'].map((end) => ({ id: `0190a0a0-0000-7000-8000-0000000000${end}`, attempt_id: attempt, run, state: 'up_for_reschedule', ended: true, executor: 'process', started_at: `2026-01-03T00:00:${end}Z` }))).execute();
    assert.equal(await answer(`GET /task-reschedules/${attempt}/start_date`), '2026-01-03T00:00:00Z');
  });

  test('one XCom comes as its bytes; without one there is Airflow’s 404', async () => {
    const value = '{"f": 1.0, "b":1,"a":[12345678901234567890,null]}';
    await addXCom(database, { run, taskId: 'g.m', key: 'k/e y', value, mapIndex: 1 });
    assert.equal((await ask('GET /xcoms/etl/r2/g.m/k/e%20y?map_index=1')).text, `{"key":"k/e y","value":${value}}`);
    assert.deepEqual(await refused('GET /xcoms/etl/r2/g.m/k/e%20y'), [404, { reason: 'not_found', message: "XCom with key='k/e y' map_index=-1 not found for task 'g.m' in DAG run 'r2' of 'etl'" }]);
    assert.equal((await refused('GET /xcoms/etl/nope/g.m/k') as [number])[0], 404);
    await addXCom(database, { run: (await database.pool.query<{ id: string }>("select id from dag_runs where run_id = 'r0'")).rows[0]?.id ?? '', taskId: 'a', key: 'before', value: '"r0"' });
    assert.equal((await refused('GET /xcoms/etl/r2/a/before') as [number])[0], 404);
    assert.equal((await ask('GET /xcoms/etl/r2/a/before?include_prior_dates=true')).text, '{"key":"before","value":"r0"}');
    assert.equal((await ask('GET /xcoms/etl/r0/a/before')).text, '{"key":"before","value":"r0"}');
    assert.equal((await ask('GET /xcoms/etl/r2/a/before/slice?include_prior_dates=True')).text, '["r0"]');
  });

  test('values of a mapped task are a sequence', async () => {
    for (const [mapIndex, value] of ['10', '11', 'null', '1.0', '"d"'].entries()) await addXCom(database, { run, taskId: 'g.m', key: 'seq', value, mapIndex });
    const at = async (path: string): Promise<string | null> => (await ask(`GET /xcoms/etl/r2/g.m/seq${path}`)).text;
    assert.deepEqual(await Promise.all(['/item/0', '/item/2', '/item/3', '/item/-1', '/item/-5'].map(at)), ['10', 'null', '1.0', '"d"', '10']);
    for (const end of [5, -6]) assert.deepEqual(await refused(`GET /xcoms/etl/r2/g.m/seq/item/${end}`), [404, { reason: 'not_found', message: `XCom with key='seq' offset=${end} not found for task 'g.m' in DAG run 'r2' of 'etl'` }]);
    assert.deepEqual(await Promise.all(['/slice', '/slice?start=1&stop=3', '/slice?step=-2', '/slice?start=-2', '/slice?start=4&stop=1&step=-1', '/slice?start=9', '/slice?stop=-3', '/slice?step=0&start=3'].map(at)),
      ['[10,11,null,1.0,"d"]', '[11,null]', '["d",null,10]', '[1.0,"d"]', '["d",1.0,null]', '[]', '[10,11]', '[1.0,"d"]']);
    assert.deepEqual(await Promise.all(['?offset=2', '?offset=-1', '?offset=0'].map(at)), ['{"key":"seq","value":1.0}', '{"key":"seq","value":"d"}', '{"key":"seq","value":10}'], 'nulls do not count');
    const head = await ask('HEAD /xcoms/etl/r2/g.m/seq');
    assert.deepEqual([head.status, head.text, head.headers['content-range']], [200, null, 'map_indexes 5']);
    assert.equal((await ask('HEAD /xcoms/etl/nope/g.m/seq')).headers['content-range'], 'map_indexes 0');
    assert.equal((await ask('GET /xcoms/etl/nope/g.m/seq/slice')).text, '[]');
  });

  test('a task starts a run, once, and clears it', async () => {
    const line = 'POST /dag-runs/other/manual__x';
    const trigger = { raw: '{"logical_date":"2026-02-01T00:00:00+00:00","conf":{"f":1.0},"note":"n","partition_key":"pk"}' };
    assert.equal((await ask(line, trigger)).status, 204);
    const row = (await database.pool.query("select run_type, triggered_by, conf::text as conf, note, partition_key, logical_date, state from dag_runs where dag_id = 'other'")).rows[0] as Record<string, unknown>;
    assert.deepEqual(row, { run_type: 'manual', triggered_by: 'operator', conf: '{"f":1.0}', note: 'n', partition_key: 'pk', logical_date: new Date('2026-02-01T00:00:00Z'), state: 'queued' });
    assert.deepEqual(await refused(line, trigger), [409, { reason: 'already_exists', message: "A run already exists for Dag 'other' with run_id 'manual__x'" }]);
    assert.deepEqual(await refused('POST /dag-runs/other/y', { ...trigger }), [409, { reason: 'already_exists', message: "A run already exists for Dag 'other' with that logical date" }]);
    assert.deepEqual(await refused('POST /dag-runs/none/y', { body: {} }), [404, { reason: 'not_found', message: "Dag with dag_id: 'none' not found" }]);
    assert.equal((await refused('POST /dag-runs/other/scheduled__y', { body: {} }) as [number])[0], 400);
    await database.pool.query("update dag_runs set state = 'failed', finished = true, epoch = 1 where dag_id = 'other'");
    const other = (await database.pool.query<{ id: string }>("select id from dag_runs where dag_id = 'other'")).rows[0]?.id ?? '';
    await addInstance(database, { run: other, taskId: 'only', state: 'failed' });
    assert.equal((await ask(`${line}/clear`)).status, 204);
    assert.deepEqual(await answer('GET /dag-runs/other/manual__x/state'), { state: 'queued' });
    assert.deepEqual(await refused('POST /dag-runs/other/nope/clear'), [404, { reason: 'not_found', message: "Dag run with run_id: 'nope' not found" }]);
    await addDag(database, dagOf('closed', [task('a')], { allowed_run_types: ['scheduled'] }));
    assert.deepEqual(await refused('POST /dag-runs/closed/y', { body: {} }), [400, { reason: 'denied_run_type', message: "Dag with dag_id 'closed' does not allow manual runs" }]);
  });

  test('a DAG is told, a stale one too', async () => {
    assert.deepEqual(await answer('GET /dags/etl'), { dag_id: 'etl', is_paused: false, bundle_name: 'test', bundle_version: null, relative_fileloc: 'dag.py', owners: 'ann, bob', tags: ['a', 'b'], next_dagrun: null });
    assert.deepEqual(await refused('GET /dags/none'), [404, { reason: 'not_found', message: 'The Dag with dag_id: `none` was not found' }]);
  });

  test('assets, their events, and the runs that these made', async () => {
    // Another DAG's asset of the name x is the active one.
    await database.pool.query("update assets set active = false where uri = 's3://x'");
    await database.pool.query("insert into assets (name, uri, asset_group, extra, active) values ('n', 's3://n', 'g', '{\"k\": 1.0}', true), ('x', 's3://other', 'asset', '{}', true)");
    assert.equal((await ask('GET /assets/by-name?name=n')).text, '{"name":"n","uri":"s3://n","group":"g","extra":{"k":1.0}}');
    assert.equal(((await answer('GET /assets/by-uri?uri=s3://n')) as { name: string }).name, 'n');
    assert.deepEqual(await refused('GET /assets/by-name?name=no'), [404, { reason: 'not_found', message: 'Asset with name no not found' }]);
    assert.deepEqual(await refused('GET /assets/by-uri?uri=no'), [404, { reason: 'not_found', message: 'Asset with URI no not found' }]);
    await database.pool.query(`insert into asset_events (asset_id, extra, aliases, source_dag_id, source_run_id, source_task_id, partition_key, at)
      select id, '{"rows": 2.0}', array['al'], 'etl', 'r0', 'a', 'pk', '2026-01-01T00:00:00Z'::timestamptz + i * interval '1 hour' from assets, generate_series(0, 2) i where name = 'n'`);
    await database.pool.query("insert into consumed_asset_events (run, event_id) select $1, min(id) from asset_events", [run]);
    const ids = async (query: string): Promise<unknown> => ((await answer(`GET /asset-events/${query}`)) as { asset_events: { timestamp: string }[] }).asset_events.map((event) => event.timestamp.slice(11, 13));
    assert.deepEqual(await Promise.all(['by-asset?name=n&uri=', 'by-asset?name=&uri=s3://n&ascending=False', 'by-asset?name=n&uri=s3://n&limit=1', 'by-asset?name=n&uri=&after=2026-01-01T01:00:00Z&before=2026-01-01T01:00:00Z', 'by-asset-alias?name=al&limit=2', 'by-asset-alias?name=no', 'by-asset?name=n&uri=no'].map(ids)),
      [['00', '01', '02'], ['02', '01', '00'], ['00'], ['01'], ['00', '01'], [], []]);
    const [event] = ((await answer('GET /asset-events/by-asset?name=n&uri=&limit=1')) as { asset_events: [Record<string, unknown>] }).asset_events;
    assert.deepEqual({ ...event, id: 0 }, {
      id: 0, timestamp: '2026-01-01T00:00:00Z', extra: { rows: 2 }, asset: { name: 'n', uri: 's3://n', group: 'g', extra: { k: 1 } },
      created_dagruns: [{ run_id: 'r2', dag_id: 'etl', logical_date: '2026-01-03T00:00:00Z', start_date: '2026-01-01T00:00:01Z', end_date: null, state: 'running', data_interval_start: '2026-01-02T00:00:00Z', data_interval_end: null, partition_key: 'p' }],
      source_task_id: 'a', source_dag_id: 'etl', source_run_id: 'r0', source_map_index: -1, partition_key: 'pk',
    });
    const [old] = ((await answer('GET /asset-events/by-asset?name=n&uri=&limit=1', OLD)) as { asset_events: [{ created_dagruns: [object] }] }).asset_events;
    assert.deepEqual(['partition_key' in old, 'partition_key' in old.created_dagruns[0]], [false, false]);
    assert.deepEqual(await answer(`GET /task-instances/${attempt}/validate-inlets-and-outlets`, { bearer: 'outlet.token' }), { inactive_assets: [{ name: 'x', uri: 's3://x', type: 'Asset' }] });
    assert.deepEqual(await answer(`GET /task-instances/${attempt}/validate-inlets-and-outlets`), { inactive_assets: [] });
  });

  test('a run that assets made says for what', async () => {
    service.begun = { spec: { try_number: 1, max_tries: 0 }, rescheduleCount: 0 };
    await database.pool.query("update dag_runs set run_type = 'asset_triggered' where id = $1", [run]);
    const context = (await answer(`PATCH /task-instances/${attempt}/run`, { body: { state: 'running', hostname: 'h', unixname: 'u', pid: 7, start_date: '2026-01-01T00:00:00Z' } })) as { dag_run: { consumed_asset_events: unknown } };
    assert.deepEqual(context.dag_run.consumed_asset_events, [{
      asset: { name: 'n', uri: 's3://n', extra: { k: 1 } }, extra: { rows: 2 }, source_task_id: 'a', source_dag_id: 'etl', source_run_id: 'r0', source_map_index: -1, source_aliases: [{ name: 'al' }], timestamp: '2026-01-01T00:00:00Z',
    }]);
  });

  test('a question is kept as it was first asked, answered once, and asked again', async () => {
    const line = `/hitlDetails/${attempt}`;
    const gone = [404, { reason: 'not_found', message: 'HITLDetail not found. This happens most likely due to clearing task instance before receiving response.' }];
    assert.deepEqual([await refused(`GET ${line}`), await refused(`PATCH ${line}`, { body: { ti_id: attempt, chosen_options: ['a'] } })], [gone, gone]);
    const question = { ti_id: attempt, options: ['yes', 'no'], subject: 's', body: 'b', defaults: ['no'], multiple: true, params: { p: { value: 1 } }, assigned_users: [{ id: 'ann', name: 'Ann' }] };
    assert.deepEqual(await answer(`POST ${line}`, { body: question }), question);
    assert.deepEqual(await answer(`GET ${line}`), { response_received: false, responded_by_user: null, responded_at: null, chosen_options: [], params_input: {} });
    const response = (await answer(`PATCH ${line}`, { body: { ti_id: attempt, chosen_options: ['no'], params_input: { p: 2 } } })) as { responded_at: string };
    assert.deepEqual({ ...response, responded_at: '' }, { response_received: true, responded_by_user: null, responded_at: '', chosen_options: ['no'], params_input: { p: 2 } });
    assert.deepEqual(await refused(`PATCH ${line}`, { body: { ti_id: attempt, chosen_options: ['yes'] } }), [409, `Human-in-the-loop detail for Task Instance with id ${attempt} already exists.`]);
    assert.deepEqual(await answer(`POST ${line}`, { body: { ...question, options: ['other'] } }), question, 'the first question stays');
    assert.equal(((await answer(`GET ${line}`)) as { response_received: boolean }).response_received, false);
  });
});
