// Tasks in TypeScript one after the other: by parked Node processes, by ones started for each, beside a bare Node that does nothing.
import { spawnSync } from 'node:child_process';
import { type Measured, median, quantile } from './figures.ts';
import { hopsOf, openPythonEngine, readBack, runDag, type TimedRun } from './python-engine.ts';
import type { Workbench } from './workbench.ts';

const DAG = 'bench_node_10';

/** A bare `node -e 0`, from its start to its end. */
function measureBareNode(times: number): number[] {
  return Array.from({ length: times }, () => {
    const began = performance.now();
    spawnSync(process.execPath, ['-e', '0'], { stdio: 'ignore', timeout: 10_000 });
    return performance.now() - began;
  });
}

async function measureWith(bench: Workbench, parked: number): Promise<{ readonly runs: TimedRun[]; readonly checked: string }> {
  const engine = await openPythonEngine({ ...bench, folder: `${bench.folder}/parked-${parked}` }, [DAG], { LEOFLOW_PARKED_NODE_CHILDREN: parked });
  for (let warm = 0; warm < 2; warm += 1) await runDag(engine, DAG);
  const runs: TimedRun[] = [];
  for (let round = 0; round < bench.rounds; round += 1) runs.push(await runDag(engine, DAG));
  const checked = await readBack(engine, runs.at(-1)?.run ?? ('' as TimedRun['run']));
  await engine.engine.stop({ endExecutions: true });
  return { runs, checked };
}

/** The case. */
export async function measureNodeChain(bench: Workbench): Promise<Measured> {
  const bare = measureBareNode(10);
  const parked = await measureWith(bench, 2);
  const cold = await measureWith(bench, 0);
  const base = { name: 'bare node -e 0', rounds: bare };
  const hops = (runs: readonly TimedRun[]): number[] => runs.map((run) => median(hopsOf(run)));
  return {
    figures: [
      { name: 'TypeScript, parked: hop p50', unit: 'ms', target: { of: 'ratio', atMost: 1 }, rounds: hops(parked.runs), base },
      { name: 'TypeScript, started for each: hop p50', unit: 'ms', target: null, rounds: hops(cold.runs), base },
    ],
    details: [
      `A chain of ten tasks whose bodies do nothing. With two parked Node processes p90 is ${quantile(parked.runs.flatMap(hopsOf), 0.9).toFixed(1)} ms (a chain uses them up faster than one core starts others), without ${quantile(cold.runs.flatMap(hopsOf), 0.9).toFixed(1)} ms. ${parked.checked}`,
    ],
  };
}
