// What becomes of assessed files: imported by a real Airflow, loaded as our fork server does, and run on our engine.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AppError } from '#contract/errors.ts';
import { run } from '#platform/exec.ts';
import type { CompiledDag } from '#compile/compiled.ts';
import type { OpenEngine } from '#cli/engine-port.ts';
import { runOnce } from '#cli/run-once.ts';
import type { AirflowAnswer } from './compare.ts';

const PYTHON_FOLDER = join(import.meta.dirname, '..', '..', '..', 'python');
const LOAD = 'import sys; from leoflow.run.load import load_dag; load_dag(*sys.argv[1:4], [f"{sys.argv[1]}/{p}" for p in sys.argv[4:]])';
const SCREEN = { out: () => undefined, progress: null, live: false, coloured: false };

/** Where a project lies: its folder, and those that its modules are imported from beside. */
export interface Place { readonly root: string; readonly importPaths: readonly string[] }

/** Airflow's DagBag on every file, with an AIRFLOW_HOME of its own that is gone afterwards. `bin`: of the environment that has Airflow. */
export async function askAirflow(bin: string, place: Place, files: readonly string[]): Promise<ReadonlyMap<string, AirflowAnswer>> {
  const home = mkdtempSync(join(tmpdir(), 'leoflow-assess-airflow-'));
  try {
    const done = await run(join(bin, 'python'), [join(import.meta.dirname, 'ask_airflow.py'), place.root, ...place.importPaths], {
      cwd: place.root, timeoutMs: 600_000, input: `${files.join('\n')}\n`,
      env: { PATH: process.env['PATH'] ?? '', HOME: home, AIRFLOW_HOME: home, AIRFLOW__CORE__LOAD_EXAMPLES: 'False', AIRFLOW__CORE__UNIT_TEST_MODE: 'False', PYTHONDONTWRITEBYTECODE: '1' },
    });
    if (done.status !== 0) throw new Error(`Airflow could not be asked: ${done.stderr.trim().split('\n').slice(-3).join(' | ')}`);
    return new Map(Object.entries(JSON.parse(done.stdout) as Record<string, AirflowAnswer>));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Loads a DAG from its version's files alone, by what the fork server does. Null when that works, else why not. */
export async function load({ dag, sources }: CompiledDag, python: string): Promise<string | null> {
  const folder = mkdtempSync(join(tmpdir(), 'leoflow-assess-version-'));
  try {
    for (const { path, content } of sources) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const done = await run(python, ['-c', LOAD, folder, dag.fileloc, dag.dag_id, ...(dag.import_paths ?? [])], { cwd: folder, timeoutMs: 60_000, env: { PATH: process.env['PATH'] ?? '', HOME: folder, PYTHONPATH: PYTHON_FOLDER } });
    return done.status === 0 ? null : (done.stderr.trim().split('\n').at(-1) ?? 'no reason');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How a run came out. `waits`: it went on when the time was over. */
export interface Played { readonly state: string; readonly reasons: readonly string[] }

/** Runs a registered DAG once, for so long at most. */
export async function play(engine: OpenEngine, { dag }: CompiledDag, limitMs: number): Promise<Played> {
  try {
    const { view } = await runOnce(engine, { dag, conf: {}, logicalDate: null, signal: AbortSignal.timeout(limitMs) }, SCREEN);
    return { state: view.state, reasons: view.instances.filter((one) => one.state === 'failed').map((one) => `${one.taskId}: ${one.reason ?? ''}`) };
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== 'interrupted' && error.code !== 'invalid_value')) throw error;
    return { state: error.code === 'interrupted' ? 'waits' : 'refused', reasons: [error.message] };
  }
}
