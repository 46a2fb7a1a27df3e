// Virtual time: one heap of events, and nodes that can be killed or stopped like processes. Production code runs in it unchanged.
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { TimeSource } from '#platform/clock.ts';

/** A process of the world. What it waits for never comes once it is dead, and waits while it is stopped. */
export class Node {
  readonly name: string;
  isAlive = true;
  isStopped = false;
  /** What fell due while it was stopped. */
  readonly held: Event[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

interface Event { readonly at: number; readonly order: number; readonly node: Node | null; readonly run: () => unknown; isOff: boolean }

/** Where the world begins, epoch milliseconds: any instant, away from a minute's border. */
export const BEGIN_MS = Date.UTC(2026, 0, 15, 12, 0, 13);

/** Time passes from event to event; between two of them everything that they set off has come to rest. */
export class World implements TimeSource {
  readonly #heap: Event[] = [];
  readonly #context = new AsyncLocalStorage<Node>();
  #now = BEGIN_MS;
  #order = 0;
  /** Real work that events wait for, e.g. a statement that PostgreSQL executes. */
  #busy = 0;
  #onIdle: () => void = () => undefined;
  events = 0;

  /** Epoch milliseconds of the virtual clock. */
  get now(): number {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#now - BEGIN_MS;
  }

  wallMs(): number {
    return this.#now;
  }

  /** A timer of the node whose code runs now. */
  after(ms: number, run: () => void): () => void {
    const event = this.at(this.#now + Math.max(0, ms), run, this.#context.getStore() ?? null);
    return () => void (event.isOff = true);
  }

  /** An event at a time; of a dead node it does not happen. */
  at(at: number, run: () => unknown, node: Node | null): Event {
    const event = { at: Math.max(at, this.#now), order: this.#order++, node, run, isOff: false };
    push(this.#heap, event);
    return event;
  }

  /** Runs code as a node's. */
  as<T>(node: Node, run: () => T): T {
    return this.#context.run(node, run);
  }

  /** Waits for real work; no virtual time passes. */
  async work<T>(real: () => Promise<T>): Promise<T> {
    this.#busy += 1;
    try {
      return await real();
    } finally {
      this.#free();
    }
  }

  /** The world does not go on before `release` is called. */
  hold(): () => void {
    this.#busy += 1;
    return () => this.#free();
  }

  kill(node: Node): void {
    node.isAlive = false;
    node.held.length = 0;
  }

  stop(node: Node): void {
    node.isStopped = true;
  }

  /** A stopped node goes on with everything that fell due in between. */
  resume(node: Node): void {
    node.isStopped = false;
    for (const event of node.held.splice(0)) if (!event.isOff) this.at(this.#now, event.run, node);
  }

  /** Lets time pass until `until`, or until `isOver` says so. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    await this.settle();
    while (!isOver()) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) break;
      pop(this.#heap);
      if (event.isOff || event.node?.isAlive === false) continue;
      if (event.node?.isStopped === true) {
        event.node.held.push(event);
        continue;
      }
      this.#now = event.at;
      this.events += 1;
      if (event.node === null) this.#context.exit(event.run);
      else this.#context.run(event.node, event.run);
      await this.settle();
    }
    if (!isOver()) this.#now = Math.max(this.#now, until);
  }

  /** Everything that was set off has come to rest: what goes on waits for a later event. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await turn();
      while (this.#busy > 0) {
        await new Promise<void>((resolve) => void (this.#onIdle = resolve));
        quiet = 0;
      }
    }
  }

  #free(): void {
    this.#busy -= 1;
    if (this.#busy > 0) return;
    this.#onIdle();
    this.#onIdle = () => undefined;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at === b.at ? a.order < b.order : a.at < b.at;
}

function push(heap: Event[], event: Event): void {
  let at = heap.push(event) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    const parent = heap[up];
    if (parent === undefined || !isBefore(event, parent)) break;
    heap[at] = parent;
    at = up;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    let best = heap[child];
    if (best === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, best)) {
      best = right;
      child += 1;
    }
    if (!isBefore(best, last)) break;
    heap[at] = best;
    at = child;
  }
  heap[at] = last;
}
