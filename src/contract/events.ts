// THE union of everything the system reports about itself. One call writes the log line, the metric and the span event.
import type { Cause, RunState, TaskState } from './states.ts';

/** Least to most urgent, as in the log line’s `level`. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

/** `not_leading`: nothing was this server’s to end. `handed_over`: the next leader goes on with what runs. `time_over`, `hurried`: what was left was ended. */
export type DrainEnd = 'not_leading' | 'handed_over' | 'idle' | 'time_over' | 'hurried';

interface InstanceIds { readonly dag_id: string; readonly run_id: string; readonly task_id: string; readonly map_index: number }

/** Ids go into the log line, never into metric labels. Durations in milliseconds. */
export type Event =
  | { readonly event: 'server.ready'; readonly url: string; readonly boot_ms: number }
  /** What `executions` do not end within `drain_seconds`, and no other server of this home takes over, is ended. */
  | { readonly event: 'server.stopping'; readonly reason: string; readonly executions: number; readonly drain_seconds: number }
  | { readonly event: 'server.drained'; readonly how: DrainEnd; readonly executions: number; readonly ms: number }
  | { readonly event: 'leader.elected'; readonly epoch: number; readonly waited_ms: number }
  /** All unfinished runs are in memory: from here on it decides. `ms` since it was elected. */
  | { readonly event: 'leader.ready'; readonly epoch: number; readonly runs: number; readonly ms: number }
  | { readonly event: 'leader.lost'; readonly epoch: number; readonly reason: string }
  | { readonly event: 'dag.registered'; readonly dag_id: string; readonly version: number; readonly created: boolean; readonly ms: number }
  | { readonly event: 'dag.refused'; readonly file: string; readonly message: string }
  | { readonly event: 'run.created'; readonly dag_id: string; readonly run_id: string; readonly run_type: string }
  | { readonly event: 'run.moved'; readonly dag_id: string; readonly run_id: string; readonly to: RunState; readonly ms: number | null }
  | ({ readonly event: 'task.moved'; readonly from: TaskState; readonly to: TaskState; readonly cause: Cause | null; readonly ms: number | null } & InstanceIds)
  | { readonly event: 'commit.done'; readonly operations: number; readonly ms: number }
  | { readonly event: 'commit.stale'; readonly operations: number; readonly run: string | null }
  | { readonly event: 'commit.failed'; readonly error: string }
  | { readonly event: 'report.stale'; readonly execution_id: string }
  | { readonly event: 'execution.lost'; readonly execution_id: string; readonly reason: string }
  | { readonly event: 'execution.log_gap'; readonly execution_id: string; readonly bytes: number; readonly reason: string }
  | { readonly event: 'execution.adopted'; readonly execution_id: string }
  /** A callback that the server has asked for was made. `kind`: dag, task, email, deadline. */
  | { readonly event: 'callback.done'; readonly kind: string; readonly dag_id: string; readonly run_id: string; readonly task_id: string | null; readonly attempts: number }
  /** It raised, or it could not be made; `again`: it will be tried once more. */
  | { readonly event: 'callback.failed'; readonly kind: string; readonly dag_id: string; readonly run_id: string; readonly task_id: string | null; readonly attempts: number; readonly again: boolean; readonly error: string }
  | { readonly event: 'fork_server.ready'; readonly id: string; readonly dag_id: string; readonly import_ms: number }
  | { readonly event: 'fork_server.failed'; readonly id: string; readonly dag_id: string; readonly error: string }
  | { readonly event: 'fork_server.exited'; readonly id: string; readonly lost: number }
  | { readonly event: 'environment.progress'; readonly text: string }
  | { readonly event: 'launcher.lost'; readonly reason: string }
  | { readonly event: 'launcher.ready'; readonly pid: number; readonly adopted: number }
  | { readonly event: 'database.unavailable'; readonly error: string }
  | { readonly event: 'database.available'; readonly down_ms: number }
  /** Redis does not answer or does not take values: reports wait with the agents. `doing` says which of the three failed; each is told once until it works again. */
  | { readonly event: 'xcom_store.unavailable'; readonly doing: 'connect' | 'read' | 'write'; readonly error: string }
  | { readonly event: 'xcom_store.available'; readonly doing: 'connect' | 'read' | 'write'; readonly down_ms: number }
  /** How it is set up may lose values. */
  | { readonly event: 'xcom_store.warning'; readonly message: string }
  /** Bytes that no row names were removed: `dead` of rows that are gone, `orphans` whose rows were never written. */
  | { readonly event: 'xcom_store.swept'; readonly dead: number; readonly orphans: number }
  /** The collector of traces does not take them: spans are dropped. Told once until it works again; `dropped` counts what it refused, not what found the queue full. */
  | { readonly event: 'traces.unavailable'; readonly error: string }
  | { readonly event: 'traces.available'; readonly dropped: number }
  /** Stored secrets are under keys that this server does not have, or damaged: reading them fails, a list shows `***`, and with the current key missing nothing is written. */
  | { readonly event: 'secrets.key_missing'; readonly message: string }
  | { readonly event: 'history.pruned'; readonly runs: number; readonly versions: number }
  | { readonly event: 'http.request'; readonly method: string; readonly route: string; readonly status: number; readonly ms: number }
  | { readonly event: 'auth.failed'; readonly reason: string }
  | { readonly event: 'failure'; readonly where: string; readonly error: string };

/** Also the label `event` of the metric `leoflow_events_total`. */
export type EventName = Event['event'];

/** Level of each event's log line. `http.request` and `commit.done` are metrics first: debug lines. */
export const EVENT_LEVELS: Readonly<Record<EventName, Level>> = {
  'server.ready': 'info', 'server.stopping': 'info', 'server.drained': 'info', 'leader.elected': 'info', 'leader.ready': 'info', 'leader.lost': 'warn',
  'dag.registered': 'info', 'dag.refused': 'warn', 'run.created': 'info', 'run.moved': 'info', 'task.moved': 'debug',
  'commit.done': 'debug', 'commit.stale': 'warn', 'commit.failed': 'error', 'report.stale': 'warn',
  'execution.lost': 'warn', 'execution.adopted': 'info', 'execution.log_gap': 'error', 'callback.done': 'info', 'callback.failed': 'error', 'fork_server.ready': 'info', 'fork_server.failed': 'error',
  'fork_server.exited': 'info', 'environment.progress': 'info', 'launcher.lost': 'error', 'launcher.ready': 'info',
  'database.unavailable': 'error', 'database.available': 'info', 'secrets.key_missing': 'error', 'history.pruned': 'info', 'traces.unavailable': 'warn', 'traces.available': 'info',
  'xcom_store.unavailable': 'error', 'xcom_store.available': 'info', 'xcom_store.warning': 'warn', 'xcom_store.swept': 'debug', 'http.request': 'debug', 'auth.failed': 'warn', failure: 'error',
};
