// What a running task knows and may do: the second argument of its function.
import type { ConnectionValue } from '#contract/attempt.ts';

/** A connection in Airflow's words. `extra` is parsed when it holds JSON. */
export interface Connection extends Omit<ConnectionValue, 'extra'> {
  readonly extra: unknown;
}

/** Lines of the task's log, with the place they come from. */
export interface TaskLog {
  debug(event: string): void;
  info(event: string): void;
  warning(event: string): void;
  /** With an error: its stack and causes as well. */
  error(event: string, error?: unknown): void;
}

/** Which value: the task's return value unless a key is named; of a mapped task the list of all unless an index is. */
export interface PullOptions {
  readonly key?: string;
  readonly map_index?: number;
  readonly run_id?: string;
  readonly dag_id?: string;
  readonly include_prior_dates?: boolean;
}

/** The context of one execution. Dates are null for a run without a logical date. */
export interface Context<P = Readonly<Record<string, unknown>>> {
  readonly dag_id: string;
  readonly run_id: string;
  readonly task_id: string;
  /** −1 when the task is not mapped. */
  readonly map_index: number;
  readonly try_number: number;
  readonly max_tries: number;
  readonly logical_date: Date | null;
  readonly data_interval_start: Date | null;
  readonly data_interval_end: Date | null;
  /** Day of the logical date: 2026-01-31. */
  readonly ds: string | null;
  /** The logical date: 2026-01-31T00:00:00+00:00. */
  readonly ts: string | null;
  /** The DAG's params, with those of the task and of the run's conf over them. */
  readonly params: P;
  /** What the run was triggered with. */
  readonly conf: Readonly<Record<string, unknown>>;
  /** Aborts when the execution is cancelled or its time is over; its reason says which. */
  readonly signal: AbortSignal;
  readonly log: TaskLog;
  readonly xcom: {
    /** Null when nothing was pushed. */
    pull(task_id: string, options?: PullOptions): Promise<unknown>;
    /** Becomes visible with the task's end. */
    push(key: string, value: unknown): void;
  };
  readonly variable: {
    /** Null when there is none. */
    get(key: string): Promise<string | null>;
    set(key: string, value: string, description?: string): Promise<void>;
    delete(key: string): Promise<void>;
  };
  readonly connection: {
    /** Throws when there is none. */
    get(conn_id: string): Promise<Connection>;
  };
  /** Ends the task as skipped. */
  skip(reason?: string): never;
  /** Ends the task as failed, without a retry. */
  fail(reason: string): never;
}

/** Marks what ends a task otherwise than by failing; by name, because a project may have a copy of this module of its own. */
export const ENDING = Symbol.for('leoflow.ending');

/** Thrown in a task: it is skipped. */
export class SkipTask extends Error {
  override readonly name = 'SkipTask';
  readonly [ENDING] = 'skip';
}

/** Thrown in a task: it fails and is not tried again. */
export class FailTask extends Error {
  override readonly name = 'FailTask';
  readonly [ENDING] = 'fail';
}

/** What an error says about the end of a task; null for any other. */
export function endingOf(error: unknown): 'skip' | 'fail' | null {
  const ending: unknown = typeof error === 'object' && error !== null && ENDING in error ? error[ENDING] : null;
  return ending === 'skip' || ending === 'fail' ? ending : null;
}
