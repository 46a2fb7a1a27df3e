// The real process executor with an agent API that only writes down: launcher, fork servers and tasks are real processes.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgentServer, type AgentServer } from '#api/agent/agent-server.ts';
import type { BodyRuntime, ConnectionValue, ExecutionReport, ExecutionSpec, ExitedChild, ReportedError } from '#contract/attempt.ts';
import { type AttemptId, type ExecutionId, makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import type { Inventory, Slot } from '#executor/executor.ts';
import { ProcessExecutor } from '#executor/process-executor.ts';
import { userEnvironment } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';

const LIMIT_MS = 30_000;

/** A DAG file with these task functions (Python source, indented by four). */
export function dagSource(tasks: string, head = ''): string {
  return `import os, signal, subprocess, sys, threading, time\nfrom airflow.sdk import dag, task, get_current_context\n${head}\ndef mark(name, text=""):\n    path = os.path.join(os.environ["MARKS"], name)\n    with open(path + ".new", "w") as file:\n        file.write(str(text) or "1")\n    os.rename(path + ".new", path)\n\n@dag(schedule=None)\ndef d():\n${tasks}\n\nd()\n`;
}

/** What the executor told, in order. */
export interface Told {
  readonly ready: VersionId[];
  readonly failed: { versionId: VersionId; error: ReportedError }[];
  readonly exited: ExitedChild[];
  readonly lost: ExecutionId[];
}

export interface Started { readonly id: ExecutionId; readonly logFile: string; readonly outcomeFile: string; readonly spec: ExecutionSpec }

/** One home folder with an executor that leads it. */
export class ProcessesUnderTest implements AsyncDisposable {
  readonly home: string;
  readonly marks: string;
  readonly told: Told = { ready: [], failed: [], exited: [], lost: [] };
  readonly reports: ExecutionReport[] = [];
  /** What tasks find when they ask. */
  readonly connections = new Map<string, ConnectionValue>();
  readonly variables = new Map<string, string>();
  readonly #overrides: Partial<ConstructorParameters<typeof ProcessExecutor>[0]>;
  readonly #sources = new Map<VersionId, string>();
  readonly #watchers = new Set<() => void>();
  readonly #agents: AgentServer[] = [];
  readonly reporter = createReporter('error', () => undefined);
  /** What the next preparations of a version reject with, one each. */
  readonly prepareErrors: Error[] = [];
  executor: ProcessExecutor;
  inventory: Inventory | null = null;
  #epoch = 0;

  private constructor(overrides: Partial<ConstructorParameters<typeof ProcessExecutor>[0]>) {
    this.home = mkdtempSync(join(tmpdir(), 'lf-'));
    this.marks = join(this.home, 'marks');
    for (const folder of ['run', 'logs', 'outcomes', 'versions', 'marks']) mkdirSync(join(this.home, folder), { recursive: true });
    this.#overrides = overrides;
    this.reporter.listen(() => this.#look());
    this.executor = this.#make('a.sock');
  }

  static async open(overrides: Partial<ConstructorParameters<typeof ProcessExecutor>[0]> = {}): Promise<ProcessesUnderTest> {
    const processes = new ProcessesUnderTest(overrides);
    await processes.#lead('a.sock');
    return processes;
  }

  #make(socket: string): ProcessExecutor {
    return new ProcessExecutor({
      home: this.home, python: 'python3', agentSocket: join(this.home, 'run', socket), environment: { ...userEnvironment(), MARKS: this.marks }, parked: { python: 2, node: 1 }, idleSeconds: 300, importTimeoutSeconds: 20, silentSeconds: 15,
      reporter: this.reporter,
      prepare: (versionId) => {
        const error = this.prepareErrors.shift();
        if (error !== undefined) return Promise.reject(error);
        const root = join(this.home, 'versions', versionId);
        mkdirSync(root, { recursive: true });
        writeFileSync(join(root, 'dag.py'), this.#sources.get(versionId) ?? assert.fail('an unknown version'));
        return Promise.resolve({ versionId, dagId: 'd', root, dagFile: 'dag.py', path: [this.#besideOf(versionId)], python: null, node: null, runtimes: ['python'], nodeModules: [] });
      },
      ...this.#overrides,
    });
  }

  async #lead(socket: string): Promise<void> {
    const path = join(this.home, 'run', socket);
    const { executor } = this;
    this.#agents.push(await startAgentServer(path, {
      park: (child) => executor.park(child),
      report: (_token, report) => {
        this.reports.push(report);
        this.#look();
        return Promise.resolve({ kind: 'recorded' });
      },
      findXCom: () => Promise.resolve(null),
      useVariable: (_token, _execution, { key }) => Promise.resolve(this.variables.get(key) ?? null),
      findConnection: (_token, _execution, connId) => Promise.resolve(this.connections.get(connId) ?? null),
    }, { reporter: this.reporter }));
    this.#epoch += 1;
    const note = <T>(list: T[], ...items: readonly T[]): void => {
      list.push(...items);
      this.#look();
    };
    this.inventory = await executor.lead(this.#epoch, {
      onReady: (version) => note(this.told.ready, version), onFailed: (versionId, error) => note(this.told.failed, { versionId, error }), onExited: (child) => note(this.told.exited, child),
      onLost: (ids) => note(this.told.lost, ...ids), onAlive: () => undefined,
    });
    writeFileSync(join(this.home, 'run', 'agent.json'), JSON.stringify({ socket: path }));
  }

  /** The server is gone, and nobody answers until another one takes over. */
  async abandon(): Promise<void> {
    this.executor.stepDown();
    await this.#agents.pop()?.close();
  }

  /** Another server takes the home folder over. */
  async takeOver(): Promise<void> {
    await this.abandon();
    this.executor = this.#make('b.sock');
    await this.#lead('b.sock');
  }

  /** An executor that an older leader would have. */
  outdated(): ProcessExecutor {
    return this.#make('old.sock');
  }

  /** A version made of a DAG file. `beside` is what its module `beside` does, which lies elsewhere on the import path. */
  version(source: string, beside = ''): VersionId {
    const id = randomUUID() as string as VersionId;
    this.#sources.set(id, source);
    mkdirSync(this.#besideOf(id), { recursive: true });
    writeFileSync(join(this.#besideOf(id), 'beside.py'), `import os, signal, sys, time\n${beside}\n`);
    return id;
  }

  #besideOf(version: VersionId): string {
    return join(this.home, 'beside', version);
  }

  /** A place for the version, as soon as there is one. Like the engine it asks again when told to. */
  async slot(version: VersionId, runtime: BodyRuntime = 'python'): Promise<Slot> {
    for (;;) {
      const asked = this.told.ready.length;
      const slot = this.executor.reserve(version, runtime);
      if (slot !== null) return slot;
      await this.until(() => this.told.ready.length > asked || this.told.failed.some((one) => one.versionId === version), 'the version is ready');
      const failed = this.told.failed.find((one) => one.versionId === version);
      assert.equal(failed, undefined, JSON.stringify(failed));
    }
  }

  /** A parked child's place, once one has parked. */
  async parkedSlot(version: VersionId, runtime: BodyRuntime = 'python'): Promise<Slot & { pid: number }> {
    for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; ) {
      const slot = await this.slot(version, runtime);
      if (slot.pid !== null) return { ...slot, pid: slot.pid };
      slot.release();
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.fail('no child parked');
  }

  /** Starts one execution of a task. */
  async start(version: VersionId, taskId: string, more: { slot?: Slot; spec?: Partial<ExecutionSpec> } = {}): Promise<Started> {
    const slot = more.slot ?? (await this.slot(version));
    const id = makeUuidV7<ExecutionId>(Date.now());
    const [logFile, outcomeFile] = [join(this.home, 'logs', `${id}.log`), join(this.home, 'outcomes', 'records')];
    const at = '2026-01-01T00:00:00Z';
    const spec: ExecutionSpec = {
      execution_id: id, attempt_id: makeUuidV7<AttemptId>(0), token: 't'.repeat(32), dag_id: 'd', version_id: version, task_id: taskId, map_index: -1, try_number: 1, max_tries: 0,
      run: { id: makeUuidV7<RunUuid>(0), run_id: 'r', run_type: 'manual', logical_date: at, data_interval_start: at, data_interval_end: at, run_after: at, start_date: at, queued_at: at, conf: {}, triggering_user_name: null },
      log_file: logFile, outcome_file: outcomeFile, xcom_max_bytes: 1000, ...more.spec,
    };
    slot.launch(spec);
    return { id, logFile, outcomeFile, spec };
  }

  async report(id: ExecutionId): Promise<ExecutionReport> {
    await this.until(() => this.reports.some((one) => one.execution_id === id), `the report of ${id}`);
    return this.reports.find((one) => one.execution_id === id) ?? assert.fail();
  }

  async exit(id: ExecutionId): Promise<ExitedChild> {
    await this.until(() => this.told.exited.some((one) => one.execution_id === id), `the exit of ${id}`);
    return this.told.exited.find((one) => one.execution_id === id) ?? assert.fail();
  }

  async lost(id: ExecutionId): Promise<void> {
    await this.until(() => this.told.lost.includes(id), `${id} is lost`);
  }

  /** Starts, waits for the report, and for the process to be gone. */
  async finish(version: VersionId, taskId: string): Promise<ExecutionReport> {
    const { id } = await this.start(version, taskId);
    const report = await this.report(id);
    await this.exit(id);
    return report;
  }

  /** What a task wrote by `mark(name, text)`, as soon as it did. */
  async mark(name: string): Promise<string> {
    const path = join(this.marks, name);
    const watcher = watch(this.marks, () => this.#look());
    try {
      await this.until(() => existsSync(path), `the mark ${name}`);
      return readFileSync(path, 'utf8');
    } finally {
      watcher.close();
    }
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      const look = (): void => {
        if (!holds()) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`waited ${LIMIT_MS} ms for: ${what}; told: ${JSON.stringify(this.told).slice(0, 2000)}`));
      }, LIMIT_MS);
      this.#watchers.add(look);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor.shutdown();
    for (const agents of this.#agents) await agents.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }
}

/** Pid of the launcher of a home folder, of its fork servers, and of the base processes of which those of the Task SDK are copies. */
export function processesOf(home: string): { launcher: number; forkServers: number[]; bases: number[] } {
  const launcher = listPids().find((pid) => commandOf(pid).endsWith(`leoflow.agent.launcher ${home} `)) ?? 0;
  const children = childrenOf(launcher);
  const bases = children.filter(isBase);
  return { launcher, forkServers: children.filter((pid) => !bases.includes(pid)), bases };
}

/** A copy has the command of its base, and its output in a log. */
function isBase(pid: number): boolean {
  try {
    return commandOf(pid).includes('leoflow.airflow_runtime.base') && readlinkSync(`/proc/${pid}/fd/1`) === '/dev/null';
  } catch {
    return false;
  }
}

/** Pids of a process's children. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number);
  } catch {
    return [];
  }
}

/** Open files of a process. */
export function fdsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits until not even the exit status of a process is left. */
export async function untilReaped(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until a process is gone or only its exit status is left. */
export async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  while (isRunning(pid)) {
    assert.ok(Date.now() < deadline, `process ${pid} still runs: ${commandOf(pid)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** True for a process that can still do something. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function listPids(): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
}

/** Command line of a process, empty when it is gone. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
