// The machine where executions run: launcher, fork servers and tasks of the world. It outlives servers, and writes the ledger.
import type { ExecutionReport, ExecutionSpec } from '#contract/attempt.ts';
import { AppError } from '#contract/errors.ts';
import type { ExecutionId, VersionId } from '#contract/ids.ts';
import type { Executor, ExecutorEvents, Inventory, Outcomes, Slot } from '#executor/executor.ts';
import type { Scheduler } from '#scheduler/scheduler.ts';
import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';
import { SimTriggerHost } from './sim-trigger-host.ts';
import { type Behaviour, stepOf } from './workload.ts';
import { Node, type World } from './world.ts';

/** What tasks do; the world asks it when an execution begins. */
export type BehaviourOf = (spec: ExecutionSpec) => Behaviour;

/** A server as its machine reaches it. */
export interface ServerDoor { readonly node: Node; readonly scheduler: Scheduler }

interface Job { readonly spec: ExecutionSpec; readonly node: Node; readonly tellsNobody: boolean }

/** Loss and delay between tasks and servers. */
export interface AgentWeather { loseRequest: number; loseAnswer: number; repeat: number; latencyMs: number }

/** One machine. */
export class SimMachine {
  readonly world: World;
  readonly ledger: Ledger;
  readonly #random: Random;
  readonly #behaviourOf: BehaviourOf;
  /** Runs whose instances people gave states: their tasks may miss values. */
  readonly #isTouched: (run: string) => boolean;
  readonly jobs = new Map<ExecutionId, Job>();
  readonly outcomesLeft = new Map<ExecutionId, ExecutionReport>();
  #swept: readonly ExecutionId[] = [];
  readonly servers = new Set<ServerDoor>();
  readonly warm = new Set<VersionId>();
  /** Versions whose triggers somebody is to run, and the processes that do. */
  readonly #wantedHosts = new Set<VersionId>();
  readonly hosts = new Map<VersionId, SimTriggerHost>();
  readonly #seen = new Set<ExecutionId>();
  #epoch = 0;
  #leader: SimExecutor | null = null;
  weather: AgentWeather = { loseRequest: 0, loseAnswer: 0, repeat: 0, latencyMs: 1 };

  constructor(world: World, parts: { ledger: Ledger; random: Random; behaviourOf: BehaviourOf; isTouched: (run: string) => boolean }) {
    this.world = world;
    this.ledger = parts.ledger;
    this.#random = parts.random;
    this.#behaviourOf = parts.behaviourOf;
    this.#isTouched = parts.isTouched;
    this.#beat();
  }

  /** The disk with what executions left. */
  outcomes(node: Node): Outcomes {
    return {
      find: (id) => new Promise((resolve) => void this.world.at(this.world.now, () => resolve(this.outcomesLeft.get(id) ?? null), node)),
      sweep: (listOpen) => {
        const open = listOpen();
        if (open !== null) this.#forgetClosed(new Set(open));
        return Promise.resolve();
      },
    };
  }

  /** What was there at the sweep before. */
  #forgetClosed(open: ReadonlySet<ExecutionId>): void {
    for (const id of this.#swept) if (!open.has(id)) this.outcomesLeft.delete(id);
    this.#swept = [...this.outcomesLeft.keys()];
  }

  /** A leader of a newer epoch takes over; an older one is refused from then on. */
  attach(executor: SimExecutor, epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    this.#leader = executor;
    return true;
  }

  isLedBy(executor: SimExecutor): boolean {
    return this.#leader === executor;
  }

  latency(): number {
    return this.weather.latencyMs * (0.3 + this.#random.next());
  }

  /** Tells the attached leader something, as over its socket. */
  tell(what: (events: ExecutorEvents) => void): void {
    const executor = this.#leader;
    if (executor === null) return;
    this.world.at(this.world.now + this.latency(), () => {
      if (this.#leader === executor && executor.events !== null) what(executor.events);
    }, executor.node);
  }

  /** Starts a version's fork server. */
  warmUp(version: VersionId): void {
    this.world.at(this.world.now + this.#random.between(30, 300), () => {
      this.warm.add(version);
      this.#keepHost(version);
      this.tell((events) => events.onReady(version));
    }, null);
  }

  /** A job arrives. An execution that began once, or a leader of an older epoch, is refused. */
  receive(spec: ExecutionSpec, epoch: number): void {
    if (epoch < this.#epoch || this.#seen.has(spec.execution_id)) return;
    if (!this.warm.has(spec.version_id)) return this.tell((events) => events.onLost([spec.execution_id], 'its fork server is gone'));
    this.#seen.add(spec.execution_id);
    const job: Job = { spec, node: new Node(`task ${spec.execution_id}`), tellsNobody: false };
    this.jobs.set(spec.execution_id, job);
    this.ledger.start(spec, this.world.now, stepOf(spec).event);
    this.world.as(job.node, () => void this.#live(job).catch((error: unknown) => this.ledger.accuse('crash', `a task's life: ${String(error)}`)));
  }

  /** The life of an execution: read what it needs, work, leave the outcome, report until somebody answers, end. */
  async #live(job: Job): Promise<void> {
    const { spec } = job;
    const behaviour = this.#behaviourOf(spec);
    for (const need of behaviour.needs) if (!(await this.#read(job, need))) return this.#exit(job, { status: 1, signal: null });
    await this.#sleep(behaviour.durationMs);
    if (behaviour.end === 'vanishes') return this.#exit(job, { status: 7, signal: null });
    const at = new Date(this.world.now).toISOString();
    const report: ExecutionReport = { execution_id: spec.execution_id, started_at: at, ended_at: at, ...behaviour.report };
    this.ledger.finish(spec, report.outcome, this.world.now);
    this.outcomesLeft.set(spec.execution_id, report);
    this.ledger.durable(spec.execution_id, report.outcome);
    const answer = await this.insist(job.node, (scheduler) => scheduler.report(spec.token, report));
    if (answer === 'closed') this.ledger.accuse('identity', `${spec.execution_id} reported, and nobody knows it`);
    else if (answer.kind === 'recorded') this.ledger.acknowledged(spec.execution_id, report.outcome);
    if (this.#random.chance(this.weather.repeat)) await this.insist(job.node, (scheduler) => scheduler.report(spec.token, report));
    this.#exit(job, { status: 0, signal: null });
  }

  /** @returns false when the execution was closed meanwhile */
  async #read(job: Job, need: Behaviour['needs'][number]): Promise<boolean> {
    const { spec } = job;
    const value = await this.insist(job.node, (scheduler) => scheduler.findXCom(spec.token, spec.execution_id, { task_id: need.taskId, key: 'return_value', map_index: need.mapIndex }));
    if (value === 'closed') return false;
    if (value !== need.value && !this.#isTouched(spec.run.id)) this.ledger.accuse('data', `${spec.task_id} of ${spec.run.run_id} read ${String(value)} for ${need.taskId}, not ${need.value}`);
    return true;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.world.after(ms, resolve));
  }

  /** Asks servers, the leader's first, until one of them answers for good. */
  async insist<T>(from: Node, ask: (scheduler: Scheduler) => Promise<T>, patienceMs = 10_000): Promise<T | 'closed'> {
    for (let delay = 50; ; delay = Math.min(delay * 2, 2000)) {
      const answer = await this.#ask(from, ask, patienceMs);
      if (answer.kind === 'value') return answer.value;
      if (answer.kind === 'closed') return 'closed';
      await this.#sleep(delay * (0.5 + this.#random.next()));
    }
  }

  #ask<T>(from: Node, ask: (scheduler: Scheduler) => Promise<T>, patienceMs: number): Promise<{ kind: 'value'; value: T } | { kind: 'closed' } | { kind: 'again' }> {
    const { world, weather } = this;
    const doors = [...this.servers].filter(({ node }) => node.isAlive);
    const door = doors.find(({ node }) => node === this.#leader?.node) ?? doors[0];
    return new Promise((resolve) => {
      const answer = (what: { kind: 'value'; value: T } | { kind: 'closed' } | { kind: 'again' }, delayMs: number): void => void world.at(world.now + delayMs, () => resolve(what), from);
      answer({ kind: 'again' }, patienceMs);
      if (door === undefined || this.#random.chance(weather.loseRequest)) return;
      const isAnswerLost = this.#random.chance(weather.loseAnswer);
      world.at(world.now + this.latency(), () => {
        ask(door.scheduler).then(
          (value) => isAnswerLost || answer({ kind: 'value', value }, this.latency()),
          (error: unknown) => {
            const isFinal = error instanceof AppError && ['unauthenticated', 'stale'].includes(error.code);
            if (!(error instanceof AppError) && !isConnection(error)) this.ledger.accuse('crash', `an agent's call: ${String(error)}`);
            if (!isAnswerLost) answer({ kind: isFinal ? 'closed' : 'again' }, this.latency());
          },
        );
      }, door.node);
    });
  }

  #exit(job: Job, how: { status: number; signal: number | null }): void {
    const id = job.spec.execution_id;
    if (!this.jobs.delete(id)) return;
    this.world.kill(job.node);
    this.ledger.end(id, this.world.now);
    this.tell((events) => events.onExited({ pid: 1, execution_id: id, ...how, oom: false }));
  }

  /** A signal ends a task. */
  kill(id: ExecutionId, signal: number): void {
    const job = this.jobs.get(id);
    if (job !== undefined) this.#exit(job, { status: -1, signal });
  }

  /** Stops a task: it may clean up for a while. */
  cancel(id: ExecutionId, graceSeconds: number): void {
    const job = this.jobs.get(id);
    if (job === undefined) return;
    this.ledger.cancelled(id);
    this.world.at(this.world.now + this.#random.between(0, graceSeconds * 1000), () => this.kill(id, 15), null);
  }

  /** Fork servers die with all that they run. */
  killForkServers(versions: ReadonlySet<VersionId>): void {
    const gone: ExecutionId[] = [];
    for (const [id, job] of this.jobs) {
      if (!versions.has(job.spec.version_id)) continue;
      this.jobs.delete(id);
      this.world.kill(job.node);
      this.ledger.end(id, this.world.now);
      gone.push(id);
    }
    for (const version of versions) this.killHost(version);
    for (const version of versions) if (this.warm.delete(version)) this.tell((events) => events.onReady(version));
    if (gone.length > 0) this.tell((events) => events.onLost(gone, 'its fork server died'));
  }

  /** A leader says whether a version's tasks wait for triggers. */
  hostTriggers(version: VersionId, wanted: boolean): void {
    if (!wanted) return void this.#wantedHosts.delete(version);
    this.#wantedHosts.add(version);
    this.#keepHost(version);
  }

  #keepHost(version: VersionId): void {
    if (!this.#wantedHosts.has(version) || this.hosts.has(version)) return;
    // As the executor does: a version whose triggers wait has a fork server.
    if (!this.warm.has(version)) return this.warmUp(version);
    const host = new SimTriggerHost(this, version, this.#random);
    this.hosts.set(version, host);
    this.world.as(host.node, () => void host.live().then(() => this.killHost(version), (error: unknown) => this.ledger.accuse('crash', `a trigger host: ${String(error)}`)));
  }

  /** Whoever still waits gets another one. */
  killHost(version: VersionId): void {
    const host = this.hosts.get(version);
    if (host === undefined) return;
    this.world.kill(host.node);
    this.hosts.delete(version);
    this.world.at(this.world.now + this.#random.between(20, 2000), () => this.#keepHost(version), null);
  }

  #beat(): void {
    this.world.at(this.world.now + 5000, () => {
      const running = [...this.jobs.keys()];
      if (running.length > 0) this.tell((events) => events.onAlive(running));
      this.#beat();
    }, null);
  }
}

function isConnection(error: unknown): boolean {
  return error instanceof Error && /ECONN|timeout|terminated|given up/.test(error.message);
}

/** A server's hand on the machine. */
export class SimExecutor implements Executor {
  readonly kind = 'process';
  readonly node: Node;
  readonly #machine: SimMachine;
  events: ExecutorEvents | null = null;
  #epoch = 0;

  constructor(machine: SimMachine, node: Node) {
    this.#machine = machine;
    this.node = node;
  }

  async lead(epoch: number, events: ExecutorEvents): Promise<Inventory> {
    const { world } = this.#machine;
    await new Promise<void>((resolve) => void world.after(this.#machine.latency(), resolve));
    this.#epoch = epoch;
    this.events = events;
    if (!this.#machine.attach(this, epoch)) throw new AppError('not_leading', 'the launcher obeys a newer leader');
    const running = new Map([...this.#machine.jobs.keys()].map((id) => [id, 1] as const));
    await new Promise<void>((resolve) => void world.after(this.#machine.latency(), resolve));
    return { running };
  }

  reserve(versionId: VersionId): Slot | null {
    if (!this.#machine.warm.has(versionId)) {
      this.#machine.warmUp(versionId);
      return null;
    }
    return { handle: 'sim', pid: 1, launch: (spec) => this.#launch(spec), release: () => undefined };
  }

  /** Jobs on their way; a cancel travels behind its job. */
  readonly #sent = new Set<ExecutionId>();

  #launch(spec: ExecutionSpec): void {
    const { world } = this.#machine;
    const epoch = this.#epoch;
    this.#sent.add(spec.execution_id);
    world.at(world.now + this.#machine.latency(), () => {
      this.#sent.delete(spec.execution_id);
      this.#machine.receive(spec, epoch);
    }, null);
  }

  cancel(executionId: ExecutionId, graceSeconds: number): boolean {
    const { world } = this.#machine;
    const isSent = this.#sent.has(executionId);
    world.at(world.now + this.#machine.latency() * (isSent ? 5 : 1), () => {
      if (this.#machine.isLedBy(this)) this.#machine.cancel(executionId, graceSeconds);
    }, null);
    return isSent || this.#machine.jobs.has(executionId);
  }

  park(): Promise<ExecutionSpec | null> {
    return Promise.resolve(null);
  }

  hostTriggers(versionId: VersionId, wanted: boolean): void {
    const { world } = this.#machine;
    world.at(world.now + this.#machine.latency(), () => {
      if (this.#machine.isLedBy(this)) this.#machine.hostTriggers(versionId, wanted);
    }, null);
  }

  /** A fork server of this world is named like its version. */
  versionOf(forkServerId: string): VersionId | null {
    return forkServerId as VersionId;
  }

  call(): Promise<string> {
    return Promise.reject(new AppError('call_failed', 'nobody answers here'));
  }

  /** Nobody asked. */
  answerCall(): boolean {
    return false;
  }

  explain(versionId: VersionId): string | null {
    return this.#machine.warm.has(versionId) ? null : 'its Python process is starting';
  }

  stepDown(): void {
    this.events = null;
  }

  shutdown(): Promise<boolean> {
    return Promise.resolve(false);
  }
}
