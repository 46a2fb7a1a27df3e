// Work of a DAG version that is no task: each call is made in a child of its fork server, and answered or given up.
import type { CallAnswer, ToForkServer, VersionCall } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { VersionId } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';

/** A process whose time is over is killed by its fork server: nobody is waited for longer than this on top, whether the call ever began or not. */
export const ANSWER_GRACE_SECONDS = 30;

interface Open {
  readonly versionId: VersionId;
  readonly call: VersionCall;
  /** The fork server that has it; null: it waits for one. */
  forkServer: string | null;
  readonly givenUpAt: number;
  readonly resolve: (answer: string) => void;
  readonly reject: (error: AppError) => void;
}

/** As much of a warm version as this file needs. */
interface CallPlace {
  readonly id: string;
  readonly versionId: VersionId;
  readonly state: string;
  readonly link: LineSocket<ToForkServer> | null;
}

/** Calls that nobody has answered yet; one per executor. */
export class VersionCalls {
  readonly #open = new Map<string, Open>();

  /** @returns the answer, JSON text. Rejects with `call_failed` when the code raises or its process ends, `not_leading` when the term does. */
  begin(versionId: VersionId, call: VersionCall, { place, epoch }: { readonly place: CallPlace | undefined; readonly epoch: number }): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#open.set(call.id, { versionId, call, forkServer: null, givenUpAt: monotonicMs() + (call.timeout_seconds + ANSWER_GRACE_SECONDS) * 1000, resolve, reject });
      if (place !== undefined) this.send(place, epoch);
    });
  }

  /** True while calls of the version wait or are made: its fork server is needed. */
  isWanted(versionId: VersionId): boolean {
    return [...this.#open.values()].some((open) => open.versionId === versionId);
  }

  /** Versions with calls that no fork server has: each needs one. */
  listWaiting(): VersionId[] {
    return [...new Set([...this.#open.values()].flatMap(({ versionId, forkServer }) => (forkServer === null ? versionId : [])))];
  }

  /** A fork server is ready: what waits for it begins. */
  send(place: CallPlace, epoch: number): void {
    if (place.state !== 'ready' || place.link === null) return;
    for (const open of this.#open.values()) {
      if (open.versionId !== place.versionId || open.forkServer !== null) continue;
      open.forkServer = place.id;
      place.link.send({ op: 'call', epoch, call: open.call });
    }
  }

  /** @returns false when nobody waits for it any more */
  answer(id: string, answer: CallAnswer): boolean {
    const open = this.#open.get(id);
    if (open === undefined) return false;
    this.#open.delete(id);
    if (answer.kind === 'done') open.resolve(answer.value);
    else open.reject(new AppError('call_failed', `${answer.error.type}: ${answer.error.message}`, { details: answer.error.traceback }));
    return true;
  }

  /** Its process ended; when it had answered, this is old news. */
  onEnded(id: string, how: string): void {
    this.#fail([...this.#open.values()].filter((open) => open.call.id === id), `its process ended (${how})`);
  }

  /** A fork server is gone, and with it what it had begun. */
  onGone(forkServer: string): void {
    this.#fail([...this.#open.values()].filter((open) => open.forkServer === forkServer), 'its fork server is gone');
  }

  /** The version's file does not import. */
  onFailed(versionId: VersionId, reason: string): void {
    this.#fail([...this.#open.values()].filter((open) => open.versionId === versionId), reason);
  }

  /** Those that nobody has answered in their time (on the monotonic clock) are given up. */
  endOverdue(nowMs: number): void {
    const overdue = [...this.#open.values()].filter((open) => open.givenUpAt <= nowMs);
    for (const open of overdue) this.#fail([open], open.forkServer === null ? 'no process was there to make it' : 'its process did not answer');
  }

  /** The term is over. */
  clear(): void {
    for (const open of this.#open.values()) open.reject(new AppError('not_leading', 'this server does not lead any more'));
    this.#open.clear();
  }

  #fail(calls: readonly Open[], reason: string): void {
    for (const open of calls) {
      this.#open.delete(open.call.id);
      open.reject(new AppError('call_failed', reason));
    }
  }
}
