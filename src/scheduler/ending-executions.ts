// Executions that were closed and told to end while they ran: until their processes are gone, their instances start nothing new.
import type { ExecutionId } from '#contract/ids.ts';
import type { Candidate } from '#core/admission.ts';
import type { Executor } from '#executor/executor.ts';

/** An instance by its key, whichever reading of its run it comes from. */
export interface InstanceKey {
  readonly run: string;
  readonly taskId: string;
  readonly mapIndex: number;
}

const textOf = ({ run, taskId, mapIndex }: InstanceKey): string => `${run}\0${taskId}\0${mapIndex}`;

/** The key of what a candidate stands for. */
export function keyOfCandidate({ run, instance }: Candidate): InstanceKey {
  return { run: run.id, taskId: instance.task.id, mapIndex: instance.mapIndex };
}

/** One per term of leadership. */
export class EndingExecutions {
  readonly #executor: Executor;
  readonly #graceSeconds: number;
  readonly #instances = new Map<ExecutionId, string>();
  /** Executions that an instance waits for, and who wants to start there. */
  readonly #held = new Map<string, { count: number; candidate: Candidate | null }>();

  constructor(executor: Executor, graceSeconds: number) {
    this.#executor = executor;
    this.#graceSeconds = graceSeconds;
  }

  /** Tells an execution to end. One that nothing runs any more holds nobody up. */
  stop(id: ExecutionId, instance: InstanceKey): void {
    if (!this.#executor.cancel(id, this.#graceSeconds) || this.#instances.has(id)) return;
    const key = textOf(instance);
    this.#instances.set(id, key);
    const held = this.#held.get(key);
    this.#held.set(key, { count: (held?.count ?? 0) + 1, candidate: held?.candidate ?? null });
  }

  /** True when the candidate has to wait: the last process's end gives it back. */
  holds(candidate: Candidate): boolean {
    if (this.#held.size === 0) return false;
    const held = this.#held.get(textOf(keyOfCandidate(candidate)));
    if (held === undefined) return false;
    held.candidate = candidate;
    return true;
  }

  /** How many were told to end and are still there. */
  get count(): number {
    return this.#instances.size;
  }

  isAwaited(instance: InstanceKey): boolean {
    return this.#held.has(textOf(instance));
  }

  /** A process is gone. @returns who may start now */
  remove(id: ExecutionId): Candidate | null {
    const key = this.#instances.get(id);
    const held = key === undefined ? undefined : this.#held.get(key);
    if (key === undefined || held === undefined) return null;
    this.#instances.delete(id);
    held.count -= 1;
    if (held.count > 0) return null;
    this.#held.delete(key);
    return held.candidate;
  }
}
