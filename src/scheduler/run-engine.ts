// One term of deciding: events come in here and reach whoever reads, advances, launches or ends. None of them waits for another.
import type { ExecutionReport, ExitedChild, ReportAnswer, ReportedError } from '#contract/attempt.ts';
import type { ExecutionId, RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import type { RunSnapshot } from '#core/run-snapshot.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { Database } from '#store/database.ts';
import type { LiveExecution } from '#store/executions.ts';
import { AdvanceRuns } from './advance-runs.ts';
import { AssetWatchers } from './asset-watchers.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { InstanceKey } from './ending-executions.ts';
import { EngineMemory, type Live, type RunEngineOptions } from './engine-memory.ts';
import { LaunchTasks } from './launch-tasks.ts';
import { MakeCallbacks } from './make-callbacks.ts';
import { PastRuns } from './past-runs.ts';
import type { CommitResult } from './pending-run.ts';
import { ReadRuns } from './read-runs.ts';
import type { RecentValues } from './recent-values.ts';
import { TakeReports } from './take-reports.ts';
import { TakeTriggerEvents } from './take-trigger-events.ts';
import { TaskCalls } from './task-calls.ts';
import type { WaitingTriggers } from './waiting-triggers.ts';

/** One per term of leadership. */
export class RunEngine {
  readonly #memory: EngineMemory;
  readonly #advance: AdvanceRuns;
  readonly #launch: LaunchTasks;
  readonly #reads: ReadRuns;
  readonly #reports: TakeReports;
  /** For executions that speak Airflow's API. */
  readonly calls: TaskCalls;
  readonly triggerEvents: TakeTriggerEvents;
  /** Triggers that make events of assets. */
  readonly watchers: AssetWatchers;
  /** Of DAGs, of tasks whose process is gone, of missed deadlines. */
  readonly callbacks: MakeCallbacks;

  constructor(options: RunEngineOptions, queue: CommitQueue, term: { readonly database: Database; readonly epoch: number }) {
    this.#memory = new EngineMemory(options);
    this.#advance = new AdvanceRuns(this.#memory, queue, { onReady: () => this.#launch.launch(), onPastMoved: (run) => past.onMoved(run), onCallbacks: () => this.callbacks.poke() });
    const { config, reporter, executor, folders, triggerToken } = options;
    this.callbacks = new MakeCallbacks({ ...term, config, reporter, executor, logFile: folders.logFile, tokenOf: (id) => triggerToken(id as TriggerId) });
    const past = new PastRuns(this.#memory, this.#advance, (run) => void this.#reads.load(run));
    this.#launch = new LaunchTasks(this.#memory, queue, this.#advance);
    this.#reads = new ReadRuns(this.#memory, queue, { advance: this.#advance, launch: this.#launch, past });
    this.#reports = new TakeReports(this.#memory, queue, { advance: this.#advance, reads: this.#reads });
    this.triggerEvents = new TakeTriggerEvents(this.#memory, queue, { advance: this.#advance, reads: this.#reads });
    this.watchers = new AssetWatchers({ ...term, reporter, waiting: this.#memory.waiting, onEvents: options.onAssetEvents });
    this.calls = new TaskCalls(this.#memory, queue, { ...term, advance: this.#advance, reads: this.#reads, reports: this.#reports, watchers: this.watchers });
  }

  /** Triggers that are waited for, and their hosts. */
  get waiting(): WaitingTriggers {
    return this.#memory.waiting;
  }

  /** Numbers for people and tests. */
  get counts(): { runs: number; executions: number; waiting: number } {
    return { runs: this.#memory.entries.size, executions: this.#memory.live.size, waiting: this.#memory.admission.waiting };
  }

  /** Executions that are not closed, those that were told to end and still run, and callbacks that are being made. */
  get unfinished(): number {
    return this.#memory.live.size + this.#memory.orphans.size + this.#memory.ending.count + this.callbacks.count;
  }

  /** Nothing is started any more; everything else goes on. */
  holdStarts(): void {
    this.#memory.isHolding = true;
    this.callbacks.close();
  }

  /** Ends this term: timers stop, waiting reports are refused by the queue. */
  close(): void {
    this.#memory.close();
    this.callbacks.close();
  }

  /** True when the run is in memory or being read. */
  knows(run: RunUuid): boolean {
    return this.#reads.knows(run);
  }

  /** A run was made, or its rows were changed by somebody else: it is read (again) and planned. */
  loadRun(id: RunUuid): Promise<void> {
    return this.#reads.load(id);
  }

  /** The same, but resolves only when the run is in memory: before all that runs is known nobody may start. */
  loadWholeRun(id: RunUuid): Promise<void> {
    return this.#reads.loadWhole(id);
  }

  /** A run's commit did not happen: it is read again. */
  onNotCommitted(id: RunUuid, result: CommitResult): Promise<void> {
    return this.#reads.onNotCommitted(id, result);
  }

  /** Runs in memory. */
  listKnown(): RunUuid[] {
    return [...this.#memory.entries.keys()];
  }

  /** Runs in memory of one DAG. */
  listKnownOf(dagId: string): RunUuid[] {
    return [...(this.#memory.dags.get(dagId)?.ids() ?? [])];
  }

  /** Take-over, and after a gap: the DAGs that are paused, all of them. */
  setAllPaused(dagIds: readonly string[]): void {
    const paused = new Set(dagIds);
    for (const dagId of new Set([...this.#memory.paused, ...paused])) if (paused.has(dagId) !== this.#memory.paused.has(dagId)) this.setPaused(dagId, paused.has(dagId));
  }

  /** A DAG was paused, unpaused or removed. */
  setPaused(dagId: string, paused: boolean): void {
    if (paused) this.#memory.paused.add(dagId);
    else this.#memory.paused.delete(dagId);
    this.#memory.admission.reopenAll();
    if (!paused) this.#advance.resume(dagId);
    this.#advance.startQueued(dagId);
    this.#launch.plan();
  }

  /** Pools were changed. */
  reopenPools(): void {
    this.#memory.admission.reopenAll();
    this.#launch.plan();
  }

  /** The executor can start executions of this version now. */
  onVersionReady(versionId: VersionId): void {
    this.#launch.onVersionReady(versionId);
  }

  /** A version's file does not import here. */
  onVersionFailed(versionId: VersionId, error: ReportedError): void {
    this.#launch.onVersionFailed(versionId, error);
  }

  /** The live execution that a token names; null when it is closed or unknown. Throws `unauthenticated`. */
  authenticate(executionId: ExecutionId, token: string): Live | null {
    return this.#memory.authenticate(executionId, token);
  }

  /** The run of a live execution, for reading XComs. */
  runOf(live: Live): { run: RunSnapshot; values: RecentValues } | null {
    return this.#memory.entries.get(live.runId) ?? null;
  }

  /** Takes an execution's report. Throws `not_leading` when it could not be recorded for reasons of ours: the agent asks again. */
  report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    return this.#reports.report(token, report);
  }

  /** A process ended. When it had reported, this is old news. */
  onExited(child: ExitedChild): Promise<void> {
    if (child.execution_id !== null) this.#launch.onProcessGone(child.execution_id);
    return this.#reports.onExited(child);
  }

  /** Executions are gone with what ran them. */
  onLost(executions: readonly ExecutionId[], reason: string): Promise<void> {
    for (const execution of executions) this.#launch.onProcessGone(execution);
    return this.#reports.onLost(executions, reason);
  }

  /** Take-over: executions that the leader before had started. */
  rememberExecutions(executions: readonly LiveExecution[]): void {
    this.#memory.rememberExecutions(executions);
  }

  /** Take-over: executions that were closed while they ran. @param known whose they are, of those that have rows */
  stopClosed(closed: readonly ExecutionId[], known: readonly (InstanceKey & { readonly id: ExecutionId })[]): void {
    const { executor, config } = this.#memory.options;
    const instances = new Map(known.map((one) => [one.id, one]));
    for (const id of closed) {
      const instance = instances.get(id);
      if (instance !== undefined) this.#memory.ending.stop(id, instance);
      else executor.cancel(id, config.LEOFLOW_CANCEL_GRACE_SECONDS);
    }
  }

  /** A take-over is complete: every unfinished run was read, who is still unknown is closed, and what waits may start. */
  completeTakeOver(): Promise<void> {
    this.#memory.isComplete = true;
    for (const dagId of [...this.#memory.dags.keys()]) this.#advance.startQueued(dagId);
    this.#launch.plan();
    this.callbacks.poke();
    return this.#reports.completeTakeOver();
  }

  /** Signs of life. */
  onAlive(executions: readonly ExecutionId[]): void {
    const now = monotonicMs();
    for (const id of executions) {
      const open = this.#memory.open.get(id);
      if (open !== undefined) open.heardMs = now;
    }
  }

  /** This server itself did not listen for so long: nobody was silent meanwhile, and nobody was heard of either. */
  forgiveSilence(ms: number): void {
    const now = monotonicMs();
    for (const open of this.#memory.open.values()) open.heardMs = Math.min(now, open.heardMs + ms);
  }

  /** Every execution that is not closed, also those whose runs are being read or cannot be read. */
  listOpen(): ExecutionId[] {
    return [...this.#memory.open.keys()];
  }

  /** Running executions that were heard of within `ms`. */
  listHeard(ms: number): ExecutionId[] {
    const now = monotonicMs();
    return [...this.#memory.live].flatMap(([id, { open }]) => (now - open.heardMs < ms ? [id] : []));
  }

  /** Executions that nobody has heard of for long: one that the executor still has is told to end, and its end is waited for; the others are gone. */
  async doubtSilent(): Promise<void> {
    const { executor, config } = this.#memory.options;
    const now = monotonicMs();
    const gone: ExecutionId[] = [];
    for (const [id, { open }] of this.#memory.live) {
      if (open.isDoubted || now - open.heardMs <= this.#memory.silentMs) continue;
      open.isDoubted = true;
      if (!executor.cancel(id, config.LEOFLOW_CANCEL_GRACE_SECONDS)) gone.push(id);
    }
    if (gone.length > 0) await this.onLost(gone, 'nobody has heard of it');
  }

  /**
   * Kills executions that run on after their execution_timeout and a grace: the task's own alarm was caught or never came.
   * @param graceMs time after the time-out for the task to clean up
   */
  killOverdue(graceMs: number): void {
    const now = monotonicMs();
    for (const [id, { instance, open }] of this.#memory.live) {
      const seconds = instance.task.task.execution_timeout_seconds;
      if (seconds === undefined || open.isOverdue || now - open.sinceMs < seconds * 1000 + graceMs) continue;
      open.isOverdue = true;
      this.#memory.options.executor.cancel(id, 0);
    }
  }

  /** Why an instance does not run, as far as only the leader knows. */
  explain(runId: RunUuid, taskId: string, mapIndex: number): string | null {
    const { entries, admission, options } = this.#memory;
    const entry = entries.get(runId);
    const task = entry?.run.graph.tasks[entry.run.graph.byId.get(taskId) ?? -1];
    const instance = task === undefined ? undefined : entry?.run.tasks[task.index]?.instances.get(mapIndex);
    if (entry === undefined || instance === undefined) return null;
    if (instance.state === 'deferred') return instance.wait?.id ? this.#memory.waiting.tell(instance.wait.id) : null;
    if (this.#memory.ending.isAwaited({ run: runId, taskId, mapIndex })) return 'its execution before this one is being stopped';
    const blocked = admission.findBlocked({ run: entry.run, instance });
    if (blocked !== null) return `${blocked.resource.split('@')[0]} ${blocked.used}/${blocked.limit}`;
    return options.executor.explain(entry.run.versionId);
  }
}
