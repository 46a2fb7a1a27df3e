// Mapped tasks: 1,000 and 10,000 instances of one task beside as many bare forks.
import type { RunUuid } from '#contract/ids.ts';
import { listRunXComs } from '#store/run-view.ts';
import { type Measured, median } from './figures.ts';
import { openPythonEngine, type PythonEngine, readBack, readCpuParts, renderCpuParts, runDag } from './python-engine.ts';
import { measureFloor, type Workbench } from './workbench.ts';

const AT_ONCE = 4;

/** Reading 10,000 logs takes longer than the run: their values are counted. */
async function countValues({ engine }: PythonEngine, run: RunUuid): Promise<string> {
  const values = await listRunXComs(engine.database, run, 100_000);
  if (values.length !== 10_000) throw new Error(`${values.length} XComs`);
  return '10,000 XComs read back.';
}

/** The case. 10,000 run once: they take ten times as long, and what they show is whether the size matters. */
export async function measureMapped(bench: Workbench): Promise<Measured> {
  const python = await openPythonEngine(bench, ['bench_mapped_1000', 'bench_mapped_10000']);
  await runDag(python, 'bench_mapped_1000');
  const figures = [];
  const details = [];
  for (const count of [1000, 10_000]) {
    const seconds: number[] = [];
    const floors: number[] = [];
    let faults = 0;
    for (let round = 0; round < (count === 1000 ? bench.rounds : 1); round += 1) {
      const floor = await measureFloor(bench, { count, atOnce: AT_ONCE });
      floors.push(floor.seconds);
      faults = floor.faultsPerChild;
      const before = readCpuParts(bench, python.home);
      const done = await runDag(python, `bench_mapped_${count}`);
      bench.say(`${count}: ${done.seconds.toFixed(1)} s, floor ${floor.seconds.toFixed(1)} s`);
      seconds.push(done.seconds);
      const cpu = renderCpuParts(before, readCpuParts(bench, python.home), count);
      if (round === 0) details.push(`${count.toLocaleString('en-US')}: ${(count / done.seconds).toFixed(0)} tasks/s in the first round. ${cpu} ${count > 1000 ? await countValues(python, done.run) : await readBack(python, done.run)}`);
    }
    const base = { name: `bare forks, ${AT_ONCE} at a time`, rounds: floors };
    figures.push({ name: `${count.toLocaleString('en-US')} mapped, run start → all done`, unit: 's', target: { of: 'ratio', atMost: 3 }, rounds: seconds, base } as const);
    details.push(`${count.toLocaleString('en-US')}: median ${(count / median(seconds)).toFixed(0)} tasks/s; a child of the floor takes ${faults.toFixed(0)} page faults.`);
  }
  return { figures, details };
}
