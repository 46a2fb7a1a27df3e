// The main line through the API: token, DAGs, trigger, runs, task instances, logs, XComs, clear and mark.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { before, test } from 'node:test';
import { logFile } from '#logs/file-log-store.ts';
import { hashPassword } from '#store/password-hashes.ts';
import { saveUser } from '#store/users.ts';
import { testApi, type TestApi } from '../../test/support/api.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../../test/support/rows.ts';

let api: TestApi;
before(async () => {
  api = await testApi();
  await addDag(api.database, dagOf('etl', [task('extract', [], { retries: 2 }), task('load', ['extract']), task('report', ['load'])], { tags: ['b', 'a'], owners: ['ann'] }));
  await addDag(api.database, dagOf('other', [task('only')]));
});

test('a name and a password become a token that opens the API', async () => {
  await saveUser(api.database, { username: 'ann', passwordHash: await hashPassword('correct horse'), role: 'viewer' });
  const wrong = await api.ask('POST', '!/auth/token', { role: null, body: { username: 'ann', password: 'wrong' } });
  assert.deepEqual([wrong.status, wrong.json], [401, { detail: 'Invalid credentials' }]);
  const right = await api.ask('POST', '!/auth/token', { role: null, body: { username: 'ann', password: 'correct horse' } });
  assert.equal(right.status, 201);
  const { access_token: token } = right.json as { access_token: string };
  const listed = await api.ask('GET', '/dags', { role: null, headers: { authorization: `Bearer ${token}` } });
  assert.equal(listed.status, 200);
  const refused = await api.ask('PATCH', '/dags/etl', { role: null, headers: { authorization: `Bearer ${token}` }, body: { is_paused: true } });
  assert.deepEqual([refused.status, refused.json], [403, { detail: 'Forbidden' }]);
});

test('DAGs are listed with filters, order and pages', async () => {
  const all = (await api.ask('GET', '/dags')).json as { dags: { dag_id: string; tags: { name: string }[] }[]; total_entries: number };
  assert.deepEqual(all.dags.map((dag) => dag.dag_id), ['etl', 'other']);
  assert.deepEqual(all.dags[0]?.tags.map((tag) => tag.name), ['a', 'b']);
  const page = (await api.ask('GET', '/dags?limit=1&order_by=-dag_id')).json as typeof all;
  assert.deepEqual([page.dags.map((dag) => dag.dag_id), page.total_entries], [['other'], 2]);
  const none = (await api.ask('GET', '/dags?limit=0')).json as typeof all;
  assert.deepEqual([none.dags, none.total_entries], [[], 2]);
  const tagged = (await api.ask('GET', '/dags?tags=a&tags=x&tags_match_mode=any&dag_id_pattern=TL')).json as typeof all;
  assert.deepEqual(tagged.dags.map((dag) => dag.dag_id), ['etl']);
  const refused = await api.ask('GET', '/dags?order_by=nonsense');
  assert.deepEqual([refused.status, refused.json], [400, { detail: "Ordering with 'nonsense' is disallowed or the attribute does not exist on the model" }]);
  const negative = await api.ask('GET', '/dags?limit=-1');
  assert.deepEqual([negative.status, negative.json], [422, { detail: [{ type: 'greater_than_equal', loc: ['query', 'limit'], msg: 'Input should be greater than or equal to 0', input: '-1', ctx: { ge: 0 } }] }]);
});

test('a run is triggered, read back, and its id and date are taken then', async () => {
  const body = { logical_date: '2026-03-01T00:00:00+01:00', conf: { a: 1 }, note: 'by hand' };
  const made = await api.ask('POST', '/dags/etl/dagRuns', { body });
  assert.equal(made.status, 200);
  const run = made.json as Record<string, unknown>;
  assert.equal(run['logical_date'], '2026-02-28T23:00:00Z');
  assert.equal(run['state'], 'queued');
  assert.equal(run['triggered_by'], 'rest_api');
  assert.equal(run['triggering_user_name'], 'the admin');
  assert.match(String(run['dag_run_id']), /^manual__/);
  const again = await api.ask('POST', '/dags/etl/dagRuns', { body });
  assert.equal(again.status, 409);
  assert.equal((again.json as { detail: { reason: string } }).detail.reason, 'Unique constraint violation');
  const read = await api.ask('GET', `/dags/etl/dagRuns/${encodeURIComponent(String(run['dag_run_id']))}`);
  assert.deepEqual(read.json, run);
  const missing = await api.ask('POST', '/dags/etl/dagRuns', { body: {} });
  assert.deepEqual([missing.status, missing.json], [422, { detail: [{ type: 'missing', loc: ['body', 'logical_date'], msg: 'Field required', input: {} }] }]);
  const extra = await api.ask('POST', '/dags/etl/dagRuns', { body: { logical_date: null, foo: 1 } });
  assert.deepEqual(extra.json, { detail: [{ type: 'extra_forbidden', loc: ['body', 'foo'], msg: 'Extra inputs are not permitted', input: 1 }] });
  const unknown = await api.ask('POST', '/dags/none/dagRuns', { body: { logical_date: null } });
  assert.deepEqual([unknown.status, unknown.json], [404, { detail: "DAG with dag_id: 'none' not found" }]);
  const reserved = await api.ask('POST', '/dags/etl/dagRuns', { body: { logical_date: null, dag_run_id: 'scheduled__x' } });
  assert.equal(reserved.status, 400);
});

test('task instances, tries, logs and XComs of a run', async () => {
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r1' });
  const { attempt, execution } = await addInstance(api.database, { run, taskId: 'extract', state: 'success' });
  await addInstance(api.database, { run, taskId: 'load' });
  const list = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances')).json as { task_instances: { task_id: string; id: string; duration: number | null; max_tries: number }[]; total_entries: number };
  assert.deepEqual(list.task_instances.map((row) => [row.task_id, row.duration]), [['extract', 3.5], ['load', null]]);
  assert.equal(list.task_instances[0]?.id, attempt);
  const waiting = (await api.ask('GET', '/dags/~/dagRuns/~/taskInstances?state=none&state=running')).json as typeof list;
  assert.deepEqual(waiting.task_instances.map((row) => row.task_id), ['load']);
  const tries = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/tries')).json as { task_instances: { try_number: number; state: string }[] };
  assert.deepEqual(tries.task_instances.map((row) => [row.try_number, row.state]), [[1, 'success']]);

  const file = logFile(api.home, execution ?? '');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, '{"timestamp":"2026-01-01T00:00:02Z","level":"info","logger":"task","event":"hello"}\nplain\n');
  const log = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/logs/1')).json as { content: { event: string; sources?: string[] }[]; continuation_token: string | null };
  assert.deepEqual(log.content.map((line) => line.event), ['::group::Log message source details', '::endgroup::', 'hello', 'plain']);
  assert.equal(log.continuation_token, null);
  const lines = await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/logs/1', { headers: { accept: 'application/x-ndjson' } });
  assert.equal(lines.headers['content-type'], 'application/x-ndjson');
  assert.ok(lines.headers['airflow-continuation-token']);
  assert.deepEqual(lines.text.trim().split('\n').map((line) => (JSON.parse(line) as { event: string }).event), ['::group::Log message source details', '::endgroup::', 'hello', 'plain']);
  assert.equal((await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/logs/1', { headers: { accept: 'text/plain' } })).status, 406);
  assert.equal((await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/logs/2')).status, 404);
  const none = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/load/logs/0')).json as typeof log;
  assert.equal(none.content.at(-1)?.event, 'No logs available for this task.');

  const value = '{"big": 12345678901234567890, "float": 1.0, "b":1,"a":2}';
  await addXCom(api.database, { run, taskId: 'extract', key: 'a/b', value });
  const entries = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/xcomEntries')).json as { xcom_entries: { key: string }[] };
  assert.deepEqual(entries.xcom_entries.map((entry) => entry.key), ['a/b']);
  const xcom = await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/xcomEntries/a/b');
  assert.ok(xcom.text.endsWith(`,"value":${value}}`));
  const stringified = (await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/xcomEntries/a%2Fb?stringify=true')).json as { value: string };
  assert.equal(stringified.value, value);
  assert.deepEqual((await api.ask('GET', '/dags/etl/dagRuns/r1/taskInstances/extract/xcomEntries/no')).json, { detail: 'XCom entry with key: `no` not found' });
});

test('clearing gives a new try, ends what runs and sets a finished run going', async () => {
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r2', state: 'failed' });
  const { execution } = await addInstance(api.database, { run, taskId: 'extract', state: 'running' });
  await addInstance(api.database, { run, taskId: 'load', state: 'failed' });
  await addInstance(api.database, { run, taskId: 'report', state: 'upstream_failed' });
  const dry = (await api.ask('POST', '/dags/etl/clearTaskInstances', { body: { dag_run_id: 'r2' } })).json as { task_instances: { task_id: string; state: string | null }[] };
  assert.deepEqual(dry.task_instances.map((row) => [row.task_id, row.state]), [['load', 'failed'], ['report', 'upstream_failed']]);
  const running = await api.ask('POST', '/dags/etl/clearTaskInstances', { body: { dag_run_id: 'r2', dry_run: false, only_failed: false, prevent_running_task: true } });
  assert.equal(running.status, 409);
  const cleared = await api.ask('POST', '/dags/etl/clearTaskInstances', { body: { dag_run_id: 'r2', dry_run: false, only_failed: false, task_ids: ['extract'], include_downstream: true } });
  assert.equal(cleared.status, 200);
  const rows = await api.database.kysely.selectFrom('task_instances').selectAll().where('run', '=', run).orderBy('task_id').execute();
  assert.deepEqual(rows.map((row) => [row.task_id, row.state, row.attempt_id, row.execution_id, row.max_tries]), [['extract', null, null, null, 3], ['load', null, null, null, 1], ['report', null, null, null, 0]]);
  const ended = await api.database.kysely.selectFrom('executions').select(['state', 'ended', 'cause']).where('id', '=', execution ?? '').executeTakeFirstOrThrow();
  assert.deepEqual(ended, { state: 'cancelled', ended: true, cause: 'cancelled' });
  const after = await api.database.kysely.selectFrom('dag_runs').selectAll().where('id', '=', run).executeTakeFirstOrThrow();
  assert.deepEqual([after.state, after.finished, after.start_date, after.end_date, after.clear_number, after.epoch], ['queued', false, null, null, 1, 1]);
});

test('marking a task clears what failed below it', async () => {
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r3', state: 'failed' });
  await addInstance(api.database, { run, taskId: 'extract', state: 'failed' });
  await addInstance(api.database, { run, taskId: 'load', state: 'upstream_failed' });
  await addInstance(api.database, { run, taskId: 'report', state: 'upstream_failed' });
  const marked = await api.ask('PATCH', '/dags/etl/dagRuns/r3/taskInstances/extract', { body: { new_state: 'success', note: 'checked by hand' } });
  assert.equal(marked.status, 200);
  const states = async (): Promise<unknown> => (await api.database.kysely.selectFrom('task_instances').select(['task_id', 'state', 'note']).where('run', '=', run).orderBy('task_id').execute()).map((row) => [row.task_id, row.state, row.note]);
  assert.deepEqual(await states(), [['extract', 'success', 'checked by hand'], ['load', null, null], ['report', null, null]]);
  const again = await api.ask('PATCH', '/dags/etl/dagRuns/r3/taskInstances/extract', { body: { new_state: 'success' } });
  assert.deepEqual([again.status, again.json], [409, { detail: 'Task id extract is already in success state' }]);
  assert.equal((await api.ask('PATCH', '/dags/etl/dagRuns/r3/taskInstances/extract', { body: { new_state: 'running' } })).status, 422);
  const failed = await api.ask('PATCH', '/dags/etl/dagRuns/r3', { body: { state: 'failed' } });
  assert.equal((failed.json as { state: string }).state, 'failed');
  assert.deepEqual(await states(), [['extract', 'success', 'checked by hand'], ['load', 'skipped', null], ['report', 'skipped', null]]);
});

test('why a task waits is told', async () => {
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r4' });
  await addInstance(api.database, { run, taskId: 'extract', state: 'running' });
  await addInstance(api.database, { run, taskId: 'load' });
  const told = await api.ask('GET', '/dags/etl/dagRuns/r4/taskInstances/load/explain');
  const { state, reasons } = told.json as { state: null; reasons: string[] };
  assert.equal(state, null);
  assert.match(reasons.join('|'), /^waits for extract \(running \d+ s\)$/);
  const dependencies = await api.ask('GET', '/dags/etl/dagRuns/r4/taskInstances/load/dependencies');
  assert.deepEqual(dependencies.json, { dependencies: [{ name: 'Trigger Rule', reason: 'all_success: 0 of 1 upstream succeeded, 1 unfinished' }] });
});

test('a deleted run leaves nothing behind', async () => {
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r5', state: 'success' });
  await addInstance(api.database, { run, taskId: 'extract', state: 'success' });
  await addXCom(api.database, { run, taskId: 'extract', key: 'return_value', value: '1' });
  assert.equal((await api.ask('DELETE', '/dags/etl/dagRuns/r5')).status, 204);
  for (const table of ['task_instances', 'task_attempts', 'executions', 'xcoms', 'xcom_values'] as const) {
    assert.equal((await api.database.kysely.selectFrom(table).select('run').where('run', '=', run).execute()).length, 0, table);
  }
  assert.equal((await api.ask('GET', '/dags/etl/dagRuns/r5')).status, 404);
  const waiting = await api.ask('GET', '/dags/etl/dagRuns/r2/wait?interval=0');
  assert.equal(waiting.status, 422);
});
