// The recorded databases of real Airflows load into an empty PostgreSQL and hold what their Airflows read there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../support/cli.ts';
import { addXComs, inDatabase, loadXComDatabase, makeSqliteXComDatabase, readRecorded, RECORDED_AIRFLOWS } from '../support/xcom-databases.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'xcom-databases');
const LIMIT_BYTES = 300_000;

describe('recorded databases', () => {
  for (const airflow of RECORDED_AIRFLOWS) {
    test(`Airflow ${airflow}`, async () => {
      const database = await loadXComDatabase(airflow);
      const { columns, runs, xcoms } = database.recorded;
      for (const table of ['xcom', '_xcom_archive', 'dag_run'] as const) {
        const rows = await inDatabase(database.url, "select column_name as name from information_schema.columns where table_schema = 'public' and table_name = $1", [table]);
        assert.deepEqual(rows.map(({ name }) => String(name)).sort(), columns[table], table);
        if (columns[table].length === 0 || table === 'dag_run') continue;
        const [counted] = await inDatabase(database.url, `select count(*)::int as rows from ${table}`);
        assert.equal(counted?.['rows'], xcoms.filter((xcom) => xcom.table === table).length, table);
      }
      const found = await inDatabase(database.url, 'select run_id from dag_run');
      assert.deepEqual(found.map(({ run_id: run }) => String(run)).sort(), runs.map(({ run_id: run }) => run).sort());
      assert.deepEqual(new Set(runs.map(({ state }) => state)), new Set(['success', 'failed']));
    });
  }

  test('both kinds of value occur, in each generation of the table', () => {
    const kinds = Object.fromEntries(RECORDED_AIRFLOWS.map((airflow) => [airflow, [...new Set(readRecorded(airflow).xcoms.map(({ table, storage }) => `${table}: ${storage}`))].sort()]));
    const mixed = ['xcom: bytes', 'xcom: pickle'];
    assert.deepEqual(kinds, { '1.10': mixed, '2.0': mixed, '2.2': mixed, '2.11': mixed, '3.0-upgraded': ['_xcom_archive: pickle', 'xcom: json'], '3.2': ['xcom: json'] });
  });

  test('a fixture is small and tells nothing of the machine that recorded it', () => {
    for (const name of RECORDED_AIRFLOWS.flatMap((airflow) => [`${airflow}.sql`, `${airflow}.json`])) {
      const text = readFileSync(join(FIXTURES, name), 'utf8');
      assert.ok(text.length < LIMIT_BYTES, name);
      assert.doesNotMatch(text, /\/(tmp|home|root|work|Users)\/|^\\/m, name);
    }
  });

  test('a big value is added when it is needed', async () => {
    for (const airflow of ['2.11', '3.2'] as const) {
      const database = await loadXComDatabase(airflow);
      await addXComs(database, [{ key: 'big', value: JSON.stringify('x'.repeat(1_000_000)) }]);
      const [row] = await inDatabase(database.url, `select ${airflow === '3.2' ? 'octet_length(value::text)' : 'length(value)'} as bytes from xcom where key = 'big'`);
      assert.equal(row?.['bytes'], 1_000_002);
    }
  });

  test('a database in a file', () => {
    const folder = temporaryFolder();
    try {
      const path = join(folder.path, 'airflow.db');
      assert.equal(makeSqliteXComDatabase(path).airflowUrl, `sqlite:///${path}`);
      assert.ok(existsSync(path));
      const database = new DatabaseSync(path, { readOnly: true });
      assert.equal(database.prepare('select count(*) as rows from xcom').get()?.['rows'], 5);
      database.close();
    } finally {
      folder.remove();
    }
  });
});
