// An engine in this process that runs the benchmark's Python DAGs in real processes; runs, values and logs read back.
import { join } from 'node:path';
import { compileFiles } from '#cli/compile-files.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { runOnce } from '#cli/run-once.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { SettingName } from '#contract/config.ts';
import type { RunUuid } from '#contract/ids.ts';
import { openEngine } from '#main/open-engine.ts';
import { readConfig } from '#platform/config.ts';
import { findRunView, listRunXComs } from '#store/run-view.ts';
import { cpuOf, cpuOfForkServers, cpuOfTree, findProcesses } from './processes.ts';
import type { Workbench } from './workbench.ts';

/** An open engine, its home folder, and the DAGs of bench/dags, registered. */
export interface PythonEngine {
  readonly engine: OpenEngine;
  readonly home: string;
  dag(id: string): CompiledDag;
}

/** Compiles bench/dags. */
export async function compileBenchDags(bench: Workbench): Promise<(id: string) => CompiledDag> {
  const compiled = await compileFiles(join(import.meta.dirname, 'dags'), { config: bench.config, python: bench.python }, { deterministic: false, strict: false });
  return (id) => {
    const found = compiled.dags.find((one) => one.dag.dag_id === id);
    if (found === undefined) throw new Error(`no ${id}: ${JSON.stringify(compiled.problems)}`);
    return found;
  };
}

/** Opens an engine with the DAGs named, registered and each run once, so that it is warm. */
export async function openPythonEngine(bench: Workbench, dagIds: readonly string[], overrides: Partial<Record<SettingName, string | number>> = {}): Promise<PythonEngine> {
  const dag = await compileBenchDags(bench);
  const home = join(bench.folder, 'home');
  const config = readConfig({ LEOFLOW_HOME: bench.folder, LEOFLOW_MAX_MAP_LENGTH: 10_000, ...overrides });
  const engine = await openEngine({ config, home, store: 'throwaway', python: bench.python, writeLog: () => undefined });
  bench.defer(() => engine.stop({ endExecutions: true }));
  for (const id of dagIds) await engine.register(dag(id), { bundle: 'bench', active: true, parseMs: null });
  return { engine, home, dag };
}

/** One finished run. `bodies` are what step() returned: begin and end on the machine's monotonic clock, in nanoseconds, in order. */
export interface TimedRun {
  readonly run: RunUuid;
  /** From the call that triggers it to its last state committed. */
  readonly seconds: number;
  readonly bodies: readonly (readonly [number, number])[];
  /** From that call to the first line of the first body. */
  readonly firstMs: number;
}

const SILENT = { out: () => undefined, progress: null, live: false, coloured: false };

/** Triggers a run and waits for its end. Throws when it is no success. */
export async function runDag(python: PythonEngine, dagId: string): Promise<TimedRun> {
  const { engine } = python;
  const triggeredNs = Number(process.hrtime.bigint());
  const outcome = await runOnce(engine, { dag: python.dag(dagId).dag, conf: {}, logicalDate: null, signal: new AbortController().signal }, SILENT);
  const seconds = (Number(process.hrtime.bigint()) - triggeredNs) / 1e9;
  if (outcome.view.state !== 'success') throw new Error(`${dagId} ended as ${outcome.view.state}`);
  const values = await listRunXComs(engine.database, outcome.run, 100_000);
  const bodies = values.map((xcom) => JSON.parse(xcom.text) as [number, number]).sort((a, b) => a[0] - b[0]);
  return { run: outcome.run, seconds, bodies, firstMs: ((bodies[0]?.[0] ?? Number.NaN) - triggeredNs) / 1e6 };
}

/** Milliseconds from the end of each body to the begin of the next. */
export function hopsOf(run: Pick<TimedRun, 'bodies'>): number[] {
  return run.bodies.slice(1).map((body, at) => (body[0] - (run.bodies[at]?.[1] ?? Number.NaN)) / 1e6);
}

/** Every instance's log holds its line and its XCom is there: nothing was lost on the way. Throws when something is. */
export async function readBack({ engine }: PythonEngine, run: RunUuid): Promise<string> {
  const instances = (await findRunView(engine.database, run))?.instances ?? [];
  const values = await listRunXComs(engine.database, run, 100_000);
  let lines = 0;
  for (const instance of instances) {
    const log = await engine.readLog(instance.attemptId ?? '');
    if (log.filter((message) => message.event.startsWith('line of ')).length === 1) lines += 1;
  }
  if (lines !== instances.length || values.length !== instances.length) throw new Error(`${instances.length} instances, but ${lines} logs and ${values.length} XComs`);
  return `${lines.toLocaleString('en-US')} logs and as many XComs read back.`;
}

/** CPU milliseconds spent so far, by part. */
export interface CpuParts { readonly node: number; readonly postgres: number; readonly forkServer: number; readonly children: number }

/** Reads them all: this process, PostgreSQL's of the bench folder, fork servers and their ended children. */
export function readCpuParts(bench: Workbench, home: string): CpuParts {
  const postgres = findProcesses((command) => command.includes('/postgres\0-D') && command.includes(bench.folder)).reduce((sum, pid) => sum + cpuOfTree(pid), 0);
  const { forkServers, children } = cpuOfForkServers(home);
  return { node: cpuOf(process.pid), postgres, forkServer: forkServers, children };
}

/** CPU per task between two readings: where the time goes. */
export function renderCpuParts(before: CpuParts, after: CpuParts, tasks: number): string {
  const per = (part: keyof CpuParts): string => ((after[part] - before[part]) / tasks).toFixed(2);
  return `CPU ms per task: node ${per('node')}, PostgreSQL ${per('postgres')}, fork server ${per('forkServer')}, children ${per('children')}.`;
}
