// Which versions want a trigger host, and whether their fork servers were told so.
import type { FromForkServer, ToForkServer } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { howEnded } from './warm.ts';

/** As much of a warm version as this file needs. */
interface HostPlace {
  readonly id: string;
  readonly versionId: VersionId;
  readonly state: string;
  readonly link: LineSocket<ToForkServer> | null;
}

/** Hosts of one version that ended soon after they began, one after the other: a trigger may end the process that it runs in. */
interface Ends { readonly count: number; readonly againAt: number }

/** One that has lived so long ended for a reason of its own. */
const SOON_MS = 10_000;
/** So many are begun again at once. */
const FREE_ENDS = 3;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/** One per executor. A host that ends although it is wanted is asked for again at the next look. */
export class TriggerHosts {
  readonly #wanted = new Set<VersionId>();
  /** Fork servers that were told to keep one, and when. */
  readonly #told = new Map<string, number>();
  readonly #ends = new Map<VersionId, Ends>();
  readonly #now: () => number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = monotonicMs) {
    this.#now = now;
  }

  /** True while tasks of the version wait for triggers: its fork server must not end for idleness. */
  isWanted(versionId: VersionId): boolean {
    return this.#wanted.has(versionId);
  }

  /** Versions that want a host. */
  list(): VersionId[] {
    return [...this.#wanted];
  }

  /** Tells the fork server at once when it is there; else `keep` does. */
  want(versionId: VersionId, wanted: boolean, at: { readonly place: HostPlace | undefined; readonly epoch: number }): void {
    if (wanted) this.#wanted.add(versionId);
    else {
      this.#wanted.delete(versionId);
      this.#ends.delete(versionId);
    }
    const { place } = at;
    if (wanted) this.keep(versionId, at);
    else if (place !== undefined && this.#told.delete(place.id)) place.link?.send({ op: 'host', epoch: at.epoch, wanted: false });
  }

  /** Looks again at one version. */
  keep(versionId: VersionId, { place, epoch }: { readonly place: HostPlace | undefined; readonly epoch: number }): void {
    if (!this.#wanted.has(versionId) || place === undefined || place.state !== 'ready' || place.link === null || this.#told.has(place.id)) return;
    const now = this.#now();
    if (now < (this.#ends.get(versionId)?.againAt ?? 0)) return;
    this.#told.set(place.id, now);
    place.link.send({ op: 'host', epoch, wanted: true });
  }

  /** @returns what to report of it */
  onEnded(place: HostPlace, ended: Extract<FromForkServer, { op: 'host_ended' }>): string {
    const now = this.#now();
    const lived = now - (this.#told.get(place.id) ?? now);
    this.#told.delete(place.id);
    const count = lived < SOON_MS ? (this.#ends.get(place.versionId)?.count ?? 0) + 1 : 1;
    const pauseMs = count <= FREE_ENDS ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (count - FREE_ENDS - 1));
    this.#ends.set(place.versionId, { count, againAt: now + pauseMs });
    const again = pauseMs === 0 ? '' : `, the ${count}th in a row: another begins in ${pauseMs / 1000} s`;
    return `the trigger host of ${place.id} ended (${howEnded(ended)})${again}`;
  }

  /** The fork server is gone, and its host with it. */
  forget(id: string): void {
    this.#told.delete(id);
  }

  /** A term ends. */
  clear(): void {
    this.#wanted.clear();
    this.#told.clear();
    this.#ends.clear();
  }
}
