// The log store: what a try wrote, read in portions that a token continues. Two kinds of store, one contract.

/** One line of a log. What was no JSON object is raw output: only `event`. */
export interface LogMessage {
  readonly timestamp?: string;
  readonly event: string;
  readonly level?: string;
  readonly logger?: string;
  readonly [key: string]: unknown;
}

/** A place in the logs of several executions. */
export interface LogPosition {
  /** Index into the executions asked for. */
  readonly execution: number;
  /** Bytes of that execution's log read before. */
  readonly offset: number;
}

/** What one read gave. */
export interface LogPortion {
  readonly messages: readonly LogMessage[];
  /** Where to go on; what was written meanwhile is found there. */
  readonly position: LogPosition;
  /** The end of what is written so far was reached. */
  readonly atEnd: boolean;
}

/** Where executions’ logs are kept. */
export interface LogStore {
  /**
   * Reads from `position` through the executions in order, whole lines only, at most about `maxBytes`.
   * An execution that wrote nothing is empty, not an error.
   */
  readLog(executionIds: readonly string[], options: { readonly position: LogPosition; readonly maxBytes: number }): Promise<LogPortion>;
  /** Where these executions' logs lie, for people. */
  describeSources(executionIds: readonly string[]): readonly string[];
  /** Removes the logs of executions that are gone. */
  deleteLogs(executionIds: readonly string[]): Promise<void>;
}

/** The beginning of a log. */
export const LOG_START: LogPosition = { execution: 0, offset: 0 };

/** A line as a message: a JSON object with an `event` text as it is, everything else as raw output. */
export function parseLogLine(line: string): LogMessage {
  if (line.startsWith('{')) {
    try {
      const value: unknown = JSON.parse(line);
      if (isRecord(value)) return { ...value, event: typeof value['event'] === 'string' ? value['event'] : line };
    } catch {
      // A line that a dying process left half written.
    }
  }
  return { event: line };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
