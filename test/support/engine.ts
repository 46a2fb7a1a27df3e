// A scheduler on a real database with an executor whose executions a test ends by hand: no processes, no waiting.
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecutionReport, ExecutionSpec, ReportAnswer, ReportedError, ReportedXCom, VersionCall } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import type { Event } from '#contract/events.ts';
import type { EndedSpan } from '#contract/spans.ts';
import type { ValueStore } from '#contract/value-store.ts';
import type { ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';
import type { Executor, ExecutorEvents, Inventory, Slot } from '#executor/executor.ts';
import { parseReport } from '#api/agent/agent-messages.ts';
import { OutcomeFiles } from '#executor/outcome-files.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter, type Reporter } from '#platform/report.ts';
import { Scheduler } from '#scheduler/scheduler.ts';
import { createRun } from '#store/dag-runs.ts';
import type { Database } from '#store/database.ts';
import { awaitLeadership } from '#store/leader.ts';
import { listen } from '#store/notifications.ts';
import { NO_SECRETS } from './no-secrets.ts';
import { withDatabase } from './database.ts';
import { addDag } from './rows.ts';

const LIMIT_MS = 8000;

/** What outlives a server: the executions that run on this machine. */
export class FakeMachine {
  readonly running = new Map<ExecutionId, number>();
  /** Every job that was ever handed out, in order. */
  readonly jobs: ExecutionSpec[] = [];
  readonly cancelled: ExecutionId[] = [];
  /** Every call that was asked for, in order. */
  readonly calls: { readonly versionId: VersionId; readonly call: VersionCall; readonly answer: (value: string) => void; readonly fail: (message: string) => void }[] = [];
  /** Versions whose processes are not up. */
  readonly cold = new Set<VersionId>();
  readonly reserved: VersionId[] = [];
  /** Versions whose triggers somebody is to run. */
  readonly hosted = new Set<VersionId>();
  /** Fork servers that nobody knows any more. */
  readonly gone = new Set<string>();
  changed: () => void = () => undefined;
}

/** The executor interface in memory. */
export class FakeExecutor implements Executor {
  readonly kind = 'process';
  readonly machine: FakeMachine;
  events: ExecutorEvents | null = null;

  constructor(machine: FakeMachine) {
    this.machine = machine;
  }

  lead(_epoch: number, events: ExecutorEvents): Promise<Inventory> {
    this.events = events;
    return Promise.resolve({ running: new Map(this.machine.running) });
  }

  reserve(versionId: VersionId): Slot | null {
    this.machine.reserved.push(versionId);
    if (this.machine.cold.has(versionId)) {
      this.machine.changed();
      return null;
    }
    return {
      handle: 'fake', pid: 1,
      launch: (spec) => {
        this.machine.jobs.push(spec);
        this.machine.running.set(spec.execution_id, 1);
        this.machine.changed();
      },
      release: () => undefined,
    };
  }

  cancel(executionId: ExecutionId): boolean {
    this.machine.cancelled.push(executionId);
    this.machine.changed();
    return this.machine.running.has(executionId);
  }

  park(): Promise<ExecutionSpec | null> {
    return Promise.resolve(null);
  }

  hostTriggers(versionId: VersionId, wanted: boolean): void {
    if (wanted) this.machine.hosted.add(versionId);
    else this.machine.hosted.delete(versionId);
    this.machine.changed();
  }

  /** A fork server of this machine is named like its version. */
  versionOf(forkServerId: string): VersionId | null {
    return this.machine.gone.has(forkServerId) ? null : (forkServerId as VersionId);
  }

  call(versionId: VersionId, call: VersionCall): Promise<string> {
    return new Promise((resolve, reject) => {
      this.machine.calls.push({ versionId, call, answer: resolve, fail: (message) => reject(new AppError('call_failed', message)) });
      this.#leave = [...this.#leave, () => reject(new AppError('not_leading', 'this server does not lead any more'))];
      this.machine.changed();
    });
  }

  #leave: readonly (() => void)[] = [];

  answerCall(): boolean {
    return false;
  }

  explain(versionId: VersionId): string | null {
    return this.machine.cold.has(versionId) ? 'its Python process is starting' : null;
  }

  stepDown(): void {
    this.events = null;
    for (const leave of this.#leave) leave();
  }

  shutdown(): Promise<boolean> {
    this.machine.running.clear();
    return Promise.resolve(true);
  }

  /** The version's processes are up. */
  warm(versionId: VersionId): void {
    this.machine.cold.delete(versionId);
    this.events?.onReady(versionId);
  }

  fail(versionId: VersionId, error: ReportedError): void {
    this.events?.onFailed(versionId, error);
  }

  /** The process of an execution is gone without a report. */
  kill(spec: ExecutionSpec, how: { signal?: number | null; status?: number; oom?: boolean } = {}): void {
    this.machine.running.delete(spec.execution_id);
    this.events?.onExited({ pid: 1, execution_id: spec.execution_id, status: how.status ?? -1, signal: how.signal === undefined ? 9 : how.signal, oom: how.oom ?? false });
  }
}

interface Server { readonly scheduler: Scheduler; readonly executor: FakeExecutor; unplug(): void }

/** How an execution ends; success unless said otherwise. */
export type Ending = Partial<Omit<ExecutionReport, 'execution_id' | 'xcoms'>> & { readonly xcoms?: Readonly<Record<string, unknown>> };

/** One database, one machine, and the server that leads. */
export class EngineUnderTest implements AsyncDisposable {
  readonly database: Database;
  readonly machine = new FakeMachine();
  readonly events: Event[] = [];
  readonly spans: EndedSpan[] = [];
  readonly home = mkdtempSync(join(tmpdir(), 'leoflow-engine-'));
  readonly versions = new Map<string, VersionId>();
  readonly #outcomes = new OutcomeFiles(join(this.home, 'outcomes'), parseReport);
  readonly #servers: Server[] = [];
  readonly #reporter: Reporter = createReporter('error', () => undefined);
  readonly #overrides: Parameters<typeof readConfig>[0];
  readonly #watchers = new Set<() => void>();
  /** Outlives the servers, as Redis does. */
  #values: ValueStore | null = null;

  readonly #release: () => Promise<void>;

  private constructor(held: { database: Database; release: () => Promise<void> }, overrides: Parameters<typeof readConfig>[0]) {
    this.database = held.database;
    this.#release = held.release;
    this.#overrides = overrides;
    this.#reporter.listen((event) => {
      this.events.push(event);
      this.#look();
    });
    this.machine.changed = () => this.#look();
  }

  /** A database with these DAGs, and a server that leads it. */
  static async open(dags: readonly Dag[], overrides: Parameters<typeof readConfig>[0] = {}, values: ValueStore | null = null): Promise<EngineUnderTest> {
    const engine = new EngineUnderTest(await holdDatabase(), overrides);
    engine.#values = values;
    for (const dag of dags) engine.versions.set(dag.dag_id, (await addDag(engine.database, dag)) as VersionId);
    await engine.start();
    return engine;
  }

  get scheduler(): Scheduler {
    return this.#servers.at(-1)?.scheduler ?? assert.fail('no server');
  }

  get executor(): FakeExecutor {
    return this.#servers.at(-1)?.executor ?? assert.fail('no server');
  }

  /** Starts a server and waits until it leads. */
  async start(): Promise<void> {
    const executor = new FakeExecutor(this.machine);
    let isPlugged = true;
    const real = this.database;
    // A killed server cannot come back: its address of the database goes with it.
    const database: Database = { ...real, get url() { return isPlugged ? real.url : 'postgresql://leoflow@127.0.0.1:1/gone'; } };
    const scheduler = new Scheduler({
      config: readConfig(this.#overrides, {}), home: this.home, host: hostname(), place: `${hostname()}#home`, onSpan: (span) => void this.spans.push(span), database, reporter: this.#reporter, executor, values: this.#values, agentAddress: join(this.home, 'agent.sock'),
      coordination: { awaitLeadership: (address, stop) => awaitLeadership(database.url, address, stop), listen: (handlers) => listen(database.url, handlers) },
      folders: { logFile: (id) => join(this.home, `${id}.log`), outcomes: this.#outcomes.path }, outcomes: this.#outcomes, onPruned: () => undefined, secrets: NO_SECRETS,
    });
    this.#servers.push({ scheduler, executor, unplug: () => void (isPlugged = false) });
    scheduler.start();
    await this.until(() => scheduler.isLeading, 'the server leads');
  }

  /** Kills the leading server: no goodbye, its session with the database just ends. Executions go on. */
  async kill(): Promise<void> {
    const server = this.#servers.at(-1);
    server?.unplug();
    await this.database.pool.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name in ('leoflow-leader', 'leoflow-listen') and datname = current_database()");
    await this.until(() => server?.scheduler.isLeading === false, 'the killed server has stopped');
  }

  /** Stops all servers and lets the database go: `await using` calls it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { scheduler } of this.#servers.splice(0).reverse()) await scheduler.stop({ endExecutions: false });
    await this.#release();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Triggers a run. @returns its UUID */
  async trigger(dagId: string, more: { conf?: unknown; logicalDate?: string; afterMs?: number } = {}): Promise<RunUuid> {
    const now = this.database.clock.nowMs();
    const logicalDate = more.logicalDate === undefined ? null : Date.parse(more.logicalDate);
    const created = await createRun(this.database, {
      dagId, runId: `manual__${this.#runs++}`, runType: 'manual', logicalDate, interval: null, runAfter: now + (more.afterMs ?? 0), conf: more.conf ?? {}, triggeredBy: 'rest_api', user: null, note: null,
    });
    assert.equal(created.kind, 'created');
    return created.kind === 'created' ? created.run.id : assert.fail();
  }

  #runs = 0;

  /** The n-th job of a task (or of `task[index]`), as soon as it was handed out. */
  async job(name: string, nth = 1): Promise<ExecutionSpec> {
    const of = (): ExecutionSpec | undefined => this.machine.jobs.filter((spec) => nameOf(spec) === name)[nth - 1];
    await this.until(() => of() !== undefined, `job ${nth} of ${name}`);
    return of() ?? assert.fail();
  }

  /** Reports the end of an execution as its process would, once. */
  async report(spec: Pick<ExecutionSpec, 'execution_id' | 'token'>, ending: Ending = {}): Promise<ReportAnswer> {
    const answer = await this.scheduler.report(spec.token, this.#reportOf(spec.execution_id, ending));
    this.machine.running.delete(spec.execution_id);
    return answer;
  }

  #reportOf(id: ExecutionId, { xcoms, ...rest }: Ending): ExecutionReport {
    const at = new Date(this.database.clock.nowMs()).toISOString();
    return {
      execution_id: id, outcome: 'success', started_at: at, ended_at: at, ...rest,
      ...(xcoms === undefined ? {} : { xcoms: Object.entries(xcoms).map(([key, value]): ReportedXCom => ({ key, value: JSON.stringify(value), mapped_length: Array.isArray(value) ? value.length : null })) }),
    };
  }

  /** Leaves an execution's outcome on the disk, as its process does while it reports. */
  leave(spec: ExecutionSpec, ending: Ending = {}): void {
    const path = spec.outcome_file ?? assert.fail();
    mkdirSync(dirname(path), { recursive: true });
    appendFileSync(path, `\n${spec.execution_id} ${JSON.stringify(this.#reportOf(spec.execution_id, ending))}\n`);
  }

  /** Reports until somebody takes it, as an agent does while nobody leads. */
  async insist(spec: Pick<ExecutionSpec, 'execution_id' | 'token'>, ending: Ending = {}): Promise<ReportAnswer> {
    const deadline = Date.now() + LIMIT_MS;
    for (;;) {
      try {
        return await this.report(spec, ending);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'not_leading' || Date.now() > deadline) throw error;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  /** Waits for the job and ends it. */
  async finish(name: string, ending: Ending = {}, nth = 1): Promise<ExecutionSpec> {
    const spec = await this.job(name, nth);
    assert.deepEqual(await this.report(spec, ending), { kind: 'recorded' });
    return spec;
  }

  async untilRun(run: RunUuid, state: string): Promise<void> {
    await this.untilRow(async () => (await this.one('select state from dag_runs where id = $1', [run]))?.['state'] === state, `run ${state}`);
  }

  async untilInstance(run: RunUuid, name: string, state: string | null): Promise<void> {
    await this.untilRow(async () => (await this.instance(run, name))['state'] === state, `${name} ${state}`);
  }

  /** A task instance’s row; `task` or `task[index]`. */
  async instance(run: RunUuid, name: string): Promise<Record<string, unknown>> {
    const [, id, index] = /^(.*?)(?:\[(-?\d+)\])?$/.exec(name) ?? [];
    return (await this.one('select * from task_instances where run = $1 and task_id = $2 and map_index = $3', [run, id, Number(index ?? -1)])) ?? {};
  }

  async rows(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.database.pool.query<Record<string, unknown>>(text, [...values])).rows;
  }

  async one(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown> | undefined> {
    return (await this.rows(text, values))[0];
  }

  count(name: Event['event']): number {
    return this.events.filter((event) => event.event === name).length;
  }

  /** Looks at each event until the condition holds. */
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
        reject(new Error(`waited ${LIMIT_MS} ms for: ${what}; last events: ${this.events.slice(-8).map((event) => JSON.stringify(event)).join('\n')}`));
      }, LIMIT_MS);
      this.#watchers.add(look);
    });
  }

  /** Looks at the database after each event, until the condition holds. */
  async untilRow(holds: () => Promise<boolean>, what: string): Promise<void> {
    for (;;) {
      const seen = this.events.length;
      if (await holds()) return;
      await this.until(() => this.events.length > seen, what);
    }
  }

  #look(): void {
    for (const look of this.#watchers) look();
  }
}

/** A database of its own until it is released. */
function holdDatabase(): Promise<{ database: Database; release: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const held = withDatabase((database) => new Promise<void>((done) => resolve({ database, release: () => { done(); return held; } })));
    held.catch(reject);
  });
}

function nameOf(spec: ExecutionSpec): string {
  return spec.map_index < 0 ? spec.task_id : `${spec.task_id}[${spec.map_index}]`;
}
