// A real Airflow with LocalExecutor on a PostgreSQL of its own: API server, scheduler and DAG processor on loopback.
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { userEnvironment } from '#platform/config.ts';
import { killGroup, run, startDaemon } from '#platform/exec.ts';
import { type Database, openDatabase } from '#store/database.ts';
import { startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import { descendantsOf, pssOf } from '../processes.ts';
import type { Workbench } from '../workbench.ts';

const MIGRATE_MS = 180_000;
const READY_MS = 120_000;
const RUN_MS = 240_000;

/** One run of Airflow, from the request that triggers it. `bodies` are begin and end of each body, in order, nanoseconds. */
export interface AirflowRun { readonly seconds: number; readonly firstMs: number; readonly bodies: readonly (readonly [number, number])[] }

/** Airflow, ready to run its DAGs. */
export interface Airflow {
  runDag(dagId: string): Promise<AirflowRun>;
  /** Begins a run. @returns its id */
  trigger(dagId: string): Promise<string>;
  /** How many task instances of a DAG are in a state. */
  count(dagId: string, state: string): Promise<number>;
  pidOf(part: Part): number;
  /** Proportional set size of all its processes, MB. */
  memory(): number;
}

type Part = 'api-server' | 'scheduler' | 'dag-processor' | 'triggerer';

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A cluster as ours has it, but for the number of connections: Airflow needs more than 60. */
async function openDatabaseFor(bench: Workbench): Promise<Database> {
  const folder = join(bench.folder, 'apg');
  const first = await startEmbeddedPostgres(folder);
  const admin = openDatabase(first.url);
  await admin.pool.query('alter system set max_connections = 300');
  await admin.pool.query('create database airflow');
  await admin.close();
  await first.stop();
  const server = await startEmbeddedPostgres(folder);
  bench.defer(() => server.stop());
  const database = openDatabase(server.url.replace('/postgres?', '/airflow?'));
  bench.defer(() => database.close());
  return database;
}

function environmentOf(how: { home: string; dags: string; port: number; socket: string; parallelism: number; bin: string }): Record<string, string> {
  const { PYTHONDONTWRITEBYTECODE: _, PYTHONPATH: __, ...inherited } = userEnvironment();
  const url = `http://127.0.0.1:${how.port}`;
  return {
    ...inherited, PATH: `${how.bin}:${inherited['PATH'] ?? ''}`, AIRFLOW_HOME: how.home,
    AIRFLOW__CORE__EXECUTOR: 'LocalExecutor', AIRFLOW__CORE__LOAD_EXAMPLES: 'False', AIRFLOW__CORE__DAGS_FOLDER: how.dags, AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION: 'False',
    AIRFLOW__CORE__PARALLELISM: String(how.parallelism), AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG: '64', AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: 'True',
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `${url}/execution/`, AIRFLOW__API__HOST: '127.0.0.1', AIRFLOW__API__PORT: String(how.port), AIRFLOW__API__BASE_URL: url,
    AIRFLOW__API_AUTH__JWT_SECRET: 'a key for benchmarks only, 64 letters and more, so that nobody complains',
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `postgresql+psycopg2://leoflow@/airflow?host=${how.socket}`,
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC: `postgresql+asyncpg://leoflow@/airflow?host=${how.socket}`,
    // With the defaults (5 and 10) its API server runs out of connections under 200 tasks and the scheduler ends.
    AIRFLOW__DATABASE__SQL_ALCHEMY_POOL_SIZE: '40', AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW: '40',
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED: 'False',
  };
}

/** Starts it and waits until its scheduler is healthy and its DAGs are known. A triggerer only when it is asked for. */
export async function startAirflow(bench: Workbench, how: { bin: string; dags: string; parallelism: number; triggerer?: boolean }): Promise<Airflow> {
  const database = await openDatabaseFor(bench);
  const home = join(bench.folder, 'airflow');
  mkdirSync(home, { recursive: true });
  const port = await freePort();
  const env = environmentOf({ ...how, home, port, socket: join(bench.folder, 'apg', 'socket') });
  // Not bin/airflow: its first line names the folder that the environment was made in.
  const python = join(how.bin, 'python');
  bench.say('Airflow: db migrate …');
  const migrated = await run(python, ['-m', 'airflow', 'db', 'migrate'], { env, timeoutMs: MIGRATE_MS });
  if (migrated.status !== 0) throw new Error(`airflow db migrate: ${migrated.stderr.slice(-2000)}`);
  const pids = new Map<Part, number>();
  for (const name of ['api-server', 'scheduler', 'dag-processor', ...(how.triggerer === true ? ['triggerer' as const] : [])] as const) {
    const daemon = await startDaemon(python, ['-m', 'airflow', name], { env, cwd: home, logFile: join(home, `${name}.log`) });
    pids.set(name, daemon.pid);
    bench.defer(() => endAll(daemon.pid, daemon.ended));
  }
  const reserialized = await run(python, ['-m', 'airflow', 'dags', 'reserialize'], { env, timeoutMs: MIGRATE_MS });
  if (reserialized.status !== 0) throw new Error(`airflow dags reserialize: ${reserialized.stderr.slice(-2000)}`);
  const base = `http://127.0.0.1:${port}`;
  await untilHealthy(base, home);
  const token = ((await (await fetch(`${base}/auth/token`)).json()) as { access_token: string }).access_token;
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return {
    runDag: (dagId) => runDag(database, { base, headers, dagId }),
    trigger: (dagId) => trigger({ base, headers, dagId }),
    count: async (dagId, state) => (await database.pool.query<{ total: number }>('select count(*)::int as total from task_instance where dag_id = $1 and state = $2', [dagId, state])).rows[0]?.total ?? 0,
    pidOf: (part) => pids.get(part) ?? 0,
    memory: () => [...pids.values()].flatMap((pid) => [pid, ...descendantsOf(pid)]).reduce((sum, pid) => sum + pssOf(pid), 0),
  };
}

/** Its processes lead groups of their own, with workers below. */
async function endAll(pid: number, ended: Promise<unknown>): Promise<void> {
  const below = descendantsOf(pid);
  killGroup(pid, 'SIGTERM');
  // Repeated, because only a timer keeps this process waiting for the end of a daemon.
  const timer = setInterval(() => killGroup(pid, 'SIGKILL'), 8000);
  await ended;
  clearInterval(timer);
  // Workers that made groups of their own; only ids that were its descendants and are still Airflow's.
  for (const one of below) if (isAirflow(one)) killOne(one);
}

function isAirflow(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('airflow');
  } catch {
    return false;
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

async function untilHealthy(base: string, home: string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const health = await fetch(`${base}/api/v2/monitor/health`).then((answer) => answer.json() as Promise<{ scheduler?: { status?: string | null } }>, () => null);
    if (health?.scheduler?.status === 'healthy') return;
    if (performance.now() > deadline) throw new Error(`Airflow was not ready in time: ${readFileSync(join(home, 'scheduler.log'), 'utf8').slice(-1500)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

interface Asked { readonly base: string; readonly headers: Record<string, string>; readonly dagId: string }

async function trigger({ base, headers, dagId }: Asked): Promise<string> {
  const response = await fetch(`${base}/api/v2/dags/${dagId}/dagRuns`, { method: 'POST', headers, body: JSON.stringify({ logical_date: null }) });
  const body = (await response.json()) as { dag_run_id?: string };
  if (!response.ok || body.dag_run_id === undefined) throw new Error(`Airflow: trigger ${dagId}: ${response.status} ${JSON.stringify(body)}`);
  return body.dag_run_id;
}

async function runDag(database: Database, how: Asked): Promise<AirflowRun> {
  const triggeredNs = Number(process.hrtime.bigint());
  const triggered = Date.now();
  const runId = await trigger(how);
  const deadline = performance.now() + RUN_MS;
  for (;;) {
    // Its own table says when it ended; how often we look does not count.
    const { rows: [row] } = await database.pool.query<{ state: string; ended: number | null }>('select state, extract(epoch from end_date)::float8 * 1000 as ended from dag_run where dag_id = $1 and run_id = $2', [how.dagId, runId]);
    if (row?.state === 'success' && row.ended !== null) return { seconds: (row.ended - triggered) / 1000, ...(await bodiesOf(database, { dagId: how.dagId, runId, triggeredNs })) };
    if (row?.state === 'failed') throw new Error(`Airflow: ${how.dagId} failed`);
    if (performance.now() > deadline) throw new Error(`Airflow: ${how.dagId} was not done after ${RUN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function bodiesOf(database: Database, how: { dagId: string; runId: string; triggeredNs: number }): Promise<Omit<AirflowRun, 'seconds'>> {
  const { rows } = await database.pool.query<{ value: unknown }>("select value from xcom where dag_id = $1 and run_id = $2 and key = 'return_value'", [how.dagId, how.runId]);
  const bodies = rows.map(({ value }) => (typeof value === 'string' ? (JSON.parse(value) as [number, number]) : (value as [number, number]))).sort((a, b) => a[0] - b[0]);
  return { bodies, firstMs: ((bodies[0]?.[0] ?? Number.NaN) - how.triggeredNs) / 1e6 };
}
