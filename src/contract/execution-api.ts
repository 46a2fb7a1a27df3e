// Airflow's Task Execution API as the engine serves it: who asks, what the leader does for an execution, and what a trigger host is told.
// Wire shapes of /execution itself are in src/api/execution; these are the calls behind it (Airflow 3.2.1, API version 2026-04-06).
import type { CallAnswer, ExecutionReport, ExecutionSpec, ReportAnswer } from './attempt.ts';
import type { AttemptId, ExecutionId, RunUuid, TriggerId, VersionId } from './ids.ts';
import type { TaskState } from './states.ts';

/** Who a bearer `<id>.<token>` names: an execution, a trigger that acts for the execution which deferred, or a callback with the rights of its DAG. */
export interface TaskCaller {
  readonly kind: 'execution' | 'trigger' | 'callback';
  readonly executionId: ExecutionId;
  readonly attemptId: AttemptId;
  readonly run: RunUuid;
  readonly dagId: string;
  readonly runId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly versionId: VersionId;
  /** False: the execution has ended. For a while it may still write XComs (links are pushed after the report) and read; nothing else. */
  readonly isOpen: boolean;
}

/** The process that runs an execution, as Airflow names it. */
export interface TaskProcess {
  readonly hostname: string;
  readonly pid: number;
}

/** What `run` answers with beside the DAG run itself. */
export interface BegunExecution {
  readonly spec: Pick<ExecutionSpec, 'try_number' | 'max_tries' | 'may_retry' | 'resume'>;
  /** Earlier executions of this try that ended in a reschedule. */
  readonly rescheduleCount: number;
}

/** Why a call cannot be taken; each is one answer of Airflow's. */
export type BeginRefusal =
  | { readonly kind: 'invalid_state'; readonly previousState: TaskState }
  | { readonly kind: 'not_found' };

/** Why a running process should end itself (Airflow's 409 and 410 of a heartbeat). */
export type HeartbeatAnswer =
  | { readonly kind: 'alive' }
  | { readonly kind: 'running_elsewhere'; readonly hostname: string; readonly pid: number }
  | { readonly kind: 'not_running'; readonly state: TaskState }
  /** The try is history: it was cleared, or another try has begun. */
  | { readonly kind: 'gone' };

/** A task whose instances are skipped; `mapIndex` null: all of them. */
export interface SkippedTask {
  readonly taskId: string;
  readonly mapIndex: number | null;
}

/** An XCom written while its task runs. `value` is JSON text; its UTF-8 bytes are the value. */
export interface PushedXCom {
  readonly taskId: string;
  readonly mapIndex: number;
  readonly key: string;
  readonly value: string;
  readonly mappedLength: number | null;
}

/** What the leader does for executions that speak Airflow's API. Every method throws `not_leading` on another server: the caller asks again. */
export interface ExecutionService {
  /** Throws `unauthenticated` when the bearer names nobody or the token is not its own. */
  identify(bearer: string): Promise<TaskCaller>;
  /**
   * The process says that it begins (PATCH run). Durable when it resolves: a second process of the same execution is refused
   * with `invalid_state`, the same one asked again is answered again.
   */
  begin(caller: TaskCaller, process: TaskProcess & { readonly unixname: string }): Promise<BegunExecution | BeginRefusal>;
  heartbeat(caller: TaskCaller, process: TaskProcess): Promise<HeartbeatAnswer>;
  /** Ends the execution. Airflow's six state payloads become one report; see `reportOfState` in src/api/execution. */
  reportState(caller: TaskCaller, report: ExecutionReport): Promise<ReportAnswer>;
  /** Skips instances of the caller's run at once, but for those that run or have ended by success or failure. */
  skipDownstream(caller: TaskCaller, tasks: readonly SkippedTask[]): Promise<void>;
  /** Visible to everybody when it resolves. Throws `xcom_too_large`; `stale` when another try of the instance has begun. */
  pushXCom(caller: TaskCaller, xcom: PushedXCom): Promise<void>;
  deleteXCom(caller: TaskCaller, xcom: Pick<PushedXCom, 'taskId' | 'mapIndex' | 'key'>): Promise<void>;
  /** JSON object of field to JSON value, as the UI shows them. */
  setRenderedFields(caller: TaskCaller, fields: Readonly<Record<string, unknown>>): Promise<void>;
  setRenderedMapIndex(caller: TaskCaller, text: string): Promise<void>;
}

// ── triggers ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an execution that defers asks for (Airflow's TIDeferredStatePayload). `kwargs` and `next_kwargs` are JSON text in the Task SDK's own serialization. */
export interface Deferral {
  readonly classpath: string;
  readonly kwargs: string;
  readonly timeout_seconds: number | null;
  readonly next_method: string;
  readonly next_kwargs: string;
  readonly queue?: string | null;
}

/** One trigger as its host gets it. The bearer of its own calls to /execution is `<id>.<token>`. */
export interface TriggerOrder {
  readonly id: TriggerId;
  readonly classpath: string;
  readonly kwargs: string;
  readonly token: string;
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly attempt_id: AttemptId;
  /** Where its log lines go: the log of the execution that deferred. */
  readonly log_file?: string;
}

/** A trigger that watches for something outside for as long as a DAG wants it: it ends and fails as it likes, and is begun again. `watches` names the asset. */
export interface WatchOrder {
  readonly id: TriggerId;
  readonly classpath: string;
  /** JSON text in Airflow's serialization of DAGs. */
  readonly kwargs: string;
  readonly token: string;
  readonly dag_id: string;
  readonly watches: string;
}

/** A host says which triggers it runs; the answer comes when that differs from what it should run, at the latest after `waitMs`. */
export interface TriggerWatch {
  readonly fork_server: string;
  readonly pid: number;
  readonly running: readonly TriggerId[];
  /** Those that were called off and still clean up: they may look things up meanwhile. */
  readonly ending?: readonly TriggerId[];
}

/** `stop`: nothing waits any more, the host ends. */
export interface TriggerOrders {
  readonly create: readonly (TriggerOrder | WatchOrder)[];
  readonly cancel: readonly TriggerId[];
  readonly stop: boolean;
}

/** What became of a trigger. JSON texts are in the Task SDK's own serialization. `ended` sets the task's state without running it again. `told_id` names one event of a trigger that has many. */
export type TriggerEvent =
  | { readonly trigger_id: TriggerId; readonly kind: 'event'; readonly payload: string; readonly told_id?: string }
  | { readonly trigger_id: TriggerId; readonly kind: 'failed'; readonly error: string; readonly traceback: readonly string[] }
  | { readonly trigger_id: TriggerId; readonly kind: 'ended'; readonly state: 'success' | 'failed' | 'skipped'; readonly xcoms: readonly { readonly key: string; readonly value: string }[] };

/** `stale`: the trigger is not waited for any more; nothing was changed. Either way the host may forget it. */
export interface TriggerEventAnswer {
  readonly trigger_id: TriggerId;
  readonly kind: 'recorded' | 'stale';
}

/** What the agent API does for trigger hosts and for children that make calls; the scheduler implements it. */
export interface TriggerService {
  watchTriggers(watch: TriggerWatch, gone: AbortSignal): Promise<TriggerOrders>;
  /** Each event is recorded exactly once, in one commit with what follows from it. */
  takeTriggerEvents(forkServerId: string, events: readonly TriggerEvent[]): Promise<readonly TriggerEventAnswer[]>;
  /** What a call came to that the executor was asked for. */
  answerCall(id: string, answer: CallAnswer): Promise<void>;
}
