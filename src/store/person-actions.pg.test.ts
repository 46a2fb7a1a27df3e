// What people do to runs: against other writers, with teardowns, across runs, on another version.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import type { RunUuid } from '#contract/ids.ts';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addInstance, addRun, dagOf, task } from '../../test/support/rows.ts';
import { findRunForPlanning } from './dag-runs.ts';
import type { Database } from './database.ts';
import { applyAction, NO_ACTION } from './person-actions.ts';
import { selectInstancesFor } from './run-selection.ts';
import { emptyBatch, moveTask } from './task-attempts.ts';

const states = async (database: Database, run: string): Promise<Record<string, string | null>> =>
  Object.fromEntries((await database.kysely.selectFrom('task_instances').select(['task_id', 'state']).where('run', '=', run).orderBy('task_id').execute()).map((row) => [row.task_id, row.state]));

test('an action wakes the leader once for each run', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'success' });
  await addInstance(database, { run, taskId: 'a', state: 'success' });
  const client = new pg.Client(database.url);
  await client.connect();
  const heard: string[] = [];
  client.on('notification', (message) => heard.push(`${message.channel} ${message.payload ?? ''}`));
  await client.query('listen leoflow_run');
  await applyAction(database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
  await client.query('select 1');
  await client.end();
  assert.deepEqual(heard, [`leoflow_run ${run}`]);
  const event = await database.kysely.selectFrom('attempt_events').selectAll().where('run', '=', run).executeTakeFirstOrThrow();
  assert.deepEqual([event.from_state, event.to_state, event.detail], ['success', null, 'cleared by ann']);
}));

test('a run of which something was cleared or marked is not finished by who has not read it since', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a'), task('b')]));
  const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'running' });
  await addInstance(database, { run, taskId: 'a', state: 'success' });
  await addInstance(database, { run, taskId: 'b', state: 'success' });
  const readNumber = async (): Promise<number> => (await findRunForPlanning(database.pool, run as RunUuid, { lengths: false }))?.run.actionNumber ?? assert.fail();
  const finish = (actionNumber: number): ReturnType<typeof moveTask> => moveTask(database.pool, null, { ...emptyBatch(), runs: [{ id: run, from: 'running', state: 'success', startDate: 0, endDate: 1, actionNumber }] });
  const atFirst = await readNumber();
  await applyAction(database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
  assert.deepEqual(await finish(atFirst), { kind: 'stale' });
  const cleared = await readNumber();
  await applyAction(database, { ...NO_ACTION, mark: [{ run, taskId: 'b', mapIndex: -1, state: 'failed' }], by: 'ann' });
  assert.deepEqual(await finish(cleared), { kind: 'stale' }, 'it would be a success with a failed task');
  assert.deepEqual(await finish(await readNumber()), { kind: 'moved' });
}));

test('what was cleared keeps its tries as history', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a', [], { retries: 2 })]));
  const run = await addRun(database, { dagId: 'd', runId: 'r' });
  const { attempt } = await addInstance(database, { run, taskId: 'a', state: 'running', tryNumber: 3 });
  await applyAction(database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
  const row = await database.kysely.selectFrom('task_instances').selectAll().where('run', '=', run).executeTakeFirstOrThrow();
  assert.deepEqual([row.state, row.try_number, row.max_tries, row.attempt_id, row.start_date, row.wake_at, row.reason], [null, 3, 5, null, null, null, null]);
  const tried = await database.kysely.selectFrom('task_attempts').selectAll().where('id', '=', attempt ?? '').executeTakeFirstOrThrow();
  assert.deepEqual([tried.state, tried.cause, tried.end_date instanceof Date], ['failed', 'cancelled', true]);
}));

test('what waits for its retry can be cleared and marked: its last execution is closed already', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a', [], { retries: 2 }), task('b', [], { retries: 2 })]));
  const run = await addRun(database, { dagId: 'd', runId: 'r' });
  for (const taskId of ['a', 'b']) {
    const { execution } = await addInstance(database, { run, taskId, state: 'up_for_retry' });
    await database.kysely.updateTable('task_instances').set({ execution_id: execution }).where('run', '=', run).where('task_id', '=', taskId).execute();
  }
  assert.deepEqual(await applyAction(database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], mark: [{ run, taskId: 'b', mapIndex: -1, state: 'success' }], by: 'ann' }), { kind: 'done' });
  assert.deepEqual(await states(database, run), { a: null, b: 'success' });
}));

test('the end of a run ends all that it has at that moment, and waits for a teardown', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a'), task('b', ['a']), task('c', ['b']), task('down', ['c'], { is_teardown: true })]));
  const [run, waits] = [await addRun(database, { dagId: 'd', runId: 'r' }), await addRun(database, { dagId: 'd', runId: 'waits' })];
  for (const id of [run, waits]) {
    await addInstance(database, { run: id, taskId: 'a', state: 'success' });
    await addInstance(database, { run: id, taskId: 'b', state: 'running' });
    await addInstance(database, { run: id, taskId: 'c', state: null });
  }
  await addInstance(database, { run: waits, taskId: 'down', state: null });
  await applyAction(database, { ...NO_ACTION, runs: [{ id: run, state: 'failed' }, { id: waits, state: 'failed' }], by: 'ann' });
  assert.deepEqual(await states(database, run), { a: 'success', b: 'failed', c: 'skipped' });
  assert.deepEqual(await states(database, waits), { a: 'success', b: 'failed', c: 'skipped', down: null });
  const rows = await database.kysely.selectFrom('dag_runs').select(['run_id', 'state']).orderBy('run_id').execute();
  assert.deepEqual(rows, [{ run_id: 'r', state: 'failed' }, { run_id: 'waits', state: 'running' }]);
  const open = await database.kysely.selectFrom('executions').select('id').where('ended', '=', false).execute();
  assert.deepEqual(open, []);
}));

test('two people and a moving instance: each action sees what the other left', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a'), task('b', ['a'])]));
  const run = await addRun(database, { dagId: 'd', runId: 'r' });
  await addInstance(database, { run, taskId: 'a', state: 'failed' });
  await addInstance(database, { run, taskId: 'b', state: 'upstream_failed' });
  const refs = [{ run, taskId: 'a', mapIndex: -1 }, { run, taskId: 'b', mapIndex: -1 }];
  const actions = Array.from({ length: 12 }, (_, index) => applyAction(database, index % 2 === 0 ? { ...NO_ACTION, clear: refs, by: `p${index}` } : { ...NO_ACTION, mark: refs.map((ref) => ({ ...ref, state: 'success' as const })), by: `p${index}` }));
  assert.deepEqual((await Promise.all(actions)).map((result) => result.kind), Array.from({ length: 12 }, () => 'done'));
  const run2 = await database.kysely.selectFrom('dag_runs').select(['clear_number', 'epoch']).where('id', '=', run).executeTakeFirstOrThrow();
  assert.deepEqual([run2.clear_number, run2.epoch], [6, 1]);
  const end = await states(database, run);
  assert.ok(end['a'] === end['b'], 'no half of an action');
}));

test('many instances are moved in parts, all or nothing', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('m')]));
  const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'failed' });
  await database.kysely.insertInto('task_instances').values(Array.from({ length: 4500 }, (_, index) => ({ run, task_id: 'm', map_index: index, state: 'failed', finished: true, try_number: 1, operator: 'x', attempt_id: null, execution_id: null }))).execute();
  const selected = await selectInstancesFor(database, { dagId: 'd', runId: 'r', from: null, to: null, tasks: { whole: ['m'], indexes: [] }, states: ['failed'] });
  assert.equal(selected.length, 4500);
  await applyAction(database, { ...NO_ACTION, clear: selected, by: 'ann' });
  const left = await database.kysely.selectFrom('task_instances').select((eb) => eb.fn.countAll<number>().as('n')).where('run', '=', run).where('state', 'is not', null).executeTakeFirstOrThrow();
  assert.equal(left.n, 0);
}));

test('a run goes on with the current version: new tasks join it', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  const run = await addRun(database, { dagId: 'd', runId: 'r', state: 'failed' });
  await addInstance(database, { run, taskId: 'a', state: 'failed' });
  const version = await addDag(database, dagOf('d', [task('a', [], { retries: 4 }), task('b', ['a'])]));
  await applyAction(database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], useLatestVersion: true, by: 'ann' });
  assert.deepEqual(await states(database, run), { a: null, b: null });
  const row = await database.kysely.selectFrom('dag_runs').select(['version_id', 'state']).where('id', '=', run).executeTakeFirstOrThrow();
  assert.deepEqual([row.version_id, row.state], [version, 'queued']);
  const a = await database.kysely.selectFrom('task_instances').select('max_tries').where('run', '=', run).where('task_id', '=', 'a').executeTakeFirstOrThrow();
  assert.equal(a.max_tries, 5);
}));
