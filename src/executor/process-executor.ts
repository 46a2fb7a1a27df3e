// Executions as local processes: forked from a warm Python per DAG version, which a launcher started that outlives this server.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import type { ExecutionSpec, ExitedChild, ForkServerSpec, FromForkServer, FromLauncher, ReportedError, RunningForkServer } from '#contract/attempt.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import { AppError } from '#contract/errors.ts';
import { callEvery, monotonicMs, settledWithin, sleep } from '#platform/clock.ts';
import type { LineSocket } from '#platform/line-socket.ts';
import { errorText, type Reporter } from '#platform/report.ts';
import type { Executor, ExecutorEvents, Inventory, PreparedVersion, Slot } from './executor.ts';
import { greetForkServer } from './fork-server-link.ts';
import { greetLauncher, launcherSocket, spawnLauncher } from './launcher-link.ts';
import { newWarm, parkChild, type ParkedChild, type Warm } from './warm.ts';

/** `parked` is children kept waiting per DAG version, `idleSeconds` how long a fork server without work lives, `environment` all that user code inherits. */
export interface ProcessExecutorOptions {
  readonly home: string;
  readonly python: string;
  readonly agentSocket: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly parked: number;
  readonly idleSeconds: number;
  readonly importTimeoutSeconds: number;
  readonly reporter: Reporter;
  /** Brings a version's sources to this machine. */
  readonly prepare: (versionId: VersionId) => Promise<PreparedVersion>;
}

function textOf(error: ReportedError): string {
  return `${error.type}: ${error.message}`;
}

const LAUNCHER_START_MS = 10_000;
const SHUTDOWN_MS = 5000;
/** A version whose file does not import is tried again after this time. */
const FAILED_AGAIN_MS = 5000;
/** Imports in a row that may be killed from outside before the file is held to be at fault. */
const KILLED_IMPORTS = 3;

/** The process executor. One per server; only the leader's is in use. */
export class ProcessExecutor implements Executor {
  readonly kind = 'process';
  readonly #options: ProcessExecutorOptions;
  readonly #warm = new Map<VersionId, Warm>();
  readonly #killedImports = new Map<VersionId, number>();
  #launcher: LineSocket | null = null;
  #launcherClosed: Promise<void> = Promise.resolve();
  /** The attempt to reach a launcher that was begun last. */
  #connecting: Promise<unknown> = Promise.resolve();
  #events: ExecutorEvents | null = null;
  #epoch = -1;
  #isEnding = false;
  #stopIdleCheck: () => void = () => undefined;

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
    mkdirSync(join(options.home, 'run'), { recursive: true, mode: 0o700 });
    mkdirSync(join(options.home, 'logs'), { recursive: true, mode: 0o750 });
  }

  async lead(epoch: number, events: ExecutorEvents): Promise<Inventory> {
    this.#epoch = epoch;
    this.#events = events;
    const connected = this.#connectLauncher(epoch);
    this.#connecting = connected;
    const found = await connected;
    if (this.#isEnding) throw new AppError('not_leading', 'this server is stopping');
    const running = new Map<ExecutionId, number>();
    const handles = new Set<string>();
    await Promise.all(found.map(async (forkServer) => {
      const inventory = await this.#adopt(forkServer);
      if (inventory === null) return;
      handles.add(forkServer.id);
      for (const { execution_id, pid } of inventory) running.set(execution_id, pid);
    }));
    this.#stopIdleCheck = callEvery(1000, () => this.#endIdle());
    return { running, handles };
  }

  reserve(versionId: VersionId): Slot | null {
    const warm = this.#warm.get(versionId);
    if (warm === undefined || (warm.state === 'failed' && monotonicMs() - warm.usedAt > FAILED_AGAIN_MS)) {
      void this.#start(versionId);
      return null;
    }
    if (warm.state === 'failed' && warm.error !== null) this.#failSoon(warm, warm.error);
    if (warm.state !== 'ready' || warm.link === null) return null;
    warm.usedAt = monotonicMs();
    const child = warm.parked.shift();
    return child === undefined ? this.#forkSlot(warm) : this.#parkedSlot(warm, child);
  }

  /** Whoever asks within a moment of a failed import gets the same answer, in a later turn. */
  #failSoon(warm: Warm, error: ReportedError): void {
    setImmediate(() => {
      if (this.#warm.get(warm.versionId) === warm && warm.state === 'failed') this.#events?.onFailed(warm.versionId, error);
    });
  }

  #parkedSlot(warm: Warm, child: ParkedChild): Slot {
    return {
      handle: warm.id, pid: child.pid,
      launch: (spec) => {
        if (child.isGone || this.#warm.get(warm.versionId) !== warm) return this.#lose([spec.execution_id], 'its process ended before it began');
        warm.running.add(spec.execution_id);
        warm.bound.set(child.pid, spec.execution_id);
        child.give(spec);
        this.#planRefill(warm);
      },
      release: () => {
        if (!child.isGone) warm.parked.unshift(child);
      },
    };
  }

  #forkSlot(warm: Warm): Slot {
    return {
      handle: warm.id, pid: null,
      launch: (spec) => {
        if (warm.link === null) return this.#lose([spec.execution_id], 'its fork server is gone');
        warm.running.add(spec.execution_id);
        warm.link.send({ op: 'run', epoch: this.#epoch, spec });
      },
      release: () => undefined,
    };
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
      this.#refill(warm);
    });
  }

  #refill(warm: Warm): void {
    const missing = this.#options.parked - warm.parked.length - warm.expected;
    if (missing <= 0 || warm.state !== 'ready' || warm.link === null) return;
    warm.expected += missing;
    warm.link.send({ op: 'park', epoch: this.#epoch, count: missing });
  }

  park(child: { readonly forkServerId: string; readonly pid: number; readonly gone: AbortSignal }): Promise<ExecutionSpec | null> {
    const warm = [...this.#warm.values()].find((one) => one.id === child.forkServerId);
    if (warm === undefined) return Promise.resolve(null);
    warm.expected = Math.max(0, warm.expected - 1);
    return parkChild(warm, child);
  }

  cancel(executionId: ExecutionId, graceSeconds: number): boolean {
    const warm = [...this.#warm.values()].find((one) => one.running.has(executionId));
    warm?.link?.send({ op: 'cancel', epoch: this.#epoch, execution_id: executionId, grace_seconds: graceSeconds });
    return warm !== undefined;
  }

  explain(versionId: VersionId): string | null {
    const warm = this.#warm.get(versionId);
    if (warm === undefined || warm.state === 'ready') return null;
    return warm.state === 'failed' && warm.error !== null ? `the DAG file does not import: ${textOf(warm.error)}` : 'its Python process is starting';
  }

  stepDown(): void {
    this.#stopIdleCheck();
    const launcher = this.#launcher;
    this.#events = null;
    this.#launcher = null;
    launcher?.close();
    const all = [...this.#warm.values()];
    this.#warm.clear();
    for (const warm of all) {
      warm.link?.close();
      for (const child of warm.parked) child.give(null);
    }
  }

  async shutdown(): Promise<boolean> {
    let launcher = this.#launcher;
    // From here on its end is wanted: nothing is lost, nothing is started again.
    this.#launcher = null;
    this.#isEnding = true;
    this.stepDown();
    // One that is only just starting is ended when it answers.
    await this.#connecting.catch(() => undefined);
    launcher ??= this.#launcher;
    if (launcher === null) return false;
    launcher.send({ op: 'shutdown', epoch: this.#epoch });
    let isGone = false;
    await settledWithin(this.#launcherClosed.then(() => void (isGone = true)), SHUTDOWN_MS);
    launcher.close();
    return isGone;
  }

  // ── the launcher ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #connectLauncher(epoch: number): Promise<readonly RunningForkServer[]> {
    const path = launcherSocket(this.#options.home);
    const deadline = monotonicMs() + LAUNCHER_START_MS;
    let spawned = false;
    while (epoch === this.#epoch && (this.#events !== null || (spawned && this.#isEnding))) {
      const hello = existsSync(path) ? await this.#greetLauncher(path) : null;
      if (hello?.op === 'refused') throw new AppError('not_leading', `the launcher obeys epoch ${hello.epoch}, this server leads in ${epoch}`, { hint: 'Another server leads, or the database was replaced: then end the launcher that serves the home folder.' });
      if (hello !== null) {
        this.#options.reporter.report({ event: 'launcher.ready', pid: hello.pid, adopted: hello.fork_servers.length });
        return hello.fork_servers;
      }
      if (monotonicMs() > deadline) throw new AppError('python_missing', `the launcher did not start within ${LAUNCHER_START_MS / 1000} s`, { hint: `See ${join(this.#options.home, 'logs', 'launcher.log')}.` });
      if (!spawned) {
        spawned = true;
        await spawnLauncher(this.#options);
      }
      await sleep(10);
    }
    throw new AppError('not_leading', 'this server does not lead any more');
  }

  #greetLauncher(path: string): ReturnType<typeof greetLauncher> {
    const epoch = this.#epoch;
    return greetLauncher(path, epoch, {
      onLink: (link, untilClosed) => {
        this.#launcher = link;
        this.#launcherClosed = untilClosed;
      },
      onMessage: (message) => this.#onLauncher(message),
      onClose: (reason) => this.#onLauncherLost(epoch, reason),
    });
  }

  #onLauncher(message: Exclude<FromLauncher, { op: 'hello' }>): void {
    switch (message.op) {
      case 'refused': this.#options.reporter.report({ event: 'launcher.lost', reason: `it obeys epoch ${message.epoch}` }); break;
      case 'started': void this.#adopt(message.fork_server, message.import_ms); break;
      case 'failed': this.#onFailed(message.id, message.error); break;
      case 'exited': {
        const warm = [...this.#warm.values()].find((one) => one.id === message.id);
        if (warm !== undefined) this.#onEnded(warm, message.signal === null ? `status ${message.status}` : `signal ${message.signal}`);
        break;
      }
    }
  }

  /** One that was killed while it imported is started again: that says nothing about the file, unless it happens each time. */
  #onEnded(warm: Warm, how: string): void {
    const killed = warm.state === 'starting' ? (this.#killedImports.get(warm.versionId) ?? 0) + 1 : 0;
    if (killed === 0 || killed > KILLED_IMPORTS) this.#killedImports.delete(warm.versionId);
    else this.#killedImports.set(warm.versionId, killed);
    if (killed <= KILLED_IMPORTS) return this.#onGone(warm, `its fork server ended (${how})`);
    this.#onFailed(warm.id, { type: 'ForkServerEnded', message: `the interpreter ended with ${how} before the DAG file was imported, ${killed} times in a row` });
  }

  /** Everything below a dead launcher died with it. Another is started and what is wanted starts again. */
  #onLauncherLost(epoch: number, reason: string): void {
    if (this.#events === null || this.#launcher === null || epoch !== this.#epoch) return;
    this.#launcher = null;
    this.#options.reporter.report({ event: 'launcher.lost', reason });
    // First, so that whoever asks again waits for the new one.
    this.#connecting = this.#reconnectLauncher(epoch);
    for (const warm of [...this.#warm.values()]) this.#onGone(warm, 'its launcher is gone');
  }

  async #reconnectLauncher(epoch: number): Promise<void> {
    while (epoch === this.#epoch && this.#events !== null) {
      try {
        await Promise.all((await this.#connectLauncher(epoch)).map((forkServer) => this.#adopt(forkServer)));
        return;
      } catch (error) {
        this.#options.reporter.report({ event: 'failure', where: 'launcher', error: errorText(error) });
        await sleep(1000);
      }
    }
  }

  // ── fork servers ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #start(versionId: VersionId): Promise<void> {
    const { python, environment, home, importTimeoutSeconds } = this.#options;
    const warm = newWarm(randomUUID(), versionId, 'preparing');
    this.#warm.set(versionId, warm);
    try {
      const version = await this.#options.prepare(versionId);
      await this.#connecting;
      // Stepped down, or the launcher died in between and it was asked for anew.
      if (this.#warm.get(versionId) !== warm) return;
      warm.dagId = version.dagId;
      warm.state = 'starting';
      const spec: ForkServerSpec & { import_timeout_seconds: number } = {
        id: warm.id, version_id: versionId, dag_id: version.dagId, root: version.root, dag_file: version.dagFile, path: version.path,
        python, env: environment, log_file: join(home, 'logs', 'imports.log'), import_timeout_seconds: importTimeoutSeconds,
      };
      if (this.#launcher === null) throw new AppError('bug', 'there is no launcher');
      this.#launcher.send({ op: 'start', epoch: this.#epoch, fork_server: spec });
    } catch (error) {
      this.#onFailed(warm.id, { type: 'PrepareError', message: errorText(error) });
    }
  }

  #onFailed(id: string, error: ReportedError): void {
    const warm = [...this.#warm.values()].find((one) => one.id === id);
    if (warm === undefined) return;
    warm.state = 'failed';
    warm.error = error;
    warm.usedAt = monotonicMs();
    this.#options.reporter.report({ event: 'fork_server.failed', id, dag_id: warm.dagId, error: textOf(error) });
    this.#events?.onFailed(warm.versionId, error);
  }

  /** Connects to a fork server, ours or an older leader's. @returns what it runs, null when it is gone */
  async #adopt(forkServer: RunningForkServer, importMs = 0): Promise<readonly { execution_id: ExecutionId; pid: number }[] | null> {
    const warm = this.#warm.get(forkServer.version_id) ?? newWarm(forkServer.id, forkServer.version_id, 'starting');
    if (warm.link !== null || warm.isGreeting) return null;
    warm.isGreeting = true;
    // The launcher may hand out the one it had instead of the one asked for.
    warm.id = forkServer.id;
    this.#warm.set(forkServer.version_id, warm);
    const running = await this.#greetForkServer(warm, forkServer.socket);
    warm.isGreeting = false;
    if (running === null) {
      this.#onGone(warm, 'its fork server does not answer');
      return null;
    }
    warm.state = 'ready';
    this.#killedImports.delete(warm.versionId);
    warm.usedAt = monotonicMs();
    for (const { execution_id } of running) warm.running.add(execution_id);
    this.#options.reporter.report({ event: 'fork_server.ready', id: warm.id, dag_id: warm.dagId, import_ms: importMs });
    this.#refill(warm);
    this.#events?.onReady(warm.versionId);
    return running;
  }

  #greetForkServer(warm: Warm, socket: string): ReturnType<typeof greetForkServer> {
    return greetForkServer(socket, { epoch: this.#epoch, agentSocket: this.#options.agentSocket }, {
      onLink: (link) => void (warm.link = link),
      onMessage: (message) => this.#onForkServer(warm, message),
      onClose: (reason) => {
        if (warm.link !== null && this.#warm.get(warm.versionId) === warm) this.#onGone(warm, reason);
      },
    });
  }

  #onForkServer(warm: Warm, message: Exclude<FromForkServer, { op: 'hello' }>): void {
    const events = this.#events;
    if (events === null) return;
    switch (message.op) {
      case 'begun':
        warm.running.add(message.execution_id);
        warm.bound.delete(message.pid);
        break;
      case 'alive': events.onAlive(message.running); break;
      case 'refused':
        if (message.execution_id !== undefined) events.onLost([message.execution_id], `its fork server refused it: ${message.reason}`);
        break;
      case 'exited':
        for (const child of message.children) this.#onExited(warm, child);
        this.#planRefill(warm);
        break;
    }
  }

  #onExited(warm: Warm, child: ExitedChild): void {
    const bound = warm.bound.get(child.pid);
    warm.bound.delete(child.pid);
    if (child.execution_id !== null) {
      warm.running.delete(child.execution_id);
      this.#events?.onExited(child);
    } else if (bound !== undefined) {
      warm.running.delete(bound);
      this.#lose([bound], 'its process ended before it began');
    } else if (child.status !== 0) warm.expected = Math.max(0, warm.expected - 1);
  }

  #onGone(warm: Warm, reason: string): void {
    if (this.#warm.get(warm.versionId) !== warm) return;
    this.#warm.delete(warm.versionId);
    const lost = [...warm.running];
    const { link } = warm;
    warm.link = null;
    link?.close();
    for (const child of warm.parked) child.give(null);
    this.#options.reporter.report({ event: 'fork_server.exited', id: warm.id, lost: lost.length });
    this.#lose(lost, reason);
    // Whoever waited for it, and what was lost, wants another.
    this.#events?.onReady(warm.versionId);
  }

  #endIdle(): void {
    const now = monotonicMs();
    for (const warm of this.#warm.values()) {
      if (warm.state !== 'ready' || warm.running.size > 0 || now - warm.usedAt < this.#options.idleSeconds * 1000) continue;
      warm.state = 'ending';
      this.#launcher?.send({ op: 'stop_fork_server', epoch: this.#epoch, id: warm.id });
    }
  }
}
