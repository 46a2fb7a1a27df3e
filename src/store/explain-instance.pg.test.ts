// What `explain` says of instances that wait, or ended without running: who and what holds them, with numbers.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { makeUuidV7, type TriggerId } from '#contract/ids.ts';
import { testDatabase } from '../../test/support/database.ts';
import { addDag, addInstance, addRun, dagOf, task } from '../../test/support/rows.ts';
import type { Database } from './database.ts';
import { explainInstance } from './explain-instance.ts';
import { findBlockers } from './instance-blockers.ts';
import { findInstanceRow, type InstanceListRow } from './task-instances.ts';
import { noteHost } from './triggers.ts';

let database: Database;

before(async () => {
  database = await testDatabase();
});

async function rowOf(dagId: string, taskId: string, mapIndex = -1): Promise<InstanceListRow> {
  return (await findInstanceRow(database, { dagId, runId: 'r', taskId, mapIndex })) ?? assert.fail(`${dagId}.${taskId}`);
}

const explain = async (dagId: string, taskId: string): Promise<readonly string[]> => explainInstance(database, await rowOf(dagId, taskId));

test('upstreams are named with state and seconds, five at most', async () => {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  await addDag(database, dagOf('waits', [...ids.map((id) => task(id)), task('last', ids), task('two', ['a', 'b'])]));
  const run = await addRun(database, { dagId: 'waits', runId: 'r' });
  await addInstance(database, { run, taskId: 'a', state: 'running' });
  for (const taskId of [...ids.slice(1), 'last', 'two']) await addInstance(database, { run, taskId });
  await database.kysely.updateTable('task_instances').set({ start_date: new Date(database.clock.nowMs() - 12_500).toISOString() }).where('run', '=', run).where('task_id', '=', 'a').execute();
  assert.match((await explain('waits', 'two')).join('|'), /^waits for a \(running 1[2-4] s\), b \(not started\)$/);
  assert.match((await explain('waits', 'last')).join('|'), /^waits for a \(running 1\d s\), b \(not started\), c \(not started\), d \(not started\), e \(not started\) and 2 more$/);
  assert.deepEqual((await findBlockers(database, await rowOf('waits', 'two'))).map(({ name, reason }) => ({ name, reason })), [{ name: 'Trigger Rule', reason: 'all_success: 0 of 2 upstream succeeded, 2 unfinished' }]);
});

test('what ended by its rule names the upstream beside the rule', async () => {
  await addDag(database, dagOf('ended', [task('x'), task('y'), task('z'), task('after', ['x', 'y']), task('skipped', ['y', 'z']), task('none', ['z'], { trigger_rule: 'one_failed' })]));
  const run = await addRun(database, { dagId: 'ended', runId: 'r', state: 'failed' });
  for (const [taskId, state] of [['x', 'failed'], ['y', 'skipped'], ['z', 'success']] as const) await addInstance(database, { run, taskId, state });
  await addInstance(database, { run, taskId: 'after', state: 'upstream_failed', reason: 'all_success: 0 of 2 upstream succeeded, 1 failed, 1 skipped' });
  await addInstance(database, { run, taskId: 'skipped', state: 'skipped', reason: 'all_success: 1 of 2 upstream succeeded, 1 skipped' });
  await addInstance(database, { run, taskId: 'none', state: 'skipped', reason: 'one_failed: 1 of 1 upstream succeeded' });
  assert.deepEqual(await explain('ended', 'after'), ['upstream_failed: x failed', 'all_success: 0 of 2 upstream succeeded, 1 failed, 1 skipped']);
  assert.deepEqual(await explain('ended', 'skipped'), ['skipped: y was skipped', 'all_success: 1 of 2 upstream succeeded, 1 skipped']);
  assert.deepEqual(await explain('ended', 'none'), ['skipped: z succeeded', 'one_failed: 1 of 1 upstream succeeded']);
});

test('pools and limits are told as used/there are', async () => {
  await database.kysely.insertInto('pools').values({ name: 'one', slots: 1, include_deferred: false }).execute();
  await addDag(database, dagOf('full', [task('runs', [], { pool: 'one' }), task('waits', [], { pool: 'one', max_active_tis_per_dag: 1 }), task('huge', [], { pool: 'one', pool_slots: 3 })], { max_active_tasks: 1, max_active_runs: 1 }));
  const run = await addRun(database, { dagId: 'full', runId: 'r' });
  for (const taskId of ['waits', 'huge']) await addInstance(database, { run, taskId, state: 'scheduled', pool: 'one' });
  await database.kysely.updateTable('task_instances').set({ pool_slots: 3 }).where('run', '=', run).where('task_id', '=', 'huge').execute();
  assert.deepEqual(await explain('full', 'huge'), ['pool one 0/1, the task needs 3 slots: it can never run']);
  await addInstance(database, { run, taskId: 'runs', state: 'running', pool: 'one' });
  assert.deepEqual(await explain('full', 'waits'), ['pool one 1/1', 'max_active_tasks 1/1']);
  const second = await addRun(database, { dagId: 'full', runId: 'second', state: 'running' });
  await addInstance(database, { run: second, taskId: 'waits', state: 'running', pool: 'one' });
  assert.deepEqual(await explain('full', 'waits'), ['pool one 2/1', 'max_active_tasks 1/1', 'max_active_tis_per_dag 1/1']);
  await database.kysely.updateTable('dag_runs').set({ state: 'queued' }).where('id', '=', run).execute();
  assert.equal((await explain('full', 'waits'))[0], 'the run is queued: max_active_runs 1/1');
  assert.equal((await findBlockers(database, await rowOf('full', 'waits'))).find((one) => one.name === 'Pool Slots Available')?.reason, 'pool one: 2 of 1 slots are taken and the task needs 1');
});

test('a deferred instance names its trigger, since when and until when, and who runs it', async () => {
  await addDag(database, dagOf('defers', [task('a'), task('gone')]));
  const run = await addRun(database, { dagId: 'defers', runId: 'r' });
  for (const taskId of ['a', 'gone']) await addInstance(database, { run, taskId, state: 'deferred' });
  const id = makeUuidV7<TriggerId>(0);
  const since = new Date(database.clock.nowMs() - 5000).toISOString();
  await database.kysely.insertInto('triggers').values({
    id, run, task_id: 'a', map_index: -1, attempt_id: makeUuidV7<string>(0), execution_id: null, classpath: 'm.T', kwargs: '{}', next_method: 'x', next_kwargs: '{}', queue: null, timeout_at: null, created_at: since, host_pid: null,
  }).execute();
  const [waits = '', host] = await explain('defers', 'a');
  assert.match(waits, new RegExp(`^waits for the trigger m\\.T since ${since} \\([5-9] s\\), without a time-out$`));
  assert.equal(host, 'no trigger host has taken it yet');
  await noteHost(database.pool, [id], 7);
  await database.kysely.updateTable('triggers').set({ timeout_at: '2030-01-01T00:00:00Z' }).where('id', '=', id).execute();
  assert.match((await explain('defers', 'a')).join('|'), /until 2030-01-01T00:00:00.000Z at the latest\|the trigger host, process 7, has taken it$/);
  for (const pid of [7, 8, 9]) await noteHost(database.pool, [id], pid);
  assert.match((await explain('defers', 'a')).at(-1) ?? '', /process 9, has taken it$/);
  await noteHost(database.pool, [id], 10);
  assert.match((await explain('defers', 'a')).at(-1) ?? '', /^3 hosts before it have ended: /);
  assert.deepEqual(await explain('defers', 'gone'), ['deferred, and its trigger is gone: clear it']);
});

test('a failure says what ended it, whether another try follows, where its log is, and how the tries before ended', async () => {
  await addDag(database, dagOf('ends', [task('once'), task('twice'), task('later'), task('final'), task('marked'), task('fine'), task('it goes')]));
  const run = await addRun(database, { dagId: 'ends', runId: 'r', state: 'failed' });
  const end = async (taskId: string, how: { state: 'failed' | 'up_for_retry' | 'success'; reason?: string; tryNumber?: number; maxTries?: number; before?: readonly string[]; cause?: string }): Promise<void> => {
    const { attempt } = await addInstance(database, { run, taskId, state: how.state, tryNumber: how.tryNumber ?? 1, ...(how.reason === undefined ? {} : { reason: how.reason }) });
    await database.kysely.updateTable('task_instances').set({ max_tries: how.maxTries ?? 0 }).where('run', '=', run).where('task_id', '=', taskId).execute();
    const key = { run, task_id: taskId, map_index: -1 };
    for (const [at, detail] of (how.before ?? []).entries()) {
      const earlier = makeUuidV7<string>(0);
      await database.kysely.insertInto('task_attempts').values({ ...key, id: earlier, try_number: at + 1, state: 'failed' }).execute();
      await database.kysely.insertInto('attempt_events').values({ ...key, attempt_id: earlier, from_state: 'running', to_state: 'up_for_retry', cause: 'user_error', detail }).execute();
    }
    await database.kysely.updateTable('task_attempts').set({ cause: how.cause ?? null }).where('id', '=', attempt ?? '').execute();
    await database.kysely.insertInto('attempt_events').values({ ...key, attempt_id: attempt, from_state: 'running', to_state: how.state, cause: how.cause ?? null, detail: how.reason ?? null }).execute();
  };
  await end('once', { state: 'failed', reason: 'ValueError: no (a.py:1)' });
  await end('twice', { state: 'failed', reason: 'ValueError: no', tryNumber: 2, maxTries: 1, before: ["KeyError: 'x'"] });
  await end('later', { state: 'up_for_retry', reason: 'ValueError: no', maxTries: 2 });
  await end('final', { state: 'failed', reason: 'AirflowFailException: no', maxTries: 2 });
  await end('marked', { state: 'failed', reason: 'marked failed by ann', maxTries: 2, cause: 'cancelled' });
  await end('fine', { state: 'success', tryNumber: 8, maxTries: 8, before: ['1', '2', '3', '4', '5', '6', '7'] });
  await end('it goes', { state: 'failed', cause: 'oom' });
  const log = (taskId: string, tryNumber = 1): string => `its log: leoflow tasks logs ends r ${taskId} --try ${tryNumber}`;
  assert.deepEqual(await explain('ends', 'once'), ['ValueError: no (a.py:1)', 'it is not tried again: the task has no retries', log('once')]);
  assert.deepEqual(await explain('ends', 'twice'), ['ValueError: no', 'it is not tried again: that was try 2 of 2', log('twice', 2), "try 1 failed: KeyError: 'x'"]);
  assert.deepEqual((await explain('ends', 'later')).slice(0, 3), ['ValueError: no', 'that was try 1 of 3', 'the run is failed']);
  assert.deepEqual(await explain('ends', 'final'), ['AirflowFailException: no', 'it is not tried again although that was try 1 of 3: a failure of this kind is final', log('final')]);
  assert.deepEqual(await explain('ends', 'marked'), ['marked failed by ann', log('marked')]);
  assert.deepEqual(await explain('ends', 'fine'), ['it succeeded: try 8 of 9', 'try 7 failed: 7', 'try 6 failed: 6', 'try 5 failed: 5', 'try 4 failed: 4', 'try 3 failed: 3', '… and others before']);
  assert.deepEqual(await explain('ends', 'it goes'), ['it ran out of memory', 'it is not tried again: the task has no retries', log("'it goes'")]);
});
