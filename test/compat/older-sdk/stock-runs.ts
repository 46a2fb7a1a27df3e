// An engine whose every task is run by a stock supervisor, and whose triggers by our own host: one side is older than the other.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProjectCompiler } from '#cli/project-compiler.ts';
import type { RunUuid, VersionId } from '#contract/ids.ts';
import { registerDag } from '#main/register-dag.ts';
import { readConfig } from '#platform/config.ts';
import { EngineUnderTest } from '../../support/engine.ts';
import { type ExecutionServers, serveExecutions } from '../../support/execution-server.ts';
import { logOf, startSupervisor, type StockPlace } from '../../support/stock-supervisor.ts';
import { sdkPython } from '../../support/task-sdk.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const AT_ONCE = 5;
const POLL_MS = 100;

/** What is known of one task instance afterwards. */
export interface Instance { readonly state: string | null; readonly tries: number; readonly renderedIndex: string | null }

/** One DAG file, compiled by the Task SDK of the engine's side. */
export class StockRuns implements AsyncDisposable {
  readonly engine: EngineUnderTest;
  readonly home: string;
  readonly #server: ExecutionServers;
  readonly #place: StockPlace;
  readonly #hosts = new Map<VersionId, ChildProcess>();
  readonly #printed: string[] = [];
  #isOver = false;
  #workers: Promise<unknown> = Promise.resolve();

  private constructor(engine: EngineUnderTest, home: string, place: StockPlace & { readonly server: ExecutionServers }) {
    this.engine = engine;
    this.home = home;
    this.#server = place.server;
    this.#place = place;
  }

  /** Copies the folder, registers what the file holds, and begins to run every job that the engine hands out. */
  static async open(folder: string, dagFile: string): Promise<StockRuns> {
    const home = mkdtempSync(join(tmpdir(), 'lf-stock-'));
    const dags = join(home, 'dags');
    mkdirSync(dags);
    cpSync(folder, dags, { recursive: true, filter: (path) => !path.endsWith('__pycache__') });
    writeFileSync(join(dags, 'leoflow.yaml'), 'runtime: airflow\n');
    const compiled = await new ProjectCompiler(dags, { config: readConfig({ LEOFLOW_HOME: home, LEOFLOW_IMPORT_TIMEOUT_SECONDS: 120 }, {}), python: sdkPython() }).compile(dagFile);
    assert.deepEqual(compiled.problems, []);
    const engine = await EngineUnderTest.open([], { LEOFLOW_PARALLELISM: AT_ONCE });
    for (const one of compiled.dags) engine.versions.set(one.dag.dag_id, (await registerDag(engine.database, one, { bundle: 'stock', active: true, parseMs: null })).versionId);
    const server = await serveExecutions(engine, home);
    const runs = new StockRuns(engine, home, { server, home, folder: dags, dagFile, env: { LIFE_NOTES: join(home, 'notes') } });
    runs.#workers = Promise.all([runs.#keepHosts(), ...Array.from({ length: AT_ONCE }, () => runs.#work())]);
    return runs;
  }

  /** What supervisors printed, and the logs of a task's tries. */
  read(taskId: string): string {
    const logs = this.engine.machine.jobs.filter((spec) => spec.task_id === taskId).map((spec) => readFileSync(join(this.home, logOf(spec)), 'utf8'));
    return [...new Set(logs)].join('');
  }

  /** Lines that tasks' callbacks wrote. */
  get notes(): string {
    return readFileSync(join(this.home, 'notes'), 'utf8');
  }

  /** Everything that supervisors and hosts printed. */
  get printed(): string {
    return this.#printed.join('');
  }

  /** A version's triggers run as soon as the engine wants that; a host ends by itself. */
  async #keepHosts(): Promise<void> {
    while (!this.#isOver) {
      for (const [dagId, id] of this.engine.versions) if (this.engine.machine.hosted.has(id) && !this.#hosts.has(id)) this.#hostTriggers(dagId, id);
      await sleep(POLL_MS);
    }
  }

  #hostTriggers(dagId: string, id: VersionId): void {
    const addressFile = join(this.home, 'agent.json');
    writeFileSync(addressFile, JSON.stringify({ socket: this.#server.socket }));
    const spec = { id, version_id: id, dag_id: dagId, root: this.#place.folder, dag_file: this.#place.dagFile, path: [], address_file: addressFile, address: this.#server.socket };
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.home, PYTHONPATH: join(ROOT, 'python'), PYTHONDONTWRITEBYTECODE: '1' };
    const child = spawn(sdkPython(), [join(import.meta.dirname, 'host_triggers.py'), JSON.stringify(spec)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => void this.#printed.push(text));
    this.#hosts.set(id, child);
    child.on('close', () => this.#hosts.delete(id));
  }

  /** Waits for a state of a run, or of a task instance in it. */
  async until(what: string, holds: () => Promise<boolean>, limitMs: number): Promise<void> {
    for (const end = performance.now() + limitMs; !(await holds()); await sleep(POLL_MS)) assert.ok(performance.now() < end, `waited in vain: ${what}\n${this.printed.slice(-4000)}`);
  }

  /** States by `task` or `task[index]`. */
  async instances(run: RunUuid): Promise<Record<string, Instance>> {
    const rows = await this.engine.rows('select task_id, map_index, state, try_number, rendered_map_index from task_instances where run = $1', [run]);
    return Object.fromEntries(rows.map((row) => [`${String(row['task_id'])}${Number(row['map_index']) < 0 ? '' : `[${String(row['map_index'])}]`}`, {
      state: row['state'] as string | null, tries: Number(row['try_number']), renderedIndex: row['rendered_map_index'] as string | null,
    }]));
  }

  /** What a task returned, as JSON text. */
  async returned(run: RunUuid, taskId: string, key = 'return_value'): Promise<string> {
    const row = await this.engine.one('select value from xcom_values where run = $1 and task_id = $2 and key = $3', [run, taskId, key]);
    return Buffer.from((row?.['value'] ?? assert.fail(`${taskId} returned nothing`)) as Buffer).toString();
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      const spec = this.engine.machine.jobs[this.#taken];
      if (spec === undefined) {
        await sleep(POLL_MS);
        continue;
      }
      this.#taken += 1;
      const { code, out } = await startSupervisor(spec, this.#place).ended;
      this.#printed.push(out);
      this.engine.executor.kill(spec, { status: code ?? 1, signal: null });
    }
  }

  #taken = 0;

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#workers;
    for (const host of this.#hosts.values()) host.kill('SIGKILL');
    await this.#server.close();
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.home, { recursive: true, force: true });
  }
}
