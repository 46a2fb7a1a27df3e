// Where a hop spends its time, stage by stage: report → plan → commit → launch → fork → user code.
import { join } from 'node:path';
import type { ExecutionSpec } from '#contract/attempt.ts';
import type { ExecutionId, RunUuid } from '#contract/ids.ts';
import { ProcessExecutor } from '#executor/process-executor.ts';
import { startEngine } from '#main/engine.ts';
import { registerDag } from '#main/register-dag.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import { Scheduler } from '#scheduler/scheduler.ts';
import type { Database } from '#store/database.ts';
import { listRunXComs } from '#store/run-view.ts';
import { trigger } from './engine-alone.ts';
import { type Measured, median, quantile } from './figures.ts';
import { compileBenchDags } from './python-engine.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const DAG = 'bench_chain_40';
const STAGES = ['user code ends → its report is parsed', 'report → plan made, statement sent', 'commit', 'commit → job handed over', 'job handed over → user code begins'] as const;

/** Monotonic milliseconds of what this process sees, by the task that it belongs to. `commits` are all there were. */
interface Marks {
  readonly reported: Map<string, number>;
  readonly launched: Map<string, number>;
  readonly commits: { readonly sent: number; readonly done: number }[];
  readonly tasks: Map<ExecutionId, string>;
}

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Notes when each report was parsed and each job handed over. The classes are watched from outside, so that the engine is the one that everybody runs. */
function watch(marks: Marks): void {
  // oxlint-disable-next-line typescript/unbound-method
  const { report } = Scheduler.prototype;
  Scheduler.prototype.report = function watched(token, body) {
    marks.reported.set(marks.tasks.get(body.execution_id) ?? '', now());
    return report.call(this, token, body);
  };
  // oxlint-disable-next-line typescript/unbound-method
  const { reserve } = ProcessExecutor.prototype;
  ProcessExecutor.prototype.reserve = function watched(...asked) {
    const slot = reserve.apply(this, asked);
    if (slot === null) return null;
    const launch = (spec: ExecutionSpec): void => {
      marks.tasks.set(spec.execution_id, spec.task_id);
      slot.launch(spec);
      marks.launched.set(spec.task_id, now());
    };
    return { ...slot, launch };
  };
}

interface Watched { readonly run: () => Promise<number[][]>; readonly stop: () => Promise<void> }

async function openWatched(bench: Workbench, how: { databaseUrl: string; parked: number; marks: Marks }): Promise<Watched> {
  const { marks, parked } = how;
  const reporter = createReporter('error', () => undefined);
  reporter.listen((event) => {
    if (event.event === 'commit.done') marks.commits.push({ sent: now() - event.ms, done: now() });
  });
  let finish: (run: RunUuid) => void = () => undefined;
  const engine = await startEngine({
    config: readConfig({ LEOFLOW_HOME: bench.folder, LEOFLOW_PARKED_CHILDREN: parked }), home: join(bench.folder, `home-${parked}`), databaseUrl: how.databaseUrl, python: bench.python, reporter, onRunFinished: (run) => finish(run.id),
  });
  const { database } = engine;
  let made = 0;
  return {
    run: async () => {
      made += 1;
      const finished = new Promise<RunUuid>((resolve) => void (finish = resolve));
      await trigger(database, DAG, `run_${parked}_${made}`);
      return stagesOf(database, await finished, marks);
    },
    stop: () => engine.stop({ endExecutions: true }),
  };
}

/** One list of stage times per hop of the run, milliseconds. */
async function stagesOf(database: Database, run: RunUuid, marks: Marks): Promise<number[][]> {
  const values = await listRunXComs(database, run, 100);
  const bodies = values.map((value) => ({ task: value.taskId, times: JSON.parse(value.text) as [number, number] })).sort((a, b) => a.times[0] - b.times[0]);
  const hops = bodies.slice(1).flatMap((after, at) => {
    const before = bodies[at];
    const reported = marks.reported.get(before?.task ?? '');
    const launched = marks.launched.get(after.task);
    const commit = marks.commits.find((one) => reported !== undefined && one.sent >= reported);
    if (before === undefined || reported === undefined || launched === undefined || commit === undefined) return [];
    const ended = before.times[1] / 1e6;
    const began = after.times[0] / 1e6;
    return [[reported - ended, commit.sent - reported, commit.done - commit.sent, launched - commit.done, began - launched]];
  });
  for (const map of [marks.reported, marks.launched, marks.tasks]) map.clear();
  marks.commits.length = 0;
  return hops;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const micro = (ms: number): string => (ms * 1000).toFixed(0);

function renderColumns(columns: readonly { readonly name: string; readonly hops: readonly number[][] }[]): string[] {
  const of = (hops: readonly number[][], stage: number): number[] => hops.map((hop) => hop[stage] ?? Number.NaN);
  const sums = (hops: readonly number[][]): number[] => hops.map((hop) => hop.reduce((sum, value) => sum + value, 0));
  const cells = (pick: (hops: readonly number[][]) => readonly number[]): string => columns.map(({ hops }) => `${micro(mean(pick(hops)))} | ${micro(median(pick(hops)))} | ${micro(quantile(pick(hops), 0.99))}`).join(' | ');
  return [
    `| stage, µs | ${columns.map(({ name }) => `${name}: mean | p50 | p99`).join(' | ')} |`,
    `|---|${'--:|'.repeat(columns.length * 3)}`,
    ...STAGES.map((name, stage) => `| ${name} | ${cells((hops) => of(hops, stage))} |`),
    `| the hop | ${cells(sums)} |`,
  ];
}

/** The case: the same chain with a parked child (bound before the commit) and with a child forked after it. */
export async function measureStages(bench: Workbench): Promise<Measured> {
  const database = await openMigrated(bench, await startPostgres(bench));
  const dag = await compileBenchDags(bench);
  await registerDag(database, dag(DAG), { bundle: 'bench', active: true, parseMs: null });
  const marks: Marks = { reported: new Map(), launched: new Map(), commits: [], tasks: new Map() };
  watch(marks);
  const columns = [];
  for (const { name, parked } of [{ name: 'parked child', parked: bench.config.LEOFLOW_PARKED_CHILDREN }, { name: 'forked with the job', parked: 0 }]) {
    const watched = await openWatched(bench, { databaseUrl: database.url, parked, marks });
    try {
      for (let warm = 0; warm < 3; warm += 1) await watched.run();
      const hops: number[][] = [];
      for (let round = 0; round < bench.rounds; round += 1) hops.push(...(await watched.run()));
      columns.push({ name, hops });
    } finally {
      await watched.stop();
    }
  }
  const share = columns[0]?.hops ?? [];
  return {
    figures: [{ name: 'hop, its commit alone: p50', unit: 'ms', target: null, rounds: [median(share.map((hop) => hop[2] ?? Number.NaN))], base: { name: 'the whole hop', rounds: [median(share.map((hop) => hop.reduce((sum, value) => sum + value, 0)))] } }],
    details: [
      ...renderColumns(columns), '',
      'Read on one monotonic clock: by the bodies themselves, and in the server at the borders of its parts (agent API, commit queue, executor). Means so that columns sum. The last stage holds the child\'s part: its wake-up or fork, decoding the job, opening its log, and everything that `run_task` does before the first line of user code.',
    ],
  };
}
