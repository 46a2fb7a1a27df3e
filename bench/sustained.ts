// No-op Python tasks kept going end to end: runs of 50 independent tasks, always some of them active.
import type { RunUuid } from '#contract/ids.ts';
import { createRun } from '#store/dag-runs.ts';
import { type Measured, median } from './figures.ts';
import { openPythonEngine, type PythonEngine, readCpuParts, renderCpuParts } from './python-engine.ts';
import { measureFloor, type Workbench } from './workbench.ts';

const DAG = 'bench_fifty';
const TASKS = 50;
const ACTIVE = 6;
const SECONDS = 10;

/** Keeps runs active for a while. @returns tasks per second of the runs that ended in that time */
async function keepGoing(python: PythonEngine, name: string, finished: { next: (run: RunUuid) => void }): Promise<number> {
  const { database } = python.engine;
  let made = 0;
  const trigger = async (): Promise<void> => {
    made += 1;
    await createRun(database, { dagId: DAG, runId: `${name}_${made}`, runType: 'manual', logicalDate: null, interval: null, runAfter: database.clock.nowMs(), conf: {}, triggeredBy: 'cli', user: null, note: null });
  };
  let ended = 0;
  const started = performance.now();
  let last = started;
  const done = new Promise<void>((resolve) => {
    finished.next = () => {
      ended += 1;
      last = performance.now();
      if (last - started < SECONDS * 1000) void trigger();
      else if (ended === made) resolve();
    };
  });
  await Promise.all(Array.from({ length: ACTIVE }, trigger));
  await done;
  return (ended * TASKS) / ((last - started) / 1000);
}

/** The case: at most three rounds of ten seconds each. */
export async function measureSustained(bench: Workbench): Promise<Measured> {
  const python = await openPythonEngine(bench, [DAG]);
  const finished = { next: (_run: RunUuid): void => undefined };
  python.engine.onRunFinished((run) => finished.next(run.id));
  const rates: number[] = [];
  const floors: number[] = [];
  let cpu = '';
  for (let round = 0; round < Math.min(3, bench.rounds); round += 1) {
    floors.push(2000 / (await measureFloor(bench, { count: 2000, atOnce: 4 })).seconds);
    const before = readCpuParts(bench, python.home);
    const rate = await keepGoing(python, `round_${round}`, finished);
    rates.push(rate);
    cpu = renderCpuParts(before, readCpuParts(bench, python.home), rate * SECONDS);
  }
  const { rows } = await python.engine.database.pool.query<{ state: string; count: string }>('select state, count(*) from task_instances group by state');
  if (rows.length !== 1 || rows[0]?.state !== 'success') throw new Error(`not all succeeded: ${JSON.stringify(rows)}`);
  return {
    figures: [{ name: 'no-op Python tasks, sustained', unit: 'tasks/s', target: { of: 'value', atLeast: 600 }, rounds: rates, base: { name: 'bare forks, 4 at a time', rounds: floors } }],
    details: [`Runs of ${TASKS} independent tasks, ${ACTIVE} active at any time, ${SECONDS} s a round; all ${rows[0].count} task instances succeeded. Median ${median(rates).toFixed(0)} tasks/s. ${cpu} Stretch: 850 tasks/s.`],
  };
}
