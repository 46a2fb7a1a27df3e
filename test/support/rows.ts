// Small builders of rows for tests: a registered DAG, a run, its task instances, tries, executions and values.
import { createHash } from 'node:crypto';
import type { Dag, Task } from '#contract/dag.ts';
import { makeUuidV7, type RunUuid } from '#contract/ids.ts';
import type { RunState, TaskState } from '#contract/states.ts';
import { createRun } from '#store/dag-runs.ts';
import { registerVersion } from '#store/dag-versions.ts';
import type { Database } from '#store/database.ts';

const SOURCE = 'from airflow.sdk import dag\n';

/** A task of dag.json. */
export function task(id: string, dependsOn: readonly string[] = [], more: Partial<Task> = {}): Task {
  return { task_id: id, operator: 'PythonOperator', body: { kind: 'python', file: 'dag.py', class: 'PythonOperator' }, depends_on: [...dependsOn], ...more };
}

/** A dag.json with these tasks. */
export function dagOf(dagId: string, tasks: readonly Task[], more: Partial<Dag> = {}): Dag {
  return {
    schema_version: '1.0', dag_id: dagId, fileloc: 'dag.py', runtime: 'leoflow', sources: [{ path: 'dag.py', sha256: createHash('sha256').update(SOURCE).digest('hex') }],
    timetable: { kind: 'none' }, tasks: [...tasks], ...more,
  };
}

/** Registers a DAG, unpaused. @returns its version's id */
export async function addDag(database: Database, dag: Dag): Promise<string> {
  const registered = await registerVersion(database, {
    dag, sources: [{ path: 'dag.py', content: Buffer.from(SOURCE) }], bundle: 'test', active: true, parseMs: 12, next: null, timetable: { summary: 'None', description: null },
  });
  return registered.versionId;
}

export interface RunSeed {
  readonly dagId: string;
  readonly runId: string;
  readonly state?: RunState;
  readonly logicalDate?: string | null;
  readonly conf?: unknown;
  readonly runType?: 'manual' | 'scheduled';
}

/** A run. @returns its UUID */
export async function addRun(database: Database, seed: RunSeed): Promise<string> {
  const logicalDate = seed.logicalDate === undefined || seed.logicalDate === null ? null : Date.parse(seed.logicalDate);
  const created = await createRun(database, {
    dagId: seed.dagId, runId: seed.runId, runType: seed.runType ?? 'manual', logicalDate, interval: null, runAfter: logicalDate ?? Date.parse('2026-01-01T00:00:00Z'),
    conf: seed.conf ?? {}, triggeredBy: 'rest_api', user: 'ann', note: null,
  });
  if (created.kind !== 'created') throw new Error(`the run was not made: ${created.kind}`);
  const state = seed.state ?? 'running';
  const isFinished = state === 'success' || state === 'failed';
  const started = state === 'queued' ? null : '2026-01-01T00:00:01Z';
  await database.kysely.updateTable('dag_runs').set({ state, finished: isFinished, start_date: started, end_date: isFinished ? '2026-01-01T00:01:00Z' : null, epoch: 1 }).where('id', '=', created.run.id).execute();
  return created.run.id;
}

export interface InstanceSeed {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex?: number;
  readonly state?: TaskState;
  readonly tryNumber?: number;
  readonly pool?: string;
  readonly reason?: string;
}

const FINISHED = ['success', 'failed', 'skipped', 'upstream_failed', 'removed'];
const STARTED = ['running', 'success', 'failed', 'up_for_retry'];

/** A task instance; one that started has a try and an execution. @returns their ids */
export async function addInstance(database: Database, seed: InstanceSeed): Promise<{ attempt: string | null; execution: string | null }> {
  const state = seed.state ?? null;
  const isStarted = state !== null && STARTED.includes(state);
  const key = { run: seed.run, task_id: seed.taskId, map_index: seed.mapIndex ?? -1, try_number: seed.tryNumber ?? (isStarted ? 1 : 0), state };
  if (!isStarted) {
    await addRow(database, { ...key, pool: seed.pool, reason: seed.reason });
    return { attempt: null, execution: null };
  }
  const isRunning = state === 'running';
  const attempt = makeUuidV7<RunUuid>(Date.now());
  const execution = makeUuidV7<RunUuid>(Date.now());
  const dates = { start_date: '2026-01-01T00:00:02Z', end_date: isRunning ? null : '2026-01-01T00:00:05.5Z' };
  await addRow(database, { ...key, ...dates, pool: seed.pool, reason: seed.reason, attempt_id: attempt, execution_id: isRunning ? execution : null });
  await database.kysely.insertInto('task_attempts').values({ id: attempt, ...key, ...dates }).execute();
  await database.kysely.insertInto('executions').values({ id: execution, attempt_id: attempt, run: seed.run, state: isRunning ? 'running' : 'success', ended: !isRunning, executor: 'process' }).execute();
  return { attempt, execution };
}

interface RowSeed {
  run: string; task_id: string; map_index: number; try_number: number; state: string | null; start_date?: string; end_date?: string | null; attempt_id?: string; execution_id?: string | null;
  pool: string | undefined; reason: string | undefined;
}

async function addRow(database: Database, { pool = 'default_pool', reason, ...row }: RowSeed): Promise<void> {
  const finished = row.state !== null && FINISHED.includes(row.state);
  await database.kysely.insertInto('task_instances').values({ ...row, finished, pool, reason: reason ?? null, operator: 'PythonOperator' }).execute();
}

/** An XCom with its bytes as given. */
export async function addXCom(database: Database, xcom: { run: string; taskId: string; key: string; value: string; mapIndex?: number }): Promise<void> {
  const row = { run: xcom.run, task_id: xcom.taskId, map_index: xcom.mapIndex ?? -1, key: xcom.key };
  const value = Buffer.from(xcom.value);
  await database.kysely.insertInto('xcoms').values({ ...row, sha256: createHash('sha256').update(value).digest(), size_bytes: value.length }).execute();
  await database.kysely.insertInto('xcom_values').values({ ...row, value }).execute();
}
