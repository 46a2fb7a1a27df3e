// A leader dies: the next one builds everything from rows, adopts what runs, runs again what was lost, and refuses what is old.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import pg from 'pg';
import { AppError } from '#contract/errors.ts';
import { readEpoch } from '#store/leader.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { deleteRun } from '#store/run-deletion.ts';
import { emptyBatch, moveTask } from '#store/task-attempts.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { product, task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const isCode = (code: AppError['code']) => (error: unknown): boolean => error instanceof AppError && error.code === code;
const QUICK = { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 };

describe('take-over', () => {
  it('running executions are adopted: their reports are taken, none starts twice', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b'), task('c', ['a', 'b'])])]);
    const run = await engine.trigger('d');
    const [a, b] = [await engine.job('a'), await engine.job('b')];
    await engine.report(a, { xcoms: { return_value: 1 } });
    await engine.kill();
    await assert.rejects(engine.report(b), isCode('not_leading'));
    await engine.start();
    await engine.until(() => engine.count('execution.adopted') === 1, 'b is adopted');
    assert.deepEqual(await engine.report(b), { kind: 'recorded' });
    await engine.finish('c');
    await engine.untilRun(run, 'success');
    assert.equal(engine.machine.jobs.length, 3);
  });

  it('what does not run any more is lost and runs again, as the same try', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], QUICK);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    engine.machine.running.delete(a.execution_id);
    await engine.start();
    const again = await engine.job('a', 2);
    assert.deepEqual([again.attempt_id, again.try_number], [a.attempt_id, 1]);
    assert.deepEqual(await engine.report(a), { kind: 'stale', state: null }, 'the lost one comes too late');
    await engine.report(again);
    await engine.untilRun(run, 'success');
    assert.equal((await engine.instance(run, 'a'))['infra_failures'], 1);
  });

  it('what was cleared while nobody led is stopped, and starts anew when its process is gone', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')]), dagOf('other', [task('o')])], QUICK);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    await engine.start();
    assert.deepEqual(engine.machine.cancelled, [a.execution_id]);
    // Whatever was decided before this job is committed.
    await engine.trigger('other');
    await engine.finish('o');
    assert.equal(engine.machine.jobs.filter((job) => job.task_id === 'a').length, 1);
    engine.executor.kill(a);
    const again = await engine.job('a', 2);
    assert.equal(again.try_number, 2);
    await engine.report(again);
    await engine.untilRun(run, 'success');
  });

  it('an execution that left its outcome is not run again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], QUICK);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    engine.machine.running.delete(a.execution_id);
    engine.leave(a, { xcoms: { return_value: 7 } });
    await engine.start();
    await engine.untilRun(run, 'success');
    assert.equal(engine.machine.jobs.length, 1);
    assert.equal((await engine.rows('select 1 from xcoms where run = $1', [run])).length, 1);
  });

  it('an outcome that cannot be read just now is asked for until it can', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const path = a.outcome_file ?? assert.fail();
    mkdirSync(path, { recursive: true });
    engine.executor.kill(a);
    await engine.until(() => engine.events.some((event) => event.event === 'failure' && event.where === 'find outcome'), 'it cannot be read');
    rmSync(path, { recursive: true });
    engine.leave(a);
    await engine.untilRun(run, 'success');
    assert.equal(engine.machine.jobs.length, 1);
  });

  it('what is no report counts as not left', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    engine.leave(a, { outcome: 'done' as 'success' });
    engine.executor.kill(a);
    await engine.finish('a', {}, 2);
    await engine.untilRun(run, 'success');
  });

  it('an outcome that cannot be stored fails the task instead of going round for ever', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    engine.leave(a, { exit_code: 2 ** 40 });
    engine.executor.kill(a);
    await engine.untilRun(run, 'failed');
    assert.match(String((await engine.instance(run, 'a'))['reason']), /could not be stored/);
  });

  it('retries and reschedules that wait go on waiting, and then start', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0.6 }), task('s'), task('l')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.6 });
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    await engine.finish('s', { outcome: 'up_for_reschedule', reschedule_in_seconds: 0.6 });
    engine.executor.kill(await engine.job('l'));
    await engine.untilInstance(run, 'l', 'scheduled');
    await engine.kill();
    await engine.start();
    assert.equal(engine.machine.jobs.length, 3, 'not yet');
    for (const name of ['a', 's', 'l']) await engine.finish(name, {}, 2);
    await engine.untilRun(run, 'success');
    assert.equal((await engine.job('s', 2)).try_number, 1);
  });

  it('waiting times that were over meanwhile start at once', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 3600 }), task('l')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 3600 });
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed' });
    engine.executor.kill(await engine.job('l'));
    await engine.untilInstance(run, 'l', 'scheduled');
    await engine.kill();
    await engine.rows("update task_instances set wake_at = clock_timestamp() - interval '1 second' where run = $1", [run]);
    await engine.start();
    for (const name of ['a', 'l']) await engine.finish(name, {}, 2);
    await engine.untilRun(run, 'success');
  });

  it('dagrun_timeout holds for a run that another leader started', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { dagrun_timeout_seconds: 1 })]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    await engine.start();
    await engine.untilRun(run, 'failed');
    assert.ok(engine.machine.cancelled.includes(a.execution_id));
  });

  it('mapped instances, lengths and skips come back as they were', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [
      task('list'), task('gate', [], { can_skip_downstream: true }), task('slow'), task('m', ['list', 'slow'], { expand: product('list') }), task('left', ['gate', 'slow']), task('right', ['gate', 'slow']),
    ])]);
    const run = await engine.trigger('d');
    await engine.finish('list', { xcoms: { return_value: ['x', 'y'] } });
    await engine.finish('gate', { skips: { followed: ['left'] } });
    const slow = await engine.job('slow');
    await engine.kill();
    await engine.start();
    await engine.report(slow);
    for (const name of ['m[0]', 'm[1]', 'left']) await engine.finish(name);
    await engine.untilRun(run, 'success');
    assert.equal((await engine.instance(run, 'right'))['state'], 'skipped');
  });

  it('slots of what runs stay taken', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('m', [], { expand: product(3) })], { max_active_tasks: 2 })]);
    const run = await engine.trigger('d');
    const first = await engine.job('m[0]');
    await engine.job('m[1]');
    await engine.kill();
    await engine.start();
    assert.equal(engine.machine.jobs.length, 2);
    await engine.report(first);
    await engine.finish('m[2]');
    await engine.finish('m[1]');
    await engine.untilRun(run, 'success');
  });

  it('an execution of a version that named no home folder is judged by its host', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    await engine.job('a');
    await engine.kill();
    await engine.rows('update executions set host = $2 where run = $1', [run, hostname()]);
    engine.machine.running.clear();
    await engine.start();
    await engine.finish('a', {}, 2);
    await engine.untilRun(run, 'success');
  });

  it('an execution of another host, or of another home folder of this one, is not judged by this one', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    assert.equal((await engine.instance(run, 'a'))['hostname'], hostname(), 'people see the machine');
    await engine.rows("update executions set host = host || '2' where run = $1 and host like '%#home'", [run]);
    engine.machine.running.clear();
    await engine.start();
    assert.equal(engine.count('execution.lost'), 0);
    assert.deepEqual(await engine.report(a), { kind: 'recorded' });
    await engine.untilRun(run, 'success');
  });

  it('an execution whose row was closed is stopped', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    // As a person's clear does, while nobody leads.
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    await engine.rows('update executions set ended = false where id = $1', [a.execution_id]);
    await engine.start();
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'it is told to end');
    engine.executor.kill(a);
    await engine.finish('a', {}, 2);
    await engine.untilRun(run, 'success');
  });

  it('what runs and has no row, because its run was deleted while nobody led, is stopped', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    await engine.rows("update dag_runs set state = 'failed', finished = true where id = $1", [run]);
    await deleteRun(engine.database, run);
    await engine.start();
    assert.deepEqual(engine.machine.cancelled, [a.execution_id]);
  });

  it('an execution that was left open in a run that is over is stopped, and holds up no drain', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    await engine.rows("update dag_runs set state = 'failed', finished = true, end_date = now() where id = $1", [run]);
    await engine.rows("update task_instances set state = 'failed', finished = true where run = $1", [run]);
    await engine.start();
    assert.ok(engine.machine.cancelled.includes(a.execution_id));
    engine.executor.kill(a);
    assert.equal((await engine.scheduler.drain({ seconds: 3, hurry: new AbortController().signal })).how, 'idle');
  });

  it('an execution of another host that had been silent for long before is not waited for from the beginning, and what runs here is not doubted', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b')])], { ...QUICK, LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS: 2 });
    const run = await engine.trigger('d');
    const [a, b] = [await engine.job('a'), await engine.job('b')];
    await engine.kill();
    await engine.rows("update executions set host = host || '2', heartbeat_at = clock_timestamp() - interval '1 hour' where run = $1", [run]);
    engine.machine.running.delete(a.execution_id);
    await engine.start();
    assert.equal(engine.machine.jobs.length, 2, 'it has a moment to be heard of');
    await engine.finish('a', {}, 2);
    assert.deepEqual([...new Set(engine.machine.cancelled)], [a.execution_id]);
    await engine.report(b);
    await engine.untilRun(run, 'success');
  });

  it('a run that cannot be read holds up neither the others nor its own reports for ever', async () => {
    await using engine = await EngineUnderTest.open([dagOf('good', [task('g')]), dagOf('bad', [task('b')])]);
    const good = await engine.trigger('good');
    const bad = await engine.trigger('bad');
    const [g, b] = [await engine.job('g'), await engine.job('b')];
    await engine.kill();
    await engine.rows("update dag_versions set spec = jsonb_set(spec::jsonb, '{tasks,0,depends_on}', '[\"ghost\"]') where dag_id = 'bad'");
    await engine.start();
    assert.deepEqual(await engine.report(g), { kind: 'recorded' });
    await engine.untilRun(good, 'success');
    await assert.rejects(engine.report(b), isCode('not_leading'), 'not stale: what it did must not be lost');
    await engine.rows("update dag_versions set spec = jsonb_set(spec::jsonb, '{tasks,0,depends_on}', '[]') where dag_id = 'bad'");
    assert.deepEqual(await engine.insist(b), { kind: 'recorded' });
    await engine.untilRun(bad, 'success');
  });

  it('a process that ends while a leader takes over is not forgotten', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], QUICK);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.kill();
    const blocker = await engine.database.pool.connect();
    let started: Promise<void>;
    try {
      await blocker.query('begin; lock table task_instances in access exclusive mode');
      started = engine.start();
      await engine.until(() => engine.count('leader.elected') === 2, 'the second is elected');
      while (engine.executor.events === null) await new Promise((resolve) => setImmediate(resolve));
      engine.executor.kill(a);
    } finally {
      await blocker.query('commit');
      blocker.release();
    }
    await started;
    await engine.finish('a', {}, 2);
    await engine.untilRun(run, 'success');
  });
});

describe('the fence', () => {
  it('an old epoch writes nothing', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    await engine.job('a');
    const epoch = await readEpoch(engine.database.pool);
    const batch = { ...emptyBatch(), runs: [{ id: run, from: 'running' as const, state: 'failed' as const, startDate: 0, endDate: 0 }] };
    assert.deepEqual(await moveTask(engine.database.pool, epoch - 1, batch), { kind: 'stale' });
    assert.deepEqual(await moveTask(engine.database.pool, epoch - 1, emptyBatch()), { kind: 'stale' });
    assert.equal((await engine.one('select state from dag_runs where id = $1', [run]))?.['state'], 'running');
  });

  it('a leader whose epoch was taken steps down by its next write, and nothing of it is kept', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const first = await readEpoch(engine.database.pool);
    await engine.rows('update leader set epoch = epoch + 1');
    await assert.rejects(engine.report(a, { outcome: 'failed' }), isCode('not_leading'));
    assert.equal((await engine.instance(run, 'a'))['state'], 'running');
    await engine.until(() => engine.count('leader.ready') === 2, 'it leads again, in a new epoch');
    assert.deepEqual(await engine.report(a), { kind: 'recorded' });
    await engine.finish('b');
    await engine.untilRun(run, 'success');
    const epochs = await engine.rows('select distinct epoch from attempt_events where run = $1 order by epoch', [run]);
    assert.deepEqual(epochs.map((row) => Number(row['epoch'])), [first, first + 2]);
  });
});

describe('the end of a term', () => {
  it('a report at that moment is recorded, or asked for again; never lost', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('m', [], { expand: product(8) })])]);
    const run = await engine.trigger('d');
    await engine.until(() => engine.machine.jobs.length === 8, '8 jobs');
    const jobs = [...engine.machine.jobs];
    const first = jobs.slice(0, 4).map((job) => engine.report(job));
    const stopped = engine.scheduler.stop({ endExecutions: false });
    const answers = await Promise.allSettled([...first, ...jobs.slice(4).map((job) => engine.report(job))]);
    await stopped;
    await engine.start();
    for (const [at, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') assert.deepEqual(answer.value, { kind: 'recorded' });
      else assert.ok(isCode('not_leading')(answer.reason), String(answer.reason));
      const job = jobs[at] ?? assert.fail();
      assert.deepEqual(await engine.report(job), { kind: answer.status === 'fulfilled' ? 'stale' : 'recorded', ...(answer.status === 'fulfilled' ? { state: null } : {}) });
    }
    await engine.untilRun(run, 'success');
    assert.equal(engine.machine.jobs.length, 8);
  });

  it('without a database a report is asked for again, and taken when it is back', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const url = new URL(engine.database.url.replace('@/', '@placeholder/'));
    const name = url.pathname.slice(1);
    const admin = new pg.Client(engine.database.url.replace(`/${name}?`, '/postgres?'));
    await admin.connect();
    try {
      await admin.query(`alter database ${name} allow_connections false`);
      await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
      await assert.rejects(engine.report(a));
      await engine.until(() => engine.count('leader.lost') === 1, 'the term is over');
      await assert.rejects(engine.report(a), isCode('not_leading'));
    } finally {
      await admin.query(`alter database ${name} allow_connections true`);
      await admin.end();
    }
    await engine.until(() => engine.count('leader.ready') === 2, 'it leads again');
    assert.deepEqual(await engine.report(a), { kind: 'recorded' });
    await engine.finish('b');
    await engine.untilRun(run, 'success');
  });

  it('a change whose notice was lost is found when notices come again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
    const run = await engine.trigger('d');
    await engine.finish('a');
    await engine.job('b');
    await engine.rows("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leoflow-listen' and datname = current_database()");
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    assert.equal((await engine.job('a', 2)).try_number, 2);
  });
});
