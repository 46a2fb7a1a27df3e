// The agent protocol: what one execution is told, what it reports, and how server, launcher and fork servers talk.
import type { Deferral } from './execution-api.ts';
import type { AttemptId, ExecutionId, RunUuid, VersionId } from './ids.ts';
import type { Cause, RunType, TaskState } from './states.ts';

/** What an execution needs to run its task. Sent once, over one connection, after `running` is durable. */
export interface ExecutionSpec {
  readonly execution_id: ExecutionId;
  /** Airflow's task-instance id of this try. */
  readonly attempt_id: AttemptId;
  /** Names this execution; every later call carries it as `Authorization: Bearer`. Dies with the execution. */
  readonly token: string;
  readonly dag_id: string;
  readonly version_id: VersionId;
  readonly task_id: string;
  /** −1 when the task is not mapped. */
  readonly map_index: number;
  readonly try_number: number;
  readonly max_tries: number;
  /** Another try follows should this one fail, unless its report says `no_retry` or it is cancelled: decides between on_retry_callback and on_failure_callback. Absent: none follows. */
  readonly may_retry?: boolean;
  readonly run: {
    readonly id: RunUuid;
    readonly run_id: string;
    readonly run_type: RunType;
    readonly logical_date: string | null;
    readonly data_interval_start: string | null;
    readonly data_interval_end: string | null;
    readonly run_after: string;
    readonly start_date: string | null;
    readonly queued_at: string | null;
    readonly conf: unknown;
    readonly triggering_user_name: string | null;
    /** End of the interval after this run's, for operators that may skip: until then the run is the latest. Null: there is none. */
    readonly next_interval_end?: string | null;
  };
  /** For a mapped task: the instance counts that its index was made of, one per expanded argument or group level. */
  readonly lengths?: Readonly<Record<string, number>>;
  /** Where the execution appends its structured log (NDJSON), when it shares a disk with the server. */
  readonly log_file?: string;
  /** Where it appends a line, its id and its report, while it reports: a leader reads it when the report never comes. Common to all executions of a home folder. */
  readonly outcome_file?: string;
  readonly xcom_max_bytes: number;
  /** Values of declared inputs that the server had at hand: `task_id/key` → JSON text, or a list of them by map index. */
  readonly xcoms?: Readonly<Record<string, string>>;
  /** First start of this try (ISO), for sensors in reschedule mode. */
  readonly first_start?: string;
  readonly execution_timeout_seconds?: number;
  /** The try goes on after a deferral: the method to call instead of `execute`, and its arguments (JSON text in the Task SDK's serialization, the event among them). */
  readonly resume?: { readonly next_method: string; readonly next_kwargs: string };
  /** Set in the task's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A value pushed by an execution. It becomes visible only with the outcome, in the same commit. */
export interface ReportedXCom {
  readonly key: string;
  /** JSON text exactly as the producer wrote it; its UTF-8 bytes are the value. */
  readonly value: string;
  /** Length when the value is a list or a dict, else null. Planning a mapping reads this and never the value. */
  readonly mapped_length: number | null;
}

/** An asset that a task has updated. With `alias` the asset belongs to that alias from now on; `extra` is JSON. */
export interface ReportedAssetEvent {
  readonly name: string;
  readonly uri: string;
  readonly group?: string;
  readonly extra: unknown;
  readonly alias?: string;
  /** The asset's own extra, where the alias makes the asset. */
  readonly asset_extra?: unknown;
}

/** A Python exception: class name, text (may be cut), traceback as Python prints it (its end, when it is long), and where in the author's files it came from (`daily.py:12`). */
export interface ReportedError {
  readonly type: string;
  readonly message: string;
  readonly traceback?: string;
  readonly place?: string;
}

/** The one report that ends an execution. */
export interface ExecutionReport {
  readonly execution_id: ExecutionId;
  readonly outcome: 'success' | 'failed' | 'skipped' | 'up_for_reschedule' | 'deferred' | 'removed' | 'upstream_failed';
  /** With `failed`: the cause; default `user_error`. */
  readonly cause?: Cause;
  /** With `failed`: its process has ended before it could make its callbacks, so the server asks for them. */
  readonly without_callbacks?: boolean;
  /** With `failed`: no retry, whatever is left (AirflowFailException, a sensor's time-out). */
  readonly no_retry?: boolean;
  /** With `failed`, and with `skipped` when the task said why. */
  readonly error?: ReportedError;
  readonly xcoms?: readonly ReportedXCom[];
  /** Branch and short circuit: direct downstream tasks to follow (others are skipped), or to skip. */
  readonly skips?: SkipDecision;
  /** With `up_for_reschedule`: seconds from now until the next poke. */
  readonly reschedule_in_seconds?: number;
  /** With `deferred`: what the task waits for. */
  readonly deferral?: Deferral;
  /** With `success`: events of assets, registered in the same commit. */
  readonly asset_events?: readonly ReportedAssetEvent[];
  readonly started_at: string;
  readonly ended_at: string;
  readonly rendered_map_index?: string;
  readonly rendered_fields?: Readonly<Record<string, unknown>>;
  readonly exit_code?: number;
  /** What could not be written of the log, e.g. because the disk was full. */
  readonly log_gap?: { readonly bytes: number; readonly reason: string };
}

/** Airflow's `skipmixin_key`: exactly one of the two lists. Task ids of direct downstream tasks. `all` skips every transitive one. */
export interface SkipDecision {
  readonly followed?: readonly string[];
  readonly skipped?: readonly string[];
  readonly all?: boolean;
}

/** Answer to a report. `stale`: the execution was closed before; the report is kept as history and changes nothing. */
export type ReportAnswer = { readonly kind: 'recorded' } | { readonly kind: 'stale'; readonly state: TaskState };

/** How a child or agent names a value it wants. `map_index` null asks for all indexes of a mapped task, in order. */
export interface XComRequest {
  readonly run_id?: string;
  readonly dag_id?: string;
  readonly task_id: string;
  readonly key: string;
  readonly map_index: number | null;
  /** Values of the DAG's earlier runs count as well: the newest, or with `map_index` null all of them. */
  readonly include_prior_dates?: boolean;
}

/** A connection as a task gets it, in Airflow's words; `extra` is JSON text. */
export interface ConnectionValue {
  readonly conn_id: string;
  readonly conn_type: string | null;
  readonly description: string | null;
  readonly host: string | null;
  readonly login: string | null;
  readonly password: string | null;
  readonly schema: string | null;
  readonly port: number | null;
  readonly extra: string | null;
}

/** Values by key and id, for a file that asks for them while it is imported. */
export interface ImportSecrets {
  readonly variables: Readonly<Record<string, string>>;
  readonly connections: Readonly<Record<string, ConnectionValue>>;
}

/** What an execution may ask about variables. A value is text; what JSON it holds is the reader's business. */
export type VariableRequest =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'set'; readonly key: string; readonly value: string; readonly description: string | null }
  | { readonly op: 'delete'; readonly key: string };

/** What runs a task's code on this machine: our Python, or the project's Node. Children are parked per kind. */
export type BodyRuntime = 'python' | 'node';

/**
 * Work of a version that is no task, made in its own environment: a question about its timetable (`ask`), or callbacks.
 * `body` is JSON text for leoflow.airflow_runtime.calls; `token` is the bearer of its own calls to /execution.
 */
export interface VersionCall {
  readonly id: string;
  readonly kind: 'ask' | 'callbacks';
  readonly body: string;
  readonly token?: string;
  readonly log_file?: string;
  readonly timeout_seconds: number;
}

/** What a call came to; `value` is JSON text. */
export type CallAnswer = { readonly kind: 'done'; readonly value: string } | { readonly kind: 'failed'; readonly error: ReportedError };

// ── launcher and fork servers: newline-delimited JSON over unix sockets in the home folder ──────────────────────────

/** What a fork server serves: one DAG version, imported once. */
export interface ForkServerSpec {
  readonly id: string;
  readonly version_id: VersionId;
  readonly dag_id: string;
  /** Folder with the version's sources; becomes sys.path[0] and holds `dag_file`. */
  readonly root: string;
  readonly dag_file: string;
  /** Further import folders, e.g. the live project folder in `lite`. */
  readonly path: readonly string[];
  readonly python: string;
  /** `airflow`: the file is imported by the project's own Task SDK, and its supervisor runs the tasks. Absent: our own runtime. */
  readonly runtime?: 'airflow';
  readonly env: Readonly<Record<string, string>>;
  /** What the DAG file reads while it is imported. It is handed over in memory and written nowhere. */
  readonly import_secrets?: ImportSecrets;
  /** With bodies in Node: its interpreter, the program that runs one body, and the modules it imports before it parks. */
  readonly node?: { readonly interpreter: string; readonly runner: string; readonly modules: readonly string[] };
  /** Where it writes what the DAG file prints at import. */
  readonly log_file: string;
  readonly import_timeout_seconds: number;
}

/** Server to launcher. One of an epoch older than the last `hello` is answered with `refused`. */
export type ToLauncher =
  | { readonly op: 'hello'; readonly epoch: number }
  | { readonly op: 'start'; readonly epoch: number; readonly fork_server: ForkServerSpec }
  | { readonly op: 'stop_fork_server'; readonly epoch: number; readonly id: string }
  | { readonly op: 'shutdown'; readonly epoch: number };

/** Launcher to server. `import_ms` is the time the DAG file took to import; `failed` means that it does not; `signal` is null after an ordinary exit. */
export type FromLauncher =
  | { readonly op: 'hello'; readonly pid: number; readonly epoch: number; readonly fork_servers: readonly RunningForkServer[] }
  | { readonly op: 'refused'; readonly epoch: number }
  /** Every few seconds: it is there. */
  | { readonly op: 'alive' }
  | { readonly op: 'started'; readonly fork_server: RunningForkServer; readonly import_ms: number }
  | { readonly op: 'failed'; readonly id: string; readonly error: ReportedError }
  | { readonly op: 'exited'; readonly id: string; readonly status: number; readonly signal: number | null };

/** A fork server that outlived the server which asked for it; `socket` is where a new leader reaches it. */
export interface RunningForkServer {
  readonly id: string;
  readonly version_id: VersionId;
  readonly pid: number;
  readonly socket: string;
}

/** Server to fork server; only the first message of a connection may be `hello`. */
export type ToForkServer =
  /** First message of a leader. Raises the epoch; messages of an older one are refused from then on. Parked children of older epochs are ended. */
  | { readonly op: 'hello'; readonly epoch: number; readonly agent_socket: string }
  /** Fork that many children which park on the agent socket. */
  | { readonly op: 'park'; readonly epoch: number; readonly count: number; readonly runtime?: BodyRuntime }
  /** Keep one trigger host, a child that runs the triggers of this version's tasks; `wanted` false lets it end. Told again, it changes nothing. */
  | { readonly op: 'host'; readonly epoch: number; readonly wanted: boolean }
  /** Fork a child that makes a call and tells its answer to the agent's socket. */
  | { readonly op: 'call'; readonly epoch: number; readonly call: VersionCall }
  /** Fork a child with the job in hand. A known execution id is refused. */
  | { readonly op: 'run'; readonly epoch: number; readonly spec: ExecutionSpec }
  | { readonly op: 'cancel'; readonly epoch: number; readonly execution_id: ExecutionId; readonly grace_seconds: number };

/** Fork server to server. */
export type FromForkServer =
  | { readonly op: 'hello'; readonly pid: number; readonly epoch: number; readonly running: readonly { execution_id: ExecutionId; pid: number }[] }
  | { readonly op: 'refused'; readonly epoch: number; readonly execution_id?: ExecutionId; readonly reason: string }
  /** A parked child began this execution, or a `run` was forked. */
  | { readonly op: 'begun'; readonly execution_id: ExecutionId; readonly pid: number }
  | { readonly op: 'exited'; readonly children: readonly ExitedChild[] }
  /** The trigger host is gone although it is wanted. */
  | { readonly op: 'host_ended'; readonly status: number; readonly signal: number | null }
  /** The child that made a call has ended, answered or not. */
  | { readonly op: 'call_ended'; readonly id: string; readonly status: number; readonly signal: number | null }
  | { readonly op: 'alive'; readonly running: readonly ExecutionId[] };

/** A child that was waited for. `status` is −1 when a signal ended it. */
export interface ExitedChild {
  readonly pid: number;
  /** Null when it was parked and had begun nothing. */
  readonly execution_id: ExecutionId | null;
  readonly status: number;
  readonly signal: number | null;
  /** Killed by the kernel for memory, as far as its evidence shows. */
  readonly oom: boolean;
  /** Python unless said. */
  readonly runtime?: BodyRuntime;
}

/** What the agent API does for a child; the scheduler implements it, the composition root hands it over. */
export interface AttemptService {
  /** A parked child waits for work. Resolves when it is bound and its execution is durable; null tells it to exit. */
  park(child: { readonly forkServerId: string; readonly pid: number; readonly runtime?: BodyRuntime; readonly gone: AbortSignal }): Promise<ExecutionSpec | null>;
  report(token: string, report: ExecutionReport): Promise<ReportAnswer>;
  /** JSON text of one value (or a JSON list for all map indexes); null when none was ever pushed. Throws `xcom_lost` when recorded but gone. */
  findXCom(token: string, executionId: ExecutionId, request: XComRequest): Promise<string | null>;
  /** Reads or changes a variable with the rights of the execution's DAG. @returns the value (`get`), null when there is none. Throws `forbidden`. */
  useVariable(token: string, executionId: ExecutionId, request: VariableRequest): Promise<string | null>;
  /** Null when there is none. Throws `forbidden` when the DAG may not read it. */
  findConnection(token: string, executionId: ExecutionId, connId: string): Promise<ConnectionValue | null>;
}
