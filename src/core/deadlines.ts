// Deadlines of a DAG's runs: what dag.json says of them, and when each is. Source: Airflow 3.2.1 `models/deadline.py`.

/** A deadline as the Task SDK has serialized it. `callback` is passed on as it is. */
export interface DeadlineAlert {
  readonly reference: DeadlineReference;
  readonly intervalSeconds: number;
  readonly callback: unknown;
}

/** What the interval is counted from. `at` is epoch milliseconds. */
export type DeadlineReference =
  | { readonly type: 'DagRunQueuedAtDeadline' }
  | { readonly type: 'DagRunLogicalDateDeadline' }
  | { readonly type: 'FixedDatetimeDeadline'; readonly at: number }
  | { readonly type: 'AverageRuntimeDeadline'; readonly maxRuns: number; readonly minRuns: number };

/** What a run knows about its times, epoch milliseconds; `average` is that of earlier runs, null when it was not asked for. */
export interface DeadlineTimes {
  readonly now: number;
  readonly queuedAt: number | null;
  readonly logicalDate: number | null;
  readonly average: { readonly runs: number; readonly seconds: number } | null;
}

const DEFAULT_RUNS = 10;

/** Reads one entry of `deadlines` in dag.json; null for what is none, or refers to a class of the project's own, which only its environment could ask. */
export function readDeadline(encoded: unknown): DeadlineAlert | null {
  const { reference, interval, callback } = fieldsOf(encoded);
  const read = readReference(fieldsOf(reference));
  return read === null || typeof interval !== 'number' || callback === undefined ? null : { reference: read, intervalSeconds: interval, callback };
}

function readReference({ reference_type: type, datetime, max_runs: most = DEFAULT_RUNS, min_runs: least }: Readonly<Record<string, unknown>>): DeadlineReference | null {
  switch (type) {
    case 'DagRunQueuedAtDeadline': case 'DagRunLogicalDateDeadline': return { type };
    case 'FixedDatetimeDeadline': return typeof datetime === 'number' ? { type, at: datetime * 1000 } : null;
    case 'AverageRuntimeDeadline': return typeof most === 'number' ? { type, maxRuns: most, minRuns: typeof least === 'number' ? least : most } : null;
    default: return null;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

/** When a run has to be over, epoch milliseconds; null: it has no such deadline. */
export function deadlineAt({ reference, intervalSeconds }: DeadlineAlert, times: DeadlineTimes): number | null {
  const from = referenceTime(reference, times);
  return from === null ? null : from + intervalSeconds * 1000;
}

function referenceTime(reference: DeadlineReference, { now, queuedAt, logicalDate, average }: DeadlineTimes): number | null {
  switch (reference.type) {
    case 'DagRunQueuedAtDeadline': return queuedAt;
    case 'DagRunLogicalDateDeadline': return logicalDate;
    case 'FixedDatetimeDeadline': return reference.at;
    case 'AverageRuntimeDeadline': return average === null || average.runs === 0 || average.runs < reference.minRuns ? null : now + average.seconds * 1000;
  }
}
