// The Task Execution API with a real engine behind it: what a supervisor and a trigger see over the life of a task.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import { answerPeople } from '#store/hitl-details.ts';
import { EngineUnderTest } from '../../../test/support/engine.ts';
import type { Asking } from '../../../test/support/execution-service.ts';
import { NO_SECRETS } from '../../../test/support/no-secrets.ts';
import { dagOf, task } from '../../../test/support/rows.ts';
import { createExecutionApi } from './serve-execution.ts';

interface Told { readonly status: number; readonly json: unknown }

/** Asks as whoever has the bearer. */
function clientOf(engine: EngineUnderTest): (bearer: string, line: string, how?: Asking) => Promise<Told> {
  const api = createExecutionApi({ service: engine.scheduler, database: engine.database, values: null, secrets: NO_SECRETS, config: readConfig({}, {}), reporter: createReporter('error', () => undefined) });
  return async (bearer, line, how = {}) => {
    const [method = '', path = ''] = line.split(' ');
    const body = how.raw ?? (how.body === undefined ? '' : JSON.stringify(how.body));
    const { status, body: text } = await api.handle({ method, path, query: '', headers: { authorization: `Bearer ${bearer}`, ...how.headers }, body: Buffer.from(body) });
    return { status, json: text === null ? null : JSON.parse(text) };
  };
}

const bearerOf = (spec: ExecutionSpec): string => `${spec.execution_id}.${spec.token}`;
const PROCESS = { hostname: 'h', pid: 7 };
const ENTER = { body: { state: 'running', ...PROCESS, unixname: 'u', start_date: '2026-01-01T00:00:00Z' } };
const END = '2026-01-01T00:00:00Z';
const tiOf = (spec: ExecutionSpec): string => `/task-instances/${spec.attempt_id}`;
const reasonOf = ({ status, json }: Told): unknown => [status, (json as { detail: { reason?: string } }).detail.reason ?? (json as { detail: unknown }).detail];

describe('a task over the Task Execution API', () => {
  test('it begins once, lives, pushes, succeeds, and pushes its links afterwards', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a']), task('skipped', ['a'])])]);
    const ask = clientOf(engine);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const [bearer, ti] = [bearerOf(spec), tiOf(spec)];
    assert.deepEqual(reasonOf(await ask(bearer, `PUT ${ti}/heartbeat`, { body: PROCESS })), [409, 'not_running'], 'it has not begun');
    assert.equal((await ask(bearer, `PATCH ${ti}/run`, ENTER)).status, 200);
    assert.equal((await ask(bearer, `PATCH ${ti}/run`, ENTER)).status, 200, 'the same process may ask again');
    assert.deepEqual(reasonOf(await ask(bearer, `PATCH ${ti}/run`, { body: { ...ENTER.body, pid: 8 } })), [409, 'invalid_state']);
    assert.equal((await ask(bearer, `PUT ${ti}/heartbeat`, { body: PROCESS })).status, 204);
    assert.deepEqual(reasonOf(await ask(bearer, `PUT ${ti}/heartbeat`, { body: { ...PROCESS, pid: 8 } })), [409, 'running_elsewhere']);
    assert.equal((await ask(bearer, `PUT ${ti}/rtif`, { body: { command: 'echo' } })).status, 201);
    assert.equal((await ask(bearer, `POST /xcoms/d/${spec.run.run_id}/a/return_value`, { raw: '{"f":1.0}' })).status, 201);
    assert.equal((await ask(bearer, `PATCH ${ti}/skip-downstream`, { body: { tasks: [['skipped', -1]] } })).status, 204);
    assert.equal((await ask(bearer, `PATCH ${ti}/state`, { body: { state: 'success', end_date: END, rendered_map_index: null } })).status, 204);
    await engine.untilInstance(run, 'skipped', 'skipped');
    const next = await engine.job('b');
    assert.deepEqual((await ask(bearerOf(next), `GET /xcoms/d/${spec.run.run_id}/a/return_value`)).json, { key: 'return_value', value: { f: 1 } });
    assert.equal((await ask(bearer, `POST /xcoms/d/${spec.run.run_id}/a/_link_A`, { raw: '"http://x"' })).status, 201, 'links come after the report');
    assert.deepEqual(reasonOf(await ask(bearer, `PUT ${ti}/heartbeat`, { body: PROCESS })), [409, 'not_running']);
    assert.deepEqual(reasonOf(await ask(bearer, `PATCH ${ti}/state`, { body: { state: 'failed', end_date: END } })), [409, 'invalid_state']);
    assert.deepEqual(reasonOf(await ask(bearer, 'PUT /variables/v', { body: { val: 'x' } })), [409, 'invalid_state']);
    assert.deepEqual((await engine.one('select rendered_fields from task_attempts where id = $1', [spec.attempt_id]))?.['rendered_fields'], { command: 'echo' });
  });

  test('it defers; its trigger reads the answer of people, and it goes on as the same task instance', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const ask = clientOf(engine);
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const [bearer, ti] = [bearerOf(spec), tiOf(spec)];
    assert.equal((await ask(bearer, `PATCH ${ti}/run`, ENTER)).status, 200);
    const question = { ti_id: spec.attempt_id, options: ['yes'], subject: 's', assigned_users: [] };
    assert.equal((await ask(bearer, `POST /hitlDetails/${spec.attempt_id}`, { body: question })).status, 201);
    assert.equal((await ask(bearer, `POST /xcoms/d/${spec.run.run_id}/a/early`, { raw: '1' })).status, 201);
    assert.equal((await ask(bearer, `PATCH ${ti}/state`, { raw: '{"state":"deferred","classpath":"x.T","trigger_kwargs":{"poll":5.0},"trigger_timeout":"PT1H","next_method":"done","next_kwargs":{"n":1.0}}' })).status, 204);
    await engine.untilInstance(run, 'a', 'deferred');
    engine.machine.running.delete(spec.execution_id);
    const versionId = engine.versions.get('d') ?? assert.fail();
    const { create: [order] } = await engine.scheduler.watchTriggers({ fork_server: versionId satisfies VersionId, pid: 1, running: [] }, AbortSignal.timeout(8000));
    assert.ok(order);
    assert.equal(order.kwargs, '{"poll":5.0}');
    const trigger = `${order.id}.${order.token}`;
    assert.deepEqual(reasonOf(await ask(trigger, `PUT ${ti}/heartbeat`, { body: PROCESS })), [403, "Token type 'trigger' not allowed for this endpoint. Allowed types: execution"]);
    const received = async (): Promise<unknown> => ((await ask(trigger, `GET /hitlDetails/${spec.attempt_id}`)).json as { response_received: boolean }).response_received;
    assert.equal(await received(), false);
    await answerPeople(engine.database, spec.attempt_id, { by: { id: 'ann', name: 'ann' }, chosenOptions: ['yes'], paramsInput: {} });
    assert.equal(await received(), true);
    assert.deepEqual(await engine.scheduler.takeTriggerEvents(versionId, [{ trigger_id: order.id, kind: 'event', payload: '{"ok":1.0}' }]), [{ trigger_id: order.id, kind: 'recorded' }]);
    const again = await engine.job('a', 2);
    assert.equal(again.attempt_id, spec.attempt_id);
    const resumed = (await ask(bearerOf(again), `PATCH ${ti}/run`, ENTER)).json as Record<string, unknown>;
    assert.deepEqual([resumed['next_method'], resumed['next_kwargs'], resumed['xcom_keys_to_clear']], ['done', { n: 1, event: { ok: 1 } }, []]);
    assert.equal((await ask(trigger, `GET /hitlDetails/${spec.attempt_id}`)).status, 403, 'nobody waits for the trigger any more');
  });

  test('a client of the version before defers and goes on in its own serialization, with the event in it', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const ask = clientOf(engine);
    const headers = { 'airflow-api-version': '2025-11-05' };
    const run = await engine.trigger('d');
    const spec = await engine.job('a');
    const ti = tiOf(spec);
    assert.equal((await ask(bearerOf(spec), `PATCH ${ti}/run`, { ...ENTER, headers })).status, 200);
    const kwargs = '{"__var":{"at":{"__var":1767355200.0,"__type":"datetime"}},"__type":"dict"}';
    const words = '{"__var":{"n":1152921504606846976,"kept":{"__var":[1],"__type":"tuple"}},"__type":"dict"}';
    assert.equal((await ask(bearerOf(spec), `PATCH ${ti}/state`, { raw: `{"state":"deferred","classpath":"x.T","trigger_kwargs":${kwargs},"next_method":"done","next_kwargs":${words}}`, headers })).status, 204);
    await engine.untilInstance(run, 'a', 'deferred');
    engine.machine.running.delete(spec.execution_id);
    const versionId = engine.versions.get('d') ?? assert.fail();
    const { create: [order = assert.fail()] } = await engine.scheduler.watchTriggers({ fork_server: versionId, pid: 1, running: [] }, AbortSignal.timeout(8000));
    assert.deepEqual(JSON.parse(order.kwargs), JSON.parse(kwargs), 'where triggers run it is read by Airflow itself');
    const payload = '{"status":"done","every":{"__classname__":"datetime.timedelta","__version__":2,"__data__":1.5}}';
    assert.deepEqual(await engine.scheduler.takeTriggerEvents(versionId, [{ trigger_id: order.id, kind: 'event', payload }]), [{ trigger_id: order.id, kind: 'recorded' }]);
    const again = await engine.job('a', 2);
    const enter = async (how: Asking): Promise<unknown> => ((await ask(bearerOf(again), `PATCH ${ti}/run`, { ...ENTER, ...how })).json as { next_kwargs: unknown }).next_kwargs;
    const large = Number('1152921504606846976');
    assert.deepEqual(await enter({ headers }), { __type: 'dict', __var: { n: large, kept: { __type: 'tuple', __var: [1] }, event: { __type: 'dict', __var: { status: 'done', every: { __type: 'timedelta', __var: 1.5 } } } } });
    const tuple = { __classname__: 'builtins.tuple', __version__: 1, __data__: [1] };
    assert.deepEqual(await enter({}), { n: large, kept: tuple, event: { status: 'done', every: { __classname__: 'datetime.timedelta', __version__: 2, __data__: 1.5 } } }, 'or by a newer client');
  });

  test('a try that is over is gone for its process, and the next one has another id', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0 })])]);
    const ask = clientOf(engine);
    await engine.trigger('d');
    const spec = await engine.job('a');
    assert.equal(((await ask(bearerOf(spec), `PATCH ${tiOf(spec)}/run`, ENTER)).json as { should_retry: boolean }).should_retry, true);
    assert.equal((await ask(bearerOf(spec), `POST /xcoms/d/${spec.run.run_id}/a/k`, { raw: '1' })).status, 201);
    assert.equal((await ask(bearerOf(spec), `PATCH ${tiOf(spec)}/state`, { body: { state: 'up_for_retry', end_date: END } })).status, 204);
    const next = await engine.job('a', 2);
    assert.notEqual(next.attempt_id, spec.attempt_id);
    assert.deepEqual(reasonOf(await ask(bearerOf(spec), `PUT ${tiOf(spec)}/heartbeat`, { body: PROCESS })), [410, 'not_found']);
    assert.deepEqual(reasonOf(await ask(bearerOf(spec), `PUT ${tiOf(spec)}/heartbeat`, { body: PROCESS, headers: { 'airflow-api-version': '2025-11-05' } })), [404, 'not_found'], 'an older supervisor ends its task at 404 and 409 only');
    assert.deepEqual(reasonOf(await ask(bearerOf(spec), `POST /xcoms/d/${spec.run.run_id}/a/late`, { raw: '1' })), [409, 'invalid_state']);
    const context = (await ask(bearerOf(next), `PATCH ${tiOf(next)}/run`, ENTER)).json as { should_retry: boolean; max_tries: number };
    assert.deepEqual([context.should_retry, context.max_tries], [false, 1]);
  });

  test('while nobody leads the SDK is asked to come again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const ask = clientOf(engine);
    await engine.trigger('d');
    const spec = await engine.job('a');
    await engine.kill();
    assert.deepEqual(reasonOf(await ask(bearerOf(spec), `PATCH ${tiOf(spec)}/run`, ENTER)), [503, 'not_leading']);
  });
});
