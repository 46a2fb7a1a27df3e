// The hot path: hop, trigger → first user code, a chain of 40; quiet, and with every core busy.
import { spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { type Figure, type Measured, median, quantile } from './figures.ts';
import { hopsOf, openPythonEngine, type PythonEngine, readBack, readCpuParts, renderCpuParts, runDag, type TimedRun } from './python-engine.ts';
import { type Floor, measureFloor, type Workbench } from './workbench.ts';

const DAG = 'bench_chain_40';
const TASKS = 40;

interface Rounds { readonly runs: TimedRun[]; readonly floors: Floor[]; cpu: string }

async function measure(bench: Workbench, python: PythonEngine): Promise<Rounds> {
  const rounds: Rounds = { runs: [], floors: [], cpu: '' };
  for (let round = 0; round < bench.rounds; round += 1) {
    rounds.floors.push(await measureFloor(bench, { count: TASKS, atOnce: 1 }));
    const before = readCpuParts(bench, python.home);
    rounds.runs.push(await runDag(python, DAG));
    rounds.cpu = renderCpuParts(before, readCpuParts(bench, python.home), TASKS);
  }
  return rounds;
}

/** One busy loop per core, at our own priority. @returns what ends them */
function burnEveryCore(bench: Workbench): () => void {
  const hogs = cpus().map(() => spawn(bench.python, ['-c', 'import time\nend = time.monotonic() + 120\nwhile time.monotonic() < end: pass'], { stdio: 'ignore' }));
  const end = (): void => hogs.forEach((hog) => void hog.kill('SIGKILL'));
  bench.defer(end);
  return end;
}

function hopFigure(name: string, rounds: Rounds, how: { q: number; atMost: number }): Figure {
  const hops = rounds.runs.flatMap(hopsOf);
  const floor = rounds.floors.flatMap((one) => [...one.hopsMs]);
  const base = { name: 'bare fork', rounds: [quantile(floor, how.q)] };
  return { name, unit: 'ms', target: { of: 'value', atMost: how.atMost }, rounds: how.q === 0.5 ? rounds.runs.map((run) => median(hopsOf(run))) : [quantile(hops, how.q)], base };
}

/** The case. */
export async function measureHop(bench: Workbench): Promise<Measured> {
  const python = await openPythonEngine(bench, [DAG]);
  for (let warm = 0; warm < 3; warm += 1) await runDag(python, DAG);
  const quiet = await measure(bench, python);
  const checked = await readBack(python, quiet.runs.at(-1)?.run ?? ('' as TimedRun['run']));
  const endHogs = burnEveryCore(bench);
  const busy = await measure(bench, python);
  endHogs();
  const floorHops = quiet.floors.flatMap((one) => [...one.hopsMs]);
  return {
    figures: [
      hopFigure('hop, warm, local: p50', quiet, { q: 0.5, atMost: 3 }),
      hopFigure('hop, warm, local: p99', quiet, { q: 0.99, atMost: 10 }),
      hopFigure('hop with every core busy: p99', busy, { q: 0.99, atMost: 50 }),
      { name: 'trigger → first user code: p50', unit: 'ms', target: { of: 'value', atMost: 6 }, rounds: quiet.runs.map((run) => run.firstMs), base: { name: 'bare fork', rounds: [median(floorHops)] } },
      { name: '40 in a chain', unit: 's', target: { of: 'value', atMost: 0.15 }, rounds: quiet.runs.map((run) => run.seconds), base: { name: 'bare forks, one at a time', rounds: quiet.floors.map((one) => one.seconds) } },
    ],
    details: [
      `A hop is from the end of a body to the begin of the next, both read by the bodies themselves on the monotonic clock: ${(bench.rounds * (TASKS - 1)).toLocaleString('en-US')} hops, p90 ${quantile(quiet.runs.flatMap(hopsOf), 0.9).toFixed(2)} ms, slowest ${quantile(quiet.runs.flatMap(hopsOf), 1).toFixed(2)} ms. The floor's hop is fork, exit and wait of a warm Python with the same body.`,
      `With every core busy (${cpus().length} endless loops at our own priority): p50 ${quantile(busy.runs.flatMap(hopsOf), 0.5).toFixed(2)} ms, chain ${median(busy.runs.map((run) => run.seconds)).toFixed(3)} s, its floor ${median(busy.floors.map((one) => one.seconds)).toFixed(3)} s.`,
      `Last quiet round: ${quiet.cpu} ${checked}`,
      'There is no remote protocol yet (containers and Kubernetes are not built), so its targets (p50 ≤ 5, p99 ≤ 15 ms) cannot be measured.',
    ],
  };
}
