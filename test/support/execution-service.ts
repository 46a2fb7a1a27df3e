// A stand-in for the engine behind /execution, for tests of what goes over the wire: it knows callers by their bearers and answers as it was told.
import type { ExecutionReport, ReportAnswer } from '#contract/attempt.ts';
import type { BeginRefusal, BegunExecution, ExecutionService, HeartbeatAnswer, PushedXCom, SkippedTask, TaskCaller } from '#contract/execution-api.ts';
import { AppError } from '#contract/errors.ts';
import type { AttemptId, ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';

/** A caller of a DAG's run. */
export function callerOf(more: Partial<TaskCaller> = {}): TaskCaller {
  return {
    kind: 'execution', executionId: '0190a0a0-0000-7000-8000-00000000000e' as ExecutionId, attemptId: '0190a0a0-0000-7000-8000-000000000001' as AttemptId,
    run: '0190a0a0-0000-7000-8000-00000000000d' as RunUuid, dagId: 'd', runId: 'r', taskId: 't', mapIndex: -1, versionId: '0190a0a0-0000-7000-8000-00000000000f' as VersionId, isOpen: true, ...more,
  };
}

/** Answers of a stand-in; each may be replaced. */
export class StandInService implements ExecutionService {
  readonly callers = new Map<string, TaskCaller>();
  readonly calls: unknown[] = [];
  begun: BegunExecution | BeginRefusal = { spec: { try_number: 1, max_tries: 0 }, rescheduleCount: 0 };
  heartbeatAnswer: HeartbeatAnswer = { kind: 'alive' };
  reportAnswer: ReportAnswer = { kind: 'recorded' };
  /** Thrown by `identify`. */
  failure: Error | null = null;

  identify(bearer: string): Promise<TaskCaller> {
    const caller = this.callers.get(bearer);
    if (this.failure !== null) return Promise.reject(this.failure);
    return caller === undefined ? Promise.reject(new AppError('unauthenticated', 'the token names no execution')) : Promise.resolve(caller);
  }

  begin(_caller: TaskCaller, process: { readonly hostname: string; readonly pid: number; readonly unixname: string }): Promise<BegunExecution | BeginRefusal> {
    return this.#note(['begin', process], this.begun);
  }

  heartbeat(_caller: TaskCaller, process: { readonly hostname: string; readonly pid: number }): Promise<HeartbeatAnswer> {
    return this.#note(['heartbeat', process], this.heartbeatAnswer);
  }

  reportState(_caller: TaskCaller, report: ExecutionReport): Promise<ReportAnswer> {
    return this.#note(['report', report], this.reportAnswer);
  }

  skipDownstream(_caller: TaskCaller, tasks: readonly SkippedTask[]): Promise<void> {
    return this.#note(['skip', tasks], undefined);
  }

  pushXCom(_caller: TaskCaller, xcom: PushedXCom): Promise<void> {
    return this.#note(['push', xcom], undefined);
  }

  deleteXCom(_caller: TaskCaller, xcom: Pick<PushedXCom, 'taskId' | 'mapIndex' | 'key'>): Promise<void> {
    return this.#note(['delete', xcom], undefined);
  }

  setRenderedFields(_caller: TaskCaller, fields: Readonly<Record<string, unknown>>): Promise<void> {
    return this.#note(['fields', fields], undefined);
  }

  setRenderedMapIndex(_caller: TaskCaller, text: string): Promise<void> {
    return this.#note(['map index', text], undefined);
  }

  #note<A>(call: unknown, answer: A): Promise<A> {
    this.calls.push(call);
    return Promise.resolve(answer);
  }
}

/** A request as a test writes it. */
export interface Asking {
  readonly body?: unknown;
  /** Instead of a body of JSON. */
  readonly raw?: string;
  readonly bearer?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}
