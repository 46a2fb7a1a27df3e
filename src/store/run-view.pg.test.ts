// What people see of a run's values: cut to a length, and still text.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addRun, addXCom, dagOf, task } from '../../test/support/rows.ts';
import type { RunUuid } from '#contract/ids.ts';
import { listRunXComs } from './run-view.ts';

test('a value that is cut inside a character stays text', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('t')]));
  const run = (await addRun(database, { dagId: 'd', runId: 'r' })) as RunUuid;
  await addXCom(database, { run, taskId: 't', key: 'k', value: `"${'x'.repeat(1998)}😀"` });
  const [xcom] = await listRunXComs(database, run, 10);
  assert.deepEqual([xcom?.text.length, xcom?.text.slice(-2), xcom?.text.isWellFormed()], [2000, 'x\uFFFD', true]);
}));
