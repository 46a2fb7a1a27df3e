// What the leader does for executions that speak Airflow's Task Execution API, besides taking their reports.
import { AppError } from '#contract/errors.ts';
import type { ExecutionReport, ReportAnswer, SkipDecision } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import type { BeginRefusal, BegunExecution, ExecutionService, HeartbeatAnswer, PushedXCom, SkippedTask, TaskCaller, TaskProcess } from '#contract/execution-api.ts';
import { type ExecutionId, isUuid, type TriggerId } from '#contract/ids.ts';
import { finish, type Plan, touch } from '#core/plan.ts';
import { isRetryEligible } from '#core/retry.ts';
import { forgetLength, type Instance } from '#core/run-snapshot.ts';
import { monotonicMs } from '#platform/clock.ts';
import { findCallbackCaller } from '#store/callbacks.ts';
import type { Database } from '#store/database.ts';
import { recordLateReport } from '#store/executions.ts';
import { deletePushedXCom, pushXCom, type PushResult } from '#store/pushed-xcoms.ts';
import { beginExecution, findKnownExecution, findStanding, setRenderedFields, type Standing } from '#store/task-calls.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { AssetWatchers } from './asset-watchers.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { EngineMemory, Entry, Live } from './engine-memory.ts';
import type { CommitResult } from './pending-run.ts';
import { inlineXComs, type PlacedXCom, placeXComs, rememberXCom } from './place-xcoms.ts';
import type { ReadRuns } from './read-runs.ts';
import { skipDecisionOf } from './skip-decision.ts';
import type { TakeReports } from './take-reports.ts';
import { hashOf, tokenFits } from './tokens.ts';
import type { WaitingTrigger } from './waiting-triggers.ts';

/** After its end an execution may go on writing for so long: the SDK pushes links when it has reported. */
const AFTERWARDS_MS = 15 * 60_000;
/** A run that keeps changing is planned on so often; the caller asks again. */
const ATTEMPTS = 5;
/** The XCom by which Airflow's branches remember what they chose. */
const SKIPS_KEY = 'skipmixin_key';

const unknown = (): AppError => new AppError('unauthenticated', 'the token names no execution that runs, and no trigger that is waited for');

/** One per term of leadership. */
export class TaskCalls implements ExecutionService {
  readonly #memory: EngineMemory;
  readonly #database: Database;
  readonly #epoch: number;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  readonly #reads: ReadRuns;
  readonly #reports: TakeReports;
  readonly #watchers: AssetWatchers;

  constructor(memory: EngineMemory, queue: CommitQueue, parts: { database: Database; epoch: number; advance: AdvanceRuns; reads: ReadRuns; reports: TakeReports; watchers: AssetWatchers }) {
    this.#memory = memory;
    this.#queue = queue;
    this.#database = parts.database;
    this.#epoch = parts.epoch;
    this.#advance = parts.advance;
    this.#reads = parts.reads;
    this.#reports = parts.reports;
    this.#watchers = parts.watchers;
  }

  async identify(bearer: string): Promise<TaskCaller> {
    const dot = bearer.indexOf('.');
    const [id, token] = [bearer.slice(0, dot), bearer.slice(dot + 1)];
    if (!isUuid(id)) throw unknown();
    const trigger = this.#findTrigger(id as TriggerId);
    if (trigger !== null) return this.#triggerCaller(trigger.id, token);
    const executionId = id as ExecutionId;
    await this.#reads.untilTried(executionId);
    const live = this.#memory.authenticate(executionId, token);
    return live === null ? this.#formerCaller(executionId, token) : callerOf(live, executionId);
  }

  #findTrigger(id: TriggerId): WaitingTrigger | null {
    const { waiting } = this.#memory;
    return waiting.find(id) ?? waiting.findFormer(id);
  }

  /** It acts for the execution that deferred, as long as it is waited for; called off, it may look things up while it cleans up. */
  async #triggerCaller(id: TriggerId, token: string): Promise<TaskCaller> {
    const wanted = await this.#memory.options.triggerToken(id);
    const trigger = this.#findTrigger(id);
    if (trigger === null || !tokenFits(token, hashOf(wanted))) throw unknown();
    const { order, run, versionId, executionId } = trigger;
    // A task that deferred before it ran has no execution: its trigger's id stands for one, and names none.
    return { kind: 'trigger', executionId: executionId ?? (id as string as ExecutionId), attemptId: order.attempt_id, run, dagId: order.dag_id, runId: order.run_id, taskId: order.task_id, mapIndex: order.map_index, versionId, isOpen: this.#memory.waiting.find(id) !== null };
  }

  async #formerCaller(id: ExecutionId, token: string): Promise<TaskCaller> {
    const known = await findKnownExecution(this.#database.pool, id);
    if (known === null) return this.#callerWithoutTask(id, token);
    if (!tokenFits(token, known.tokenHash)) throw unknown();
    const { tokenHash: _, endedMsAgo, ...caller } = known;
    if (endedMsAgo === null) throw new AppError('not_leading', 'the run of this execution is not in memory yet');
    if (endedMsAgo > AFTERWARDS_MS) throw unknown();
    return { ...caller, kind: 'execution', isOpen: false };
  }

  /** It has the rights of its DAG while it is made. */
  async #callerWithoutTask(id: string, token: string): Promise<TaskCaller> {
    const watcher = this.#watchers.callerOf(id as TriggerId);
    const caller = watcher ?? (await findCallbackCaller(this.#database.pool, id));
    if (caller === null || !tokenFits(token, hashOf(await this.#memory.options.triggerToken(id as TriggerId)))) throw unknown();
    return { ...caller, kind: 'callback', isOpen: true };
  }

  /** A callback that is made under our own runtime, with its DAG. Throws `unauthenticated`. */
  async findCallback(id: string, token: string): Promise<{ readonly caller: TaskCaller; readonly dag: Dag }> {
    const caller = await this.#callerWithoutTask(id, token);
    const graph = await this.#memory.options.graphOf(caller.versionId);
    if (graph === null) throw unknown();
    return { caller, dag: graph.dag };
  }

  async #liveOf({ kind, executionId }: TaskCaller): Promise<Live | null> {
    await this.#reads.untilTried(executionId);
    if (this.#memory.isClosed) throw new AppError('not_leading', 'this server does not lead any more');
    return kind === 'execution' ? (this.#memory.live.get(executionId) ?? null) : null;
  }

  async begin(caller: TaskCaller, process: TaskProcess & { readonly unixname: string }): Promise<BegunExecution | BeginRefusal> {
    const reschedules = caller.kind === 'execution' && caller.isOpen ? await beginExecution(this.#database.pool, caller.executionId, process) : null;
    const live = reschedules === null ? null : await this.#liveOf(caller);
    if (reschedules === null || live === null) return this.#refusal(caller);
    live.open.process = { hostname: process.hostname, pid: process.pid };
    live.open.heardMs = monotonicMs();
    const { tryNumber, maxTries, task, wait } = live.instance;
    const resume = wait?.isOver === true ? { resume: { next_method: wait.nextMethod, next_kwargs: wait.nextKwargs } } : {};
    return { spec: { try_number: tryNumber, max_tries: maxTries, may_retry: isRetryEligible(tryNumber, maxTries, task.task.retries ?? 0), ...resume }, rescheduleCount: reschedules };
  }

  async #refusal({ kind, executionId }: TaskCaller): Promise<BeginRefusal> {
    const standing = kind === 'execution' ? await findStanding(this.#database.pool, executionId) : null;
    return standing?.instance ? { kind: 'invalid_state', previousState: standing.instance.state } : { kind: 'not_found' };
  }

  async heartbeat(caller: TaskCaller, process: TaskProcess): Promise<HeartbeatAnswer> {
    const live = await this.#liveOf(caller);
    if (live === null || live.open.process === null) {
      const standing = await findStanding(this.#database.pool, caller.executionId);
      if (live !== null && standing !== null) live.open.process = standing.process;
      if (live === null) return judgeClosed(caller, standing, process);
    }
    const known = live.open.process;
    if (known === null) return { kind: 'not_running', state: 'queued' };
    if (!isSame(known, process)) return { kind: 'running_elsewhere', ...known };
    live.open.heardMs = monotonicMs();
    return { kind: 'alive' };
  }

  /** Late ones are kept as history. Throws `forbidden` when the report is another's. */
  async reportState(caller: TaskCaller, report: ExecutionReport): Promise<ReportAnswer> {
    if (caller.kind !== 'execution' || report.execution_id !== caller.executionId) throw new AppError('forbidden', 'an execution reports for itself only');
    const answer = await this.#reports.take(report, () => this.#memory.live.get(caller.executionId) ?? null);
    if (answer.kind === 'recorded') return answer;
    this.#memory.options.reporter.report({ event: 'report.stale', execution_id: report.execution_id });
    await recordLateReport(this.#database.pool, report.execution_id, report.outcome);
    const standing = await findStanding(this.#database.pool, report.execution_id);
    return { kind: 'stale', state: standing?.instance?.state ?? null };
  }

  async skipDownstream(caller: TaskCaller, tasks: readonly SkippedTask[]): Promise<void> {
    await this.#change(caller, (plan, own) => {
      for (const { taskId, mapIndex } of tasks) {
        const instances = plan.run.tasks[plan.run.graph.byId.get(taskId) ?? -1]?.instances;
        for (const instance of instances?.values() ?? []) if (mapIndex === null || instance.mapIndex === mapIndex) skip(plan, instance, own);
      }
    });
  }

  async setRenderedMapIndex(caller: TaskCaller, text: string): Promise<void> {
    await this.#change(caller, (plan, own) => {
      touch(plan, own);
      own.renderedMapIndex = text;
    });
  }

  /** A planned change by a running execution, committed with what follows. Throws `stale` when it is closed. */
  async #change(caller: TaskCaller, change: (plan: Plan, own: Instance) => void): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const live = await this.#liveOf(caller);
      if (live === null) throw new AppError('stale', 'this execution was closed');
      const entry = this.#memory.entries.get(live.runId);
      if (entry === undefined) continue;
      const plan = this.#advance.begin(entry);
      change(plan, live.instance);
      const done = new Promise<CommitResult>((resolve) => this.#queue.pendingOf(entry.run).waiters.push(resolve));
      this.#advance.conclude(entry, plan);
      const result = await done;
      if (result.kind === 'moved') return;
      if (result.kind === 'error') throw result.error;
    }
    throw new AppError('not_leading', 'the run keeps changing under this call');
  }

  async pushXCom(caller: TaskCaller, xcom: PushedXCom): Promise<void> {
    refuseForeign(caller, xcom);
    const dag = (await this.#memory.options.graphOf(caller.versionId))?.dag;
    const limit = dag?.xcom?.max_bytes ?? this.#memory.options.config.LEOFLOW_XCOM_MAX_BYTES;
    const bytes = Buffer.byteLength(xcom.value);
    if (bytes > limit) throw new AppError('xcom_too_large', `the XCom ${xcom.key} has ${bytes} bytes, the limit is ${limit}`);
    const ttlSeconds = dag?.xcom?.ttl_seconds ?? null;
    const placed = await this.#place(caller, xcom, ttlSeconds);
    this.#refuseUnlessWritten(await pushXCom(this.#database.pool, { ...caller, epoch: this.#epoch }, { ...placed, ttlSeconds }));
    if (placed.location !== null) this.#memory.options.values?.store.confirmValues([placed.location]).catch(() => undefined);
    this.#learn(caller, (entry, instance) => rememberXCom(entry, instance, placed));
    if (xcom.key === SKIPS_KEY) await this.#rememberSkips(caller, skipDecisionOf(xcom.value));
  }

  async #place(caller: TaskCaller, { key, value, mappedLength }: PushedXCom, ttlSeconds: number | null): Promise<PlacedXCom> {
    const { values } = this.#memory.options;
    const xcoms = [{ key, value, mapped_length: mappedLength }];
    const mark = { epoch: this.#epoch, atMs: this.#memory.nowMs, run: caller.run };
    const [placed] = values === null ? inlineXComs(xcoms) : (await placeXComs(values.store, { owner: caller.executionId, xcoms }, { ttlSeconds, mark })).xcoms;
    if (placed === undefined) throw new Error('a value was placed nowhere');
    return placed;
  }

  /** Its downstream tasks are judged by it as soon as it has ended; the report says nothing of it. */
  async #rememberSkips(caller: TaskCaller, skips: SkipDecision | null): Promise<void> {
    if (skips === null || !caller.isOpen || caller.kind !== 'execution') return;
    await this.#change(caller, (plan, own) => {
      touch(plan, own);
      own.skips = skips;
    });
  }

  async deleteXCom(caller: TaskCaller, xcom: Pick<PushedXCom, 'taskId' | 'mapIndex' | 'key'>): Promise<void> {
    refuseForeign(caller, xcom);
    this.#refuseUnlessWritten(await deletePushedXCom(this.#database.pool, { ...caller, epoch: this.#epoch }, xcom.key));
    this.#learn(caller, (entry, instance) => {
      forgetLength(entry.run, instance, xcom.key);
      entry.values.forget({ taskId: xcom.taskId, mapIndex: xcom.mapIndex });
    });
  }

  #refuseUnlessWritten(result: PushResult): void {
    if (result === 'not_leading') throw new AppError('not_leading', 'another server leads now');
    if (result === 'stale') throw new AppError('stale', 'another try of this task instance has begun, nothing was changed');
  }

  /** What was written beside the planner is told to it, unless it reads the run just now: then it reads once more. */
  #learn(caller: TaskCaller, learn: (entry: Entry, instance: Instance) => void): void {
    if (this.#reads.readAgain(caller.run)) return;
    const entry = this.#memory.entries.get(caller.run);
    const instance = entry?.run.tasks[entry.run.graph.byId.get(caller.taskId) ?? -1]?.instances.get(caller.mapIndex);
    if (entry !== undefined && instance?.attemptId === caller.attemptId) learn(entry, instance);
  }

  async setRenderedFields(caller: TaskCaller, fields: Readonly<Record<string, unknown>>): Promise<void> {
    await setRenderedFields(this.#database.pool, caller.attemptId, JSON.stringify(fields, (_, value: unknown) => (typeof value === 'string' ? storable(value) : value)));
  }
}

/** PostgreSQL stores neither NUL nor lone surrogates. */
function storable(text: string): string {
  return text.replaceAll('\u0000', '\uFFFD').toWellFormed();
}

function callerOf({ instance, candidate, runId }: Live, executionId: ExecutionId): TaskCaller {
  const { run } = candidate;
  const { attemptId, mapIndex, task } = instance;
  if (attemptId === null) throw unknown();
  return { kind: 'execution', executionId, attemptId, run: runId, dagId: run.dagId, runId: run.runId, taskId: task.id, mapIndex, versionId: run.versionId, isOpen: true };
}

/** Host and process are compared before the state, as Airflow does. */
function judgeClosed(caller: TaskCaller, standing: Standing | null, process: TaskProcess): HeartbeatAnswer {
  const instance = standing?.instance ?? null;
  if (standing === null || instance === null || instance.attemptId !== caller.attemptId) return { kind: 'gone' };
  if (standing.process !== null && !isSame(standing.process, process)) return { kind: 'running_elsewhere', ...standing.process };
  // The same try goes on in another execution.
  if (instance.state === 'running' && instance.executionId !== caller.executionId) return { kind: 'running_elsewhere', hostname: instance.hostname ?? '', pid: instance.pid ?? 0 };
  return { kind: 'not_running', state: instance.state };
}

function isSame(a: TaskProcess, b: TaskProcess): boolean {
  return a.hostname === b.hostname && a.pid === b.pid;
}

/** Those that run, and those that have ended by success or failure, are left alone. */
function skip(plan: Plan, instance: Instance, by: Instance): void {
  if (instance.state === 'running' || instance.state === 'success' || instance.state === 'failed' || instance.state === 'skipped') return;
  touch(plan, instance);
  instance.startedAt = plan.now;
  instance.endedAt = null;
  instance.reason = `skipped by ${by.task.id}`;
  finish(plan, instance, 'skipped');
}

function refuseForeign(caller: TaskCaller, xcom: Pick<PushedXCom, 'taskId' | 'mapIndex'>): void {
  if (xcom.taskId !== caller.taskId || xcom.mapIndex !== caller.mapIndex) throw new AppError('forbidden', `a task writes its own XComs only, and ${caller.taskId} is not ${xcom.taskId}[${xcom.mapIndex}]`);
}
