// A thousand deferred tasks wait at once: what the process that runs their triggers costs, beside Airflow's triggerer with the same thousand.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRun } from '#store/dag-runs.ts';
import { findRunView } from '#store/run-view.ts';
import { startAirflow } from './airflow/airflow-process.ts';
import { openOurs } from './airflow/beside.ts';
import { AIRFLOW_VERSION, installAirflow } from './airflow/install.ts';
import type { Figure, Measured } from './figures.ts';
import { cpuOfTree, descendantsOf, findProcesses, nameOf, pssOf } from './processes.ts';
import type { Workbench } from './workbench.ts';

const DAG = 'deferred_1000';
const COUNT = 1000;
const PARALLELISM = 32;
const LIMIT_MS = 500_000;
/** Until what the deferring itself costs is over, and then how long is looked. */
const SETTLE_MS = 10_000;
const LOOK_MS = 20_000;

/** `seconds` until all wait, `memory` in MB and `share` in per cent of a core while they do. */
interface Waiting { readonly seconds: number; readonly memory: number; readonly share: number }

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function untilAllWait(count: () => Promise<number>): Promise<number> {
  const began = performance.now();
  while ((await count()) < COUNT) {
    if (performance.now() - began > LIMIT_MS) throw new Error(`${await count()} of ${COUNT} tasks were deferred after ${LIMIT_MS / 1000} s`);
    await pause(250);
  }
  return (performance.now() - began) / 1000;
}

/** What a process and all below it hold and use while nothing else happens. */
async function watch(pid: number): Promise<Omit<Waiting, 'seconds'>> {
  await pause(SETTLE_MS);
  const before = cpuOfTree(pid);
  await pause(LOOK_MS);
  return { memory: [pid, ...descendantsOf(pid)].reduce((sum, one) => sum + pssOf(one), 0), share: ((cpuOfTree(pid) - before) / LOOK_MS) * 100 };
}

async function waitOfOurs(bench: Workbench, how: { readonly folder: string; readonly python: string }): Promise<Waiting> {
  const { engine, home, stop } = await openOurs(bench, { ...how, parallelism: PARALLELISM });
  const created = await createRun(engine.database, {
    dagId: DAG, runId: 'waits', runType: 'manual', logicalDate: null, interval: null, runAfter: engine.database.clock.nowMs(), conf: {}, triggeredBy: 'cli', user: null, note: null,
  });
  if (created.kind !== 'created') throw new Error(`the run was not made: ${created.kind}`);
  const { id } = created.run;
  const seconds = await untilAllWait(async () => (await findRunView(engine.database, id))?.instances.filter(({ state }) => state === 'deferred').length ?? 0);
  const [host] = findProcesses((_, environment) => environment.includes(home)).filter((pid) => nameOf(pid) === 'lf-triggers');
  if (host === undefined) throw new Error('no trigger host runs');
  const seen = { seconds, ...(await watch(host)) };
  await stop();
  return seen;
}

/** The case. Where Airflow cannot be installed it says what is missing. */
export async function measureDeferred(bench: Workbench): Promise<Measured> {
  const installed = await installAirflow(bench);
  if (installed.kind === 'missing') return { figures: [], details: [`Not measured: ${installed.why}`] };
  const folder = join(bench.folder, 'dags');
  mkdirSync(join(bench.folder, 'home'), { recursive: true, mode: 0o711 });
  cpSync(join(import.meta.dirname, 'airflow', 'deferred'), folder, { recursive: true });
  writeFileSync(join(folder, 'leoflow.yaml'), 'runtime: airflow\n');
  Object.assign(process.env, { DEFERRED_FILE: join(bench.folder, 'never'), AIRFLOW_CONN_FS_DEFAULT: '{"conn_type": "fs", "extra": {"path": "/"}}' });
  const ours = await waitOfOurs(bench, { folder, python: join(installed.bin, 'python') });
  bench.say(`ours: all wait after ${ours.seconds.toFixed(0)} s, ${ours.memory.toFixed(0)} MB, ${ours.share.toFixed(1)} % of a core`);
  const airflow = await startAirflow(bench, { bin: installed.bin, dags: folder, parallelism: PARALLELISM, triggerer: true });
  await airflow.trigger(DAG);
  const theirs = { seconds: await untilAllWait(() => airflow.count(DAG, 'deferred')), ...(await watch(airflow.pidOf('triggerer'))) };
  bench.say(`Airflow: all wait after ${theirs.seconds.toFixed(0)} s, ${theirs.memory.toFixed(0)} MB, ${theirs.share.toFixed(1)} % of a core`);
  const compare = (name: string, unit: Figure['unit'], of: (waiting: Waiting) => number): Figure => ({
    name: `Task SDK, 1,000 deferred: ${name}`, unit, target: null, rounds: [of(ours)], base: { name: `Airflow ${AIRFLOW_VERSION}, triggerer`, rounds: [of(theirs)] },
  });
  return {
    figures: [compare('memory of their process', 'MB', ({ memory }) => memory), compare('CPU of their process', '% of a core', ({ share }) => share), compare('trigger → all wait', 's', ({ seconds }) => seconds)],
    details: [
      `${COUNT} mapped \`FileSensor(deferrable=True, poke_interval=0.5)\`, the same file on both sides: each first looks in a task of its own, then its trigger looks twice a second. Ours: the trigger host of the version, which is a fork of its fork server and shares most pages with it. Airflow: the triggerer with the processes below it.`,
      'Memory is proportional set size. Each side is alone on the machine while it is looked at, ours first; Airflow’s other processes idle beside its triggerer.',
    ],
  };
}
