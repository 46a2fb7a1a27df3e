// A server's scheduling side: waits to lead, leads until the lock is lost, and starts over. Followers only wait.
import { join } from 'node:path';
import type { Config } from '#contract/config.ts';
import type { AttemptService, ExecutionReport, ExecutionSpec, ReportAnswer, XComRequest } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { ExecutionId, RunUuid, VersionId } from '#contract/ids.ts';
import { nextRun } from '#core/timetable.ts';
import { writeFileAtomic } from '#platform/atomic-file.ts';
import { callEvery, isoOf, monotonicMs, settledWithin, sleep, untilAborted, wallMs } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import { type Database, isUnavailable, probeDatabase } from '#store/database.ts';
import { findPastRun, findRunForPlanning, listUnfinishedRuns, listUnfinishedRunsOf } from '#store/dag-runs.ts';
import { findLastScheduled } from '#store/dag-versions.ts';
import { findExecution, listInstancesOf, listLiveExecutions, recordHeartbeats, recordLateReport } from '#store/executions.ts';
import { type Leadership, probeEpoch, probeLeadership, readEpoch } from '#store/leader.ts';
import type { Channel, Listening, NoticeHandlers } from '#store/notifications.ts';
import { createDueRun, findNextDue, findPlan, isDagPaused, listDueDags, planNext, readPoolSlots } from '#store/schedule.ts';
import { moveTask } from '#store/task-attempts.ts';
import { findXComValue } from '#store/xcom-values.ts';
import type { Executor, Outcomes } from '#executor/executor.ts';
import { CommitQueue } from './commit-queue.ts';
import { Schedule, scheduleBounds } from './create-due-runs.ts';
import type { SpecFolders } from './execution-spec.ts';
import { Graphs } from './graphs.ts';
import { History } from './history.ts';
import { RunEngine } from './run-engine.ts';
import { tokenFits } from './tokens.ts';

/** How servers of one database agree on who leads and hear of what others changed. */
export interface Coordination {
  /** Resolves when this server leads. Rejects when the wait cannot go on: it is begun anew. */
  awaitLeadership(address: string, stop: AbortSignal): Promise<Leadership>;
  listen(handlers: NoticeHandlers): Listening;
}

/** `home` holds sockets and the address of the leader; `host` names the machine in executions' rows. */
export interface SchedulerOptions {
  readonly config: Config;
  readonly home: string;
  readonly host: string;
  readonly database: Database;
  readonly coordination: Coordination;
  readonly reporter: Reporter;
  readonly executor: Executor;
  /** Unix socket (or host:port) of this server's agent API. */
  readonly agentAddress: string;
  readonly folders: SpecFolders;
  readonly outcomes: Outcomes;
  /** Executions whose rows were deleted because they are old: their logs may go as well. */
  readonly onPruned: (executions: readonly string[]) => void;
  /** Called when a run reached its end. */
  readonly onRunFinished?: (run: { id: RunUuid; dagId: string; runId: string }) => void;
}

/** How long a stepping down leader waits for the commit in flight, and a new one for its first notice connection. */
const LAST_COMMIT_MS = 2000;
const LISTEN_MS = 2000;
/** Three probes fit into the lease of a leader's session. */
const PROBE_MS = 750;
const SLOW_COMMIT_MS = 2000;

/** A little at a time, and soon after a start. */
const PRUNE_EVERY_MS = 600_000;

interface Term {
  readonly leadership: Leadership;
  readonly engine: RunEngine;
  readonly schedule: Schedule;
  readonly queue: CommitQueue;
  readonly end: () => void;
  /** All unfinished runs are in memory: from here on an unknown execution is a closed one. */
  complete: boolean;
  /** What was told before: told again when all is read. */
  readonly early: { readonly channel: Channel; readonly payload: string }[];
}

/** One per server. */
export class Scheduler implements AttemptService {
  readonly #options: SchedulerOptions;
  readonly #stop = new AbortController();
  readonly #graphs: Graphs;
  #pools = new Map<string, number>();
  #term: Term | null = null;
  #listening: Listening | null = null;
  readonly #history: History;
  #done: Promise<void> = Promise.resolve();

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#graphs = new Graphs(options.database);
    this.#history = new History(options);
  }

  get isLeading(): boolean {
    return this.#term?.complete === true;
  }

  /** Numbers of the running term; null for a follower. */
  get counts(): RunEngine['counts'] | null {
    return this.#term?.engine.counts ?? null;
  }

  /** Starts waiting for the lock. Resolves at once. */
  start(): void {
    this.#done = this.#campaign();
  }

  /** Steps down. With `endExecutions` everything that runs is ended too (an orderly stop). */
  async stop(how: { endExecutions: boolean }): Promise<void> {
    const term = this.#term;
    // Rows of what still runs stay as they are: the next leader finds it gone and runs it again.
    term?.engine.close();
    const ended = how.endExecutions && term !== null ? this.#options.executor.shutdown() : Promise.resolve();
    this.#stop.abort();
    await ended;
    await this.#done;
  }

  async #campaign(): Promise<void> {
    const { coordination, database, reporter, agentAddress } = this.#options;
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
      this.#pools = await readPoolSlots(this.#options.database.pool);
      // Before the runs are read: what is changed from here on is told.
      const { listening, ready } = this.#listen(term);
      this.#listening = listening;
      const ended = untilAborted(AbortSignal.any([over.signal, this.#stop.signal]));
      // A take-over that waits for something that will not come must not keep the lock from the next.
      await Promise.race([ended, this.#takeOver(term, ready).then(() => {
        if (over.signal.aborted || this.#stop.signal.aborted) return;
        this.#publishAddress(leadership.epoch);
        void term.schedule.poke();
        stops.push(callEvery(1000, () => void this.#beat(term)), callEvery(30_000, () => void probeDatabase(this.#options.database).catch(() => undefined)), callEvery(PRUNE_EVERY_MS, () => void this.#history.prune()));
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
      await this.#listening?.stop();
      this.#listening = null;
      this.#options.executor.stepDown();
      await leadership.resign();
      this.#options.reporter.report({ event: 'leader.lost', epoch: leadership.epoch, reason: this.#stop.signal.aborted ? 'stopped' : 'the lock’s connection ended' });
    }
  }

  #openTerm(leadership: Leadership, end: () => void): Term {
    const { config, database, reporter, executor, host, folders, outcomes } = this.#options;
    const { clock, pool } = database;
    const queue: CommitQueue = new CommitQueue({
      send: (batch) => this.#send(leadership, batch, end),
      reporter,
      onNotCommitted: (run, result) => void engine.onNotCommitted(run, result),
      onBroken: end,
      isBroken: isUnavailable,
    });
    const engine: RunEngine = new RunEngine({
      config, clock, reporter, executor, host, folders, outcomes,
      graphOf: (version) => this.#graphs.get(version),
      readRun: (id, want) => findRunForPlanning(pool, id, want),
      readPrevious: (run) => (run.logicalDate === null ? Promise.resolve(null) : findPastRun(pool, { dagId: run.dagId, logicalDate: run.logicalDate, anyType: run.graph.dag.catchup !== true, taskIds: [...run.graph.pastSources] })),
      poolSlots: (name) => this.#pools.get(name) ?? null,
      onRunFinished: (run) => {
        schedule.onRunFinished(run.dagId);
        this.#options.onRunFinished?.({ id: run.id, dagId: run.dagId, runId: run.runId });
      },
    }, queue);
    const schedule: Schedule = new Schedule({
      clock, reporter, slotsPerPass: config.LEOFLOW_CATCHUP_SLOTS,
      listDue: (limit) => listDueDags(pool, limit),
      createDue: (due) => createDueRun(pool, leadership.epoch, due),
      findNextDue: (after) => findNextDue(pool, after),
      dagOf: async (version) => (await this.#graphs.get(version))?.dag ?? null,
      onCreated: (run) => void engine.loadRun(run),
    });
    return { leadership, engine, schedule, queue, end, complete: false, early: [] };
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
    const { database, executor, reporter, host } = this.#options;
    const { engine, leadership } = term;
    const started = monotonicMs();
    const inventory = await executor.lead(leadership.epoch, {
      onReady: (version) => engine.onVersionReady(version),
      onFailed: (version, error) => engine.onVersionFailed(version, error),
      onExited: (child) => void engine.onExited(child),
      onLost: (ids, reason) => void engine.onLost(ids, reason),
      onAlive: (ids) => engine.onAlive(ids),
    });
    await listening;
    const live = await listLiveExecutions(database.pool);
    engine.rememberExecutions(live);
    // A row is durable before its process begins: what runs and is not open was closed, and its leader died before it could stop it.
    const open = new Set(live.map((one) => one.id));
    engine.stopClosed(await listInstancesOf(database.pool, [...inventory.running.keys()].filter((id) => !open.has(id))));
    const runs = await listUnfinishedRuns(database.pool);
    for (let at = 0; at < runs.length; at += 8) await Promise.all(runs.slice(at, at + 8).filter((run) => !engine.knows(run)).map((run) => engine.loadWholeRun(run)));
    term.complete = true;
    reporter.report({ event: 'leader.ready', epoch: leadership.epoch, runs: runs.length, ms: monotonicMs() - started });
    const gone: ExecutionId[] = [];
    for (const execution of live) {
      if (inventory.running.has(execution.id)) reporter.report({ event: 'execution.adopted', execution_id: execution.id });
      else if (execution.host === host) gone.push(execution.id);
    }
    for (const { channel, payload } of term.early.splice(0)) this.#onNotice(term, channel, payload);
    await engine.completeTakeOver();
    await engine.onLost(gone, 'it did not run any more when a leader took over');
  }

  /** Where running executions find the leader. */
  #publishAddress(epoch: number): void {
    writeFileAtomic(join(this.#options.home, 'run', 'agent.json'), JSON.stringify({ socket: this.#options.agentAddress, epoch, since: isoOf(wallMs()) }));
  }

  /** Wake-ups by others. `ready` resolves when they are heard, or after a while without: then the first connection counts as a gap. */
  #listen(term: Term): { listening: Listening; ready: Promise<void> } {
    const first = new AbortController();
    let isFirst = true;
    const listening = this.#options.coordination.listen({
      onNotice: (channel, payload) => this.#onNotice(term, channel, payload),
      onGap: () => {
        first.abort();
        if (!isFirst || term.complete) void this.#readAll(term).catch((error: unknown) => this.#failed('catch up', error));
        isFirst = false;
      },
    });
    return { listening, ready: sleep(LISTEN_MS, first.signal) };
  }

  #onNotice(term: Term, channel: Channel, payload: string): void {
    if (!term.complete) term.early.push({ channel, payload });
    else if (channel === 'leoflow_run') void term.engine.loadRun(payload as RunUuid);
    else if (channel === 'leoflow_dag') void this.#onDagChanged(term, payload).catch((error: unknown) => this.#failed('dag notice', error));
    else void this.#readPools(term).catch((error: unknown) => this.#failed('pool notice', error));
  }

  /** Notices were missed: somebody may have changed any run. */
  async #readAll(term: Term): Promise<void> {
    const runs = await listUnfinishedRuns(this.#options.database.pool);
    for (let at = 0; at < runs.length; at += 8) await Promise.all(runs.slice(at, at + 8).map((run) => term.engine.loadRun(run)));
    await this.#readPools(term);
    await term.schedule.poke();
  }

  #failed(where: string, error: unknown): void {
    this.#options.reporter.report({ event: 'failure', where, error: errorText(error) });
  }

  async #onDagChanged(term: Term, dagId: string): Promise<void> {
    const { pool } = this.#options.database;
    const paused = await isDagPaused(pool, dagId);
    if (!paused) await this.#planIfUnplanned(term, dagId);
    term.engine.setPaused(dagId, paused);
    for (const run of await listUnfinishedRunsOf(pool, dagId)) if (!term.engine.knows(run)) void term.engine.loadRun(run);
    await term.schedule.poke();
  }

  /** A DAG whose planned date lies far back (it was paused) is planned from now: without catchup only its newest slot is due. */
  async #planIfUnplanned(term: Term, dagId: string): Promise<void> {
    const { database } = this.#options;
    const plan = await findPlan(database.pool, dagId);
    const dag = plan === null ? null : (await this.#graphs.get(plan.versionId))?.dag;
    if (plan === null || dag === null || dag === undefined) return;
    const next = nextRun(dag.timetable, { ...scheduleBounds(dag), now: database.clock.nowMs(), last: await findLastScheduled(database, dagId) });
    if ((next?.runAfter ?? null) !== plan.nextRunAfter) await planNext(database.pool, term.leadership.epoch, { dagId, next });
  }

  async #readPools(term: Term): Promise<void> {
    this.#pools = await readPoolSlots(this.#options.database.pool);
    term.engine.reopenPools();
  }

  /** Keeps the lease. A statement in flight does so too; one that stays out long is asked about on another connection. */
  #probe(term: Term): void {
    const { client, epoch } = term.leadership;
    if (term.queue.isIdle) probeLeadership(client).catch(term.end);
    else if (term.queue.inFlightMs > SLOW_COMMIT_MS) probeEpoch(this.#options.database.pool, epoch).then((holds) => holds || term.end(), term.end);
  }

  #heartbeats = 0;

  async #beat(term: Term): Promise<void> {
    const { config, database } = this.#options;
    const now = database.clock.nowMs();
    term.engine.killOverdue(config.LEOFLOW_CANCEL_GRACE_SECONDS * 1000);
    const silent: ExecutionId[] = [];
    const heard: ExecutionId[] = [];
    for (const { id, heardAt } of term.engine.liveExecutions()) {
      if (now - heardAt > config.LEOFLOW_HEARTBEAT_TIMEOUT_SECONDS * 10_000) silent.push(id);
      else if (now - heardAt < 10_000) heard.push(id);
    }
    if (silent.length > 0) await term.engine.onLost(silent, 'nobody has heard of it');
    this.#heartbeats += 1;
    if (this.#heartbeats % 10 === 0) await recordHeartbeats(database.pool, heard).catch(() => undefined);
  }

  // ── the agent's side ─────────────────────────────────────────────────────────────────────────────────────────────

  #current(): Term {
    if (this.#term === null || !this.#term.complete) throw new AppError('not_leading', 'this server does not lead');
    return this.#term;
  }

  park(child: { readonly forkServerId: string; readonly pid: number; readonly gone: AbortSignal }): Promise<ExecutionSpec | null> {
    return this.#term === null ? Promise.resolve(null) : this.#options.executor.park(child);
  }

  async report(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    const { engine } = this.#current();
    const answer = await engine.report(token, report);
    if (answer.kind === 'recorded') return answer;
    return this.#answerLate(token, report);
  }

  /** A report of a closed execution is kept as history; one with a wrong token is refused. */
  async #answerLate(token: string, report: ExecutionReport): Promise<ReportAnswer> {
    const { pool } = this.#options.database;
    const closed = await findExecution(pool, report.execution_id);
    if (closed === null || !tokenFits(token, closed.tokenHash)) throw new AppError('unauthenticated', 'the token does not name this execution');
    // Its run could not be read yet: the agent asks again, nothing it did is lost.
    if (!closed.isEnded) throw new AppError('not_leading', 'the run of this execution is not in memory yet');
    this.#options.reporter.report({ event: 'report.stale', execution_id: report.execution_id });
    await recordLateReport(pool, report.execution_id, report.outcome);
    return { kind: 'stale', state: null };
  }

  async findXCom(token: string, executionId: ExecutionId, request: XComRequest): Promise<string | null> {
    const { engine } = this.#current();
    const live = engine.authenticate(executionId, token);
    const context = live === null ? null : engine.runOf(live);
    if (context === null) throw new AppError('stale', 'this execution was closed');
    const { task_id: taskId, key, map_index: mapIndex, run_id: runId, dag_id: dagId, include_prior_dates: withPriorRuns } = request;
    const recent = runId === undefined && dagId === undefined && mapIndex !== null && withPriorRuns !== true ? context.values.find({ taskId, key, mapIndex }) : null;
    if (recent !== null) return recent;
    return findXComValue(this.#options.database.pool, { run: context.run.id, dagId: dagId ?? context.run.dagId, runId: runId ?? null, taskId, key, mapIndex, withPriorRuns: withPriorRuns === true });
  }

  /** What only the leader knows about a waiting instance. */
  explain(run: RunUuid, taskId: string, mapIndex: number): string | null {
    return this.#term?.engine.explain(run, taskId, mapIndex) ?? null;
  }
}
