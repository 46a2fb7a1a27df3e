// What others changed: notices are looked at until that succeeds, and after a gap of notices everything is.
import type { RunUuid } from '#contract/ids.ts';
import type { PoolLimit } from '#core/admission.ts';
import { sleep } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { Database } from '#store/database.ts';
import { listUnfinishedRuns, listUnfinishedRunsOf } from '#store/dag-runs.ts';
import type { Channel, Listening, NoticeHandlers } from '#store/notifications.ts';
import { findPause, listPausedDags, listUnplannedDags, readPools } from '#store/schedule.ts';
import type { Schedule } from './create-due-runs.ts';
import type { RunEngine } from './run-engine.ts';

interface FollowOptions {
  readonly database: Database;
  readonly reporter: Reporter;
  readonly engine: RunEngine;
  readonly schedule: Schedule;
  readonly listen: (handlers: NoticeHandlers) => Listening;
  /** A DAG goes on: its next run may lie far back. */
  readonly planAnew: (dagId: string) => Promise<void>;
  readonly onPools: (pools: Map<string, PoolLimit>) => void;
}

/** How long a take-over waits for the first connection that listens. */
const LISTEN_MS = 2000;
/** Runs read at once. */
const AT_ONCE = 8;

/** One per term of leadership. */
export class FollowNotices {
  readonly #options: FollowOptions;
  readonly #over = new AbortController();
  /** What was told before the take-over was complete: looked at when all is read. */
  #early: { readonly channel: Channel; readonly payload: string }[] | null = [];
  /** Notices were missed during the take-over. Runs are not read before: whose executions they name is not known yet. */
  #hasMissed = false;
  /** DAGs that are being looked at, and whether they changed since. */
  readonly #dags = new Map<string, boolean>();
  #listening: Listening | null = null;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** Begins to listen. Resolves when notices are heard, or after a while without: then the first connection counts as a gap. */
  start(): Promise<void> {
    const first = new AbortController();
    let isFirst = true;
    this.#listening = this.#options.listen({
      onNotice: (channel, payload) => this.#onNotice(channel, payload),
      onGap: () => {
        first.abort();
        if (this.#early === null) void this.#insist('catch up', () => this.#readAll());
        else if (!isFirst) this.#hasMissed = true;
        isFirst = false;
      },
    });
    return sleep(LISTEN_MS, first.signal);
  }

  /** Pools and pause switches as they are; notices of later changes are kept. */
  async readSwitches(): Promise<void> {
    const { database, engine } = this.#options;
    this.#options.onPools(await readPools(database.pool));
    engine.setAllPaused(await listPausedDags(database.pool));
  }

  /** The take-over is complete: what was told meanwhile is looked at, and from here on everything at once. */
  complete(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const { channel, payload } of early) this.#onNotice(channel, payload);
    if (this.#hasMissed) void this.#insist('catch up', () => this.#readAll());
  }

  /** Plans DAGs whose own timetable was not asked yet. */
  async planUnplanned(): Promise<void> {
    for (const dagId of await listUnplannedDags(this.#options.database.pool)) await this.#options.planAnew(dagId);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#listening?.stop();
  }

  #onNotice(channel: Channel, payload: string): void {
    if (this.#over.signal.aborted) return;
    if (this.#early !== null) this.#early.push({ channel, payload });
    else if (channel === 'leoflow_run') void this.#options.engine.loadRun(payload as RunUuid);
    else if (channel === 'leoflow_dag') this.lookAtDag(payload);
    else void this.#insist('pool notice', () => this.#readPools());
  }

  /** Notices were missed: somebody may have changed, ended or deleted any run, and used any switch. */
  async #readAll(): Promise<void> {
    const { database, engine, schedule } = this.#options;
    const runs = [...new Set([...(await listUnfinishedRuns(database.pool)), ...engine.listKnown()])];
    await this.readSwitches();
    engine.reopenPools();
    await this.#readRuns(runs);
    await schedule.poke();
  }

  async #readRuns(runs: readonly RunUuid[]): Promise<void> {
    const { engine } = this.#options;
    for (let at = 0; at < runs.length; at += AT_ONCE) await Promise.all(runs.slice(at, at + AT_ONCE).map((run) => engine.loadRun(run)));
  }

  async #readPools(): Promise<void> {
    this.#options.onPools(await readPools(this.#options.database.pool));
    this.#options.engine.reopenPools();
  }

  /** One look at a DAG at a time: of two switches the later one must be the one that is remembered. */
  lookAtDag(dagId: string): void {
    if (this.#dags.has(dagId)) return void this.#dags.set(dagId, true);
    this.#dags.set(dagId, false);
    void this.#insist('dag notice', () => this.#onDagChanged(dagId)).finally(() => {
      const isAgain = this.#dags.get(dagId) === true;
      this.#dags.delete(dagId);
      if (isAgain && !this.#over.signal.aborted) this.lookAtDag(dagId);
    });
  }

  async #onDagChanged(dagId: string): Promise<void> {
    const { database, engine, schedule } = this.#options;
    if ((await findPause(database.pool, dagId)) === false) await this.#options.planAnew(dagId);
    const isPaused = await findPause(database.pool, dagId);
    if (isPaused !== null) engine.setPaused(dagId, isPaused);
    const unfinished = new Set(await listUnfinishedRunsOf(database.pool, dagId));
    // Runs that are not known, and known ones that were deleted with the DAG or ended: their rows say so.
    await this.#readRuns([...[...unfinished].filter((run) => !engine.knows(run)), ...engine.listKnownOf(dagId).filter((run) => !unfinished.has(run))]);
    // A switch that is gone is forgotten last: nothing of the DAG begins meanwhile.
    if (isPaused === null) engine.setPaused(dagId, false);
    await schedule.poke();
  }

  /** What somebody changed is told once: it is looked at until that succeeds, or this term is over. */
  async #insist(where: string, look: () => Promise<void>): Promise<void> {
    for (let delay = 50; !this.#over.signal.aborted; delay = Math.min(delay * 2, 5000)) {
      try {
        return await look();
      } catch (error) {
        if (this.#over.signal.aborted) return;
        this.#options.reporter.report({ event: 'failure', where, error: errorText(error) });
        await sleep(delay, this.#over.signal);
      }
    }
  }
}
