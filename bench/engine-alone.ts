// The engine without processes: how many no-op tasks a second a real server plans, commits and answers over its agent API.
import { makeUuidV7, type RunUuid } from '#contract/ids.ts';
import { createRun } from '#store/dag-runs.ts';
import type { Database } from '#store/database.ts';
import { emptyBatch, type InstanceState, moveTask } from '#store/task-attempts.ts';
import { addDag, addRun, dagOf, task } from '../test/support/rows.ts';
import { type Measured, median, quantile } from './figures.ts';
import { cpuOf, cpuOfTree } from './processes.ts';
import { startServer } from './server-process.ts';
import { StandIn } from './stand-in.ts';
import { openMigrated, startPostgres, type Workbench } from './workbench.ts';

const TASKS = 100;
const RUNS = 60;
/** scheduled, running, success. */
const MOVES = 3;
const AT_ONCE = 64;

/** Triggers one run. @returns its UUID */
export async function trigger(database: Database, dagId: string, runId: string): Promise<RunUuid> {
  const made = await createRun(database, { dagId, runId, runType: 'manual', logicalDate: null, interval: null, runAfter: database.clock.nowMs(), conf: {}, triggeredBy: 'cli', user: null, note: null });
  if (made.kind !== 'created') throw new Error(`${runId}: ${made.kind}`);
  return made.run.id;
}

/** Commits per second of one-row updates, one after the other on one connection: what the disk and PostgreSQL allow. */
export async function commitRate(database: Database): Promise<number> {
  const client = await database.pool.connect();
  try {
    await client.query('create table if not exists bench_row (n int); insert into bench_row select 0 where not exists (select from bench_row)');
    const started = performance.now();
    let count = 0;
    for (; performance.now() - started < 1000; count += 1) await client.query({ name: 'bench_row', text: 'update bench_row set n = n + 1' });
    return count / ((performance.now() - started) / 1000);
  } finally {
    client.release();
  }
}

const IDLE: Omit<InstanceState, 'state' | 'attemptId' | 'executionId' | 'finished'> = {
  mapIndex: -1, tryNumber: 1, maxTries: 0, infraFailures: 0, scheduledAt: 1e12, startDate: 1e12, endDate: 1e12, wakeAt: null, skips: null, cause: null, reason: null, hostname: 'floor', pid: 1, renderedMapIndex: null,
};

/** The same rows by bare statements of the same size: as many tasks made, started and ended, the starts of each batch beside the ends of the one before. @returns tasks per second */
async function bareMoves(database: Database, dagId: string, tasks: number): Promise<number> {
  const run = await addRun(database, { dagId, runId: `floor_${performance.now()}` });
  const client = await database.pool.connect();
  try {
    const all = Array.from({ length: tasks }, (_, at) => ({ id: `floor_${at}`, attempt: makeUuidV7<RunUuid>(at), execution: makeUuidV7<RunUuid>(at) }));
    const started = performance.now();
    for (let at = 0; at < tasks; at += TASKS) {
      const made = emptyBatch();
      for (const one of all.slice(at, at + TASKS)) made.newInstances.push({ ...IDLE, run, taskId: one.id, state: 'scheduled', finished: false, attemptId: one.attempt, executionId: null, operator: 'PythonOperator', pool: 'default_pool', poolSlots: 1, queue: 'default', priorityWeight: 1 });
      await moveTask(client, null, made);
    }
    const size = AT_ONCE / 2;
    for (let at = 0; at < tasks + size; at += size) {
      const batch = emptyBatch();
      for (const one of all.slice(at, at + size)) {
        const move = { run, taskId: one.id, mapIndex: -1, attemptId: one.attempt };
        batch.instances.push({ run, taskId: one.id, fromIndex: -1, fromState: 'scheduled', fromExecution: null, row: { ...IDLE, state: 'running', finished: false, attemptId: one.attempt, executionId: one.execution } });
        batch.attempts.push({ ...move, id: one.attempt, tryNumber: 1, state: 'running', startDate: 1e12, endDate: null, scheduledAt: 1e12, cause: null, error: null, renderedFields: null, hostname: 'floor', pid: 1 });
        batch.started.push({ id: one.execution, attemptId: one.attempt, run, state: 'running', executor: 'process', host: 'floor', handle: 'floor', pid: 1, tokenHash: 'AAAA', startedAt: 1e12 });
        batch.events.push({ ...move, executionId: one.execution, from: 'scheduled', to: 'running', at: 1e12, cause: null, detail: null });
      }
      for (const one of at === 0 ? [] : all.slice(at - size, at)) {
        const move = { run, taskId: one.id, mapIndex: -1, attemptId: one.attempt };
        batch.instances.push({ run, taskId: one.id, fromIndex: -1, fromState: 'running', fromExecution: one.execution, row: { ...IDLE, state: 'success', finished: true, attemptId: one.attempt, executionId: one.execution } });
        batch.attempts.push({ ...move, id: one.attempt, tryNumber: 1, state: 'success', startDate: 1e12, endDate: 1e12, scheduledAt: 1e12, cause: null, error: null, renderedFields: '{"op_args":"()"}', hostname: 'floor', pid: 1 });
        batch.ended.push({ id: one.execution, state: 'success', endedAt: 1e12, exitCode: null, signal: null, cause: null });
        batch.events.push({ ...move, executionId: one.execution, from: 'running', to: 'success', at: 1e12, cause: null, detail: null });
      }
      const result = await moveTask(client, null, batch);
      if (result.kind !== 'moved') throw new Error('the floor is stale');
    }
    return tasks / ((performance.now() - started) / 1000);
  } finally {
    client.release();
  }
}

/** The case. */
export async function measureEngineAlone(bench: Workbench): Promise<Measured> {
  const postgres = await startPostgres(bench);
  const database = await openMigrated(bench, postgres);
  const standIn = await StandIn.listen(bench, 'home');
  const dag = dagOf('alone', Array.from({ length: TASKS }, (_, at) => task(`no_op_${at}`)), { max_active_tasks: 1000 });
  await addDag(database, dag);
  const server = await startServer(bench, { home: 'home', databaseUrl: database.url, environment: { LEOFLOW_PARALLELISM: String(AT_ONCE), LEOFLOW_PARKED_CHILDREN: '0', LEOFLOW_LOG_LEVEL: 'info' } });
  await trigger(database, 'alone', 'warm');
  await standIn.untilDone(TASKS);
  const rates: number[] = [];
  const floors: number[] = [];
  const commits: number[] = [];
  const cpu = { node: 0, postgres: 0, standIn: 0 };
  const answered: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) {
    commits.push(await commitRate(database));
    floors.push(await bareMoves(database, 'alone', 3000));
    standIn.seen.answeredMs.length = 0;
    const target = standIn.seen.done + RUNS * TASKS;
    const before = { node: cpuOf(server.pid), postgres: cpuOfTree(postgres.pid), standIn: cpuOf(process.pid) };
    const started = performance.now();
    for (let at = 0; at < RUNS; at += 1) await trigger(database, 'alone', `round_${round}_${at}`);
    await standIn.untilDone(target);
    rates.push((RUNS * TASKS) / ((performance.now() - started) / 1000));
    answered.push(...standIn.seen.answeredMs);
    cpu.node += cpuOf(server.pid) - before.node;
    cpu.postgres += cpuOfTree(postgres.pid) - before.postgres;
    cpu.standIn += cpuOf(process.pid) - before.standIn;
  }
  const tasks = bench.rounds * RUNS * TASKS;
  const base = { name: 'bare moveTask of the same rows', rounds: floors };
  return {
    figures: [
      { name: 'engine alone: no-op tasks over HTTP', unit: 'tasks/s', target: { of: 'value', atLeast: 5000 }, rounds: rates, base },
      { name: 'engine alone: moves', unit: 'moves/s', target: { of: 'value', atLeast: 20_000 }, rounds: rates.map((rate) => rate * MOVES), base: { name: base.name, rounds: floors.map((rate) => rate * MOVES) } },
      { name: `engine alone: report → recorded, ${AT_ONCE} at once: p99`, unit: 'ms', target: { of: 'value', atMost: 10 }, rounds: [quantile(answered, 0.99)], base: { name: 'one commit of one row', rounds: commits.map((rate) => 1000 / rate) } },
    ],
    details: [
      `A real \`leoflow server\` with fenced commits on PostgreSQL; launcher, fork servers and children are replaced by one program that takes each job from the executor's socket and reports success at once over the agent API (${RUNS} runs of ${TASKS} independent tasks a round, ${AT_ONCE} at once). It shares the cores with the server and PostgreSQL.`,
      `CPU ms per task: server ${(cpu.node / tasks).toFixed(3)}, PostgreSQL ${(cpu.postgres / tasks).toFixed(3)}, the program that stands in ${(cpu.standIn / tasks).toFixed(3)}. One thread of Node decides: 1 ÷ ${(cpu.node / tasks).toFixed(3)} ms = ${(1000 / (cpu.node / tasks)).toFixed(0)} tasks/s is its limit.`,
      `Commits of one row on one connection in the same run: ${median(commits).toFixed(0)}/s. Report → recorded: p50 ${quantile(answered, 0.5).toFixed(2)} ms.`,
    ],
  };
}
