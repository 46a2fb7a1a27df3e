// A warm DAG version: one fork server with its parked and running children, as this server sees it.
import type { ExecutionSpec, ReportedError } from '#contract/attempt.ts';
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
}

/** A child that waits for a job; `give(null)` tells it to exit. */
export interface ParkedChild {
  readonly pid: number;
  readonly give: (spec: ExecutionSpec | null) => void;
  isGone: boolean;
}

/** Without children or connection yet. */
export function newWarm(id: string, versionId: VersionId, state: 'preparing' | 'starting'): Warm {
  return { id, versionId, state, dagId: '', error: null, link: null, isGreeting: false, parked: [], expected: 0, running: new Set(), bound: new Map(), usedAt: monotonicMs(), refillPlanned: false };
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
