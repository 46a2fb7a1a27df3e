// Which versions want a trigger host, and whether their fork servers were told so.
import type { FromForkServer, ToForkServer } from '#contract/attempt.ts';
import type { VersionId } from '#contract/ids.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { howEnded } from './warm.ts';

/** As much of a warm version as this file needs. */
interface HostPlace {
  readonly id: string;
  readonly state: string;
  readonly link: LineSocket<ToForkServer> | null;
}

/** One per executor. A host that ends although it is wanted is asked for again at the next look. */
export class TriggerHosts {
  readonly #wanted = new Set<VersionId>();
  /** Fork servers that were told to keep one. */
  readonly #told = new Set<string>();

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
    else this.#wanted.delete(versionId);
    const { place } = at;
    if (wanted) this.keep(versionId, at);
    else if (place !== undefined && this.#told.delete(place.id)) place.link?.send({ op: 'host', epoch: at.epoch, wanted: false });
  }

  /** Looks again at one version. */
  keep(versionId: VersionId, { place, epoch }: { readonly place: HostPlace | undefined; readonly epoch: number }): void {
    if (!this.#wanted.has(versionId) || place === undefined || place.state !== 'ready' || place.link === null || this.#told.has(place.id)) return;
    this.#told.add(place.id);
    place.link.send({ op: 'host', epoch, wanted: true });
  }

  /** @returns what to report of it */
  onEnded(place: HostPlace, ended: Extract<FromForkServer, { op: 'host_ended' }>): string {
    this.#told.delete(place.id);
    return `the trigger host of ${place.id} ended (${howEnded(ended)})`;
  }

  /** The fork server is gone, and its host with it. */
  forget(id: string): void {
    this.#told.delete(id);
  }

  /** A term ends. */
  clear(): void {
    this.#wanted.clear();
    this.#told.clear();
  }
}
