// A warm DAG version: one fork server with its parked and running children, as this server sees it.
import type { ExecutionSpec, ExitedChild, FromForkServer, ReportedError, ToForkServer } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';

/** One fork server. It is kept by version, because a launcher may hand out an older one than was asked for. */
export interface Warm {
  id: string;
  readonly versionId: VersionId;
  /** `ending`: told to go, its end follows. */
  state: 'preparing' | 'starting' | 'ready' | 'failed' | 'ending';
  dagId: string;
  error: ReportedError | null;
  link: LineSocket | null;
  /** A second hello would take the fork server away from the first. */
  isGreeting: boolean;
  readonly parked: ParkedChild[];
  /** Children asked for that have not parked yet. */
  expected: number;
  readonly running: Set<ExecutionId>;
  /** Executions that a parked child was given and has not begun yet, by its pid. */
  readonly bound: Map<number, ExecutionId>;
  /** Of the process's own clock, in milliseconds: for idleness, and for how long a failed import stands. */
  usedAt: number;
  refillPlanned: boolean;
  /** Aborts when it is gone, or nobody's concern any more. */
  readonly gone: AbortController;
}

/** A child that waits for a job; `give(null)` tells it to exit. */
export interface ParkedChild {
  readonly pid: number;
  readonly give: (spec: ExecutionSpec | null) => void;
  isGone: boolean;
}

/** Without children or connection yet. */
export function newWarm(id: string, versionId: VersionId, state: 'preparing' | 'starting'): Warm {
  return { id, versionId, state, dagId: '', error: null, link: null, isGreeting: false, parked: [], expected: 0, running: new Set(), bound: new Map(), usedAt: monotonicMs(), refillPlanned: false, gone: new AbortController() };
}

/** One line of an error. */
export function textOf(error: ReportedError): string {
  return `${error.type}: ${error.message}`;
}

/** Why no execution of the version can start now, null when one can. */
export function explainWarm(warm: Warm): string | null {
  if (warm.state === 'ready') return null;
  if (warm.error === null) return 'its Python process is starting';
  return warm.state === 'failed' ? `the DAG file does not import: ${textOf(warm.error)}` : `its Python process could not be started and is tried again: ${textOf(warm.error)}`;
}

/** Keeps a child that waits for work. Resolves with its job, or with null when it should end or is gone. */
export function parkChild(warm: Warm, child: { readonly pid: number; readonly gone: AbortSignal }): Promise<ExecutionSpec | null> {
  return new Promise((resolve) => {
    const parked: ParkedChild = { pid: child.pid, give: resolve, isGone: false };
    warm.parked.push(parked);
    child.gone.addEventListener('abort', () => {
      parked.isGone = true;
      const at = warm.parked.indexOf(parked);
      if (at >= 0) warm.parked.splice(at, 1);
      resolve(null);
    }, { once: true });
  });
}

/** Asks for the children that are missing. */
export function refill(warm: Warm, wanted: { readonly parked: number; readonly epoch: number }): void {
  const missing = wanted.parked - warm.parked.length - warm.expected;
  if (missing <= 0 || warm.state !== 'ready' || warm.link === null) return;
  warm.expected += missing;
  warm.link.send({ op: 'park', epoch: wanted.epoch, count: missing } satisfies ToForkServer);
}

/** An execution began, in the child that was given it or in one forked for it. */
export function noteBegun(warm: Warm, executionId: ExecutionId, pid: number): void {
  warm.running.add(executionId);
  warm.bound.delete(pid);
}

/** @returns the execution that was refused; null when something else was */
export function noteRefused(warm: Warm, message: Extract<FromForkServer, { op: 'refused' }>): ExecutionId | null {
  // NOTE Fork servers of an older release say null where none is named.
  const refused = message.execution_id ?? null;
  if (refused !== null) warm.running.delete(refused);
  return refused;
}

/** What the end of a child means: of an execution that began, of one that it was given and did not begin, or of none. */
export function noteExited(warm: Warm, child: ExitedChild): { readonly kind: 'exited' } | { readonly kind: 'unbegun'; readonly executionId: ExecutionId } | { readonly kind: 'parked' } {
  const bound = warm.bound.get(child.pid);
  warm.bound.delete(child.pid);
  if (child.execution_id !== null) {
    warm.running.delete(child.execution_id);
    return { kind: 'exited' };
  }
  if (bound !== undefined) {
    warm.running.delete(bound);
    return { kind: 'unbegun', executionId: bound };
  }
  // One that never came: it could not connect, or died before it did.
  if (child.status !== 0) warm.expected = Math.max(0, warm.expected - 1);
  return { kind: 'parked' };
}
