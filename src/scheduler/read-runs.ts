// Runs come into memory from their rows: when they are made, when somebody else changed them, and when a commit did not fit.
import type { ExecutionId, RunUuid } from '#contract/ids.ts';
import type { Graph } from '#core/graph.ts';
import { instancesOf, type Plan } from '#core/plan.ts';
import { createInstances, markAll, wakeInstances } from '#core/plan-run.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import { sleep } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import { isPassing } from '#store/database.ts';
import type { RunForPlanning, RunRow } from '#store/dag-runs.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { CommitQueue } from './commit-queue.ts';
import { type EngineMemory, type Entry, executionsOf, triggersOf } from './engine-memory.ts';
import type { LaunchTasks } from './launch-tasks.ts';
import type { PastRuns } from './past-runs.ts';
import type { CommitResult } from './pending-run.ts';
import { RecentValues } from './recent-values.ts';
import { deadlinesOf } from './run-deadlines.ts';
import { buildSnapshot } from './snapshots.ts';
import { waitingTriggerOf } from './waiting-triggers.ts';

/** A run that is being read. */
interface Loading {
  again: boolean;
  /** Resolves after the first attempt, `read` when it is in memory (or nobody leads any more). */
  tried: Promise<void>;
  read: Promise<void>;
  /** Resolves when it is in memory, or when reading it fails for a reason of its own. */
  known: Promise<void>;
}

/** A run that failed to be written or read is looked at again after this time. */
const RELOAD_MS = 500;

/** One per term of leadership. */
export class ReadRuns {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  readonly #launch: LaunchTasks;
  readonly #past: PastRuns;
  readonly #loading = new Map<RunUuid, Loading>();

  constructor(memory: EngineMemory, queue: CommitQueue, followers: { advance: AdvanceRuns; launch: LaunchTasks; past: PastRuns }) {
    this.#memory = memory;
    this.#queue = queue;
    this.#advance = followers.advance;
    this.#launch = followers.launch;
    this.#past = followers.past;
  }

  /** True when the run is in memory or being read. */
  knows(run: RunUuid): boolean {
    return this.#memory.entries.has(run) || this.#loading.has(run);
  }

  /** A run was made, or its rows were changed by somebody else: it is read (again) and planned. */
  load(id: RunUuid): Promise<void> {
    return this.#loadAfter(id, 0);
  }

  /** Resolves when the run is in memory, nobody leads any more, or it cannot be read: one bad run must not keep all others waiting. */
  async loadWhole(id: RunUuid): Promise<void> {
    void this.load(id);
    await this.#loading.get(id)?.known;
  }

  /** A run's commit did not happen. Rows that were not as believed are read at once, after a failure a little later. */
  onNotCommitted(id: RunUuid, result: CommitResult): Promise<void> {
    return this.#loadAfter(id, result.kind === 'error' ? RELOAD_MS : 0);
  }

  /** Resolves when a run that is being read was tried to be read. */
  async untilRunTried(run: RunUuid): Promise<void> {
    await this.#loading.get(run)?.tried;
  }

  /** What was just written beside the planner may be missing in a reading that is on its way: it is made once more. @returns false when none is */
  readAgain(run: RunUuid): boolean {
    const loading = this.#loading.get(run);
    if (loading !== undefined) loading.again = true;
    return loading !== undefined;
  }

  /** Resolves when an execution's run was tried to be read: only then anybody knows whether it is still its own. */
  async untilTried(execution: ExecutionId): Promise<void> {
    const run = this.#runOf(execution);
    if (run !== undefined) await this.#loading.get(run)?.tried;
  }

  /** Resolves when the execution's run is in memory, or nobody leads any more. */
  async untilRead(execution: ExecutionId): Promise<void> {
    const run = this.#runOf(execution);
    if (run !== undefined) await this.#loading.get(run)?.read;
  }

  #runOf(execution: ExecutionId): RunUuid | undefined {
    return this.#memory.live.get(execution)?.runId ?? this.#memory.orphans.get(execution)?.run;
  }

  #loadAfter(id: RunUuid, delayMs: number): Promise<void> {
    const loading = this.#loading.get(id);
    if (loading !== undefined) {
      loading.again = true;
      return loading.tried;
    }
    const state: Loading = { again: false, tried: Promise.resolve(), read: Promise.resolve(), known: Promise.resolve() };
    this.#loading.set(id, state);
    const known = Promise.withResolvers<void>();
    state.known = known.promise;
    state.tried = new Promise((resolve) => void (state.read = this.#load(id, state, { delayMs, tried: resolve, known: known.resolve })));
    return state.tried;
  }

  /** Until it is read or nobody leads any more: a run that is not in memory would never move. */
  async #load(id: RunUuid, state: Loading, how: { delayMs: number; tried: () => void; known: () => void }): Promise<void> {
    let delay = how.delayMs;
    for (let isRead = false; !isRead && !this.#memory.isClosed; ) {
      state.again = false;
      try {
        // First: what would be started of it while its commit is on its way would be unknown to the reading.
        this.#suspend(id);
        await this.#queue.discard(id, { kind: 'stale' });
        if (delay > 0) await sleep(delay, this.#memory.closing);
        isRead = (await this.#read(id, state)) && !state.again;
        delay = 0;
      } catch (error) {
        this.#memory.options.reporter.report({ event: 'failure', where: 'load run', error: errorText(error) });
        delay = Math.min(Math.max(delay * 2, 50), 5000);
        how.tried();
        if (isPassing(error)) continue;
        how.known();
        this.#passOver(id);
      }
    }
    this.#loading.delete(id);
    how.tried();
    how.known();
  }

  /** Until it can be read, the runs behind it in the queue begin before it. One that runs keeps its place. */
  #passOver(id: RunUuid): void {
    const { unreadable } = this.#memory;
    if (unreadable.has(id)) return;
    unreadable.add(id);
    const dagId = this.#memory.dagIdOfSuspended(id);
    if (dagId !== null) this.#advance.startQueued(dagId);
  }

  /** @returns false when the rows changed under the reading */
  async #read(id: RunUuid, state: Loading): Promise<boolean> {
    const { readRun, graphOf } = this.#memory.options;
    const rows = await readRun(id, { lengths: true });
    const graph = rows === null ? null : await graphOf(rows.run.versionId);
    if (this.#memory.isClosed) return true;
    if (state.again) return false;
    if (rows === null || graph === null) this.#forgetGone(id);
    else await this.#adopt(rows, graph);
    return true;
  }

  async #adopt(rows: RunForPlanning, graph: Graph): Promise<void> {
    const run = buildSnapshot(graph, rows);
    run.pastBlocked = await this.#past.read(run);
    const { readAverage } = this.#memory.options;
    const deadlines = rows.instances.length > 0 ? [] : await deadlinesOf(graph.dag, rows.run, { nowMs: this.#memory.nowMs, readAverage });
    if (this.#memory.isClosed) return;
    this.#compareSwitch(run.dagId, rows.run.isPaused);
    const wanted = executionsOf(run);
    this.#tellEnds(run, rows.run, wanted);
    this.#memory.dropSuspended(run.id, wanted);
    this.#memory.waiting.keepOnly(run.id, triggersOf(run));
    this.#past.onMoved(run);
    if (run.state === 'success' || run.state === 'failed') return this.#onFoundFinished(run);
    const entry: Entry = { run, row: rows.run, values: new RecentValues(), stopWake: null, wakeAt: null, stopTimeout: null };
    this.#memory.addEntry(entry);
    for (const instance of instancesOf(run)) this.#attach(entry, instance);
    const plan = this.#advance.begin(entry);
    createInstances(plan);
    const wakeAt = run.state === 'running' ? this.#resume(entry, plan) : null;
    this.#advance.conclude(entry, plan);
    if (deadlines.length > 0) this.#advance.addDeadlines(run, deadlines);
    if (wakeAt !== null) this.#advance.wakeAt(entry, wakeAt);
    // Its own place in the queue, or the one that it had and somebody else may have now.
    this.#advance.startQueued(run.dagId);
    if (run.state !== 'queued') this.#launch.warmUp(run.versionId);
  }

  /** Until somebody has looked, what may be paused does not begin. */
  #compareSwitch(dagId: string, isPaused: boolean): void {
    const { paused, options } = this.#memory;
    if (isPaused === paused.has(dagId)) return;
    paused.add(dagId);
    options.onSwitchDiffers(dagId);
  }

  /** Everything is looked at again, and what waits for a time goes on waiting. @returns when the next instance wakes */
  #resume(entry: Entry, plan: Plan): number | null {
    markAll(plan);
    this.#advance.watchTimeout(entry);
    return wakeInstances(plan);
  }

  /** Puts an instance of a freshly read run where it belongs: running ones hold their slots, scheduled ones queue. */
  #attach(entry: Entry, instance: Instance): void {
    const { admission, open, live } = this.#memory;
    const candidate = { run: entry.run, instance };
    if (instance.state === 'running' && instance.executionId !== null) {
      const known = open.get(instance.executionId) ?? this.#memory.openExecution(instance.executionId, Buffer.alloc(0));
      live.set(instance.executionId, { runId: entry.run.id, instance, candidate, open: known });
      admission.occupy(candidate, 1);
    } else if (instance.state === 'deferred') this.#attachWait(entry, instance);
    else if ((instance.state === 'scheduled' || instance.state === 'queued') && instance.wakeAt === null) admission.add(candidate);
  }

  #attachWait(entry: Entry, instance: Instance): void {
    const { admission, waiting, options } = this.#memory;
    const trigger = waitingTriggerOf(entry.run, instance, options.folders.logFile);
    if (trigger !== null) waiting.add(trigger);
    admission.defer({ run: entry.run, instance });
  }

  #suspend(id: RunUuid): void {
    const entry = this.#memory.entries.get(id);
    if (entry === undefined) return;
    this.#memory.suspendEntry(entry);
    this.#launch.forget(entry.run);
  }

  /** What somebody else ended: no commit of this leader says so. */
  #tellEnds(run: RunSnapshot, row: RunRow, wanted: ReadonlySet<ExecutionId>): void {
    const { spans, orphans, open } = this.#memory;
    if (spans === null || !this.#memory.isSuspended(run.id)) return;
    for (const [id, { run: owner, candidate }] of orphans) {
      if (owner !== run.id || candidate === null || wanted.has(id)) continue;
      spans.stop({ id, open: open.get(id) }, candidate, run.tasks[candidate.instance.task.index]?.instances.get(candidate.instance.mapIndex)?.state ?? null);
    }
    if (run.state === 'success' || run.state === 'failed') spans.endForeignRun(run, row);
  }

  /** Its rows are gone, and with them everything of it. */
  #forgetGone(id: RunUuid): void {
    const dagId = this.#memory.dagIdOfSuspended(id);
    this.#memory.dropSuspended(id, new Set());
    this.#memory.waiting.keepOnly(id, new Set());
    if (dagId !== null) this.#advance.startQueued(dagId);
    // Who waited for it waits for the one before it now, or for nobody.
    this.#past.recheckHeld();
    this.#launch.plan();
  }

  /** Somebody else finished it: others may begin in its place. */
  #onFoundFinished(run: RunSnapshot): void {
    this.#memory.admission.forgetRun(run);
    this.#advance.startQueued(run.dagId);
    this.#memory.options.onRunFinished(run);
    this.#advance.lookForCallbacks();
    this.#launch.plan();
  }
}
