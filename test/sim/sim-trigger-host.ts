// The trigger host of one version in the world: it runs what it is told to, dies with its fork server, and tells each event until somebody answers.
import type { TriggerEvent, TriggerOrder } from '#contract/execution-api.ts';
import type { TriggerId, VersionId } from '#contract/ids.ts';
import type { Random } from './random.ts';
import type { SimMachine } from './sim-machine.ts';
import { fateOf } from './workload.ts';
import { Node } from './world.ts';

/** A watch is answered after 20 s at the latest. */
const WATCH_MS = 25_000;

/** One process. */
export class SimTriggerHost {
  readonly node: Node;
  readonly #version: VersionId;
  readonly #machine: SimMachine;
  readonly #random: Random;
  readonly #running = new Map<TriggerId, () => void>();

  constructor(machine: SimMachine, version: VersionId, random: Random) {
    this.node = new Node(`trigger host of ${version}`);
    this.#machine = machine;
    this.#version = version;
    this.#random = random;
  }

  /** Until it is told to end. */
  async live(): Promise<void> {
    for (;;) {
      const watch = { fork_server: this.#version, pid: 1, running: [...this.#running.keys()] };
      const orders = await this.#machine.insist(this.node, (scheduler) => scheduler.watchTriggers(watch, new AbortController().signal), WATCH_MS);
      if (orders === 'closed') throw new Error('a trigger host was turned away');
      for (const order of orders.create) if (!this.#running.has(order.id)) this.#start(order);
      for (const id of orders.cancel) this.#stop(id);
      if (orders.stop) return;
    }
  }

  #start(order: Pick<TriggerOrder, 'id' | 'kwargs'>): void {
    const { fate, afterMs } = fateOf(order.kwargs);
    const wait = fate === 'silent' ? () => undefined : this.#machine.world.after(afterMs, () => void this.#tell(order.id, fate).catch((error: unknown) => this.#machine.ledger.accuse('crash', `a trigger's event: ${String(error)}`)));
    this.#running.set(order.id, wait);
  }

  #stop(id: TriggerId): void {
    this.#running.get(id)?.();
    this.#running.delete(id);
  }

  /** It stays among those that run until its event is answered. */
  async #tell(id: TriggerId, fate: 'fires' | 'fails'): Promise<void> {
    const { ledger, weather } = this.#machine;
    const event: TriggerEvent = fate === 'fires' ? { trigger_id: id, kind: 'event', payload: JSON.stringify(id) } : { trigger_id: id, kind: 'failed', error: 'boom', traceback: ['boom'] };
    ledger.told(id);
    const again = this.#random.chance(weather.repeat) ? 2 : 1;
    for (let time = 0; time < again; time += 1) {
      const answers = await this.#machine.insist(this.node, (scheduler) => scheduler.takeTriggerEvents(this.#version, [event]));
      if (answers === 'closed') throw new Error('an event was turned away');
      for (const { kind } of answers) ledger.answered(id, kind);
    }
    this.#stop(id);
  }
}
