// The agents' side of a server: what children, trigger hosts and the Task Execution API ask is answered by the leader's term, or refused.
import type { AttemptService, CallAnswer, ConnectionValue, ExecutionReport, ExecutionSpec, ReportAnswer, VariableRequest, XComRequest } from '#contract/attempt.ts';
import type { Dag } from '#contract/dag.ts';
import { AppError } from '#contract/errors.ts';
import type {
  BeginRefusal, BegunExecution, ExecutionService, HeartbeatAnswer, PushedXCom, SkippedTask, TaskCaller, TaskProcess, TriggerEvent, TriggerEventAnswer, TriggerOrders, TriggerService, TriggerWatch,
} from '#contract/execution-api.ts';
import type { ExecutionId, RunUuid, TriggerId } from '#contract/ids.ts';
import { readSecret } from '#store/server-secrets.ts';
import { findXComValue } from '#store/xcom-values.ts';
import { answerLate } from './late-reports.ts';
import type { RecentValues } from './recent-values.ts';
import type { RunEngine } from './run-engine.ts';
import type { SchedulerOptions } from './scheduler-options.ts';
import { findConnection, useVariable } from './secret-access.ts';
import { deriveToken } from './tokens.ts';

/** Who looks something up: its run and its DAG; `values` of its run that memory holds. */
interface Asker { readonly run: RunUuid; readonly dag: Dag; readonly values: RecentValues | null }

/** The scheduler is this; who leads is its own affair. */
export abstract class AgentCalls implements AttemptService, ExecutionService, TriggerService {
  protected readonly options: SchedulerOptions;
  #triggerSecret: Promise<Buffer> | null = null;

  constructor(options: SchedulerOptions) {
    this.options = options;
  }

  /** The engine of the term. Throws `not_leading` without one, and while a take-over goes on. */
  protected abstract current(): RunEngine;

  /** One secret of all servers: what one has handed out, the next leader knows. */
  protected async triggerToken(id: TriggerId): Promise<string> {
    this.#triggerSecret ??= readSecret(this.options.database, 'trigger_tokens');
    try {
      return deriveToken(await this.#triggerSecret, id);
    } catch (error) {
      this.#triggerSecret = null;
      throw error;
    }
  }

  abstract park(child: Parameters<AttemptService['park']>[0]): Promise<ExecutionSpec | null>;

  async report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    const answer = await this.current().report(token, report);
    if (answer.kind === 'recorded') return answer;
    return answerLate(this.options, token, report);
  }

  /** The open execution that a token names, or the callback that is made. Throws `stale` when it is closed. */
  async #askerOf(token: string, id: ExecutionId): Promise<Asker> {
    const engine = this.current();
    const live = engine.authenticate(id, token);
    const context = live === null ? null : engine.runOf(live);
    if (context !== null) return { run: context.run.id, dag: context.run.graph.dag, values: context.values };
    try {
      const { caller, dag } = await engine.calls.findCallback(id, token);
      return { run: caller.run, dag, values: null };
    } catch (error) {
      throw error instanceof AppError && error.code === 'unauthenticated' ? new AppError('stale', 'this execution was closed') : error;
    }
  }

  async findXCom(token: string, executionId: ExecutionId, request: XComRequest): Promise<string | null> {
    const { run, dag, values } = await this.#askerOf(token, executionId);
    const { task_id: taskId, key, map_index: mapIndex, run_id: runId, dag_id: dagId, include_prior_dates: withPriorRuns } = request;
    const recent = runId === undefined && dagId === undefined && mapIndex !== null && withPriorRuns !== true ? (values?.find({ taskId, key, mapIndex }) ?? null) : null;
    if (recent !== null) return recent;
    return findXComValue(this.options.database.pool, { run, dagId: dagId ?? dag.dag_id, runId: runId ?? null, taskId, key, mapIndex, withPriorRuns: withPriorRuns === true }, this.options.values ?? null);
  }

  async useVariable(token: string, executionId: ExecutionId, request: VariableRequest): Promise<string | null> {
    return useVariable(this.options.secrets, (await this.#askerOf(token, executionId)).dag, request);
  }

  async findConnection(token: string, executionId: ExecutionId, connId: string): Promise<ConnectionValue | null> {
    return findConnection(this.options.secrets, (await this.#askerOf(token, executionId)).dag, connId);
  }

  // ── Airflow's Task Execution API ─────────────────────────────────────────────────────────────────────────────────

  async identify(bearer: string): Promise<TaskCaller> {
    return this.current().calls.identify(bearer);
  }

  async begin(caller: TaskCaller, process: TaskProcess & { readonly unixname: string }): Promise<BegunExecution | BeginRefusal> {
    return this.current().calls.begin(caller, process);
  }

  async heartbeat(caller: TaskCaller, process: TaskProcess): Promise<HeartbeatAnswer> {
    return this.current().calls.heartbeat(caller, process);
  }

  async reportState(caller: TaskCaller, report: ExecutionReport): Promise<ReportAnswer> {
    return this.current().calls.reportState(caller, report);
  }

  async skipDownstream(caller: TaskCaller, tasks: readonly SkippedTask[]): Promise<void> {
    return this.current().calls.skipDownstream(caller, tasks);
  }

  async pushXCom(caller: TaskCaller, xcom: PushedXCom): Promise<void> {
    return this.current().calls.pushXCom(caller, xcom);
  }

  async deleteXCom(caller: TaskCaller, xcom: Pick<PushedXCom, 'taskId' | 'mapIndex' | 'key'>): Promise<void> {
    return this.current().calls.deleteXCom(caller, xcom);
  }

  async setRenderedFields(caller: TaskCaller, fields: Readonly<Record<string, unknown>>): Promise<void> {
    return this.current().calls.setRenderedFields(caller, fields);
  }

  async setRenderedMapIndex(caller: TaskCaller, text: string): Promise<void> {
    return this.current().calls.setRenderedMapIndex(caller, text);
  }

  // ── trigger hosts ────────────────────────────────────────────────────────────────────────────────────────────────

  async watchTriggers(watch: TriggerWatch, gone: AbortSignal): Promise<TriggerOrders> {
    return this.current().waiting.watch(watch, gone);
  }

  async answerCall(id: string, answer: CallAnswer): Promise<void> {
    const { callbacks } = this.current();
    const isCallback = callbacks.isMaking(id);
    if (isCallback) await callbacks.take(id, answer);
    // Nobody here has asked: a leader before did, for a callback.
    if (!this.options.executor.answerCall(id, answer) && !isCallback) await callbacks.take(id, answer);
  }

  async takeTriggerEvents(_forkServerId: string, events: readonly TriggerEvent[]): Promise<readonly TriggerEventAnswer[]> {
    const { watchers, triggerEvents } = this.current();
    const watched = events.filter(({ trigger_id: id }) => watchers.has(id));
    if (watched.length === 0) return triggerEvents.take(events);
    const waited = events.filter(({ trigger_id: id }) => !watchers.has(id));
    return (await Promise.all([watchers.take(watched), triggerEvents.take(waited)])).flat();
  }
}
