// What a transition costs the scheduler while 10, 100, 1,000 and 10,000 runs are active.
import { addDag, dagOf, task } from '../test/support/rows.ts';
import { trigger } from './engine-alone.ts';
import { type Measured, quantile, renderNumber } from './figures.ts';
import { cpuOf, cpuOfTree } from './processes.ts';
import { startServer } from './server-process.ts';
import { StandIn } from './stand-in.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const SIZES = [10, 100, 1000, 10_000] as const;
const DAGS = 10;
/** scheduled, running, success of each task. */
const MOVES = 3;
const AT_ONCE = 32;
const WARM_TASKS = 1000;
const TASKS = 6000;

interface Point { readonly size: number; readonly nodeMs: number; readonly postgresMs: number; readonly perSecond: number; readonly p99Ms: number }

/** A server of its own whose runs are chains so long that none of them ends while we look. */
async function measurePoint(bench: Workbench, postgres: { readonly pid: number }, how: { size: number; url: string; database: Awaited<ReturnType<typeof openMigrated>> }): Promise<Point> {
  const { size, database } = how;
  const home = `home-${size}`;
  const standIn = await StandIn.listen(bench, home);
  const length = Math.ceil((WARM_TASKS + TASKS) / size) + 10;
  for (let at = 0; at < DAGS; at += 1) {
    // Absolute weights: all runs go on side by side instead of one after the other.
    const chain = Array.from({ length }, (_, n) => task(`step_${n}`, n === 0 ? [] : [`step_${n - 1}`], { weight_rule: 'absolute', priority_weight: 1 }));
    await addDag(database, dagOf(`chain_${at}`, chain, { max_active_runs: 100_000, max_active_tasks: 100_000 }));
  }
  // Made before the server is there: it reads them all when it takes over, and none of the measured time goes to that.
  for (let at = 0; at < size; at += 1) await trigger(database, `chain_${at % DAGS}`, `run_${at}`);
  const server = await startServer(bench, { home, databaseUrl: how.url, environment: { LEOFLOW_PARALLELISM: String(AT_ONCE), LEOFLOW_PARKED_CHILDREN: '0', LEOFLOW_LOG_LEVEL: 'info' } });
  const untilRunning = async (): Promise<void> => {
    while (Number((await database.pool.query<{ n: string }>("select count(*) as n from dag_runs where state = 'running'")).rows[0]?.n) < size) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  await untilRunning();
  bench.say(`  up, ${standIn.seen.refused} reports sent again`);
  await standIn.untilDone(standIn.seen.done + WARM_TASKS);
  const first = standIn.seen.done;
  standIn.seen.answeredMs.length = 0;
  const before = { node: cpuOf(server.pid), postgres: cpuOfTree(postgres.pid) };
  const started = performance.now();
  await standIn.untilDone(first + TASKS);
  const moves = (standIn.seen.done - first) * MOVES;
  const point = {
    size, nodeMs: (cpuOf(server.pid) - before.node) / moves, postgresMs: (cpuOfTree(postgres.pid) - before.postgres) / moves, perSecond: (standIn.seen.done - first) / ((performance.now() - started) / 1000),
    p99Ms: quantile(standIn.seen.answeredMs, 0.99),
  };
  await server.kill();
  standIn.close();
  return point;
}

/** The case. Each size has a database and a server of its own. */
export async function measureActiveRuns(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const points: Point[] = [];
  for (const size of SIZES) {
    bench.say(`${size} active runs`);
    const database = await openMigrated(bench, postgres, `active_${size}`);
    points.push(await measurePoint(bench, postgres, { size, url: database.url, database }));
  }
  const [smallest] = points;
  return {
    figures: points.map((point) => ({
      name: `scheduler CPU per transition, ${point.size.toLocaleString('en-US')} active runs`, unit: 'ms' as const,
      target: { of: 'value' as const, atMost: 0.2 }, rounds: [point.nodeMs], base: point === smallest ? { name: 'PostgreSQL, the same transitions', rounds: [point.postgresMs] } : { name: 'with 10 active runs', rounds: [smallest?.nodeMs ?? Number.NaN] },
    })),
    details: [
      '| active runs | server CPU ms per transition | PostgreSQL CPU ms per transition | tasks/s | report → recorded p99, ms |', '|--:|--:|--:|--:|--:|',
      ...points.map((point) => `| ${point.size.toLocaleString('en-US')} | ${renderNumber(point.nodeMs)} | ${renderNumber(point.postgresMs)} | ${point.perSecond.toFixed(0)} | ${renderNumber(point.p99Ms)} |`), '',
      `The engine alone, as above; ${DAGS} DAGs, every run a chain that does not end while we look, ${AT_ONCE} tasks at once, the others wait; ${TASKS.toLocaleString('en-US')} tasks measured at each size. All of the server's CPU is counted: HTTP, planning, statements. The target asks for a flat line: the ratio to 10 active runs says whether it is.`,
    ],
  };
}
