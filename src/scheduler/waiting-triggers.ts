// Triggers that tasks wait for, as far as that is written down, and what their hosts are told to run.
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { TriggerOrder, TriggerOrders, TriggerWatch, WatchOrder } from '#contract/execution-api.ts';
import type { ExecutionId, RunUuid, TriggerId, VersionId } from '#contract/ids.ts';
import { partsOf } from '#core/parts-of.ts';
import type { Instance, RunSnapshot } from '#core/run-snapshot.ts';
import type { Executor } from '#executor/executor.ts';
import { callLater, monotonicMs } from '#platform/clock.ts';

/** One wait. */
export interface WaitingTrigger {
  readonly id: TriggerId;
  readonly run: RunUuid;
  readonly versionId: VersionId;
  readonly executionId: ExecutionId | null;
  readonly order: Omit<TriggerOrder, 'token'>;
}

/** What a host said last. */
interface Host { readonly pid: number; readonly heardMs: number; readonly running: ReadonlySet<TriggerId>; readonly ending: ReadonlySet<TriggerId> }

/** What a host is to run. */
type Order = Omit<TriggerOrder, 'token'> | Omit<WatchOrder, 'token'>;

/** `changes` is counted: what changes while an answer is made is not missed. */
interface Version { readonly orders: Map<TriggerId, Order>; readonly watchers: Set<() => void>; changes: number; stopLinger: (() => void) | null }

/** A host that asks is answered at the latest after this time. */
const WATCH_MS = 20_000;
/** It missed two answers: nobody runs it any more. */
const HOST_SILENT_MS = 3 * WATCH_MS;
/** A host without triggers is kept for this long: whoever defers once often does so again. */
const LINGER_MS = 30_000;

/** One per term of leadership. */
export class WaitingTriggers {
  readonly #executor: Pick<Executor, 'hostTriggers' | 'versionOf'>;
  readonly #tokenOf: (id: TriggerId) => Promise<string>;
  readonly #onHosted: (ids: readonly TriggerId[], pid: number) => void;
  readonly #byId = new Map<TriggerId, WaitingTrigger>();
  readonly #byRun = new Map<RunUuid, Set<TriggerId>>();
  /** Triggers that no task waits for, with their versions. */
  readonly #watchers = new Map<TriggerId, VersionId>();
  readonly #versions = new Map<VersionId, Version>();
  readonly #hosts = new Map<VersionId, Host>();
  /** Those that nobody waits for any more, until their host has said that they are over, or is gone. */
  readonly #former = new Map<TriggerId, WaitingTrigger>();
  #isClosed = false;

  /** @param onHosted hears once of each trigger that a host says it runs */
  constructor(executor: Pick<Executor, 'hostTriggers' | 'versionOf'>, tokenOf: (id: TriggerId) => Promise<string>, onHosted: (ids: readonly TriggerId[], pid: number) => void) {
    this.#executor = executor;
    this.#tokenOf = tokenOf;
    this.#onHosted = onHosted;
  }

  find(id: TriggerId): WaitingTrigger | null {
    return this.#byId.get(id) ?? null;
  }

  /** One that was called off while a host ran it: until that has cleaned up. */
  findFormer(id: TriggerId): WaitingTrigger | null {
    return this.#former.get(id) ?? null;
  }

  /** Written down: from here on a host runs it. */
  add(trigger: WaitingTrigger): void {
    this.remove(trigger.id);
    this.#byId.set(trigger.id, trigger);
    this.#byRun.set(trigger.run, (this.#byRun.get(trigger.run) ?? new Set()).add(trigger.id));
    this.#place(trigger.versionId, trigger.order);
  }

  /** From here on a host of this version runs it, until it is removed. */
  addWatcher(versionId: VersionId, order: Omit<WatchOrder, 'token'>): void {
    this.removeWatcher(order.id);
    this.#watchers.set(order.id, versionId);
    this.#place(versionId, order);
  }

  removeWatcher(id: TriggerId): void {
    const versionId = this.#watchers.get(id);
    this.#watchers.delete(id);
    if (versionId !== undefined) this.#displace(versionId, id);
  }

  #place(versionId: VersionId, order: Order): void {
    const version = this.#versionOf(versionId);
    if (version.orders.size === 0) this.#executor.hostTriggers(versionId, true);
    version.stopLinger?.();
    version.stopLinger = null;
    version.orders.set(order.id, order);
    wake(version);
  }

  #displace(versionId: VersionId, id: TriggerId): void {
    const version = this.#versionOf(versionId);
    version.orders.delete(id);
    if (version.orders.size === 0) version.stopLinger = callLater(LINGER_MS, () => this.#forget(versionId));
    wake(version);
  }

  /** Nobody waits for it any more, and that is written down. */
  remove(id: TriggerId): void {
    const trigger = this.#byId.get(id);
    if (trigger === undefined) return;
    this.#byId.delete(id);
    const ofRun = this.#byRun.get(trigger.run);
    ofRun?.delete(id);
    if (ofRun?.size === 0) this.#byRun.delete(trigger.run);
    if (this.#hosts.get(trigger.versionId)?.running.has(id) === true) this.#former.set(id, trigger);
    this.#displace(trigger.versionId, id);
  }

  /** A run was read: of what it waited for only this is left. */
  keepOnly(run: RunUuid, ids: ReadonlySet<TriggerId>): void {
    for (const id of [...(this.#byRun.get(run) ?? [])]) if (!ids.has(id)) this.remove(id);
  }

  /**
   * What a host has to change, as soon as there is something. `stop` when nothing waits any more, or it belongs to no version of ours.
   * Throws `not_leading` at the end of the term.
   */
  async watch(watch: TriggerWatch, gone: AbortSignal): Promise<TriggerOrders> {
    const deadline = monotonicMs() + WATCH_MS;
    for (;;) {
      if (this.#isClosed) throw new AppError('not_leading', 'this server does not lead any more');
      const versionId = this.#executor.versionOf(watch.fork_server);
      if (versionId === null) return { create: [], cancel: watch.running, stop: true };
      const version = this.#versions.get(versionId);
      if (version === undefined) return { create: [], cancel: watch.running, stop: true };
      const host = { pid: watch.pid, heardMs: monotonicMs(), running: new Set(watch.running), ending: new Set(watch.ending) };
      this.#hear(versionId, host);
      const { changes } = version;
      const orders = await this.#ordersFor(version, host);
      const leftMs = deadline - monotonicMs();
      if (orders.create.length + orders.cancel.length > 0 || orders.stop || leftMs <= 0 || gone.aborted) return orders;
      if (version.changes === changes) await this.#untilChanged(version, leftMs, gone);
    }
  }

  #hear(versionId: VersionId, host: Host): void {
    const before = this.#hosts.get(versionId);
    this.#hosts.set(versionId, host);
    for (const trigger of this.#former.values()) if (trigger.versionId === versionId && !host.running.has(trigger.id) && !host.ending.has(trigger.id)) this.#former.delete(trigger.id);
    const begun = [...host.running].filter((id) => this.#byId.has(id) && !(before?.pid === host.pid && before.running.has(id)));
    if (begun.length > 0) this.#onHosted(begun, host.pid);
  }

  /** What becomes of a trigger, for people. */
  tell(id: TriggerId): string {
    const trigger = this.#byId.get(id);
    const host = trigger === undefined ? undefined : this.#hosts.get(trigger.versionId);
    if (host === undefined || isSilent(host)) return 'no trigger host runs it yet';
    const who = `the trigger host, process ${host.pid},`;
    if (host.running.has(id)) return `${who} runs it`;
    return roomOf(host) > 0 ? `${who} is about to run it` : `${who} runs ${LIMITS.maxHostTriggers} triggers, the most that one may; it waits for one of them to end`;
  }

  close(): void {
    this.#isClosed = true;
    for (const version of this.#versions.values()) {
      version.stopLinger?.();
      wake(version);
    }
  }

  #versionOf(id: VersionId): Version {
    const found = this.#versions.get(id);
    if (found !== undefined) return found;
    const made = { orders: new Map<TriggerId, Order>(), watchers: new Set<() => void>(), changes: 0, stopLinger: null };
    this.#versions.set(id, made);
    return made;
  }

  /** The oldest first, as far as the host has room. */
  async #ordersFor(version: Version, host: Host): Promise<TriggerOrders> {
    const { orders } = version;
    const { running, ending } = host;
    const cancel = [...running].filter((id) => !orders.has(id));
    const missing = [...orders.values()].filter(({ id }) => !running.has(id) && !ending.has(id)).slice(0, roomOf(host));
    const bytesOf = ({ kwargs }: Order): number => kwargs.length;
    const [first = []] = partsOf(missing, { maxItems: LIMITS.maxTriggerOrders, maxBytes: LIMITS.maxTriggerOrderBytes, bytesOf });
    const create = await Promise.all(first.map(async (order) => ({ ...order, token: await this.#tokenOf(order.id) })));
    return { create, cancel, stop: orders.size === 0 && version.stopLinger === null };
  }

  #untilChanged(version: Version, ms: number, gone: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        callOff();
        version.watchers.delete(done);
        gone.removeEventListener('abort', done);
        resolve();
      };
      const callOff = callLater(ms, done);
      version.watchers.add(done);
      gone.addEventListener('abort', done, { once: true });
    });
  }

  /** Nothing of this version has waited for a while. What its host still cleans up is waited for. */
  #forget(id: VersionId): void {
    const version = this.#versionOf(id);
    version.stopLinger = null;
    if (this.#isClosed) return;
    const host = this.#hosts.get(id);
    if (host !== undefined && !isSilent(host) && host.running.size + host.ending.size > 0) {
      version.stopLinger = callLater(LINGER_MS, () => this.#forget(id));
      return;
    }
    this.#executor.hostTriggers(id, false);
    this.#versions.delete(id);
    this.#hosts.delete(id);
    for (const former of this.#former.values()) if (former.versionId === id) this.#former.delete(former.id);
    wake(version);
  }
}

function isSilent({ heardMs }: Host): boolean {
  return monotonicMs() - heardMs > HOST_SILENT_MS;
}

/** How many more triggers a host may run: it names those that clean up as well. */
function roomOf({ running, ending }: Host): number {
  return Math.max(0, LIMITS.maxHostTriggers - running.size - ending.size);
}

function wake(version: Version): void {
  version.changes += 1;
  for (const watcher of [...version.watchers]) watcher();
}

/** The wait of a deferred instance, once it is written down; null when it waits for nothing. */
export function waitingTriggerOf(run: RunSnapshot, instance: Instance, logFile: (execution: ExecutionId) => string): WaitingTrigger | null {
  const { wait, attemptId, mapIndex, tryNumber } = instance;
  if (wait === null || wait.id === null || wait.isOver || attemptId === null) return null;
  return {
    id: wait.id, run: run.id, versionId: run.versionId, executionId: wait.executionId,
    order: {
      id: wait.id, classpath: wait.classpath, kwargs: wait.kwargs, dag_id: run.dagId, run_id: run.runId, task_id: instance.task.id, map_index: mapIndex, try_number: tryNumber, attempt_id: attemptId,
      ...(wait.executionId === null ? {} : { log_file: logFile(wait.executionId) }),
    },
  };
}
