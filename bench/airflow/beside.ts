// Airflow 3.2.1 beside ours: the same DAG file, the same machine, one run of each in turn.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileFiles } from '#cli/compile-files.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { type Figure, type Measured, median } from '../figures.ts';
import { hopsOf, type PythonEngine, runDag } from '../python-engine.ts';
import type { Workbench } from '../workbench.ts';
import { type AirflowRun, startAirflow } from './airflow-process.ts';
import { AIRFLOW_VERSION, installAirflow } from './install.ts';

const DAGS = [
  { id: 'beside_chain_40', title: '40 in a chain', count: 40 },
  { id: 'beside_independent_200', title: '200 independent tasks', count: 200 },
  { id: 'beside_mapped_200', title: '200 mapped tasks', count: 200 },
] as const;
const PARALLELISM = 16;
/** The DAG files that both sides read. */
export const BESIDE_FOLDER = join(import.meta.dirname, 'dags');

/** An engine of ours on the DAG files of a folder, with an interpreter of the caller's choice. `stop` ends it before the case is over. */
export async function openOurs(bench: Workbench, { folder, python, parallelism }: { readonly folder: string; readonly python: string; readonly parallelism: number }): Promise<PythonEngine & { readonly stop: () => Promise<void> }> {
  const config = readConfig({ LEOFLOW_HOME: bench.folder, LEOFLOW_PARALLELISM: parallelism });
  const compiled = await compileFiles(folder, { config, python }, { deterministic: false, strict: false });
  const home = join(bench.folder, 'home');
  const engine = await openEngine({ config, home, store: 'throwaway', python, writeLog: () => undefined });
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => (stopped ??= engine.stop({ endExecutions: true }));
  bench.defer(stop);
  for (const dag of compiled.dags) await engine.register(dag, { bundle: 'beside', active: true, parseMs: null });
  return {
    engine, home, stop,
    dag: (id) => {
      const found = compiled.dags.find((one) => one.dag.dag_id === id);
      if (found === undefined) throw new Error(`no ${id}: ${JSON.stringify(compiled.problems)}`);
      return found;
    },
  };
}

interface Pair { readonly ours: AirflowRun[]; readonly airflow: AirflowRun[] }

function figuresOf(pairs: ReadonlyMap<string, Pair>): Figure[] {
  const compare = (name: string, pair: Pair, of: (run: AirflowRun) => number, unit: 's' | 'ms'): Figure => ({
    name: `${name}, beside Airflow`, unit, target: null, rounds: pair.ours.map(of), base: { name: `Airflow ${AIRFLOW_VERSION}`, rounds: pair.airflow.map(of) },
  });
  const figures = DAGS.flatMap(({ id, title }) => {
    const pair = pairs.get(id);
    return pair === undefined ? [] : [compare(`${title}, trigger → success`, pair, (run) => run.seconds, 's')];
  });
  const chain = pairs.get('beside_chain_40');
  if (chain !== undefined) figures.push(compare('hop', chain, (run) => median(hopsOf(run)), 'ms'), compare('trigger → first user code', chain, (run) => run.firstMs, 'ms'));
  return figures;
}

/** The case. Where Airflow cannot be installed it says what is missing. */
export async function measureBeside(bench: Workbench): Promise<Measured> {
  const installed = await installAirflow(bench);
  if (installed.kind === 'missing') return { figures: [], details: [`Not measured: ${installed.why}`] };
  mkdirSync(join(bench.folder, 'home'), { recursive: true, mode: 0o711 });
  const airflow = await startAirflow(bench, { bin: installed.bin, dags: BESIDE_FOLDER, parallelism: PARALLELISM });
  const ours = await openOurs(bench, { folder: BESIDE_FOLDER, python: bench.python, parallelism: PARALLELISM });
  for (const { id } of DAGS) await runDag(ours, id);
  // Its workers start with the first tasks: one small run warms them.
  await airflow.runDag('beside_mapped_200');
  const pairs = new Map(DAGS.map(({ id }) => [id as string, { ours: [], airflow: [] } as Pair]));
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const { id, count } of DAGS) {
      const pair = pairs.get(id);
      pair?.ours.push(await runDag(ours, id));
      const theirs = await airflow.runDag(id);
      if (theirs.bodies.length !== count) throw new Error(`Airflow: ${id} has ${theirs.bodies.length} values`);
      pair?.airflow.push(theirs);
      bench.say(`${id}: ours ${pair?.ours.at(-1)?.seconds.toFixed(2)} s, Airflow ${theirs.seconds.toFixed(1)} s`);
    }
  }
  const times = DAGS.map(({ id, title }) => `${title} ${(median((pairs.get(id)?.airflow ?? []).map((run) => run.seconds)) / median((pairs.get(id)?.ours ?? []).map((run) => run.seconds))).toFixed(0)} ×`);
  return {
    figures: figuresOf(pairs),
    details: [
      `Airflow's time as a multiple of ours: ${times.join(', ')}.`,
      `Airflow ${AIRFLOW_VERSION} with LocalExecutor: API server, scheduler and DAG processor, one PostgreSQL of the same build and settings for each side (300 connections for Airflow's), parallelism ${PARALLELISM} on both, one DAG file (\`bench/airflow/dags/beside_dags.py\`) read by both. Airflow's connection pool is set to 40 + 40: with its defaults 200 tasks end its scheduler.`,
      `Runs in turn, ${bench.rounds} rounds after a warm-up of each. Airflow's processes idle while ours runs, at about a tenth of a core; ours at nothing. Memory of Airflow's processes afterwards: ${airflow.memory().toFixed(0)} MB (PSS, without PostgreSQL).`,
    ],
  };
}
