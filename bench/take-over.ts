// The leader is killed with SIGKILL in the middle of work: how long until the follower's first decision.
import { addDag, dagOf, task } from '../test/support/rows.ts';
import { trigger } from './engine-alone.ts';
import { type Measured, renderNumber } from './figures.ts';
import { type Said, type ServerProcess, startServer } from './server-process.ts';
import { StandIn } from './stand-in.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const RUNS = 20;
const CHAIN = 400;

/** The case. Both servers share one home folder and what stands in for its processes. */
export async function measureTakeOver(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const database = await openMigrated(bench, postgres);
  await StandIn.listen(bench, 'home');
  await addDag(database, dagOf('chain', Array.from({ length: CHAIN }, (_, at) => task(`step_${at}`, at === 0 ? [] : [`step_${at - 1}`])), { max_active_runs: RUNS }));
  const steps: { readonly event: string; readonly at: number }[] = [];
  const onSaid = (said: Said): void => {
    if (said.event === 'leader.elected' || said.event === 'leader.ready') steps.push({ event: said.event, at: performance.now() });
  };
  const start = (untilLeading: boolean): Promise<ServerProcess> => startServer(bench, { home: 'home', databaseUrl: database.url, untilLeading, onSaid, environment: { LEOFLOW_PARKED_CHILDREN: '0', LEOFLOW_PARALLELISM: '4' } });
  let leader = await start(true);
  for (let at = 0; at < RUNS; at += 1) await trigger(database, 'chain', `run_${at}`);
  const gaps: number[] = [];
  const elected: number[] = [];
  const said: string[] = [];
  for (let kill = 0; kill < bench.rounds; kill += 1) {
    const follower = await start(false);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { rows: [before] } = await database.pool.query<{ epoch: number; now: number }>('select epoch::int, extract(epoch from clock_timestamp())::float8 * 1000 as now from leader');
    steps.length = 0;
    const killed = performance.now();
    await leader.kill();
    for (;;) {
      const { rows: [first] } = await database.pool.query<{ at: number | null }>('select extract(epoch from min(at))::float8 * 1000 as at from attempt_events where epoch > $1', [before?.epoch]);
      if (typeof first?.at === 'number') {
        gaps.push(first.at - (before?.now ?? Number.NaN));
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const after = (event: string): number => (steps.find((step) => step.event === event)?.at ?? Number.NaN) - killed;
    elected.push(after('leader.elected'));
    said.push(`${renderNumber(gaps.at(-1) ?? Number.NaN)} ms (elected after ${renderNumber(after('leader.elected'))}, all runs read after ${renderNumber(after('leader.ready'))})`);
    leader = follower;
  }
  return {
    figures: [{ name: 'leader killed with SIGKILL → next decision, slowest', unit: 'ms', target: { of: 'value', atMost: 500 }, rounds: [Math.max(...gaps)], base: { name: 'PostgreSQL gives its lock to the next, slowest', rounds: [Math.max(...elected)] } }],
    details: [`${gaps.length} kills in the middle of ${RUNS} runs: ${said.join(', ')}, by the database's clock. A sample only: \`make prove-chaos\` is the proof, with hundreds of kills of every process and the ledger held against the tables.`],
  };
}
