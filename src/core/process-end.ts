// How a process ended that had not told its outcome, in words.
import { constants } from 'node:os';

/** What the type of an error says that is no exception: nobody raised it. */
export const ENDED_WITHOUT_REPORT = 'ExecutionEnded';

/** How a process ended; `signal` is null after an exit. `oom`: the kernel killed it for memory. */
export interface ProcessEnd {
  readonly status: number;
  readonly signal: number | null;
  readonly oom: boolean;
}

/** SIGKILL and SIGTERM come from whoever runs the machine. Whatever else ends a process (SIGSEGV, SIGABRT, SIGFPE, …) its own code has raised: it would again. */
const FROM_OUTSIDE: ReadonlySet<number> = new Set([constants.signals.SIGKILL, constants.signals.SIGTERM]);

/** Somebody else ended it. */
export function isFromOutside({ signal }: ProcessEnd): boolean {
  return signal !== null && FROM_OUTSIDE.has(signal);
}

/** `its process was killed by SIGKILL`. */
export function tellProcessEnd(end: ProcessEnd): string {
  if (end.oom) return 'its process ran out of memory and was killed by the kernel';
  if (end.signal === null) return `its process ended with exit status ${end.status} before the task was done`;
  return `its process ${isFromOutside(end) ? 'was killed by' : 'crashed with'} ${nameOf(end.signal)}`;
}

function nameOf(signal: number): string {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}
