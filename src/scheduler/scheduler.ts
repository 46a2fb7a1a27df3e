// A server's scheduling side: waits to lead, leads until the lock is lost, and starts over. Followers only wait.
import { join } from 'node:path';
import type { AttemptService, ExecutionSpec } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { DrainEnd } from '#contract/events.ts';
import type { Dag } from '#contract/dag.ts';
import type { ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';
import type { PoolLimit } from '#core/admission.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { callEvery, isoOf, monotonicMs, settledWithin, sleep, untilAborted, wallMs } from '#platform/clock.ts';
import { errorText } from '#platform/report.ts';
import { isUnavailable, probeDatabase } from '#store/database.ts';
import { averageRuntime } from '#store/deadlines.ts';
import { findPastRun, findRunForPlanning, listUnfinishedRuns } from '#store/dag-runs.ts';
import { listInstancesOf, listLiveExecutions, recordHeartbeats } from '#store/executions.ts';
import { type Leadership, probeEpoch, probeLeadership, readEpoch } from '#store/leader.ts';
import { createDueRun, findNextDue, listDueDags } from '#store/schedule.ts';
import { moveTask } from '#store/task-attempts.ts';
import { noteHost } from '#store/triggers.ts';
import { AgentCalls } from './agent-calls.ts';
import { CommitQueue } from './commit-queue.ts';
import { createFindNextRun, type FindNextRun } from './ask-timetable.ts';
import { createAssetPass } from './create-asset-runs.ts';
import { createPartitionPass } from './create-partition-runs.ts';
import { planAnew, Schedule } from './create-due-runs.ts';
import { drain, hasSuccessor, type Work } from './drain.ts';
import { FollowNotices } from './follow-notices.ts';
import { Graphs } from './graphs.ts';
import { History } from './history.ts';
import { RunEngine } from './run-engine.ts';
import type { SchedulerOptions } from './scheduler-options.ts';

/** How long a stepping down leader waits for the commit in flight, and a new one for its first notice connection. */
const LAST_COMMIT_MS = 2000;
/** Signs of life that are newer go into the rows. */
const HEARD_MS = 10_000;
/** Beats come every second: a longer gap was this server's own. */
const OWN_PAUSE_MS = 5000;
/** Three probes fit into the lease of a leader's session. */
const PROBE_MS = 750;
const SLOW_COMMIT_MS = 2000;

/** A little at a time. */
const PRUNE_EVERY_MS = 600_000;
/** Bytes outside PostgreSQL, and what executions left on the disk, follow their rows this soon. */
const SWEEP_EVERY_MS = 10_000;

interface Term {
  readonly leadership: Leadership;
  readonly engine: RunEngine;
  readonly schedule: Schedule;
  readonly queue: CommitQueue;
  readonly end: () => void;
  /** All unfinished runs are in memory: from here on an unknown execution is a closed one. */
  complete: boolean;
  readonly notices: FollowNotices;
  /** Executions on this machine know where the leader is. */
  isPublished: boolean;
}

/** One per server. */
export class Scheduler extends AgentCalls {
  readonly #stop = new AbortController();
  readonly #graphs: Graphs;
  readonly #findNextRun: FindNextRun;
  #pools = new Map<string, PoolLimit>();
  #term: Term | null = null;
  #isDraining = false;
  readonly #history: History;
  #done: Promise<void> = Promise.resolve();

  constructor(options: SchedulerOptions) {
    super(options);
    this.#graphs = new Graphs(options.database);
    this.#findNextRun = createFindNextRun(options.executor);
    this.#history = new History(options);
  }

  get isLeading(): boolean {
    return this.#term?.complete === true;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Numbers of the running term; null for a follower. */
  get counts(): RunEngine['counts'] | null {
    return this.#term?.engine.counts ?? null;
  }

  /** Starts waiting for the lock. Resolves at once. */
  start(): void {
    this.#done = this.#campaign();
  }

  /**
   * Prepares an orderly stop: starts nothing any more and takes reports for up to `seconds`, unless another server of this home goes on with what
   * runs. What is left is ended, and runs again without spending a try. `stop` has to follow.
   */
  async drain(how: { readonly seconds: number; readonly hurry: AbortSignal }): Promise<{ readonly how: DrainEnd; readonly left: number }> {
    this.#isDraining = true;
    this.#term?.engine.holdStarts();
    const { database, agentAddress } = this.options;
    const end = await drain({ look: () => this.#lookAtWork(), hasSuccessor: () => hasSuccessor(database, agentAddress) }, how);
    const left = this.#term?.engine.counts.executions ?? 0;
    if (end === 'time_over' || end === 'hurried') await this.#endExecutions();
    return { how: end, left };
  }

  #lookAtWork(): Work {
    if (this.#term === null) return { standing: 'follower', unfinished: 0 };
    const { engine, queue, complete } = this.#term;
    return { standing: complete ? 'leading' : 'taking_over', unfinished: engine.unfinished + (queue.isIdle ? 0 : 1) };
  }

  /** Whoever leads next need not ask about what is known to be gone. */
  async #endExecutions(): Promise<void> {
    const term = this.#term;
    const left = term?.engine.listHeard(Infinity) ?? [];
    if (await this.options.executor.shutdown()) await settledWithin(term?.engine.onLost(left, 'its server was stopped') ?? Promise.resolve(), LAST_COMMIT_MS);
  }

  /** Steps down. With `endExecutions` everything that runs is ended too (an orderly stop). */
  async stop(how: { endExecutions: boolean }): Promise<void> {
    const term = this.#term;
    // Rows of what still runs stay as they are: the next leader finds it gone and runs it again.
    term?.engine.close();
    const ended = how.endExecutions && term !== null ? this.options.executor.shutdown() : Promise.resolve();
    this.#stop.abort();
    await ended;
    await this.#done;
  }

  async #campaign(): Promise<void> {
    const { coordination, database, reporter, agentAddress } = this.options;
    let downSince: number | null = null;
    for (let delay = 20; !this.#stop.signal.aborted; delay = Math.min(delay * 2, 1000)) {
      const asked = monotonicMs();
      try {
        await probeDatabase(database);
        const leadership = await coordination.awaitLeadership(agentAddress, this.#stop.signal);
        if (downSince !== null) reporter.report({ event: 'database.available', down_ms: monotonicMs() - downSince });
        downSince = null;
        if (this.#stop.signal.aborted) return await leadership.resign();
        reporter.report({ event: 'leader.elected', epoch: leadership.epoch, waited_ms: monotonicMs() - asked });
        await this.#lead(leadership);
        // A term that ended by itself: the next is tried for at once. One that could not begin is not.
        delay = 20;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        if (isUnavailable(error)) {
          if (downSince === null) reporter.report({ event: 'database.unavailable', error: errorText(error) });
          downSince ??= monotonicMs();
        } else reporter.report({ event: 'failure', where: 'leadership', error: errorText(error) });
      }
      await sleep(delay, this.#stop.signal);
    }
  }

  /** One term: take over, then decide until the lock is lost. */
  async #lead(leadership: Leadership): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    leadership.lost.addEventListener('abort', end, { once: true });
    const term = this.#openTerm(leadership, end);
    this.#term = term;
    // From the first moment: a take-over may take longer than the lease.
    const stops = [callEvery(PROBE_MS, () => this.#probe(term))];
    try {
      // Before anything is read: what is changed from here on is told.
      const listening = term.notices.start();
      const ended = untilAborted(AbortSignal.any([over.signal, this.#stop.signal]));
      // A take-over that waits for something that will not come must not keep the lock from the next.
      await Promise.race([ended, this.#takeOver(term, listening).then(() => {
        if (over.signal.aborted || this.#stop.signal.aborted) return;
        this.#publishAddress(term);
        this.#beatAt = monotonicMs();
        void term.schedule.poke();
        stops.push(callEvery(1000, () => void this.#beat(term)), callEvery(30_000, () => void probeDatabase(this.options.database).catch(() => undefined)), callEvery(PRUNE_EVERY_MS, () => void this.#history.prune()), callEvery(SWEEP_EVERY_MS, () => this.#watch('sweep outcomes', this.#sweepOutcomes(term))));
        if (this.options.values) stops.push(callEvery(SWEEP_EVERY_MS, () => void this.#history.sweep(leadership.epoch)));
      })]);
      await ended;
    } finally {
      for (const stop of stops) stop();
      this.#term = null;
      term.engine.close();
      term.schedule.close();
      term.queue.close(new AppError('not_leading', 'this server does not lead any more'));
      // What was sent is answered before the connection goes: an unknown outcome costs an execution.
      if (!leadership.lost.aborted) await settledWithin(term.queue.settled(), LAST_COMMIT_MS);
      await term.notices.stop();
      this.options.executor.stepDown();
      await leadership.resign();
      this.options.reporter.report({ event: 'leader.lost', epoch: leadership.epoch, reason: this.#stop.signal.aborted ? 'stopped' : 'the lock’s connection ended' });
    }
  }

  #openTerm(leadership: Leadership, end: () => void): Term {
    const { config, database, reporter, executor, host, place, folders, outcomes } = this.options;
    const { clock, pool } = database;
    const queue: CommitQueue = new CommitQueue({
      send: (batch) => this.#send(leadership, batch, end),
      reporter,
      onNotCommitted: (run, result) => void engine.onNotCommitted(run, result),
      onBroken: end,
      isBroken: isUnavailable,
    });
    const engine: RunEngine = new RunEngine({
      config, clock, reporter, executor, host, place, folders, outcomes, values: this.options.values ? { store: this.options.values, epoch: leadership.epoch } : null,
      graphOf: (version) => this.#graphs.get(version),
      readRun: (id, want) => findRunForPlanning(pool, id, want),
      readPrevious: (run) => (run.logicalDate === null ? Promise.resolve(null) : findPastRun(pool, { dagId: run.dagId, logicalDate: run.logicalDate, anyType: run.graph.dag.catchup !== true, taskIds: [...run.graph.pastSources] })),
      poolOf: (name) => this.#pools.get(name) ?? null,
      readAverage: (dagId, maxRuns) => averageRuntime(pool, dagId, maxRuns),
      onSwitchDiffers: (dagId) => notices.lookAtDag(dagId),
      onSpan: this.options.onSpan ?? null,
      triggerToken: (id) => this.triggerToken(id),
      onAssetEvents: () => void schedule.poke(),
      onHosted: (ids, pid) => this.#watch('note trigger host', noteHost(pool, ids, pid)),
      onRunFinished: (run) => {
        schedule.onRunFinished(run.dagId);
        this.options.onRunFinished?.({ id: run.id, dagId: run.dagId, runId: run.runId });
      },
    }, queue, { database, epoch: leadership.epoch });
    const dagOf = async (version: VersionId): Promise<Dag | null> => (await this.#graphs.get(version))?.dag ?? null;
    const onCreated = (run: RunUuid): void => void engine.loadRun(run);
    const assets = { database, epoch: leadership.epoch, clock, reporter, executor, dagOf, onCreated };
    const [assetPass, partitionPass] = [createAssetPass(assets), createPartitionPass(assets)];
    const schedule: Schedule = new Schedule({
      clock, reporter, slotsPerPass: config.LEOFLOW_CATCHUP_SLOTS,
      listDue: (limit, only) => (this.options.followsSchedules === false ? Promise.resolve([]) : listDueDags(pool, limit, only)),
      createDue: (due) => createDueRun(pool, leadership.epoch, due),
      findNextDue: (after) => (this.options.followsSchedules === false ? Promise.resolve(null) : findNextDue(pool, after)),
      dagOf, findNextRun: this.#findNextRun, onCreated,
      createAssetRuns: this.options.followsSchedules === false ? () => Promise.resolve(0) : async (only) => (await assetPass(only)) + (await partitionPass(only)),
      syncWatchers: () => this.#syncWatchers(engine),
    });
    if (this.#isDraining) engine.holdStarts();
    const notices: FollowNotices = new FollowNotices({
      database, reporter, engine, schedule, listen: (handlers) => this.options.coordination.listen(handlers),
      planAnew: (dagId) => planAnew(database, { graphs: this.#graphs, epoch: leadership.epoch, dagId, findNextRun: this.#findNextRun }), onPools: (pools) => void (this.#pools = pools),
    });
    return { leadership, engine, schedule, queue, notices, end, complete: false, isPublished: false };
  }

  async #syncWatchers(engine: RunEngine): Promise<void> {
    if (this.options.followsSchedules !== false) await engine.watchers.sync();
  }

  async #send(leadership: Leadership, batch: Parameters<typeof moveTask>[2], end: () => void): ReturnType<typeof moveTask> {
    const result = await moveTask(leadership.client, leadership.epoch, batch);
    if (result.kind === 'stale' && (await readEpoch(leadership.client)) !== leadership.epoch) {
      end();
      throw new AppError('not_leading', 'another server leads now');
    }
    return result;
  }

  /** Reads every unfinished run and asks the executor what of it still runs. */
  async #takeOver(term: Term, listening: Promise<void>): Promise<void> {
    const { database, executor, reporter, host, place } = this.options;
    const { engine, leadership } = term;
    const started = monotonicMs();
    const inventory = await executor.lead(leadership.epoch, {
      onReady: (version) => engine.onVersionReady(version),
      onFailed: (version, error) => engine.onVersionFailed(version, error),
      onExited: (child) => this.#watch('exit', engine.onExited(child)),
      onLost: (ids, reason) => this.#watch('loss', engine.onLost(ids, reason)),
      onAlive: (ids) => engine.onAlive(ids),
    });
    await listening;
    await term.notices.readSwitches();
    const live = await listLiveExecutions(database.pool);
    engine.rememberExecutions(live);
    engine.onAlive([...inventory.running.keys()]);
    // A row is durable before its process begins: what runs and is not open was closed or deleted, and nobody was there to stop it.
    const open = new Set(live.map((one) => one.id));
    const closed = [...inventory.running.keys()].filter((id) => !open.has(id));
    engine.stopClosed(closed, await listInstancesOf(database.pool, closed));
    // The run of an open execution may be over: its reading says so, and stops what is left of it.
    const runs = [...new Set([...(await listUnfinishedRuns(database.pool)), ...live.map((one) => one.run)])];
    for (let at = 0; at < runs.length; at += 8) await Promise.all(runs.slice(at, at + 8).filter((run) => !engine.knows(run)).map((run) => engine.loadWholeRun(run)));
    // What a host of a watcher tells from here on is known to be wanted.
    await this.#syncWatchers(engine);
    term.complete = true;
    reporter.report({ event: 'leader.ready', epoch: leadership.epoch, runs: runs.length, ms: monotonicMs() - started });
    const gone: ExecutionId[] = [];
    for (const execution of live) {
      if (inventory.running.has(execution.id)) reporter.report({ event: 'execution.adopted', execution_id: execution.id });
      // A plain host is of a version that named no home folder.
      else if (execution.host === place || execution.host === host) gone.push(execution.id);
    }
    term.notices.complete();
    // Who led before may have ended before it was told when these run next.
    this.#watch('take-over', term.notices.planUnplanned());
    // Nothing waits for these: an end whose run cannot be read must not keep this server from leading.
    this.#watch('take-over', engine.completeTakeOver());
    this.#watch('take-over', engine.onLost(gone, 'it did not run any more when a leader took over'));
  }

  /** Where running executions find the leader. */
  #publishAddress(term: Term): void {
    try {
      writeFileAtomic(join(this.options.home, 'run', 'agent.json'), JSON.stringify({ socket: this.options.agentAddress, epoch: term.leadership.epoch, since: isoOf(wallMs()) }));
      term.isPublished = true;
    } catch (error) {
      // A full disk: it is tried again with the next beat, and leading needs no disk.
      this.#failed('publish address', error);
    }
  }

  /** Only after the database has said that nobody else leads: the executions of another leader are not in this one's memory. */
  async #sweepOutcomes(term: Term): Promise<void> {
    if ((await readEpoch(this.options.database.pool)) !== term.leadership.epoch) return;
    await this.options.outcomes.sweep(() => (this.#term === term ? term.engine.listOpen() : null));
  }

  /** Nobody waits for it. */
  #watch(where: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => this.#failed(where, error));
  }

  #failed(where: string, error: unknown): void {
    this.options.reporter.report({ event: 'failure', where, error: errorText(error) });
  }

  /** Keeps the lease. A statement in flight does so too; one that stays out long is asked about on another connection. */
  #probe(term: Term): void {
    const { client, epoch } = term.leadership;
    if (term.queue.isIdle) probeLeadership(client).catch(term.end);
    else if (term.queue.inFlightMs > SLOW_COMMIT_MS) probeEpoch(this.options.database.pool, epoch).then((holds) => holds || term.end(), term.end);
  }

  #heartbeats = 0;
  #beatAt = 0;

  async #beat(term: Term): Promise<void> {
    const { config, database } = this.options;
    // Whoever was stopped itself heard of nobody meanwhile.
    const now = monotonicMs();
    const pausedMs = now - this.#beatAt;
    if (pausedMs > OWN_PAUSE_MS) term.engine.forgiveSilence(pausedMs);
    this.#beatAt = now;
    if (!term.isPublished) this.#publishAddress(term);
    term.engine.killOverdue(config.LEOFLOW_CANCEL_GRACE_SECONDS * 1000);
    await term.engine.doubtSilent();
    this.#heartbeats += 1;
    if (this.#heartbeats % 10 === 0) await recordHeartbeats(database.pool, term.engine.listHeard(HEARD_MS)).catch(() => undefined);
  }

  // ── the agents' side ─────────────────────────────────────────────────────────────────────────────────────────────

  protected override current(): RunEngine {
    if (this.#term === null || !this.#term.complete) throw new AppError('not_leading', 'this server does not lead');
    return this.#term.engine;
  }

  override park(child: Parameters<AttemptService['park']>[0]): Promise<ExecutionSpec | null> {
    return this.#term === null ? Promise.resolve(null) : this.options.executor.park(child);
  }

  /** What only the leader knows about a waiting instance. */
  explain(run: RunUuid, taskId: string, mapIndex: number): string | null {
    return this.#term?.engine.explain(run, taskId, mapIndex) ?? null;
  }
}
