// Runs that look at the one before: held back by a task of it, let go by that task alone, by a person, and in order of their dates.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findPastRun } from '#store/dag-runs.ts';
import { applyAction, NO_ACTION } from '#store/person-actions.ts';
import { EngineUnderTest } from '../../test/support/engine.ts';
import { dagOf, task } from '../../test/support/rows.ts';

const [FIRST, SECOND, THIRD] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'] as const;
const past = (id: string, dependsOn: readonly string[] = []): ReturnType<typeof task> => task(id, dependsOn, { depends_on_past: true });

describe('depends_on_past', () => {
  it('a run goes on as soon as the task before it has succeeded, whatever else its run does', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [past('a'), task('other')], { max_active_runs: 4 })]);
    const first = await engine.trigger('d', { logicalDate: FIRST });
    const second = await engine.trigger('d', { logicalDate: SECOND });
    await engine.job('a');
    await engine.job('other', 2);
    assert.equal((await engine.instance(second, 'a'))['state'], null);
    await engine.finish('a');
    const job = await engine.job('a', 2);
    assert.equal(job.run.id, second);
    assert.equal((await engine.one('select state from dag_runs where id = $1', [first]))?.['state'], 'running');
  });

  it('a failed task holds the next run back until a person marks it', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [past('a'), task('other')])]);
    const first = await engine.trigger('d', { logicalDate: FIRST });
    await engine.finish('other');
    await engine.finish('a', { outcome: 'failed' });
    await engine.untilRun(first, 'failed');
    const second = await engine.trigger('d', { logicalDate: SECOND });
    await engine.finish('other', {}, 2);
    await engine.untilInstance(second, 'other', 'success');
    assert.equal((await engine.one('select state from dag_runs where id = $1', [second]))?.['state'], 'running');
    await applyAction(engine.database, { ...NO_ACTION, mark: [{ run: first, taskId: 'a', mapIndex: -1, state: 'success' }], by: 'ann' });
    await engine.finish('a', {}, 2);
    await engine.untilRun(second, 'success');
  });

  it('a run without instances yet has done nothing: the one after it waits', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [past('a')], { max_active_runs: 3 })]);
    const runs = [await engine.trigger('d', { logicalDate: FIRST }), await engine.trigger('d', { logicalDate: SECOND }), await engine.trigger('d', { logicalDate: THIRD })];
    for (const [at, run] of runs.entries()) assert.equal((await engine.finish('a', {}, at + 1)).run.id, run);
    await engine.untilRun(runs[2] ?? assert.fail(), 'success');
  });
});

describe('the run before, read', () => {
  it('says of each task how it stands, and whether it is new to the DAG', async () => {
    await using engine = await EngineUnderTest.open([dagOf('d', [task('a'), task('b')])]);
    const first = await engine.trigger('d', { logicalDate: FIRST });
    await engine.finish('a');
    await engine.finish('b', { outcome: 'failed' });
    await engine.untilRun(first, 'failed');
    const ask = (logicalDate: string) => findPastRun(engine.database.pool, { dagId: 'd', logicalDate: Date.parse(logicalDate), anyType: true, taskIds: ['a', 'b', 'c'] });
    assert.equal(await ask(FIRST), null);
    assert.deepEqual(await ask(SECOND), { logicalDate: Date.parse(FIRST), states: new Map([['a', 'good'], ['b', 'bad'], ['c', 'new']]) });
    const second = await engine.trigger('d', { logicalDate: SECOND });
    await engine.finish('a', {}, 2);
    await engine.finish('b', {}, 2);
    await engine.untilRun(second, 'success');
    await engine.rows("delete from task_instances where run = $1 and task_id = 'b'", [second]);
    assert.deepEqual((await ask(THIRD))?.states, new Map([['a', 'good'], ['b', 'absent'], ['c', 'new']]));
    assert.equal(await findPastRun(engine.database.pool, { dagId: 'd', logicalDate: Date.parse(THIRD), anyType: false, taskIds: ['a'] }), null, 'manual runs do not count with catchup');
  });
});
