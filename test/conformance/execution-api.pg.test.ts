// Airflow's own Task SDK client, every method of it, against our server with a real engine behind it: its models decide about each answer.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Dag } from '#contract/dag.ts';
import type { RunUuid } from '#contract/ids.ts';
import { EngineUnderTest } from '../support/engine.ts';
import { serveExecutions } from '../support/execution-server.ts';
import { addInstance, addXCom, dagOf, task } from '../support/rows.ts';
import { stockPython } from '../support/stock-supervisor.ts';
import { sdkPython, withoutSdk } from '../support/task-sdk.ts';

/** What the client of Task SDK 1.1 has no method for. */
const SINCE_1_2 = ['dag_runs.get_detail', 'dags.get', 'task_instances.get_previous', 'task_instances.get_task_breakcrumbs', 'task_instances.set_rendered_map_index'];
const TASKS = ['reads', 'defers', 'waits', 'retries', 'fails', 'socket'];

const CONFORM: Dag = dagOf('conform', [
  ...TASKS.map((id) => task(id, [], id === 'retries' ? { retries: 1, retry_delay_seconds: 600 } : id === 'reads' ? { outlets: [{ name: 'n', uri: 's3://n' }] } : {})),
  task('after', ['fails']), task('skipped', ['reads'], { trigger_rule: 'all_done' }), task('mapped', ['fails'], { task_group: 'g' }),
], { task_groups: [{ group_id: 'g' }] });

type Read = Readonly<Record<string, unknown>> & { readonly uncalled: readonly string[]; readonly absent: readonly string[]; readonly refused: readonly (readonly [string, number, unknown])[] };

/** Runs the driver to its end, and reads what it printed last. */
function runDriver(home: string, plan: object): Promise<Read> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, AIRFLOW_HOME: home, AIRFLOW__CORE__LOAD_EXAMPLES: 'False', AIRFLOW__WORKERS__EXECUTION_API_RETRIES: '1', PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn(stockPython(), [join(import.meta.dirname, 'drive_execution_api.py'), JSON.stringify(plan)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const text = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => void (text.out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => void (text.err += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(text.out.trim().split('\n').at(-1) ?? '') as Read) : reject(new Error(`the driver ended with ${code}: ${text.err.slice(-3000)} ${text.out.slice(-1500)}`))));
  });
}

/** An earlier run that succeeded, values of a mapped task, an event of an alias. */
async function fill(engine: EngineUnderTest, run: RunUuid): Promise<void> {
  const { database } = engine;
  // In one statement: the engine begins what is queued.
  const earlier = await engine.one(`insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, logical_date, run_after, conf, triggered_by, start_date, end_date, epoch)
    select gen_random_uuid(), dag_id, 'earlier', run_type, 'success', true, version_id, '2026-01-02T00:00:00Z', '2026-01-02T00:00:00Z', conf, triggered_by, '2026-01-01T00:00:01Z', '2026-01-01T00:01:00Z', 1
    from dag_runs where id = $1 returning id`, [run]);
  await addInstance(database, { run: String(earlier?.['id']), taskId: 'reads', state: 'success' });
  for (const [mapIndex, value] of ['10', 'null', '"c"'].entries()) await addXCom(database, { run, taskId: 'mapped', key: 'return_value', value, mapIndex });
  await database.pool.query("insert into assets (name, uri, active) values ('n', 's3://n', true) on conflict do nothing");
  await database.pool.query("insert into asset_events (asset_id, aliases, at) select id, array['al'], '2026-01-01' from assets where name = 'n'");
}

test('the Task SDK’s client reads every answer', { skip: withoutSdk, timeout: 120_000 }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'lf-sdk-'));
  await using engine = await EngineUnderTest.open([CONFORM, dagOf('other', [task('only')])]);
  const run = await engine.trigger('conform', { logicalDate: '2026-01-03T00:00:00Z' });
  const jobs = Object.fromEntries(await Promise.all(TASKS.map(async (id) => { const spec = await engine.job(id); return [id, { id: spec.attempt_id, token: `${spec.execution_id}.${spec.token}` }] as const; })));
  await fill(engine, run);
  const server = await serveExecutions(engine, home);
  const isOlder = stockPython() !== sdkPython();
  try {
    const runId = (await engine.one('select run_id from dag_runs where id = $1', [run]))?.['run_id'];
    const read = await runDriver(home, { url: server.url, socket: server.socket, run_id: runId, jobs, is_older: isOlder });
    checkAnswers(read, isOlder);
    for (const [name, state] of [['reads', 'success'], ['defers', 'deferred'], ['waits', 'up_for_reschedule'], ['retries', 'up_for_retry'], ['fails', 'failed'], ['after', 'upstream_failed'], ['skipped', 'skipped'], ['socket', 'success']] as const) await engine.untilInstance(run, name, state);
  } finally {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  }
});

const NOT_FOUND = (error: string): unknown => ({ error, type: 'ErrorResponse' });

/** What the client's models made of the answers; the detail of a not found is the client's own. */
function checkAnswers(read: Read, isOlder: boolean): void {
  assert.deepEqual(read.absent, isOlder ? SINCE_1_2 : []);
  assert.deepEqual(read.uncalled, [], 'methods of the client that nothing calls');
  assert.deepEqual(read.refused.map(([name, status, detail]) => [name, status, reasonOf(detail)]), [
    ['task_instances.heartbeat', 409, 'running_elsewhere'], ['hitl.update_response', 409, null], ['dag_runs.get_state', 404, 'not_found'], ...(isOlder ? [] : [['dags.get', 404, 'not_found']]),
    ['task_instances.heartbeat', 403, null], ['variables.set', 422, 'string_too_short'], ['xcoms.set', 400, 'unmappable_return_value_length'],
    ['task_instances.heartbeat', 409, 'not_running'], ['task_instances.finish', 409, 'invalid_state'],
  ], 'the client reads the detail of a refusal unless it is a text');
  const told = (name: string): unknown => (read[name] as unknown[]).map(withoutDetail);
  assert.match(String(read['second process']), isOlder ? /^Server returned error/ : /is already running$/);
  assert.deepEqual(told('variables.get'), [{ key: 'greeting', value: 'hello' }, NOT_FOUND('VARIABLE_NOT_FOUND'), NOT_FOUND('VARIABLE_NOT_FOUND')]);
  assert.deepEqual(told('connections.get'), [{ conn_id: 'my_conn', conn_type: 'http', host: 'h', schema_: 'sch', login: 'l', password: 'pass word', port: 8080, extra: '{"a": 1}' }, NOT_FOUND('CONNECTION_NOT_FOUND')]);
  assert.deepEqual(told('xcoms.get'), [{ key: 'a key', value: { f: 1, n: null } }, { key: 'missing', value: null }, { key: 'a key', value: null }, { key: 'return_value', value: 'x'.repeat(300) }]);
  assert.deepEqual(told('xcoms.head'), [{ len: 3, type: 'XComLengthResponse' }]);
  assert.deepEqual(told('xcoms.get_sequence_item'), [10, 'c', NOT_FOUND('XCOM_NOT_FOUND')]);
  assert.deepEqual(told('xcoms.get_sequence_slice'), [['c', null, 10]]);
  assert.deepEqual(told('task_instances.get_count'), [{ count: 1, type: 'TICount' }, { count: 0, type: 'TICount' }]);
  assert.deepEqual(told('dag_runs.get_count'), [{ count: 1, type: 'DRCount' }]);
  assert.deepEqual(told('dag_runs.trigger'), [{ ok: true, type: 'OKResponse' }, NOT_FOUND('DAGRUN_ALREADY_EXISTS'), { ok: true, type: 'OKResponse' }]);
  assert.deepEqual(told('assets.get'), [{ name: 'n', uri: 's3://n', group: 'asset', extra: {} }, { name: 'n', uri: 's3://n', group: 'asset', extra: {} }, NOT_FOUND('ASSET_NOT_FOUND')]);
  const starts = told('task_instances.start') as { max_tries: number; should_retry: boolean }[];
  assert.deepEqual(starts.map((context) => [context.max_tries, context.should_retry]), [[0, false], [0, false], [0, false], [0, false], [1, true], [0, false], [0, false]]);
  const events = (told('asset_events.get') as { asset_events: { source_task_id: string | null; extra: unknown }[] }[]).map((answer) => answer.asset_events.map((event) => [event.source_task_id, event.extra]));
  assert.deepEqual(events, [[[null, {}]], [[null, {}]], [[null, {}], ['reads', { rows: 1 }]]]);
}

function reasonOf(detail: unknown): unknown {
  const [first] = [detail].flat() as ({ reason?: string; type?: string; detail?: { reason?: string } } | null)[];
  // Task SDK 1.1 keeps the body as it came.
  return first?.reason ?? first?.type ?? first?.detail?.reason ?? null;
}

function withoutDetail(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return answer;
  const { detail: _detail, ...rest } = answer as Record<string, unknown>;
  return rest;
}
