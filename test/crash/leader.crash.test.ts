// The proof: leader, launcher and fork server are killed in the middle of a run; nothing is lost, doubled or falsely failed.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { compilePython } from '#compile/from-python.ts';
import { userEnvironment } from '#platform/config.ts';
import { createRun } from '#store/dag-runs.ts';
import { registerVersion } from '#store/dag-versions.ts';
import type { Database } from '#store/database.ts';
import { withDatabase } from '../support/database.ts';
import { processesOf } from '../support/processes.ts';
import { findContradictions, parseLedger } from './reconcile.ts';
import { BARE_REQUEST } from '../support/compile-request.ts';

const SERVER = join(import.meta.dirname, 'server-process.ts');
const DAGS = join(import.meta.dirname, 'dags');
const TASKS = 50;
const LIMIT_MS = 40_000;

type Said = { readonly event: string; readonly wall: number } & Readonly<Record<string, unknown>>;

/** A server process and what it says. */
class Server {
  readonly child: ChildProcess;
  readonly said: Said[] = [];
  #look: () => void = () => undefined;
  errors = '';

  constructor(home: string, databaseUrl: string, ledger: string) {
    this.child = spawn(process.execPath, [SERVER, home, databaseUrl], { env: { ...userEnvironment(), LEDGER: ledger }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stderr?.on('data', (chunk: Buffer) => void (this.errors += chunk.toString()));
    if (this.child.stdout !== null) createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.said.push(JSON.parse(line) as Said);
      this.#look();
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async until(holds: (said: readonly Said[]) => boolean, what: string): Promise<void> {
    if (holds(this.said)) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited ${LIMIT_MS} ms for: ${what}; ${this.errors.slice(-1000)}; ${JSON.stringify(this.said.slice(-8))}`)), LIMIT_MS);
      this.#look = () => {
        if (!holds(this.said)) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await ended;
  }
}

interface Scene {
  readonly database: Database;
  readonly home: string;
  readonly ledger: string;
  readonly leader: Server;
  readonly follower: Server;
  readonly run: string;
}

/** Two servers, one leading, and a run of 50 tasks in its middle. */
async function withScene(work: (scene: Scene) => Promise<void>): Promise<void> {
  await withDatabase(async (database) => {
    const home = mkdtempSync(join(tmpdir(), 'lc-'));
    const ledger = join(home, 'ledger');
    const servers: Server[] = [];
    const start = (): Server => {
      const server = new Server(home, database.url, ledger);
      servers.push(server);
      return server;
    };
    try {
      const leader = start();
      await leader.until((said) => said.some((one) => one.event === 'leader.ready'), 'the first server leads');
      const follower = start();
      await follower.until((said) => said.some((one) => one.event === 'started'), 'the second server is up');
      const run = await trigger(database);
      await leader.until((said) => said.filter((one) => one.event === 'task.moved' && one['to'] === 'success').length >= TASKS / 4, 'a quarter is done');
      await work({ database, home, ledger, leader, follower, run });
    } finally {
      for (const server of servers.reverse()) await server.end('SIGTERM');
      rmSync(home, { recursive: true, force: true });
    }
  });
}

async function trigger(database: Database): Promise<string> {
  const compiled = await compilePython({ root: DAGS, file: 'fifty_tasks.py', python: 'python3', ...BARE_REQUEST });
  const [one] = compiled.dags;
  assert.ok(one, JSON.stringify(compiled.problems));
  await registerVersion(database, { dag: one.dag, sources: one.sources, bundle: 'crash', active: true, parseMs: null, next: null, timetable: { summary: null, description: null } });
  const created = await createRun(database, { dagId: 'fifty_tasks', runId: 'manual__1', runType: 'manual', logicalDate: null, interval: null, runAfter: database.clock.nowMs(), conf: {}, triggeredBy: 'cli', user: null, note: null });
  return created.kind === 'created' ? created.run.id : assert.fail(created.kind);
}

async function rowsOf(database: Database, text: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(text, [...values])).rows;
}

/** Waits for the run's end, then holds the ledger against the tables. @returns the executions by state */
async function reconcile(scene: Scene, decider: Server): Promise<Map<string, number>> {
  const { database, run, ledger } = scene;
  await decider.until((said) => said.some((one) => one.event === 'run.moved' && one['to'] !== 'running'), 'the run ends');
  // The event comes before its commit.
  while ((await rowsOf(database, 'select 1 from dag_runs where id = $1 and finished', [run])).length === 0) assert.equal(decider.child.exitCode, null, 'the server is there');
  const executions = await rowsOf(database, 'select e.id, a.task_id, e.state, e.attempt_id, e.cause from executions e join task_attempts a on a.id = e.attempt_id where e.run = $1', [run]);
  const [runRow] = await rowsOf(database, 'select state, version_id from dag_runs where id = $1', [run]);
  const [version] = await rowsOf(database, 'select spec from dag_versions where id = $1', [runRow?.['version_id']]);
  assert.ok(version !== undefined);
  const upstream = new Map((version['spec'] as { tasks: { task_id: string; depends_on: string[] }[] }).tasks.map((task) => [task.task_id, task.depends_on]));
  const tasks = (await rowsOf(database, 'select task_id, state, try_number from task_instances where run = $1', [run]))
    .map((row) => ({ task: String(row['task_id']), state: row['state'] as string | null, tryNumber: Number(row['try_number']), upstream: upstream.get(String(row['task_id'])) ?? [] }));
  const contradictions = findContradictions(parseLedger(readFileSync(ledger, 'utf8')), {
    run: String(runRow?.['state']), tasks, executions: executions.map((row) => ({ id: String(row['id']), task: String(row['task_id']), state: String(row['state']), attempt: String(row['attempt_id']) })),
  });
  assert.deepEqual(contradictions, []);
  assert.equal(runRow?.['state'], 'success');
  assert.equal(tasks.length, TASKS);
  for (const task of tasks) assert.deepEqual([task.state, task.tryNumber], ['success', 1], `${task.task}: infrastructure spends none of the user’s tries`);
  assert.ok(executions.every((row) => row['state'] === 'success' || (row['state'] === 'lost' && row['cause'] === 'lost')), JSON.stringify(executions));
  const counts = new Map<string, number>();
  for (const row of executions) counts.set(String(row['state']), (counts.get(String(row['state'])) ?? 0) + 1);
  return counts;
}

/** Milliseconds from a moment until the first row that the next epoch wrote. */
async function firstDecision(scene: Scene, since: number): Promise<number> {
  const [row] = await rowsOf(scene.database, 'select extract(epoch from min(at))::float8 * 1000 as at from attempt_events where run = $1 and epoch = (select epoch from leader)', [scene.run]);
  return Number(row?.['at']) - since;
}

function tell(t: TestContext, figures: Readonly<Record<string, number>>): void {
  t.diagnostic(Object.entries(figures).map(([name, value]) => `${name} ${Math.round(value)}`).join(', '));
}

describe('kill -9 in the middle of a run of 50 tasks', () => {
  it('of the leader: the follower decides within a second, and running tasks do not notice', async (t) => {
    await withScene(async (scene) => {
      const { leader, follower } = scene;
      const killed = Date.now();
      await leader.end('SIGKILL');
      const executions = await reconcile(scene, follower);
      const ready = follower.said.find((one) => one.event === 'leader.ready')?.wall ?? Infinity;
      const decided = await firstDecision(scene, killed);
      tell(t, { 'ready after ms': ready - killed, 'first decision after ms': decided, adopted: follower.said.filter((one) => one.event === 'execution.adopted').length, 'executions lost': executions.get('lost') ?? 0 });
      assert.ok(decided > 0 && decided <= 1000, `the next decision came after ${decided} ms`);
      assert.equal(executions.get('success'), TASKS);
      // Committed as running, its job not yet handed out when the leader died: that one is asked for again. What had begun survives.
      const lost = await rowsOf(scene.database, "select id from executions where run = $1 and state = 'lost'", [scene.run]);
      const lines = parseLedger(readFileSync(scene.ledger, 'utf8'));
      const started = new Set(lines.map((line) => line.execution));
      assert.deepEqual([lines.filter((line) => line.phase === 'START').length, lines.filter((line) => line.phase === 'FINISH').length], [TASKS, TASKS], 'each task began once and ended once');
      assert.deepEqual(lost.filter((row) => started.has(String(row['id']))), [], 'running executions survive their leader');
    });
  });

  it('of the launcher: what ran is lost and runs again, as the same try', async (t) => {
    await withScene(async (scene) => {
      const { launcher } = processesOf(scene.home);
      assert.ok(launcher > 0);
      process.kill(launcher, 'SIGKILL');
      const executions = await reconcile(scene, scene.leader);
      tell(t, { 'executions lost': executions.get('lost') ?? 0 });
      assert.ok((executions.get('lost') ?? 0) > 0);
    });
  });

  it('of a fork server: the same', async (t) => {
    await withScene(async (scene) => {
      const [forkServer = 0] = processesOf(scene.home).forkServers;
      assert.ok(forkServer > 0);
      process.kill(forkServer, 'SIGKILL');
      const executions = await reconcile(scene, scene.leader);
      tell(t, { 'executions lost': executions.get('lost') ?? 0 });
      assert.ok((executions.get('lost') ?? 0) > 0);
    });
  });

  it('of leader and launcher at once: the follower starts anew what was lost', async (t) => {
    await withScene(async (scene) => {
      const { launcher } = processesOf(scene.home);
      const killed = Date.now();
      process.kill(launcher, 'SIGKILL');
      await scene.leader.end('SIGKILL');
      const executions = await reconcile(scene, scene.follower);
      tell(t, { 'first decision after ms': await firstDecision(scene, killed), 'executions lost': executions.get('lost') ?? 0 });
      assert.ok((executions.get('lost') ?? 0) > 0);
    });
  });

  it('of the leader’s session only: the other server leads, and what reported to the first one finds it', async (t) => {
    await withScene(async (scene) => {
      const cut = Date.now();
      await scene.database.pool.query("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())");
      await scene.follower.until((said) => said.some((one) => one.event === 'leader.ready'), 'the other server leads');
      const executions = await reconcile(scene, scene.follower);
      tell(t, { 'first decision after ms': await firstDecision(scene, cut), 'executions lost': executions.get('lost') ?? 0 });
      assert.equal(executions.get('success'), TASKS);
    });
  });

  it('nothing of it is left running', async () => {
    let home = '';
    await withScene(async (scene) => {
      home = scene.home;
      assert.ok(existsSync(scene.ledger));
      await scene.leader.end('SIGKILL');
      await reconcile(scene, scene.follower);
    });
    assert.equal(processesOf(home).launcher, 0, 'an orderly stop ends launcher and fork servers');
  });
});
