// A warm DAG version: one fork server with its parked and running children, as this server sees it.
import type { BodyRuntime, ExecutionSpec, ExitedChild, FromForkServer, ReportedError, ToForkServer } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { ParkPause } from './park-pause.ts';

/** One fork server. It is kept by version, because a launcher may hand out an older one than was asked for. */
export interface Warm {
  id: string;
  readonly versionId: VersionId;
  /** `ending`: told to go, its end follows. */
  state: 'preparing' | 'starting' | 'ready' | 'failed' | 'ending';
  dagId: string;
  /** What its preparation is at, for people. */
  doing: string | null;
  error: ReportedError | null;
  link: LineSocket<ToForkServer> | null;
  /** A second hello would take the fork server away from the first. */
  isGreeting: boolean;
  readonly parked: Record<BodyRuntime, ParkedChild[]>;
  /** What its bodies run in, as far as this server knows: children of these kinds are kept. */
  readonly runtimes: Set<BodyRuntime>;
  /** Every child that parked and has not ended, by pid, whatever it does since. */
  readonly came: Map<number, ParkedChild>;
  /** Children whose end was told before they parked, with when: the two come on different connections. */
  readonly endedEarly: Map<number, number>;
  /** Children asked for that have not parked yet. */
  readonly expected: Record<BodyRuntime, number>;
  readonly pauses: Readonly<Record<BodyRuntime, ParkPause>>;
  readonly running: Set<ExecutionId>;
  /** Executions that a parked child was given and has not begun yet, by its pid. */
  readonly bound: Map<number, ExecutionId>;
  /** Of the process's own clock, in milliseconds: for idleness, and for how long a failed import stands. */
  usedAt: number;
  refillPlanned: boolean;
  /** Aborts when it is gone, or nobody's concern any more. */
  readonly gone: AbortController;
}

/** What came over two connections of one process was sent within this time. */
const EARLY_MS = 5000;

/** A child that waits for a job; `give(null)` tells it to exit. */
export interface ParkedChild {
  readonly pid: number;
  readonly runtime: BodyRuntime;
  readonly give: (spec: ExecutionSpec | null) => void;
  isGone: boolean;
}

/** Without children or connection yet. */
export function newWarm(id: string, versionId: VersionId, state: 'preparing' | 'starting'): Warm {
  return { id, versionId, state, dagId: '', doing: null, error: null, link: null, isGreeting: false, parked: { python: [], node: [] }, runtimes: new Set(), came: new Map(), endedEarly: new Map(), expected: { python: 0, node: 0 }, pauses: { python: new ParkPause(), node: new ParkPause() }, running: new Set(), bound: new Map(), usedAt: monotonicMs(), refillPlanned: false, gone: new AbortController() };
}

/** One line of an error. */
export function textOf(error: ReportedError): string {
  return `${error.type}: ${error.message}`;
}

/** How a process ended, in words. */
export function howEnded({ status, signal }: { readonly status: number; readonly signal: number | null }): string {
  return signal === null ? `status ${status}` : `signal ${signal}`;
}

/** Why no execution of the version can start now, null when one can. */
export function explainWarm(warm: Warm): string | null {
  if (warm.state === 'ready') return null;
  if (warm.error === null) return warm.state === 'preparing' && warm.doing !== null ? `its environment is being built: ${warm.doing}` : 'its Python process is starting';
  return warm.state === 'failed' ? `the DAG file does not import: ${textOf(warm.error)}` : `its Python process could not be started and is tried again: ${textOf(warm.error)}`;
}

/** Keeps a child that waits for work. Resolves with its job, or with null when it should end or is gone. */
export function parkChild(warm: Warm, { pid, runtime = 'python', gone }: { readonly pid: number; readonly runtime?: BodyRuntime; readonly gone: AbortSignal }): Promise<ExecutionSpec | null> {
  const endedAt = warm.endedEarly.get(pid);
  warm.endedEarly.delete(pid);
  // Later it is another child that has the same pid.
  if (endedAt !== undefined && monotonicMs() - endedAt < EARLY_MS) return Promise.resolve(null);
  warm.expected[runtime] = Math.max(0, warm.expected[runtime] - 1);
  warm.pauses[runtime].end();
  return new Promise((resolve) => {
    const child: ParkedChild = { pid, runtime, give: resolve, isGone: false };
    warm.parked[runtime].push(child);
    warm.came.set(pid, child);
    gone.addEventListener('abort', () => {
      dropChild(warm, child);
      resolve(null);
    }, { once: true });
  });
}

/** It takes no job any more, although it may have been chosen for one. */
function dropChild(warm: Warm, child: ParkedChild): void {
  child.isGone = true;
  const parked = warm.parked[child.runtime];
  const at = parked.indexOf(child);
  if (at >= 0) parked.splice(at, 1);
}

/** A parked child is given its job; until it says that it began, its end is the execution's loss. */
export function giveJob(warm: Warm, child: ParkedChild, spec: ExecutionSpec): void {
  warm.running.add(spec.execution_id);
  warm.bound.set(child.pid, spec.execution_id);
  child.give(spec);
}

/** True when children of a kind ended before they parked, and none has parked since. */
export function isPausing({ pauses }: Warm): boolean {
  return pauses.python.isPending() || pauses.node.isPending();
}

/** Asks for the children that are missing, of each kind that the version needs and that is in no pause. */
export function refill(warm: Warm, wanted: { readonly parked: Readonly<Record<BodyRuntime, number>>; readonly epoch: number }): void {
  for (const runtime of warm.runtimes) {
    const missing = wanted.parked[runtime] - warm.parked[runtime].length - warm.expected[runtime];
    if (missing <= 0 || warm.pauses[runtime].isOn() || warm.state !== 'ready' || warm.link === null) continue;
    warm.expected[runtime] += missing;
    warm.link.send({ op: 'park', epoch: wanted.epoch, count: missing, ...(runtime === 'python' ? {} : { runtime }) });
  }
}

/** Tells every child that waits to end. */
export function dismissParked(warm: Warm): void {
  for (const child of [...warm.parked.python, ...warm.parked.node]) child.give(null);
}

/** An execution began, in the child that was given it or in one forked for it. */
export function noteBegun(warm: Warm, executionId: ExecutionId, pid: number): void {
  warm.running.add(executionId);
  warm.bound.delete(pid);
}

/** @returns the execution that was refused; null when something else was */
export function noteRefused(warm: Warm, message: Extract<FromForkServer, { op: 'refused' }>): ExecutionId | null {
  const refused = message.execution_id ?? null;
  if (refused !== null) warm.running.delete(refused);
  return refused;
}

/** `pauseMs`: for so long no other of its kind is asked for; null when that was told already. */
export type ChildEnd = { readonly kind: 'exited' } | { readonly kind: 'unbegun'; readonly executionId: ExecutionId } | { readonly kind: 'parked' } | { readonly kind: 'never_came'; readonly pauseMs: number | null };

/** What the end of a child means: of an execution that began, of one that it was given and did not begin, of none, or of a child that had not parked yet. */
export function noteExited(warm: Warm, ended: ExitedChild): ChildEnd {
  const child = warm.came.get(ended.pid);
  const bound = warm.bound.get(ended.pid);
  warm.came.delete(ended.pid);
  warm.bound.delete(ended.pid);
  if (ended.execution_id !== null) {
    warm.running.delete(ended.execution_id);
    return { kind: 'exited' };
  }
  if (bound !== undefined) {
    warm.running.delete(bound);
    return { kind: 'unbegun', executionId: bound };
  }
  if (child !== undefined) dropChild(warm, child);
  else if (ended.status !== 0) return noteNeverCame(warm, ended);
  return { kind: 'parked' };
}

/** Its pid is 0 when it could not even be forked. */
function noteNeverCame(warm: Warm, { pid, runtime = 'python' }: ExitedChild): ChildEnd {
  const now = monotonicMs();
  warm.expected[runtime] = Math.max(0, warm.expected[runtime] - 1);
  for (const [other, endedAt] of warm.endedEarly) if (now - endedAt >= EARLY_MS) warm.endedEarly.delete(other);
  if (pid !== 0) warm.endedEarly.set(pid, now);
  return { kind: 'never_came', pauseMs: warm.pauses[runtime].begin() };
}
