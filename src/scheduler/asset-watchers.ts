// Triggers that watch for something outside on behalf of assets: their hosts are told to run them while a DAG wants them, and each event is recorded once.
import { LIMITS } from '#contract/config.ts';
import { AppError } from '#contract/errors.ts';
import type { TaskCaller, TriggerEvent, TriggerEventAnswer } from '#contract/execution-api.ts';
import type { AttemptId, ExecutionId, RunUuid, TriggerId } from '#contract/ids.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { listWatchers, recordWatchedEvents, type WatchedEvent, type Watcher } from '#store/asset-watchers.ts';
import { type Database, isRefusal } from '#store/database.ts';
import type { WaitingTriggers } from './waiting-triggers.ts';

/** `onEvents` hears when events were recorded: schedules may wait for them. */
interface WatcherOptions {
  readonly database: Pick<Database, 'pool'>;
  readonly epoch: number;
  readonly reporter: Reporter;
  readonly waiting: WaitingTriggers;
  readonly onEvents: () => void;
}

/** One per term of leadership. */
export class AssetWatchers {
  readonly #options: WatcherOptions;
  readonly #known = new Map<TriggerId, Watcher>();

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  has(id: TriggerId): boolean {
    return this.#known.has(id);
  }

  /** What DAGs want now: what they do not want any more is called off, what another version wants moves to its host. */
  async sync(): Promise<void> {
    const { database, waiting } = this.#options;
    const wanted = new Map((await listWatchers(database.pool, LIMITS.maxWatchers)).map((watcher) => [watcher.id, watcher]));
    for (const [id, { versionId }] of [...this.#known]) {
      if (wanted.get(id)?.versionId === versionId) continue;
      this.#known.delete(id);
      waiting.removeWatcher(id);
    }
    for (const watcher of wanted.values()) {
      if (this.#known.has(watcher.id)) continue;
      this.#known.set(watcher.id, watcher);
      const { id, versionId, classpath, kwargs, dagId, asset } = watcher;
      waiting.addWatcher(versionId, { id, classpath, kwargs, dag_id: dagId, watches: asset });
    }
  }

  /** Throws `not_leading` at the end of the term: the host tells them again. */
  async take(events: readonly TriggerEvent[]): Promise<TriggerEventAnswer[]> {
    for (const event of events) if (event.kind === 'failed') this.#tellFailure(event.trigger_id, event.traceback.at(-1)?.trim() ?? event.error);
    const wanted = events.flatMap((event) => this.#recordOf(event) ?? []);
    const refused = wanted.length === 0 ? [] : await this.#record(wanted);
    if (wanted.length > refused.length) this.#options.onEvents();
    return events.map((event) => ({ trigger_id: event.trigger_id, kind: this.#known.has(event.trigger_id) && !isAmong(refused, event) ? 'recorded' : 'stale' }));
  }

  #tellFailure(id: TriggerId, error: string): void {
    const watcher = this.#known.get(id);
    if (watcher !== undefined) this.#options.reporter.report({ event: 'failure', where: `watcher of the asset ${watcher.asset} in ${watcher.dagId}`, error });
  }

  /** @returns those that the database refuses, whoever tells them: they hold up no others */
  async #record(events: readonly WatchedEvent[]): Promise<readonly WatchedEvent[]> {
    const { database, epoch } = this.#options;
    try {
      if ((await recordWatchedEvents(database.pool, epoch, events)) === null) throw new AppError('not_leading', 'another server leads now');
      return [];
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const [first, ...others] = events;
      if (first !== undefined && others.length === 0) {
        this.#tellFailure(first.watcher, `what it brought could not be stored: ${errorText(error)}`);
        return events;
      }
      const middle = Math.ceil(events.length / 2);
      return [...(await this.#record(events.slice(0, middle))), ...(await this.#record(events.slice(middle)))];
    }
  }

  /** Source of `extra`: Airflow 3.2.1 `Trigger.submit_event`. */
  #recordOf(event: TriggerEvent): WatchedEvent | null {
    if (event.kind !== 'event' || event.told_id === undefined || !this.#known.has(event.trigger_id)) return null;
    return { toldId: event.told_id, watcher: event.trigger_id, extra: `{"from_trigger":true,"payload":${event.payload}}` };
  }

  /** Whom the token of a watcher stands for: its DAG, as a callback's does. */
  callerOf(id: TriggerId): TaskCaller | null {
    const watcher = this.#known.get(id);
    if (watcher === undefined) return null;
    // It belongs to no task and no run: its own id stands for theirs, and names none.
    const own = id as string;
    return { kind: 'callback', executionId: own as ExecutionId, attemptId: own as AttemptId, run: own as RunUuid, dagId: watcher.dagId, runId: '', taskId: '', mapIndex: -1, versionId: watcher.versionId, isOpen: true };
  }
}

function isAmong(refused: readonly WatchedEvent[], event: TriggerEvent): boolean {
  return event.kind === 'event' && refused.some(({ toldId }) => toldId === event.told_id);
}
