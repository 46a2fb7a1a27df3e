// Which ready instances may start now: priorities, pools and concurrency limits, without scanning what cannot move.
import type { Instance, RunSnapshot } from './run-snapshot.ts';
import { DAG_DEFAULTS } from '#contract/dag.ts';

/** An instance that may start as far as its run is concerned. */
export interface Candidate {
  readonly run: RunSnapshot;
  readonly instance: Instance;
}

/** A resource with `limit` slots; −1 is unlimited. */
interface Resource { used: number; limit: number; /** Slots of a pool that deferred instances hold. */ deferred: number }

/** `slots` −1 is unlimited. Deferred instances hold their slots where the pool says so. */
export interface PoolLimit { readonly slots: number; readonly includeDeferred: boolean }

/** Why a candidate waits, in the words `tasks explain` shows: resource, slots in use, slots there are. */
export interface Blocked { readonly resource: string; readonly used: number; readonly limit: number }

/** What admission asks anew each time, because people may change it at any moment. */
export interface AdmissionRules {
  /** Null when there is no such pool. */
  poolOf(name: string): PoolLimit | null;
  /** Instances of a paused DAG do not start. */
  isPaused(dagId: string): boolean;
}

/**
 * The queue of ready instances of all runs. A candidate that meets an exhausted resource is parked behind it and looked at
 * again only when that resource frees a slot, so ten thousand waiting instances cost nothing.
 * Order: priority weight descending, logical date ascending (none last), map index ascending, then arrival.
 */
export class Admission {
  readonly #resources = new Map<string, Resource>();
  readonly #open = new Heap();
  /** Behind each resource, one heap per number of slots asked for: who asks for many must not hide who asks for one. */
  readonly #parked = new Map<string, Map<number, Heap>>();
  /** Names of the resources that belong to one run. */
  readonly #ofRun = new Map<string, Set<string>>();
  readonly #queued = new Map<Instance, Entry>();
  /** Slots of deferred instances by pool, whether the pool counts them or not: that may change. */
  readonly #deferred = new Map<string, number>();
  readonly #deferring = new Set<Instance>();
  #arrivals = 0;
  readonly #rules: AdmissionRules;

  constructor(parallelism: number, rules: AdmissionRules) {
    this.#resources.set('parallelism', { used: 0, limit: parallelism, deferred: 0 });
    this.#rules = rules;
  }

  get waiting(): number {
    return this.#queued.size;
  }

  add(candidate: Candidate): void {
    if (this.#queued.has(candidate.instance)) return;
    const entry: Entry = { ...candidate, arrival: this.#arrivals++, live: true, behind: null };
    this.#queued.set(candidate.instance, entry);
    this.#open.push(entry);
  }

  /** Forgets a candidate, e.g. because its run was re-read. */
  remove(instance: Instance): void {
    const entry = this.#queued.get(instance);
    if (entry !== undefined) entry.live = false;
    this.#queued.delete(instance);
  }

  /** The best candidate that fits every limit, its slots taken; null when none fits. */
  take(): Candidate | null {
    for (;;) {
      const entry = this.#open.pop();
      if (entry === undefined) return null;
      const blocked = entry.live ? this.findBlocked(entry) : null;
      if (entry.live && blocked === null) {
        this.#queued.delete(entry.instance);
        this.occupy(entry, 1);
        return entry;
      }
      // It was let through by one resource and met another, or is wanted no more: what it leaves behind is the next waiter's.
      if (entry.behind !== null && entry.behind !== blocked?.resource) this.#reopen(entry.behind);
      if (blocked === null) continue;
      this.#park(blocked.resource, entry);
      if (blocked.resource === 'parallelism') return null;
    }
  }

  /** Counts a running instance (a take-over finds them running). @param by 1, or −1 to give back */
  occupy(candidate: Candidate, by: 1 | -1): void {
    for (const { name, slots } of this.#needs(candidate)) {
      const resource = this.#resource(name, candidate);
      resource.used = Math.max(0, resource.used + by * slots);
    }
  }

  /** Gives an instance's slots back and lets the best waiter of each resource compete again. */
  release(candidate: Candidate): void {
    this.occupy(candidate, -1);
    for (const { name } of this.#needs(candidate)) this.#reopen(name);
  }

  /** An instance waits for a trigger: in pools that count such it holds its slots, and nowhere else. */
  defer({ instance }: Candidate): void {
    if (this.#deferring.has(instance)) return;
    this.#deferring.add(instance);
    this.#countDeferred(instance, 1);
  }

  /** It waits no more; whoever waited for its slots competes again. */
  resume(instance: Instance): void {
    if (!this.#deferring.delete(instance)) return;
    this.#countDeferred(instance, -1);
    this.#reopen(poolOf(instance));
  }

  #countDeferred(instance: Instance, by: 1 | -1): void {
    const name = poolOf(instance);
    this.#deferred.set(name, (this.#deferred.get(name) ?? 0) + by * (instance.task.task.pool_slots ?? 1));
    this.#pool(name, this.#resources.get(name));
  }

  /** After a pool was resized or a DAG unpaused: everybody behind it is looked at again. */
  reopenAll(): void {
    for (const [name, heaps] of this.#parked) {
      this.#parked.delete(name);
      for (const heap of heaps.values()) for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) this.#open.push(entry);
    }
  }

  /** Drops the counters of a run that is finished. */
  forgetRun(run: RunSnapshot): void {
    for (const name of this.#ofRun.get(run.id) ?? []) {
      this.#resources.delete(name);
      this.#parked.delete(name);
    }
    this.#ofRun.delete(run.id);
  }

  /** The first limit in a candidate's way, null when it may start. */
  findBlocked(candidate: Candidate): Blocked | null {
    for (const { name, slots } of this.#needs(candidate)) {
      const resource = this.#resource(name, candidate);
      const used = resource.used + resource.deferred;
      if (resource.limit >= 0 && used + slots > resource.limit) return { resource: name, used, limit: resource.limit };
    }
    return null;
  }

  #park(resource: string, entry: Entry): void {
    const heaps = this.#parked.get(resource) ?? new Map<number, Heap>();
    this.#parked.set(resource, heaps);
    entry.behind = resource;
    const slots = this.#needs(entry).find((need) => need.name === resource)?.slots ?? 1;
    const heap = heaps.get(slots) ?? new Heap();
    heaps.set(slots, heap);
    heap.push(entry);
  }

  /** Lets as many waiters compete again as the resource's free slots would hold, the best of each size. */
  #reopen(resource: string): void {
    const heaps = this.#parked.get(resource);
    if (heaps === undefined) return;
    for (const [slots, heap] of heaps) {
      const free = this.#free(resource);
      for (let room = slots; room <= free; ) {
        const entry = heap.pop();
        if (entry === undefined) {
          heaps.delete(slots);
          break;
        }
        if (!entry.live) continue;
        this.#open.push(entry);
        room += slots;
      }
    }
    if (heaps.size === 0) this.#parked.delete(resource);
  }

  #free(resource: string): number {
    const found = this.#resources.get(resource);
    if (found === undefined || found.limit < 0) return Number.POSITIVE_INFINITY;
    return found.limit - found.used - found.deferred;
  }

  #needs({ run, instance }: Candidate): { name: string; slots: number }[] {
    const { task } = instance.task;
    const needs = [
      { name: `unpaused ${run.dagId}`, slots: 1 },
      { name: 'parallelism', slots: 1 },
      { name: poolOf(instance), slots: task.pool_slots ?? 1 },
      { name: `max_active_tasks@${run.id}`, slots: 1 },
    ];
    if (task.max_active_tis_per_dag !== undefined) needs.push({ name: `max_active_tis_per_dag of ${run.dagId}.${task.task_id}`, slots: 1 });
    if (task.max_active_tis_per_dagrun !== undefined) needs.push({ name: `max_active_tis_per_dagrun of ${task.task_id}@${run.id}`, slots: 1 });
    return needs;
  }

  #resource(name: string, { run, instance }: Candidate): Resource {
    const found = this.#resources.get(name);
    if (name.startsWith('pool ')) return this.#pool(name, found);
    if (found !== undefined) {
      if (name.startsWith('unpaused ')) found.limit = this.#limit(name, run, instance);
      return found;
    }
    const made = { used: 0, limit: this.#limit(name, run, instance), deferred: 0 };
    this.#resources.set(name, made);
    if (name.endsWith(`@${run.id}`)) this.#ofRun.set(run.id, (this.#ofRun.get(run.id) ?? new Set()).add(name));
    return made;
  }

  #pool(name: string, found: Resource | undefined): Resource {
    const { slots, includeDeferred } = this.#rules.poolOf(name.slice(5)) ?? { slots: 0, includeDeferred: false };
    const pool = found ?? { used: 0, limit: 0, deferred: 0 };
    pool.limit = slots;
    pool.deferred = includeDeferred ? (this.#deferred.get(name) ?? 0) : 0;
    if (found === undefined) this.#resources.set(name, pool);
    return pool;
  }

  #limit(name: string, run: RunSnapshot, instance: Instance): number {
    const { task } = instance.task;
    if (name.startsWith('unpaused ')) return this.#rules.isPaused(run.dagId) ? 0 : -1;
    if (name.startsWith('max_active_tasks@')) return run.graph.dag.max_active_tasks ?? DAG_DEFAULTS.maxActiveTasks;
    if (name.startsWith('max_active_tis_per_dagrun')) return task.max_active_tis_per_dagrun ?? -1;
    return task.max_active_tis_per_dag ?? -1;
  }
}

function poolOf({ task: { task } }: Instance): string {
  return `pool ${task.pool ?? DAG_DEFAULTS.pool}`;
}

/** `behind`: the resource it was parked behind last. */
interface Entry extends Candidate { readonly arrival: number; live: boolean; behind: string | null }

function isBefore(a: Entry, b: Entry): boolean {
  const weight = b.instance.task.priorityWeight - a.instance.task.priorityWeight;
  if (weight !== 0) return weight < 0;
  const date = (a.run.logicalDate ?? Number.POSITIVE_INFINITY) - (b.run.logicalDate ?? Number.POSITIVE_INFINITY);
  if (date < 0 || date > 0) return date < 0;
  const index = a.instance.mapIndex - b.instance.mapIndex;
  return index === 0 ? a.arrival < b.arrival : index < 0;
}

/** A binary heap of entries, best first. */
class Heap {
  readonly #items: Entry[] = [];

  push(entry: Entry): void {
    const items = this.#items;
    let at = items.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = items[up];
      if (parent === undefined || !isBefore(entry, parent)) break;
      items[at] = parent;
      at = up;
    }
    items[at] = entry;
  }

  pop(): Entry | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = items[child + 1];
      let best = items[child];
      if (best === undefined) break;
      if (right !== undefined && isBefore(right, best)) {
        best = right;
        child += 1;
      }
      if (!isBefore(best, last)) break;
      items[at] = best;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
