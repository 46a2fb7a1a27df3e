// The server's frame: paths that are not there, bodies that are no JSON, limits, compression, documents, probes, events, bugs.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { testApi, type TestApi } from '../../test/support/api.ts';
import { addDag, addInstance, addRun, dagOf, task } from '../../test/support/rows.ts';
import { maskSecrets } from './audit.ts';
import { NO_PARAMS, operation } from './operation.ts';
import { openToken, sealToken } from './signed-token.ts';
import { buildApi } from './server.ts';
import { AIRFLOW_ROUTES } from './routes.ts';
import { createFileLogStore } from '#logs/file-log-store.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';

let api: TestApi;
before(async () => {
  api = await testApi({ LEOFLOW_MAX_BODY_BYTES: 2048 });
  await addDag(api.database, dagOf('etl', Array.from({ length: 30 }, (_, index) => task(`task_${index}`))));
});

test('paths that are not there, in Airflow’s words', async () => {
  const cases = [
    ['!/api/v1/dags', { error: '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.' }], ['!/api/nothing', { error: 'API route not found' }],
    ['!/health', { error: 'Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`' }], ['!/nothing', { detail: 'Not Found' }],
    ['/dags/none', { detail: 'The Dag with ID: `none` was not found' }], ['/dags/none/dagRuns/r', { detail: 'The DagRun with dag_id: `none` and run_id: `r` was not found' }],
    ['/dags/etl/dagRuns/r/taskInstances', { detail: 'DagRun with dag_id: `etl` and run_id: `r` was not found' }], ['/pools/a/b', { detail: 'The Pool with name: `a/b` was not found' }],
    ['/dags/etl/tasks/x', { detail: 'Task with id x was not found' }], ['/dags/etl/dagVersions/9', { detail: 'The DagVersion with dag_id: `etl` and version_number: `9` was not found' }],
  ] as const;
  for (const [path, body] of cases) {
    const answer = await api.ask('GET', path);
    assert.deepEqual([answer.status, answer.json], [404, body], path);
  }
});

test('operations of later versions say so, and are not in the document', async () => {
  const answer = await api.ask('GET', '/assets');
  assert.deepEqual([answer.status, answer.json], [501, { detail: 'get_assets is not part of this version yet' }]);
  const document = (await api.ask('GET', '!/openapi.json', { role: null })).json as { paths: Record<string, Record<string, { operationId: string }>>; components: { schemas: Record<string, unknown> } };
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((each) => each.operationId));
  assert.equal(ids.includes('get_assets'), false);
  assert.equal(ids.length, AIRFLOW_ROUTES.filter((route) => route.operation !== undefined).length + 2);
  assert.ok('DAGRunResponse' in document.components.schemas);
  assert.equal(JSON.stringify(document).includes('"$id"'), false);
});

test('a body that is no JSON, of another type, missing or too large', async () => {
  const post = (payload: string, type = 'application/json') => api.app.inject({ method: 'POST', url: '/api/v2/pools', headers: { 'content-type': type, authorization: '' }, payload });
  assert.equal((await post('{')).statusCode, 401, 'who asks comes first');
  const ask = (payload: string, type = 'application/json') => api.ask('POST', '/pools', { body: payload, headers: { 'content-type': type } });
  const broken = await ask('{"name": ');
  assert.equal(broken.status, 422);
  assert.equal((broken.json as { detail: { type: string }[] }).detail[0]?.type, 'json_invalid');
  assert.equal(((await ask('name=x', 'text/plain')).json as { detail: { type: string }[] }).detail[0]?.type, 'model_attributes_type');
  assert.deepEqual((await api.ask('POST', '/pools')).json, { detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] });
  const deep = await api.ask('POST', '/dags/etl/dagRuns', { body: `{"logical_date": null, "conf": {"a": ${'['.repeat(70)}${']'.repeat(70)}}}`, headers: { 'content-type': 'application/json' } });
  assert.deepEqual([deep.status, deep.json], [400, { detail: 'the body is nested deeper than 64 levels. Send a flatter one.' }]);
  const late = await api.ask('POST', '/dags/etl/dagRuns', { body: { logical_date: '9999-12-31T23:59:59-20:00' } });
  assert.equal(late.status, 422);
  const large = await api.ask('POST', '/pools', { body: { name: 'x'.repeat(3000), slots: 1 } });
  assert.equal(large.status, 413);
  assert.match((large.json as { detail: string }).detail, /too large/);
});

test('answers from 1 KiB are compressed, lines never', async () => {
  const packed = await api.app.inject({ method: 'GET', url: '/openapi.json', headers: { 'accept-encoding': 'gzip' } });
  assert.equal(packed.headers['content-encoding'], 'gzip');
  assert.ok(JSON.parse(gunzipSync(packed.rawPayload).toString()));
  const small = await api.app.inject({ method: 'GET', url: '/api/v2/version', headers: { 'accept-encoding': 'gzip' } });
  assert.equal(small.headers['content-encoding'], undefined);
});

test('probes, metrics, health and version need no token', async () => {
  assert.deepEqual((await api.ask('GET', '!/healthz', { role: null })).json, { status: 'ok' });
  assert.deepEqual((await api.ask('GET', '!/readyz', { role: null })).json, { status: 'ready' });
  assert.match((await api.ask('GET', '!/metrics', { role: null })).text, /leoflow_http_request_seconds_count\{method="GET",route="\/healthz",status="200"\} 1/);
  const health = (await api.ask('GET', '/monitor/health', { role: null })).json as { metadatabase: { status: string }; scheduler: { status: string } };
  assert.deepEqual([health.metadatabase.status, health.scheduler.status], ['healthy', 'unhealthy']);
  assert.deepEqual((await api.ask('GET', '/version', { role: null })).json, { version: '3.2.1', git_version: 'leoflow 0.0.0-test' });
  assert.ok(api.events.some((event) => event.event === 'http.request' && event.route === '/healthz'));
});

test('the reference page asks no other host', async () => {
  const page = await api.app.inject({ method: 'GET', url: '/docs/' });
  assert.equal(page.statusCode, 200);
  const sources = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  assert.ok(sources.length > 0);
  assert.deepEqual(sources.filter((source) => /^(https?:)?\/\//.test(source)), []);
  const script = await api.app.inject({ method: 'GET', url: '/docs/js/scalar.js' });
  assert.deepEqual([script.statusCode, script.body.length > 100_000], [200, true]);
});

test('a bug is told to the log and to nobody else', async () => {
  const events: string[] = [];
  const reporter = createReporter('error', (line) => events.push(line));
  const broken = operation({ params: NO_PARAMS, response: null, run: () => Promise.reject(new Error('the secret is 42')) });
  const app = await buildApi({
    database: api.database, keys: api.keys, config: readConfig({}, {}), logs: createFileLogStore(api.home), reporter, version: '0',
    moreRoutes: [{ id: 'broken', tag: 'Test', method: 'GET', path: '/broken', access: 'dag:GET', audit: false, operation: broken }],
  });
  const { readSigningKey, signToken } = await import('./auth/tokens.ts');
  const token = await signToken(await readSigningKey(api.database, { LEOFLOW_JWT_SECRET: null }), { name: 'ann', role: 'viewer' }, 60);
  const answer = await app.inject({ method: 'GET', url: '/api/v2/broken', headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual([answer.statusCode, answer.body, answer.headers['content-type']], [500, 'Internal Server Error', 'text/plain; charset=utf-8']);
  assert.ok(events.some((line) => line.includes('the secret is 42') && line.includes('/api/v2/broken')));
  await app.close();
});

test('a route without an access stops the start', async () => {
  const reporter = createReporter('error', () => undefined);
  await assert.rejects(buildApi({
    database: api.database, keys: api.keys, config: readConfig({}, {}), logs: createFileLogStore(api.home), reporter, version: '0',
    moreRoutes: [{ id: 'open', tag: 'Test', method: 'GET', path: '/open', access: 'none', audit: false }],
  }), /neither public nor does it name its access/);
});

test('changes are written to the audit log with their secrets masked', async () => {
  await api.ask('PATCH', '/dags/etl', { body: { is_paused: true } });
  await api.ask('POST', '/pools', { body: { name: 'p1', slots: 3 } });
  await api.ask('POST', '/pools', { body: { name: 'p1', slots: 3 } });
  const { event_logs: logs } = (await api.ask('GET', '/eventLogs?order_by=-id')).json as { event_logs: { event: string; owner: string; dag_id: string | null; extra: string }[] };
  assert.deepEqual(logs.map((log) => [log.event, log.owner, log.dag_id]), [['post_pool', 'the admin', null], ['patch_dag', 'the admin', 'etl']]);
  assert.deepEqual(JSON.parse(logs[0]?.extra ?? ''), { name: 'p1', slots: 3, method: 'POST' });
  assert.deepEqual(maskSecrets({ password: 'x', a: [{ api_key: 1 }], token: null }), { password: '***', a: [{ api_key: '***' }], token: null });
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r1' });
  await addInstance(api.database, { run, taskId: 'task_1', state: 'failed' });
  await api.ask('POST', '/dags/etl/clearTaskInstances', { body: { dag_run_id: 'r1' } });
  assert.equal(((await api.ask('GET', '/eventLogs?event=post_clear_task_instances')).json as { total_entries: number }).total_entries, 0, 'a dry run changes nothing');
});

test('a continuation that was changed is refused', async () => {
  const key = Buffer.alloc(64, 7);
  const token = sealToken(key, { execution: 1, offset: 20 });
  assert.deepEqual(openToken(key, token), { execution: 1, offset: 20 });
  for (const wrong of [`x${token}`, token.slice(0, -1), 'a.b', '', `${Buffer.from('{"offset":0}').toString('base64url')}.${token.split('.')[1] ?? ''}`]) assert.equal(openToken(key, wrong), null);
  const run = await addRun(api.database, { dagId: 'etl', runId: 'r2' });
  await addInstance(api.database, { run, taskId: 'task_2', state: 'success' });
  const refused = await api.ask('GET', '/dags/etl/dagRuns/r2/taskInstances/task_2/logs/1?token=wrong.token');
  assert.deepEqual([refused.status, refused.json], [400, { detail: 'Bad Signature. Please use only the tokens provided by the API.' }]);
});
