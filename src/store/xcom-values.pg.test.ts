// XCom bytes come back as they went in; what is recorded but gone or changed is an error, never None.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppError } from '#contract/errors.ts';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addRun, addXCom, dagOf, task } from '../../test/support/rows.ts';
import type { Database } from './database.ts';
import { findXComValue } from './xcom-values.ts';

async function seed(database: Database): Promise<string> {
  await addDag(database, dagOf('d', [task('t')]));
  return addRun(database, { dagId: 'd', runId: 'r' });
}

const ask = (run: string, mapIndex: number | null, key = 'k'): Parameters<typeof findXComValue>[1] => ({ run, dagId: 'd', runId: null, taskId: 't', key, mapIndex });
const isLost = (error: unknown): boolean => error instanceof AppError && error.code === 'xcom_lost';

describe('XCom values', () => {
  it('text that JSON in JavaScript would change comes back byte by byte', () => withDatabase(async (database) => {
    const run = await seed(database);
    for (const [index, value] of ['9007199254740993', '1.0', '-0.0', '1e400', '"\\u0000 \\ud800"', '{"a":1,"a":2}', ' [ 1 ] '].entries()) {
      await addXCom(database, { run, taskId: 't', key: 'k', value, mapIndex: index });
      assert.equal(await findXComValue(database.pool, ask(run, index), null), value);
    }
  }));

  it('all of a mapped task come in the order of their indexes, none as null', () => withDatabase(async (database) => {
    const run = await seed(database);
    for (const index of [10, 2, 0]) await addXCom(database, { run, taskId: 't', key: 'k', value: `${index}`, mapIndex: index });
    assert.equal(await findXComValue(database.pool, ask(run, null), null), '[0,2,10]');
    assert.equal(await findXComValue(database.pool, ask(run, null, 'other'), null), null);
    assert.equal(await findXComValue(database.pool, { ...ask(run, 2), run: 'ffffffff-0000-7000-8000-000000000000', runId: 'r' }, null), '2', 'by the run’s name');
  }));

  it('values of earlier runs count when asked for: the newest, or all of them', () => withDatabase(async (database) => {
    await addDag(database, dagOf('d', [task('t')]));
    const runs: string[] = [];
    for (const day of [1, 2, 3, 4]) runs.push(await addRun(database, { dagId: 'd', runId: `r${day}`, logicalDate: `2026-01-0${day}T00:00:00Z` }));
    for (const day of [1, 2, 4]) await addXCom(database, { run: runs[day - 1] ?? assert.fail(), taskId: 't', key: 'k', value: `"day ${day}"` });
    const third = runs[2] ?? assert.fail();
    assert.equal(await findXComValue(database.pool, ask(third, -1), null), null);
    assert.equal(await findXComValue(database.pool, { ...ask(third, -1), withPriorRuns: true }, null), '"day 2"');
    assert.equal(await findXComValue(database.pool, { ...ask(third, null), withPriorRuns: true }, null), '["day 2","day 1"]', 'later runs do not count');
  }));

  it('a value that is gone, or is not what was recorded, is an error', () => withDatabase(async (database) => {
    const run = await seed(database);
    await addXCom(database, { run, taskId: 't', key: 'gone', value: '1' });
    await addXCom(database, { run, taskId: 't', key: 'changed', value: '1' });
    await database.pool.query("delete from xcom_values where key = 'gone'");
    await database.pool.query("update xcom_values set value = '2' where key = 'changed'");
    await assert.rejects(findXComValue(database.pool, ask(run, -1, 'gone'), null), isLost);
    await assert.rejects(findXComValue(database.pool, ask(run, null, 'gone'), null), isLost);
    await assert.rejects(findXComValue(database.pool, ask(run, -1, 'changed'), null), isLost);
  }));
});
