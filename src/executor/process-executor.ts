// Executions as local processes: forked from a warm Python per DAG version, which a launcher started that outlives this server.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { BodyRuntime, CallAnswer, ExecutionSpec, ExitedChild, FromForkServer, FromLauncher, ReportedError, RunningForkServer, VersionCall } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { AppError } from '#contract/errors.ts';
import { callEvery, monotonicMs, settledWithin, sleep, untilAborted } from '#platform/clock.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { Executor, ExecutorEvents, Inventory, PreparedVersion, Slot } from './executor.ts';
import { greetForkServer } from './fork-server-link.ts';
import { forkServerSpec } from './fork-server-spec.ts';
import { LauncherLine } from './launcher-line.ts';
import { isFinal } from './prepare-problem.ts';
import { forkSlot, parkedSlot } from './process-slots.ts';
import { Silence } from './silence.ts';
import { TriggerHosts } from './trigger-hosts.ts';
import { VersionCalls } from './version-calls.ts';
import { dismissParked, explainWarm, howEnded, isPausing, newWarm, noteBegun, noteExited, noteRefused, parkChild, refill, textOf, type Warm } from './warm.ts';

/** `parked` is children kept waiting per DAG version and kind, `idleSeconds` how long a fork server without work lives, `environment` all that user code inherits. */
export interface ProcessExecutorOptions {
  readonly home: string;
  readonly python: string;
  readonly agentSocket: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly parked: Readonly<Record<BodyRuntime, number>>;
  readonly idleSeconds: number;
  readonly importTimeoutSeconds: number;
  /** A launcher or fork server that says nothing for so long is killed, with all that it runs: nothing can be started or ended there. */
  readonly silentSeconds: number;
  readonly reporter: Reporter;
  /** Brings a version's sources to this machine. */
  readonly prepare: (versionId: VersionId, say: (text: string) => void) => Promise<PreparedVersion>;
}

/** From the order to end a fork server until its end is told. */
const EXIT_MS = 5000;
/** A version whose file does not import is tried again after this time. */
const FAILED_AGAIN_MS = 5000;
/** A version that could not be prepared for a reason that passes is asked for again after this time. */
const PREPARE_AGAIN_MS = 1000;
/** Its name among those who are heard of; fork servers have ids. */
const LAUNCHER = 'launcher';
/** Imports in a row that may be killed from outside before the file is held to be at fault. */
const KILLED_IMPORTS = 3;

/** The process executor. One per server; only the leader's is in use. */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly #options: ProcessExecutorOptions;
  readonly #warm = new Map<VersionId, Warm>();
  readonly #killedImports = new Map<VersionId, number>();
  readonly #launcher: LauncherLine;
  #events: ExecutorEvents | null = null;
  #epoch = -1;
  readonly #silence: Silence;
  readonly #hosts = new TriggerHosts();
  readonly #calls = new VersionCalls();
  #stopChecks: () => void = () => undefined;

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
    this.#silence = new Silence(options.silentSeconds);
    this.#launcher = new LauncherLine(options, {
      onHeard: () => this.#silence.hear(LAUNCHER),
      onMessage: (message) => this.#onLauncher(message),
      onLost: () => this.#onLauncherLost(),
      onAgain: (forkServers) => Promise.all(forkServers.map((forkServer) => this.#adopt(forkServer))),
    });
    mkdirSync(join(options.home, 'run'), { recursive: true, mode: 0o700 });
    mkdirSync(join(options.home, 'logs'), { recursive: true, mode: 0o750 });
  }

  async lead(epoch: number, events: ExecutorEvents): Promise<Inventory> {
    this.#epoch = epoch;
    this.#events = events;
    const found = await this.#launcher.open(epoch);
    if (this.#launcher.isEnding) throw new AppError('not_leading', 'this server is stopping');
    const running = new Map<ExecutionId, number>();
    await Promise.all(found.map(async (forkServer) => {
      const inventory = await this.#adopt(forkServer);
      if (inventory === null) {
        if (this.#find(forkServer.id) === undefined) return;
        throw new AppError('not_leading', `the fork server ${forkServer.id} neither answers nor ends`, { hint: `What it runs is not known. End process ${forkServer.pid}, or the launcher that serves the home folder.` });
      }
      for (const { execution_id, pid } of inventory) running.set(execution_id, pid);
    }));
    if (this.#events !== events) throw new AppError('not_leading', 'this server does not lead any more');
    this.#stopChecks = callEvery(1000, () => {
      this.#endIdle();
      this.#calls.endOverdue(monotonicMs());
      for (const version of this.#calls.listWaiting()) this.#startUnlessThere(version);
      for (const version of this.#hosts.list()) this.#keepHost(version);
      for (const warm of this.#warm.values()) if (isPausing(warm)) this.#planRefill(warm);
      for (const who of this.#silence.take()) this.#endSilent(who);
    });
    return { running };
  }

  reserve(versionId: VersionId, asked?: BodyRuntime): Slot | null {
    // After the term: somebody was still reading a run.
    if (this.#events === null) return null;
    const warm = this.#warm.get(versionId);
    if (warm === undefined || isFailedLongAgo(warm)) {
      void this.#start(versionId);
      return null;
    }
    if (warm.state === 'failed' && warm.error !== null) this.#failSoon(warm, warm.error);
    if (warm.state !== 'ready' || warm.link === null) return null;
    warm.usedAt = monotonicMs();
    const runtime = asked ?? [...warm.runtimes][0] ?? 'python';
    // A leader that took over learns here what the version needs.
    if (!warm.runtimes.has(runtime)) this.#planRefill(warm);
    warm.runtimes.add(runtime);
    const child = warm.parked[runtime].shift();
    const owner = {
      epoch: this.#epoch,
      isUsable: (one: Warm) => one.state === 'ready' && this.#warm.get(one.versionId) === one,
      lose: (executions: readonly ExecutionId[], reason: string) => this.#lose(executions, reason),
      refill: (one: Warm) => this.#planRefill(one),
    };
    return child === undefined ? forkSlot(warm, owner) : parkedSlot(warm, child, owner);
  }

  /** Whoever asks within a moment of a failed import gets the same answer, in a later turn. */
  #failSoon(warm: Warm, error: ReportedError): void {
    setImmediate(() => {
      if (this.#warm.get(warm.versionId) === warm && warm.state === 'failed') this.#events?.onFailed(warm.versionId, error);
    });
  }

  #lose(executions: readonly ExecutionId[], reason: string): void {
    if (executions.length > 0) this.#events?.onLost(executions, reason);
  }

  /** Replacements are asked for last: forking costs CPU that the execution just launched wants. */
  #planRefill(warm: Warm): void {
    if (warm.refillPlanned) return;
    warm.refillPlanned = true;
    setImmediate(() => {
      warm.refillPlanned = false;
      refill(warm, { parked: this.#options.parked, epoch: this.#epoch });
    });
  }

  park(child: { readonly forkServerId: string; readonly pid: number; readonly runtime?: BodyRuntime; readonly gone: AbortSignal }): Promise<ExecutionSpec | null> {
    const warm = this.#find(child.forkServerId);
    return warm === undefined ? Promise.resolve(null) : parkChild(warm, child);
  }

  cancel(executionId: ExecutionId, graceSeconds: number): boolean {
    const warm = [...this.#warm.values()].find((one) => one.running.has(executionId));
    warm?.link?.send({ op: 'cancel', epoch: this.#epoch, execution_id: executionId, grace_seconds: graceSeconds });
    return warm !== undefined;
  }

  hostTriggers(versionId: VersionId, wanted: boolean): void {
    if (this.#events === null) return;
    this.#hosts.want(versionId, wanted, { place: this.#warm.get(versionId), epoch: this.#epoch });
    this.#keepHost(versionId);
  }

  call(versionId: VersionId, call: VersionCall): Promise<string> {
    if (this.#events === null) return Promise.reject(new AppError('not_leading', 'this server does not lead'));
    const warm = this.#warm.get(versionId);
    if (warm?.state === 'failed' && !isFailedLongAgo(warm) && warm.error !== null) return Promise.reject(new AppError('call_failed', textOf(warm.error)));
    const answer = this.#calls.begin(versionId, call, { place: warm, epoch: this.#epoch });
    if (warm === undefined || warm.state === 'failed') void this.#start(versionId);
    else warm.usedAt = monotonicMs();
    return answer;
  }

  answerCall(id: string, answer: CallAnswer): boolean {
    return this.#calls.answer(id, answer);
  }

  versionOf(forkServerId: string): VersionId | null {
    return this.#find(forkServerId)?.versionId ?? null;
  }

  /** A version whose tasks wait for triggers has a fork server, whether any of them starts or not. */
  #keepHost(versionId: VersionId): void {
    if (!this.#hosts.isWanted(versionId)) return;
    this.#startUnlessThere(versionId);
    this.#hosts.keep(versionId, { place: this.#warm.get(versionId), epoch: this.#epoch });
  }

  /** The one that was there may have ended for idleness, died while it began, or not have been begun at all. */
  #startUnlessThere(versionId: VersionId): void {
    const warm = this.#warm.get(versionId);
    if (warm === undefined || isFailedLongAgo(warm)) void this.#start(versionId);
  }

  explain(versionId: VersionId): string | null {
    const warm = this.#warm.get(versionId);
    return warm === undefined ? null : explainWarm(warm);
  }

  stepDown(): void {
    this.#stopChecks();
    this.#silence.forgetAll();
    this.#hosts.clear();
    this.#calls.clear();
    this.#events = null;
    this.#launcher.close();
    const all = [...this.#warm.values()];
    this.#warm.clear();
    for (const warm of all) {
      warm.gone.abort();
      warm.link?.close();
      dismissParked(warm);
    }
  }

  shutdown(): Promise<boolean> {
    return this.#launcher.shutdown(this.#epoch, () => this.stepDown());
  }

  // ── the launcher ─────────────────────────────────────────────────────────────────────────────────────────────────

  #onLauncher(message: Exclude<FromLauncher, { op: 'hello' }>): void {
    switch (message.op) {
      case 'alive': break;
      case 'refused': this.#options.reporter.report({ event: 'launcher.lost', reason: `it obeys epoch ${message.epoch}` }); break;
      case 'started': void this.#adopt(message.fork_server, message.import_ms); break;
      case 'failed': this.#onFailed(message.id, message.error); break;
      case 'exited': {
        const warm = this.#find(message.id);
        if (warm !== undefined) this.#onEnded(warm, message);
        break;
      }
    }
  }

  /** One that was killed while it imported is started again: that says nothing about the file, unless it happens each time. */
  #onEnded(warm: Warm, { status, signal }: { readonly status: number; readonly signal: number | null }): void {
    if (warm.state === 'starting' && signal === null && !warm.isGreeting) {
      this.#options.reporter.report({ event: 'failure', where: 'launcher', error: `it could not start a process (errno ${status})` });
      return void this.#startLater(warm, { type: 'StartError', message: `no process could be started (errno ${status})` });
    }
    const how = howEnded({ status, signal });
    const killed = warm.state === 'starting' ? (this.#killedImports.get(warm.versionId) ?? 0) + 1 : 0;
    if (killed === 0 || killed > KILLED_IMPORTS) this.#killedImports.delete(warm.versionId);
    else this.#killedImports.set(warm.versionId, killed);
    if (killed <= KILLED_IMPORTS) return this.#onGone(warm, `its fork server ended (${how})`);
    this.#onFailed(warm.id, { type: 'ForkServerEnded', message: `the interpreter ended with ${how} before the DAG file was imported, ${killed} times in a row` });
  }

  /** Everything below a dead launcher died with it. Another is started and what is wanted starts again. */
  #onLauncherLost(): void {
    this.#silence.forget(LAUNCHER);
    for (const warm of [...this.#warm.values()]) this.#onGone(warm, 'its launcher is gone');
  }

  // ── fork servers ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #start(versionId: VersionId): Promise<void> {
    const warm = newWarm(randomUUID(), versionId, 'preparing');
    this.#warm.set(versionId, warm);
    try {
      const version = await this.#options.prepare(versionId, (text) => void (warm.doing = text));
      await this.#launcher.untilOpen();
      // Stepped down, or the launcher died in between and it was asked for anew.
      if (this.#warm.get(versionId) !== warm) return;
      warm.dagId = version.dagId;
      for (const runtime of version.runtimes) warm.runtimes.add(runtime);
      warm.state = 'starting';
      const isSent = this.#launcher.send({ op: 'start', epoch: this.#epoch, fork_server: forkServerSpec(warm.id, version, this.#options) });
      if (!isSent) throw new AppError('python_missing', 'there is no launcher just now');
    } catch (error) {
      if (this.#warm.get(versionId) !== warm) return;
      const problem = { type: 'PrepareError', message: errorText(error) };
      if (isFinal(error)) return this.#onFailed(warm.id, problem);
      this.#options.reporter.report({ event: 'failure', where: 'prepare', error: problem.message });
      await this.#startLater(warm, problem);
    }
  }

  /** Nothing is known to be wrong with the version: whoever waits asks again in a moment. */
  async #startLater(warm: Warm, problem: ReportedError): Promise<void> {
    warm.state = 'preparing';
    warm.error = problem;
    await sleep(PREPARE_AGAIN_MS);
    if (this.#warm.get(warm.versionId) !== warm) return;
    this.#warm.delete(warm.versionId);
    this.#events?.onReady(warm.versionId);
  }

  #find(id: string): Warm | undefined {
    return [...this.#warm.values()].find((one) => one.id === id);
  }

  #onFailed(id: string, error: ReportedError): void {
    const warm = this.#find(id);
    if (warm === undefined) return;
    warm.state = 'failed';
    warm.error = error;
    warm.usedAt = monotonicMs();
    this.#options.reporter.report({ event: 'fork_server.failed', id, dag_id: warm.dagId, error: textOf(error) });
    this.#calls.onFailed(warm.versionId, textOf(error));
    this.#events?.onFailed(warm.versionId, error);
  }

  /** Connects to a fork server, ours or an older leader's. @returns what it runs, null when it is gone or could not be ended yet */
  async #adopt(forkServer: RunningForkServer, importMs = 0): Promise<readonly { execution_id: ExecutionId; pid: number }[] | null> {
    if (this.#events === null) return null;
    const warm = this.#warm.get(forkServer.version_id) ?? newWarm(forkServer.id, forkServer.version_id, 'starting');
    if (warm.link !== null || warm.isGreeting || warm.state === 'ending') return null;
    warm.isGreeting = true;
    // The launcher may hand out the one it had instead of the one asked for.
    warm.id = forkServer.id;
    this.#warm.set(forkServer.version_id, warm);
    const running = await this.#greetForkServer(warm, forkServer.socket);
    warm.isGreeting = false;
    if (this.#warm.get(warm.versionId) !== warm) {
      (warm as Warm).link?.close();
      return null;
    }
    if (running === null) {
      this.#options.reporter.report({ event: 'failure', where: 'fork server', error: `${warm.id} does not answer and is ended` });
      await this.#end(warm);
      return null;
    }
    warm.state = 'ready';
    this.#silence.hear(warm.id);
    this.#killedImports.delete(warm.versionId);
    warm.usedAt = monotonicMs();
    for (const { execution_id } of running) warm.running.add(execution_id);
    this.#options.reporter.report({ event: 'fork_server.ready', id: warm.id, dag_id: warm.dagId, import_ms: importMs });
    refill(warm, { parked: this.#options.parked, epoch: this.#epoch });
    this.#keepHost(warm.versionId);
    this.#calls.send(warm, this.#epoch);
    this.#events?.onReady(warm.versionId);
    return running;
  }

  #greetForkServer(warm: Warm, socket: string): ReturnType<typeof greetForkServer> {
    return greetForkServer(socket, { epoch: this.#epoch, agentSocket: this.#options.agentSocket }, {
      onLink: (link) => void (warm.link = link),
      onMessage: (message) => this.#onForkServer(warm, message),
      onClose: () => {
        if (warm.state === 'ready' && this.#warm.get(warm.versionId) === warm) void this.#end(warm);
      },
    });
  }

  #onForkServer(warm: Warm, message: Exclude<FromForkServer, { op: 'hello' }>): void {
    const events = this.#events;
    if (events === null) return;
    if (warm.state === 'ready') this.#silence.hear(warm.id);
    switch (message.op) {
      case 'begun': noteBegun(warm, message.execution_id, message.pid); break;
      case 'alive': events.onAlive(message.running); break;
      case 'call_ended': this.#calls.onEnded(message.id, howEnded(message)); break;
      case 'host_ended': this.#options.reporter.report({ event: 'failure', where: 'fork server', error: this.#hosts.onEnded(warm, message) }); break;
      case 'refused': {
        const refused = noteRefused(warm, message);
        if (refused !== null) this.#lose([refused], `its fork server refused it: ${message.reason}`);
        break;
      }
      case 'exited':
        for (const child of message.children) this.#onExited(warm, child);
        this.#planRefill(warm);
        break;
    }
  }

  #onExited(warm: Warm, child: ExitedChild): void {
    const end = noteExited(warm, child);
    if (end.kind === 'exited') this.#events?.onExited(child);
    else if (end.kind === 'unbegun') this.#lose([end.executionId], 'its process ended before it began');
    else if (end.kind === 'never_came' && end.pauseMs !== null) {
      this.#options.reporter.report({ event: 'failure', where: 'fork server', error: `a ${child.runtime ?? 'python'} child of ${warm.id} ended before it waited for work (${howEnded(child)}); no other is asked for during ${end.pauseMs / 1000} s` });
    }
  }

  #onGone(warm: Warm, reason: string): void {
    if (this.#warm.get(warm.versionId) !== warm) return;
    this.#warm.delete(warm.versionId);
    this.#silence.forget(warm.id);
    this.#hosts.forget(warm.id);
    this.#calls.onGone(warm.id);
    warm.gone.abort();
    const lost = [...warm.running];
    const { link } = warm;
    warm.link = null;
    link?.close();
    dismissParked(warm);
    this.#options.reporter.report({ event: 'fork_server.exited', id: warm.id, lost: lost.length });
    this.#lose(lost, reason);
    // Whoever waited for it, and what was lost, wants another.
    this.#events?.onReady(warm.versionId);
  }

  /** Without a connection nobody knows what it runs, and that may go on: it is gone when the launcher says so, and not before. Waits for that, but not without end. */
  async #end(warm: Warm): Promise<void> {
    warm.state = 'ending';
    this.#silence.forget(warm.id);
    warm.usedAt = monotonicMs();
    this.#launcher.send({ op: 'stop_fork_server', epoch: this.#epoch, id: warm.id });
    await settledWithin(untilAborted(warm.gone.signal), EXIT_MS);
  }

  /** Stopped or stuck: it starts nothing, ends nothing, and nobody hears of what it runs. A kill is the one order that it cannot miss. */
  #endSilent(who: string): void {
    const warm = this.#find(who);
    if (who !== LAUNCHER && warm === undefined) return;
    this.#options.reporter.report({ event: 'failure', where: warm === undefined ? 'launcher' : 'fork server', error: `${warm?.id ?? `process ${this.#launcher.pid}`} has said nothing for ${this.#silence.limitSeconds} s and is killed` });
    if (warm === undefined) this.#launcher.kill();
    else void this.#end(warm);
  }

  #endIdle(): void {
    const now = monotonicMs();
    for (const warm of this.#warm.values()) {
      const idleMs = now - warm.usedAt;
      if (warm.state === 'ready' && warm.running.size === 0 && !this.#hosts.isWanted(warm.versionId) && !this.#calls.isWanted(warm.versionId) && idleMs >= this.#options.idleSeconds * 1000) void this.#end(warm);
      else if (warm.state === 'ending' && idleMs >= EXIT_MS) {
        this.#options.reporter.report({ event: 'failure', where: 'fork server', error: `${warm.id} does not end` });
        void this.#end(warm);
      }
    }
  }
}

function isFailedLongAgo(warm: Warm): boolean {
  return warm.state === 'failed' && monotonicMs() - warm.usedAt > FAILED_AGAIN_MS;
}
