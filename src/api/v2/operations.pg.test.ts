// Operations beside the main line: pushed versions, waiting, batches, mapped instances, clears over dates, marks with teardowns, filters.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { testApi, type TestApi } from '../../../test/support/api.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../../../test/support/rows.ts';

let api: TestApi;
before(async () => {
  api = await testApi();
});

interface Instances { task_instances: { task_id: string; map_index: number; dag_run_id: string; state: string | null }[]; total_entries: number }

const namesOf = (answer: { json: unknown }): string[] => (answer.json as Instances).task_instances.map((row) => `${row.dag_run_id} ${row.task_id}${row.map_index < 0 ? '' : `[${row.map_index}]`} ${row.state ?? 'none'}`);

test('a pushed version is stored once, and pushing it again rolls back to it', async () => {
  const source = 'print("one")\n';
  const sources = [{ path: 'dag.py', content_base64: Buffer.from(source).toString('base64') }];
  const dag = dagOf('pushed', [task('a')], { sources: [{ path: 'dag.py', sha256: createHash('sha256').update(source).digest('hex') }] });
  const push = (body: unknown, role: 'op' | 'user' = 'op') => api.ask('POST', '/dags/pushed/dagVersions', { body, role });
  assert.equal((await push({ dag, sources }, 'user')).status, 403);
  const first = await push({ dag, sources });
  assert.equal(first.status, 201);
  const second = await push({ dag: { ...dag, tasks: [task('a'), task('b')] }, sources });
  assert.deepEqual([second.status, (second.json as { version_number: number }).version_number], [201, 2]);
  const again = await push({ dag, sources });
  assert.deepEqual([again.status, again.json], [200, first.json]);
  const source2 = (await api.ask('GET', '/dagSources/pushed')).json as { content: string; version_number: number };
  assert.deepEqual([source2.content, source2.version_number], [source, 1]);
  const text = await api.ask('GET', '/dagSources/pushed', { headers: { accept: 'text/plain' } });
  assert.equal(text.text, source);
  const versions = (await api.ask('GET', '/dags/pushed/dagVersions?order_by=-version_number')).json as { dag_versions: { version_number: number }[] };
  assert.deepEqual(versions.dag_versions.map((version) => version.version_number), [2, 1]);
  const wrong = await push({ dag: { ...dag, tasks: [task('a', ['gone'])] }, sources });
  assert.equal(wrong.status, 422);
  assert.deepEqual((wrong.json as { detail: { loc: unknown[] }[] }).detail[0]?.loc, ['body', 'dag', 'tasks', 0, 'depends_on', 0]);
  const digests = await push({ dag, sources: [{ path: 'dag.py', content_base64: '' }, { path: 'more.py', content_base64: '' }] });
  assert.deepEqual((digests.json as { detail: { msg: string }[] }).detail.map((problem) => problem.msg), ['more.py is not named by the DAG', 'dag.py is not what its digest says']);
  assert.equal((await api.ask('POST', '/dags/other/dagVersions', { body: { dag, sources } })).status, 422);
});

test('waiting ends with the run and its results', async () => {
  await addDag(api.database, dagOf('waited', [task('a'), task('m')]));
  const run = await addRun(api.database, { dagId: 'waited', runId: 'r' });
  await addXCom(api.database, { run, taskId: 'a', key: 'return_value', value: '{"x": 1.0}' });
  await addXCom(api.database, { run, taskId: 'm', key: 'return_value', value: '1', mapIndex: 0 });
  await addXCom(api.database, { run, taskId: 'm', key: 'return_value', value: '2', mapIndex: 1 });
  const waiting = api.ask('GET', '/dags/waited/dagRuns/r/wait?interval=0.02&result=a&result=m&result=none');
  await api.database.kysely.updateTable('dag_runs').set({ state: 'success', finished: true }).where('id', '=', run).execute();
  const lines = (await waiting).text.trim().split('\n');
  assert.equal(lines.at(-1), '{"state":"success","results":{"a":{"x": 1.0},"m":[1,2],"none":null}}');
});

test('mapped instances, batches and their filters', async () => {
  const expand = { kind: 'product', arguments: { x: { kind: 'literal', length: 3 } } } as const;
  await addDag(api.database, dagOf('mapped', [task('plain'), task('m', [], { expand }), task('g.in', [], { task_group: 'g' })], { task_groups: [{ group_id: 'g' }] }));
  const run = await addRun(api.database, { dagId: 'mapped', runId: 'r' });
  await addInstance(api.database, { run, taskId: 'plain', state: 'success' });
  await addInstance(api.database, { run, taskId: 'g.in' });
  for (const mapIndex of [2, 0, 1]) await addInstance(api.database, { run, taskId: 'm', mapIndex, state: mapIndex === 1 ? 'failed' : 'success' });
  const base = '/dags/mapped/dagRuns/r/taskInstances';
  assert.deepEqual(namesOf(await api.ask('GET', `${base}/m/listMapped`)), ['r m[0] success', 'r m[1] failed', 'r m[2] success']);
  assert.deepEqual(namesOf(await api.ask('GET', `${base}/m/listMapped?order_by=-map_index&state=success&limit=1`)), ['r m[2] success']);
  assert.deepEqual((await api.ask('GET', `${base}/plain/listMapped`)).json, { detail: 'Task id plain is not mapped' });
  assert.deepEqual((await api.ask('GET', `${base}/m`)).json, { detail: 'Task instance is mapped, add the map_index value to the URL' });
  assert.equal((await api.ask('GET', `${base}/m/1`)).status, 200);
  assert.equal((await api.ask('GET', `${base}/m/9`)).status, 404);
  assert.deepEqual(namesOf(await api.ask('GET', `${base}?task_group_id=g`)), ['r g.in none']);
  assert.deepEqual((await api.ask('GET', `${base}?task_group_id=x`)).json, { detail: { reason: 'not_found', message: 'Task group x not found' } });
  assert.deepEqual((await api.ask('GET', `${base}?state=odd`)).status, 422);
  assert.deepEqual((await api.ask('GET', '/dags/~/dagRuns/r/taskInstances')).json, { detail: 'dag_id is required when dag_run_id is specified' });
  const batch = await api.ask('POST', '/dags/~/dagRuns/~/taskInstances/list', { body: { dag_ids: ['mapped'], state: ['failed', null], duration_gte: null } });
  assert.deepEqual(namesOf(batch).sort(), ['r g.in none', 'r m[1] failed']);
  assert.equal((await api.ask('POST', '/dags/mapped/dagRuns/~/taskInstances/list', { body: {} })).status, 422);
  const tasks = (await api.ask('GET', '/dags/mapped/tasks?order_by=-task_id')).json as { tasks: { task_id: string; is_mapped: boolean }[] };
  assert.deepEqual(tasks.tasks.map((each) => [each.task_id, each.is_mapped]), [['plain', false], ['m', true], ['g.in', false]]);
});

test('runs are listed by every filter', async () => {
  await addDag(api.database, dagOf('listed', [task('a')]));
  await addRun(api.database, { dagId: 'listed', runId: 'x1', logicalDate: '2026-01-01T00:00:00Z', state: 'success', conf: { colour: 'red' } });
  await addRun(api.database, { dagId: 'listed', runId: 'x2', logicalDate: '2026-01-02T00:00:00Z', state: 'failed', runType: 'scheduled' });
  await addRun(api.database, { dagId: 'listed', runId: 'y3', state: 'queued' });
  const ids = async (query: string): Promise<string[]> => ((await api.ask('GET', `/dags/listed/dagRuns?${query}`)).json as { dag_runs: { dag_run_id: string }[] }).dag_runs.map((run) => run.dag_run_id);
  const cases = [
    ['order_by=-run_id', ['y3', 'x2', 'x1']], ['state=success&state=queued', ['x1', 'y3']], ['run_type=scheduled', ['x2']], ['logical_date_gt=2026-01-01T00:00:00Z', ['x2']],
    ['logical_date_lte=2026-01-01T01:00:00%2B01:00', ['x1']], ['conf_contains=red', ['x1']], ['run_id_pattern=X', ['x1', 'x2']], ['run_id_pattern=1|y', ['x1', 'y3']], ['run_id_pattern=~', ['x1', 'x2', 'y3']],
    ['duration_gte=59', ['x1', 'x2']], ['duration_gt=59', []], ['dag_version=1&limit=1&offset=1', ['x2']], ['dag_version=2', []], ['bundle_version=v', []], ['triggering_user_name_pattern=AN', ['x1', 'x2', 'y3']],
  ] as const;
  for (const [query, wanted] of cases) assert.deepEqual(await ids(query), wanted, query);
  const batch = (await api.ask('POST', '/dags/~/dagRuns/list', { body: { dag_ids: ['listed'], states: ['failed'], logical_date_gte: '2026-01-01T00:00:00Z', order_by: '-start_date' } })).json as { dag_runs: { dag_run_id: string }[] };
  assert.deepEqual(batch.dag_runs.map((run) => run.dag_run_id), ['x2']);
  assert.deepEqual(((await api.ask('GET', '/dagStats?dag_ids=listed')).json as { dags: { stats: unknown }[] }).dags[0]?.stats, [{ state: 'queued', count: 1 }, { state: 'running', count: 0 }, { state: 'success', count: 1 }, { state: 'failed', count: 1 }]);
  assert.equal((await api.ask('POST', '/dags/~/dagRuns/list', { body: { run_after_gte: '2026-01-01T00:00:00' } })).status, 422, 'a body’s dates carry their offset');
  const details = (await api.ask('GET', '/dags/listed/details')).json as { active_runs_count: number; latest_dag_version: { version_number: number } };
  assert.deepEqual([details.active_runs_count, details.latest_dag_version.version_number], [1, 1]);
  const last = (await api.ask('GET', '/dags?last_dag_run_state=failed&dag_id_pattern=listed')).json as { total_entries: number };
  assert.equal(last.total_entries, 1);
});

test('a clear reaches over dates, and bodies that contradict themselves are refused', async () => {
  await addDag(api.database, dagOf('dated', [task('a'), task('b', ['a'])]));
  for (const day of [1, 2, 3]) {
    const run = await addRun(api.database, { dagId: 'dated', runId: `d${day}`, logicalDate: `2026-02-0${day}T00:00:00Z`, state: 'failed' });
    await addInstance(api.database, { run, taskId: 'a', state: 'failed' });
    await addInstance(api.database, { run, taskId: 'b', state: 'upstream_failed' });
  }
  const clear = (body: Record<string, unknown>) => api.ask('POST', '/dags/dated/clearTaskInstances', { body });
  assert.deepEqual(namesOf(await clear({ dag_run_id: 'd2', include_future: true, task_ids: ['a'] })), ['d2 a failed', 'd3 a failed']);
  assert.deepEqual(namesOf(await clear({ dag_run_id: 'd2', include_past: true, task_ids: ['a'] })), ['d1 a failed', 'd2 a failed']);
  assert.deepEqual(namesOf(await clear({ start_date: '2026-02-03T00:00:00Z' })), ['d3 a failed', 'd3 b upstream_failed']);
  assert.deepEqual(namesOf(await clear({ start_date: '2026-02-03T00:00:00Z', task_ids: ['a'], include_downstream: true })), ['d3 a failed', 'd3 b upstream_failed']);
  assert.deepEqual(namesOf(await clear({ dag_run_id: 'd1', task_ids: [['a', -1]] })), ['d1 a failed']);
  for (const body of [{ only_failed: true, only_running: true }, { task_ids: [] }, { dag_run_id: 'd1', start_date: '2026-02-01T00:00:00Z' }, { start_date: '2026-02-02T00:00:00Z', end_date: '2026-02-01T00:00:00Z' }]) {
    assert.equal((await clear(body)).status, 422, JSON.stringify(body));
  }
  assert.deepEqual((await clear({ dag_run_id: 'none' })).json, { detail: 'Dag Run id none not found in dag dated' });
  const whole = await api.ask('POST', '/dags/dated/dagRuns/d3/clear', { body: { dry_run: false } });
  assert.equal((whole.json as { state: string }).state, 'queued');
  await addRun(api.database, { dagId: 'dated', runId: 'undated' });
  assert.equal((await clear({ dag_run_id: 'undated', include_past: true })).status, 400);
  const marked = await api.ask('PATCH', '/dags/dated/dagRuns/d1/taskInstances/a/dry_run', { body: { new_state: 'success', include_future: true } });
  assert.deepEqual(namesOf(marked), ['d1 a failed', 'd2 a failed', 'd3 a none']);
});

test('marking a run leaves teardowns that are not over, and the run with them', async () => {
  await addDag(api.database, dagOf('torn', [task('up', [], { is_setup: true }), task('work', ['up']), task('down', ['up', 'work'], { is_teardown: true })]));
  const run = await addRun(api.database, { dagId: 'torn', runId: 'r' });
  await addInstance(api.database, { run, taskId: 'up', state: 'success' });
  await addInstance(api.database, { run, taskId: 'work', state: 'running' });
  await addInstance(api.database, { run, taskId: 'down' });
  const marked = await api.ask('PATCH', '/dags/torn/dagRuns/r', { body: { state: 'failed', note: 'enough' } });
  assert.deepEqual([(marked.json as { state: string }).state, (marked.json as { note: string }).note], ['running', 'enough']);
  assert.deepEqual(namesOf(await api.ask('GET', '/dags/torn/dagRuns/r/taskInstances')), ['r down none', 'r up success', 'r work failed']);
  assert.equal((await api.ask('DELETE', '/dags/torn/dagRuns/r')).status, 409);
  const queued = await api.ask('PATCH', '/dags/torn/dagRuns/r', { body: { state: 'queued' } });
  assert.equal((queued.json as { state: string }).state, 'queued');
  assert.equal((await api.ask('PATCH', '/dags/torn/dagRuns/r', { body: { state: 'running' } })).status, 422);
});

test('many DAGs are paused at once, one is deleted unless it runs', async () => {
  await addDag(api.database, dagOf('bulk_a', [task('a')]));
  await addDag(api.database, dagOf('bulk_b', [task('a')]));
  assert.equal(((await api.ask('PATCH', '/dags', { body: { is_paused: true } })).json as { total_entries: number }).total_entries, 0, 'without a pattern nothing matches');
  const paused = (await api.ask('PATCH', '/dags?dag_id_pattern=bulk_', { body: { is_paused: true } })).json as { dags: { dag_id: string; is_paused: boolean }[] };
  assert.deepEqual(paused.dags.map((dag) => [dag.dag_id, dag.is_paused]), [['bulk_a', true], ['bulk_b', true]]);
  assert.equal(((await api.ask('GET', '/dags?paused=true&dag_id_pattern=bulk_')).json as { total_entries: number }).total_entries, 2);
  assert.deepEqual((await api.ask('PATCH', '/dags/bulk_a?update_mask=tags', { body: { is_paused: false } })).json, { detail: 'Only `is_paused` field can be updated through the REST API' });
  const run = await addRun(api.database, { dagId: 'bulk_a', runId: 'r' });
  await addInstance(api.database, { run, taskId: 'a', state: 'running' });
  assert.equal((await api.ask('DELETE', '/dags/bulk_a')).status, 409);
  assert.equal((await api.ask('DELETE', '/dags/bulk_b')).status, 204);
  assert.equal((await api.ask('GET', '/dags/bulk_b')).status, 404);
  const explained = (await api.ask('GET', '/dags/bulk_a/dagRuns/r/taskInstances/a/explain')).json as { reasons: string[] };
  assert.deepEqual(explained.reasons, ['running']);
});

test('pools: changed by mask, taken names, the default one', async () => {
  assert.equal((await api.ask('POST', '/pools', { body: { name: 'a/b', slots: 2 } })).status, 201);
  assert.equal((await api.ask('POST', '/pools', { body: { name: 'a/b', slots: 2 } })).status, 409);
  assert.equal((await api.ask('POST', '/pools', { body: { name: 'x', slots: -2 } })).status, 422);
  const patched = (await api.ask('PATCH', '/pools/a/b?update_mask=slots', { body: { pool: 'a/b', slots: -1, include_deferred: true } })).json as { slots: number; open_slots: number; include_deferred: boolean };
  assert.deepEqual([patched.slots, patched.open_slots, patched.include_deferred], [-1, -1, false]);
  assert.equal((await api.ask('PATCH', '/pools/default_pool', { body: { slots: 1 } })).status, 400);
  assert.equal((await api.ask('PATCH', '/pools/default_pool?update_mask=slots', { body: { slots: 8 } })).status, 200);
  assert.deepEqual((await api.ask('DELETE', '/pools/default_pool')).json, { detail: "Default Pool can't be deleted" });
  const run = await addRun(api.database, { dagId: 'dated', runId: 'pooled' });
  await addInstance(api.database, { run, taskId: 'a', state: 'running' });
  const { pools } = (await api.ask('GET', '/pools?order_by=-name')).json as { pools: { name: string; running_slots: number; open_slots: number }[] };
  const used = pools.find((pool) => pool.name === 'default_pool');
  assert.ok(used !== undefined && used.running_slots >= 1 && used.open_slots === 8 - used.running_slots);
});
