// The leader's memory: unfinished runs, the executions that are not closed, and who may start. Rows are the truth.
import type { Config } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { ExecutionId, RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import type { TaskProcess } from '#contract/execution-api.ts';
import type { SpanListener } from '#contract/spans.ts';
import type { ValueStore } from '#contract/value-store.ts';
import { Admission, type Candidate, type PoolLimit } from '#core/admission.ts';
import type { Graph } from '#core/graph.ts';
import type { PastRun } from '#core/past-dependencies.ts';
import { instancesOf, type PlanLimits } from '#core/plan.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import { type Clock, monotonicMs } from '#platform/clock.ts';
import type { Reporter } from '#platform/report.ts';
import type { RunForPlanning, RunRow } from '#store/dag-runs.ts';
import type { LiveExecution } from '#store/executions.ts';
import type { Executor, Outcomes } from '#executor/executor.ts';
import type { SpecFolders } from './execution-spec.ts';
import { EndingExecutions, type InstanceKey, keyOfCandidate } from './ending-executions.ts';
import type { PendingRun } from './pending-run.ts';
import { QueuedRuns } from './queued-runs.ts';
import type { RecentValues } from './recent-values.ts';
import type { ReadAverage } from './run-deadlines.ts';
import { Spans } from './spans.ts';
import { tokenFits } from './tokens.ts';
import { WaitingTriggers } from './waiting-triggers.ts';

/** Heartbeat time-outs after which an execution is doubted. */
const SILENT_FACTOR = 10;

/** The engine’s view of everything outside. Readers answer null for what is gone; `poolOf` also for a pool that does not exist. */
export interface RunEngineOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly reporter: Reporter;
  readonly executor: Executor;
  readonly host: string;
  /** Names this machine and home folder in executions' rows. */
  readonly place: string;
  readonly folders: SpecFolders;
  readonly graphOf: (version: VersionId) => Promise<Graph | null>;
  readonly readRun: (run: RunUuid, want: { lengths: boolean }) => Promise<RunForPlanning | null>;
  /** The DAG's run before, for depends_on_past; null when there is none. */
  readonly readPrevious: (run: RunSnapshot) => Promise<PastRun | null>;
  readonly poolOf: (name: string) => PoolLimit | null;
  readonly outcomes: Outcomes;
  /** The bearer token of a trigger. */
  readonly triggerToken: (id: TriggerId) => Promise<string>;
  /** A trigger host said that it runs these. */
  readonly onHosted: (triggers: readonly TriggerId[], pid: number) => void;
  /** Where bytes of XComs go before their commit, and under which epoch; null: into the commit itself. */
  readonly values: { readonly store: ValueStore; readonly epoch: number } | null;
  readonly onRunFinished: (run: RunSnapshot) => void;
  /** Events of assets were recorded: schedules may wait for them. */
  readonly onAssetEvents: () => void;
  /** How long a DAG's last runs took, for deadlines. */
  readonly readAverage: ReadAverage;
  /** A run's row says something else about its DAG's pause switch than memory: one of them is old. */
  readonly onSwitchDiffers: (dagId: string) => void;
  /** Who wants to hear of ends for traces; null: nothing is made. */
  readonly onSpan: SpanListener | null;
}

/** A run in memory, with what is not a decision about it. */
export interface Entry {
  readonly run: RunSnapshot;
  readonly row: RunRow;
  readonly values: RecentValues;
  stopWake: (() => void) | null;
  wakeAt: number | null;
  stopTimeout: (() => void) | null;
}

/** What is known of an execution from its start to its end, however often its run is read. Times are monotonic: the database's clock may be set. */
export interface OpenExecution {
  /** SHA-256 of its token. */
  readonly tokenHash: Buffer;
  readonly sinceMs: number;
  heardMs: number;
  /** When it was committed as running, by the database's clock; null before, and for one of the leader before. */
  begunAt: number | null;
  /** It ignored its execution_timeout and was killed for it: its end is a time-out. */
  isOverdue: boolean;
  /** Nobody had heard of it, and it was told to end. */
  isDoubted: boolean;
  /** Who said that it runs it, through Airflow's API; null when nobody did, or to the leader before. */
  process: TaskProcess | null;
}

/** An execution that is not closed, with the instance that it runs. */
export interface Live {
  readonly runId: RunUuid;
  readonly instance: Instance;
  readonly candidate: Candidate;
  readonly open: OpenExecution;
}

/** An execution of a run that is not in memory. `candidate` is null when it holds no slots: the leader before had started it. */
interface Orphan { readonly run: RunUuid; readonly instance: InstanceKey; readonly candidate: Candidate | null }

/** One per term of leadership; who decides reads and changes it, nothing in it decides. */
export class EngineMemory {
  readonly options: RunEngineOptions;
  readonly limits: PlanLimits;
  readonly entries = new Map<RunUuid, Entry>();
  /** Unfinished runs of each DAG: which run, and which wait to begin. */
  readonly dags = new Map<string, QueuedRuns>();
  readonly live = new Map<ExecutionId, Live>();
  readonly open = new Map<ExecutionId, OpenExecution>();
  /** Executions whose run is being read again; whoever is not in the new reading is stopped. Until then they hold their slots. */
  readonly orphans = new Map<ExecutionId, Orphan>();
  /** Runs that are being read again: until then they count as running. */
  readonly #suspended = new Map<RunUuid, RunSnapshot>();
  /** False during a take-over: who may start is not known before all that runs is. */
  isComplete = false;
  /** This server is being stopped: nothing is started any more. */
  isHolding = false;
  readonly paused = new Set<string>();
  /** Runs that cannot be read, for a reason of their own. */
  readonly unreadable = new Set<RunUuid>();
  readonly admission: Admission;
  readonly ending: EndingExecutions;
  readonly spans: Spans | null;
  readonly waiting: WaitingTriggers;
  readonly #closing = new AbortController();

  constructor(options: RunEngineOptions) {
    const { config } = options;
    this.options = options;
    this.limits = { maxMapLength: config.LEOFLOW_MAX_MAP_LENGTH, infraRetries: config.LEOFLOW_INFRA_RETRIES, infraRetryDelayMs: config.LEOFLOW_INFRA_RETRY_DELAY_SECONDS * 1000 };
    this.spans = options.onSpan === null ? null : new Spans(options.onSpan, options.clock);
    this.waiting = new WaitingTriggers(options.executor, options.triggerToken, options.onHosted);
    this.ending = new EndingExecutions(options.executor, config.LEOFLOW_CANCEL_GRACE_SECONDS);
    this.admission = new Admission(config.LEOFLOW_PARALLELISM, { poolOf: options.poolOf, isPaused: (dagId) => this.paused.has(dagId) });
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Aborts when the term ends. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** An execution that says nothing for this long is doubted. */
  get silentMs(): number {
    return this.options.config.LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS * SILENT_FACTOR * 1000;
  }

  get nowMs(): number {
    return this.options.clock.nowMs();
  }

  /** Nothing is decided any more: timers stop, and nobody is known. */
  close(): void {
    this.#closing.abort();
    this.waiting.close();
    for (const entry of this.entries.values()) stopTimers(entry);
    this.entries.clear();
    this.live.clear();
  }

  dagOf(dagId: string): QueuedRuns {
    const found = this.dags.get(dagId);
    if (found !== undefined) return found;
    const made = new QueuedRuns();
    this.dags.set(dagId, made);
    return made;
  }

  /** Takes a run in, unless it is finished. */
  addEntry(entry: Entry): void {
    const { run } = entry;
    this.entries.set(run.id, entry);
    if (run.state === 'queued') this.dagOf(run.dagId).addQueued(run);
    else this.dagOf(run.dagId).addRunning(run);
  }

  /** Forgets a run and stops its timers. */
  removeEntry(entry: Entry): void {
    stopTimers(entry);
    this.entries.delete(entry.run.id);
    this.#leaveDag(entry.run);
  }

  #leaveDag(run: RunSnapshot): void {
    const dag = this.dags.get(run.dagId);
    dag?.remove(run);
    if (dag?.isEmpty === true) this.dags.delete(run.dagId);
  }

  /** A run is read again. What it occupies stays occupied until `dropSuspended`: nobody else may take it meanwhile. */
  suspendEntry(entry: Entry): void {
    stopTimers(entry);
    this.entries.delete(entry.run.id);
    this.#suspended.set(entry.run.id, entry.run);
    for (const instance of instancesOf(entry.run)) this.admission.remove(instance);
    for (const [id, live] of this.live) {
      if (live.runId !== entry.run.id) continue;
      this.live.delete(id);
      this.orphans.set(id, orphanOf(live));
    }
  }

  /** The run counted as unfinished until it was read again. */
  isSuspended(id: RunUuid): boolean {
    return this.#suspended.has(id);
  }

  /** The DAG of a run that is being read again. */
  dagIdOfSuspended(id: RunUuid): string | null {
    return this.#suspended.get(id)?.dagId ?? null;
  }

  /** The run was read: executions that are no longer its own (cleared, marked) are stopped, and places are given back. */
  dropSuspended(id: RunUuid, wanted: ReadonlySet<ExecutionId>): void {
    const run = this.#suspended.get(id);
    this.#suspended.delete(id);
    this.unreadable.delete(id);
    if (run !== undefined) {
      this.#leaveDag(run);
      for (const instance of instancesOf(run)) this.admission.resume(instance);
    }
    for (const [execution, orphan] of this.orphans) {
      if (orphan.run !== id) continue;
      this.orphans.delete(execution);
      if (orphan.candidate !== null) this.admission.release(orphan.candidate);
      if (wanted.has(execution)) continue;
      this.open.delete(execution);
      this.ending.stop(execution, orphan.instance);
    }
  }

  /** The entry of a run, when it is still this reading of it. */
  entryOf(run: RunSnapshot): Entry | null {
    const entry = this.entries.get(run.id);
    return entry?.run === run ? entry : null;
  }

  /** An execution begins, or is found at a take-over. Times are monotonic. */
  openExecution(id: ExecutionId, tokenHash: Buffer, { sinceMs, heardMs }: { sinceMs: number; heardMs: number } = { sinceMs: monotonicMs(), heardMs: monotonicMs() }): OpenExecution {
    const open = { tokenHash, sinceMs, heardMs, begunAt: null, isOverdue: false, isDoubted: false, process: null };
    this.open.set(id, open);
    return open;
  }

  /** An execution ends with the commit that `pending` becomes: its slots are free for others in the same commit, and taken again when that does not happen. */
  closeLive(id: ExecutionId, pending: PendingRun): Live | null {
    const live = this.live.get(id);
    if (live === undefined) return null;
    this.live.delete(id);
    this.admission.release(live.candidate);
    pending.waiters.push((result) => {
      if (result.kind === 'moved') return void this.open.delete(id);
      // Until its run is read again nobody knows whose it is.
      this.admission.occupy(live.candidate, 1);
      this.orphans.set(id, orphanOf(live));
    });
    return live;
  }

  /** The live execution that a token names; null when it is closed or unknown. Throws `unauthenticated`. */
  authenticate(executionId: ExecutionId, token: string): Live | null {
    const live = this.live.get(executionId);
    if (live === undefined) return null;
    if (!tokenFits(token, live.open.tokenHash)) throw new AppError('unauthenticated', 'the token does not name this execution');
    live.open.heardMs = monotonicMs();
    return live;
  }

  /** Take-over: executions that the leader before had started. Those that are no longer their run's own are stopped when it is read. */
  rememberExecutions(executions: readonly LiveExecution[]): void {
    const now = monotonicMs();
    const longest = this.silentMs - this.options.config.LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS * 1000;
    for (const execution of executions) {
      // Who is healthy has a whole heartbeat time-out to be heard of, whatever the database's clock said meanwhile.
      const heardMs = now - Math.min(Math.max(0, execution.silentMs), longest);
      this.openExecution(execution.id, execution.tokenHash, { sinceMs: now - Math.max(0, this.nowMs - execution.startedAt), heardMs });
      this.orphans.set(execution.id, { run: execution.run, instance: execution, candidate: null });
    }
  }
}

function orphanOf({ runId, candidate }: Live): Orphan {
  return { run: runId, instance: keyOfCandidate(candidate), candidate };
}

/** Chosen to run, and nothing has happened to it since. */
export function isWaiting(instance: Instance): boolean {
  return instance.state === 'scheduled' || instance.state === 'queued';
}

/** The executions that a reading of a run calls running. */
export function executionsOf(run: RunSnapshot): Set<ExecutionId> {
  const running = new Set<ExecutionId>();
  for (const instance of instancesOf(run)) if (instance.state === 'running' && instance.executionId !== null) running.add(instance.executionId);
  return running;
}

/** The triggers that a reading of a run waits for. */
export function triggersOf(run: RunSnapshot): Set<TriggerId> {
  const waiting = new Set<TriggerId>();
  for (const { wait } of instancesOf(run)) if (wait !== null && wait.id !== null && !wait.isOver) waiting.add(wait.id);
  return waiting;
}

/** Calls off what a run waits for. */
function stopTimers(entry: Entry): void {
  entry.stopWake?.();
  entry.stopTimeout?.();
}
