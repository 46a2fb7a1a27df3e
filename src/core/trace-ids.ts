// Names in traces, made from names in rows: whichever leader tells of an end gives the same parents.
import { createHash } from 'node:crypto';
import type { ExecutionId, RunUuid } from '#contract/ids.ts';

/** What an execution’s time is made of. */
export type SpanKind = 'run' | 'try' | 'execution' | 'launch' | 'user code' | 'record';

/** The run’s UUID as the 16 bytes of a W3C trace id. */
export function traceIdOf(run: RunUuid): string {
  return run.replaceAll('-', '');
}

/** The first 8 bytes of SHA-256. @param id of the run, the try or the execution that the span tells of */
export function spanIdOf(kind: SpanKind, id: string): string {
  return createHash('sha256').update(`${kind} ${id}`).digest('hex').slice(0, 16);
}

/** The `traceparent` that user code goes on with (W3C Trace Context, sampled). */
export function traceparentOf(run: RunUuid, execution: ExecutionId): string {
  return `00-${traceIdOf(run)}-${spanIdOf('user code', execution)}-01`;
}
