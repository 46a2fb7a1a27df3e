// Old runs go with everything below them; what is needed, new or unfinished stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withDatabase } from '../../test/support/database.ts';
import { addDag, addInstance, addRun, addXCom, dagOf, task } from '../../test/support/rows.ts';
import type { Database } from './database.ts';
import { countPrunableRuns, listOwnRetentions, prune } from './prune.ts';
import { BELOW_RUN } from './run-deletion.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');

async function addOld(database: Database, dagId: string, day: number, state: 'success' | 'failed' | 'running' = 'success'): Promise<string> {
  const run = await addRun(database, { dagId, runId: `r${day}`, runType: 'scheduled', logicalDate: new Date(Date.parse('2026-01-01T00:00:00Z') + day * 86_400_000).toISOString(), state });
  await addInstance(database, { run, taskId: 'a', state: 'success' });
  await addXCom(database, { run, taskId: 'a', key: 'return_value', value: '1' });
  return run;
}

const left = async (database: Database, dagId: string): Promise<string[]> => (await database.kysely.selectFrom('dag_runs').select('run_id').where('dag_id', '=', dagId).orderBy('run_id').execute()).map((row) => row.run_id);

test('old runs go, the newest and the unfinished stay, and nothing below them is left', () => withDatabase(async (database) => {
  for (const id of ['d', 'other']) await addDag(database, dagOf(id, [task('a')]));
  for (let day = 1; day <= 5; day += 1) await addOld(database, 'd', day);
  await addOld(database, 'd', 0, 'running');
  await addOld(database, 'other', 1);
  const retention = { endedBefore: NOW, keepRuns: 2, dagId: null };
  assert.equal(await countPrunableRuns(database, retention), 3);
  const parts: string[] = [];
  const pruned = await prune(database, retention, (executions) => void parts.push(...executions));
  assert.deepEqual([pruned.runs, pruned.executions, parts.length], [3, 3, 3]);
  assert.deepEqual([await left(database, 'd'), await left(database, 'other')], [['r0', 'r4', 'r5'], ['r1']]);
  for (const table of BELOW_RUN) {
    const { rows } = await database.pool.query<{ n: number }>(`select count(*)::int as n from ${table} t where not exists (select 1 from dag_runs r where r.id = t.run)`);
    assert.equal(rows[0]?.n, 0, table);
  }
  assert.deepEqual((await prune(database, retention)).runs, 0);
}));

test('only one DAG, and nothing that ended later', () => withDatabase(async (database) => {
  for (const id of ['d', 'other']) {
    await addDag(database, dagOf(id, [task('a')]));
    for (let day = 1; day <= 3; day += 1) await addOld(database, id, day);
  }
  await database.pool.query("update dag_runs set end_date = '2026-07-01Z' where run_id = 'r1'");
  assert.equal((await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: 'd' })).runs, 1);
  assert.deepEqual([await left(database, 'd'), await left(database, 'other')], [['r1', 'r3'], ['r1', 'r2', 'r3']]);
}));

test('a DAG may say itself how long its runs are kept', () => withDatabase(async (database) => {
  await addDag(database, { ...dagOf('own', [task('a')]), retention_days: 3 });
  await addDag(database, { ...dagOf('forever', [task('a')]), retention_days: 0 });
  await addDag(database, dagOf('plain', [task('a')]));
  assert.deepEqual(await listOwnRetentions(database), [{ dagId: 'forever', days: 0 }, { dagId: 'own', days: 3 }]);
  for (const id of ['own', 'forever', 'plain']) for (let day = 1; day <= 2; day += 1) await addOld(database, id, day);
  await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: null, except: ['forever', 'own'] });
  assert.deepEqual([await left(database, 'own'), await left(database, 'forever'), await left(database, 'plain')], [['r1', 'r2'], ['r1', 'r2'], ['r2']]);
}));

test('versions and sources that nothing names go; those of runs and DAGs stay', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  await addOld(database, 'd', 1);
  await addDag(database, dagOf('d', [task('a'), task('b')]));
  await addDag(database, dagOf('d', [task('a'), task('c')]));
  await database.pool.query("update dag_versions set created_at = '2026-01-01Z'");
  const pruned = await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: null });
  assert.deepEqual([pruned.runs, pruned.versions], [0, 1], 'the version in between');
  assert.equal((await database.kysely.selectFrom('dag_sources').selectAll().execute()).length, 1);
}));

test('more than one part', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  await database.pool.query(`insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, run_after, end_date, triggered_by)
    select gen_random_uuid(), 'd', 'm' || n, 'manual', 'success', true, (select version_id from dags), timestamptz '2026-01-01Z' + n * interval '1 minute', timestamptz '2026-01-01Z' + n * interval '1 minute', 'cli' from generate_series(1, 501) n`);
  assert.equal((await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: null })).runs, 500);
}));

/** A finished run with many executions. */
async function addBig(database: Database, runId: string, executions: number): Promise<void> {
  const run = await addRun(database, { dagId: 'd', runId, state: 'success' });
  await database.pool.query("update dag_runs set end_date = '2026-01-01Z', run_after = '2026-01-01Z' where id = $1", [run]);
  await database.pool.query("insert into executions (id, attempt_id, run, state, ended, executor) select gen_random_uuid(), gen_random_uuid(), $1, 'success', true, 'process' from generate_series(1, $2)", [run, executions]);
}

test('a part is bounded by its rows, and waits until its logs are gone', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  for (let n = 0; n < 6; n += 1) await addBig(database, `m${n}`, 7000);
  await addRun(database, { dagId: 'd', runId: 'newest' });
  const parts: number[] = [];
  let working = 0;
  const pruned = await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: null }, async (executions) => {
    working += 1;
    assert.equal(working, 1, 'the next part begins when this one is done with');
    parts.push(executions.length);
    await new Promise((resolve) => setImmediate(resolve));
    working -= 1;
  });
  assert.deepEqual([pruned.runs, pruned.executions, parts], [6, 42_000, [14_000, 14_000, 14_000]]);
}));

test('a run larger than a part goes by itself, however many executions it has', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  await addBig(database, 'huge', 200_000);
  await addBig(database, 'small', 1);
  await addRun(database, { dagId: 'd', runId: 'newest' });
  const parts: number[] = [];
  await prune(database, { endedBefore: NOW, keepRuns: 1, dagId: null }, (executions) => void parts.push(executions.length));
  assert.deepEqual(parts.toSorted((a, b) => a - b), [1, 200_000]);
}));

test('what a later run that goes on looks back at stays', () => withDatabase(async (database) => {
  await addDag(database, dagOf('d', [task('a')]));
  await addOld(database, 'd', 1, 'failed');
  await addOld(database, 'd', 2, 'running');
  for (let day = 3; day <= 5; day += 1) await addOld(database, 'd', day);
  const retention = { endedBefore: NOW, keepRuns: 1, dagId: null };
  assert.equal(await countPrunableRuns(database, retention), 2);
  assert.equal((await prune(database, retention)).runs, 2);
  assert.deepEqual(await left(database, 'd'), ['r1', 'r2', 'r5']);
  await database.pool.query("update dag_runs set state = 'success', finished = true, end_date = '2026-01-03Z' where run_id = 'r2'");
  await prune(database, retention);
  assert.deepEqual(await left(database, 'd'), ['r5']);
}));
