// Starts what may run: each execution is bound to a place, committed as running, and only then handed its job.
import type { ReportedError } from '#contract/attempt.ts';
import { type ExecutionId, makeUuidV7, type VersionId } from '#contract/ids.ts';
import type { Candidate } from '#core/admission.ts';
import { originOf } from '#core/plan.ts';
import { recordOutcome } from '#core/plan-run.ts';
import { tellError } from '#core/report-outcome.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import type { Slot } from '#executor/executor.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { CommitQueue } from './commit-queue.ts';
import { type EngineMemory, isWaiting } from './engine-memory.ts';
import { buildSpec } from './execution-spec.ts';
import { recordMove } from './pending-run.ts';
import { makeToken } from './tokens.ts';

/** One per term of leadership. */
export class LaunchTasks {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  /** Candidates whose version's processes are not up yet. */
  readonly #waitingForVersion = new Map<VersionId, Candidate[]>();
  #isPlanned = false;

  constructor(memory: EngineMemory, queue: CommitQueue, advance: AdvanceRuns) {
    this.#memory = memory;
    this.#queue = queue;
    this.#advance = advance;
  }

  /** Launches in a later turn, for events that may come in a row. */
  plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.launch();
    });
  }

  /** Starts what fits: the best candidates first, each bound to a place before it is committed as running. */
  launch(): void {
    const { admission, ending, options, isClosed, isComplete, isHolding } = this.#memory;
    if (isClosed || !isComplete || isHolding) return;
    for (let candidate = admission.take(); candidate !== null; candidate = admission.take()) {
      if (ending.holds(candidate)) {
        admission.release(candidate);
        continue;
      }
      const slot = options.executor.reserve(candidate.run.versionId, candidate.instance.task.task.body.kind === 'node' ? 'node' : 'python');
      if (slot === null) this.#waitForVersion(candidate);
      else this.#start(candidate, slot);
    }
  }

  /** A process is gone: an instance that was cleared while it ran may start anew. */
  onProcessGone(execution: ExecutionId): void {
    const candidate = this.#memory.ending.remove(execution);
    if (candidate === null || this.#memory.entryOf(candidate.run) === null || !isWaiting(candidate.instance)) return;
    this.#memory.admission.add(candidate);
    this.plan();
  }

  /** Has the version's processes started ahead of its first task. */
  warmUp(versionId: VersionId): void {
    const { executor } = this.#memory.options;
    if (executor.explain(versionId) === null) executor.reserve(versionId)?.release();
  }

  /** A run was forgotten: none of its candidates waits any more. */
  forget(run: RunSnapshot): void {
    const waiting = this.#waitingForVersion.get(run.versionId);
    if (waiting === undefined) return;
    const left = waiting.filter((candidate) => candidate.run !== run);
    if (left.length > 0) this.#waitingForVersion.set(run.versionId, left);
    else this.#waitingForVersion.delete(run.versionId);
  }

  /** The executor can start executions of this version now. */
  onVersionReady(versionId: VersionId): void {
    for (const candidate of this.#takeWaiting(versionId)) if (isWaiting(candidate.instance)) this.#memory.admission.add(candidate);
    this.plan();
  }

  /** A version's file does not import here: what waits for it fails as a configuration error, by its retries. */
  onVersionFailed(versionId: VersionId, raw: ReportedError): void {
    const error = storable(raw);
    const text = tellError({ error, cause: 'config' });
    for (const { run, instance } of this.#takeWaiting(versionId)) {
      const entry = this.#memory.entryOf(run);
      // Whatever happened to it in between (a mark, fail_fast, a time-out) counts.
      if (entry === null || !isWaiting(instance)) continue;
      const plan = this.#advance.begin(entry);
      instance.startedAt ??= plan.now;
      const from = instance.state;
      recordOutcome(plan, instance, { outcome: { kind: 'failed', cause: 'config', noRetry: false, reason: text }, limits: this.#memory.limits });
      if (instance.state === 'up_for_retry') this.#memory.spans?.endTry(this.#queue.pendingOf(run), instance, from);
      this.#advance.conclude(entry, plan);
      recordMove(this.#queue.pendingOf(run), instance, { from: instance.state, at: plan.now, error: JSON.stringify({ ...error, during: 'import' }) });
    }
  }

  #takeWaiting(versionId: VersionId): readonly Candidate[] {
    const waiting = this.#waitingForVersion.get(versionId) ?? [];
    this.#waitingForVersion.delete(versionId);
    return waiting;
  }

  #waitForVersion(candidate: Candidate): void {
    this.#memory.admission.release(candidate);
    const { versionId } = candidate.run;
    const waiting = this.#waitingForVersion.get(versionId);
    if (waiting === undefined) this.#waitingForVersion.set(versionId, [candidate]);
    else waiting.push(candidate);
  }

  #start(candidate: Candidate, slot: Slot): void {
    const { run, instance } = candidate;
    const memory = this.#memory;
    const { options } = memory;
    const entry = memory.entryOf(run);
    if (entry === null || instance.attemptId === null || !isWaiting(instance)) {
      memory.admission.release(candidate);
      return slot.release();
    }
    const now = memory.nowMs;
    const executionId = makeUuidV7<ExecutionId>(now);
    const { token, hash: tokenHash } = makeToken();
    const pending = this.#queue.pendingOf(run);
    const from = instance.state;
    if (!pending.changes.has(instance)) pending.changes.set(instance, originOf(instance));
    this.#setRunning(instance, { executionId, now, pid: slot.pid });
    recordMove(pending, instance, { from, at: now });
    pending.started.push({
      id: executionId, attemptId: instance.attemptId, run: run.id, state: 'running', executor: options.executor.kind, host: options.place, handle: slot.handle,
      pid: slot.pid, tokenHash: tokenHash.toString('base64'), startedAt: now,
    });
    const open = memory.openExecution(executionId, tokenHash);
    memory.live.set(executionId, { runId: run.id, instance, candidate, open });
    const spec = buildSpec({ run: entry.row, snapshot: run, instance, executionId, token, config: options.config, folders: options.folders, values: entry.values });
    pending.launches.push(() => slot.launch(spec));
    if (memory.spans !== null) pending.launches.push(() => void (open.begunAt = memory.nowMs));
    pending.releases.push(() => {
      memory.open.delete(executionId);
      slot.release();
    });
    options.reporter.report({ event: 'task.moved', dag_id: run.dagId, run_id: run.runId, task_id: instance.task.id, map_index: instance.mapIndex, from, to: 'running', cause: null, ms: null });
  }

  #setRunning(instance: Instance, start: { executionId: ExecutionId; now: number; pid: number | null }): void {
    // `scheduled` and `running` are both active: the counts do not change, so the state may be set directly.
    instance.state = 'running';
    instance.executionId = start.executionId;
    instance.startedAt ??= start.now;
    instance.endedAt = null;
    instance.pid = start.pid;
    instance.hostname = this.#memory.options.host;
    instance.reason = null;
    // Of the execution before, which was lost; its own row and the history keep it.
    instance.cause = null;
  }
}

/** PostgreSQL stores neither NUL nor lone surrogates; a DAG file may raise either. */
function storable(error: ReportedError): ReportedError {
  const clean = (text: string): string => text.replaceAll('\u0000', '\uFFFD').toWellFormed();
  const { type, message, traceback, place } = error;
  return { type: clean(type), message: clean(message), ...(traceback === undefined ? {} : { traceback: clean(traceback) }), ...(place === undefined ? {} : { place: clean(place) }) };
}
