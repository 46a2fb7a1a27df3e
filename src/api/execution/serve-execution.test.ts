// What goes over the wire before anybody reads the database: versions, tokens, refusals. Bodies are those that Airflow 3.2.1 answered to the same requests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#contract/errors.ts';
import type { Event } from '#contract/events.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { type Asking, callerOf, StandInService } from '../../../test/support/execution-service.ts';
import { NO_SECRETS } from '../../../test/support/no-secrets.ts';
import type { ExecutionAnswer } from './execution-call.ts';
import { EXECUTION_ROUTES } from './routes.ts';
import { createExecutionApi } from './serve-execution.ts';

const TI = '0190a0a0-0000-7000-8000-000000000001';
const ENTER = { state: 'running', hostname: 'h', unixname: 'u', pid: 7, start_date: '2026-01-01T00:00:00Z' };

function start() {
  const service = new StandInService();
  service.callers.set('e.token', callerOf());
  service.callers.set('t.token', callerOf({ kind: 'trigger' }));
  service.callers.set('c.token', callerOf({ kind: 'callback' }));
  service.callers.set('ended.token', callerOf({ isOpen: false }));
  const events: Event[] = [];
  const reporter = createReporter('error', () => undefined);
  reporter.listen((event) => events.push(event));
  const api = createExecutionApi({ service, database: {} as Database, values: null, secrets: NO_SECRETS, config: readConfig({}, {}), reporter });
  const ask = async (line: string, how: Asking = {}): Promise<ExecutionAnswer & { readonly json: unknown }> => {
    const [method = '', url = ''] = line.split(' ');
    const [path = '', query = ''] = url.split('?');
    const bearer = how.bearer === undefined ? 'e.token' : how.bearer;
    const body = how.raw ?? (how.body === undefined ? '' : JSON.stringify(how.body));
    const answer = await api.handle({ method, path, query, headers: { ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }), ...how.headers }, body: Buffer.from(body) });
    return { ...answer, json: answer.body === null ? null : JSON.parse(answer.body) };
  };
  return { service, ask, events };
}

test('there are 39 operations at the latest version, 36 before', () => {
  assert.equal(EXECUTION_ROUTES.filter((route) => route.until === undefined).length, 39);
  assert.equal(EXECUTION_ROUTES.filter((route) => route.since === undefined).length, 37);
  assert.equal(new Set(EXECUTION_ROUTES.map((route) => route.id)).size, 40);
});

test('every answer is exactly application/json, tells its version and echoes the correlation id', async () => {
  const { ask } = start();
  const plain = await ask('GET /health', { bearer: null });
  assert.deepEqual([plain.status, plain.headers, plain.body], [200, { 'content-type': 'application/json', 'airflow-api-version': '2026-04-06' }, '{"status":"healthy"}']);
  const dated = await ask('GET /nope', { bearer: null, headers: { 'airflow-api-version': '2026-12-31', 'correlation-id': 'abc' } });
  assert.deepEqual([dated.status, dated.headers, dated.body], [404, { 'content-type': 'application/json', 'airflow-api-version': '2026-12-31', 'correlation-id': 'abc' }, '{"detail":"Not Found"}']);
  const beat = await ask(`PUT /task-instances/${TI}/heartbeat`, { body: { hostname: 'h', pid: 1 } });
  assert.deepEqual([beat.status, beat.body, beat.headers['content-type']], [204, null, undefined]);
});

test('a date means the closest version at or below it; older ones and no dates are refused', async () => {
  const { ask } = start();
  const at = async (version: string, line = 'GET /health'): Promise<unknown> => { const { status, json } = await ask(line, { headers: { 'airflow-api-version': version } }); return [status, json]; };
  for (const version of ['2026-04-06', '2027-01-01', '2025-11-05', '2026-04-05']) assert.deepEqual(await at(version), [200, { status: 'healthy' }]);
  const fault = (input: string, reason: string): unknown => [422, { detail: [{ type: 'date_from_datetime_parsing', loc: ['header', 'Airflow-API-Version'], msg: `Input should be a valid date or datetime, ${reason}`, input, ctx: { error: reason } }] }];
  assert.deepEqual(await at('banana'), fault('banana', 'input is too short'));
  assert.deepEqual(await at('2026-13-01'), fault('2026-13-01', 'month value is outside expected range of 1-12'));
  assert.deepEqual(await at('2026-02-30'), fault('2026-02-30', 'day value is outside expected range'));
  for (const version of ['2025-11-04', '2025-10-27', '2025-04-11']) {
    const [status, json] = (await at(version)) as [number, { detail: [{ loc: unknown; msg: string }] }];
    assert.deepEqual([status, json.detail[0].loc], [422, ['header', 'Airflow-API-Version']]);
    assert.match(json.detail[0].msg, new RegExp(`^Value error, version ${version} of the Task Execution API is not served, only 2025-11-05 and later: install apache-airflow-task-sdk 1\\.1\\.2 or newer`));
  }
  assert.deepEqual(await at('2025-11-05', 'GET /dags/d'), [404, { detail: 'Not Found' }]);
  assert.deepEqual(await at('2025-11-05', 'GET /dag-runs/previous?dag_id=d&logical_date=2026-01-01T00:00:00Z'), [404, { detail: 'Not Found' }]);
  assert.deepEqual(await at('2025-11-05', 'GET /dag-runs/d/r'), [405, { detail: 'Method Not Allowed' }]);
});

test('tokens: none, wrong, of another task instance, of a trigger, of an execution that has ended', async () => {
  const { ask, service } = start();
  const tell = async (line: string, how: Asking): Promise<unknown> => { const { status, json } = await ask(line, how); return [status, json]; };
  assert.deepEqual(await tell('GET /variables/x', { bearer: null }), [401, { detail: 'Missing auth token' }]);
  assert.deepEqual(await tell('GET /variables/x', { bearer: null, headers: { authorization: 'Basic x' } }), [401, { detail: 'Missing auth token' }]);
  assert.deepEqual(await tell('GET /variables/x', { bearer: 'x' }), [403, { detail: 'Invalid auth token: the token names no execution' }]);
  for (const id of ['0190a0a0-0000-7000-8000-000000000002', 'nouuid']) assert.deepEqual(await tell(`PATCH /task-instances/${id}/run`, { body: {} }), [403, { detail: 'Token subject does not match task instance ID' }]);
  assert.deepEqual(await tell('POST /hitlDetails/0190a0a0-0000-7000-8000-000000000002', { body: {} }), [403, { detail: 'Token subject does not match task instance ID' }]);
  assert.deepEqual(await tell(`PATCH /task-instances/${TI}/run`, { bearer: 't.token', body: ENTER }), [403, { detail: "Token type 'trigger' not allowed for this endpoint. Allowed types: execution" }]);
  const ended = [409, { detail: { reason: 'invalid_state', message: 'The execution that this token names has ended, so it changes nothing any more' } }];
  for (const line of ['PUT /variables/x', 'DELETE /variables/x', 'POST /dag-runs/d/r', 'POST /dag-runs/d/r/clear', `POST /hitlDetails/${TI}`, `PATCH /task-instances/${TI}/skip-downstream`]) assert.deepEqual(await tell(line, { bearer: 'ended.token' }), ended, line);
  const forbidden = (id: string): unknown => [403, { detail: `A callback may not call ${id}` }];
  assert.deepEqual(await tell('POST /xcoms/d/r/t/k', { bearer: 'c.token', raw: '1' }), forbidden('set_xcom'));
  assert.deepEqual(await tell('POST /dag-runs/d/r', { bearer: 'c.token', body: {} }), forbidden('trigger_dag_run'));
  assert.notEqual((await ask('GET /variables/x', { bearer: 'c.token' })).status, 403);
  const pushed = await tell('POST /xcoms/d/r/t/_link_A', { bearer: 'ended.token', raw: '"http://x"' });
  assert.deepEqual(pushed, [201, { message: 'XCom successfully set' }]);
  assert.deepEqual(service.calls, [['push', { taskId: 't', mapIndex: -1, key: '_link_A', value: '"http://x"', mappedLength: null }]]);
});

test('what may pass by itself is a 503, so that the Task SDK asks again; what nobody foresaw tells nothing', async () => {
  const { ask, service, events } = start();
  service.failure = new AppError('not_leading', 'this server does not lead', { hint: '' });
  const follower = await ask(`PATCH /task-instances/${TI}/run`, { body: ENTER });
  assert.deepEqual([follower.status, follower.json], [503, { detail: { reason: 'not_leading', message: 'this server does not lead' } }]);
  for (const code of ['08006', '57P01', '40001', '55P03', '57014', 'ECONNREFUSED']) {
    service.failure = Object.assign(new Error('away'), { code });
    assert.equal((await ask('GET /variables/x')).status, 503, code);
  }
  service.failure = new Error('secret detail');
  const bug = await ask('GET /variables/x', { headers: { 'correlation-id': 'abc' } });
  assert.deepEqual([bug.status, bug.json], [500, { message: 'Internal server error', 'correlation-id': 'abc' }]);
  assert.deepEqual(events.map((event) => event.event), ['failure']);
});

test('a path takes its methods only', async () => {
  const { ask } = start();
  for (const line of ['POST /health', 'OPTIONS /health', 'PUT /xcoms/d/r/t/k', 'HEAD /health']) assert.equal((await ask(line)).status, 405, line);
  assert.equal((await ask('POST /health')).headers['allow'], 'GET');
  for (const line of ['GET /', 'GET ', 'GET /connections/a/b', 'GET /nope']) assert.equal((await ask(line)).status, 404, line);
});

test('bodies are refused with FastAPI’s lists', async () => {
  const { ask } = start();
  const run = `PATCH /task-instances/${TI}/run`;
  const detail = async (line: string, how: Asking): Promise<unknown> => { const { status, json } = await ask(line, how); assert.equal(status, 422, line); return (json as { detail: unknown }).detail; };
  const field = (name: string): unknown => ({ type: 'missing', loc: ['body', name], msg: 'Field required', input: {} });
  assert.deepEqual(await detail(run, { body: {} }), ['state', 'hostname', 'unixname', 'pid', 'start_date'].map(field));
  assert.deepEqual(await detail(run, {}), [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
  assert.deepEqual(await detail(run, { body: [1] }), [{ type: 'model_attributes_type', loc: ['body'], msg: 'Input should be a valid dictionary or object to extract fields from', input: [1] }]);
  assert.deepEqual(await detail(run, { body: { state: 'x', hostname: 1, unixname: 'u', pid: '7', start_date: '2026-01-01T00:00:00', foo: 1 } }), [
    { type: 'literal_error', loc: ['body', 'state'], msg: "Input should be <TaskInstanceState.RUNNING: 'running'>", input: 'x', ctx: { expected: "<TaskInstanceState.RUNNING: 'running'>" } },
    { type: 'string_type', loc: ['body', 'hostname'], msg: 'Input should be a valid string', input: 1 }, { type: 'timezone_aware', loc: ['body', 'start_date'], msg: 'Input should have timezone info', input: '2026-01-01T00:00:00' },
    { type: 'extra_forbidden', loc: ['body', 'foo'], msg: 'Extra inputs are not permitted', input: 1 },
  ]);
  assert.equal(((await detail(run, { raw: '{bad' })) as [{ type: string }])[0].type, 'json_invalid');
  assert.equal(((await detail('POST /xcoms/d/r/t/k', { raw: '{bad' })) as [{ type: string }])[0].type, 'json_invalid');
  assert.deepEqual(await detail(`PUT /task-instances/${TI}/rtif`, { body: [1] }), [{ type: 'dict_type', loc: ['body'], msg: 'Input should be a valid dictionary', input: [1] }]);
  assert.equal(await detail(`PATCH /task-instances/${TI}/rendered-map-index`, { body: '' }), 'rendered_map_index cannot be empty');
  assert.deepEqual(await detail('PUT /variables/a', { body: { val: null, x: 1 } }), [{ type: 'extra_forbidden', loc: ['body', 'x'], msg: 'Extra inputs are not permitted', input: '***' }]);
  const secret = await ask('PUT /variables/a', { body: { value: 'hush' } });
  assert.deepEqual([secret.status, secret.body?.includes('hush')], [422, false], 'a refusal shows no value of a variable');
  assert.deepEqual(await detail(`POST /hitlDetails/${TI}`, { body: { ti_id: TI, options: [], subject: 's' } }), [
    { type: 'too_short', loc: ['body', 'options'], msg: 'List should have at least 1 item after validation, not 0', input: [], ctx: { field_type: 'List', min_length: 1, actual_length: 0 } },
  ]);
  assert.deepEqual(await detail('POST /dag-runs/d/r', { body: { logical_date: '2026-01-01T00:00:00', conf: null, x: 1, reset_dag_run: 'maybe' } }), [
    { type: 'timezone_aware', loc: ['body', 'logical_date'], msg: 'Input should have timezone info', input: '2026-01-01T00:00:00' }, { type: 'dict_type', loc: ['body', 'conf'], msg: 'Input should be a valid dictionary', input: null },
    { type: 'bool_parsing', loc: ['body', 'reset_dag_run'], msg: 'Input should be a valid boolean, unable to interpret input', input: 'maybe' }, { type: 'extra_forbidden', loc: ['body', 'x'], msg: 'Extra inputs are not permitted', input: 1 },
  ]);
});

test('parameters are refused with FastAPI’s lists', async () => {
  const { ask } = start();
  const detail = async (line: string): Promise<unknown> => { const { status, json } = await ask(line); assert.equal(status, 422, line); return (json as { detail: unknown }).detail; };
  assert.deepEqual(await detail('GET /task-instances/count'), [{ type: 'missing', loc: ['query', 'dag_id'], msg: 'Field required', input: null }]);
  assert.deepEqual(await detail('GET /asset-events/by-asset'), ['name', 'uri'].map((name) => ({ type: 'missing', loc: ['query', name], msg: 'Field required', input: null })));
  assert.deepEqual(await detail('GET /dag-runs/count?dag_id=d&logical_dates=2026-01-01T00:00:00&logical_dates=x'), [
    { type: 'timezone_aware', loc: ['query', 'logical_dates', 0], msg: 'Input should have timezone info', input: '2026-01-01T00:00:00' },
    { type: 'datetime_from_date_parsing', loc: ['query', 'logical_dates', 1], msg: 'Input should be a valid datetime or date, input is too short', input: 'x', ctx: { error: 'input is too short' } },
  ]);
  assert.deepEqual(await detail('GET /xcoms/d/r/t/k/item/x'), [{ type: 'int_parsing', loc: ['path', 'offset'], msg: 'Input should be a valid integer, unable to parse string as an integer', input: 'x' }]);
  assert.deepEqual(await detail('GET /task-reschedules/nouuid/start_date'), [{
    type: 'uuid_parsing', loc: ['path', 'task_instance_id'], msg: 'Input should be a valid UUID, invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `n` at 1', input: 'nouuid',
    ctx: { error: 'invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], found `n` at 1' },
  }]);
  const empty = await ask('GET /asset-events/by-asset?name=&uri=');
  assert.deepEqual([empty.status, empty.json], [400, { detail: { reason: 'Missing parameter', message: 'name and uri cannot both be None' } }]);
  const head = await ask('HEAD /xcoms/d/r/t/k?map_index=1');
  assert.deepEqual([head.status, head.body], [400, null]);
});

test('heartbeats and beginnings are refused as Airflow does', async () => {
  const { ask, service } = start();
  const beat = async (): Promise<unknown> => { const { status, json } = await ask(`PUT /task-instances/${TI}/heartbeat`, { body: { hostname: 'h', pid: 1 } }); return [status, json]; };
  service.heartbeatAnswer = { kind: 'running_elsewhere', hostname: 'other', pid: 5 };
  assert.deepEqual(await beat(), [409, { detail: { reason: 'running_elsewhere', message: 'TI is already running elsewhere', current_hostname: 'other', current_pid: 5 } }]);
  service.heartbeatAnswer = { kind: 'not_running', state: 'success' };
  assert.deepEqual(await beat(), [409, { detail: { reason: 'not_running', message: 'TI is no longer in the running state and task should terminate', current_state: 'success' } }]);
  service.heartbeatAnswer = { kind: 'gone' };
  assert.deepEqual(await beat(), [410, { detail: { reason: 'not_found', message: 'Task Instance not found, it may have been moved to the Task Instance History table' } }]);
  service.begun = { kind: 'invalid_state', previousState: 'running' };
  const again = await ask(`PATCH /task-instances/${TI}/run`, { body: ENTER });
  assert.deepEqual([again.status, again.json], [409, { detail: { reason: 'invalid_state', message: 'TI was not in a state where it could be marked as running', previous_state: 'running' } }]);
  service.begun = { kind: 'not_found' };
  const gone = await ask(`PATCH /task-instances/${TI}/run`, { body: ENTER });
  assert.deepEqual([gone.status, gone.json], [404, { detail: { reason: 'not_found', message: 'Task Instance not found' } }]);
});

test('what an execution says of itself reaches the engine as it was said', async () => {
  const { ask, service } = start();
  assert.equal((await ask(`PATCH /task-instances/${TI.toUpperCase()}/skip-downstream`, { body: { tasks: ['a', ['b', 2], ['c', -1]] } })).status, 204);
  assert.equal((await ask(`PUT /task-instances/${TI}/rtif`, { body: { a: 'x', b: { c: [1] } } })).status, 201);
  assert.equal((await ask(`PATCH /task-instances/${TI}/rendered-map-index`, { body: 'eins' })).status, 204);
  assert.equal((await ask('POST /xcoms/d/r/t/a%2Fb?map_index=3&mapped_length=2', { raw: '[1.0, 12345678901234567890]' })).status, 201);
  assert.equal((await ask('DELETE /xcoms/d/r/t/k?map_index=3')).body, '{"message":"XCom with key: k successfully deleted."}');
  assert.deepEqual(service.calls, [
    ['skip', [{ taskId: 'a', mapIndex: -1 }, { taskId: 'b', mapIndex: 2 }, { taskId: 'c', mapIndex: -1 }]], ['fields', { a: 'x', b: { c: [1] } }], ['map index', 'eins'],
    ['push', { taskId: 't', mapIndex: 3, key: 'a/b', value: '[1.0, 12345678901234567890]', mappedLength: 2 }], ['delete', { taskId: 't', mapIndex: 3, key: 'k' }],
  ]);
  const long = await ask('POST /xcoms/d/r/t/k?mapped_length=1025', { raw: '[]' });
  assert.deepEqual([long.status, long.json], [400, { detail: { reason: 'unmappable_return_value_length', message: "pushed value is too large to map as a downstream's dependency" } }]);
  const foreign = await ask('POST /xcoms/d/other/t/k', { raw: '1' });
  assert.deepEqual([foreign.status, (foreign.json as { detail: { reason: string } }).detail.reason], [403, 'access_denied']);
});
