// The leader on a real database: runs move, retries wait, limits hold, people interfere. Executions are ended by hand.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import pg from 'pg';
import { DAG_DEFAULTS } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import { setPaused } from '#store/dags.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { product, task } from '../../test/support/planner.ts';
import { dagOf } from '../../test/support/rows.ts';

const isCode = (code: AppError['code']) => (error: unknown): boolean => error instanceof AppError && error.code === code;

describe('a run', () => {
  it('goes from its trigger to its end, each move in the history', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { xcoms: { return_value: [1, 2] } });
    const b = await engine.finish('b');
    await engine.untilRun(run, 'success');
    assert.equal(b.try_number, 1);
    assert.deepEqual((await engine.rows('select from_state, to_state from attempt_events where run = $1 and task_id = $2 order by id', [run, 'b'])).map((row) => [row['from_state'], row['to_state']]),
      [[null, 'scheduled'], ['scheduled', 'running'], ['running', 'success']]);
    assert.deepEqual(await engine.one('select mapped_length, size_bytes from xcoms where run = $1', [run]), { mapped_length: 2, size_bytes: 5 });
    assert.deepEqual((await engine.rows('select state, ended from executions where run = $1', [run])).map((row) => [row['state'], row['ended']]), [['success', true], ['success', true]]);
  });

  it('a downstream gets the values at hand with its job, and never those of an earlier try', async () => {
    const inputs = [{ task_id: 'a', key: 'return_value' }, { task_id: 'a', key: 'extra' }];
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0 }), task('b', ['a'], { inputs })])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed', xcoms: { extra: 'old', return_value: 1 } });
    const again = await engine.job('a', 2);
    assert.equal(await engine.scheduler.findXCom(again.token, again.execution_id, { task_id: 'a', key: 'extra', map_index: -1 }), null);
    await engine.report(again, { xcoms: { return_value: 2 } });
    assert.deepEqual((await engine.job('b')).xcoms, { 'a/return_value': '2' });
    assert.equal(again.try_number, 2);
    assert.deepEqual([(await engine.job('a')).may_retry, again.may_retry], [true, false], 'its callbacks are told whether another try follows');
    assert.notEqual(again.attempt_id, (await engine.job('a')).attempt_id);
    assert.deepEqual((await engine.rows('select state from task_attempts where run = $1 and task_id = $2 order by try_number', [run, 'a'])).map((row) => row['state']), ['failed', 'success']);
  });

  it('an execution lost to infrastructure runs again as a new execution of the same try', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    const first = await engine.job('a');
    engine.executor.kill(first);
    const second = await engine.job('a', 2);
    assert.equal(second.attempt_id, first.attempt_id);
    assert.equal(second.try_number, 1);
    assert.notEqual(second.execution_id, first.execution_id);
    await engine.report(second);
    await engine.untilRun(run, 'success');
    assert.deepEqual((await engine.rows('select state, cause from executions where run = $1 order by id', [run])).map((row) => [row['state'], row['cause']]), [['lost', 'lost'], ['success', null]]);
    assert.equal((await engine.instance(run, 'a'))['cause'], null);
  });

  it('a process that ends without a report fails its try by how it ended', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('status'), task('memory')])]);
    const run = await engine.trigger('d');
    engine.executor.kill(await engine.job('status'), { signal: null, status: 3 });
    engine.executor.kill(await engine.job('memory'), { oom: true });
    await engine.untilRun(run, 'failed');
    assert.deepEqual([(await engine.instance(run, 'status'))['cause'], (await engine.instance(run, 'memory'))['cause']], ['user_error', 'oom']);
    assert.match(String((await engine.instance(run, 'status'))['reason']), /status 3/);
  });

  it('a crash of its own is the user’s error, a kill from outside is not', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('crash', [], { retries: 1, retry_delay_seconds: 0 }), task('killed')])], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    const first = await engine.job('crash');
    engine.executor.kill(first, { signal: 11 });
    const again = await engine.job('crash', 2);
    assert.equal(again.try_number, 2, 'it spends a try');
    engine.executor.kill(again, { signal: 6 });
    engine.executor.kill(await engine.job('killed'), { signal: 15 });
    assert.equal((await engine.finish('killed', {}, 2)).try_number, 1);
    await engine.untilRun(run, 'failed');
    const crash = await engine.instance(run, 'crash');
    assert.deepEqual([crash['cause'], crash['try_number']], ['user_error', 2]);
    assert.match(String(crash['reason']), /SIGABRT/);
  });

  it('an execution that runs on after its execution_timeout is killed, and its end is a time-out', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { execution_timeout_seconds: 0.2 })])], { LEOFLOW_CANCEL_GRACE_SECONDS: 0 });
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'a is killed');
    engine.executor.kill(a);
    await engine.untilRun(run, 'failed');
    assert.equal((await engine.instance(run, 'a'))['cause'], 'timeout');
  });

  it('over its dagrun_timeout it fails and stops what runs', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])], { dagrun_timeout_seconds: 0.3 })]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.untilRun(run, 'failed');
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'a is cancelled');
    assert.deepEqual(await engine.report(a), { kind: 'stale', state: null });
    assert.equal((await engine.instance(run, 'b'))['state'], 'skipped');
  });
});

describe('reports', () => {
  it('are taken once: a second is stale and kept as history, one with another token is refused', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a'])])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await assert.rejects(engine.report({ ...a, token: 'x'.repeat(32) }), isCode('unauthenticated'));
    assert.deepEqual(await engine.report(a), { kind: 'recorded' });
    assert.deepEqual(await engine.report(a, { outcome: 'failed' }), { kind: 'stale', state: null });
    await assert.rejects(engine.report({ ...a, token: 'x'.repeat(32) }), isCode('unauthenticated'), 'neither for a closed one');
    assert.equal((await engine.instance(run, 'a'))['state'], 'success');
    assert.deepEqual((await engine.rows("select detail from attempt_events where run = $1 and detail like 'late report%'", [run])).map((row) => row['detail']), ['late report: failed']);
  });

  it('an error text that is cut inside a character is taken, and what it says counts', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 3 })])]);
    const run = await engine.trigger('d');
    await engine.finish('a', { outcome: 'failed', no_retry: true, error: { type: 'E', message: `${'x'.repeat(1996)}😀😀` } });
    await engine.untilRun(run, 'failed');
    assert.equal(engine.machine.jobs.length, 1);
    assert.equal((await engine.instance(run, 'a'))['reason'], `E: ${'x'.repeat(1996)}\uFFFD`);
  });

  it('two at once: one is recorded, the other asks again', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    await engine.trigger('d');
    const a = await engine.job('a');
    const [first, second] = await Promise.allSettled([engine.report(a), engine.report(a)]);
    assert.equal(first?.status, 'fulfilled');
    assert.ok(second?.status === 'rejected' && isCode('not_leading')(second.reason));
  });

  it('the row was changed by somebody who told nobody: the report finds it out', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.rows("update task_instances set state = 'failed', finished = true, execution_id = null where run = $1", [run]);
    await engine.rows("update executions set ended = true, state = 'cancelled' where id = $1", [a.execution_id]);
    assert.deepEqual(await engine.report(a), { kind: 'stale', state: null });
    assert.ok(engine.count('commit.stale') > 0);
    await engine.untilRun(run, 'failed');
  });

  it('what cannot be stored is refused, and the execution goes on', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await assert.rejects(engine.report(a, { xcoms: { 'a\u0000b': 1 } }), (error: unknown) => error instanceof Error && 'code' in error && String(error.code).startsWith('22'));
    assert.deepEqual(await engine.report(a), { kind: 'recorded' });
    await engine.untilRun(run, 'success');
    assert.equal(engine.machine.jobs.length, 1);
  });
});

describe('limits', () => {
  it('max_active_runs lets the oldest go first and the next when it is done', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a')], { max_active_runs: 1 })]);
    const first = await engine.trigger('d');
    const a = await engine.job('a');
    const second = await engine.trigger('d');
    await engine.until(() => engine.scheduler.counts?.runs === 2, 'both runs are in memory');
    assert.equal((await engine.one('select state from dag_runs where id = $1', [second]))?.['state'], 'queued');
    await engine.report(a);
    await engine.untilRun(first, 'success');
    await engine.finish('a', {}, 2);
    await engine.untilRun(second, 'success');
  });

  it('parallelism and the default of max_active_tasks hold', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('m', [], { expand: product(40) })])], { LEOFLOW_PARALLELISM: 100 });
    const run = await engine.trigger('d');
    await engine.until(() => engine.machine.jobs.length === DAG_DEFAULTS.maxActiveTasks, '16 jobs');
    for (let done = 0; done < 40; done += 1) {
      await engine.until(() => engine.machine.jobs.length > done, `job ${done}`);
      const spec = engine.machine.jobs[done];
      assert.ok(spec);
      assert.ok(engine.machine.running.size <= 16);
      await engine.report(spec);
    }
    await engine.untilRun(run, 'success');
  });
});

describe('people', () => {
  const two = dagOf('d', [task('a'), task('b', ['a'])]);

  it('clear a running task: its execution is stopped, and a new try starts when its process is gone', async () => {
    await using engine = await EngineUnderTest.open([two, dagOf('other', [task('o')])]);
    const run = await engine.trigger('d');
    const first = await engine.job('a');
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    await engine.until(() => engine.machine.cancelled.includes(first.execution_id), 'it is told to end');
    // Whatever was decided before this job is committed.
    await engine.trigger('other');
    await engine.finish('o');
    assert.equal(engine.machine.jobs.filter((job) => job.task_id === 'a').length, 1, 'the next try waits for the process');
    assert.equal(engine.scheduler.explain(run, 'a', -1), 'its execution before this one is being stopped');
    engine.executor.kill(first);
    const second = await engine.job('a', 2);
    assert.equal(second.try_number, 2);
    assert.notEqual(second.attempt_id, first.attempt_id);
    assert.deepEqual(await engine.report(first), { kind: 'stale', state: null });
    await engine.report(second);
    await engine.finish('b');
    await engine.untilRun(run, 'success');
  });

  it('a run that is read again while a commit of it is on its way: nothing of it starts before it is read', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', [], { pool: 'one' })]), dagOf('other', [task('o', [], { pool: 'one' })])]);
    await engine.database.pool.query("insert into pools (name, slots) values ('one', 1)");
    await engine.database.pool.query("select pg_notify('leoflow_pools', '')");
    await engine.trigger('other');
    const o = await engine.job('o');
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const holder = new pg.Client(engine.database.url);
    await holder.connect();
    await holder.query("begin; select 1 from task_instances where task_id = 'a' for update");
    const reportedA = engine.report(a);
    // No event tells of a commit that waits.
    while ((await engine.rows("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%moveTask%' and datname = current_database()")).length === 0);
    // By a notice that the leader hears no later than this test does.
    const listener = new pg.Client(engine.database.url);
    await listener.connect();
    await listener.query('listen leoflow_run');
    const heard = new Promise((resolve) => listener.once('notification', resolve));
    await listener.query("select pg_notify('leoflow_run', $1)", [run]);
    await heard;
    await listener.query('select pg_sleep(0.05)');
    await listener.end();
    // Its end makes room for b.
    const reportedO = engine.insist(o);
    await new Promise((resolve) => setImmediate(resolve));
    await holder.query('rollback');
    await holder.end();
    assert.deepEqual([await reportedA, await reportedO], [{ kind: 'recorded' }, { kind: 'recorded' }]);
    assert.deepEqual(await engine.insist(await engine.job('b')), { kind: 'recorded' });
    await engine.untilRun(run, 'success');
    assert.deepEqual(engine.machine.jobs.map((job) => job.task_id).toSorted(), ['a', 'b', 'o'], 'nothing was started twice');
  });

  it('an end that could not be written keeps its place in the pool until it is', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { pool: 'one' })]), dagOf('other', [task('o', [], { pool: 'one' })])]);
    await engine.database.pool.query("insert into pools (name, slots) values ('one', 1)");
    await engine.database.pool.query("select pg_notify('leoflow_pools', '')");
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    const other = await engine.trigger('other');
    await engine.untilRun(other, 'running');
    const holder = new pg.Client(engine.database.url);
    await holder.connect();
    await holder.query("begin; select 1 from task_instances where task_id = 'a' for update");
    // The leader's statement gives the lock up after two seconds.
    await assert.rejects(engine.report(a), /lock timeout/);
    assert.equal((await engine.instance(other, 'o'))['state'], 'scheduled');
    assert.deepEqual(engine.machine.jobs.map((job) => job.task_id), ['a'], 'nobody took its place');
    await holder.query('rollback');
    await holder.end();
    assert.deepEqual(await engine.insist(a), { kind: 'recorded' });
    await engine.finish('o');
    await engine.untilRun(run, 'success');
  });

  it('clear what was finished while something else runs: the run does not end without it', async () => {
    await using engine = await EngineUnderTest.open([two]);
    const run = await engine.trigger('d');
    await engine.finish('a');
    const b = await engine.job('b');
    await applyAction(engine.database, { ...NO_ACTION, clear: [{ run, taskId: 'a', mapIndex: -1 }], by: 'ann' });
    const again = await engine.job('a', 2);
    assert.deepEqual(await engine.report(b), { kind: 'recorded' }, 'the running one is still its own');
    assert.equal((await engine.one('select state from dag_runs where id = $1', [run]))?.['state'], 'running');
    await engine.report(again);
    await engine.untilRun(run, 'success');
  });

  it('a process that ends while its run is read again is not forgotten', async () => {
    await using engine = await EngineUnderTest.open([two], { LEOFLOW_INFRA_RETRY_DELAY_SECONDS: 0.01 });
    const run = await engine.trigger('d');
    await engine.finish('a');
    const b = await engine.job('b');
    const blocker = await engine.database.pool.connect();
    try {
      // Reading the run waits for this lock; the end of b comes in between.
      await blocker.query('begin; lock table task_instances in access exclusive mode');
      await engine.rows("select pg_notify('leoflow_run', $1)", [run]);
      while (engine.scheduler.counts?.executions !== 0) await new Promise((resolve) => setImmediate(resolve));
      engine.executor.kill(b);
    } finally {
      await blocker.query('commit');
      blocker.release();
    }
    await engine.finish('b', {}, 2);
    await engine.untilRun(run, 'success');
  });

  it('mark a run failed: what runs is stopped', async () => {
    await using engine = await EngineUnderTest.open([two]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await applyAction(engine.database, { ...NO_ACTION, mark: [{ run, taskId: 'a', mapIndex: -1, state: 'failed' }, { run, taskId: 'b', mapIndex: -1, state: 'skipped' }], runs: [{ id: run, state: 'failed' }], by: 'ann' });
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'a is cancelled');
    assert.equal(engine.scheduler.counts?.runs, 0);
  });

  it('delete a run: what runs is stopped', async () => {
    await using engine = await EngineUnderTest.open([two]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await engine.rows('delete from dag_runs where id = $1', [run]);
    await engine.rows("select pg_notify('leoflow_run', $1)", [run]);
    await engine.until(() => engine.machine.cancelled.includes(a.execution_id), 'a is cancelled');
  });
});

describe('versions whose processes are not up', () => {
  it('wait, and go when they are', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('m', [], { expand: product(3) })])]);
    const version = engine.versions.get('d') ?? assert.fail();
    engine.machine.cold.add(version);
    const run = await engine.trigger('d');
    await engine.until(() => engine.machine.reserved.length >= 3, 'places are asked for');
    assert.equal(engine.machine.jobs.length, 0);
    engine.executor.warm(version);
    for (const name of ['m[0]', 'm[1]', 'm[2]']) await engine.finish(name);
    await engine.untilRun(run, 'success');
  });

  it('a file that does not import fails the task by its retries, text and all', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a', [], { retries: 1, retry_delay_seconds: 0 })])]);
    const version = engine.versions.get('d') ?? assert.fail();
    engine.machine.cold.add(version);
    const run = await engine.trigger('d');
    for (const tries of [1, 2]) {
      await engine.until(() => engine.machine.reserved.length >= tries, `place ${tries}`);
      engine.executor.fail(version, { type: 'ImportError', message: 'no \u0000 module \ud800' });
    }
    await engine.untilRun(run, 'failed');
    assert.equal((await engine.instance(run, 'a'))['cause'], 'config');
    assert.match(String((await engine.instance(run, 'a'))['reason']), /does not import: ImportError: no . module/);
    assert.equal((await engine.rows('select 1 from task_attempts where run = $1 and error is not null', [run])).length, 2);
  });

  it('of a paused DAG nothing begins; what was held begins when it goes on', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b', ['a']), task('c', ['a'], { body: { kind: 'empty' } })])]);
    const run = await engine.trigger('d');
    const a = await engine.job('a');
    await setPaused(engine.database, ['d'], true);
    const other = await engine.trigger('d');
    // Both notices come in order: when the second run is known, the first one is held.
    await engine.untilRow(async () => (await engine.instance(other, 'a'))['state'] === null, 'the second run is known');
    await engine.report(a);
    await engine.untilInstance(run, 'a', 'success');
    assert.deepEqual([(await engine.instance(run, 'b'))['state'], (await engine.instance(run, 'c'))['state'], (await engine.instance(run, 'b'))['try_number']], [null, null, 0]);
    await setPaused(engine.database, ['d'], false);
    await engine.finish('b');
    await engine.untilRun(run, 'success');
  });

  it('a task that was marked while it waited does not start', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b')], { fail_fast: true })]);
    const version = engine.versions.get('d') ?? assert.fail();
    const run = await engine.trigger('d');
    const [a, b] = [await engine.job('a'), await engine.job('b')];
    engine.machine.cold.add(version);
    const asked = engine.machine.reserved.length;
    engine.executor.kill(b);
    await engine.until(() => engine.events.some((event) => event.event === 'task.moved' && event.task_id === 'b' && event.to === 'scheduled' && event.from === 'running'), 'b is lost');
    await engine.until(() => engine.machine.reserved.length > asked, 'b asks for a place');
    await engine.report(a, { outcome: 'failed' });
    await engine.untilRun(run, 'failed');
    engine.executor.warm(version);
    const other = await engine.trigger('d');
    await engine.finish('a', {}, 2);
    await engine.finish('b', {}, 2);
    await engine.untilRun(other, 'success');
    assert.equal((await engine.instance(run, 'b'))['state'], 'skipped');
  });
});
