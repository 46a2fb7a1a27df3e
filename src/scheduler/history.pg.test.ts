// What is over goes in one go, however much has piled up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '#contract/config.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addRun, dagOf, task } from '../../test/support/rows.ts';
import { History } from './history.ts';

test('all values that expired go, more than one statement takes; others stay', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('t')]));
  const run = await addRun(database, { dagId: 'd', runId: 'r' });
  const over = 2 * LIMITS.maxBatchOperations + 5;
  await database.pool.query(`insert into xcoms (run, task_id, map_index, key, sha256, size_bytes, expires_at)
    select $1, 't', n, 'k', '', 1, case when n <= $2 then now() - interval '1 hour' when n = $2 + 1 then now() + interval '1 hour' end from generate_series(1, $2 + 2) n`, [run, over]);
  // One has lost its bytes already.
  await database.pool.query("insert into xcom_values (run, task_id, map_index, key, value) select $1, 't', n, 'k', '1' from generate_series(2, $2 + 2) n", [run, over]);
  const history = new History({ config: readConfig({}, {}), database, reporter: createReporter('error', () => undefined), onPruned: () => undefined });
  await history.prune();
  const count = async (text: string): Promise<unknown> => (await database.pool.query<{ n: number }>(`select count(*)::int as n from ${text}`)).rows[0]?.n;
  assert.deepEqual([await count("xcoms where store = 'expired'"), await count("xcoms where store = 'postgres'"), await count('xcom_values')], [over, 2, 2]);
}));
