// The leader's memory: a snapshot per unfinished run, what happens to it, and what follows. Rows are the truth.
import { createHash } from 'node:crypto';
import type { Config } from '#contract/config.ts';
import type { ExecutionReport, ExitedChild, ReportAnswer, ReportedError } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import { type AttemptId, type ExecutionId, makeUuidV7, type RunUuid, type VersionId } from '#contract/ids.ts';
import { isFinished } from '#contract/states.ts';
import { Admission, type Candidate } from '#core/admission.ts';
import type { Graph } from '#core/graph.ts';
import { beginPlan, instancesOf, type Plan, type PlanLimits } from '#core/plan.ts';
import { createInstances, markAll, type Outcome, recordOutcome, settle, startRun, timeOutRun, wakeInstances } from '#core/plan-run.ts';
import { type Instance, recordLength, type RunSnapshot } from '#core/run-snapshot.ts';
import { callLater, sleep } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { RunForPlanning, RunRow } from '#store/dag-runs.ts';
import type { LiveExecution } from '#store/executions.ts';
import type { Clock } from '#platform/clock.ts';
import type { Executor, Slot } from '#executor/executor.ts';
import type { CommitQueue } from './commit-queue.ts';
import { absorb, type CommitResult, recordMove } from './pending-run.ts';
import { buildSnapshot } from './snapshots.ts';
import { makeToken, tokenFits } from './tokens.ts';
import { buildSpec, type SpecFolders } from './execution-spec.ts';
import { RecentValues } from './recent-values.ts';

/** A run in memory, with what is not a decision about it. */
interface Entry {
  readonly run: RunSnapshot;
  readonly row: RunRow;
  readonly values: RecentValues;
  stopWake: (() => void) | null;
  wakeAt: number | null;
  stopTimeout: (() => void) | null;
}

interface Live {
  readonly runId: RunUuid;
  readonly instance: Instance;
  readonly candidate: Candidate;
  readonly tokenHash: Buffer;
  heardAt: number;
  /** When this execution began, or was found running. */
  readonly since: number;
  /** It ignored its execution_timeout and was killed for it: its end is a time-out. */
  overdue: boolean;
}

/** A run that is being read. */
interface Loading {
  again: boolean;
  /** Resolves after the first attempt, `read` when it is in memory (or nobody leads any more). */
  tried: Promise<void>;
  read: Promise<void>;
}

/** The engine’s view of everything outside. Readers answer null for what is gone; `poolSlots` also for a pool that does not exist. */
export interface RunEngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly executor: Executor;
  readonly host: string;
  readonly folders: SpecFolders;
  readonly graphOf: (version: VersionId) => Promise<Graph | null>;
  readonly readRun: (run: RunUuid, want: { lengths: boolean }) => Promise<RunForPlanning | null>;
  /** How each task ended in the DAG's run before, for depends_on_past; null without an earlier run. */
  readonly readPrevious: (run: RunSnapshot) => Promise<ReadonlyMap<string, boolean> | null>;
  readonly poolSlots: (name: string) => number | null;
  /** Reads what an execution left behind when it could not report. */
  readonly takeOutcome: (execution: ExecutionId) => Promise<ExecutionReport | null>;
  readonly onRunFinished: (run: RunSnapshot) => void;
}

/** One per term of leadership. Every public method is an event; none of them waits for another. */
export class RunEngine {
  readonly #options: RunEngineOptions;
  readonly #limits: PlanLimits;
  readonly #entries = new Map<RunUuid, Entry>();
  readonly #byDag = new Map<string, Set<RunUuid>>();
  readonly #live = new Map<ExecutionId, Live>();
  /** SHA-256 of the token of every execution that is not closed. */
  readonly #tokens = new Map<ExecutionId, Buffer>();
  /** Executions whose run is being read again; whoever is not in the new reading is stopped. */
  readonly #orphans = new Map<ExecutionId, RunUuid>();
  readonly #reporting = new Set<ExecutionId>();
  readonly #loading = new Map<RunUuid, Loading>();
  readonly #paused = new Set<string>();
  /** Candidates whose version's processes are not up yet. */
  readonly #waitingForVersion = new Map<VersionId, Candidate[]>();
  readonly #admission: Admission;
  readonly #queue: CommitQueue;
  /** Ends of executions that came before their runs were in memory; null when a take-over is complete. */
  #early: (() => Promise<void>)[] | null = [];
  #launchPlanned = false;
  readonly #closing = new AbortController();

  constructor(options: RunEngineOptions, queue: CommitQueue) {
    const { config } = options;
    this.#options = options;
    this.#queue = queue;
    this.#limits = { maxMapLength: config.LEOFLOW_MAX_MAP_LENGTH, infraRetries: config.LEOFLOW_INFRA_RETRIES, infraRetryDelayMs: config.LEOFLOW_INFRA_RETRY_DELAY_SECONDS * 1000 };
    this.#admission = new Admission(config.LEOFLOW_PARALLELISM, { poolSlots: options.poolSlots, isPaused: (dagId) => this.#paused.has(dagId) });
  }

  /** Numbers for people and tests. */
  get counts(): { runs: number; executions: number; waiting: number } {
    return { runs: this.#entries.size, executions: this.#live.size, waiting: this.#admission.waiting };
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** True when the run is in memory or being read. */
  knows(run: RunUuid): boolean {
    return this.#entries.has(run) || this.#loading.has(run);
  }

  /** Ends this term: timers stop, waiting reports are refused by the queue. */
  close(): void {
    this.#closing.abort();
    for (const entry of this.#entries.values()) stopTimers(entry);
    this.#entries.clear();
    this.#live.clear();
  }

  // ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A run was made, or its rows were changed by somebody else: it is read (again) and planned. */
  async loadRun(id: RunUuid): Promise<void> {
    return this.#loadAfter(id, 0);
  }

  /** A run's commit did not happen. Rows that were not as believed are read at once, after a failure a little later. */
  async onNotCommitted(id: RunUuid, result: CommitResult): Promise<void> {
    return this.#loadAfter(id, result.kind === 'error' ? RELOAD_MS : 0);
  }

  #loadAfter(id: RunUuid, delayMs: number): Promise<void> {
    const loading = this.#loading.get(id);
    if (loading !== undefined) {
      loading.again = true;
      return loading.tried;
    }
    const state: Loading = { again: false, tried: Promise.resolve(), read: Promise.resolve() };
    this.#loading.set(id, state);
    state.tried = new Promise((resolve) => void (state.read = this.#load(id, state, { delayMs, tried: resolve })));
    return state.tried;
  }

  /** Until it is read or nobody leads any more: a run that is not in memory would never move. */
  async #load(id: RunUuid, state: Loading, how: { delayMs: number; tried: () => void }): Promise<void> {
    let delay = how.delayMs;
    for (let isRead = false; !isRead && !this.#isClosed; ) {
      state.again = false;
      try {
        await this.#queue.discard(id, { kind: 'stale' });
        this.#forget(id);
        if (delay > 0) await sleep(delay, this.#closing.signal);
        isRead = (await this.#read(id, state)) && !state.again;
        delay = 0;
      } catch (error) {
        this.#options.reporter.report({ event: 'failure', where: 'load run', error: errorText(error) });
        delay = Math.min(Math.max(delay * 2, 50), 5000);
        how.tried();
      }
    }
    this.#loading.delete(id);
    how.tried();
  }

  /** @returns false when the rows changed under the reading */
  async #read(id: RunUuid, state: Loading): Promise<boolean> {
    const rows = await this.#options.readRun(id, { lengths: true });
    const graph = rows === null ? null : await this.#options.graphOf(rows.run.versionId);
    if (this.#isClosed) return true;
    if (state.again) return false;
    if (rows === null || graph === null) this.#cancelStrangers(id, new Set());
    else await this.#adopt(rows, graph);
    return true;
  }

  async #adopt(rows: RunForPlanning, graph: Graph): Promise<void> {
    const run = buildSnapshot(graph, rows);
    if (graph.hasPastDependencies) run.pastBlocked = await this.#findPastBlocked(run);
    if (rows.run.isPaused) this.#paused.add(run.dagId);
    else this.#paused.delete(run.dagId);
    this.#cancelStrangers(run.id, executionsOf(run));
    if (run.state === 'success' || run.state === 'failed') return;
    const entry: Entry = { run, row: rows.run, values: new RecentValues(), stopWake: null, wakeAt: null, stopTimeout: null };
    this.#entries.set(run.id, entry);
    const runs = this.#byDag.get(run.dagId) ?? new Set<RunUuid>();
    this.#byDag.set(run.dagId, runs.add(run.id));
    for (const instance of instancesOf(run)) this.#attach(entry, instance);
    const plan = this.#begin(entry);
    createInstances(plan);
    const wakeAt = run.state === 'running' ? this.#resume(entry, plan) : null;
    this.#conclude(entry, plan);
    if (wakeAt !== null) this.#wakeEntryAt(entry, wakeAt);
    if (run.state === 'queued') this.#startQueued(run.dagId);
    else if (this.#options.executor.explain(run.versionId) === null) this.#warmUp(run.versionId);
  }

  /** Everything is looked at again, and what waits for a time goes on waiting. @returns when the next instance wakes */
  #resume(entry: Entry, plan: Plan): number | null {
    markAll(plan);
    this.#watchTimeout(entry);
    return wakeInstances(plan);
  }

  /** Puts an instance of a freshly read run where it belongs: running ones hold their slots, scheduled ones queue. */
  #attach(entry: Entry, instance: Instance): void {
    const candidate = { run: entry.run, instance };
    if (instance.state === 'running' && instance.executionId !== null) {
      const tokenHash = this.#tokens.get(instance.executionId) ?? Buffer.alloc(0);
      const now = this.#options.clock.nowMs();
      this.#live.set(instance.executionId, { runId: entry.run.id, instance, candidate, tokenHash, heardAt: now, since: instance.startedAt ?? now, overdue: false });
      this.#admission.occupy(candidate, 1);
    } else if ((instance.state === 'scheduled' || instance.state === 'queued') && instance.wakeAt === null) this.#admission.add(candidate);
  }

  /** Executions that ran for this run but are no longer its own (cleared, marked): they are stopped. */
  #cancelStrangers(run: RunUuid, wanted: ReadonlySet<ExecutionId>): void {
    for (const [id, owner] of this.#orphans) {
      if (owner !== run) continue;
      this.#orphans.delete(id);
      if (wanted.has(id)) continue;
      this.#tokens.delete(id);
      this.#options.executor.cancel(id, this.#options.config.LEOFLOW_CANCEL_GRACE_SECONDS);
    }
  }

  #forget(id: RunUuid): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    stopTimers(entry);
    this.#entries.delete(id);
    this.#byDag.get(entry.run.dagId)?.delete(id);
    for (const instance of instancesOf(entry.run)) this.#admission.remove(instance);
    for (const [execution, live] of this.#live) {
      if (live.runId !== id) continue;
      this.#live.delete(execution);
      this.#admission.release(live.candidate);
      this.#orphans.set(execution, id);
    }
    for (const [version, waiting] of this.#waitingForVersion) this.#waitingForVersion.set(version, waiting.filter((candidate) => candidate.run !== entry.run));
  }

  /** Starts what max_active_runs, the pause switch and run_after allow, oldest first. */
  #startQueued(dagId: string): void {
    if (this.#paused.has(dagId)) return;
    const entries = [...(this.#byDag.get(dagId) ?? [])].flatMap((id) => this.#entries.get(id) ?? []);
    let running = entries.filter((entry) => entry.run.state === 'running').length;
    const now = this.#options.clock.nowMs();
    for (const entry of entries.filter((one) => one.run.state === 'queued').sort((a, b) => a.run.runAfter - b.run.runAfter)) {
      const limit = entry.run.graph.dag.max_active_runs ?? 16;
      if (limit > 0 && running >= limit) return;
      if (entry.run.runAfter > now) {
        this.#wakeEntryAt(entry, entry.run.runAfter);
        continue;
      }
      running += 1;
      const plan = this.#begin(entry);
      startRun(plan);
      this.#conclude(entry, plan);
      this.#watchTimeout(entry);
    }
  }

  /** A DAG was paused, unpaused or removed. */
  setPaused(dagId: string, paused: boolean): void {
    if (paused) this.#paused.add(dagId);
    else this.#paused.delete(dagId);
    this.#admission.reopenAll();
    this.#startQueued(dagId);
    this.#planLaunch();
  }

  /** Pools were changed. */
  reopenPools(): void {
    this.#admission.reopenAll();
    this.#planLaunch();
  }

  async #findPastBlocked(run: RunSnapshot): Promise<ReadonlySet<string>> {
    if (run.logicalDate === null) return new Set();
    const previous = await this.#options.readPrevious(run);
    const blocked = new Set<string>();
    if (previous === null) return blocked;
    for (const { task, downstream, id } of run.graph.tasks) {
      if (task.depends_on_past !== true && task.wait_for_downstream !== true) continue;
      const needed = task.wait_for_downstream === true ? [id, ...downstream.flatMap((index) => run.graph.tasks[index]?.id ?? [])] : [id];
      const isGood = (name: string): boolean => previous.get(name) ?? (task.ignore_first_depends_on_past ?? true);
      if (!needed.every(isGood)) blocked.add(id);
    }
    return blocked;
  }

  // ── planning ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #begin(entry: Entry): Plan {
    return beginPlan(entry.run, this.#options.clock.nowMs());
  }

  /** Settles a plan and takes what follows from it: rows to write, candidates, cancels, timers. */
  #conclude(entry: Entry, plan: Plan): void {
    settle(plan, this.#limits);
    const { run } = entry;
    if (plan.changes.size > 0 || plan.runFrom !== null) absorb(this.#queue.pendingOf(run), plan, () => makeUuidV7<AttemptId>(plan.now));
    for (const instance of plan.ready) this.#admission.add({ run, instance });
    for (const instance of plan.cancels) this.#cancelInstance(entry, instance);
    for (const [instance] of plan.changes) {
      if (instance.wakeAt !== null) this.#wakeEntryAt(entry, instance.wakeAt);
      // Its values of the try before go with the commit of this plan.
      if (instance.state === 'scheduled' && instance.tryNumber > 1) entry.values.forget({ taskId: instance.task.id, mapIndex: instance.mapIndex });
      if (isFinished(instance.state)) this.#admission.remove(instance);
    }
    this.#report(entry, plan);
    if (plan.runFrom !== null && (run.state === 'success' || run.state === 'failed')) this.#finishRun(entry);
    if (plan.ready.length > 0 || this.#admission.waiting > 0) this.#launch();
  }

  #finishRun(entry: Entry): void {
    const { run } = entry;
    this.#queue.pendingOf(run).waiters.push((result) => {
      if (result.kind !== 'moved' || this.#entries.get(run.id) !== entry) return;
      stopTimers(entry);
      this.#entries.delete(run.id);
      this.#byDag.get(run.dagId)?.delete(run.id);
      this.#admission.forgetRun(run);
      this.#startQueued(run.dagId);
      this.#recheckPast(run);
      this.#options.onRunFinished(run);
    });
  }

  /** Later runs whose tasks depend on this one's. */
  #recheckPast(run: RunSnapshot): void {
    if (!run.graph.hasPastDependencies || run.logicalDate === null) return;
    for (const id of this.#byDag.get(run.dagId) ?? []) if (this.#entries.get(id)?.run.pastBlocked !== null) void this.loadRun(id);
  }

  #cancelInstance(entry: Entry, instance: Instance): void {
    const { executionId } = instance;
    if (executionId === null) return;
    const live = this.#live.get(executionId);
    if (live === undefined) return;
    this.#live.delete(executionId);
    this.#admission.release(live.candidate);
    const pending = this.#queue.pendingOf(entry.run);
    pending.ended.push({ id: executionId, state: 'cancelled', endedAt: this.#options.clock.nowMs(), exitCode: null, signal: null, cause: 'cancelled' });
    pending.launches.push(() => {
      this.#tokens.delete(executionId);
      this.#options.executor.cancel(executionId, this.#options.config.LEOFLOW_CANCEL_GRACE_SECONDS);
    });
  }

  #wakeEntryAt(entry: Entry, at: number): void {
    if (entry.wakeAt !== null && entry.wakeAt <= at) return;
    entry.stopWake?.();
    entry.wakeAt = at;
    entry.stopWake = callLater(at - this.#options.clock.nowMs(), () => this.#wake(entry));
  }

  #wake(entry: Entry): void {
    entry.wakeAt = null;
    if (this.#entries.get(entry.run.id) !== entry) return;
    if (entry.run.state === 'queued') return this.#startQueued(entry.run.dagId);
    const plan = this.#begin(entry);
    const next = wakeInstances(plan);
    this.#conclude(entry, plan);
    if (next !== null) this.#wakeEntryAt(entry, next);
  }

  #watchTimeout(entry: Entry): void {
    const seconds = entry.run.graph.dag.dagrun_timeout_seconds;
    if (seconds === undefined || entry.run.startDate === null) return;
    const due = entry.run.startDate + seconds * 1000;
    entry.stopTimeout = callLater(due - this.#options.clock.nowMs(), () => {
      if (this.#entries.get(entry.run.id) !== entry || entry.run.state !== 'running') return;
      // A timer holds 24 days at most, and the database's clock may have been set back.
      if (due > this.#options.clock.nowMs()) return this.#watchTimeout(entry);
      const plan = this.#begin(entry);
      timeOutRun(plan);
      this.#conclude(entry, plan);
    });
  }

  #report(entry: Entry, plan: Plan): void {
    const { reporter } = this.#options;
    const { run } = entry;
    for (const [instance, origin] of plan.changes) {
      if (origin.state === instance.state) continue;
      const ms = isFinished(instance.state) && instance.startedAt !== null ? plan.now - instance.startedAt : null;
      reporter.report({ event: 'task.moved', dag_id: run.dagId, run_id: run.runId, task_id: instance.task.id, map_index: instance.mapIndex, from: origin.state, to: instance.state, cause: instance.cause, ms });
    }
    if (plan.runFrom !== null) reporter.report({ event: 'run.moved', dag_id: run.dagId, run_id: run.runId, to: run.state, ms: run.endDate === null || run.startDate === null ? null : run.endDate - run.startDate });
  }

  // ── launching ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Launches in a later turn, for events that may come in a row. */
  #planLaunch(): void {
    if (this.#launchPlanned) return;
    this.#launchPlanned = true;
    setImmediate(() => {
      this.#launchPlanned = false;
      this.#launch();
    });
  }

  /** Starts what fits: the best candidates first, each bound to a place before it is committed as running. */
  #launch(): void {
    if (this.#isClosed) return;
    for (let candidate = this.#admission.take(); candidate !== null; candidate = this.#admission.take()) {
      const slot = this.#options.executor.reserve(candidate.run.versionId);
      if (slot === null) this.#waitForVersion(candidate);
      else this.#start(candidate, slot);
    }
  }

  #waitForVersion(candidate: Candidate): void {
    this.#admission.release(candidate);
    const { versionId } = candidate.run;
    const waiting = this.#waitingForVersion.get(versionId);
    if (waiting === undefined) this.#waitingForVersion.set(versionId, [candidate]);
    else waiting.push(candidate);
  }

  #warmUp(versionId: VersionId): void {
    this.#options.executor.reserve(versionId)?.release();
  }

  #start(candidate: Candidate, slot: Slot): void {
    const { run, instance } = candidate;
    const entry = this.#entries.get(run.id);
    if (entry === undefined || entry.run !== run || instance.attemptId === null || !isWaiting(instance)) {
      this.#admission.release(candidate);
      return slot.release();
    }
    const now = this.#options.clock.nowMs();
    const executionId = makeUuidV7<ExecutionId>(now);
    const { token, hash: tokenHash } = makeToken();
    const pending = this.#queue.pendingOf(run);
    const from = instance.state;
    if (!pending.changes.has(instance)) pending.changes.set(instance, { state: from, executionId: instance.executionId, mapIndex: instance.mapIndex });
    this.#setRunning(instance, { executionId, now, pid: slot.pid });
    recordMove(pending, instance, { from, at: now });
    pending.started.push({
      id: executionId, attemptId: instance.attemptId, run: run.id, state: 'running', executor: this.#options.executor.kind, host: this.#options.host, handle: slot.handle,
      pid: slot.pid, tokenHash: tokenHash.toString('base64'), startedAt: now,
    });
    this.#tokens.set(executionId, tokenHash);
    this.#live.set(executionId, { runId: run.id, instance, candidate, tokenHash, heardAt: now, since: now, overdue: false });
    const spec = buildSpec({ run: entry.row, snapshot: run, instance, executionId, token, config: this.#options.config, folders: this.#options.folders, values: entry.values });
    pending.launches.push(() => slot.launch(spec));
    pending.releases.push(() => {
      this.#tokens.delete(executionId);
      slot.release();
    });
    this.#options.reporter.report({ event: 'task.moved', dag_id: run.dagId, run_id: run.runId, task_id: instance.task.id, map_index: instance.mapIndex, from, to: 'running', cause: null, ms: null });
  }

  #setRunning(instance: Instance, start: { executionId: ExecutionId; now: number; pid: number | null }): void {
    // `scheduled` and `running` are both active: the counts do not change, so the state may be set directly.
    instance.state = 'running';
    instance.executionId = start.executionId;
    instance.startedAt ??= start.now;
    instance.endedAt = null;
    instance.pid = start.pid;
    instance.hostname = this.#options.host;
    instance.reason = null;
    // Of the execution before, which was lost; its own row and the history keep it.
    instance.cause = null;
  }

  /** The executor can start executions of this version now. */
  onVersionReady(versionId: VersionId): void {
    const waiting = this.#waitingForVersion.get(versionId) ?? [];
    this.#waitingForVersion.delete(versionId);
    for (const candidate of waiting) if (isWaiting(candidate.instance)) this.#admission.add(candidate);
    this.#planLaunch();
  }

  /** A version's file does not import here: what waits for it fails as a configuration error, by its retries. */
  onVersionFailed(versionId: VersionId, raw: ReportedError): void {
    const error = storable(raw);
    const text = `the DAG file does not import: ${error.type}: ${error.message}`;
    const waiting = this.#waitingForVersion.get(versionId) ?? [];
    this.#waitingForVersion.delete(versionId);
    for (const { run, instance } of waiting) {
      const entry = this.#entries.get(run.id);
      // Whatever happened to it in between (a mark, fail_fast, a time-out) counts.
      if (entry === undefined || entry.run !== run || !isWaiting(instance)) continue;
      const plan = this.#begin(entry);
      instance.startedAt ??= plan.now;
      recordOutcome(plan, instance, { outcome: { kind: 'failed', cause: 'config', noRetry: false, reason: text }, limits: this.#limits });
      this.#conclude(entry, plan);
      recordMove(this.#queue.pendingOf(run), instance, { from: instance.state, at: plan.now, error: JSON.stringify(error) });
    }
  }

  // ── executions ───────────────────────────────────────────────────────────────────────────────────────────────────

  /** The live execution that a token names; null when it is closed or unknown. */
  authenticate(executionId: ExecutionId, token: string): Live | null {
    const live = this.#live.get(executionId);
    if (live === undefined) return null;
    if (!tokenFits(token, live.tokenHash)) throw new AppError('unauthenticated', 'the token does not name this execution');
    live.heardAt = this.#options.clock.nowMs();
    return live;
  }

  /** The run of a live execution, for reading XComs. */
  runOf(live: Live): { run: RunSnapshot; values: RecentValues } | null {
    const entry = this.#entries.get(live.runId);
    return entry === undefined ? null : { run: entry.run, values: entry.values };
  }

  /**
   * Takes an execution's report: recorded, planned on and committed together with what follows from it.
   * Throws `not_leading` when the commit could not be made for reasons of ours: the agent asks again.
   */
  async report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    const { execution_id: id } = report;
    if (this.#isClosed) throw new AppError('not_leading', 'this server does not lead any more');
    // Asked again while the first one is being committed: not a no, the answer is not known yet.
    if (this.#reporting.has(id)) throw new AppError('not_leading', 'this report is being recorded');
    this.#reporting.add(id);
    try {
      const run = this.#live.get(id)?.runId ?? this.#orphans.get(id);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        if (run !== undefined) await this.#loading.get(run)?.tried;
        const live = this.#isClosed ? null : this.authenticate(id, token);
        if (this.#isClosed) throw new AppError('not_leading', 'this server does not lead any more');
        if (live === null) return { kind: 'stale', state: null };
        const result = await this.#settleReport(live, report);
        if (result.kind === 'moved') return { kind: 'recorded' };
        if (result.kind === 'error') throw result.error;
      }
      throw new AppError('not_leading', 'the run keeps changing under this report');
    } finally {
      this.#reporting.delete(id);
    }
  }

  #settleReport(live: Live, report: ExecutionReport): Promise<CommitResult> {
    const entry = this.#entries.get(live.runId);
    if (entry === undefined) return Promise.resolve({ kind: 'stale' });
    const { instance } = live;
    const plan = this.#begin(entry);
    const executionId = report.execution_id;
    const pending = this.#queue.pendingOf(entry.run);
    this.#live.delete(executionId);
    this.#admission.release(live.candidate);
    instance.renderedMapIndex = report.rendered_map_index ?? instance.renderedMapIndex;
    this.#takeXComs(entry, instance, report);
    recordOutcome(plan, instance, { outcome: outcomeOf(report), limits: this.#limits });
    pending.ended.push({
      id: executionId, state: instance.state === 'scheduled' ? 'lost' : report.outcome, endedAt: plan.now, exitCode: report.exit_code ?? null, signal: null, cause: instance.cause,
    });
    // Before the plan goes on: the try's row, its error and its rendered fields belong to this end.
    recordMove(pending, instance, {
      from: instance.state, at: plan.now, error: report.error === undefined ? null : JSON.stringify(report.error),
      renderedFields: report.rendered_fields === undefined ? null : JSON.stringify(report.rendered_fields),
    });
    if (report.log_gap !== undefined) this.#noteLogGap(entry, instance, { executionId, ...report.log_gap });
    const done = new Promise<CommitResult>((resolve) => pending.waiters.push((result) => {
      // Until its run is read again nobody knows whose it is.
      if (result.kind !== 'moved') this.#orphans.set(executionId, live.runId);
      resolve(result);
    }));
    this.#conclude(entry, plan);
    return done.then((result) => {
      if (result.kind === 'moved') this.#tokens.delete(executionId);
      return result;
    });
  }

  /** Lost log lines are never silent: the history of the instance says how many and why. */
  #noteLogGap(entry: Entry, instance: Instance, gap: { executionId: ExecutionId; bytes: number; reason: string }): void {
    this.#options.reporter.report({ event: 'execution.log_gap', execution_id: gap.executionId, bytes: gap.bytes, reason: gap.reason });
    this.#queue.pendingOf(entry.run).events.push({
      run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, attemptId: instance.attemptId, executionId: gap.executionId, from: instance.state, to: instance.state,
      at: this.#options.clock.nowMs(), cause: null, detail: `${gap.bytes} bytes of its log are missing: ${gap.reason}`,
    });
  }

  #takeXComs(entry: Entry, instance: Instance, report: ExecutionReport): void {
    const pending = this.#queue.pendingOf(entry.run);
    for (const xcom of report.xcoms ?? []) {
      const bytes = Buffer.from(xcom.value, 'utf8');
      pending.xcoms.push({
        run: entry.run.id, taskId: instance.task.id, mapIndex: instance.mapIndex, key: xcom.key, attemptId: instance.attemptId ?? '', value: bytes.toString('base64'),
        sha256: createHash('sha256').update(bytes).digest('base64'), sizeBytes: bytes.length, mappedLength: xcom.mapped_length,
      });
      recordLength(entry.run, instance, { key: xcom.key, mappedLength: xcom.mapped_length });
      entry.values.remember({ taskId: instance.task.id, key: xcom.key, mapIndex: instance.mapIndex }, xcom.value);
    }
  }

  /** A process ended. When it had reported, this is old news. */
  async onExited(child: ExitedChild): Promise<void> {
    const { execution_id: executionId } = child;
    if (executionId === null) return;
    if (this.#live.get(executionId)?.overdue === true) return this.#onEnded(executionId, { cause: 'timeout', message: 'it ignored its execution_timeout and was killed' });
    const killed = child.signal !== null;
    const cause = child.oom ? 'oom' : killed ? 'lost' : 'user_error';
    const message = child.oom ? 'killed by the kernel: out of memory' : killed ? `its process was killed by signal ${child.signal}` : `its process ended with status ${child.status} without a report`;
    await this.#onEnded(executionId, { cause, message });
    this.#orphans.delete(executionId);
  }

  /** Executions are gone with what ran them. */
  async onLost(executions: readonly ExecutionId[], reason: string): Promise<void> {
    await Promise.all(executions.map((executionId) => this.#onEnded(executionId, { cause: 'lost', message: reason })));
  }

  /** An execution without a process any more: what it left behind counts, else how it ended. */
  async #onEnded(executionId: ExecutionId, how: { cause: 'oom' | 'lost' | 'timeout' | 'user_error'; message: string }): Promise<void> {
    await this.#untilRead(executionId);
    if (this.#isClosed) return;
    if (!this.#live.has(executionId)) return void this.#early?.push(() => this.#onEnded(executionId, how));
    const left = await this.#options.takeOutcome(executionId);
    if (how.cause === 'lost' && left === null && this.#live.has(executionId)) this.#options.reporter.report({ event: 'execution.lost', execution_id: executionId, reason: how.message });
    await this.#endUnreported(executionId, left ?? failure(executionId, { ...how, now: this.#options.clock.nowMs() }));
  }

  /** While its run is being read, nobody knows whether an execution is still its own. */
  async #untilRead(executionId: ExecutionId): Promise<void> {
    const run = this.#live.get(executionId)?.runId ?? this.#orphans.get(executionId);
    if (run !== undefined) await this.#loading.get(run)?.read;
  }

  async #endUnreported(executionId: ExecutionId, first: ExecutionReport): Promise<void> {
    let report = first;
    while (!this.#isClosed) {
      const live = this.#live.get(executionId);
      if (live === undefined) return;
      const result = await this.#settleReport(live, report);
      if (result.kind === 'moved') return;
      // The database refuses what was left behind: the end itself still counts.
      if (result.kind === 'error') report = failure(executionId, { cause: 'user_error', message: `its result could not be stored: ${errorText(result.error)}`, now: this.#options.clock.nowMs() });
      // The run is read again: if the execution is still its own, it ends once more.
      await this.#loading.get(live.runId)?.read;
    }
  }

  /** A take-over is complete: every unfinished run was read, and who is still unknown is closed. */
  async completeTakeOver(): Promise<void> {
    const early = this.#early ?? [];
    this.#early = null;
    for (const end of early) await end();
  }

  /** Signs of life. */
  onAlive(executions: readonly ExecutionId[]): void {
    const now = this.#options.clock.nowMs();
    for (const id of executions) {
      const live = this.#live.get(id);
      if (live !== undefined) live.heardAt = now;
    }
  }

  /** Executions that should have been heard of, with when that was last. */
  *liveExecutions(): Generator<{ id: ExecutionId; heardAt: number }> {
    for (const [id, live] of this.#live) yield { id, heardAt: live.heardAt };
  }

  /**
   * Kills executions that run on after their execution_timeout and a grace: the task's own alarm was caught or never came.
   * @param graceMs time after the time-out for the task to clean up
   */
  killOverdue(graceMs: number): void {
    const now = this.#options.clock.nowMs();
    for (const [id, live] of this.#live) {
      const seconds = live.instance.task.task.execution_timeout_seconds;
      if (seconds === undefined || live.overdue || now - live.since < seconds * 1000 + graceMs) continue;
      live.overdue = true;
      this.#options.executor.cancel(id, 0);
    }
  }

  /** Take-over: executions that the leader before had started. Those that are no longer their run's own are stopped when it is read. */
  rememberExecutions(executions: readonly LiveExecution[]): void {
    for (const execution of executions) {
      this.#tokens.set(execution.id, execution.tokenHash);
      this.#orphans.set(execution.id, execution.run);
    }
  }

  /** Why an instance does not run, as far as only the leader knows. */
  explain(runId: RunUuid, taskId: string, mapIndex: number): string | null {
    const entry = this.#entries.get(runId);
    const task = entry?.run.graph.tasks[entry.run.graph.byId.get(taskId) ?? -1];
    const instance = task === undefined ? undefined : entry?.run.tasks[task.index]?.instances.get(mapIndex);
    if (entry === undefined || instance === undefined) return null;
    const blocked = this.#admission.findBlocked({ run: entry.run, instance });
    if (blocked !== null) return `${blocked.resource.split('@')[0]} ${blocked.used}/${blocked.limit}`;
    return this.#options.executor.explain(entry.run.versionId);
  }
}

/** A run that failed to be written or read is looked at again after this time. */
const RELOAD_MS = 500;

/** Chosen to run, and nothing has happened to it since. */
function isWaiting(instance: Instance): boolean {
  return instance.state === 'scheduled' || instance.state === 'queued';
}

function executionsOf(run: RunSnapshot): Set<ExecutionId> {
  const running = new Set<ExecutionId>();
  for (const instance of instancesOf(run)) if (instance.state === 'running' && instance.executionId !== null) running.add(instance.executionId);
  return running;
}

/** PostgreSQL stores neither NUL nor lone surrogates; a DAG file may raise either. */
function storable(error: ReportedError): ReportedError {
  const clean = (text: string): string => text.replaceAll('\u0000', '\uFFFD').toWellFormed();
  return { type: clean(error.type), message: clean(error.message), ...(error.traceback === undefined ? {} : { traceback: clean(error.traceback) }) };
}

function stopTimers(entry: Entry): void {
  entry.stopWake?.();
  entry.stopTimeout?.();
}

function outcomeOf(report: ExecutionReport): Outcome {
  switch (report.outcome) {
    case 'success': return { kind: 'success', skips: report.skips ?? null };
    case 'skipped': return { kind: 'skipped' };
    case 'up_for_reschedule': return { kind: 'up_for_reschedule', afterMs: (report.reschedule_in_seconds ?? 60) * 1000 };
    case 'failed': return { kind: 'failed', cause: report.cause ?? 'user_error', noRetry: report.no_retry === true, reason: report.error === undefined ? null : `${report.error.type}: ${report.error.message}`.slice(0, 2000) };
  }
}

function failure(executionId: ExecutionId, ended: { cause: 'oom' | 'lost' | 'timeout' | 'user_error'; message: string; now: number }): ExecutionReport {
  const at = new Date(ended.now).toISOString();
  return { execution_id: executionId, outcome: 'failed', cause: ended.cause, error: { type: 'ExecutionEnded', message: ended.message }, started_at: at, ended_at: at };
}
