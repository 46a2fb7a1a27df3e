// How a question reaches a database of XComs, whatever lies between.
import type { ProbeAnswer, ProbeRequest, XComPull } from '#contract/xcom-reader.ts';

/** What every transport answers with: a probe's answer, or one put together from an API. */
export type Answer = Omit<ProbeAnswer, 'protocol' | 'kind' | 'schema'> & { readonly schema: XComPull['schema'] };

/** The question without what only a probe's session needs. */
export type Question = Omit<ProbeRequest, 'protocol' | 'sentinel' | 'url_variable' | 'statement_timeout_ms'>;

/** One way to a database. Failures are `AppError` with a code `reader_…`. */
export interface Transport {
  readonly name: XComPull['source']['transport'];
  /** Asks once. @returns the answer and where it came from, in words */
  ask(question: Question): Promise<{ readonly answer: Answer; readonly target: string }>;
  /** Ends what the transport keeps running. */
  close(): Promise<void>;
}

/** Limits of a session and where it may tell what it does. */
export interface SessionLimits {
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
  /** Progress for people: standard error. */
  readonly tell: (line: string) => void;
}
