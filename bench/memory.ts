// Resident memory with 1,000 DAGs and 100 active runs: of the server, and of everything that works for it.
import { spawn } from 'node:child_process';
import type { Measured } from './figures.ts';
import { registerDag } from '#main/register-dag.ts';
import { descendantsOf, findProcesses, pssOf, rssOf } from './processes.ts';
import { trigger } from './engine-alone.ts';
import { registerMany } from './many-dags.ts';
import { compileBenchDags } from './python-engine.ts';
import { adminHeaders, startServer } from './server-process.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const DAGS = 1000;
const RUNS = 100;
const VERSIONS = 10;
const PARALLELISM = 32;

/** Proportional set size of a Node process without a program, MB. */
async function measureBareNode(): Promise<number> {
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1e9)'], { stdio: 'ignore' });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const size = pssOf(bare.pid ?? 0);
  bare.kill('SIGKILL');
  return size;
}

/** The case. 100 runs of ten DAGs are active: as many of their tasks run as the parallelism allows, in processes of their own. */
export async function measureMemory(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const database = await openMigrated(bench, postgres);
  await registerMany(database, DAGS);
  const dag = await compileBenchDags(bench);
  for (let at = 0; at < VERSIONS; at += 1) await registerDag(database, dag(`bench_wait_${at}`), { bundle: 'bench', active: true, parseMs: null });
  const server = await startServer(bench, { home: 'home', databaseUrl: database.url, environment: { LEOFLOW_PARALLELISM: String(PARALLELISM) } });
  const headers = await adminHeaders();
  for (let at = 0; at < RUNS; at += 1) await trigger(database, `bench_wait_${at % VERSIONS}`, `run_${at}`);
  const isUp = async (): Promise<boolean> => {
    const { rows } = await database.pool.query<{ runs: string; tasks: string }>("select (select count(*) from dag_runs where state = 'running') as runs, (select count(*) from task_instances where state = 'running') as tasks");
    return Number(rows[0]?.runs) === RUNS && Number(rows[0]?.tasks) === PARALLELISM;
  };
  while (!(await isUp())) await new Promise((resolve) => setTimeout(resolve, 100));
  for (let at = 0; at < 20; at += 1) await (await fetch(`${server.url}/api/v2/dags?limit=50`, { headers })).text();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const sum = (pids: readonly number[]): number => pids.reduce((total, pid) => total + pssOf(pid), 0);
  const launchers = findProcesses((command) => command.includes('leoflow.agent.launcher') && command.includes(server.home));
  const below = launchers.flatMap(descendantsOf);
  const parts = { server: pssOf(server.pid), launcher: sum(launchers), below: sum(below), postgres: sum([postgres.pid, ...descendantsOf(postgres.pid)]) };
  return {
    figures: [{ name: 'resident memory of the server, 1,000 DAGs, 100 active runs', unit: 'MB', target: { of: 'value', atMost: 200 }, rounds: [parts.server], base: { name: 'Node that does nothing', rounds: [await measureBareNode()] } }],
    details: [
      `Proportional set sizes: server ${parts.server.toFixed(0)} MB (resident ${rssOf(server.pid).toFixed(0)}), launcher ${parts.launcher.toFixed(0)}, ${below.length} processes below it (${VERSIONS} fork servers, ${PARALLELISM} running tasks, parked children) ${parts.below.toFixed(0)}, PostgreSQL ${parts.postgres.toFixed(0)}; all together ${(parts.server + parts.launcher + parts.below + parts.postgres).toFixed(0)} MB. Airflow 3.2.1, all processes, idle: see the last part of this page.`,
    ],
  };
}
