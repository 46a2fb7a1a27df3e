// What became of triggers: each event is recorded once, with what follows from it, in one commit with others that came meanwhile.
import type { ReportedXCom } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { TriggerEvent, TriggerEventAnswer } from '#contract/execution-api.ts';
import { makeUuidV7, type TriggerId } from '#contract/ids.ts';
import { callAfter, resume } from '#core/deferral.ts';
import { type Outcome, recordOutcome } from '#core/plan-run.ts';
import type { Instance, TriggerWait } from '#core/run-snapshot.ts';
import { errorText } from '#platform/report.ts';
import { isRefusal } from '#store/database.ts';
import type { AdvanceRuns } from './advance-runs.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { EngineMemory, Entry } from './engine-memory.ts';
import type { CommitResult } from './pending-run.ts';
import { commitXComs, inlineXComs, isTrusted, type Placed, placeXComs } from './place-xcoms.ts';
import type { ReadRuns } from './read-runs.ts';
import { callbacksOfTask } from './requested-callbacks.ts';
import type { WaitingTrigger } from './waiting-triggers.ts';

type Ended = Extract<TriggerEvent, { kind: 'ended' }>;

/** An instance that waits, as it is now. */
interface Waiter { readonly entry: Entry; readonly instance: Instance; readonly wait: TriggerWait }

/** A run that keeps changing under an event is tried so often; its host tells the event again. */
const ATTEMPTS = 5;

/** One per term of leadership. */
export class TakeTriggerEvents {
  readonly #memory: EngineMemory;
  readonly #queue: CommitQueue;
  readonly #advance: AdvanceRuns;
  readonly #reads: ReadRuns;
  readonly #recording = new Map<TriggerId, Promise<unknown>>();

  constructor(memory: EngineMemory, queue: CommitQueue, followers: { advance: AdvanceRuns; reads: ReadRuns }) {
    this.#memory = memory;
    this.#queue = queue;
    this.#advance = followers.advance;
    this.#reads = followers.reads;
  }

  /** Throws `not_leading` when not all could be recorded for reasons of ours: the host tells them again, and those that were are `stale` then. */
  take(events: readonly TriggerEvent[]): Promise<TriggerEventAnswer[]> {
    return Promise.all(events.map(async (event) => ({ trigger_id: event.trigger_id, kind: await this.#once(event) })));
  }

  /** Told again while the first is being committed: only after that it is known whether this one is too late. */
  async #once(event: TriggerEvent): Promise<TriggerEventAnswer['kind']> {
    const { trigger_id: id } = event;
    const first = this.#recording.get(id);
    if (first !== undefined) {
      await first;
      return 'stale';
    }
    const recording = this.#record(event);
    this.#recording.set(id, recording);
    try {
      return await recording;
    } finally {
      this.#recording.delete(id);
    }
  }

  async #record(told: TriggerEvent): Promise<TriggerEventAnswer['kind']> {
    let event = told;
    let placed: Placed | null = null;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      this.#refuseWhenOver();
      const trigger = this.#memory.waiting.find(event.trigger_id);
      if (trigger === null) return 'stale';
      await this.#reads.untilRunTried(trigger.run);
      this.#refuseWhenOver();
      const waiter = this.#waiterOf(trigger);
      if (waiter === null) continue;
      if (waiter === 'gone') return 'stale';
      event = this.#admitted(event, waiter.entry);
      if (this.#isToPlace(event, placed)) {
        placed = await this.#place(event, waiter.entry);
        continue;
      }
      const result = await this.#settle(waiter, event, placed);
      if (result.kind === 'moved') return 'recorded';
      if (result.kind === 'stale') continue;
      if (!isRefusal(result.error)) throw result.error;
      // The database refuses what the trigger brought: that it fired still counts.
      event = { trigger_id: event.trigger_id, kind: 'failed', error: `what it brought could not be stored: ${errorText(result.error)}`, traceback: [] };
    }
    throw new AppError('not_leading', 'the run keeps changing under this event');
  }

  #refuseWhenOver(): void {
    if (this.#memory.isClosed) throw new AppError('not_leading', 'this server does not lead any more');
  }

  /** Null: its run cannot be read just now. */
  #waiterOf({ id, run, order }: WaitingTrigger): Waiter | 'gone' | null {
    const entry = this.#memory.entries.get(run);
    if (entry === undefined) return null;
    const instance = entry.run.tasks[entry.run.graph.byId.get(order.task_id) ?? -1]?.instances.get(order.map_index);
    const wait = instance?.wait ?? null;
    return instance === undefined || wait === null || wait.id !== id || wait.isOver ? 'gone' : { entry, instance, wait };
  }

  /** A value that is too large fails its task, as it does one that pushes it itself. */
  #admitted(event: TriggerEvent, { run }: Entry): TriggerEvent {
    if (event.kind !== 'ended') return event;
    const limit = run.graph.dag.xcom?.max_bytes ?? this.#memory.options.config.LEOFLOW_XCOM_MAX_BYTES;
    const large = event.xcoms.find(({ value }) => Buffer.byteLength(value) > limit);
    if (large === undefined) return event;
    return { trigger_id: event.trigger_id, kind: 'failed', error: `the XCom ${large.key} is larger than ${limit} bytes`, traceback: [] };
  }

  #isToPlace(event: TriggerEvent, placed: Placed | null): event is Ended {
    if (event.kind !== 'ended' || event.xcoms.length === 0 || this.#memory.options.values === null) return false;
    return placed === null || !isTrusted(placed, this.#memory.nowMs);
  }

  /** Throws `xcom_store_unavailable`: the host tells it again. */
  async #place(event: Ended, { run }: Entry): Promise<Placed | null> {
    const { values } = this.#memory.options;
    if (values === null) return null;
    return placeXComs(values.store, { owner: event.trigger_id, xcoms: reportedXComs(event) }, { ttlSeconds: run.graph.dag.xcom?.ttl_seconds ?? null, mark: { epoch: values.epoch, atMs: this.#memory.nowMs, run: run.id } });
  }

  #settle({ entry, instance, wait }: Waiter, event: TriggerEvent, placed: Placed | null): Promise<CommitResult> {
    const plan = this.#advance.begin(entry);
    const pending = this.#queue.pendingOf(entry.run);
    if (event.kind === 'ended') {
      const xcoms = placed?.xcoms ?? inlineXComs(reportedXComs(event));
      commitXComs(entry, pending, { instance, xcoms });
      recordOutcome(plan, instance, { outcome: outcomeOf(event, wait.classpath), limits: this.#memory.limits });
      this.#advance.requestCallbacks(entry.run, callbacksOfTask(entry.run, instance, { at: plan.now, makeId: () => makeUuidV7(plan.now), message: instance.reason, withEmail: false }));
      pending.waiters.push((result) => {
        const locations = xcoms.flatMap(({ location }) => location ?? []);
        if (result.kind === 'moved' && locations.length > 0) this.#memory.options.values?.store.confirmValues(locations).catch(() => undefined);
      });
    } else resume(plan, instance, callAfter(wait, event));
    const done = new Promise<CommitResult>((resolve) => pending.waiters.push(resolve));
    this.#advance.conclude(entry, plan);
    return done;
  }
}

/** Source: Airflow 3.2.1 `BaseTaskEndEvent`: the state is set as it is, retries are not asked about. */
function outcomeOf({ state }: Ended, trigger: string): Outcome {
  switch (state) {
    case 'success': return { kind: 'success', skips: null };
    case 'skipped': return { kind: 'skipped', reason: `its trigger ${trigger} skipped it` };
    case 'failed': return { kind: 'failed', cause: 'user_error', noRetry: true, reason: `its trigger ${trigger} ended it as failed` };
  }
}

function reportedXComs({ xcoms }: Ended): ReportedXCom[] {
  return xcoms.map(({ key, value }) => ({ key, value, mapped_length: lengthOf(JSON.parse(value)) }));
}

function lengthOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null) return null;
  return Array.isArray(value) ? value.length : Object.keys(value).length;
}
