// A real Airflow 3.2.1 on loopback with a PostgreSQL of its own, for recording.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#store/embedded-postgres.ts';
import type { Stage } from './play.ts';

/** What holds an installation of 3.2.1 together; newer versions of these break it. */
const REQUIREMENTS = [
  'apache-airflow==3.2.1', 'apache-airflow-core==3.2.1', 'apache-airflow-task-sdk==1.2.1', 'apache-airflow-providers-standard==1.21.0', 'pydantic==2.12.5', 'fastapi<0.130', 'cadwyn<6.2', 'sqlalchemy<2.1',
  'psycopg2-binary', 'asyncpg', 'apache-airflow-providers-postgres',
];

/** `more`: further processes, such as the triggerer. `executionUrl`: where tasks find the Task Execution API, when that is not the API server itself. */
interface AirflowParts {
  readonly dags: string;
  readonly python: string;
  readonly more?: readonly string[];
  readonly executionUrl?: (port: number) => Promise<string>;
}

/** A running Airflow. */
export interface AirflowServer {
  readonly stage: Stage;
  readonly versions: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/**
 * Installs (once) and starts Airflow on a folder of DAG files. Logs of its processes are below `home`.
 * @param home folder that keeps the installation; @param python command of a Python that Airflow 3.2.1 supports
 */
export async function startAirflow(home: string, how: AirflowParts): Promise<AirflowServer> {
  const venv = join(home, 'venv');
  const bin = join(venv, 'bin');
  mkdirSync(home, { recursive: true });
  if (!existsSync(join(bin, 'airflow'))) {
    await toEnd(how.python, ['-m', 'venv', venv]);
    await toEnd(join(bin, 'pip'), ['install', '--quiet', '--disable-pip-version-check', ...REQUIREMENTS]);
  }
  const life = join(home, `life-${process.pid}`);
  mkdirSync(life);
  const postgres = await startRoomyPostgres(join(life, 'pg'));
  const port = await freePort();
  const execution = (await how.executionUrl?.(port)) ?? `http://127.0.0.1:${port}/execution/`;
  const env = environment({ life, dags: how.dags, port, execution, database: postgres.url, bin });
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(stopGroup));
    await postgres.stop();
  };
  try {
    const airflow = join(bin, 'airflow');
    await toEnd(airflow, ['db', 'migrate'], env);
    await toEnd(airflow, ['dags', 'reserialize'], env);
    for (const name of ['api-server', 'scheduler', 'dag-processor', ...(how.more ?? [])]) children.push(background(airflow, name, { env, log: join(life, `${name}.log`) }));
    const url = `http://127.0.0.1:${port}`;
    await untilHealthy(url);
    const versions = await toEnd(join(bin, 'python'), ['-c', VERSIONS], env);
    return { stage: { url, token: null, pollMs: 1000, quietMs: 20_000, limitMs: 400_000 }, versions: JSON.parse(versions) as Record<string, string>, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Airflow's processes hold more connections than ours do. */
async function startRoomyPostgres(folder: string): Promise<EmbeddedPostgres> {
  const first = await startEmbeddedPostgres(folder);
  appendFileSync(join(folder, 'data', 'postgresql.auto.conf'), 'max_connections = 300\n');
  await first.stop();
  return startEmbeddedPostgres(folder);
}

const VERSIONS = `import json, platform; from importlib.metadata import version
print(json.dumps({name: version(name) for name in ("apache-airflow-core", "apache-airflow-task-sdk", "apache-airflow-providers-standard")} | {"python": platform.python_version()}))`;

function environment(at: { life: string; dags: string; port: number; execution: string; database: string; bin: string }): NodeJS.ProcessEnv {
  // A unix socket is given as a parameter: postgresql://user@/name?host=/folder.
  const { username, pathname, searchParams } = new URL(at.database.replace(/@(?=[/?])/, '@localhost'));
  const database = `postgresql+psycopg2://${username}@${pathname}?${searchParams.toString()}`;
  const settings: Record<string, string> = {
    CORE__EXECUTOR: 'LocalExecutor', CORE__LOAD_EXAMPLES: 'False', CORE__DAGS_FOLDER: at.dags, CORE__PARALLELISM: '24', CORE__MAX_ACTIVE_TASKS_PER_DAG: '64',
    CORE__EXECUTION_API_SERVER_URL: at.execution, CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS: 'True',
    DATABASE__SQL_ALCHEMY_CONN: database, DATABASE__SQL_ALCHEMY_POOL_SIZE: '40', DATABASE__SQL_ALCHEMY_MAX_OVERFLOW: '40',
    API__HOST: '127.0.0.1', API__PORT: String(at.port), API__BASE_URL: `http://127.0.0.1:${at.port}`, API_AUTH__JWT_SECRET: randomBytes(24).toString('hex'),
    USAGE_DATA_COLLECTION__ENABLED: 'False', SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: '0.3',
  };
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AIRFLOW')));
  return { ...clean, PATH: `${at.bin}:${process.env['PATH'] ?? ''}`, AIRFLOW_HOME: at.life, PYTHONDONTWRITEBYTECODE: '1', ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`AIRFLOW__${name}`, value])) };
}

function background(command: string, name: string, how: { env: NodeJS.ProcessEnv; log: string }): ChildProcess {
  const log = openSync(how.log, 'a');
  // A process group of its own: Airflow's processes have children, and all of them end together.
  const child = spawn(command, [name], { env: how.env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  return child;
}

async function stopGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  process.kill(-pid, 'SIGTERM');
  await Promise.race([ended, sleep(15_000)]);
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone, as it should be.
  }
}

function toEnd(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'pipe'], ...(env === undefined ? {} : { env }) });
    const text = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => void (text.out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => void (text.err += chunk));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(text.out) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${text.out.slice(-3000)}${text.err.slice(-3000)}`))));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}

async function untilHealthy(url: string): Promise<void> {
  for (let second = 0; second < 120; second += 1) {
    const health = await fetch(`${url}/api/v2/monitor/health`).then((answer) => answer.json() as Promise<{ scheduler?: { status?: string } }>, () => null);
    if (health?.scheduler?.status === 'healthy') return;
    await sleep(1000);
  }
  throw new Error('Airflow did not come up');
}
