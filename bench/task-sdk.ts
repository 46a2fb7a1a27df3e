// Tasks under Airflow's own Task SDK: ours beside LocalExecutor, the same file, the same SDK, the same machine, one run of each in turn.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, type Measured, median, quantile } from './figures.ts';
import { type AirflowRun, startAirflow } from './airflow/airflow-process.ts';
import { BESIDE_FOLDER, openOurs } from './airflow/beside.ts';
import { AIRFLOW_VERSION, installAirflow } from './airflow/install.ts';
import { descendantsOf, findProcesses, pssOf } from './processes.ts';
import { hopsOf, type PythonEngine, runDag, type TimedRun } from './python-engine.ts';
import type { Workbench } from './workbench.ts';

const CHAIN = 'beside_chain_40';
const INDEPENDENT = 'beside_independent_200';
const WAIT = 'beside_wait_32';
const PARALLELISM = 32;
/** All 32 are running by then, on either side. */
const LOOK_AFTER_MS = 20_000;

/** Milliseconds from an execution's commit as running to the first line of its body, by the machine's two clocks. */
async function launchesOf({ engine }: PythonEngine, run: TimedRun): Promise<number[]> {
  const wallNs = Date.now() * 1e6 - Number(process.hrtime.bigint());
  const { rows } = await engine.database.pool.query<{ at: Date }>('select e.started_at as at from executions e where e.run = $1 order by e.started_at', [run.run]);
  return rows.flatMap(({ at }, index) => {
    const body = run.bodies[index];
    return body === undefined ? [] : [(body[0] + wallNs) / 1e6 - at.getTime()];
  });
}

/** Proportional set sizes in MB: everything of ours that works, without PostgreSQL. */
function memoryOfOurs(home: string): number {
  const launchers = findProcesses((command) => command.includes('leoflow.agent.launcher') && command.includes(home));
  return [process.pid, ...launchers, ...launchers.flatMap(descendantsOf)].reduce((total, pid) => total + pssOf(pid), 0);
}

/** What is held while 32 tasks wait. */
async function memoryWhile(running: Promise<unknown>, look: () => number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, LOOK_AFTER_MS));
  const size = look();
  await running;
  return size;
}

/** The case. Where Airflow cannot be installed it says what is missing. */
export async function measureTaskSdk(bench: Workbench): Promise<Measured> {
  const installed = await installAirflow(bench);
  if (installed.kind === 'missing') return { figures: [], details: [`Not measured: ${installed.why}`] };
  const folder = join(bench.folder, 'dags');
  mkdirSync(join(bench.folder, 'home'), { recursive: true, mode: 0o711 });
  cpSync(BESIDE_FOLDER, folder, { recursive: true });
  writeFileSync(join(folder, 'leoflow.yaml'), 'runtime: airflow\n');
  const airflow = await startAirflow(bench, { bin: installed.bin, dags: BESIDE_FOLDER, parallelism: PARALLELISM });
  const ours = await openOurs(bench, { folder, python: join(installed.bin, 'python'), parallelism: PARALLELISM });
  for (const id of [CHAIN, INDEPENDENT]) await runDag(ours, id);
  await airflow.runDag(INDEPENDENT);
  const runs = { ours: new Map<string, TimedRun[]>(), airflow: new Map<string, AirflowRun[]>() };
  const launches: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const id of [CHAIN, INDEPENDENT]) {
      const own = await runDag(ours, id);
      if (id === CHAIN) launches.push(...(await launchesOf(ours, own)));
      const theirs = await airflow.runDag(id);
      runs.ours.set(id, [...(runs.ours.get(id) ?? []), own]);
      runs.airflow.set(id, [...(runs.airflow.get(id) ?? []), theirs]);
      bench.say(`${id}: ours ${own.seconds.toFixed(2)} s, Airflow ${theirs.seconds.toFixed(1)} s`);
    }
  }
  const memory = { ours: await memoryWhile(runDag(ours, WAIT), () => memoryOfOurs(ours.home)), airflow: await memoryWhile(airflow.runDag(WAIT), () => airflow.memory()) };
  return { figures: figuresOf({ runs, launches, memory }), details: detailsOf(launches) };
}

interface Seen {
  readonly runs: { readonly ours: ReadonlyMap<string, readonly TimedRun[]>; readonly airflow: ReadonlyMap<string, readonly AirflowRun[]> };
  readonly launches: readonly number[];
  readonly memory: { readonly ours: number; readonly airflow: number };
}

function figuresOf({ runs, launches, memory }: Seen): Figure[] {
  const base = (rounds: readonly number[]) => ({ name: `Airflow ${AIRFLOW_VERSION}, LocalExecutor`, rounds: [...rounds] });
  const compare = (name: string, id: string, of: (run: Pick<TimedRun, 'bodies' | 'seconds' | 'firstMs'>) => number, unit: Figure['unit']): Figure => ({
    name, unit, target: null, rounds: (runs.ours.get(id) ?? []).map(of), base: base((runs.airflow.get(id) ?? []).map(of)),
  });
  return [
    { name: 'Task SDK: from launch to user code, p50', unit: 'ms', target: { of: 'value', atMost: 100 }, rounds: [median(launches)], base: null },
    { name: 'Task SDK: from launch to user code, p99', unit: 'ms', target: null, rounds: [quantile(launches, 0.99)], base: null },
    compare('Task SDK: hop, p50', CHAIN, (run) => median(hopsOf(run)), 'ms'),
    compare('Task SDK: hop, p99', CHAIN, (run) => quantile(hopsOf(run), 0.99), 'ms'),
    compare('Task SDK: trigger → first user code', CHAIN, (run) => run.firstMs, 'ms'),
    compare('Task SDK: 200 independent tasks', INDEPENDENT, (run) => 200 / run.seconds, 'tasks/s'),
    { name: 'Task SDK: memory with 32 tasks running', unit: 'MB', target: null, rounds: [memory.ours], base: base([memory.airflow]) },
  ];
}

function detailsOf(launches: readonly number[]): string[] {
  return [
    `Launch: the commit that makes an execution running. ${launches.length} of them, in chains of 40: the parked supervisor gets its job, tells the server that it begins, forks the task, which renders its templates and calls the body.`,
    `Both sides run tasks in the same environment (task-sdk of ${AIRFLOW_VERSION}), parallelism ${PARALLELISM}. Memory is proportional set sizes without PostgreSQL: of ours server, launcher, base process, fork servers, supervisors and tasks; of Airflow all of its processes.`,
  ];
}
