// What traces are made of: runs, tries and executions that have ended, told by the leader once their end is written down.
import type { AttemptId, ExecutionId, RunUuid } from './ids.ts';
import type { Cause, RunState, RunType, TaskState } from './states.ts';

/** Epoch milliseconds. */
interface Period { readonly startMs: number; readonly endMs: number }

/** From queued to its end. */
interface RunSpan extends Period {
  readonly kind: 'run';
  readonly run: RunUuid;
  readonly dagId: string;
  readonly runId: string;
  readonly runType: RunType;
  readonly state: RunState;
}

/** From scheduled to its end, with all executions that it took. */
interface TrySpan extends Period {
  readonly kind: 'try';
  readonly run: RunUuid;
  readonly attemptId: AttemptId;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
  readonly state: TaskState;
  readonly cause: Cause | null;
}

/** From committed as running to its end. `userCode` is what the execution said of itself, `reportedMs` when its report came; both null when it never reported. */
export interface ExecutionSpan extends Period {
  readonly kind: 'execution';
  readonly run: RunUuid;
  readonly attemptId: AttemptId;
  readonly executionId: ExecutionId;
  readonly state: 'success' | 'failed' | 'skipped' | 'up_for_reschedule' | 'deferred' | 'lost' | 'cancelled';
  readonly cause: Cause | null;
  readonly userCode: Period | null;
  readonly reportedMs: number | null;
}

/** One of the three. */
export type EndedSpan = RunSpan | TrySpan | ExecutionSpan;

/** Hears of each end. Must neither throw nor wait: it is called between two commits. */
export type SpanListener = (span: EndedSpan) => void;
