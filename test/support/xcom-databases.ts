// Databases of real Airflows for tests of the XCom reader, loaded from test/fixtures/xcom-databases, with what each Airflow itself read there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { emptyTestDatabase } from './database.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'xcom-databases');

/** Recorded databases by the Airflow that filled them; `3.0-upgraded` is that of 2.11 after `airflow db migrate` of 3.2.1. */
export const RECORDED_AIRFLOWS = ['1.10', '2.0', '2.2', '2.11', '3.0-upgraded', '3.2'] as const;
export type RecordedAirflow = (typeof RECORDED_AIRFLOWS)[number];

/** One XCom as the Airflow of that version gave it to a task. */
export interface RecordedXCom {
  readonly table: 'xcom' | '_xcom_archive';
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly key: string;
  readonly timestamp: string;
  /** `json`: a JSON column. `bytes`: JSON in a binary column. `pickle`: a pickle in one. */
  readonly storage: 'json' | 'bytes' | 'pickle';
  /** JSON text as it lies there; missing for a pickle. */
  readonly raw?: string;
  /** Plain data as it is; every other type as an object with `$type`, the name of its class, and what there is to know of it. */
  readonly value: unknown;
}

export interface RecordedRun {
  readonly dag_id: string;
  readonly run_id: string;
  readonly state: string;
  readonly run_type: string | null;
  readonly logical_date: string | null;
  readonly run_after: string | null;
}

/** What an Airflow read in its own database. Runs are the newest first. */
export interface RecordedContent {
  readonly airflow: string;
  readonly columns: Readonly<Record<'xcom' | '_xcom_archive' | 'dag_run', readonly string[]>>;
  readonly runs: readonly RecordedRun[];
  readonly xcoms: readonly RecordedXCom[];
}

/** A loaded database. */
export interface XComDatabase {
  /** For `pg`. */
  readonly url: string;
  /** As Airflow names it: for AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, or AIRFLOW__CORE__SQL_ALCHEMY_CONN before 2.3. */
  readonly airflowUrl: string;
  /** Path of the unix socket or HOST:PORT, for the ports of a pod. */
  readonly target: string;
  readonly recorded: RecordedContent;
}

/** What was recorded, without a database. */
export function readRecorded(airflow: RecordedAirflow): RecordedContent {
  return JSON.parse(readFileSync(join(FIXTURES, `${airflow}.json`), 'utf8')) as RecordedContent;
}

/** Loads a recorded database into one of its own, which goes when the process's tests are over. */
export async function loadXComDatabase(airflow: RecordedAirflow): Promise<XComDatabase> {
  const url = await emptyTestDatabase();
  await inDatabase(url, readFileSync(join(FIXTURES, `${airflow}.sql`), 'utf8'));
  const { username, password, pathname, searchParams, host } = new URL(url.replace(/@(?=[/?])/, '@localhost'));
  const socket = searchParams.get('host');
  const who = password === '' ? username : `${username}:${password}`;
  return {
    url, airflowUrl: socket === null ? url.replace(/^postgres(ql)?:/, 'postgresql+psycopg2:') : `postgresql+psycopg2://${who}@${pathname}?${searchParams.toString()}`,
    target: socket === null ? host : join(socket, '.s.PGSQL.5432'), recorded: readRecorded(airflow),
  };
}

/** Runs statements in a database, such as one more role or row, and gives the last one's rows. */
export async function inDatabase(url: string, statements: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const done = await client.query(statements, values === undefined ? undefined : [...values]) as pg.QueryResult | pg.QueryResult[];
    return ((Array.isArray(done) ? done.at(-1) : done)?.rows ?? []) as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

/**
 * Adds XComs beside one that is there: same run, task and map index. `value` is JSON text, or the bytes of a binary column.
 * @param like where they go: the newest run of `xcom_kinds` and its task `extract` unless said
 */
export async function addXComs(database: XComDatabase, xcoms: readonly { readonly key: string; readonly value: string | Buffer }[], like: { readonly runId?: string; readonly taskId?: string } = {}): Promise<void> {
  const columns = database.recorded.columns.xcom.filter((name) => name !== 'id' && name !== 'key' && name !== 'value');
  const isJson = database.recorded.columns.dag_run.includes('run_after');
  const run = like.runId ?? database.recorded.runs.find(({ dag_id: dag }) => dag === 'xcom_kinds')?.run_id ?? '';
  const where = columns.includes('run_id') ? 'run_id = $3' : 'execution_date = (select execution_date from dag_run where run_id = $3)';
  const statement = `insert into xcom (${columns.join(', ')}, key, value) select ${columns.join(', ')}, $1, $2::${isJson ? 'jsonb' : 'bytea'} from xcom where dag_id = 'xcom_kinds' and task_id = $4 and ${where} order by key limit 1`;
  for (const { key, value } of xcoms) {
    await inDatabase(database.url, statement, [key, isJson ? value.toString() : Buffer.from(value), run, like.taskId ?? 'extract']);
  }
}

/** Makes a small database of Airflow 3.2 in a file of SQLite: one run with two tasks' XComs, one of them mapped. */
export function makeSqliteXComDatabase(path: string): { readonly airflowUrl: string } {
  const database = new DatabaseSync(path);
  try {
    database.exec(readFileSync(join(FIXTURES, '3.2-sqlite.sql'), 'utf8'));
    database.exec(SQLITE_ROWS);
  } finally {
    database.close();
  }
  return { airflowUrl: `sqlite:///${path}` };
}

const SQLITE_ROWS = `
insert into dag_run (id, dag_id, run_id, run_type, state, logical_date, run_after) values
  (1, 'xcom_kinds', 'manual__1', 'manual', 'success', '2021-03-01 06:00:00.000000', '2021-03-01 06:00:00.000000'),
  (2, 'xcom_kinds', 'manual__2', 'manual', 'failed', null, '2021-03-02 06:00:00.000000');
insert into task_instance (id, task_id, dag_id, run_id, map_index, state, try_number, pool, pool_slots) values
  ('a1', 'extract', 'xcom_kinds', 'manual__1', -1, 'success', 1, 'default_pool', 1), ('a2', 'score', 'xcom_kinds', 'manual__1', 0, 'success', 1, 'default_pool', 1),
  ('a3', 'score', 'xcom_kinds', 'manual__1', 1, 'success', 1, 'default_pool', 1), ('a4', 'extract', 'xcom_kinds', 'manual__2', -1, 'failed', 1, 'default_pool', 1);
insert into xcom (dag_run_id, dag_id, run_id, task_id, map_index, key, value, timestamp) values
  (1, 'xcom_kinds', 'manual__1', 'extract', -1, 'return_value', '{"rows": 3}', '2021-03-01 06:00:01.000000'), (1, 'xcom_kinds', 'manual__1', 'extract', -1, 'digits', '"123"', '2021-03-01 06:00:01.000000'),
  (1, 'xcom_kinds', 'manual__1', 'score', 0, 'return_value', '0.8', '2021-03-01 06:00:02.000000'), (1, 'xcom_kinds', 'manual__1', 'score', 1, 'return_value', '0.81', '2021-03-01 06:00:02.000000'),
  (2, 'xcom_kinds', 'manual__2', 'extract', -1, 'return_value', null, '2021-03-02 06:00:01.000000');
`;
