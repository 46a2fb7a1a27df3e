// One world put together: the database, the machine, servers that come and go, people, and the handles by which faults strike.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import type { VersionId } from '#contract/ids.ts';
import { useTimeSource } from '#platform/clock.ts';
import { readConfig } from '#platform/config.ts';
import { createReporter } from '#platform/report.ts';
import { Scheduler } from '#scheduler/scheduler.ts';
import { NO_SECRETS } from '../support/no-secrets.ts';
import { Ledger } from './ledger.ts';
import { People } from './people.ts';
import { Random } from './random.ts';
import { FAIR, SimDatabase } from './sim-database.ts';
import { type ServerDoor, SimExecutor, SimMachine } from './sim-machine.ts';
import { behaviourOf, type SimDag } from './workload.ts';
import { Node, World } from './world.ts';

/** Everything of one seed. */
export class Stage {
  readonly world = new World();
  readonly ledger = new Ledger();
  readonly database: SimDatabase;
  readonly machine: SimMachine;
  readonly people: People;
  readonly versions = new Map<string, VersionId>();
  /** What happened, for a failing seed. */
  readonly diary: string[] = [];
  readonly isTold: boolean;
  readonly #random: Random;
  readonly #home: string;
  readonly #servers = new Set<ServerDoor & { readonly executor: SimExecutor }>();
  #made = 0;
  #isHealed = false;

  constructor(parts: { real: pg.Client; seed: string; dags: readonly SimDag[]; home: string; isTold: boolean }) {
    useTimeSource(this.world);
    this.isTold = parts.isTold;
    this.#random = new Random(`${parts.seed} faults`);
    this.#home = parts.home;
    this.database = new SimDatabase(this.world, parts.real, new Random(`${parts.seed} database`));
    const pokes = new Map<string, number>();
    this.machine = new SimMachine(this.world, {
      ledger: this.ledger, random: new Random(`${parts.seed} machine`), isTouched: (run) => this.people.touched.has(run),
      behaviourOf: (spec) => {
        const poked = [...this.ledger.entries.values()].filter((entry) => entry.attemptId === spec.attempt_id && entry.acknowledged === 'up_for_reschedule').length;
        pokes.set(spec.attempt_id, poked);
        return behaviourOf(parts.dags, spec, poked);
      },
    });
    const node = new Node('people');
    this.people = new People({ world: this.world, database: this.database, store: this.database.connect(node), node, random: new Random(`${parts.seed} people`), ledger: this.ledger });
    mkdirSync(join(this.#home, 'run'), { recursive: true });
  }

  /** When something was wrong with servers, the database or what runs tasks. */
  readonly troubles: { readonly name: string; readonly from: number; readonly until: number }[] = [];

  #trouble(name: string, ms: number, what: string): void {
    this.note(what);
    this.troubles.push({ name, from: this.world.now, until: this.world.now + ms });
  }

  note(what: string): void {
    if (this.isTold) this.diary.push(`${((this.world.now - this.#begin) / 1000).toFixed(3).padStart(9)} ${what}`);
  }

  readonly #begin = this.world.now;

  // ── servers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  startServer(): void {
    this.#made += 1;
    const node = new Node(`server ${this.#made}`);
    const executor = new SimExecutor(this.machine, node);
    const reporter = createReporter('error', () => undefined);
    if (this.isTold) reporter.listen((event) => this.note(`${node.name}: ${JSON.stringify(event)}`));
    reporter.listen((event) => {
      if (event.event === 'failure' && !/does not answer|ECONN|timeout|terminated|not_leading|newer leader|given up/.test(event.error)) this.ledger.accuse('crash', `${event.where}: ${event.error}`);
    });
    const config = readConfig({ LEOFLOW_INFRA_RETRIES: '100', LEOFLOW_INFRA_RETRY_DELAY_SECONDS: '1', LEOFLOW_PARALLELISM: '8', LEOFLOW_CANCEL_GRACE_SECONDS: '5' }, {});
    const store = this.database.connect(node);
    const scheduler = this.world.as(node, () => new Scheduler({
      config, home: this.#home, host: 'sim', place: 'sim#home', database: store, reporter, executor, agentAddress: `${node.name}.sock`, outcomes: this.machine.outcomes(node), onPruned: () => undefined,
      coordination: { awaitLeadership: (address, stop) => this.database.awaitLeadership(node, address, stop), listen: (handlers) => this.database.listen(node, handlers) },
      folders: { logFile: (id) => `${id}.log`, outcomes: 'outcomes' }, secrets: NO_SECRETS,
    }));
    const door = { node, scheduler, executor };
    this.#servers.add(door);
    this.machine.servers.add(door);
    this.note(`${node.name} starts`);
    this.world.as(node, () => scheduler.start());
  }

  #kill(door: ServerDoor & { readonly executor: SimExecutor }): void {
    this.#trouble('server killed', 0, `${door.node.name} is killed`);
    this.world.kill(door.node);
    this.#servers.delete(door);
    this.machine.servers.delete(door);
    this.database.forget(door.node);
  }

  #pickServer(): (ServerDoor & { readonly executor: SimExecutor }) | null {
    return this.#servers.size === 0 ? null : this.#random.pick([...this.#servers]);
  }

  /** Only a leader listens. */
  get #leader(): (ServerDoor & { readonly executor: SimExecutor }) | undefined {
    return [...this.#servers].find(({ node }) => node === this.database.holder?.node);
  }

  #killFor(door: (ServerDoor & { readonly executor: SimExecutor }) | null | undefined, ms: number): void {
    if (door === null || door === undefined || this.#isHealed) return;
    this.#kill(door);
    this.world.at(this.world.now + ms, () => this.startServer(), null);
  }

  killServer(ms: number): void {
    this.#killFor(this.#pickServer(), ms);
  }

  killLeader(ms: number): void {
    this.#killFor(this.#leader, ms);
  }

  stopServer(ms: number): void {
    const door = this.#pickServer();
    if (door === null || door.node.isStopped) return;
    this.#trouble('server stopped', ms, `${door.node.name} is stopped for ${Math.round(ms)} ms`);
    this.world.stop(door.node);
    this.world.at(this.world.now + ms, () => this.world.resume(door.node), null);
  }

  // ── the database and its network ─────────────────────────────────────────────────────────────────────────────────

  databaseDown(ms: number): void {
    if (!this.database.isUp) return;
    this.#trouble('database down', ms, `the database is down for ${Math.round(ms)} ms`);
    this.database.goDown();
    this.world.at(this.world.now + ms, () => this.database.comeUp(), null);
  }

  cutOff(ms: number): void {
    const door = this.#pickServer();
    if (door === null || this.database.cutOff.has(door.node)) return;
    this.#trouble('network cut', ms, `${door.node.name} is cut off for ${Math.round(ms)} ms`);
    this.database.cut(door.node);
    this.world.at(this.world.now + ms, () => this.database.heal(door.node), null);
  }

  endSession(): void {
    this.#trouble('session ended', 0, 'the lock’s session is ended');
    if (this.database.holder !== null) this.database.endSession(this.database.holder);
  }

  loseLock(): void {
    this.#trouble('lock lost', 0, 'the lock is lost, its session goes on');
    if (this.database.holder !== null) this.database.loseLock();
  }

  badNetwork(ms: number): void {
    // What is delayed arrives so much later.
    this.#trouble('bad network', ms + 25_000, `requests and answers are lost for ${Math.round(ms)} ms`);
    this.database.weather = { ...FAIR, latencyMs: 2, loseRequest: 0.03, loseAnswer: 0.03, delayRequest: 0.02, loseCommit: 0.2 };
    this.world.at(this.world.now + ms, () => void (this.database.weather = FAIR), null);
  }

  loseCommits(ms: number): void {
    this.#trouble('commits unanswered', ms, `answers to commits are lost for ${Math.round(ms)} ms`);
    this.database.weather = { ...FAIR, loseCommit: 0.5 };
    this.world.at(this.world.now + ms, () => void (this.database.weather = FAIR), null);
  }

  deafen(ms: number): void {
    const door = this.#leader;
    if (door === undefined || this.database.deaf.has(door.node)) return;
    this.#trouble('deaf leader', ms, `${door.node.name} hears no notices for ${Math.round(ms)} ms`);
    this.database.deafen(door.node, ms);
  }

  refusals(ms: number): void {
    this.#trouble('statements refused', ms, `statements are given up for ${Math.round(ms)} ms`);
    this.database.weather = { ...FAIR, refuse: 0.1 };
    this.world.at(this.world.now + ms, () => void (this.database.weather = FAIR), null);
  }

  slowDatabase(ms: number): void {
    this.#trouble('slow database', ms, `the database is slow for ${Math.round(ms)} ms`);
    this.database.weather = { ...FAIR, latencyMs: this.#random.pick([50, 200, 1000]) };
    this.world.at(this.world.now + ms, () => void (this.database.weather = FAIR), null);
  }

  // ── the machine ──────────────────────────────────────────────────────────────────────────────────────────────────

  badAgentNetwork(ms: number): void {
    this.note(`reports are lost and repeated for ${Math.round(ms)} ms`);
    this.machine.weather = { loseRequest: 0.2, loseAnswer: 0.2, repeat: 0.3, latencyMs: 20 };
    this.world.at(this.world.now + ms, () => void (this.machine.weather = { loseRequest: 0, loseAnswer: 0, repeat: 0, latencyMs: 1 }), null);
  }

  killTask(): void {
    const ids = [...this.machine.jobs.keys()];
    if (ids.length === 0) return;
    const id = this.#random.pick(ids);
    this.note(`task ${id} is killed`);
    this.machine.kill(id, 9);
  }

  killForkServer(): void {
    if (this.machine.warm.size === 0) return;
    const version = this.#random.pick([...this.machine.warm]);
    this.#trouble('fork server killed', 0, `fork server of ${version} is killed`);
    this.machine.killForkServers(new Set([version]));
  }

  killTriggerHost(): void {
    const versions = [...this.machine.hosts.keys()];
    if (versions.length === 0) return;
    const version = this.#random.pick(versions);
    this.note(`the trigger host of ${version} is killed`);
    this.machine.killHost(version);
  }

  killLauncher(): void {
    this.#trouble('launcher killed', 0, 'the launcher is killed');
    this.machine.killForkServers(new Set(this.machine.warm));
  }

  /** From here on nothing goes wrong. */
  heal(): void {
    this.note('all is well');
    this.#isHealed = true;
    this.database.weather = FAIR;
    this.machine.weather = { loseRequest: 0, loseAnswer: 0, repeat: 0, latencyMs: 1 };
    if (!this.database.isUp) this.database.comeUp();
    for (const { node } of this.#servers) {
      if (this.database.cutOff.has(node)) this.database.heal(node);
      this.database.undeafen(node);
      if (node.isStopped) this.world.resume(node);
    }
    while (this.#servers.size < 2) this.startServer();
  }

  /** Nobody leads, nothing runs: every node of the world is gone. */
  close(): void {
    for (const door of this.#servers) this.#kill(door);
    useTimeSource(null);
  }
}
