// Does a decision take longer with a million finished task instances in the tables? Two servers, one of them with the history, run by run in turn.
import pg from 'pg';
import type { Database } from '#store/database.ts';
import { addDag, dagOf, task } from '../test/support/rows.ts';
import { trigger } from './engine-alone.ts';
import { type Measured, median, quantile } from './figures.ts';
import { cpuOfTree } from './processes.ts';
import { startServer } from './server-process.ts';
import { StandIn } from './stand-in.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const RUNS = 10_000;
const TASKS_PER_RUN = 100;
const CHAIN = 40;

/** Ids that grow with time, as real ones do: random ones would spread over every page of every index. */
const id = (kind: number, expression: string): string => `lpad(to_hex(${kind}::bigint << 40 | ${expression}), 32, '0')::uuid`;
const OLD = `(select ${id(1, 'r')} as run, 'task_' || t as task_id, ${id(2, `(r * ${TASKS_PER_RUN} + t)`)} as attempt, ${id(3, `(r * ${TASKS_PER_RUN} + t)`)} as execution, now() - r * interval '1 min' as at
  from generate_series(1, ${RUNS}) r, generate_series(1, ${TASKS_PER_RUN}) t) old`;

const RUNS_OF_OLD = `insert into dag_runs (id, dag_id, run_id, run_type, state, finished, version_id, run_after, start_date, end_date, triggered_by, epoch)
  select ${id(1, 'n')}, d.dag_id, 'old_' || n, 'manual', 'success', true, d.version_id, now() - n * interval '1 min', now() - n * interval '1 min', now() - n * interval '1 min', 'cli', 1
  from generate_series(1, ${RUNS}) n, dags d where d.dag_id = 'chain'`;

/** A million finished instances with everything that belongs to them: tries, executions, three events and a value each. A list is a connection's work. */
const FILL: readonly (readonly string[])[] = [
  [
    `insert into attempt_events (run, task_id, map_index, attempt_id, execution_id, from_state, to_state, epoch, at)
     select run, task_id, -1, attempt, execution, f, t, 1, at from ${OLD}, (values (null, 'scheduled'), ('scheduled', 'running'), ('running', 'success')) as moves (f, t)`,
    'vacuum analyze attempt_events',
  ],
  [
    `insert into task_instances (run, task_id, state, finished, attempt_id, execution_id, try_number, operator, scheduled_at, start_date, end_date)
     select run, task_id, 'success', true, attempt, execution, 1, 'PythonOperator', at, at, at from ${OLD}`,
    `insert into xcoms (run, task_id, map_index, key, attempt_id, sha256, size_bytes) select run, task_id, -1, 'return_value', attempt, '\\x00', 8 from ${OLD}`,
    `insert into xcom_values (run, task_id, map_index, key, value) select run, task_id, -1, 'return_value', '\\x00' from ${OLD}`,
    `insert into task_attempts (id, run, task_id, map_index, try_number, state, start_date, end_date, scheduled_at) select attempt, run, task_id, -1, 1, 'success', at, at, at from ${OLD}`,
    `insert into executions (id, attempt_id, run, state, ended, executor, started_at, ended_at) select execution, attempt, run, 'success', true, 'process', at, at from ${OLD}`,
    'vacuum analyze task_instances, xcoms, xcom_values, task_attempts, executions',
  ],
];

async function fill(database: Database): Promise<void> {
  // A statement of the pool may take 30 s at most.
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(database.url);
    await client.connect();
    return client;
  };
  const runAll = async (statements: readonly string[]): Promise<void> => {
    const client = await connect();
    for (const text of statements) await client.query(text);
    await client.end();
  };
  await runAll([RUNS_OF_OLD]);
  await Promise.all(FILL.map(runAll));
  await runAll(['vacuum analyze dag_runs', 'checkpoint']);
}

interface Side { readonly database: Database; readonly standIn: StandIn; made: number }

async function openSide(bench: Workbench, name: string, database: Database): Promise<Side> {
  const standIn = await StandIn.listen(bench, name);
  await startServer(bench, { home: name, databaseUrl: database.url, environment: { LEOFLOW_PARKED_CHILDREN: '0' } });
  return { database, standIn, made: 0 };
}

/** One run of the chain. @returns milliseconds from each report to the run's next job, its commit between them */
async function decide(side: Side): Promise<number[]> {
  const { seen } = side.standIn;
  side.made += 1;
  seen.decidedMs.length = 0;
  const target = seen.done + CHAIN;
  await trigger(side.database, 'chain', `new_${side.made}`);
  await side.standIn.untilDone(target);
  return [...seen.decidedMs];
}

/** The case. */
export async function measureHistory(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const databases = [await openMigrated(bench, postgres, 'side_empty'), await openMigrated(bench, postgres, 'side_full')] as const;
  const dag = dagOf('chain', Array.from({ length: CHAIN }, (_, at) => task(`step_${at}`, at === 0 ? [] : [`step_${at - 1}`])));
  for (const database of databases) await addDag(database, dag);
  const started = performance.now();
  await fill(databases[1]);
  const size = Number((await databases[1].pool.query<{ size: string }>('select pg_database_size(current_database()) as size')).rows[0]?.size);
  bench.say(`history filled in ${((performance.now() - started) / 1000).toFixed(0)} s, PostgreSQL's CPU ${(cpuOfTree(postgres.pid) / 1000).toFixed(0)} s, ${(size / 2 ** 20).toFixed(0)} MB`);
  const sides = [await openSide(bench, 'empty', databases[0]), await openSide(bench, 'full', databases[1])] as const;
  for (const side of sides) for (let warm = 0; warm < 3; warm += 1) await decide(side);
  const [empty, full] = [[], []] as [number[][], number[][]];
  for (let round = 0; round < bench.rounds; round += 1) {
    // Who goes first alternates.
    const turns = [() => decide(sides[0]).then((ms) => void empty.push(ms)), () => decide(sides[1]).then((ms) => void full.push(ms))];
    for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
  }
  const all = { empty: empty.flat(), full: full.flat() };
  return {
    figures: [{
      name: 'decision with 1,000,000 finished task instances: p50', unit: 'ms', target: { of: 'ratio', atMost: 1.1 }, rounds: [median(all.full)], base: { name: 'empty database', rounds: [median(all.empty)] },
    }, {
      name: 'decision with 1,000,000 finished task instances: p99', unit: 'ms', target: null, rounds: [quantile(all.full, 0.99)], base: { name: 'empty database', rounds: [quantile(all.empty, 0.99)] },
    }],
    details: [
      `From a report to the same run's next job, commit included, one at a time: ${all.full.length} decisions on each side, two servers on two databases of one PostgreSQL, run by run in turn. The history has its tries, executions, three events and a value per instance: ${(size / 2 ** 20).toFixed(0)} MB.`,
    ],
  };
}
